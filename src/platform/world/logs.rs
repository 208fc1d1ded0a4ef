//! Logs and metrics of a world's pods.

use jiff::{SignedDuration, Timestamp};

use super::cluster::Cluster;
use super::life::{Life, Pod};
use super::source;
use crate::map;
use crate::model::operation::{LogQuery, Selection};
use crate::model::{Failure, ObjectRef, ResourceKind, Value};

/// Pause between the lines that a pod logs at once, in microseconds.
const BETWEEN: i64 = 1_000;

/// Log lines of pods: `#{ time, pod, container, line }`, oldest first. A pod that has not started has none.
pub(super) fn lines(cluster: &mut Cluster, query: &LogQuery, at: i64) -> Result<Vec<Value>, Failure> {
    let grep = query.grep.as_deref().map(source::regex).transpose();
    let grep = grep.map_err(|message| Failure::bad_argument(format!("`grep`: {message}")))?;
    let start = cluster.start;
    let mut found: Vec<(i64, Value)> = Vec::new();
    for name in &query.pods {
        let Some((life, pod)) = cluster.pod(&query.namespace, name, at) else {
            return Err(cluster.not_found(&ObjectRef::new(ResourceKind::named("pod")?, &query.namespace, name), at));
        };
        let containers = containers(life, pod);
        let container = match &query.container {
            Some(wanted) if !containers.contains(&wanted.as_str()) => {
                let failure = Failure::bad_argument(format!("container {wanted} is not valid for pod {name}"));
                return Err(failure.hint(format!("containers: {}", containers.join(", "))).on(format!("pod/{name}")));
            }
            Some(wanted) => wanted.as_str(),
            None => containers.first().copied().unwrap_or_default(),
        };
        let mut of_pod = match query.previous {
            false => written(life, pod, at),
            true => previous(life, pod, container, at)?,
        };
        if let Some(since) = query.since {
            let from = at.saturating_sub(i64::try_from(since.as_micros()).unwrap_or(i64::MAX));
            of_pod.retain(|(time, _)| *time >= from);
        }
        let skipped = query.tail.map_or(0, |tail| of_pod.len().saturating_sub(usize::try_from(tail).unwrap_or(usize::MAX)));
        let chosen = of_pod.into_iter().skip(skipped).filter(|(_, line)| grep.as_ref().is_none_or(|grep| grep.is_match(line)));
        found.extend(chosen.map(|(time, line)| {
            let value = map! { "time" => nanos(start, time), "pod" => name.as_str(), "container" => container, "line" => line };
            (time, value)
        }));
    }
    found.sort_by_key(|(time, _)| *time);
    Ok(found.into_iter().map(|(_, line)| line).collect())
}

fn nanos(start: Timestamp, at: i64) -> String {
    let time = start.checked_add(SignedDuration::from_micros(at)).unwrap_or(start);
    time.strftime("%Y-%m-%dT%H:%M:%S.%9fZ").to_string()
}

fn containers<'a>(life: &'a Life, pod: &Pod) -> Vec<&'a str> {
    let containers = life.revisions.get(pod.revision).and_then(|revision| revision.template.at(&["spec", "containers"]));
    containers.and_then(Value::as_list).into_iter().flatten().filter_map(|container| container.str_at(&["name"])).collect()
}

/// The lines of a pod's present container up to a time. Pods that were there before the world began have logged the
/// untimed lines just before; timed ones count from the world's beginning then.
fn written<'a>(life: &'a Life, pod: &Pod, at: i64) -> Vec<(i64, &'a str)> {
    let old = pod.made < 0;
    let began = match (life.nature.crash, old) {
        (_, true) => 0,
        (true, false) => pod.made + BETWEEN,
        (false, false) => pod.ready,
    };
    if pod.node.is_none() || began > at {
        return Vec::new();
    }
    let logs = &life.nature.logs;
    let untimed = logs.iter().filter(|line| line.after.is_none()).count() as i64;
    let mut number = if old { -untimed } else { 0 };
    let mut lines: Vec<(i64, &str)> = Vec::with_capacity(logs.len());
    for line in logs {
        let offset = match line.after {
            Some(after) => i64::try_from(after.as_micros()).unwrap_or(i64::MAX / 4),
            None => {
                number += 1;
                (number - 1) * BETWEEN
            }
        };
        lines.push((began.saturating_add(offset), line.line.as_str()));
    }
    lines.retain(|(time, _)| *time <= at);
    lines.sort_by_key(|(time, _)| *time);
    lines
}

