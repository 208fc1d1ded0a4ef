//! JSON patches (RFC 6902) of values.

use serde_json::Value as Json;

use crate::model::{Failure, Secret, Value};

/// Begins the text that stands for a secret while a patch is applied; no object holds such a text.
const TOKEN: &str = "\u{0}secret:";

/// Applies a JSON patch. Fails with `bad_argument` on a patch that is none, and where a path or a test does not hold.
pub(super) fn apply(target: &mut Value, patch: &Value) -> Result<(), Failure> {
    let mut secrets = Vec::new();
    let operations: json_patch::Patch = serde_json::from_value(opened(patch, &mut secrets)).map_err(|error| {
        Failure::bad_argument(format!("this is no JSON patch: {error}")).hint(
            "it reads [#{ op: \"replace\", path: \"/spec/replicas\", value: 3 }]; operations are add, remove, replace, move, copy and test",
        )
    })?;
    let mut document = opened(target, &mut secrets);
    json_patch::patch(&mut document, &operations).map_err(|error| {
        let number = error.operation;
        let path = error.path.to_string();
        let why = error.kind.to_string();
        Failure::bad_argument(format!("operation {} of the JSON patch, at {path:?}: {why}", number + 1))
            .hint("a path reads \"/spec/template/spec/containers/0/image\"; `~1` stands for a slash in a key, and `-` for a list's end")
    })?;
    *target = closed(document, &secrets);
    Ok(())
}

fn opened(value: &Value, secrets: &mut Vec<Secret>) -> Json {
    match value {
        Value::Secret(secret) => {
            secrets.push(secret.clone());
            Json::String(format!("{TOKEN}{}", secrets.len() - 1))
        }
        Value::List(items) => items.iter().map(|item| opened(item, secrets)).collect(),
        Value::Map(map) => map.iter().map(|(key, item)| (key.to_string(), opened(item, secrets))).collect(),
        plain => serde_json::to_value(plain).unwrap_or_default(),
    }
}

fn closed(value: Json, secrets: &[Secret]) -> Value {
    match value {
        Json::String(text) => match text.strip_prefix(TOKEN).and_then(|number| secrets.get(number.parse::<usize>().ok()?)) {
            Some(secret) => Value::Secret(secret.clone()),
            None => Value::Str(text),
        },
        Json::Array(items) => Value::List(items.into_iter().map(|item| closed(item, secrets)).collect()),
        Json::Object(map) => Value::Map(map.into_iter().map(|(key, item)| (key, closed(item, secrets))).collect()),
        plain => serde_json::from_value(plain).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map;

    fn json(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    /// After the examples of RFC 6902, appendix A.
    #[test]
    fn the_operations_of_rfc_6902() {
        for (object, patch, result) in [
            (r#"{"a":1}"#, r#"[{"op":"add","path":"/b","value":2}]"#, r#"{"a":1,"b":2}"#),
            (r#"{"a":[1,3]}"#, r#"[{"op":"add","path":"/a/1","value":2},{"op":"add","path":"/a/-","value":4}]"#, r#"{"a":[1,2,3,4]}"#),
            (r#"{"a":1,"b":2}"#, r#"[{"op":"remove","path":"/b"}]"#, r#"{"a":1}"#),
            (r#"{"a":{"b/c":1}}"#, r#"[{"op":"replace","path":"/a/b~1c","value":null}]"#, r#"{"a":{"b/c":null}}"#),
            (r#"{"a":{"x":1},"b":{}}"#, r#"[{"op":"move","from":"/a/x","path":"/b/y"}]"#, r#"{"a":{},"b":{"y":1}}"#),
            (r#"{"a":1}"#, r#"[{"op":"test","path":"/a","value":1},{"op":"copy","from":"/a","path":"/b"}]"#, r#"{"a":1,"b":1}"#),
        ] {
            let mut value = json(object);
            apply(&mut value, &json(patch)).unwrap();
            assert_eq!(value.to_string(), result, "{patch}");
        }
    }

    #[test]
    fn what_does_not_hold_changes_nothing_and_says_where() {
        for (patch, message) in [
            (r#"[{"op":"add","path":"/b","value":2},{"op":"remove","path":"/none"}]"#, "operation 2 of the JSON patch, at \"/none\""),
            (r#"[{"op":"test","path":"/a","value":2}]"#, "operation 1 of the JSON patch, at \"/a\""),
            (r#"[{"op":"drop","path":"/a"}]"#, "this is no JSON patch: "),
            (r#"{"a":1}"#, "this is no JSON patch: "),
        ] {
            let mut value = json(r#"{"a":1}"#);
            let failure = apply(&mut value, &json(patch)).unwrap_err();
            assert!(failure.message.starts_with(message), "{}", failure.message);
            assert_eq!(value, json(r#"{"a":1}"#));
        }
    }

    #[test]
    fn secrets_stay_secrets() {
        let mut value = map! { "data" => map! { "a" => Value::Secret(Secret::new("secret/x/a", "hunter2")) } };
        apply(&mut value, &json(r#"[{"op":"copy","from":"/data/a","path":"/data/b"}]"#)).unwrap();
        assert!(matches!(value.at(&["data", "b"]), Some(Value::Secret(secret)) if secret.expose() == "hunter2"));
    }
}
