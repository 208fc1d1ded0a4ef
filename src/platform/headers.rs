//! The headers of a request, as scripts give them.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::failures;
use crate::model::headers::is_own;
use crate::model::{Failure, Value};

/// Headers to send, secrets opened and marked.
pub(super) fn of(pairs: &[(String, Value)]) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::with_capacity(pairs.len());
    for (name, value) in pairs {
        let header: HeaderName = name.parse().map_err(|_| Failure::bad_argument(format!("{name:?} is no header name")))?;
        if is_own(name) {
            return Err(Failure::bad_argument(format!("the header {name} belongs to the connection, and cannot be set")));
        }
        let wrong = || Failure::bad_argument(format!("the header {name} has characters that no header may have"));
        let value = match value {
            Value::Str(text) => HeaderValue::from_str(text).map_err(|_| wrong())?,
            Value::Secret(secret) => {
                let mut value = HeaderValue::from_str(secret.expose()).map_err(|_| wrong())?;
                value.set_sensitive(true);
                value
            }
            Value::Int(_) | Value::Bool(_) | Value::Float(_) => HeaderValue::from_str(&value.to_string()).map_err(|_| wrong())?,
            Value::List(parts) if !parts.is_empty() && parts.iter().all(|part| matches!(part, Value::Str(_) | Value::Secret(_))) => {
                let part = |part: &Value| match part {
                    Value::Secret(secret) => secret.expose().to_owned(),
                    other => other.as_str().unwrap_or_default().to_owned(),
                };
                let text = zeroize::Zeroizing::new(parts.iter().map(part).collect::<String>());
                let mut value = HeaderValue::from_str(&text).map_err(|_| wrong())?;
                value.set_sensitive(true);
                value
            }
            Value::Unsent(unsent) => return Err(failures::unsent(&unsent.function)),
            other => return Err(Failure::bad_argument(format!("the header {name} must be a string, not {}", other.type_name()))),
        };
        headers.append(header, value);
    }
    Ok(headers)
}

/// Whether a content type is JSON: `application/json`, `application/problem+json; charset=utf-8` …
pub(super) fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || essence == "text/json" || essence.ends_with("+json")
}
