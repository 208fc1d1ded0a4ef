//! `cordon`: no new pods on a node.

use super::cordons::{self, PARAMS, RETURNS};
use crate::call::{Body, Function};
use crate::host::workloads::changes::{ERRORS, TIER, TIMEOUT, rows};
use crate::model::operation::PatchVerb;
use crate::model::spec::{Example, Group, Keep};
use crate::model::{Spec, Tier};

/// The function.
pub static CORDON: Function = Function {
    spec: Spec {
        name: "cordon",
        group: Group::Nodes,
        summary: "Keeps new pods from a node; those that run there stay.",
        params: PARAMS,
        options: &[TIER, TIMEOUT],
        returns: RETURNS,
        tier: Tier::Moderate,
        keep: Keep::Line,
        errors: ERRORS,
        examples: &[Example { title: "A node that is to be looked at", code: "cordon(\"node-1\").status", result: "\"changed\"" }],
    },
    body: Body::Change(|args, cx| cordons::plan(args, cx, PatchVerb::Cordon), rows),
};
