//! What the functions share that send requests which may change something.

use super::request;
use crate::call::{Cx, Done};
use crate::model::operation::HttpRequest;
use crate::model::spec::{Args, Opt, Type};
use crate::model::{Failure, Kind, Read, Value, Write};
use crate::platform::{self, status};

/// The option of an answer that is assumed.
pub(super) const ASSUME: Opt = Opt { name: "assume", ty: Type::Map, default: "", help: "what a rehearsal goes on with as the answer" };

/// The option of a tier.
pub(super) const TIER: Opt =
    Opt { name: "tier", ty: Type::Choice(&["severe"]), default: "", help: "raises the tier; such requests are moderate by themselves" };

/// The option of a key by which a server knows a request that it has done.
pub(super) const IDEMPOTENCY_KEY: Opt = Opt {
    name: "idempotency_key",
    ty: Type::Bool,
    default: "false",
    help: "sends an `Idempotency-Key` made of the run and the call, so that a server which knows it does the same call once only",
};

/// The option of a wait.
pub(super) const TIMEOUT: Opt =
    Opt { name: "timeout", ty: Type::Duration, default: "\"30s\"", help: "the longest wait for the whole answer" };

/// What such a function answers.
pub(super) const RETURNS: &str = "`#{ status, headers, body, latency_ms, timings }`; `body` is parsed where it is JSON, else text. In a rehearsal nothing is sent, and the answer cannot be known";

/// How such a function fails.
pub(super) const ERRORS: &[Kind] = &[
    Kind::Denied,
    Kind::NotConfirmed,
    Kind::NotFound,
    Kind::Forbidden,
    Kind::Auth,
    Kind::Conflict,
    Kind::Unavailable,
    Kind::TooLarge,
    Kind::Failed,
    Kind::InDoubt,
];

/// The answer where the service's `reads` lists the path: then the request changes nothing.
pub(super) fn reading(method: &'static str, args: &Args, cx: &Cx<'_>) -> Result<Option<Value>, Failure> {
    let request = made(method, args, cx)?;
    if method != "POST" || args.option_str("effect").is_none() || !is_listed(cx, &request) {
        return Ok(None);
    }
    let answer = cx.read(&Read::Http(request)).map_err(|failure| failure.on(args.str(0)))?;
    status::checked(answer, args.str(0), args.option_ints("ok_status").as_deref()).map(Some)
}

/// The one write.
pub(super) fn plan(method: &'static str, args: &Args, cx: &Cx<'_>) -> Result<Vec<Write>, Failure> {
    Ok(vec![Write::Http(made(method, args, cx)?)])
}

/// The server's answer.
pub(super) fn shape(_: &Args, done: &[Done]) -> Value {
    done.first().and_then(|done| done.answer.as_ref()).map(|answer| answer.value.clone()).unwrap_or_default()
}

fn made(method: &'static str, args: &Args, cx: &Cx<'_>) -> Result<HttpRequest, Failure> {
    let mut request = request::to(cx, method, args.str(0), args.option_duration("timeout").unwrap_or_default())?;
    request.body = args.get(1).filter(|body| body.as_str() != Some("")).cloned();
    if let Some(Value::Map(body)) = &request.body
        && !body.is_empty()
        && body.keys().all(|key| args.spec().options.iter().any(|option| option.name == key.as_str()))
        && args.options_are_empty()
    {
        return Err(Failure::bad_argument("the body has the keys of options only").on(args.str(0)).hint(format!(
            "options follow the body: `{}(\"…\", \"\", #{{ … }})`; if they are the body, pass it as text: `body.to_json()`",
            args.spec().name
        )));
    }
    // A rehearsal sends nothing, and must be refused as the run itself would be.
    platform::may_ask(cx.environment(), &request.url).map_err(|failure| failure.on(args.str(0)))?;
    request.ok_status = args.option_ints("ok_status");
    request.headers = request::headers(args, request.body.as_ref());
    if method != "DELETE" {
        request.seal = request::seal(args)?;
    }
    let given = request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("idempotency-key"));
    if matches!(method, "POST" | "PATCH") && args.option_bool("idempotency_key") && !given {
        request.headers.push(("idempotency-key".to_owned(), format!("{}-{}", cx.run_id(), cx.call().id).into()));
    }
    Ok(request)
}

fn is_listed(cx: &Cx<'_>, request: &HttpRequest) -> bool {
    let service = request.service.as_ref().and_then(|name| cx.environment().services.get(name));
    let Some((service, base)) = service.and_then(|service| Some((service, service.url.as_deref()?))) else { return false };
    let path = request.url.strip_prefix(base.trim_end_matches('/')).unwrap_or_default();
    let path = path.split(['?', '#']).next().unwrap_or_default();
    service.reads.iter().any(|listed| listed == path)
}
