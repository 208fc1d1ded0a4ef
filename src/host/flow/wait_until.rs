//! `wait_until`: a condition that comes true.

use crate::call::{Body, Function};
use crate::model::spec::{Example, Group, Keep, Opt, Param, Type};
use crate::model::{Kind, Spec, Tier};

/// The function. The engine calls its closures.
pub static WAIT_UNTIL: Function = Function {
    spec: Spec {
        name: "wait_until",
        group: Group::Flow,
        summary: "Calls a closure again and again until it answers `true`. In a rehearsal it is called once; what does not hold is listed as unproven, and passed.",
        params: &[Param { name: "holds", ty: Type::Closure, required: true, help: "answers whether it holds" }],
        options: &[
            Opt { name: "timeout", ty: Type::Duration, default: "\"5m\"", help: "the longest wait" },
            Opt { name: "interval", ty: Type::Duration, default: "\"2s\"", help: "the time between two calls" },
            Opt { name: "message", ty: Type::Str, default: "\"the condition\"", help: "what is waited for, for people" },
        ],
        returns: "`true`; `()` where a rehearsal passed it",
        tier: Tier::Mild,
        keep: Keep::Line,
        errors: &[Kind::Timeout],
        examples: &[Example {
            title: "Until a service is healthy",
            code: "wait_until(|| http_health(\"api-gateway\").ok, #{ timeout: \"1m\" })",
            result: "true",
        }],
    },
    body: Body::Flow,
};
