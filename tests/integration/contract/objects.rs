//! Objects of a world say nothing that the API server would not: each field of theirs is one of the real objects', of the same type.

use serde_json::Value;

use super::case::{JSON, json_of};
use super::fixture::{Fixture, Side};

/// What is read, a kind of object each.
const TARGETS: [&str; 19] = [
    "deployment/api",
    "deployment/gone",
    "deployment/crashing",
    "statefulset/postgres",
    "statefulset/stuck",
    "replicaset/app=shop",
    "pod/postgres-0",
    "app=crashing",
    "node/contract-ns-big",
    "namespace/contract-ns",
    "configmap/settings",
    "secret/login",
    "hpa/queue",
    "daemonset/agent",
    "app=agent",
    "controllerrevision/app=agent",
    "controllerrevision/app=postgres",
    "pod/alone",
    "job/import",
];

/// What kubelets write, and kwok does not; and what the autoscaler writes at its first look, a quarter of a minute later.
const LATER: [&str; 4] =
    [".status.containerStatuses[].started", "[].status.containerStatuses[].started", "[].status.podIP", ".status.currentReplicas"];

/// What worlds say beyond the real systems.
pub(super) fn beyond(fixture: &Fixture) -> Vec<String> {
    let reads = TARGETS.map(|target| format!("note(\"object \" + json(get({:?})));\n", fixture.spoken(target)));
    let script = format!("{JSON}{}", reads.concat());
    let [world, real] = Side::BOTH.map(|side| json_of(&fixture.run(side, &script, &[]), "object "));
    let mut found = Vec::new();
    for (target, (world, real)) in TARGETS.iter().zip(world.iter().zip(&real)) {
        let mut missing = Vec::new();
        within("", world, real, &mut missing);
        found.extend(missing.into_iter().map(|path| format!("only the world's {target} has {path}")));
    }
    if world.len() != TARGETS.len() || real.len() != TARGETS.len() {
        found.push(format!("{} and {} of {} objects were read", world.len(), real.len(), TARGETS.len()));
    }
    found
}

fn within(path: &str, world: &Value, real: &Value, missing: &mut Vec<String>) {
    match (world, real) {
        (Value::Object(world), Value::Object(real)) => {
            for (key, value) in world {
                let path = format!("{path}.{key}");
                match real.get(key) {
                    Some(found) => within(&path, value, found, missing),
                    None if LATER.contains(&path.as_str()) => {}
                    None => missing.push(format!("{path} = {value}")),
                }
            }
        }
        (Value::Array(world), Value::Array(real)) => {
            // Conditions and addresses are known by their type, whatever their order.
            let same = |a: &Value, b: &Value| a.get("type").is_none() || a["type"] == b["type"];
            for item in world {
                match real.iter().find(|other| same(item, other)) {
                    Some(other) => within(&format!("{path}[]"), item, other, missing),
                    None => missing.push(format!("{path}[] = {item}")),
                }
            }
        }
        _ if std::mem::discriminant(world) == std::mem::discriminant(real) => {}
        _ => missing.push(format!("{path} as {world}, not as {real}")),
    }
}
