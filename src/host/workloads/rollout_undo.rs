//! `rollout_undo`: an earlier template of a workload.

use super::changes::{ERRORS, TIER};
use super::history::{self, Revision};
use crate::call::{Body, Cx, Done, Function};
use crate::host::targets::{self, NAMESPACE};
use crate::map;
use crate::model::operation::{PatchKind, PatchVerb};
use crate::model::spec::{Args, Example, Group, Keep, Opt, Param, Type};
use crate::model::{Failure, Kind, Read, ResourceKind, Spec, Tier, Value, Write};

/// The function.
pub static ROLLOUT_UNDO: Function = Function {
    spec: Spec {
        name: "rollout_undo",
        group: Group::Workloads,
        summary: "Rolls a workload back to an earlier template of its pods, as `kubectl rollout undo` does.",
        params: &[Param {
            name: "target",
            ty: Type::Workload,
            required: true,
            help: "a deployment, statefulset or daemonset, or a service's or database's name",
        }],
        options: &[
            Opt { name: "to_revision", ty: Type::Int(0, i64::MAX), default: "0", help: "the revision to go back to; 0 for the one before" },
            NAMESPACE,
            TIER,
            Opt {
                name: "timeout",
                ty: Type::Duration,
                default: "\"30s\"",
                help: "the longest wait for the API server, not for the pods (`wait_ready`)",
            },
        ],
        returns: "`#{ target, to_revision, before, after, status }`; `before` and `after` hold the fields of the template that change",
        tier: Tier::Moderate,
        keep: Keep::Line,
        errors: ERRORS,
        examples: &[Example {
            title: "Back to what ran before",
            code: "patch(\"deployment/billing\", #{ spec: #{ template: #{ spec: #{ containers: [#{ name: \"billing\", image: \"registry.example/billing:2\" }] } } } });\nwait_ready(\"billing\");\nlet done = rollout_undo(\"billing\");\nwait_ready(\"billing\");\ndone.after",
            result: "{\"spec.template.spec.containers[0].image\":\"registry.example/billing:1.0.0\"}",
        }],
    },
    body: Body::Change(plan, shape),
};

/// Whether a kind has a rollout to go back in.
pub fn undoable(kind: &ResourceKind, target: &str) -> Result<(), Failure> {
    match kind.singular {
        "deployment" | "statefulset" | "daemonset" => Ok(()),
        other => Err(Failure::bad_argument(format!("a {other} has no rollout to undo"))
            .on(target)
            .hint("deployments, statefulsets and daemonsets have one")),
    }
}

fn plan(args: &Args, cx: &Cx<'_>) -> Result<Vec<Write>, Failure> {
    let namespace = targets::namespace(cx, args.option_str("namespace"));
    let object = targets::workload(cx, args.str(0), &namespace)?;
    undoable(object.kind, args.str(0))?;
    let timeout = args.option_duration("timeout").unwrap_or_default();
    let current = cx.read(&Read::Object(object.clone()))?;
    if current.at(&["spec", "paused"]).and_then(Value::as_bool) == Some(true) {
        return Err(Failure::new(Kind::Conflict, format!("the rollout of {object} is paused"))
            .hint(format!("resume it first: `kubectl rollout resume {object}`")));
    }
    let revisions = history::revisions(cx, &object, &current, timeout)?;
    let wanted = args.option_int("to_revision").unwrap_or(0);
    let known = || revisions.iter().map(|revision| revision.number.to_string()).collect::<Vec<_>>().join(", ");
    // A template that was changed a moment ago, or only in the rehearsal, is in no history yet.
    let is_current = |revision: &Revision| current.at(&["spec", "template"]) == Some(&revision.template);
    let to = match (wanted, revisions.as_slice()) {
        (0, [.., last]) if !is_current(last) => last,
        (0, [.., before, _]) => before,
        (0, _) => {
            return Err(Failure::new(Kind::NotFound, format!("{object} has no earlier revision"))
                .hint(format!("`kubectl rollout history {object}` lists what there is")));
        }
        (wanted, _) => revisions.iter().find(|revision| revision.number == wanted).ok_or_else(|| {
            Failure::new(Kind::NotFound, format!("{object} has no revision {wanted}")).hint(format!("it has {}", known()))
        })?,
    };
    let Revision { number, template } = to;
    let patch = vec![map! { "op" => "replace", "path" => "/spec/template", "value" => template.clone() }];
    Ok(vec![Write::Patch {
        object,
        subresource: None,
        patch: patch.into(),
        kind: PatchKind::Json,
        verb: PatchVerb::Undo(*number),
        timeout,
    }])
}

fn shape(_: &Args, done: &[Done]) -> Value {
    let Some(Done { prepared, status, .. }) = done.first() else { return Value::Null };
    let to = match &prepared.write {
        Write::Patch { verb: PatchVerb::Undo(revision), .. } => *revision,
        _ => 0,
    };
    map! {
        "target" => prepared.target.clone(),
        "to_revision" => to,
        "before" => prepared.before.clone(),
        "after" => if *status == "skipped" { prepared.before.clone() } else { prepared.after.clone() },
        "status" => *status,
    }
}
