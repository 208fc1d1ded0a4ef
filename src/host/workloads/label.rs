//! `label`: labels of objects.

use super::changes::{ERRORS, RETURNS, TIER, TIMEOUT, rows};
use super::marks::{self, Place};
use crate::call::{Body, Cx, Function};
use crate::host::targets::NAMESPACE;
use crate::model::spec::{Args, Example, Group, Keep, Opt, Param, Type};
use crate::model::{Failure, Spec, Tier, Write};

/// The function.
pub static LABEL: Function = Function {
    spec: Spec {
        name: "label",
        group: Group::Workloads,
        summary: "Sets or takes away labels of an object, or of those that a selector chooses, as `kubectl label` does.",
        params: &[
            Param {
                name: "target",
                ty: Type::Target,
                required: true,
                help: "\"deployment/api-gateway\", a selector (\"node/zone=a\" for nodes, \"app=api\" for pods), or a service's name for its workload",
            },
            Param { name: "labels", ty: Type::Map, required: true, help: "texts by key; `()` takes a key away" },
        ],
        options: &[
            Opt { name: "overwrite", ty: Type::Bool, default: "false", help: "whether another value that is there already is replaced" },
            NAMESPACE,
            TIER,
            TIMEOUT,
        ],
        returns: RETURNS,
        tier: Tier::Moderate,
        keep: Keep::Line,
        errors: ERRORS,
        examples: &[Example {
            title: "A label for one node",
            code: "label(\"node/gpu-1\", #{ reserved: \"training\" }).after",
            result: "{\"metadata.labels.reserved\":\"training\"}",
        }],
    },
    body: Body::Change(plan, rows),
};

fn plan(args: &Args, cx: &Cx<'_>) -> Result<Vec<Write>, Failure> {
    marks::plan(args, cx, Place::Labels)
}
