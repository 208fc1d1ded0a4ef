//! Between failures and the errors that scripts throw and catch.

use rhai::{Dynamic, EvalAltResult, Map, Position as At};

use crate::model::{Failure, Kind, Position, Sent};

/// A failure as a script catches it: a map, so that `e.kind` works through functions and modules. File and line stand
/// in the map, since rethrowing loses the position.
pub fn to_map(failure: &Failure, at: Option<&Position>) -> Map {
    let mut map = Map::new();
    let text = |value: &Option<String>| value.as_ref().map_or(Dynamic::UNIT, |text| text.clone().into());
    map.insert("kind".into(), failure.kind.name().into());
    map.insert("message".into(), failure.message.clone().into());
    map.insert("hint".into(), text(&failure.hint));
    map.insert("target".into(), text(&failure.target));
    map.insert("sent".into(), failure.sent.name().into());
    map.insert("retryable".into(), failure.kind.retryable().into());
    map.insert("file".into(), at.map_or(Dynamic::UNIT, |at| at.file.to_string().into()));
    map.insert("line".into(), at.map_or(Dynamic::UNIT, |at| i64::from(at.line).into()));
    map
}

/// A failure as a thrown error.
pub fn thrown(failure: &Failure, at: Option<&Position>) -> Box<EvalAltResult> {
    let position = at.map_or(At::NONE, |at| place(at.line, at.column));
    Box::new(EvalAltResult::ErrorRuntime(Dynamic::from_map(to_map(failure, at)), position))
}

fn place(line: u32, column: u32) -> At {
    match u16::try_from(line) {
        Ok(line) if line > 0 => At::new(line, u16::try_from(column).unwrap_or(0)),
        _ => At::NONE,
    }
}

/// The failure that an error stands for: a host function's own, something that the script threw, or Rhai's.
pub fn of(error: &EvalAltResult) -> Failure {
    match innermost(error) {
        EvalAltResult::ErrorRuntime(value, _) => of_thrown(value),
        EvalAltResult::ErrorTerminated(..) => Failure::new(Kind::Cancelled, "the run was cancelled"),
        other => Failure::new(Kind::Failed, without_position(other)),
    }
}

/// Rhai's message without "(line 3, position 5)", which is shown beside it.
fn without_position(error: &EvalAltResult) -> String {
    let mut text = error.to_string();
    if let Some(end) = text.rfind(" (line ").filter(|_| text.ends_with(')')) {
        text.truncate(end);
    }
    text
}

/// What a thrown value says.
fn of_thrown(value: &Dynamic) -> Failure {
    if let Some(map) = value.read_lock::<Map>() {
        let text = |key: &str| map.get(key).and_then(|value| value.clone().into_string().ok());
        let kind = text("kind").and_then(|name| Kind::from_name(&name)).unwrap_or(Kind::Failed);
        let message = text("message").unwrap_or_else(|| "the script threw a map without a message".to_owned());
        let sent = text("sent").and_then(|name| Sent::from_name(&name)).unwrap_or_default();
        return Failure { kind, message, hint: text("hint"), target: text("target"), sent };
    }
    let text = value.clone().into_string().unwrap_or_else(|_| format!("the script threw a {}", value.type_name()));
    Failure::new(Kind::Failed, text)
}

/// Where a caught and rethrown host failure first stood: file and line of its map.
pub fn origin(error: &EvalAltResult) -> Option<(String, u32)> {
    let EvalAltResult::ErrorRuntime(value, _) = innermost(error) else { return None };
    let map = value.read_lock::<Map>()?;
    let file = map.get("file")?.clone().into_string().ok()?;
    let line = u32::try_from(map.get("line")?.as_int().ok()?).ok()?;
    Some((file, line))
}

/// The error inside of all wrappers.
pub fn innermost(error: &EvalAltResult) -> &EvalAltResult {
    match error {
        EvalAltResult::ErrorInFunctionCall(.., inner, _) | EvalAltResult::ErrorInModule(_, inner, _) => innermost(inner),
        other => other,
    }
}
