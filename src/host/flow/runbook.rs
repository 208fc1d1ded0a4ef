//! `runbook`: the header of a runbook.

use crate::call::{Body, Function};
use crate::model::spec::{Example, Group, Keep, Param, Type};
use crate::model::{Spec, Tier};

/// The function. The engine calls its closures.
pub static RUNBOOK: Function = Function {
    spec: Spec {
        name: "runbook",
        group: Group::Flow,
        summary: "States what the runbook is, as its first statement: a map of literals, read without running the script.",
        params: &[Param {
            name: "header",
            ty: Type::Map,
            required: true,
            help: "`title` and, as they apply, `severity`, `service`, `owner`, `version`, `last_tested`, `next_drill`, `params`",
        }],
        options: &[],
        returns: "the parameters: defaults, overridden by `--param`, checked against their types and ranges",
        tier: Tier::Mild,
        keep: Keep::Line,
        errors: &[],
        examples: &[Example {
            title: "A parameter with a range",
            code: "let params = runbook(#{ title: \"Example\", params: #{ replicas: #{ type: \"int\", default: 7, min: 1, max: 20 } } });\nparams.replicas",
            result: "7",
        }],
    },
    body: Body::Flow,
};
