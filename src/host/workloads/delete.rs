//! `delete`: objects, and what they own.

use super::changes::{ERRORS, TIER, TIMEOUT};
use crate::call::{Body, Cx, Done, Function};
use crate::host::targets::{self, NAMESPACE};
use crate::map;
use crate::model::spec::{Args, Example, Group, Keep, Opt, Param, Type};
use crate::model::{Failure, Kind, Read, Spec, Tier, Value, Write};

/// The function.
pub static DELETE: Function = Function {
    spec: Spec {
        name: "delete",
        group: Group::Workloads,
        summary: "Deletes an object, or those that a selector chooses, and in the background what they own.",
        params: &[Param {
            name: "target",
            ty: Type::Target,
            required: true,
            help: "\"pod/api-7d4f\", \"configmap/x\", a selector (\"app=api\" for pods, \"job/app=import\" for jobs); workloads by kind and name",
        }],
        options: &[
            Opt { name: "grace", ty: Type::Duration, default: "", help: "how long containers have to end, in place of what the pod says" },
            Opt { name: "ignore_not_found", ty: Type::Bool, default: "false", help: "whether it is fine that there is no such object" },
            NAMESPACE,
            Opt { help: "raises the tier; what no controller makes anew is severe by itself", ..TIER },
            TIMEOUT,
        ],
        returns: "`#{ target, status }`, an array of them for a selector; `status` is `changed`, `would_change`, `unchanged` (it was not there), `skipped` or `refused`",
        tier: Tier::Moderate,
        keep: Keep::Line,
        errors: ERRORS,
        examples: &[Example {
            title: "A pod that hangs; its workload makes another",
            code: "delete(`pod/${pods(\"billing\")[0].name}`, #{ grace: \"5s\" });\nwait_ready(\"billing\");\npods(\"billing\").len()",
            result: "2",
        }],
    },
    body: Body::Change(plan, shape),
};

fn plan(args: &Args, cx: &Cx<'_>) -> Result<Vec<Write>, Failure> {
    let (target, namespace) = (args.str(0), targets::namespace(cx, args.option_str("namespace")));
    if !target.contains(['/', '=']) {
        // A service's name is not enough to delete the workload behind it.
        return Err(Failure::bad_argument(format!("{target:?} does not say what is to be deleted"))
            .on(target)
            .hint(format!("write the kind and the name: \"deployment/{target}\", \"pod/{target}\"")));
    }
    let timeout = args.option_duration("timeout").unwrap_or_default();
    let objects = targets::objects(cx, target, &namespace, timeout)?;
    if args.option_bool("ignore_not_found")
        && let [object] = objects.as_slice()
        && cx.read(&Read::Object(object.clone())).is_err_and(|failure| failure.kind == Kind::NotFound)
    {
        return Ok(Vec::new());
    }
    let grace = args.option_duration("grace");
    Ok(objects.into_iter().map(|object| Write::Delete { object, uid: None, grace, controlled: false, timeout }).collect())
}

fn shape(args: &Args, done: &[Done]) -> Value {
    let mut rows: Vec<Value> = done.iter().map(|done| map! { "target" => done.prepared.target.clone(), "status" => done.status }).collect();
    if targets::is_selector(args.str(0)) {
        return rows.into();
    }
    rows.pop().unwrap_or_else(|| map! { "target" => args.str(0), "status" => "unchanged" })
}
