//! Logs and metrics of a world's pods.

use jiff::{SignedDuration, Timestamp};

use super::cluster::Cluster;
use super::life::{Life, Pod};
use super::source;
use crate::map;
use crate::model::operation::{LogAnswer, LogQuery, LogSource, Selection, Since};
use crate::model::{Failure, ObjectRef, ResourceKind, Value};
use crate::platform::masking;
use crate::platform::save::LogFile;

/// Pause between the lines that a pod logs at once, in microseconds.
const BETWEEN: i64 = 1_000;

/// Log lines of pods, as the query wants them. A pod that has not started has none.
pub(super) fn answer(cluster: &mut Cluster, query: &LogQuery, at: i64, mask: &dyn Fn(String) -> String) -> Result<Value, Failure> {
    let mut found = lines(cluster, query, at)?;
    let start = cluster.start;
    match &query.answer {
        LogAnswer::Lines(limit) => {
            let most = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
            let skipped = found.len().saturating_sub(most);
            for log in 0..query.sources.len() {
                masking::lines(found.iter_mut().filter(|(_, source, _)| *source == log).map(|(.., line)| line), mask);
            }
            let line = |(time, source, line): (i64, usize, String)| {
                let LogSource { pod, container, .. } = &query.sources[source];
                map! { "time" => nanos(start, time), "pod" => pod.as_str(), "container" => container.as_str(), "line" => line }
            };
            Ok(found.into_iter().skip(skipped).map(line).collect::<Vec<_>>().into())
        }
        LogAnswer::Count => {
            let counted = query.sources.iter().enumerate().map(|(number, LogSource { pod, container, .. })| {
                let lines = found.iter().filter(|(_, source, _)| *source == number).count();
                map! { "pod" => pod.as_str(), "container" => container.as_str(), "lines" => i64::try_from(lines).unwrap_or(i64::MAX) }
            });
            Ok(counted.collect::<Vec<_>>().into())
        }
        LogAnswer::Save(save) => {
            let mut file = LogFile::begin(save, mask)?;
            for (time, source, line) in found {
                file.line(&nanos(start, time), (source, &query.sources[source]), line)?;
            }
            file.finish()
        }
    }
}

/// The lines with their times and the numbers of their sources, oldest first.
fn lines(cluster: &mut Cluster, query: &LogQuery, at: i64) -> Result<Vec<(i64, usize, String)>, Failure> {
    let grep = query.grep.as_ref().map(|grep| source::regex(&grep.pattern).map(|pattern| (pattern, grep.invert))).transpose();
    let grep = grep.map_err(|message| Failure::bad_argument(format!("`grep`: {message}")))?;
    let mut found: Vec<(i64, usize, String)> = Vec::new();
    for (number, LogSource { namespace, pod: name, container }) in query.sources.iter().enumerate() {
        let Some((life, pod)) = cluster.pod(namespace, name, at) else {
            return Err(cluster.not_found(&ObjectRef::new(ResourceKind::named("pod")?, namespace, name), at));
        };
        let containers = containers(life, pod);
        if !containers.contains(&container.as_str()) {
            let failure = Failure::bad_argument(format!("container {container} is not valid for pod {name}"));
            return Err(failure.hint(format!("containers: {}", containers.join(", "))).on(format!("pod/{name}")));
        }
        let mut of_pod = match query.previous {
            false => written(life, pod, at),
            true => previous(life, pod, container, at)?,
        };
        if let Some(since) = query.since {
            let from = match since {
                Since::Ago(span) => at.saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)),
                Since::Time(time) => i64::try_from(time.duration_since(cluster.start).as_micros()).unwrap_or(i64::MAX),
            };
            of_pod.retain(|(time, _)| *time >= from);
        }
        let skipped = query.tail.map_or(0, |tail| of_pod.len().saturating_sub(usize::try_from(tail).unwrap_or(usize::MAX)));
        let chosen = of_pod.into_iter().skip(skipped);
        let chosen = chosen.filter(|(_, line)| grep.as_ref().is_none_or(|(pattern, invert)| pattern.is_match(line) != *invert));
        found.extend(chosen.map(|(time, line)| (time, number, line.to_owned())));
    }
    found.sort_by_key(|(time, ..)| *time);
    Ok(found)
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
