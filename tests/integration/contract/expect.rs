//! What an answer must be: JSON, in which some texts stand for what differs from run to run.

use regex::Regex;
use serde_json::Value;

/// Where and how an answer differs from what is expected; nothing if it does not.
///
/// Expected texts that stand for others: `<any>`, `<text>`, `<int>`, `<number>`, `<bool>`, `<time>` (RFC 3339, in UTC), `<30..200>` (a
/// number between), `~…` (a regular expression for the whole text).
pub(super) fn difference(expected: &Value, found: &Value) -> Option<String> {
    at("", expected, found)
}

fn at(path: &str, expected: &Value, found: &Value) -> Option<String> {
    let differs = || Some(format!("{}: expected {expected}, found {found}", if path.is_empty() { "the answer" } else { path }));
    match (expected, found) {
        (Value::String(pattern), found) => {
            if fits(pattern, found) {
                None
            } else {
                differs()
            }
        }
        (Value::Array(expected), Value::Array(items)) if expected.len() == items.len() => {
            let pairs = expected.iter().zip(items).enumerate();
            pairs.into_iter().find_map(|(number, (expected, found))| at(&format!("{path}[{number}]"), expected, found))
        }
        (Value::Object(expected), Value::Object(map)) if expected.len() == map.len() => {
            expected.iter().find_map(|(key, expected)| match map.get(key) {
                Some(found) => at(&format!("{path}.{key}"), expected, found),
                None => Some(format!("{path}: there is no {key:?} in {found}")),
            })
        }
        (expected, found) if expected == found => None,
        _ => differs(),
    }
}

fn fits(pattern: &str, found: &Value) -> bool {
    if let Some(regex) = pattern.strip_prefix('~') {
        let regex = Regex::new(&format!("^(?:{regex})$")).unwrap();
        return found.as_str().is_some_and(|text| regex.is_match(text));
    }
    match pattern {
        "<any>" => true,
        "<text>" => found.is_string(),
        "<int>" => found.is_i64(),
        "<number>" => found.is_number(),
        "<bool>" => found.is_boolean(),
        "<time>" => found.as_str().is_some_and(|text| text.ends_with('Z') && text.parse::<jiff::Timestamp>().is_ok()),
        _ => match pattern.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).and_then(|range| range.split_once("..")) {
            Some((low, high)) => {
                let (low, high): (f64, f64) = (low.parse().unwrap(), high.parse().unwrap());
                found.as_f64().is_some_and(|number| low <= number && number <= high)
            }
            None => found.as_str() == Some(pattern),
        },
    }
}

#[test]
fn answers_are_compared_to_their_last_part() {
    let differs = |expected: &str, found: &str| {
        difference(&serde_json::from_str(expected).unwrap(), &serde_json::from_str(found).unwrap()).unwrap_or_default()
    };
    assert_eq!(differs(r#"{"a": ["<time>", "<1..3>", "~x+", null]}"#, r#"{"a": ["2026-01-01T03:00:00Z", 2.5, "xx", null]}"#), "");
    assert_eq!(differs(r#"{"a": [1]}"#, r#"{"a": [1.0]}"#), ".a[0]: expected 1, found 1.0");
    assert_eq!(differs(r#"{"a": 1}"#, r#"{"a": 1, "b": 2}"#), r#"the answer: expected {"a":1}, found {"a":1,"b":2}"#);
    assert_eq!(differs(r#"{"a": 1}"#, r#"{"b": 1}"#), r#": there is no "a" in {"b":1}"#);
    assert_eq!(differs(r#"["<1..3>"]"#, "[4]"), r#"[0]: expected "<1..3>", found 4"#);
    assert_eq!(differs(r#""~x+""#, r#""xy""#), r#"the answer: expected "~x+", found "xy""#);
    assert_eq!(differs("null", "0"), "the answer: expected null, found 0");
}
