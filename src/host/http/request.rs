//! What HTTP functions share: from a target to a URL, from a status to a failure.

use std::time::Duration;

use crate::call::Cx;
use crate::config::{Environment, Service};
use crate::model::operation::HttpRequest;
use crate::model::spec::{Args, Opt, Type};
use crate::model::{Failure, Value};

/// The option of headers.
pub const HEADERS: Opt = Opt {
    name: "headers",
    ty: Type::Map,
    default: "",
    help: "header names and values; a value may be a secret, or an array of texts and secrets that are put together: `[\"Bearer \", token]`",
};

/// The option of statuses.
pub const OK_STATUS: Opt =
    Opt { name: "ok_status", ty: Type::Ints, default: "", help: "statuses that are no failure, instead of 200 to 299" };

/// The option of secrets in an answer.
pub const SEAL: Opt = Opt {
    name: "seal",
    ty: Type::Strings,
    default: "",
    help: "JSON pointers into the answer's body, such as \"/token\": what stands there becomes a secret before it is seen or recorded",
};

/// The pointers of the option `seal`. Errors are `bad_argument`.
pub fn seal(args: &Args) -> Result<Vec<String>, Failure> {
    let pointers: Vec<String> =
        args.option("seal").and_then(Value::as_list).into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned)).collect();
    match pointers.iter().find(|pointer| !pointer.is_empty() && !pointer.starts_with('/')) {
        Some(pointer) => Err(Failure::bad_argument(format!("`seal`: {pointer:?} is no JSON pointer"))
            .hint(format!("a pointer begins with a slash: \"/{pointer}\""))),
        None => Ok(pointers),
    }
}

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
    Ok(HttpRequest { service, method, url, headers: Vec::new(), body: None, ok_status: None, seal: Vec::new(), save: None, timeout })
}

/// The headers that a script gives, and the body's type where it gives none.
pub fn headers(args: &Args, body: Option<&Value>) -> Vec<(String, Value)> {
    let given = args.option("headers").and_then(Value::as_map).into_iter().flat_map(|headers| headers.iter());
    let mut headers: Vec<(String, Value)> = given.map(|(name, value)| (name.to_string(), value.clone())).collect();
    let typed = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let kind = match body {
        Some(Value::Map(_) | Value::List(_)) => "application/json",
        _ => "text/plain; charset=utf-8",
    };
    if body.is_some() && !typed {
        headers.push(("content-type".to_owned(), kind.into()));
    }
    headers
}

/// A base URL and a path, with one slash between them.
pub fn join(base: &str, path: &str) -> String {
    format!("{}/{}", base.trim_end_matches('/'), path.trim_start_matches('/'))
}
