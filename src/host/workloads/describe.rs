//! `describe`: an object with what one wants to know beside it.

use std::collections::HashSet;
use std::time::Duration;

use super::{events, pods};
use crate::call::{Body, Cx, Function};
use crate::host::targets::{self, NAMESPACE};
use crate::map;
use crate::model::operation::{Freshness, Selection};
use crate::model::resource::Target;
use crate::model::spec::{Args, Example, Group, Keep, Opt, Param, Type};
use crate::model::{Failure, Kind, ObjectRef, Read, ResourceKind, Spec, Tier, Value};

/// The function.
pub static DESCRIBE: Function = Function {
    spec: Spec {
        name: "describe",
        group: Group::Workloads,
        summary: "Reads an object with its conditions, its events, and its pods or containers.",
        params: &[Param {
            name: "target",
            ty: Type::Target,
            required: true,
            help: "\"deployment/api-gateway\", \"pod/x\", \"node/gpu-1\", any object, or a service's, database's or pod's name",
        }],
        options: &[NAMESPACE, Opt { name: "timeout", ty: Type::Duration, default: "\"30s\"", help: "the longest wait for each answer" }],
        returns: "`#{ object, conditions, events }`; workloads and nodes have `pods` (as `pods` lists them) too, pods `containers`: `#{ name, image, ready, restarts, state, reason }`; the data of Kubernetes secrets are secrets",
        tier: Tier::Mild,
        keep: Keep::Line,
        errors: &[Kind::NotFound, Kind::Forbidden, Kind::Auth, Kind::Unavailable],
        examples: &[Example {
            title: "Why a workload is not well",
            code: "let it = describe(\"billing\");\n[it.conditions.map(|one| one.type), it.pods.len()]",
            result: "[[\"Available\",\"Progressing\"],2]",
        }],
    },
    body: Body::Read(body),
};

fn body(args: &Args, cx: &Cx<'_>) -> Result<Value, Failure> {
    let namespace = targets::namespace(cx, args.option_str("namespace"));
    let timeout = args.option_duration("timeout").unwrap_or(Duration::from_secs(30));
    let text = args.str(0);
    let object = match Target::parse(text)? {
        Target::Object(kind, name) => ObjectRef::new(kind, &namespace, &name),
        Target::Bare(name) => match targets::workload(cx, &name, &namespace) {
            // A bare name that is no workload may be a pod's.
            Err(failure) if failure.kind == Kind::NotFound => {
                let pod = ObjectRef::new(ResourceKind::named("pod")?, &namespace, &name);
                if cx.read(&Read::Object(pod.clone())).is_err() {
                    return Err(failure);
                }
                pod
            }
            found => found?,
        },
        Target::Selector(..) => {
            return Err(Failure::bad_argument("a selector names several objects, and one is described at a time")
                .on(text)
                .hint("`for object in get(SELECTOR) { … }` goes through them"));
        }
    };
    let value = cx.read(&Read::Object(object.clone()))?;
    let mut about = HashSet::from([object.clone()]);
    let mut told = map! { "conditions" => conditions(&value) };
    match object.kind.singular {
        "pod" => told.set(&["containers"], containers(&value).into()),
        "node" => {
            let pods = Selection {
                kind: ResourceKind::named("pod")?,
                namespace: None,
                selector: None,
                fields: vec![("spec.nodeName", object.name.clone())],
                freshness: Freshness::Now,
                timeout,
            };
            let found = cx.read(&Read::Objects(pods))?;
            told.set(&["pods"], found.as_list().unwrap_or_default().iter().map(pods::row).collect::<Vec<_>>().into());
        }
        _ if object.kind.is_workload() || object.kind.singular == "job" => {
            let (names, pods) = events::parts(cx, &object, &value, timeout)?;
            about.extend(names);
            told.set(&["pods"], pods.iter().map(pods::row).collect::<Vec<_>>().into());
        }
        _ => {}
    }
    let place = object.namespace.as_deref().unwrap_or("default");
    told.set(&["events"], events::rows(cx, place, Some(&about), timeout)?.into());
    told.set(&["object"], value);
    Ok(told)
}

fn conditions(object: &Value) -> Vec<Value> {
    let conditions = object.at(&["status", "conditions"]).and_then(Value::as_list).unwrap_or_default();
    let text = |one: &Value, key: &str| one.str_at(&[key]).unwrap_or_default().to_owned();
    let mut rows: Vec<Value> = conditions
        .iter()
        .map(|one| {
            map! { "type" => text(one, "type"), "status" => text(one, "status"), "reason" => text(one, "reason"), "message" => text(one, "message") }
        })
        .collect();
    rows.sort_by_cached_key(|row| text(row, "type"));
    rows
}

fn containers(pod: &Value) -> Vec<Value> {
    let list = |path: &[&str]| pod.at(path).and_then(Value::as_list).unwrap_or_default();
    let states = ["initContainerStatuses", "containerStatuses"].map(|key| list(&["status", key]));
    let asked = ["initContainers", "containers"].map(|key| list(&["spec", key]));
    let row = |container: &Value| {
        let name = container.str_at(&["name"]).unwrap_or_default();
        let status = states.into_iter().flatten().find(|status| status.str_at(&["name"]) == Some(name));
        let state = status.and_then(|status| status.get("state")?.as_map()?.iter().next());
        let reason = state.and_then(|(_, state)| state.str_at(&["reason"]));
        map! {
            "name" => name,
            "image" => container.str_at(&["image"]).unwrap_or_default(),
            "ready" => status.and_then(|status| status.get("ready")?.as_bool()).unwrap_or(false),
            "restarts" => status.and_then(|status| status.int_at(&["restartCount"])).unwrap_or(0),
            "state" => state.map_or("waiting", |(state, _)| state.as_str()),
            "reason" => reason.unwrap_or_default(),
        }
    };
    asked.into_iter().flatten().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_told_with_their_state() {
        let waiting = map! { "waiting" => map! { "reason" => "CrashLoopBackOff" } };
        let status = map! { "name" => "b", "ready" => false, "restartCount" => 7, "state" => waiting };
        let spec = map! {
            "initContainers" => vec![map! { "name" => "a", "image" => "a:1" }],
            "containers" => vec![map! { "name" => "b", "image" => "b:1" }],
        };
        let pod = map! { "spec" => spec, "status" => map! { "containerStatuses" => vec![status] } };
        let told: Vec<String> = containers(&pod).iter().map(Value::to_string).collect();
        assert_eq!(
            told,
            [
                r#"{"image":"a:1","name":"a","ready":false,"reason":"","restarts":0,"state":"waiting"}"#,
                r#"{"image":"b:1","name":"b","ready":false,"reason":"CrashLoopBackOff","restarts":7,"state":"waiting"}"#,
            ]
        );
    }
}
