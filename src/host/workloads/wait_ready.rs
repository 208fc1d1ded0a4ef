//! `wait_ready`: waits for rollouts.

use std::time::Duration;

use super::rollout::{self, Rollout};
use crate::call::{Body, Cx, Function, Look};
use crate::host::targets::{self, NAMESPACE};
use crate::model::spec::{Args, Example, Group, Keep, Opt, Param, Type};
use crate::model::{Failure, Kind, Read, Spec, Tier, Value};

/// The function.
pub static WAIT_READY: Function = Function {
    spec: Spec {
        name: "wait_ready",
        group: Group::Workloads,
        summary: "Waits until the controller has seen the latest change of a workload, or of several, and every replica is updated and available.",
        params: &[Param {
            name: "target",
            ty: Type::Workloads,
            required: true,
            help: "a workload or job, a service's or database's name, or an array of them",
        }],
        options: &[
            NAMESPACE,
            Opt { name: "timeout", ty: Type::Duration, default: "\"5m\"", help: "the longest wait, for all of them together" },
            Opt { name: "interval", ty: Type::Duration, default: "\"1s\"", help: "the time between two looks" },
        ],
        returns: "the rollout as `rollout_status` answers it, or an array of them",
        tier: Tier::Mild,
        keep: Keep::Line,
        errors: &[Kind::NotFound, Kind::Forbidden, Kind::Auth, Kind::Unavailable, Kind::Failed],
        examples: &[Example {
            title: "Two at once",
            code: "wait_ready([\"auth-rbac\", \"audit-logging\"], #{ timeout: \"1m\" }).len()",
            result: "2",
        }],
    },
    body: Body::Read(body),
};

fn body(args: &Args, cx: &Cx<'_>) -> Result<Value, Failure> {
    let namespace = targets::namespace(cx, args.option_str("namespace"));
    let objects = args.strs(0).into_iter().map(|text| targets::workload(cx, text, &namespace)).collect::<Result<Vec<_>, _>>()?;
    let many = matches!(args.get(0), Some(Value::List(_)));
    let reads: Vec<Read> = objects.iter().cloned().map(Read::Object).collect();
    let what = match objects.as_slice() {
        [one] => format!("{one} was not ready"),
        several => format!("{} workloads were not ready", several.len()),
    };
    let timeout = args.option_duration("timeout").unwrap_or_default();
    let interval = args.option_duration("interval").unwrap_or_default().max(Duration::from_millis(10));
    // The first looks come quickly: most rollouts that are ready at once should cost no second.
    let mut pause = interval.min(Duration::from_millis(100));
    let mut looks = 0u32;
    let held = cx.wait(
        &what,
        timeout,
        move || {
            looks += 1;
            if looks > 3 {
                pause = (pause * 2).min(interval);
            }
            pause
        },
        || {
            let mut rollouts = Vec::with_capacity(objects.len());
            let mut missing = Vec::new();
            for (object, value) in objects.iter().zip(cx.read_all(&reads)?) {
                let value = value?;
                match rollout::judge(object, &value) {
                    Rollout::Ready => rollouts.push(rollout::describe(object, &value, Rollout::Ready)),
                    Rollout::Pending(what) => missing.push(format!("{object}: {what}")),
                    Rollout::Stuck(why) => {
                        return Err(Failure::new(Kind::Failed, format!("the rollout of {object} is stuck: {why}"))
                            .on(object.to_string())
                            .hint(format!("look at `logs(\"{object}\")` and at the pods' events")));
                    }
                }
            }
            Ok(if missing.is_empty() { Look::Done(Value::List(rollouts)) } else { Look::Pending(missing.join("; ")) })
        },
    )?;
    Ok(match held {
        Value::List(mut rollouts) if !many => rollouts.pop().unwrap_or_default(),
        other => other,
    })
}
