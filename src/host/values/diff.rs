//! `diff`: what differs between two values.

use crate::call::{Body, Function};
use crate::map;
use crate::model::spec::{Args, Example, Group, Keep, Param, Type};
use crate::model::{Failure, Spec, Tier, Value};
use crate::platform::objects::path_text;

/// The function.
pub static DIFF: Function = Function {
    spec: Spec {
        name: "diff",
        group: Group::Values,
        summary: "Compares two values, field by field and item by item, and answers where they differ. Secrets differ where they are from different places: their content is not compared.",
        params: &[
            Param {
                name: "before",
                ty: Type::Data,
                required: true,
                help: "anything, such as an object that `get` answered before a change",
            },
            Param { name: "after", ty: Type::Data, required: true, help: "the same later" },
        ],
        options: &[],
        returns: "an array of `#{ path, change, before, after }` in the order of the paths; `change` is `\"added\"`, `\"removed\"` or `\"changed\"`, and what is missing is `()`; empty where nothing differs",
        tier: Tier::Mild,
        keep: Keep::Payload,
        errors: &[],
        examples: &[Example {
            title: "What a change changed",
            code: "let before = get(\"deployment/billing\").spec;\nscale(\"billing\", 5);\ndiff(before, get(\"deployment/billing\").spec)",
            result: "[{\"after\":5,\"before\":2,\"change\":\"changed\",\"path\":\"replicas\"}]",
        }],
    },
    body: Body::Pure(body),
};

fn body(args: &Args) -> Result<Value, Failure> {
    let null = Value::Null;
    let mut found = Vec::new();
    walk(String::new(), args.get(0).unwrap_or(&null), args.get(1).unwrap_or(&null), &mut found);
    Ok(Value::List(found))
}

fn walk(path: String, before: &Value, after: &Value, found: &mut Vec<Value>) {
    let missing = |path: String, change: &str, value: &Value, found: &mut Vec<Value>| {
        let (before, after) = if change == "removed" { (value.clone(), Value::Null) } else { (Value::Null, value.clone()) };
        found.push(map! { "path" => path, "change" => change, "before" => before, "after" => after });
    };
    match (before, after) {
        (Value::Map(old), Value::Map(new)) => {
            let mut keys: Vec<_> = old.keys().chain(new.keys().filter(|key| !old.contains_key(key.as_str()))).collect();
            keys.sort();
            for key in keys {
                let own = path_text(std::slice::from_ref(key));
                let path = if path.is_empty() || own.starts_with('[') { format!("{path}{own}") } else { format!("{path}.{own}") };
                match (old.get(key), new.get(key)) {
                    (Some(old), Some(new)) => walk(path, old, new, found),
                    (Some(old), None) => missing(path, "removed", old, found),
                    (None, new) => missing(path, "added", new.unwrap_or(&Value::Null), found),
                }
            }
        }
        (Value::List(old), Value::List(new)) => {
            for place in 0..old.len().max(new.len()) {
                let path = format!("{path}[{place}]");
                match (old.get(place), new.get(place)) {
                    (Some(old), Some(new)) => walk(path, old, new, found),
                    (Some(old), None) => missing(path, "removed", old, found),
                    (None, new) => missing(path, "added", new.unwrap_or(&Value::Null), found),
                }
            }
        }
        _ if before == after || is_one_number(before, after) => {}
        _ => found.push(map! { "path" => path, "change" => "changed", "before" => before.clone(), "after" => after.clone() }),
    }
}

/// `1` and `1.0`, which JSON and YAML do not tell apart.
fn is_one_number(before: &Value, after: &Value) -> bool {
    matches!((before, after), (Value::Int(n), Value::Float(x)) | (Value::Float(x), Value::Int(n)) if *n as f64 == *x && n.abs() < 1 << 53)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Secret;

    fn told(before: Value, after: Value) -> Vec<String> {
        let mut found = Vec::new();
        walk(String::new(), &before, &after, &mut found);
        let text = |row: &Value, key: &str| row.at(&[key]).unwrap().to_string();
        found
            .iter()
            .map(|row| {
                format!(
                    "{} {} {} {}",
                    row.str_at(&["path"]).unwrap(),
                    row.str_at(&["change"]).unwrap(),
                    text(row, "before"),
                    text(row, "after")
                )
            })
            .collect()
    }

    #[test]
    fn each_place_that_differs_is_told_with_its_path() {
        let before = map! { "a" => vec![Value::from(1), 2.into()], "b.c" => map! { "d" => "x" }, "gone" => Value::Null, "n" => 1 };
        let after = map! { "a" => vec![Value::from(1)], "b.c" => map! { "d" => vec![] }, "n" => 1.0, "z" => true };
        assert_eq!(
            told(before, after),
            ["a[1] removed 2 null", "[\"b.c\"].d changed \"x\" []", "gone removed null null", "z added null true"]
        );
        assert_eq!(told(1.into(), "1".into()), [" changed 1 \"1\""]);
    }

    #[test]
    fn secrets_are_compared_by_where_they_are_from() {
        let secret = |name: &str, content: &str| Value::from(Secret::new(name, content));
        assert!(told(secret("env:A", "one-of-them"), secret("env:A", "another-one")).is_empty());
        assert_eq!(told(secret("env:A", "one-of-them"), secret("env:B", "one-of-them")).len(), 1);
    }
}
