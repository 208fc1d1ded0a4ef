//! `uncordon`: new pods on a node again.

use super::cordons::{self, PARAMS, RETURNS};
use crate::call::{Body, Function};
use crate::host::workloads::changes::{ERRORS, TIER, TIMEOUT, rows};
use crate::model::operation::PatchVerb;
use crate::model::spec::{Example, Group, Keep};
use crate::model::{Spec, Tier};

/// The function.
pub static UNCORDON: Function = Function {
    spec: Spec {
        name: "uncordon",
        group: Group::Nodes,
        summary: "Lets new pods on a node again.",
        params: PARAMS,
        options: &[TIER, TIMEOUT],
        returns: RETURNS,
        tier: Tier::Mild,
        keep: Keep::Line,
        errors: ERRORS,
        examples: &[Example {
            title: "Back in service",
            code: "cordon(\"node-1\");\nuncordon(\"node-1\");\nnodes(\"node-1\")[0].schedulable",
            result: "true",
        }],
    },
    body: Body::Change(|args, cx| cordons::plan(args, cx, PatchVerb::Uncordon), rows),
};
