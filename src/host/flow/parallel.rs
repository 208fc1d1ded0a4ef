//! `parallel`: closures at the same time.

use crate::call::{Body, Function};
use crate::model::spec::{Example, Group, Keep, Opt, Param, Type};
use crate::model::{Spec, Tier};

/// The function. The engine calls its closures.
pub static PARALLEL: Function = Function {
    spec: Spec {
        name: "parallel",
        group: Group::Flow,
        summary: "Calls closures at the same time and waits for all of them. What they write to captured variables is lost; what they answer is not.",
        params: &[Param { name: "bodies", ty: Type::Closures, required: true, help: "what to do" }],
        options: &[Opt {
            name: "limit",
            ty: Type::Int(1, 1000),
            default: "",
            help: "at most so many at the same time, begun in their order; all without it",
        }],
        returns: "an array of the closures' answers, in their order; if branches fail, all finish first, then their failures are thrown as one, with each of them under `failures`",
        tier: Tier::Mild,
        keep: Keep::Line,
        errors: &[],
        examples: &[
            Example {
                title: "A rolling restart, two at a time",
                code: "parallel([\"billing\", \"consent\", \"chat-history\"].map(|name| || restart(name).status), #{ limit: 2 })",
                result: "[\"changed\",\"changed\",\"changed\"]",
            },
            Example {
                title: "Two workloads at once",
                code: "parallel([|| scale(\"chat-history\", 4), || scale(\"billing\", 3)]).map(|done| done.after)",
                result: "[4,3]",
            },
        ],
    },
    body: Body::Flow,
};