/// What the container had logged before it crashed last: the untimed lines.
fn previous<'a>(life: &'a Life, pod: &Pod, container: &str, at: i64) -> Result<Vec<(i64, &'a str)>, Failure> {
    let restarts = if life.nature.crash { pod.restarts(at).0 } else { 0 };
    if restarts == 0 {
        let text = format!("previous terminated container {container:?} in pod {:?} not found", pod.name);
        return Err(Failure::bad_argument(text).on(format!("pod/{}", pod.name)));
    }
    let untimed = life.nature.logs.iter().filter(|line| line.after.is_none());
    Ok(untimed.zip(0..).map(|(line, number)| (pod.made + number * BETWEEN, line.line.as_str())).collect())
}

/// What the Ready pods of a selection use: `#{ pod, namespace, containers: [#{ name, cpu_millicores, memory_bytes }] }`.
pub(super) fn metrics(cluster: &mut Cluster, selection: &Selection, at: i64) -> Result<Vec<Value>, Failure> {
    let pods = Selection { kind: ResourceKind::named("pod")?, ..selection.clone() };
    let pods = cluster.list(&pods, at)?;
    let mut found = Vec::with_capacity(pods.len());
    for object in &pods {
        let (Some(namespace), Some(name)) = (object.str_at(&["metadata", "namespace"]), object.str_at(&["metadata", "name"])) else {
            continue;
        };
        let Some((life, pod)) = cluster.pod(namespace, name, at).filter(|(_, pod)| pod.is_ready(at)) else { continue };
        let names = containers(life, pod);
        let share = names.len().max(1) as i64;
        let containers: Vec<Value> = names
            .iter()
            .map(|name| {
                let (cpu, memory) = (life.nature.cpu_millicores / share, life.nature.memory_bytes / share);
                map! { "name" => *name, "cpu_millicores" => cpu, "memory_bytes" => memory }
            })
            .collect();
        found.push(map! { "pod" => name, "namespace" => namespace, "containers" => containers });
    }
    Ok(found)
}

/// What nodes use: the sum of their Ready pods' usage, as `#{ node, cpu_millicores, memory_bytes }` by node.
pub(super) fn node_metrics(cluster: &mut Cluster, selection: &Selection, at: i64) -> Result<Vec<Value>, Failure> {
    let every = |kind: &str, selector| -> Result<Selection, Failure> {
        Ok(Selection { kind: ResourceKind::named(kind)?, namespace: None, selector, ..selection.clone() })
    };
    let nodes = cluster.list(&every("node", selection.selector.clone())?, at)?;
    let pods = cluster.list(&every("pod", None)?, at)?;
    let mut found = Vec::with_capacity(nodes.len());
    for node in &nodes {
        let name = node.str_at(&["metadata", "name"]).unwrap_or_default();
        let (mut cpu, mut memory) = (0, 0);
        for pod in pods.iter().filter(|pod| pod.str_at(&["spec", "nodeName"]) == Some(name)) {
            let part = |key| pod.str_at(&["metadata", key]).unwrap_or_default();
            if let Some((life, _)) = cluster.pod(part("namespace"), part("name"), at).filter(|(_, pod)| pod.is_ready(at)) {
                cpu += life.nature.cpu_millicores;
                memory += life.nature.memory_bytes;
            }
        }
        found.push(map! { "node" => name, "cpu_millicores" => cpu as f64, "memory_bytes" => memory });
    }
    Ok(found)
}
