//! `parallel`: closures at the same time.

use crate::call::{Body, Function};
use crate::model::spec::{Example, Group, Keep, Param, Type};
use crate::model::{Spec, Tier};

/// The function. The engine calls its closures.
pub static PARALLEL: Function = Function {
    spec: Spec {
        name: "parallel",
        group: Group::Flow,
        summary: "Calls closures at the same time and waits for all of them. What they write to captured variables is lost; what they answer is not.",
        params: &[Param { name: "bodies", ty: Type::Closures, required: true, help: "what to do" }],
        options: &[],
        returns: "an array of the closures' answers, in their order; if branches fail, all finish first, then their failures are thrown as one, with each of them under `failures`",
        tier: Tier::Mild,
        keep: Keep::Line,
        errors: &[],
        examples: &[Example {
            title: "Two workloads at once",
            code: "parallel([|| scale(\"chat-history\", 4), || scale(\"billing\", 3)]).map(|done| done.after)",
            result: "[4,3]",
        }],
    },
    body: Body::Flow,
};
