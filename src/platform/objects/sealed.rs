//! Kubernetes secrets: what they hold is opaque wherever an object or a patch of one passes.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::model::operation::PatchKind;
use crate::model::{Failure, Secret, Value};

/// The annotation in which `kubectl apply` leaves a copy of the whole object.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Makes the data of a Kubernetes `Secret` object opaque: each value under `data` and `stringData` becomes a
/// [`Value::Secret`] named `secret/NAME/KEY` that holds the decoded text, and so does the copy that `kubectl apply` leaves.
/// What is no UTF-8 stays base64 inside the secret. Other kinds are left alone.
pub fn seal_secret(object: &mut Value) {
    if object.str_at(&["kind"]) != Some("Secret") {
        return;
    }
    let name = object.str_at(&["metadata", "name"]).unwrap_or_default().to_owned();
    let Some(map) = object.as_map_mut() else { return };
    for (field, encoded) in [("data", true), ("stringData", false)] {
        let Some(data) = map.get_mut(field).and_then(Value::as_map_mut) else { continue };
        for (key, value) in data {
            if matches!(value, Value::Secret(_) | Value::Null) {
                continue;
            }
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let secret = format!("secret/{name}/{key}");
            *value = Value::Secret(if encoded {
                decoded(secret.clone(), &text).unwrap_or_else(|| Secret::new(secret, text))
            } else {
                Secret::new(secret, text)
            });
        }
    }
    // The API server keeps `stringData` under `data`.
    if let Some(Value::Map(plain)) = map.remove("stringData") {
        let data = map.entry("data".into()).or_default();
        plain.into_iter().for_each(|(key, value)| data.set(&[key.as_str()], value));
    }
    let annotations = map.get_mut("metadata").and_then(Value::as_map_mut).and_then(|metadata| metadata.get_mut("annotations"));
    let copy = annotations.and_then(Value::as_map_mut).and_then(|annotations| annotations.get_mut(LAST_APPLIED));
    if let Some(copy) = copy.filter(|copy| !matches!(copy, Value::Secret(_))) {
        let content = copy.as_str().unwrap_or_default().to_owned();
        *copy = Value::Secret(Secret::new(format!("secret/{name}#last-applied"), content));
    }
}

/// What base64 holds, as a secret; none if it is no base64.
fn decoded(name: String, base64: &str) -> Option<Secret> {
    let bytes = BASE64_STANDARD.decode(base64).ok()?;
    Some(match String::from_utf8(bytes) {
        Ok(content) => Secret::new(name, content),
        Err(_) => Secret::of_bytes(name, base64),
    })
}

/// Makes the data in a patch of the Kubernetes secret `name` opaque. Fails with `bad_argument` where `data` is no base64.
pub fn seal_patch(name: &str, kind: PatchKind, patch: &mut Value) -> Result<(), Failure> {
    match (kind, patch) {
        (PatchKind::Json, Value::List(operations)) => operations.iter_mut().try_for_each(|operation| {
            let path = operation.str_at(&["path"]).unwrap_or_default().to_owned();
            let (mut parts, Some(Value::Map(operation))) = (path.split('/').skip(1), Some(operation)) else { return Ok(()) };
            let (field, key) = (parts.next().unwrap_or_default(), parts.next());
            let Some(value) = operation.get_mut("value") else { return Ok(()) };
            match key {
                Some(key) => seal_value(name, field, key, value),
                None => seal_field(name, field, value),
            }
        }),
        (_, Value::Map(patch)) => patch.iter_mut().try_for_each(|(field, value)| seal_field(name, field, value)),
        _ => Ok(()),
    }
}

fn seal_field(name: &str, field: &str, value: &mut Value) -> Result<(), Failure> {
    match value {
        Value::Map(data) => data.iter_mut().try_for_each(|(key, value)| seal_value(name, field, key, value)),
        _ => Ok(()),
    }
}

fn seal_value(name: &str, field: &str, key: &str, value: &mut Value) -> Result<(), Failure> {
    let secret = format!("secret/{name}/{key}");
    let sealed = match (field, &*value) {
        ("data", Value::Str(text)) => decoded(secret, text).ok_or_else(|| {
            Failure::bad_argument(format!("`data.{key}` of secret/{name} is no base64")).hint("plain text goes under `stringData`")
        })?,
        ("stringData", Value::Str(text)) => Secret::new(secret, text.as_str()),
        _ => return Ok(()),
    };
    *value = Value::Secret(sealed);
    Ok(())
}

