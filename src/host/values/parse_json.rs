//! `parse_json`: JSON as a value.

use crate::call::{Body, Function};
use crate::model::spec::{Args, Example, Group, Keep, Param, Type};
use crate::model::value::DEEPEST;
use crate::model::{Failure, Kind, Spec, Tier, Value};

/// The longest text that is read, in bytes.
pub(super) const MOST_BYTES: usize = 8 << 20;

/// The function.
pub static PARSE_JSON: Function = Function {
    spec: Spec {
        name: "parse_json",
        group: Group::Values,
        summary: "Reads JSON. Whole numbers beyond 64 bits are floats, and of two equal keys the last counts.",
        params: &[Param { name: "text", ty: Type::Document, required: true, help: "one JSON value, 8 MiB at most" }],
        options: &[],
        returns: "the value: maps, arrays, texts, numbers, truth values, `()` for `null`",
        tier: Tier::Mild,
        keep: Keep::Payload,
        errors: &[Kind::Failed, Kind::TooLarge],
        examples: &[
            Example {
                title: "What a command printed",
                code: "parse_json(`{\"items\": [{\"status\": \"ok\"}]}`).items[0].status",
                result: "\"ok\"",
            },
            Example { title: "Text that is none", code: "attempt(|| parse_json(\"{\")).error.kind", result: "\"failed\"" },
        ],
    },
    body: Body::Pure(body),
};

fn body(args: &Args) -> Result<Value, Failure> {
    let text = fitting(args)?;
    serde_json::from_str(text).map_err(|error| {
        let said = error.to_string();
        // The parser's own bound is a little beyond what a value may be.
        if said.starts_with("recursion limit") { too_deep() } else { Failure::new(Kind::Failed, format!("this is no JSON: {said}")) }
    })
}

/// The text, if it is not too long.
pub(super) fn fitting(args: &Args) -> Result<&str, Failure> {
    let text = args.str(0);
    if text.len() > MOST_BYTES {
        return Err(Failure::new(Kind::TooLarge, "the text is larger than 8 MiB").hint("ask for less where it comes from"));
    }
    Ok(text)
}

/// The failure of a text that nests too deep.
pub(super) fn too_deep() -> Failure {
    Failure::new(Kind::TooLarge, format!("the text has more than {DEEPEST} arrays or maps in one another"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Value, Failure> {
        body(&PARSE_JSON.spec.bind(vec![text.into()])?)
    }

    #[test]
    fn numbers_keys_and_placeholders_are_what_they_are() {
        assert_eq!(
            parse("[9223372036854775807, 9223372036854775808, 1e3]").unwrap(),
            vec![i64::MAX.into(), 9_223_372_036_854_775_808.0.into(), 1000.0.into()].into()
        );
        assert_eq!(parse(r#"{"a": 1, "a": 2}"#).unwrap().to_string(), r#"{"a":2}"#);
        assert!(parse(r#"{"$secret": "env:A"}"#).unwrap().as_map().is_some());
    }

    #[test]
    fn what_is_none_is_said_with_its_place() {
        let says = |text: &str| parse(text).map_err(|failure| (failure.kind, failure.message)).unwrap_err();
        assert_eq!(says("{\"a\": 1,\n}"), (Kind::Failed, "this is no JSON: trailing comma at line 2 column 1".to_owned()));
        for text in ["", "NaN", "{'a': 1}", "1e999", "[1] 2", "\"\\ud800\"", "\u{feff}1"] {
            assert_eq!(says(text).0, Kind::Failed, "{text}");
        }
        assert_eq!(says(&"[".repeat(100_000)).0, Kind::TooLarge);
        assert_eq!(says(&" ".repeat(MOST_BYTES + 1)).0, Kind::TooLarge);
    }
}
