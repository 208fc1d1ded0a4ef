//! `pods`: pods in few words.

use std::time::Duration;

use crate::call::{Body, Cx, Function};
use crate::host::targets::{self, NAMESPACE, meta};
use crate::map;
use crate::model::spec::{Args, Example, Group, Keep, Opt, Param, Type};
use crate::model::{Failure, Kind, Spec, Tier, Value};

/// The function.
pub static PODS: Function = Function {
    spec: Spec {
        name: "pods",
        group: Group::Workloads,
        summary: "Lists pods with their state and the workload that owns them.",
        params: &[Param {
            name: "target",
            ty: Type::Pods,
            required: false,
            help: "\"app=x\", a workload, a pod, or a service's or database's name; all pods without it",
        }],
        options: &[
            Opt { help: "another namespace than the environment's; \"*\" for all", ..NAMESPACE },
            Opt { name: "timeout", ty: Type::Duration, default: "\"30s\"", help: "the longest wait for the answer" },
        ],
        returns: "an array of `#{ name, namespace, workload, phase, ready, reason, restarts, node, ip, started }`; `reason` says why a pod is not ready",
        tier: Tier::Mild,
        keep: Keep::Line,
        errors: &[Kind::NotFound, Kind::Forbidden, Kind::Auth, Kind::Unavailable],
        examples: &[Example {
            title: "The pods that do not run, everywhere",
            code: "pods(#{ namespace: \"*\" }).filter(|pod| pod.phase != \"Running\").len()",
            result: "0",
        }],
    },
    body: Body::Read(body),
};

fn body(args: &Args, cx: &Cx<'_>) -> Result<Value, Failure> {
    let namespace = targets::namespace(cx, args.option_str("namespace"));
    let target = Some(args.str(0)).filter(|text| !text.is_empty());
    let timeout = args.option_duration("timeout").unwrap_or(Duration::from_secs(30));
    let pods = targets::pods(cx, target, &namespace, timeout)?;
    Ok(pods.iter().map(row).collect::<Vec<_>>().into())
}

/// Whether all of a pod's containers are ready.
pub(super) fn is_ready(pod: &Value) -> bool {
    let containers = pod.at(&["status", "containerStatuses"]).and_then(Value::as_list).unwrap_or_default();
    let expected = pod.at(&["spec", "containers"]).and_then(Value::as_list).map_or(containers.len(), <[Value]>::len);
    let ready = containers.iter().filter(|container| container.get("ready") == Some(&Value::Bool(true))).count();
    expected > 0 && ready == expected
}

/// A pod in few words.
pub(super) fn row(pod: &Value) -> Value {
    let containers = pod.at(&["status", "containerStatuses"]).and_then(Value::as_list).unwrap_or_default();
    let restarts: i64 = containers.iter().filter_map(|container| container.int_at(&["restartCount"])).sum();
    let waiting = containers.iter().find_map(|container| {
        container.str_at(&["state", "waiting", "reason"]).or_else(|| container.str_at(&["state", "terminated", "reason"]))
    });
    let deleting = pod.at(&["metadata", "deletionTimestamp"]).map(|_| "Terminating");
    map! {
        "name" => meta(pod, "name"),
        "namespace" => meta(pod, "namespace"),
        "workload" => targets::owner(pod),
        "phase" => pod.str_at(&["status", "phase"]).unwrap_or("Unknown"),
        "ready" => is_ready(pod),
        "reason" => deleting.or(waiting).or_else(|| pod.str_at(&["status", "reason"])).unwrap_or_default(),
        "restarts" => restarts,
        "node" => pod.str_at(&["spec", "nodeName"]).unwrap_or_default(),
        "ip" => pod.str_at(&["status", "podIP"]).unwrap_or_default(),
        "started" => pod.str_at(&["status", "startTime"]).unwrap_or_default(),
    }
}
