//! From a target's text to the objects that it means.

use std::time::Duration;

use crate::call::Cx;
use crate::model::operation::{Freshness, Selection};
use crate::model::resource::Target;
use crate::model::spec::{Opt, Type};
use crate::model::{Failure, Kind, ObjectRef, Read, ResourceKind, Value};

/// The option that every function about namespaced objects takes.
pub const NAMESPACE: Opt = Opt { name: "namespace", ty: Type::Str, default: "", help: "another namespace than the environment's" };

/// The namespace of a call: its option, else the environment's.
pub fn namespace(cx: &Cx<'_>, option: Option<&str>) -> String {
    option.map_or_else(|| cx.environment().namespace.clone(), str::to_owned)
}

/// The workload that a target means: `deployment/x`, a service's or database's name, or a deployment's or
/// statefulset's own name. A name that is both is refused.
pub fn workload(cx: &Cx<'_>, text: &str, namespace: &str) -> Result<ObjectRef, Failure> {
    match of_workload(text)? {
        Target::Object(kind, name) => Ok(ObjectRef::new(kind, namespace, &name)),
        Target::Bare(name) | Target::Selector(_, name) => match configured(cx, &name) {
            Some(workload) => self::workload(cx, &workload, namespace),
            None => discovered(cx, &name, namespace),
        },
    }
}

/// Whether a target's text can be what a parameter of that type names; nothing is looked up.
pub fn suits(ty: &Type, text: &str) -> Result<(), Failure> {
    match ty {
        Type::Workload | Type::Workloads => of_workload(text).map(drop),
        Type::Pods => of_pods(text).map(drop),
        Type::Node => of_node(text).map(drop),
        Type::Target | Type::Targets => Target::parse(text).map(drop),
        _ => Ok(()),
    }
}

fn of_workload(text: &str) -> Result<Target, Failure> {
    match Target::parse(text)? {
        Target::Object(kind, _) if !kind.is_workload() && kind.singular != "job" => {
            Err(Failure::bad_argument(format!("a {} is no workload", kind.singular))
                .on(text)
                .hint("workloads are deployments, statefulsets, daemonsets, replicasets and jobs"))
        }
        Target::Selector(..) => {
            Err(Failure::bad_argument("a selector names pods, not one workload").on(text).hint("name the workload: \"deployment/NAME\""))
        }
        fine => Ok(fine),
    }
}

fn of_pods(text: &str) -> Result<Target, Failure> {
    match Target::parse(text)? {
        fine @ (Target::Selector(kind, _) | Target::Object(kind, _)) if kind.singular == "pod" => Ok(fine),
        _ => of_workload(text),
    }
}

/// The node, or the nodes, that a target means.
pub fn of_node(text: &str) -> Result<Target, Failure> {
    match Target::parse(text)? {
        Target::Object(kind, _) if kind.singular != "node" => {
            Err(Failure::bad_argument(format!("a {} is no node", kind.singular)).on(text).hint("nodes read \"node/gpu-1\" or \"gpu-1\""))
        }
        fine => Ok(fine),
    }
}

/// The workload that the configuration gives a service or database of that name.
fn configured(cx: &Cx<'_>, name: &str) -> Option<String> {
    let environment = cx.environment();
    let service = environment.services.get(name).and_then(|service| service.workload.clone());
    service.or_else(|| environment.databases.get(name).and_then(|database| database.workload.clone()))
}

/// The deployment or statefulset of that name on the platform.
fn discovered(cx: &Cx<'_>, name: &str, namespace: &str) -> Result<ObjectRef, Failure> {
    let kinds = [ResourceKind::named("deployment")?, ResourceKind::named("statefulset")?];
    let candidates = kinds.map(|kind| ObjectRef::new(kind, namespace, name));
    let answers = cx.read_all(&candidates.clone().map(Read::Object))?;
    let mut found = Vec::new();
    for (candidate, answer) in candidates.into_iter().zip(answers) {
        match answer {
            Ok(_) => found.push(candidate),
            Err(failure) if failure.kind == Kind::NotFound => {}
            Err(failure) => return Err(failure.on(name)),
        }
    }
    match (found.pop(), found.is_empty()) {
        (Some(one), true) => Ok(one),
        (Some(_), false) => Err(Failure::bad_argument(format!("{name:?} is a deployment and a statefulset"))
            .on(name)
            .hint(format!("say which: \"deployment/{name}\" or \"statefulset/{name}\""))),
        (None, _) => {
            let mut failure =
                Failure::new(Kind::NotFound, format!("no deployment or statefulset {name:?} in namespace {namespace}")).on(name);
            let environment = cx.environment();
            failure.hint =
                crate::model::suggest::hint(name, environment.services.keys().chain(environment.databases.keys()).map(String::as_str));
            if failure.hint.is_none() {
                failure = failure.hint("is it in another namespace? `pods(#{ namespace: \"*\" })` shows each pod's workload");
            }
            Err(failure)
        }
    }
}

