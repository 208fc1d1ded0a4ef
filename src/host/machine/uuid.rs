//! `uuid`: an identifier that nothing else has.

use crate::call::{Body, Cx, Function};
use crate::model::spec::{Args, Example, Group, Keep};
use crate::model::{Failure, Spec, Tier, Value};

/// The function.
pub static UUID: Function = Function {
    spec: Spec {
        name: "uuid",
        group: Group::Machine,
        summary: "Makes a random UUID (RFC 9562, version 4). It is on record: a replay answers the same.",
        params: &[],
        options: &[],
        returns: "36 characters: `\"f81d4fae-7dec-41d0-a765-00a0c91e6bf6\"`",
        tier: Tier::Mild,
        keep: Keep::Line,
        errors: &[],
        examples: &[Example { title: "An incident's id", code: "uuid().len()", result: "36" }],
    },
    body: Body::Local(body),
};

fn body(_: &Args, _: &Cx<'_>) -> Result<Value, Failure> {
    Ok(uuid::Uuid::new_v4().to_string().into())
}
