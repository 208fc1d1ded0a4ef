//! `secret`: the keys of a Kubernetes secret.

use crate::call::{Body, Cx, Function};
use crate::host::targets::NAMESPACE;
use crate::map;
use crate::model::spec::{Args, Example, Group, Keep, Param, Type};
use crate::model::{Failure, Kind, Map, Spec, Tier, Value};

/// The function.
pub static SECRET: Function = Function {
    spec: Spec {
        name: "secret",
        group: Group::Configuration,
        summary: "Reads the keys of a Kubernetes secret and how large they are; what they hold stays secret, and can only be passed on.",
        params: &[Param { name: "name", ty: Type::Str, required: true, help: "the secret's name" }],
        options: &[NAMESPACE],
        returns: "`#{ type, data, sizes }`: secrets by key, and their sizes in bytes by key",
        tier: Tier::Mild,
        keep: Keep::Line,
        errors: &[Kind::NotFound, Kind::Forbidden, Kind::Auth, Kind::Unavailable],
        examples: &[Example {
            title: "Whether a key is there",
            code: "let found = attempt(|| \"password\" in secret(\"postgres\").sizes);\nfound.ok",
            result: "false",
        }],
    },
    body: Body::Read(body),
};

fn body(args: &Args, cx: &Cx<'_>) -> Result<Value, Failure> {
    let found = super::named(args, cx, "secret")?;
    let data = found.get("data").and_then(Value::as_map).cloned().unwrap_or_default();
    let size = |value: &Value| match value {
        Value::Secret(secret) => secret.bytes(),
        _ => 0,
    };
    let sizes: Map = data.iter().map(|(key, value)| (key.clone(), Value::Int(i64::try_from(size(value)).unwrap_or(i64::MAX)))).collect();
    Ok(map! { "type" => found.str_at(&["type"]).unwrap_or("Opaque"), "data" => data, "sizes" => sizes })
}
