//! `configmap`: what a ConfigMap holds.

use crate::call::{Body, Cx, Function};
use crate::host::targets::NAMESPACE;
use crate::map;
use crate::model::spec::{Args, Example, Group, Keep, Param, Type};
use crate::model::{Failure, Kind, Map, Spec, Tier, Value};

/// The function.
pub static CONFIGMAP: Function = Function {
    spec: Spec {
        name: "configmap",
        group: Group::Configuration,
        summary: "Reads what a ConfigMap holds.",
        params: &[Param { name: "name", ty: Type::Str, required: true, help: "the ConfigMap's name" }],
        options: &[NAMESPACE],
        returns: "`#{ data, binary }`: texts by key, and the sizes in bytes of what is no text by key",
        tier: Tier::Mild,
        keep: Keep::Line,
        errors: &[Kind::NotFound, Kind::Forbidden, Kind::Auth, Kind::Unavailable],
        examples: &[Example {
            title: "One of its values",
            code: "let found = attempt(|| configmap(\"feature-flags\").data.beta);\nfound.ok",
            result: "false",
        }],
    },
    body: Body::Read(body),
};

fn body(args: &Args, cx: &Cx<'_>) -> Result<Value, Failure> {
    let found = super::named(args, cx, "configmap")?;
    let part = |key| found.get(key).and_then(Value::as_map).cloned().unwrap_or_default();
    let size = |value: Value| value.as_str().map_or(0, |base64| base64.trim_end_matches('=').len() * 3 / 4);
    let sizes: Map =
        part("binaryData").into_iter().map(|(key, value)| (key, Value::Int(i64::try_from(size(value)).unwrap_or(i64::MAX)))).collect();
    Ok(map! { "data" => part("data"), "binary" => sizes })
}
