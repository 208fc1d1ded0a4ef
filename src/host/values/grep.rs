//! `grep`: the lines that match.

use regex::{Regex, RegexBuilder};

use crate::call::{Body, Function};
use crate::model::spec::{Args, Example, Group, Keep, Opt, Param, Type};
use crate::model::{Failure, Spec, Tier, Value};

use super::fields;

/// The function.
pub static GREP: Function = Function {
    spec: Spec {
        name: "grep",
        group: Group::Values,
        summary: "Keeps the lines of a text, the texts of an array, or the rows that match a regular expression. Where logs and metrics have `grep` of their own, that fetches less.",
        params: &[
            Param {
                name: "lines",
                ty: Type::Lines,
                required: true,
                help: "a text, an array of texts, or an array of maps, such as what `logs` and `pods` answer",
            },
            Param { name: "pattern", ty: Type::Regex, required: true, help: "a regular expression" },
        ],
        options: &[
            Opt {
                name: "field",
                ty: Type::Str,
                default: "",
                help: "where to look in maps, as a path: `\"phase\"`. Without it in `line`, where a row has that, else in all of its texts, numbers and truth values",
            },
            Opt { name: "invert", ty: Type::Bool, default: "false", help: "keeps what does not match, as `grep -v`" },
            Opt { name: "ignore_case", ty: Type::Bool, default: "false", help: "`error` matches `ERROR` too, as `grep -i`" },
        ],
        returns: "an array of texts, or of the rows as they are",
        tier: Tier::Mild,
        keep: Keep::Payload,
        errors: &[],
        examples: &[
            Example {
                title: "As `kubectl get pods -A | grep -v Running`",
                code: "grep(pods(#{ namespace: \"*\" }), \"Running\", #{ field: \"phase\", invert: true })",
                result: "[]",
            },
            Example {
                title: "Lines of a text",
                code: "grep(\"up 1\\ndown 2\\nUP 3\", \"^up\", #{ ignore_case: true })",
                result: "[\"up 1\",\"UP 3\"]",
            },
        ],
    },
    body: Body::Pure(body),
};

fn body(args: &Args) -> Result<Value, Failure> {
    let built = RegexBuilder::new(args.str(1)).case_insensitive(args.option_bool("ignore_case")).build();
    let pattern = built.map_err(|_| Failure::bad_argument("`pattern` is too large a regular expression"))?;
    let wanted = !args.option_bool("invert");
    let field = args.option_str("field");
    let kept: Vec<Value> = match args.get(0) {
        Some(Value::Str(text)) => text.lines().filter(|line| pattern.is_match(line) == wanted).map(Value::from).collect(),
        Some(Value::List(rows)) => {
            if let (Some(field), Some(Value::Map(_))) = (field, rows.first()) {
                fields::known("field", field, rows)?;
            }
            rows.iter().filter(|row| matches(row, field, &pattern) == wanted).cloned().collect()
        }
        _ => Vec::new(),
    };
    Ok(Value::List(kept))
}

fn matches(row: &Value, field: Option<&str>, pattern: &Regex) -> bool {
    match (row, field) {
        (Value::Map(_), Some(field)) => matches(fields::or_null(row, field), None, pattern),
        (Value::Map(map), None) => match map.get("line") {
            Some(line) => matches(line, None, pattern),
            None => map.values().any(|value| !matches!(value, Value::Map(_)) && matches(value, None, pattern)),
        },
        (Value::Str(text), _) => pattern.is_match(text),
        (Value::Int(_) | Value::Float(_) | Value::Bool(_), _) => pattern.is_match(&row.to_string()),
        // A secret's content is looked at by nobody.
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map;
    use crate::model::Secret;

    fn grep(lines: Value, pattern: &str, options: Value) -> Result<Value, Failure> {
        body(&GREP.spec.bind(vec![lines, pattern.into(), options])?)
    }

    #[test]
    fn texts_rows_and_their_fields_are_searched() {
        let texts = Value::List(vec!["GET /a 200".into(), "GET /b 500".into()]);
        assert_eq!(grep(texts, " 5..$", map! {}).unwrap().to_string(), r#"["GET /b 500"]"#);
        let rows = Value::List(vec![map! { "line" => "x", "pod" => "y" }, map! { "status" => 404, "ok" => false }]);
        let of = |pattern: &str, options: Value| grep(rows.clone(), pattern, options).unwrap().as_list().unwrap().len();
        assert_eq!((of("y", map! {}), of("^404$", map! {}), of("false", map! {}), of("x", map! { "invert" => true })), (0, 1, 1, 1));
        assert_eq!((of("y", map! { "field" => "pod" }), of("y", map! { "field" => "pod", "invert" => true })), (1, 1));
        assert!(grep(rows.clone(), "y", map! { "field" => "pood" }).unwrap_err().hint.unwrap().contains("pod"));
    }

    #[test]
    fn a_secret_matches_nothing() {
        let rows = Value::List(vec![map! { "password" => Secret::new("env:A", "hunter2hunter2") }]);
        assert_eq!(grep(rows.clone(), "hunter2", map! {}).unwrap().to_string(), "[]");
        assert_eq!(grep(rows, ".", map! { "field" => "password" }).unwrap().to_string(), "[]");
    }
}
