//! What HTTP functions share: from a target to a URL, from a status to a failure.

use std::time::Duration;

use crate::call::Cx;
use crate::config::{Environment, Service};
use crate::model::operation::HttpRequest;
use crate::model::{Failure, Kind, Value};

/// The configured service of that name; the error names the nearest.
pub fn known<'a>(environment: &'a Environment, name: &str) -> Result<&'a Service, Failure> {
    let services = &environment.services;
    services.get(name).ok_or_else(|| Failure::unknown("service", name, services.keys().map(String::as_str)).on(name))
}

/// Whether a target is a URL, not a service with a path.
pub fn is_url(target: &str) -> bool {
    target.starts_with("http://") || target.starts_with("https://")
}

/// The configured service of that name, with a URL.
pub fn service<'a>(cx: &'a Cx<'_>, name: &str) -> Result<(&'a Service, &'a str), Failure> {
    let service = known(cx.environment(), name)?;
    let url = service.url.as_deref().ok_or_else(|| {
        Failure::bad_argument(format!("service {name} has no URL"))
            .on(name)
            .hint(format!("add `url = \"http://…\"` under [services.{name}] in runbook.toml"))
    })?;
    Ok((service, url))
}

/// A request to a URL, to a service (`"api-gateway"`) or to a path of one (`"ai-gateway/cache/stats"`).
pub fn to(cx: &Cx<'_>, method: &'static str, target: &str, timeout: Duration) -> Result<HttpRequest, Failure> {
    let (service, url) = if is_url(target) {
        (None, target.to_owned())
    } else {
        let (name, path) = target.split_once('/').unwrap_or((target, ""));
        let (_, url) = self::service(cx, name)?;
        (Some(name.to_owned()), join(url, path))
    };
    Ok(HttpRequest { service, method, url, headers: Vec::new(), body: None, timeout })
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
    crate::model::text::short(location.split(['?', '#']).next().unwrap_or_default(), 200)
}

/// A base URL and a path, with one slash between them.
pub fn join(base: &str, path: &str) -> String {
    format!("{}/{}", base.trim_end_matches('/'), path.trim_start_matches('/'))
}

/// Passes an answer on if its status is fine: 2xx, or one of `ok_status`.
pub fn checked(answer: Value, target: &str, ok_status: Option<&Value>) -> Result<Value, Failure> {
    let status = answer.int_at(&["status"]).unwrap_or(0);
    let fine = match ok_status.and_then(Value::as_list) {
        Some(listed) => listed.contains(&Value::Int(status)),
        None => (200..300).contains(&status),
    };
    if fine {
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
    let excerpt = crate::model::text::short(&body, 200);
    let said = if excerpt.is_empty() { String::new() } else { format!(": {excerpt}") };
    Err(Failure::new(kind, format!("{target} answered HTTP {status}{said}"))
        .on(target)
        .hint(format!("if {status} is expected, pass `ok_status: [{status}]`")))
}
