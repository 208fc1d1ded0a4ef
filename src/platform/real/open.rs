//! Values on their way out: secrets are opened here and nowhere else; what a rehearsal left open never leaves.

use crate::model::{Failure, Value};
use crate::platform::failures;

/// A value as JSON for a system, its secrets opened.
pub(super) fn json(value: &Value) -> Result<serde_json::Value, Failure> {
    use serde_json::Value as Json;
    Ok(match value {
        Value::Null => Json::Null,
        Value::Bool(b) => Json::Bool(*b),
        Value::Int(n) => Json::from(*n),
        Value::Float(x) => serde_json::Number::from_f64(*x)
            .map(Json::Number)
            .ok_or_else(|| Failure::bad_argument(format!("{x} cannot be written as JSON")))?,
        Value::Str(s) => Json::String(s.clone()),
        Value::List(items) => Json::Array(items.iter().map(json).collect::<Result<_, _>>()?),
        Value::Map(map) => {
            Json::Object(map.iter().map(|(key, value)| Ok((key.to_string(), json(value)?))).collect::<Result<_, Failure>>()?)
        }
        Value::Secret(secret) => Json::String(secret.expose().to_owned()),
        Value::Unsent(unsent) => return Err(failures::unsent(&unsent.function)),
    })
}

/// A body as its bytes: text as it is, anything else as JSON.
pub(super) fn body(value: &Value) -> Result<String, Failure> {
    match value {
        Value::Str(text) => Ok(text.clone()),
        Value::Secret(secret) => Ok(secret.expose().to_owned()),
        other => json(other).map(|json| json.to_string()),
    }
}

/// Parses bytes as JSON into a value.
pub(super) fn parse(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    serde_json::from_slice(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map;
    use crate::model::{CallId, Map, Secret, Unsent};

    #[test]
    fn secrets_are_opened_and_unknown_answers_refused() {
        let value = map! { "a" => vec![Value::Secret(Secret::new("env:T", "open sesame"))] };
        assert_eq!(json(&value).unwrap().to_string(), r#"{"a":["open sesame"]}"#);
        let unsent = Value::Unsent(Unsent::new(CallId(vec![1]), "http_post", Map::new()));
        assert!(json(&unsent).unwrap_err().message.contains("`http_post`"));
    }
}
