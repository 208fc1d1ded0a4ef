//! `restart`: a rolling restart.

use crate::call::{Body, Cx, Done, Function};
use crate::host::targets::{self, NAMESPACE};
use crate::map;
use crate::model::operation::{PatchKind, PatchVerb};
use crate::model::spec::{Args, Example, Group, Keep, Opt, Param, Type};
use crate::model::{Failure, Kind, ResourceKind, Spec, Tier, Value, Write};

/// The function.
pub static RESTART: Function = Function {
    spec: Spec {
        name: "restart",
        group: Group::Workloads,
        summary: "Restarts a workload's pods one after the other, as `kubectl rollout restart` does.",
        params: &[Param {
            name: "target",
            ty: Type::Workload,
            required: true,
            help: "a deployment, statefulset or daemonset, or a service's or database's name",
        }],
        options: &[
            NAMESPACE,
            Opt { name: "tier", ty: Type::Choice(&["moderate", "severe"]), default: "", help: "raises the tier" },
            Opt {
                name: "timeout",
                ty: Type::Duration,
                default: "\"30s\"",
                help: "the longest wait for the API server, not for the pods (`wait_ready`)",
            },
        ],
        returns: "`#{ target, restarted_at, status }`",
        tier: Tier::Moderate,
        keep: Keep::Line,
        errors: &[Kind::NotFound, Kind::Forbidden, Kind::NotConfirmed, Kind::Conflict, Kind::Auth, Kind::Unavailable, Kind::InDoubt],
        examples: &[Example {
            title: "A restart, waited for",
            code: "restart(\"auth-rbac\");\nwait_ready(\"auth-rbac\");\nrollout_status(\"auth-rbac\").ready",
            result: "true",
        }],
    },
    body: Body::Change(plan, shape),
};

/// The annotation on the pod template that `kubectl rollout restart` sets.
const ANNOTATION: &str = "kubectl.kubernetes.io/restartedAt";

/// Whether a kind has a rollout to restart.
pub fn restartable(kind: &ResourceKind, target: &str) -> Result<(), Failure> {
    match kind.singular {
        "replicaset" => {
            Err(Failure::bad_argument("a replicaset has no rollout to restart").on(target).hint("restart the deployment that owns it"))
        }
        "job" => Err(Failure::bad_argument("a job has no rollout to restart").on(target).hint("delete it, and make it anew")),
        _ => Ok(()),
    }
}

fn plan(args: &Args, cx: &Cx<'_>) -> Result<Vec<Write>, Failure> {
    let namespace = targets::namespace(cx, args.option_str("namespace"));
    let object = targets::workload(cx, args.str(0), &namespace)?;
    restartable(object.kind, args.str(0))?;
    let now = cx.clock().now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let mut patch = Value::Null;
    patch.set(&["spec", "template", "metadata", "annotations", ANNOTATION], now.into());
    Ok(vec![Write::Patch {
        object,
        subresource: None,
        patch,
        kind: PatchKind::Merge,
        verb: PatchVerb::Restart,
        timeout: args.option_duration("timeout").unwrap_or_default(),
    }])
}

fn shape(_: &Args, done: &[Done]) -> Value {
    let Some(Done { prepared, status, .. }) = done.first() else { return Value::Null };
    let at = prepared.after.as_map().and_then(|fields| fields.values().next()).cloned();
    map! { "target" => prepared.target.clone(), "restarted_at" => at, "status" => *status }
}
