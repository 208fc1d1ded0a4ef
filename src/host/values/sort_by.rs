//! `sort_by`: rows in the order of a field.

use std::cmp::Ordering;

use crate::call::{Body, Function};
use crate::model::spec::{Args, Example, Group, Keep, Opt, Param, Type};
use crate::model::{Failure, Spec, Tier, Value};

use super::fields;

/// The function.
pub static SORT_BY: Function = Function {
    spec: Spec {
        name: "sort_by",
        group: Group::Values,
        summary: "Orders rows by a field: numbers by value, texts by their characters, `false` before `true`. Rows that are equal there keep their order.",
        params: &[
            Param { name: "rows", ty: Type::Rows, required: true, help: "an array of maps" },
            Param {
                name: "key",
                ty: Type::Str,
                required: true,
                help: "the field, or a path to it: `\"memory_bytes\"`, `\"metadata.name\"`",
            },
        ],
        options: &[Opt { name: "descending", ty: Type::Bool, default: "false", help: "the greatest first" }],
        returns: "the rows, those without the field last",
        tier: Tier::Mild,
        keep: Keep::Payload,
        errors: &[],
        examples: &[
            Example {
                title: "As `kubectl top pods --sort-by=memory | head -3`",
                code: "sort_by(top_pods(), \"memory_bytes\", #{ descending: true }).extract(0, 3).len()",
                result: "3",
            },
            Example {
                title: "Texts and gaps",
                code: "sort_by([#{ a: \"b\" }, #{}, #{ a: \"a\" }], \"a\")",
                result: "[{\"a\":\"a\"},{\"a\":\"b\"},{}]",
            },
        ],
    },
    body: Body::Pure(body),
};

fn body(args: &Args) -> Result<Value, Failure> {
    let (rows, key) = (args.get(0).and_then(Value::as_list).unwrap_or_default(), args.str(1));
    fields::known("field", key, rows)?;
    sorted(rows, key, args.option_bool("descending")).map(Value::List)
}

/// Rows in the order of a field.
pub fn sorted(rows: &[Value], key: &str, descending: bool) -> Result<Vec<Value>, Failure> {
    let mut keyed = Vec::with_capacity(rows.len());
    let mut sort: Option<&'static str> = None;
    for row in rows {
        let value = fields::or_null(row, key);
        if let Some(own) = ordered(value, key)?
            && *sort.get_or_insert(own) != own
        {
            let message = format!("`{key}` is {} in one row and {own} in another", sort.unwrap_or_default());
            return Err(Failure::bad_argument(message).hint("values of different types have no order: make them alike first, by `map`"));
        }
        keyed.push((value, row));
    }
    // What is missing is neither great nor small: it comes last either way.
    keyed.sort_by(|(a, _), (b, _)| match (a, b) {
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Greater,
        (_, Value::Null) => Ordering::Less,
        (a, b) if descending => compare(b, a),
        (a, b) => compare(a, b),
    });
    Ok(keyed.into_iter().map(|(_, row)| row.clone()).collect())
}

/// What sort of value it is ordered as; none for `()`, which has no place.
fn ordered(value: &Value, key: &str) -> Result<Option<&'static str>, Failure> {
    match value {
        Value::Null => Ok(None),
        Value::Int(_) | Value::Float(_) => Ok(Some("number")),
        Value::Str(_) => Ok(Some("string")),
        Value::Bool(_) => Ok(Some("bool")),
        Value::Secret(_) => Err(Failure::bad_argument(format!("`{key}` is a secret: its order would tell of its content"))),
        other => Err(Failure::bad_argument(format!("`{key}` is {} in a row, which has no order", other.type_name()))
            .hint("a path leads to a field within: \"metadata.name\"")),
    }
}

fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => a.cmp(b),
        (Value::Str(a), Value::Str(b)) => a.cmp(b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (a, b) => a.as_number().unwrap_or(f64::NAN).total_cmp(&b.as_number().unwrap_or(f64::NAN)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map;
    use crate::model::Secret;

    fn order(values: Vec<Value>, descending: bool) -> Result<String, Failure> {
        let rows: Vec<Value> = values.into_iter().zip(0i64..).map(|(value, at)| map! { "k" => value, "at" => at }).collect();
        let sorted = sorted(&rows, "k", descending)?;
        Ok(sorted.iter().map(|row| row.at(&["at"]).unwrap().to_string()).collect())
    }

    #[test]
    fn numbers_texts_and_gaps_have_their_order_and_ties_keep_theirs() {
        let numbers = || vec![2.into(), 1.5.into(), Value::Null, (-3).into(), 2.0.into()];
        assert_eq!(order(numbers(), false).unwrap(), "31042");
        assert_eq!(order(numbers(), true).unwrap(), "04132");
        assert_eq!(order(vec!["b".into(), "B".into(), "a".into()], false).unwrap(), "120");
        // Beyond 2^53, where floats cannot tell them apart.
        assert_eq!(order(vec![i64::MAX.into(), (i64::MAX - 1).into()], false).unwrap(), "10");
        assert_eq!(order(vec![f64::NAN.into(), 1.into(), f64::INFINITY.into()], false).unwrap(), "120");
    }

    #[test]
    fn what_has_no_order_is_refused() {
        let says = |values: Vec<Value>| order(values, false).unwrap_err().message;
        assert_eq!(says(vec![1.into(), "1".into()]), "`k` is number in one row and string in another");
        assert_eq!(says(vec![Secret::new("env:A", "hunter2hunter2").into()]), "`k` is a secret: its order would tell of its content");
        assert_eq!(says(vec![map! {}]), "`k` is map in a row, which has no order");
    }
}
