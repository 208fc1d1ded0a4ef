//! Making a deleted object anew: its manifest without what the server and the controllers had written.

use crate::model::{ObjectRef, Value};

/// Whether a controller makes an object anew when it is gone.
pub fn is_controlled(object: &Value) -> bool {
    let owners = object.at(&["metadata", "ownerReferences"]).and_then(Value::as_list).unwrap_or_default();
    owners.iter().any(|owner| owner.get("controller").and_then(Value::as_bool) == Some(true))
}

/// The manifest that makes a deleted object anew; none where that would not bring it back: what a controller makes itself, what
/// holds other things or data, and what would run once more.
pub fn recreatable(reference: &ObjectRef, object: &Value) -> Option<Value> {
    let for_good = ["namespace", "persistentvolumeclaim", "persistentvolume", "node", "job", "event", "lease", "endpoints"];
    if is_controlled(object) || for_good.contains(&reference.kind.singular) {
        return None;
    }
    let mut manifest = object.clone();
    manifest.as_map_mut()?.remove("status");
    if let Some(metadata) = manifest.at_mut(&["metadata"]).and_then(Value::as_map_mut) {
        for field in ["uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink", "deletionTimestamp"] {
            metadata.remove(field);
        }
        metadata.remove("deletionGracePeriodSeconds");
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_map_mut) {
            // A new deployment counts from one again.
            annotations.remove("deployment.kubernetes.io/revision");
        }
    }
    if let ("pod", Some(spec)) = (reference.kind.singular, manifest.at_mut(&["spec"]).and_then(Value::as_map_mut)) {
        // The scheduler finds it a place anew.
        spec.remove("nodeName");
    }
    manifest.set(&["apiVersion"], reference.kind.api_version().into());
    manifest.set(&["kind"], reference.kind.kind.into());
    Some(manifest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map;
    use crate::model::ResourceKind;

    fn of(kind: &str, object: &Value) -> Option<Value> {
        recreatable(&ObjectRef::new(ResourceKind::named(kind).unwrap(), "n", "x"), object)
    }

    #[test]
    fn what_comes_back_is_what_a_person_wrote() {
        let annotations = map! { "a" => "b", "deployment.kubernetes.io/revision" => "7" };
        let metadata = map! { "name" => "x", "uid" => "u", "resourceVersion" => "9", "generation" => 3, "annotations" => annotations };
        let object = map! { "metadata" => metadata, "spec" => map! { "nodeName" => "n1", "replicas" => 2 }, "status" => map! { "x" => 1 } };
        let manifest = of("deployment", &object).unwrap();
        let expected = r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"annotations":{"a":"b"},"name":"x"},"spec":{"nodeName":"n1","replicas":2}}"#;
        assert_eq!(manifest.to_string(), expected);
        assert_eq!(of("pod", &object).unwrap().at(&["spec", "nodeName"]), None);
        for kind in ["namespace", "pvc", "job", "node"] {
            assert_eq!(of(kind, &object), None, "{kind}");
        }
        let owner = vec![map! { "kind" => "ReplicaSet", "controller" => true }];
        assert_eq!(of("pod", &map! { "metadata" => map! { "ownerReferences" => owner } }), None);
    }
}
