//! `rollout_status`: how far a rollout has come, now.

use super::rollout;
use crate::call::{Body, Cx, Function};
use crate::host::targets::{self, NAMESPACE};
use crate::model::spec::{Args, Example, Group, Keep, Param, Type};
use crate::model::{Failure, Kind, Read, Spec, Tier, Value};

/// The function.
pub static ROLLOUT_STATUS: Function = Function {
    spec: Spec {
        name: "rollout_status",
        group: Group::Workloads,
        summary: "Says how far a workload's rollout has come, without waiting.",
        params: &[Param {
            name: "target",
            ty: Type::Workload,
            required: true,
            help: "a workload or job, or a service's or database's name",
        }],
        options: &[NAMESPACE],
        returns: "`#{ target, ready, message, replicas, updated, ready_replicas, available }`",
        tier: Tier::Mild,
        keep: Keep::Line,
        errors: &[Kind::NotFound, Kind::Forbidden, Kind::Auth, Kind::Unavailable],
        examples: &[Example {
            title: "Whether a rollout is through",
            code: "rollout_status(\"api-gateway\").message",
            result: "\"ready\"",
        }],
    },
    body: Body::Read(body),
};

fn body(args: &Args, cx: &Cx<'_>) -> Result<Value, Failure> {
    let namespace = targets::namespace(cx, args.option_str("namespace"));
    let object = targets::workload(cx, args.str(0), &namespace)?;
    let value = cx.read(&Read::Object(object.clone()))?;
    Ok(rollout::describe(&object, &value, rollout::judge(&object, &value)))
}
