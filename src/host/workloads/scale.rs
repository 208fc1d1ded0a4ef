//! `scale`: the number of a workload's replicas.

use crate::call::{Body, Cx, Done, Function};
use crate::host::targets::{self, NAMESPACE};
use crate::map;
use crate::model::operation::{PatchKind, PatchVerb};
use crate::model::spec::{Args, Example, Group, Keep, Opt, Param, Type};
use crate::model::{Failure, Kind, ResourceKind, Spec, Tier, Value, Write};

/// The function.
pub static SCALE: Function = Function {
    spec: Spec {
        name: "scale",
        group: Group::Workloads,
        summary: "Sets the number of a workload's replicas.",
        params: &[
            Param {
                name: "target",
                ty: Type::Workload,
                required: true,
                help: "a deployment or statefulset, or a service's or database's name",
            },
            Param { name: "replicas", ty: Type::Int(0, 10_000), required: true, help: "replicas to ask for" },
        ],
        options: &[
            NAMESPACE,
            Opt {
                name: "tier",
                ty: Type::Choice(&["moderate", "severe"]),
                default: "",
                help: "raises the tier; less replicas are moderate and none at all severe by themselves",
            },
            Opt {
                name: "timeout",
                ty: Type::Duration,
                default: "\"30s\"",
                help: "the longest wait for the API server, not for the pods (`wait_ready`)",
            },
        ],
        returns: "`#{ target, before, after, status }`; `status` is `changed`, `would_change`, `unchanged`, `skipped` or `refused`",
        tier: Tier::Mild,
        keep: Keep::Line,
        errors: &[Kind::NotFound, Kind::Forbidden, Kind::NotConfirmed, Kind::Conflict, Kind::Auth, Kind::Unavailable, Kind::InDoubt],
        examples: &[Example {
            title: "More replicas, waited for",
            code: "scale(\"api-gateway\", 7);\nwait_ready(\"api-gateway\");\nget(\"deployment/api-gateway\").status.readyReplicas",
            result: "7",
        }],
    },
    body: Body::Change(plan, shape),
};

/// Whether the number of a kind's replicas is anybody's to set.
pub fn scalable(kind: &ResourceKind, target: &str) -> Result<(), Failure> {
    match kind.singular {
        "daemonset" => Err(Failure::bad_argument("a daemonset has one pod on each node and cannot be scaled")
            .on(target)
            .hint("its number of pods follows the number of nodes")),
        "job" => {
            Err(Failure::bad_argument("a job runs to its end and cannot be scaled").on(target).hint("`patch` sets its `spec.parallelism`"))
        }
        _ => Ok(()),
    }
}

fn plan(args: &Args, cx: &Cx<'_>) -> Result<Vec<Write>, Failure> {
    let namespace = targets::namespace(cx, args.option_str("namespace"));
    let object = targets::workload(cx, args.str(0), &namespace)?;
    scalable(object.kind, args.str(0))?;
    Ok(vec![Write::Patch {
        object,
        subresource: Some("scale"),
        patch: map! { "spec" => map! { "replicas" => args.int(1) } },
        kind: PatchKind::Merge,
        verb: PatchVerb::Scale,
        timeout: args.option_duration("timeout").unwrap_or_default(),
    }])
}

fn shape(_: &Args, done: &[Done]) -> Value {
    let Some(Done { prepared, status, .. }) = done.first() else { return Value::Null };
    let replicas = |fields: &Value| fields.get("spec.replicas").cloned().unwrap_or_default();
    map! {
        "target" => prepared.target.clone(),
        "before" => replicas(&prepared.before),
        "after" => if *status == "skipped" { replicas(&prepared.before) } else { replicas(&prepared.after) },
        "status" => *status,
    }
}
