//! `annotate`: annotations of objects.

use super::changes::{ERRORS, RETURNS, TIER, TIMEOUT, rows};
use super::marks::{self, Place};
use crate::call::{Body, Cx, Function};
use crate::host::targets::NAMESPACE;
use crate::model::spec::{Args, Example, Group, Keep, Opt, Param, Type};
use crate::model::{Failure, Spec, Tier, Write};

/// The function.
pub static ANNOTATE: Function = Function {
    spec: Spec {
        name: "annotate",
        group: Group::Workloads,
        summary: "Sets or takes away annotations of an object, or of those that a selector chooses, as `kubectl annotate` does.",
        params: &[
            Param {
                name: "target",
                ty: Type::Target,
                required: true,
                help: "\"deployment/api-gateway\", a selector (\"node/zone=a\" for nodes, \"app=api\" for pods), or a service's name for its workload",
            },
            Param { name: "annotations", ty: Type::Map, required: true, help: "texts by key; `()` takes a key away" },
        ],
        options: &[
            Opt { name: "overwrite", ty: Type::Bool, default: "false", help: "whether another value that is there already is replaced" },
            NAMESPACE,
            TIER,
            TIMEOUT,
        ],
        returns: RETURNS,
        tier: Tier::Mild,
        keep: Keep::Line,
        errors: ERRORS,
        examples: &[Example {
            title: "Why it was changed",
            code: "annotate(\"deployment/billing\", #{ \"example.com/incident\": \"INC-7\" }).status",
            result: "\"changed\"",
        }],
    },
    body: Body::Change(plan, rows),
};

fn plan(args: &Args, cx: &Cx<'_>) -> Result<Vec<Write>, Failure> {
    marks::plan(args, cx, Place::Annotations)
}
