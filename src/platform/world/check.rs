//! What the API server refuses of a patch.

use crate::model::{Failure, Key, Kind, Map, ObjectRef, Value};
use crate::platform::objects::path_text;

fn invalid(reference: &ObjectRef, field: &str, message: impl std::fmt::Display) -> Failure {
    let kind = reference.kind;
    let dot = if kind.group.is_empty() { "" } else { "." };
    let text = format!("{}{dot}{} {:?} is invalid: {field}: {message}", kind.kind, kind.group, reference.name);
    Failure::bad_argument(text).on(reference.to_string())
}

/// Whether a patch names the version and the identity of the object that it is for, where it names any.
pub(super) fn preconditions(reference: &ObjectRef, before: &Value, patch: &Value) -> Result<(), Failure> {
    if patch.as_map().is_none() {
        return Err(Failure::bad_argument(format!("a merge patch must be a map, not {}", patch.type_name())).on(reference.to_string()));
    }
    for (key, words) in [
        ("resourceVersion", "the object has been modified; please apply your changes to the latest version and try again"),
        ("uid", "the UID in the precondition is not the object's; it has been deleted and made anew"),
    ] {
        let wanted = patch.str_at(&["metadata", key]);
        if wanted.is_some() && wanted != before.str_at(&["metadata", key]) {
            let shown = super::names::shown(reference);
            return Err(
                Failure::new(Kind::Conflict, format!("Operation cannot be fulfilled on {shown}: {words}")).on(reference.to_string())
            );
        }
    }
    Ok(())
}

/// The patch without what only the server and the controllers write; a patch that renames is refused.
pub(super) fn cleaned(reference: &ObjectRef, patch: &Value) -> Result<Value, Failure> {
    let mut patch = patch.clone();
    for (path, own) in [
        (["metadata", "name"].as_slice(), Some(reference.name.as_str())),
        (&["metadata", "namespace"], reference.namespace.as_deref()),
        (&["kind"], Some(reference.kind.kind)),
        (&["apiVersion"], Some(&reference.kind.api_version())),
    ] {
        if let Some(value) = patch.at(path).filter(|value| value.as_str() != own) {
            let own = own.unwrap_or_default();
            return Err(invalid(reference, &path.join("."), format_args!("Invalid value: {value}: it is {own:?}, and field is immutable")));
        }
    }
    if let Some(map) = patch.as_map_mut() {
        map.remove("status");
        if let Some(metadata) = map.get_mut("metadata").and_then(Value::as_map_mut) {
            for key in ["resourceVersion", "uid", "generation", "creationTimestamp", "managedFields"] {
                metadata.remove(key);
            }
        }
    }
    Ok(patch)
}

/// The patch with the value that the API server fills in where `spec.replicas` is taken away.
pub(super) fn defaulted(reference: &ObjectRef, mut patch: Value) -> Value {
    if reference.kind.is_workload() && patch.at(&["spec", "replicas"]) == Some(&Value::Null) {
        patch.set(&["spec", "replicas"], 1.into());
    }
    patch
}

/// Whether the API server would take the object as a patch has made it.
pub(super) fn object(reference: &ObjectRef, before: &Value, after: &Value) -> Result<(), Failure> {
    texts(reference, after, &["metadata", "labels"])?;
    texts(reference, after, &["metadata", "annotations"])?;
    match reference.kind.singular {
        "configmap" | "secret" => {
            texts(reference, after, &["data"])?;
            keys(reference, after)?;
        }
        "deployment" | "statefulset" | "daemonset" => workload(reference, before, after)?,
        "pod" | "replicaset" if before.get("spec") != after.get("spec") => {
            return Err(invalid(reference, "spec", "Forbidden: it belongs to its workload, whose template is the place to change it"));
        }
        _ => {}
    }
    for key in ["metadata", "spec", "data"] {
        if let (Some(Value::Map(_)), Some(now)) = (before.get(key), after.get(key))
            && now.as_map().is_none()
        {
            return Err(invalid(reference, key, format_args!("Invalid value: {now}: must be a map, not {}", now.type_name())));
        }
    }
    Ok(())
}

fn workload(reference: &ObjectRef, before: &Value, after: &Value) -> Result<(), Failure> {
    const MOST: i64 = i32::MAX as i64;
    match after.at(&["spec", "replicas"]) {
        None if reference.kind.singular == "daemonset" => {}
        Some(Value::Int(0..=MOST)) => {}
        Some(Value::Int(wrong)) if *wrong < 0 => {
            return Err(invalid(reference, "spec.replicas", format_args!("Invalid value: {wrong}: must be greater than or equal to 0")));
        }
        wrong => {
            let shown = wrong.map_or_else(|| "nothing".to_owned(), Value::to_string);
            return Err(invalid(reference, "spec.replicas", format_args!("Invalid value: {shown}: must be a whole number up to {MOST}")));
        }
    }
    if before.at(&["spec", "selector"]) != after.at(&["spec", "selector"]) {
        return Err(invalid(reference, "spec.selector", "Invalid value: field is immutable"));
    }
    for key in ["labels", "annotations"] {
        texts(reference, after, &["spec", "template", "metadata", key])?;
    }
    let labels = after.at(&["spec", "template", "metadata", "labels"]);
    let wanted = after.at(&["spec", "selector", "matchLabels"]).and_then(Value::as_map);
    for (key, value) in wanted.into_iter().flatten() {
        if labels.and_then(|labels| labels.get(key)) != Some(value) {
            return Err(invalid(reference, "spec.template.metadata.labels", "Invalid value: `selector` does not match template `labels`"));
        }
    }
    let containers = after.at(&["spec", "template", "spec", "containers"]).and_then(Value::as_list);
    if containers.is_none_or(|containers| containers.is_empty()) {
        return Err(invalid(reference, "spec.template.spec.containers", "Required value"));
    }
    Ok(())
}

/// The keys of a ConfigMap's or secret's data.
fn keys(reference: &ObjectRef, object: &Value) -> Result<(), Failure> {
    let fits = |key: &str| !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    match object.get("data").and_then(Value::as_map).and_then(|data| data.keys().find(|key| !fits(key))) {
        None => Ok(()),
        Some(key) => {
            let field = format!("data[{key}]");
            let text = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'";
            Err(invalid(reference, &field, format_args!("Invalid value: {:?}: {text}", key.as_str())))
        }
    }
}

/// Labels, annotations and a ConfigMap's data are text; numbers and truth values must be quoted.
fn texts(reference: &ObjectRef, object: &Value, path: &[&str]) -> Result<(), Failure> {
    let map = match object.at(path) {
        None => return Ok(()),
        Some(Value::Map(map)) => map,
        Some(other) => return Err(invalid(reference, &path.join("."), format_args!("must be a map, not {}", other.type_name()))),
    };
    let wrong = |map: &Map| map.iter().find(|(_, value)| !matches!(value, Value::Str(_) | Value::Secret(_))).map(|(key, _)| key.clone());
    match wrong(map) {
        None => Ok(()),
        Some(key) => {
            let kind = map.get(&key).map_or("()", Value::type_name);
            let mut field: Vec<Key> = path.iter().map(|key| (*key).into()).collect();
            field.push(key);
            Err(invalid(reference, &path_text(&field), format_args!("must be text, not {kind}")).hint("put the value into quotes"))
        }
    }
}
