//! The API server's refusals and lost connections as failures.

use std::io;

use ::http::{Method, StatusCode};
use kube::client::AuthError;

use super::super::http::{chain, io_text};
use super::super::{MOST_SAID, open};
use super::{Call, Session, connect, is_ambiguous};
use crate::model::{Failure, Kind, Sent, Value};
use crate::platform::failures::{self, in_doubt};

/// Whether a refusal says only that some admission webhook cannot take part in a dry-run.
pub(in super::super) fn cannot_dry_run(failure: &Failure) -> bool {
    failure.kind == Kind::BadArgument && failure.message.contains("does not support dry run")
}

/// An answer that is larger than a script may hold.
pub(super) fn too_large(target: &str, most: usize) -> Failure {
    Failure::new(Kind::TooLarge, format!("the answer about {target} is larger than {} MiB", most / (1024 * 1024)))
        .hint("ask for less: a selector, a namespace, `tail`, `grep`")
        .sent(Sent::Yes)
}

/// A request that the API server answered with an error.
pub(super) fn refused(status: StatusCode, body: &[u8], session: &Session, call: &Call<'_>) -> Failure {
    let object = open::parse(body).unwrap_or_default();
    let reason = object.str_at(&["reason"]).unwrap_or_default();
    let said = match object.str_at(&["message"]) {
        Some(message) => message.to_owned(),
        // Whole or not at all: half a secret would not be masked.
        None if body.len() > MOST_SAID => String::new(),
        None => String::from_utf8_lossy(body).trim().to_owned(),
    };
    let said = if said.is_empty() { format!("HTTP {}", status.as_u16()) } else { said };
    let target = call.target;
    let failure = match status.as_u16() {
        401 => Failure::new(Kind::Auth, format!("the cluster does not accept the credentials of the context `{}`", session.context))
            .hint("have they expired? log in again"),
        403 if reason == "Forbidden" && said.contains("exceeded quota") => {
            Failure::new(Kind::Forbidden, said).hint("the namespace's quota is used up")
        }
        403 => Failure::new(Kind::Forbidden, said).hint(format!(
            "the context's user lacks the right to {} {}",
            verb(&call.method),
            resource(&object, target)
        )),
        404 if names_an_object(&object, reason) => {
            failures::no_such_object(target, namespace(&call.path), &resource(&object, target), None)
        }
        404 => Failure::new(Kind::Failed, format!("the cluster does not know what was asked about {target}: {said}"))
            .hint("does this cluster serve that kind of object? `kubectl api-resources` lists what it does"),
        409 => Failure::new(Kind::Conflict, said).hint("somebody else changed it at the same time; look at it, and try again"),
        400 | 422 if let Some((_, unknown)) = said.split_once("strict decoding error: ") => {
            Failure::new(Kind::BadArgument, format!("{target}: {unknown}")).hint("is the field written right? `kubectl explain` names the fields of a kind")
        }
        400 => Failure::new(Kind::BadArgument, said),
        422 => Failure::new(Kind::BadArgument, said).hint("the API server found the object invalid"),
        410 => Failure::new(Kind::Unavailable, said).hint("the list changed while it was read; try again"),
        429 if let Some(budget) = budget(&object) => failures::budget(target, if budget.is_empty() { &said } else { budget }),
        429 => Failure::new(Kind::Unavailable, format!("the cluster is busy: {said}")).hint("try again later"),
        500.. if call.departure.is_some() && is_ambiguous(status) && !by_webhook(&said) => {
            return in_doubt(format!("{target}: the API server failed while it carried out the change: {said}")).on(target);
        }
        500.. if by_webhook(&said) => Failure::new(Kind::Unavailable, format!("the cluster cannot answer now: {said}"))
            .hint("nothing was changed; is that webhook's service up? `kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations`"),
        500.. => Failure::new(Kind::Unavailable, format!("the cluster cannot answer now: {said}"))
            .hint(format!("how is the API server? `kubectl --context {} get --raw '/readyz?verbose'`", session.context)),
        _ => Failure::new(Kind::Failed, format!("{target}: HTTP {}: {said}", status.as_u16())),
    };
    // A refusal changed nothing.
    failure.on(target).sent(if call.departure.is_some() { Sent::No } else { Sent::Yes })
}

/// A webhook that could not be asked stands before the storing, so nothing was changed.
fn by_webhook(message: &str) -> bool {
    message.contains("failed calling webhook") || message.contains("failed to call webhook")
}

/// What the server says of a disruption budget, where that is why it said no: which one, how many it needs, how many there are.
fn budget(status: &Value) -> Option<&str> {
    let causes = status.at(&["details", "causes"]).and_then(Value::as_list).unwrap_or_default();
    let cause = causes.iter().find(|cause| cause.str_at(&["reason"]) == Some("DisruptionBudget"))?;
    Some(cause.str_at(&["message"]).unwrap_or_default())
}

/// Whether "not found" is about the object, and not about a path that this server does not serve.
fn names_an_object(object: &Value, reason: &str) -> bool {
    reason == "NotFound" && object.str_at(&["details", "name"]).is_some_and(|name| !name.is_empty())
}

/// The namespace in a request's path.
fn namespace(path: &str) -> Option<&str> {
    path.split_once("/namespaces/")?.1.split_once('/').map(|(namespace, _)| namespace)
}

fn verb(method: &Method) -> &'static str {
    match *method {
        Method::GET => "read",
        Method::PATCH => "patch",
        Method::POST => "create",
        Method::DELETE => "delete",
        _ => "change",
    }
}

fn resource(status: &Value, target: &str) -> String {
    status.str_at(&["details", "kind"]).map_or_else(|| target.to_owned(), str::to_owned)
}

/// A request that got no answer.
pub(super) fn transport(error: &kube::Error, session: &Session, call: &Call<'_>) -> Failure {
    if let kube::Error::Auth(error) = error {
        return connect::login_failure(&session.context, None, error).on(call.target);
    }
    let (mut unsent, mut why, mut tls) = (false, None, None);
    for cause in chain(error) {
        if let Some(error) = cause.downcast_ref::<AuthError>() {
            return connect::login_failure(&session.context, None, error).on(call.target);
        }
        if let Some(error) = cause.downcast_ref::<hyper_util::client::legacy::Error>() {
            unsent |= error.is_connect();
        }
        tls = tls.or_else(|| cause.downcast_ref::<rustls::Error>());
        if let Some(error) = cause.downcast_ref::<io::Error>() {
            tls = tls.or_else(|| error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()));
            why = Some(io_text(error));
        }
    }
    let why = match tls {
        Some(tls) => format!("TLS: {tls}"),
        None => why.unwrap_or_else(|| "the connection was closed before an answer".into()),
    };
    if call.departure.is_some() && !unsent {
        return in_doubt(format!("the change of {} was sent, and no answer came: {why}", call.target)).on(call.target);
    }
    Failure::new(Kind::Unavailable, format!("the cluster at {} cannot be reached: {why}", session.server))
        .hint(format!("is the API server of the context `{}` up, and reachable from here?", session.context))
        .on(call.target)
        .sent(if unsent { Sent::No } else { Sent::Unknown })
}

/// An answer that broke off.
pub(super) fn broken_off(error: &kube::Error, call: &Call<'_>) -> Failure {
    let why = chain(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).last().map_or("connection closed".into(), io_text);
    if call.departure.is_some() {
        return in_doubt(format!("the answer to the change of {} broke off: {why}", call.target)).on(call.target);
    }
    Failure::new(Kind::Unavailable, format!("the answer about {} broke off: {why}", call.target)).on(call.target)
}
