//! Objects as the API server returns them, rendered from a workload's life at a time.

use jiff::{SignedDuration, Timestamp};

use super::entity::{Edit, Entity, Shown, edited};
use super::life::{Life, Manner, NEVER, Pod};
use super::names;
use crate::map;
use crate::model::{Map, Value};

/// How long a rollout may stand still before it counts as failed, as a Deployment's default has it.
const DEADLINE: i64 = 600_000_000;

/// A time of the world as Kubernetes writes it.
pub(super) fn time(start: Timestamp, at: i64) -> String {
    let time = start.checked_add(SignedDuration::from_micros(at)).unwrap_or(start);
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The object of an entity at a time, with its status.
pub(super) fn object(entity: &Entity, at: i64) -> Shown {
    let (mut from, mut until) = entity.between(at);
    let mut value = entity.object_at(at).clone();
    if let Some(life) = &entity.life {
        let (changed, next) = life.between(at);
        (from, until) = (from.max(changed), until.min(next));
        match life.manner {
            Manner::Rolling => {
                let deadline = from.saturating_add(DEADLINE);
                let number = life.revisions.get(life.revision_at(at)).map_or(1, |revision| revision.number);
                value.set(&["metadata", "annotations", "deployment.kubernetes.io/revision"], number.to_string().into());
                let (status, complete) = deployment_status(&value, life, at, at >= deadline);
                value.set(&["status"], status);
                match (complete, at >= deadline) {
                    (true, _) => {}
                    (false, true) => from = deadline,
                    (false, false) => until = until.min(deadline),
                }
            }
            Manner::Everywhere => {
                let status = daemonset_status(&value, life, at);
                value.set(&["status"], status);
            }
            Manner::Ordered => {
                let status = statefulset_status(&value, life, at);
                value.set(&["status"], status);
            }
        }
    }
    Shown { from, until, value }
}

struct Counts {
    wanted: i64,
    all: i64,
    updated: i64,
    ready: i64,
    updated_ready: i64,
}

fn counts(object: &Value, life: &Life, at: i64) -> Counts {
    let revision = life.revision_at(at);
    let wanted = object.int_at(&["spec", "replicas"]).unwrap_or(1);
    let mut counts = Counts { wanted, all: 0, updated: 0, ready: 0, updated_ready: 0 };
    for pod in life.pods_at(at) {
        let (updated, ready) = (i64::from(pod.revision == revision), i64::from(pod.is_ready(at)));
        counts.all += 1;
        counts.updated += updated;
        counts.ready += ready;
        counts.updated_ready += updated * ready;
    }
    counts
}

fn condition(kind: &str, holds: bool, reason: &str) -> Value {
    map! { "type" => kind, "status" => if holds { "True" } else { "False" }, "reason" => reason }
}

fn condition_saying(kind: &str, holds: bool, reason: &str, message: String) -> Value {
    let mut condition = condition(kind, holds, reason);
    condition.set(&["message"], message.into());
    condition
}

/// A Deployment's status; the API leaves out counts that are zero.
fn deployment_status(object: &Value, life: &Life, at: i64, overdue: bool) -> (Value, bool) {
    let counts = counts(object, life, at);
    let complete = counts.updated_ready == counts.wanted && counts.all == counts.wanted;
    let available = counts.ready >= counts.wanted - counts.wanted / 4;
    let mut status = Map::new();
    status.insert("observedGeneration".into(), object.int_at(&["metadata", "generation"]).unwrap_or(1).into());
    for (key, count) in [
        ("replicas", counts.all),
        ("updatedReplicas", counts.updated),
        ("readyReplicas", counts.ready),
        ("availableReplicas", counts.ready),
        ("unavailableReplicas", counts.wanted.max(counts.all) - counts.ready),
    ] {
        if count > 0 {
            status.insert(key.into(), count.into());
        }
    }
    let hash = life.revisions.get(life.revision_at(at)).map(|revision| revision.hash.as_str()).unwrap_or_default();
    let set = format!("ReplicaSet \"{}-{hash}\"", object.str_at(&["metadata", "name"]).unwrap_or_default());
    let progressing = match (complete, overdue) {
        (true, _) => condition_saying("Progressing", true, "NewReplicaSetAvailable", format!("{set} has successfully progressed.")),
        (false, true) => condition_saying("Progressing", false, "ProgressDeadlineExceeded", format!("{set} has timed out progressing.")),
        (false, false) => condition_saying("Progressing", true, "ReplicaSetUpdated", format!("{set} is progressing.")),
    };
    let (reason, has) = if available { ("MinimumReplicasAvailable", "has") } else { ("MinimumReplicasUnavailable", "does not have") };
    let available = condition_saying("Available", available, reason, format!("Deployment {has} minimum availability."));
    status.insert("conditions".into(), vec![available, progressing].into());
    (Value::Map(status), complete)
}

/// A StatefulSet's status; `replicas` and `availableReplicas` are always there.
fn statefulset_status(object: &Value, life: &Life, at: i64) -> Value {
    let counts = counts(object, life, at);
    let update = life.revision_at(at);
    let complete = counts.updated_ready == counts.wanted && counts.all == counts.wanted;
    let current = if complete { update } else { life.revision_before(at) };
    let current_count = life.pods_at(at).filter(|pod| pod.revision == current).count() as i64;
    let name = |revision: usize| {
        let hash = life.revisions.get(revision).map(|revision| revision.hash.as_str()).unwrap_or_default();
        format!("{}-{hash}", object.str_at(&["metadata", "name"]).unwrap_or_default())
    };
    let mut status = Map::new();
    status.insert("observedGeneration".into(), object.int_at(&["metadata", "generation"]).unwrap_or(1).into());
    status.insert("replicas".into(), counts.all.into());
    status.insert("availableReplicas".into(), counts.ready.into());
    status.insert("currentRevision".into(), name(current).into());
    status.insert("updateRevision".into(), name(update).into());
    for (key, count) in [("readyReplicas", counts.ready), ("currentReplicas", current_count), ("updatedReplicas", counts.updated)] {
        if count > 0 {
            status.insert(key.into(), count.into());
        }
    }
    Value::Map(status)
}

/// A DaemonSet's status; what is scheduled and ready is always there.
fn daemonset_status(object: &Value, life: &Life, at: i64) -> Value {
    let counts = counts(object, life, at);
    let mut status = Map::new();
    status.insert("observedGeneration".into(), object.int_at(&["metadata", "generation"]).unwrap_or(1).into());
    for (key, count) in [
        ("currentNumberScheduled", counts.all),
        ("desiredNumberScheduled", counts.all),
        ("numberMisscheduled", 0),
        ("numberReady", counts.ready),
    ] {
        status.insert(key.into(), count.into());
    }
    for (key, count) in
        [("updatedNumberScheduled", counts.updated), ("numberAvailable", counts.ready), ("numberUnavailable", counts.all - counts.ready)]
    {
        if count > 0 {
            status.insert(key.into(), count.into());
        }
    }
    Value::Map(status)
}

/// The one owner, which is the controller too.
pub(super) fn owner(object: &Value, kind: &str, name: &str, uid: String) -> Value {
    let api_version = object.str_at(&["apiVersion"]).unwrap_or("apps/v1");
    vec![map! {
        "apiVersion" => api_version, "kind" => kind, "name" => name, "uid" => uid, "controller" => true, "blockOwnerDeletion" => true,
    }]
    .into()
}

/// A pod of a workload at a time, with patches made to the pod itself on top.
pub(super) fn pod(entity: &Entity, life: &Life, pod: &Pod, at: i64, start: Timestamp, edits: &[Edit]) -> Shown {
    let workload = entity.object_at(at);
    let namespace = entity.reference.namespace.as_deref().unwrap_or_default();
    let Some(revision) = life.revisions.get(pod.revision) else { return Shown { from: at, until: at, value: Value::Null } };
    let (mut from, mut until) = (pod.made, pod.gone);
    if pod.ready <= at {
        from = from.max(pod.ready);
    } else {
        until = until.min(pod.ready);
    }
    let crashing = life.nature.crash && pod.node.is_some();
    let (restarts, next) = if crashing { pod.restarts(at) } else { (0, NEVER) };
    if crashing {
        // An earlier count of restarts held before; what is rendered now is kept for later times only.
        (from, until) = (at, until.min(next));
    }
    let ready = pod.is_ready(at);

    let mut labels = revision.template.at(&["metadata", "labels"]).and_then(Value::as_map).cloned().unwrap_or_default();
    let set = format!("{}-{}", entity.reference.name, revision.hash);
    let owners = match life.manner {
        Manner::Rolling => {
            labels.insert("pod-template-hash".into(), revision.hash.as_str().into());
            owner(workload, "ReplicaSet", &set, names::uid("ReplicaSet", namespace, &set, 0))
        }
        Manner::Everywhere => {
            labels.insert("controller-revision-hash".into(), revision.hash.as_str().into());
            let uid = workload.str_at(&["metadata", "uid"]).unwrap_or_default().to_owned();
            owner(workload, entity.reference.kind.kind, &entity.reference.name, uid)
        }
        Manner::Ordered => {
            labels.insert("controller-revision-hash".into(), set.as_str().into());
            labels.insert("statefulset.kubernetes.io/pod-name".into(), pod.name.as_str().into());
            let uid = workload.str_at(&["metadata", "uid"]).unwrap_or_default().to_owned();
            owner(workload, entity.reference.kind.kind, &entity.reference.name, uid)
        }
    };
    let generate = if life.manner == Manner::Rolling { format!("{set}-") } else { format!("{}-", entity.reference.name) };
    let mut metadata = map! {
        "name" => pod.name.as_str(),
        "generateName" => generate,
        "namespace" => namespace,
        "uid" => names::uid("Pod", namespace, &pod.name, pod.made),
        "resourceVersion" => (1000 + restarts * 2 + i64::from(ready)).to_string(),
        "creationTimestamp" => time(start, pod.made),
        "labels" => labels,
        "ownerReferences" => owners,
    };
    if let Some(annotations) = revision.template.at(&["metadata", "annotations"]) {
        metadata.set(&["annotations"], annotations.clone());
    }
    let mut spec = revision.template.get("spec").cloned().unwrap_or_default();
    if let Some(node) = &pod.node {
        spec.set(&["nodeName"], node.as_str().into());
    }
    let status = pod_status(&spec, pod, at, start, restarts, crashing);
    let mut value = map! { "apiVersion" => "v1", "kind" => "Pod", "metadata" => metadata, "spec" => spec, "status" => status };
    for edit in edits.iter().filter(|edit| edit.at >= pod.made) {
        if edit.at > at {
            until = until.min(edit.at);
            break;
        }
        from = from.max(edit.at);
        value = edited(&value, edit);
    }
    Shown { from, until, value }
}

fn pod_status(spec: &Value, pod: &Pod, at: i64, start: Timestamp, restarts: i64, crashing: bool) -> Value {
    let ready = pod.is_ready(at);
    let scheduled = pod.node.is_some();
    let state = match (ready, crashing) {
        (true, _) => map! { "running" => map! { "startedAt" => time(start, pod.ready) } },
        (false, true) => {
            map! { "waiting" => map! { "reason" => "CrashLoopBackOff", "message" => "back-off restarting failed container" } }
        }
        (false, false) => map! { "waiting" => map! { "reason" => "ContainerCreating" } },
    };
    let yes = |holds: bool| if holds { "True" } else { "False" };
    let plain = |kind: &str, holds: bool| map! { "type" => kind, "status" => yes(holds) };
    let scheduling = if scheduled { plain("PodScheduled", true) } else { condition("PodScheduled", false, "Unschedulable") };
    let mut status = map! {
        "phase" => if ready || crashing { "Running" } else { "Pending" },
        "conditions" => vec![scheduling, plain("Initialized", scheduled), plain("ContainersReady", ready), plain("Ready", ready)],
    };
    let Some(node) = &pod.node else { return status };
    let containers = spec.get("containers").and_then(Value::as_list).unwrap_or_default();
    let statuses: Vec<Value> = containers
        .iter()
        .map(|container| {
            let text = |key| container.str_at(&[key]).unwrap_or_default();
            map! {
                "name" => text("name"), "image" => text("image"), "ready" => ready, "started" => ready,
                "restartCount" => restarts, "state" => state.clone(),
            }
        })
        .collect();
    status.set(&["containerStatuses"], statuses.into());
    status.set(&["startTime"], time(start, pod.made).into());
    status.set(&["hostIP"], node_address(node).into());
    if ready || crashing {
        let number = names::number(&pod.name);
        status.set(&["podIP"], format!("10.244.{}.{}", number % 250, number / 250 % 250 + 2).into());
    }
    status
}

/// A node's address within the cluster.
pub(super) fn node_address(node: &str) -> String {
    format!("10.0.0.{}", names::number(node) % 250 + 2)
}

/// The ReplicaSets of a Deployment at a time, in the order of their revisions.
pub(super) fn replica_sets(entity: &Entity, life: &Life, at: i64, start: Timestamp) -> Vec<Value> {
    let workload = entity.object_at(at);
    let namespace = entity.reference.namespace.as_deref().unwrap_or_default();
    let made = |revision: usize| life.pods.iter().filter(|pod| pod.revision == revision).map(|pod| pod.made).min();
    let wanted = life.revision_at(at);
    let mut sets = Vec::new();
    for (index, revision) in life.revisions.iter().enumerate() {
        let began = if index == 0 { super::life::BEFORE } else { made(index).unwrap_or(at) };
        if began > at && index != wanted {
            continue;
        }
        let name = format!("{}-{}", entity.reference.name, revision.hash);
        let pods: Vec<&Pod> = life.pods_at(at).filter(|pod| pod.revision == index).collect();
        let ready = pods.iter().filter(|pod| pod.is_ready(at)).count() as i64;
        let mut labels = revision.template.at(&["metadata", "labels"]).cloned().unwrap_or_default();
        labels.set(&["pod-template-hash"], revision.hash.as_str().into());
        let mut template = revision.template.clone();
        template.set(&["metadata", "labels"], labels.clone());
        let uid = workload.str_at(&["metadata", "uid"]).unwrap_or_default().to_owned();
        let mut status = map! { "replicas" => pods.len() as i64, "observedGeneration" => 1 };
        if ready > 0 {
            status.set(&["readyReplicas"], ready.into());
            status.set(&["availableReplicas"], ready.into());
        }
        sets.push(map! {
            "apiVersion" => "apps/v1",
            "kind" => "ReplicaSet",
            "metadata" => map! {
                "name" => name.as_str(),
                "namespace" => namespace,
                "uid" => names::uid("ReplicaSet", namespace, &name, 0),
                "resourceVersion" => "1000",
                "generation" => 1,
                "creationTimestamp" => time(start, began),
                "labels" => labels.clone(),
                "annotations" => map! { "deployment.kubernetes.io/revision" => revision.number.to_string() },
                "ownerReferences" => owner(workload, entity.reference.kind.kind, &entity.reference.name, uid),
            },
            "spec" => map! {
                "replicas" => pods.len() as i64, "selector" => map! { "matchLabels" => labels }, "template" => template,
            },
            "status" => status,
        });
    }
    sets
}
