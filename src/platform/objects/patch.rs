//! Merge patches (RFC 7386): applying them, and the fields that they set.

use crate::model::{Key, Map, Value};

/// Applies a merge patch (RFC 7386): maps merge key by key, `null` removes a key, everything else replaces.
pub fn merge_patch(target: &mut Value, patch: &Value) {
    let Value::Map(patch) = patch else {
        target.clone_from(patch);
        return;
    };
    if !matches!(target, Value::Map(_)) {
        *target = Value::Map(Map::new());
    }
    let Value::Map(target) = target else { return };
    for (key, value) in patch {
        match value {
            Value::Null => {
                target.remove(key);
            }
            value => merge_patch(target.entry(key.clone()).or_default(), value),
        }
    }
}

/// The fields that a merge patch sets or removes: the path of each leaf, with its value. An empty map within is a leaf.
pub fn leaves(patch: &Value) -> Vec<(Vec<Key>, &Value)> {
    fn walk<'a>(value: &'a Value, path: &mut Vec<Key>, found: &mut Vec<(Vec<Key>, &'a Value)>) {
        match value {
            Value::Map(map) if !map.is_empty() => {
                for (key, value) in map {
                    path.push(key.clone());
                    walk(value, path, found);
                    path.pop();
                }
            }
            Value::Map(_) if path.is_empty() => {}
            leaf => found.push((path.clone(), leaf)),
        }
    }
    let mut found = Vec::new();
    walk(patch, &mut Vec::new(), &mut found);
    found
}

/// A path as people write it: `spec.replicas`, `metadata.annotations["a.b/c"]`.
pub fn path_text(path: &[Key]) -> String {
    let mut text = String::new();
    for key in path {
        let plain = !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
        match (plain, text.is_empty()) {
            (true, true) => text.push_str(key),
            (true, false) => {
                text.push('.');
                text.push_str(key);
            }
            (false, _) => text.push_str(&format!("[{key:?}]")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    /// The test cases of RFC 7386, appendix A.
    #[test]
    fn the_cases_of_rfc_7386() {
        for (target, patch, result) in [
            (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"a":null}"#, r#"{}"#),
            (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
            (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
            (r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, r#"{"a":{"b":"d"}}"#),
            (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
            (r#"["a","b"]"#, r#"["c","d"]"#, r#"["c","d"]"#),
            (r#"{"a":"b"}"#, r#"["c"]"#, r#"["c"]"#),
            (r#"{"a":"foo"}"#, r#"null"#, r#"null"#),
            (r#"{"a":"foo"}"#, r#""bar""#, r#""bar""#),
            (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#),
            (r#"[1,2]"#, r#"{"a":"b","c":null}"#, r#"{"a":"b"}"#),
            (r#"{}"#, r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
        ] {
            let mut value = json(target);
            merge_patch(&mut value, &json(patch));
            assert_eq!(value, json(result), "{target} patched with {patch}");
        }
    }

    #[test]
    fn leaves_are_the_fields_that_a_patch_touches() {
        let patch = json(r#"{"spec":{"replicas":3,"template":{"metadata":{"annotations":{"a.b/c":"x","d":null}}},"empty":{}}}"#);
        let found: Vec<(String, String)> = leaves(&patch).into_iter().map(|(path, value)| (path_text(&path), value.to_string())).collect();
        let expected = [
            ("spec.empty", "{}"),
            ("spec.replicas", "3"),
            (r#"spec.template.metadata.annotations["a.b/c"]"#, r#""x""#),
            ("spec.template.metadata.annotations.d", "null"),
        ];
        assert_eq!(found, expected.map(|(path, value)| (path.to_owned(), value.to_owned())));
        assert!(leaves(&json("{}")).is_empty());
    }
}
