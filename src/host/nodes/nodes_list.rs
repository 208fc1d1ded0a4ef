//! `nodes`: nodes in few words.

use std::time::Duration;

use crate::call::{Body, Cx, Function};
use crate::host::targets::{self, meta};
use crate::map;
use crate::model::operation::{Freshness, Selection};
use crate::model::resource::Target;
use crate::model::spec::{Args, Example, Group, Keep, Opt, Param, Type};
use crate::model::{Failure, Kind, ObjectRef, Read, ResourceKind, Spec, Tier, Value};

/// The function.
pub static NODES: Function = Function {
    spec: Spec {
        name: "nodes",
        group: Group::Nodes,
        summary: "Lists nodes with their state.",
        params: &[Param {
            name: "target",
            ty: Type::Node,
            required: false,
            help: "a node's name, or labels: \"node-type=gpu\"; all nodes without it",
        }],
        options: &[Opt { name: "timeout", ty: Type::Duration, default: "\"30s\"", help: "the longest wait for the answer" }],
        returns: "an array of `#{ name, ready, schedulable, reason, version, cpu, memory, labels, taints }`; `reason` says why a node is not ready",
        tier: Tier::Mild,
        keep: Keep::Line,
        errors: &[Kind::NotFound, Kind::Forbidden, Kind::Auth, Kind::Unavailable],
        examples: &[
            Example { title: "Whether every node is ready", code: "nodes().all(|node| node.ready)", result: "true" },
            Example { title: "The GPU nodes", code: "nodes(\"node-type=gpu\").len()", result: "1" },
        ],
    },
    body: Body::Read(body),
};

fn body(args: &Args, cx: &Cx<'_>) -> Result<Value, Failure> {
    let kind = ResourceKind::named("node")?;
    let timeout = args.option_duration("timeout").unwrap_or(Duration::from_secs(30));
    let select =
        |selector| Read::Objects(Selection { kind, namespace: None, selector, fields: Vec::new(), freshness: Freshness::Now, timeout });
    let read = match Some(args.str(0)).filter(|text| !text.is_empty()).map(targets::of_node).transpose()? {
        None => select(None),
        Some(Target::Selector(_, selector)) => select(Some(selector)),
        Some(Target::Bare(name) | Target::Object(_, name)) => Read::Object(ObjectRef::new(kind, "", &name)),
    };
    let nodes = match cx.read(&read)? {
        Value::List(nodes) => nodes,
        one => vec![one],
    };
    Ok(nodes.iter().map(row).collect::<Vec<_>>().into())
}

fn row(node: &Value) -> Value {
    let conditions = node.at(&["status", "conditions"]).and_then(Value::as_list).unwrap_or_default();
    let ready = conditions.iter().find(|condition| condition.str_at(&["type"]) == Some("Ready"));
    let is_ready = ready.and_then(|condition| condition.str_at(&["status"])) == Some("True");
    let reason = ready.filter(|_| !is_ready).and_then(|condition| condition.str_at(&["message"]).or_else(|| condition.str_at(&["reason"])));
    let text = |path: &[&str]| node.str_at(path).unwrap_or_default().to_owned();
    map! {
        "name" => meta(node, "name"),
        "ready" => is_ready,
        "schedulable" => node.at(&["spec", "unschedulable"]) != Some(&Value::Bool(true)),
        "reason" => reason.unwrap_or_default(),
        "version" => text(&["status", "nodeInfo", "kubeletVersion"]),
        "cpu" => text(&["status", "allocatable", "cpu"]),
        "memory" => text(&["status", "allocatable", "memory"]),
        "labels" => node.at(&["metadata", "labels"]).cloned().unwrap_or_default(),
        "taints" => node.at(&["spec", "taints"]).cloned().unwrap_or_else(|| Vec::new().into()),
    }
}
