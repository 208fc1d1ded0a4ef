//! `group_by`: how often what occurs.

use std::collections::HashMap;

use crate::call::{Body, Function};
use crate::map;
use crate::model::spec::{Args, Example, Group, Keep, Param, Type};
use crate::model::{Failure, Spec, Tier, Value};

use super::fields;

/// The function.
pub static GROUP_BY: Function = Function {
    spec: Spec {
        name: "group_by",
        group: Group::Values,
        summary: "Groups rows by a field, or texts by themselves, the most frequent first: `sort | uniq -c | sort -rn`.",
        params: &[
            Param { name: "rows", ty: Type::Lines, required: true, help: "an array of maps, or of texts; a text is its lines" },
            Param {
                name: "key",
                ty: Type::Str,
                required: false,
                help: "the field of maps, or a path to it: `\"status\"`, `\"metadata.namespace\"`",
            },
        ],
        options: &[],
        returns: "an array of `#{ key, count, rows }`; the key of rows that lack the field is `()`; groups of one size stand as they first occur",
        tier: Tier::Mild,
        keep: Keep::Payload,
        errors: &[],
        examples: &[
            Example {
                title: "Pods by their phase",
                code: "group_by(pods(#{ namespace: \"*\" }), \"phase\").map(|group| group.key)",
                result: "[\"Running\"]",
            },
            Example {
                title: "The most frequent lines",
                code: "group_by([\"a\", \"b\", \"b\"]).extract(0, 1)",
                result: "[{\"count\":2,\"key\":\"b\",\"rows\":[\"b\",\"b\"]}]",
            },
        ],
    },
    body: Body::Pure(body),
};

fn body(args: &Args) -> Result<Value, Failure> {
    let lines;
    let rows = match args.get(0) {
        Some(Value::Str(text)) => {
            lines = text.lines().map(Value::from).collect::<Vec<_>>();
            &lines[..]
        }
        other => other.and_then(Value::as_list).unwrap_or_default(),
    };
    let key = args.get(1).and_then(Value::as_str);
    match (key, rows.first()) {
        (None, Some(Value::Map(_))) => return Err(Failure::bad_argument("maps are grouped by a field").hint("group_by(rows, \"field\")")),
        (Some(_), Some(Value::Str(_))) => return Err(Failure::bad_argument("texts have no fields").hint("group_by(texts)")),
        (Some(key), _) => fields::known("field", key, rows)?,
        (None, _) => {}
    }
    let mut groups: Vec<(Value, Vec<Value>)> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    for row in rows {
        let value = key.map_or(row, |key| fields::or_null(row, key));
        if let Some(Value::Secret(_)) = value.find(&|item| matches!(item, Value::Secret(_))) {
            let message = format!("`{}` is a secret: its groups would tell what is equal", key.unwrap_or_default());
            return Err(Failure::bad_argument(message));
        }
        // Two spellings of one number are one number.
        let spelled = match value {
            Value::Float(x) if x.fract() == 0.0 && x.abs() < 9e15 => (*x as i64).to_string(),
            other => other.to_string(),
        };
        let place = *known.entry(spelled).or_insert_with(|| {
            groups.push((value.clone(), Vec::new()));
            groups.len() - 1
        });
        groups[place].1.push(row.clone());
    }
    groups.sort_by_key(|(_, rows)| std::cmp::Reverse(rows.len()));
    let group =
        |(key, rows): (Value, Vec<Value>)| map! { "key" => key, "count" => i64::try_from(rows.len()).unwrap_or(i64::MAX), "rows" => rows };
    Ok(Value::List(groups.into_iter().map(group).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Secret;

    fn grouped(values: Vec<Value>) -> Result<String, Failure> {
        let rows: Vec<Value> = values.into_iter().map(|value| map! { "k" => value }).collect();
        let answer = body(&GROUP_BY.spec.bind(vec![rows.into(), "k".into()])?)?;
        Ok(answer
            .as_list()
            .unwrap()
            .iter()
            .map(|group| format!("{}×{} ", group.at(&["key"]).unwrap(), group.at(&["count"]).unwrap()))
            .collect())
    }

    #[test]
    fn equal_values_are_one_group_and_the_greatest_comes_first() {
        let values = vec!["a".into(), 1.into(), Value::Null, 1.0.into(), "1".into(), map! { "x" => 1 }, map! { "x" => 1 }];
        assert_eq!(grouped(values).unwrap(), "1×2 {\"x\":1}×2 \"a\"×1 null×1 \"1\"×1 ");
    }

    #[test]
    fn secrets_make_no_groups() {
        let secret = || Value::from(Secret::new("env:A", "hunter2hunter2"));
        assert!(grouped(vec![secret()]).unwrap_err().message.contains("is a secret"));
        assert!(grouped(vec![map! { "in" => secret() }]).unwrap_err().message.contains("is a secret"));
    }
}
