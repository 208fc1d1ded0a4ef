//! What an HTTP status means for the script that asked.

use super::failures::in_doubt;
use super::real::MOST_SAID;
use crate::model::operation::HttpRequest;
use crate::model::text::short;
use crate::model::{Failure, Kind, Sent, Value};

/// So many characters of a body stand in the message of a status that was not expected.
const EXCERPT: usize = 200;

/// Passes the answer to a request that only reads on if its status is fine: 2xx, or one of those that are listed.
pub fn checked(answer: Value, target: &str, ok_status: Option<&[i64]>) -> Result<Value, Failure> {
    let status = status(&answer);
    fine(answer, status, target, ok_status, EXCERPT)
}

/// Passes the answer to a request that changes on if its status is fine. A server or gateway that failed on it may have done it.
pub(super) fn changed(answer: Value, request: &HttpRequest) -> Result<Value, Failure> {
    let (status, target) = (status(&answer), request.target());
    // What it said is cut after it is masked.
    fine(answer, status, &target, request.ok_status.as_deref(), MOST_SAID).map_err(|failure| match status {
        429 | 503 => failure,
        408 | 500.. => in_doubt(failure.message).on(target).hint("it may have been done all the same: look before asking for it again"),
        _ => failure.sent(Sent::Yes),
    })
}

/// Whether a status is no failure: 2xx, or one of those that are listed.
pub(super) fn is_fine(status: i64, ok_status: Option<&[i64]>) -> bool {
    ok_status.map_or((200..300).contains(&status), |listed| listed.contains(&status))
}

fn status(answer: &Value) -> i64 {
    answer.int_at(&["status"]).unwrap_or(0)
}

fn fine(answer: Value, status: i64, target: &str, ok_status: Option<&[i64]>, most: usize) -> Result<Value, Failure> {
    if is_fine(status, ok_status) {
        return Ok(answer);
    }
    let kind = match status {
        401 | 407 => Kind::Auth,
        403 => Kind::Forbidden,
        404 | 410 => Kind::NotFound,
        409 | 412 => Kind::Conflict,
        429 | 502..=504 => Kind::Unavailable,
        _ => Kind::Failed,
    };
    let body = match answer.get("body") {
        Some(Value::Str(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    };
    if let (300..400, Some(location)) = (status, answer.str_at(&["headers", "location"])) {
        // Credentials go to one origin only, so a redirect elsewhere is the answer.
        return Err(Failure::new(kind, format!("{target} answered HTTP {status}, a redirect to {} that is not followed", place(location)))
            .on(target)
            .hint(format!("redirects are followed within one origin only: ask the other one itself, or pass `ok_status: [{status}]`")));
    }
    let excerpt = short(&body, most);
    let said = if excerpt.is_empty() { String::new() } else { format!(": {excerpt}") };
    Err(Failure::new(kind, format!("{target} answered HTTP {status}{said}"))
        .on(target)
        .hint(format!("if {status} is expected, pass `ok_status: [{status}]`")))
}

/// Where a redirect leads, for a message: without its query and credentials, where tokens like to be.
fn place(location: &str) -> String {
    let location = match url::Url::parse(location) {
        Ok(mut url) => {
            // Fails only where there is nothing to take out.
            let _ = url.set_username("").and_then(|()| url.set_password(None));
            url.to_string()
        }
        Err(_) => location.to_owned(),
    };
    short(location.split(['?', '#']).next().unwrap_or_default(), 200)
}
