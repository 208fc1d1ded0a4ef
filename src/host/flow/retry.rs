//! `retry`: a closure, several times.

use crate::call::{Body, Function};
use crate::model::spec::{Example, Group, Keep, Opt, Param, Type};
use crate::model::{Spec, Tier};

/// The function. The engine calls its closures.
pub static RETRY: Function = Function {
    spec: Spec {
        name: "retry",
        group: Group::Flow,
        summary: "Calls a closure until it succeeds. Only failures that can pass (`retryable`) are tried again. In a rehearsal, after simulated changes, one that never succeeds is listed as unproven, and passed.",
        params: &[Param { name: "body", ty: Type::Closure, required: true, help: "what to try" }],
        options: &[
            Opt { name: "times", ty: Type::Int(1, 1000), default: "3", help: "how often at the most" },
            Opt {
                name: "delay",
                ty: Type::Duration,
                default: "\"1s\"",
                help: "the wait before the second try; doubled before each further one, up to a minute",
            },
            Opt {
                name: "any",
                ty: Type::Bool,
                default: "false",
                help: "also tries failures again that do not look as if they could pass; never a change in doubt, or one that is done",
            },
            Opt { name: "assume", ty: Type::Map, default: "", help: "what a rehearsal goes on with where nobody can know the answer" },
        ],
        returns: "the closure's answer; the last failure if none succeeded; an answer that cannot be known where a rehearsal passed it",
        tier: Tier::Mild,
        keep: Keep::Line,
        errors: &[],
        examples: &[Example {
            title: "Until a service answers",
            code: "retry(|| http_get(\"api-gateway/health\").status, #{ times: 5, delay: \"2s\" })",
            result: "200",
        }],
    },
    body: Body::Flow,
};
