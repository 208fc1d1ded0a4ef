//! Changes of objects, each sent once: patched, made, deleted, evicted.

use std::time::Duration;

use ::http::Method;

use super::super::open;
use super::super::runtime::Departure;
use super::{Call, Kubernetes, Mode, path, with_query};
use crate::map;
use crate::model::operation::PatchKind;
use crate::model::{Failure, Kind, ObjectRef, Value, Write};
use crate::platform::objects::with_base64;

impl Kubernetes {
    /// Sends a change of an object: the object as it is then, or would be; nothing where the server says nothing of it.
    pub(in super::super) async fn change(&self, write: &Write, mode: Mode, departure: &Departure) -> Result<Value, Failure> {
        let Some(object) = write.object() else { return Ok(Value::Null) };
        let target = object.to_string();
        let whole = |subresource| path(object.kind, object.namespace.as_deref(), Some(&object.name), subresource);
        let (method, place, body, content_type) = match write {
            Write::Patch { subresource, patch, kind, .. } => {
                let content_type = match kind {
                    PatchKind::Merge => "application/merge-patch+json",
                    PatchKind::Strategic => "application/strategic-merge-patch+json",
                    PatchKind::Json => "application/json-patch+json",
                };
                (Method::PATCH, whole(*subresource)?, of(object, patch), content_type)
            }
            Write::Create { manifest, .. } => {
                let place = path(object.kind, object.namespace.as_deref(), None, None)?;
                (Method::POST, place, of(object, manifest), "application/json")
            }
            Write::Delete { uid, grace, .. } => {
                let mut options = options(uid.as_deref(), *grace, mode);
                options.set(&["propagationPolicy"], "Background".into());
                (Method::DELETE, whole(None)?, options, "application/json")
            }
            Write::Evict { uid, grace, .. } => {
                let eviction = map! {
                    "apiVersion" => "policy/v1",
                    "kind" => "Eviction",
                    "metadata" => map! { "name" => object.name.as_str(), "namespace" => object.namespace.clone() },
                    "deleteOptions" => options(uid.as_deref(), *grace, mode),
                };
                (Method::POST, whole(Some("eviction"))?, eviction, "application/json")
            }
            _ => return Ok(Value::Null),
        };
        let mut query = Vec::new();
        if matches!(write, Write::Patch { .. } | Write::Create { .. }) {
            query.push(("fieldManager", "runbook".to_owned()));
        }
        if matches!(write, Write::Patch { .. }) {
            // Else the server drops a field that it does not know, and says that all is well.
            query.push(("fieldValidation", "Strict".to_owned()));
        }
        if mode == Mode::DryRun {
            query.push(("dryRun", "All".to_owned()));
        }
        let call = Call {
            method,
            body: open::json(&body)?.to_string().into_bytes(),
            content_type: Some(content_type),
            departure: (mode == Mode::Apply).then_some(departure),
            ..Call::get(with_query(place, query), &target)
        };
        match self.call(call).await {
            // The server has said yes; an answer that is no JSON takes nothing of that back.
            Ok(answer) => Ok(open::parse(&answer).unwrap_or_default()),
            // The server quotes what it finds invalid, all of the object at times.
            Err(failure) if object.kind.singular == "secret" && failure.message.contains("Invalid value") => Err(Failure {
                message: format!("the API server found {target} as it was to be invalid; its words may hold the secret and are left out"),
                ..failure
            }),
            // Who is to go and is gone is what was wanted.
            Err(failure) if failure.kind == Kind::NotFound && matches!(write, Write::Evict { .. }) => Ok(Value::Null),
            Err(failure) => Err(failure),
        }
    }
}

/// A patch or manifest as the server reads it.
fn of(object: &ObjectRef, value: &Value) -> Value {
    if object.kind.singular == "secret" { with_base64(value) } else { value.clone() }
}

/// Options of a deletion. Where there are any, the server reads a dry-run from them and not from the query.
fn options(uid: Option<&str>, grace: Option<Duration>, mode: Mode) -> Value {
    let mut options = map! { "apiVersion" => "v1", "kind" => "DeleteOptions" };
    if mode == Mode::DryRun {
        options.set(&["dryRun"], vec!["All".into()].into());
    }
    if let Some(uid) = uid {
        options.set(&["preconditions", "uid"], uid.into());
    }
    if let Some(grace) = grace {
        options.set(&["gracePeriodSeconds"], i64::try_from(grace.as_secs()).unwrap_or(i64::MAX).into());
    }
    options
}
