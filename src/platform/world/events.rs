//! The events that a cluster's controllers tell of its workloads, derived from what happened to their pods.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::cluster::{Cluster, workload_kinds};
use super::entity::Entity;
use super::life::{Life, Manner, Pod};
use super::{names, render};
use crate::map;
use crate::model::{Map, Value};

/// The API server keeps events for an hour, in microseconds.
const KEPT: i64 = 3_600_000_000;

/// Something that happened, before it is an object.
struct Told<'a> {
    at: i64,
    /// Kind and name of what it is about.
    about: (&'a str, String),
    warns: bool,
    reason: &'static str,
    message: String,
    count: i64,
    by: &'static str,
}

impl Cluster {
    /// The events of the last hour in a namespace, or everywhere, that tell of workloads and their pods.
    pub(super) fn events(&self, namespace: Option<&str>, at: i64) -> Vec<Value> {
        let mut found = Vec::new();
        for (place, _, entity) in workload_kinds().flat_map(|kind| self.entities.of_kind(kind, namespace)) {
            let Some(life) = &entity.life else { continue };
            let mut told = Vec::new();
            scalings(entity, life, at, &mut told);
            for pod in &life.pods {
                of_pod(entity, life, pod, at, &mut told);
            }
            told.retain(|told| told.at <= at && told.at >= 0 && told.at > at - KEPT);
            found.extend(told.into_iter().enumerate().map(|(number, told)| object(place, number, told, self.start)));
        }
        found
    }
}

/// What a Deployment says of its ReplicaSets.
fn scalings<'a>(entity: &'a Entity, life: &Life, at: i64, told: &mut Vec<Told<'a>>) {
    if life.manner != Manner::Rolling {
        return;
    }
    let name = &entity.reference.name;
    let mut times: BTreeMap<i64, ()> = BTreeMap::new();
    times.extend(life.pods.iter().flat_map(|pod| [(pod.made, ()), (pod.gone, ())]).filter(|(time, ())| (0..=at).contains(time)));
    for time in times.into_keys() {
        for (index, revision) in life.revisions.iter().enumerate() {
            let count = |at: i64| life.pods.iter().filter(|pod| pod.revision == index && pod.is_there(at)).count();
            let (before, after) = (count(time - 1), count(time));
            if before == after {
                continue;
            }
            let way = if after > before { "up" } else { "down" };
            told.push(Told {
                at: time,
                about: (entity.reference.kind.kind, name.clone()),
                warns: false,
                reason: "ScalingReplicaSet",
                message: format!("Scaled {way} replica set {name}-{} from {before} to {after}", revision.hash),
                count: 1,
                by: "deployment-controller",
            });
        }
    }
}

fn of_pod<'a>(entity: &'a Entity, life: &Life, pod: &Pod, at: i64, told: &mut Vec<Told<'a>>) {
    let (workload, kind) = (&entity.reference.name, entity.reference.kind.kind);
    let set = life.revisions.get(pod.revision).map_or_else(String::new, |revision| format!("{workload}-{}", revision.hash));
    let rolling = life.manner == Manner::Rolling;
    let owner = || if rolling { ("ReplicaSet", set.clone()) } else { (kind, workload.clone()) };
    let by = match (rolling, kind) {
        (true, _) => "replicaset-controller",
        (_, "DaemonSet") => "daemonset-controller",
        _ => "statefulset-controller",
    };
    let name = &pod.name;
    let plain = |at, about, reason, message, by| Told { at, about, warns: false, reason, message, count: 1, by };
    let itself = || ("Pod", name.clone());
    let (made, gone) = match kind {
        "StatefulSet" => (
            format!("create Pod {name} in StatefulSet {workload} successful"),
            format!("delete Pod {name} in StatefulSet {workload} successful"),
        ),
        _ => (format!("Created pod: {name}"), format!("Deleted pod: {name}")),
    };
    told.push(plain(pod.made, owner(), "SuccessfulCreate", made, by));
    let namespace = entity.reference.namespace.as_deref().unwrap_or_default();
    match &pod.node {
        Some(node) => {
            let message = format!("Successfully assigned {namespace}/{name} to {node}");
            told.push(plain(pod.made, itself(), "Scheduled", message, "default-scheduler"));
        }
        None => {
            let message = "no node takes the pod: none matches its node selector, or all are cordoned or not ready".to_owned();
            told.push(Told { warns: true, ..plain(pod.made.max(0), itself(), "FailedScheduling", message, "default-scheduler") });
        }
    }
    let containers = life.revisions.get(pod.revision).and_then(|revision| revision.template.at(&["spec", "containers"])?.as_list());
    let container = containers.and_then(|all| all.first()?.str_at(&["name"])).unwrap_or_default();
    if life.nature.crash && pod.node.is_some() && pod.is_there(at) {
        let (count, _) = pod.restarts(at);
        if count > 0 {
            let message = format!("Back-off restarting failed container {container} in pod {name}");
            // It is told again and again, last a moment ago.
            told.push(Told { warns: true, count, ..plain(at, itself(), "BackOff", message, "kubelet") });
        }
    } else if pod.ready != super::life::NEVER {
        told.push(plain(pod.ready, itself(), "Started", format!("Started container {container}"), "kubelet"));
    }
    if pod.gone <= at {
        told.push(plain(pod.gone, owner(), "SuccessfulDelete", gone, by));
        told.push(plain(pod.gone, itself(), "Killing", format!("Stopping container {container}"), "kubelet"));
    }
}

fn object(namespace: &str, number: usize, told: Told<'_>, start: Timestamp) -> Value {
    let (kind, name) = told.about;
    let id = format!("{name}.{:016x}", names::number(&format!("{kind}/{name}/{}/{number}/{}", told.at, told.reason)));
    let time = render::time(start, told.at);
    let mut involved = Map::new();
    involved.insert("kind".into(), kind.into());
    involved.insert("namespace".into(), namespace.into());
    involved.insert("name".into(), name.into());
    map! {
        "apiVersion" => "v1",
        "kind" => "Event",
        "metadata" => map! {
            "name" => id.as_str(),
            "namespace" => namespace,
            "uid" => names::uid("Event", namespace, &id, told.at),
            "resourceVersion" => "1000",
            "creationTimestamp" => time.as_str(),
        },
        "involvedObject" => involved,
        "reason" => told.reason,
        "message" => told.message,
        "type" => if told.warns { "Warning" } else { "Normal" },
        "count" => told.count,
        "firstTimestamp" => time.as_str(),
        "lastTimestamp" => time.as_str(),
        "source" => map! { "component" => told.by },
    }
}