/// The objects that a target means: one by its kind and name, those that a selector chooses, or a service's workload.
pub fn objects(cx: &Cx<'_>, text: &str, namespace: &str, timeout: Duration) -> Result<Vec<ObjectRef>, Failure> {
    let (kind, selector) = match Target::parse(text)? {
        Target::Object(kind, name) => return Ok(vec![ObjectRef::new(kind, within(cx, namespace), &name)]),
        Target::Bare(name) => return workload(cx, &name, within(cx, namespace)).map(|workload| vec![workload]),
        Target::Selector(kind, selector) => (kind, Some(selector)),
    };
    let found = list(cx, kind, namespace, selector, timeout)?;
    Ok(found.iter().map(|object| ObjectRef::new(kind, meta(object, "namespace"), meta(object, "name"))).collect())
}

/// Whether a target may mean several objects, so that its answer is an array.
pub fn is_selector(text: &str) -> bool {
    matches!(Target::parse(text), Ok(Target::Selector(..)))
}

/// Objects of a kind in a namespace; `*` is all of them.
pub fn list(
    cx: &Cx<'_>,
    kind: &'static ResourceKind,
    namespace: &str,
    selector: Option<String>,
    timeout: Duration,
) -> Result<Vec<Value>, Failure> {
    let namespace = (kind.namespaced && namespace != "*").then(|| namespace.to_owned());
    let freshness = Freshness::Now;
    match cx.read(&Read::Objects(Selection { kind, namespace, selector, fields: Vec::new(), freshness, timeout }))? {
        Value::List(found) => Ok(found),
        _ => Ok(Vec::new()),
    }
}

/// One namespace: the environment's where all were asked for.
fn within<'a>(cx: &'a Cx<'_>, namespace: &'a str) -> &'a str {
    if namespace == "*" { &cx.environment().namespace } else { namespace }
}

/// The pods that a target means, as objects; all of the namespace without a target. A namespace of `*` is all namespaces.
pub fn pods(cx: &Cx<'_>, target: Option<&str>, namespace: &str, timeout: Duration) -> Result<Vec<Value>, Failure> {
    let pod = ResourceKind::named("pod")?;
    let select = |selector: Option<String>| {
        Read::Objects(Selection {
            kind: pod,
            namespace: (namespace != "*").then(|| namespace.to_owned()),
            selector,
            fields: Vec::new(),
            freshness: Freshness::Now,
            timeout,
        })
    };
    let read = match target.map(of_pods).transpose()? {
        None => select(None),
        Some(Target::Selector(_, selector)) => select(Some(selector)),
        Some(Target::Object(kind, name)) if kind.singular == "pod" => {
            let namespace = if namespace == "*" { &cx.environment().namespace } else { namespace };
            return Ok(vec![cx.read(&Read::Object(ObjectRef::new(kind, namespace, &name)))?]);
        }
        Some(_) => {
            let text = target.unwrap_or_default();
            let namespace = if namespace == "*" { &cx.environment().namespace } else { namespace };
            match workload(cx, text, namespace) {
                Ok(workload) => select(Some(selector_of(&cx.read(&Read::Object(workload))?, text)?)),
                // A bare name that is no workload may be a pod's.
                Err(failure) if failure.kind == Kind::NotFound && !text.contains('/') => {
                    let object = ObjectRef::new(pod, namespace, text);
                    return cx.read(&Read::Object(object)).map(|pod| vec![pod]).map_err(|_| failure);
                }
                Err(failure) => return Err(failure),
            }
        }
    };
    match cx.read(&read)? {
        Value::List(pods) => Ok(pods),
        _ => Ok(Vec::new()),
    }
}

/// A workload's own selector as text.
pub fn selector_of(workload: &Value, text: &str) -> Result<String, Failure> {
    let labels = workload.at(&["spec", "selector", "matchLabels"]).and_then(Value::as_map);
    let labels = labels.ok_or_else(|| {
        Failure::new(Kind::Failed, "the workload selects its pods by expressions").on(text).hint("pass the pods' labels: \"app=NAME\"")
    })?;
    Ok(labels.iter().filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?))).collect::<Vec<_>>().join(","))
}

/// The workload that owns a pod, such as `deployment/api-gateway`; empty for a pod of its own.
pub fn owner(pod: &Value) -> String {
    let owner = pod.at(&["metadata", "ownerReferences"]).and_then(Value::as_list).and_then(|owners| owners.first());
    let part = |key| owner.and_then(|owner| owner.str_at(&[key])).unwrap_or_default();
    match (part("kind"), part("name")) {
        ("", _) => String::new(),
        // A deployment's pods belong to a replicaset, whose name ends in the template's hash.
        ("ReplicaSet", name) => match pod.str_at(&["metadata", "labels", "pod-template-hash"]) {
            Some(hash) => format!("deployment/{}", name.strip_suffix(hash).map_or(name, |name| name.trim_end_matches('-'))),
            None => format!("replicaset/{name}"),
        },
        (kind, name) => format!("{}/{name}", kind.to_lowercase()),
    }
}

/// A part of an object's metadata as text.
pub fn meta<'a>(object: &'a Value, key: &str) -> &'a str {
    object.str_at(&["metadata", key]).unwrap_or_default()
}
