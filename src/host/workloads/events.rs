//! `events`: what the cluster tells of objects.

use std::collections::HashSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::call::{Body, Cx, Function};
use crate::host::targets::{self, NAMESPACE, meta};
use crate::map;
use crate::model::resource::Target;
use crate::model::spec::{Args, Example, Group, Keep, Opt, Param, Type};
use crate::model::{Failure, Kind, ObjectRef, Read, ResourceKind, Spec, Tier, Value};

/// The function.
pub static EVENTS: Function = Function {
    spec: Spec {
        name: "events",
        group: Group::Workloads,
        summary: "Lists events, the newest last: those about an object, and about the replicasets and pods of a workload.",
        params: &[Param {
            name: "target",
            ty: Type::Target,
            required: false,
            help: "\"pod/x\", \"node/gpu-1\", a workload, a selector, or a service's or database's name; all of the namespace without it",
        }],
        options: &[
            Opt { name: "type", ty: Type::Choice(&["Normal", "Warning"]), default: "", help: "only events of this type" },
            Opt {
                name: "since",
                ty: Type::Duration,
                default: "",
                help: "only events younger than this; the cluster keeps them for an hour",
            },
            Opt { name: "limit", ty: Type::Int(1, 10_000), default: "200", help: "at most so many, the newest" },
            Opt { help: "another namespace than the environment's; \"*\" for all", ..NAMESPACE },
            Opt { name: "timeout", ty: Type::Duration, default: "\"30s\"", help: "the longest wait for the answer" },
        ],
        returns: "an array of `#{ time, type, reason, object, namespace, message, count, source }`; `time` is when it happened last",
        tier: Tier::Mild,
        keep: Keep::Line,
        errors: &[Kind::NotFound, Kind::Forbidden, Kind::Auth, Kind::Unavailable],
        examples: &[Example {
            title: "What a change has brought about",
            code: "scale(\"billing\", 3);\nwait_ready(\"billing\");\nevents(\"billing\", #{ since: \"5m\" }).map(|event| event.reason).contains(\"ScalingReplicaSet\")",
            result: "true",
        }],
    },
    body: Body::Read(body),
};

fn body(args: &Args, cx: &Cx<'_>) -> Result<Value, Failure> {
    let namespace = targets::namespace(cx, args.option_str("namespace"));
    let timeout = args.option_duration("timeout").unwrap_or(Duration::from_secs(30));
    let about = match args.str(0) {
        "" => None,
        text => Some(of_target(cx, text, &namespace, timeout)?),
    };
    // Events about what belongs to no namespace are kept in `default`.
    let cluster_wide = about.as_ref().is_some_and(|about| about.iter().all(|object| object.namespace.is_none()));
    let mut rows = rows(cx, if cluster_wide { "default" } else { &namespace }, about.as_ref(), timeout)?;
    if let Some(kind) = args.option_str("type") {
        rows.retain(|row| row.str_at(&["type"]) == Some(kind));
    }
    if let Some(since) = args.option_duration("since") {
        let from = SignedDuration::try_from(since).ok().and_then(|since| cx.clock().now().checked_sub(since).ok());
        rows.retain(|row| row.str_at(&["time"]).and_then(|time| time.parse::<Timestamp>().ok()) >= from);
    }
    let limit = args.option_int("limit").and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    Ok(rows.split_off(rows.len().saturating_sub(limit)).into())
}

/// The objects whose events a target means: itself, and the replicasets and pods of a workload.
fn of_target(cx: &Cx<'_>, text: &str, namespace: &str, timeout: Duration) -> Result<HashSet<ObjectRef>, Failure> {
    let mut about: HashSet<ObjectRef> = match Target::parse(text)? {
        // A pod or another object that is gone still has its events.
        Target::Object(kind, name) if !kind.is_workload() => return Ok([ObjectRef::new(kind, namespace, &name)].into()),
        _ => targets::objects(cx, text, namespace, timeout)?.into_iter().collect(),
    };
    for object in about.clone().into_iter().filter(|object| object.kind.is_workload()) {
        let value = cx.read(&Read::Object(object.clone()))?;
        about.extend(parts(cx, &object, &value, timeout)?.0);
    }
    Ok(about)
}

/// The replicasets and pods of a workload that reads `value`: what they are called, and the pods themselves.
pub fn parts(cx: &Cx<'_>, object: &ObjectRef, value: &Value, timeout: Duration) -> Result<(Vec<ObjectRef>, Vec<Value>), Failure> {
    let selector = targets::selector_of(value, &object.to_string())?;
    let namespace = object.namespace.as_deref().unwrap_or_default();
    let (mut names, mut pods) = (Vec::new(), Vec::new());
    for kind in ["replicaset", "pod"] {
        let kind = ResourceKind::named(kind)?;
        let found = targets::list(cx, kind, namespace, Some(selector.clone()), timeout)?;
        names.extend(found.iter().map(|one| ObjectRef::new(kind, namespace, meta(one, "name"))));
        pods = found;
    }
    Ok((names, pods))
}

/// Events of a namespace as rows, the newest last; all of them without `about`.
pub fn rows(cx: &Cx<'_>, namespace: &str, about: Option<&HashSet<ObjectRef>>, timeout: Duration) -> Result<Vec<Value>, Failure> {
    let found = targets::list(cx, ResourceKind::named("event")?, namespace, None, timeout)?;
    let mut rows: Vec<Value> = found.iter().filter(|event| about.is_none_or(|about| is_about(event, about))).map(row).collect();
    rows.sort_by_cached_key(|row| {
        (row.str_at(&["time"]).unwrap_or_default().to_owned(), row.str_at(&["object"]).unwrap_or_default().to_owned())
    });
    Ok(rows)
}

fn is_about(event: &Value, about: &HashSet<ObjectRef>) -> bool {
    let part = |key| event.str_at(&["involvedObject", key]).unwrap_or_default();
    ResourceKind::find(part("kind")).is_some_and(|kind| about.contains(&ObjectRef::new(kind, part("namespace"), part("name"))))
}

fn row(event: &Value) -> Value {
    let part = |key| event.str_at(&["involvedObject", key]).unwrap_or_default();
    let text = |path: &[&str]| event.str_at(path).filter(|text| !text.is_empty());
    // Which of the times is set depends on who tells it, and how.
    let time = text(&["series", "lastObservedTime"])
        .or_else(|| text(&["lastTimestamp"]))
        .or_else(|| text(&["eventTime"]))
        .or_else(|| text(&["firstTimestamp"]))
        .or_else(|| text(&["metadata", "creationTimestamp"]));
    let seconds = |time: &str| match time.parse::<Timestamp>() {
        Ok(time) => time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        Err(_) => time.to_owned(),
    };
    map! {
        "time" => time.map(seconds).unwrap_or_default(),
        "type" => text(&["type"]).unwrap_or("Normal"),
        "reason" => text(&["reason"]).unwrap_or_default(),
        "object" => format!("{}/{}", part("kind").to_lowercase(), part("name")),
        "namespace" => meta(event, "namespace"),
        "message" => text(&["message"]).unwrap_or_default(),
        "count" => event.int_at(&["series", "count"]).or(event.int_at(&["count"])).unwrap_or(1),
        "source" => text(&["source", "component"]).or_else(|| text(&["reportingComponent"])).unwrap_or_default(),
    }
}