/// The same object or patch as the API server reads it: what stands under `data` as base64.
pub fn with_base64(value: &Value) -> Value {
    let encoded = |value: &Value| match value {
        Value::Secret(secret) if !secret.is_base64() => {
            Value::Secret(Secret::of_bytes(secret.name(), BASE64_STANDARD.encode(secret.expose())))
        }
        other => other.clone(),
    };
    let all = |data: &Value| match data {
        Value::Map(data) => Value::Map(data.iter().map(|(key, value)| (key.clone(), encoded(value))).collect()),
        other => other.clone(),
    };
    match value {
        Value::Map(object) => {
            let mut object = object.clone();
            if let Some(data) = object.get_mut("data") {
                *data = all(data);
            }
            Value::Map(object)
        }
        Value::List(operations) => {
            let within = |operation: &Value| {
                let path = operation.str_at(&["path"]).unwrap_or_default();
                let mut operation = operation.clone();
                if let (true, Some(value)) = (path.starts_with("/data"), operation.as_map_mut().and_then(|one| one.get_mut("value"))) {
                    *value = if path == "/data" { all(value) } else { encoded(value) };
                }
                operation
            };
            Value::List(operations.iter().map(within).collect())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map;

    #[test]
    fn the_data_of_secrets_is_opaque_on_every_path() {
        let copy = r#"{"data":{"key":"aHVudGVyMmh1bnRlcjI="}}"#;
        let mut object = map! {
            "kind" => "Secret",
            "metadata" => map! { "name" => "auth", "annotations" => map! { "kubectl.kubernetes.io/last-applied-configuration" => copy } },
            "data" => map! { "key" => "aHVudGVyMmh1bnRlcjI=" },
            "stringData" => map! { "plain" => "hunter2hunter2" },
        };
        seal_secret(&mut object);
        let Some(Value::Secret(secret)) = object.at(&["data", "key"]) else { panic!("not sealed") };
        assert_eq!((secret.name(), secret.expose()), ("secret/auth/key", "hunter2hunter2"));
        let shown = format!("{object} {object:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("aHVudGVy"), "{shown}");
    }

    #[test]
    fn a_patch_of_a_secret_is_opaque_and_leaves_as_base64() {
        let merge = map! { "data" => map! { "a" => "aHVudGVyMg==", "b" => Value::Null }, "stringData" => map! { "c" => "hunter3" } };
        let json =
            vec![map! { "op" => "add", "path" => "/data/a", "value" => "aHVudGVyMg==" }, map! { "op" => "remove", "path" => "/data/b" }];
        for (kind, patch, sent) in [
            (PatchKind::Merge, merge, r#"{"data":{"a":"aHVudGVyMg==","b":null},"stringData":{"c":"hunter3"}}"#),
            (PatchKind::Json, json.into(), r#"[{"op":"add","path":"/data/a","value":"aHVudGVyMg=="},{"op":"remove","path":"/data/b"}]"#),
        ] {
            let mut sealed = patch;
            seal_patch("x", kind, &mut sealed).unwrap();
            let shown = format!("{sealed} {sealed:?}");
            assert!(!shown.contains("hunter") && !shown.contains("aHVudGVy"), "{shown}");
            fn open(value: &Value) -> Value {
                match value {
                    Value::Secret(secret) => secret.expose().into(),
                    Value::List(items) => Value::List(items.iter().map(open).collect()),
                    Value::Map(map) => Value::Map(map.iter().map(|(key, value)| (key.clone(), open(value))).collect()),
                    other => other.clone(),
                }
            }
            assert_eq!(open(&with_base64(&sealed)).to_string(), sent);
        }
        let mut wrong = map! { "data" => map! { "a" => "hunter2!" } };
        let failure = seal_patch("x", PatchKind::Merge, &mut wrong).unwrap_err();
        assert_eq!(failure.message, "`data.a` of secret/x is no base64");
    }

    #[test]
    fn bytes_that_are_no_text_are_counted_and_stay_what_they_are() {
        let mut object = map! { "kind" => "Secret", "metadata" => map! { "name" => "x" }, "data" => map! { "a" => "/wD/AA==" } };
        seal_secret(&mut object);
        let Some(Value::Secret(secret)) = object.at(&["data", "a"]).cloned() else { panic!("not sealed") };
        assert_eq!((secret.bytes(), secret.is_base64()), (4, true));
        let Some(Value::Secret(sent)) = with_base64(&object).at(&["data", "a"]).cloned() else { panic!("not sealed") };
        assert_eq!(sent.expose(), "/wD/AA==");
    }
}
