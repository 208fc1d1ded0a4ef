//! What a change changes, field by field, as people read it.

use super::{Map, Value, text};

/// The longest shown part of a field's path, and of a value.
const PATH: usize = 80;
const VALUE: usize = 60;

/// `spec.replicas: 3 → 7` for each field that differs; of what has no fields before, what it has; of a message its text.
pub fn lines(before: &Value, after: &Value) -> Vec<String> {
    let none = Map::new();
    let old = before.as_map().unwrap_or(&none);
    let Some(new) = after.as_map() else { return vec![format!("{} → {}", shown(before), shown(after))] };
    if let (Value::Null, Some(said)) = (before, new.get("text").and_then(Value::as_str)) {
        return vec![format!("{:?}", text::short(said, PATH))];
    }
    if *before == Value::Null {
        return new.iter().map(|(key, value)| format!("{}: {}", text::short(key, PATH), shown(value))).collect();
    }
    let keys = old.keys().chain(new.keys().filter(|key| !old.contains_key(*key)));
    keys.filter(|key| old.get(*key) != new.get(*key))
        .map(|key| {
            let side = |map: &Map| map.get(key).map_or_else(|| "(none)".to_owned(), shown);
            format!("{}: {} → {}", text::short(key, PATH), side(old), side(new))
        })
        .collect()
}

/// A value on one line, cut; what is secret by its mask.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "(none)".to_owned(),
        Value::Str(text) => text::short(text, VALUE),
        Value::Secret(_) => "***".to_owned(),
        other => text::short(&other.to_string(), VALUE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map;

    #[test]
    fn fields_that_differ_are_said_and_others_are_not() {
        let before = map! { "spec.replicas" => 3, "same" => true, "gone" => "x" };
        let after = map! { "spec.replicas" => 7, "same" => true, "new\u{1b}" => map! { "a" => 1 } };
        assert_eq!(lines(&before, &after), ["gone: x → (none)", "spec.replicas: 3 → 7", "new\\u{1b}: (none) → {\"a\":1}"]);
        assert_eq!(lines(&Value::Null, &map! { "text" => "All is\nwell" }), ["\"All is\\\\nwell\""]);
        assert_eq!(lines(&Value::Null, &map! { "method" => "POST" }), ["method: POST"]);
        assert_eq!(lines(&before, &before), [""; 0]);
    }
}
