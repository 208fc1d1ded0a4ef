//! `attempt`: a closure whose failure is an answer.

use crate::call::{Body, Function};
use crate::model::spec::{Example, Group, Keep, Param, Type};
use crate::model::{Spec, Tier};

/// The function. The engine calls its closures.
pub static ATTEMPT: Function = Function {
    spec: Spec {
        name: "attempt",
        group: Group::Flow,
        summary: "Calls a closure and answers what came of it, instead of ending the run.",
        params: &[Param { name: "body", ty: Type::Closure, required: true, help: "what to try" }],
        options: &[],
        returns: "`#{ ok, value, error }`; `error` is a map with `kind`, `message`, `hint`, `target`, `retryable`, `file`, `line`, or `()`",
        tier: Tier::Mild,
        keep: Keep::Line,
        errors: &[],
        examples: &[Example {
            title: "What went wrong",
            code: "attempt(|| get(\"deployment/no-such\")).error.kind",
            result: "\"not_found\"",
        }],
    },
    body: Body::Flow,
};
