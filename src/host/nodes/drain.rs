//! `drain`: a node's pods, evicted.

use std::time::Duration;

use super::cordons;
use crate::call::{Body, Cx, Done, Function};
use crate::host::targets::{self, meta};
use crate::host::workloads::changes::{ERRORS, TIER};
use crate::map;
use crate::model::operation::{Freshness, PatchVerb, Selection};
use crate::model::resource::Target;
use crate::model::spec::{Args, Example, Group, Keep, Opt, Param, Type};
use crate::model::{Failure, ObjectRef, Read, ResourceKind, Spec, Tier, Value, Write};

/// The function.
pub static DRAIN: Function = Function {
    spec: Spec {
        name: "drain",
        group: Group::Nodes,
        summary: "Cordons a node and evicts its pods, one after the other, as far as disruption budgets let them go; pods of daemonsets and mirror pods stay.",
        params: &[Param { name: "node", ty: Type::Node, required: true, help: "the node's name" }],
        options: &[
            Opt {
                name: "timeout",
                ty: Type::Duration,
                default: "\"5m\"",
                help: "the longest wait for each pod that a disruption budget holds, and for evicted pods to be gone",
            },
            Opt { name: "grace", ty: Type::Duration, default: "", help: "how long containers have to end, in place of what the pod says" },
            Opt {
                name: "delete_emptydir_data",
                ty: Type::Bool,
                default: "false",
                help: "evicts pods with an `emptyDir` too, whose data is lost",
            },
            Opt { name: "force", ty: Type::Bool, default: "false", help: "evicts pods without a controller too, which nothing makes anew" },
            Opt {
                name: "ignore_daemonsets",
                ty: Type::Bool,
                default: "true",
                help: "leaves pods of daemonsets where they are; without it they are an error",
            },
            Opt { help: "raises the tier; the eviction of a pod that nothing makes anew is severe by itself", ..TIER },
        ],
        returns: "`#{ node, cordoned, evicted, remaining, status }`; `evicted` are the pods that went, `remaining` those of them that were not gone in time; `status` is `changed`, `would_change`, `unchanged`, `skipped` or `refused`",
        tier: Tier::Moderate,
        keep: Keep::Line,
        errors: ERRORS,
        examples: &[Example {
            title: "A node that is to be repaired",
            code: "let done = drain(\"gpu-1\");\n[done.cordoned, done.remaining, pods(#{ namespace: \"*\" }).filter(|pod| pod.node == \"gpu-1\").len()]",
            result: "[\"changed\",[],0]",
        }],
    },
    body: Body::Change(plan, shape),
};

/// What becomes of a pod of the node.
enum Fate {
    Evicted,
    Stays,
    /// Its eviction needs an option; this is why, and which.
    Refused(&'static str, &'static str),
}

fn plan(args: &Args, cx: &Cx<'_>) -> Result<Vec<Write>, Failure> {
    let timeout = args.option_duration("timeout").unwrap_or(Duration::from_secs(300));
    let (Target::Bare(name) | Target::Object(_, name)) = targets::of_node(args.str(0))? else {
        return Err(Failure::bad_argument("one node is drained at a time")
            .on(args.str(0))
            .hint("`for node in nodes(SELECTOR) { drain(node.name); }` drains one after the other"));
    };
    let node = ObjectRef::new(ResourceKind::named("node")?, "", &name);
    let kind = ResourceKind::named("pod")?;
    let on_it = Selection {
        kind,
        namespace: None,
        selector: None,
        fields: vec![("spec.nodeName", name)],
        freshness: Freshness::Now,
        timeout: Duration::from_secs(30),
    };
    let mut answers = cx.read_all(&[Read::Object(node.clone()), Read::Objects(on_it)])?.into_iter();
    let mut next = || answers.next().unwrap_or(Ok(Value::Null));
    next()?;
    let found = next()?;
    let (mut pods, mut refused) = (Vec::new(), Vec::new());
    for pod in found.as_list().unwrap_or_default() {
        match fate(pod, args) {
            Fate::Evicted => pods.push(ObjectRef::new(kind, meta(pod, "namespace"), meta(pod, "name"))),
            Fate::Stays => {}
            Fate::Refused(why, option) => refused.push((format!("{}/{}", meta(pod, "namespace"), meta(pod, "name")), why, option)),
        }
    }
    if let Some((_, why, option)) = refused.first() {
        let names: Vec<&str> = refused.iter().filter(|(.., other)| other == option).map(|(name, ..)| name.as_str()).collect();
        return Err(Failure::bad_argument(format!("{node} cannot be drained: {why}: {}", names.join(", ")))
            .on(node.to_string())
            .hint(format!("`{option}` evicts them too; nothing was changed")));
    }
    let mut writes = vec![cordons::write(node, PatchVerb::Cordon, Duration::from_secs(30))];
    let last = pods.len().saturating_sub(1);
    for (number, object) in pods.iter().enumerate() {
        let then_gone = if number == last { pods.clone() } else { Vec::new() };
        let grace = args.option_duration("grace");
        writes.push(Write::Evict { object: object.clone(), uid: None, grace, controlled: false, then_gone, timeout });
    }
    Ok(writes)
}

/// What becomes of a pod, by the rules of `kubectl drain`.
fn fate(pod: &Value, args: &Args) -> Fate {
    let owners = pod.at(&["metadata", "ownerReferences"]).and_then(Value::as_list).unwrap_or_default();
    let controller = owners.iter().find(|owner| owner.get("controller").and_then(Value::as_bool) == Some(true));
    if pod.at(&["metadata", "annotations", "kubernetes.io/config.mirror"]).is_some() || pod.at(&["metadata", "deletionTimestamp"]).is_some()
    {
        return Fate::Stays;
    }
    if matches!(pod.str_at(&["status", "phase"]), Some("Succeeded" | "Failed")) {
        return Fate::Evicted;
    }
    match controller.and_then(|owner| owner.str_at(&["kind"])) {
        Some("DaemonSet") if args.option_bool("ignore_daemonsets") => return Fate::Stays,
        Some("DaemonSet") => return Fate::Refused("there are pods of daemonsets", "ignore_daemonsets: true"),
        None if !args.option_bool("force") => return Fate::Refused("there are pods that no controller makes anew", "force: true"),
        _ => {}
    }
    let volumes = pod.at(&["spec", "volumes"]).and_then(Value::as_list).unwrap_or_default();
    if volumes.iter().any(|volume| volume.get("emptyDir").is_some()) && !args.option_bool("delete_emptydir_data") {
        return Fate::Refused("there are pods with data in an emptyDir", "delete_emptydir_data: true");
    }
    Fate::Evicted
}

fn shape(_: &Args, done: &[Done]) -> Value {
    let Some((cordon, evictions)) = done.split_first() else { return Value::Null };
    let went = evictions.iter().filter(|done| matches!(done.status, "changed" | "would_change"));
    let pods: Vec<Value> = went.map(|done| done.prepared.target.clone().into()).collect();
    let remaining = evictions.iter().filter_map(|done| done.answer.as_ref()?.value.get("remaining")?.as_list());
    let statuses = || done.iter().map(|done| done.status);
    // Of several words the one that says the most.
    let status = ["refused", "skipped", "changed", "would_change"].into_iter().find(|word| statuses().any(|status| status == *word));
    map! {
        "node" => cordon.prepared.write.object().map(|node| node.name.clone()),
        "cordoned" => cordon.status,
        "evicted" => pods,
        "remaining" => remaining.flatten().cloned().collect::<Vec<_>>(),
        "status" => status.unwrap_or("unchanged"),
    }
}
