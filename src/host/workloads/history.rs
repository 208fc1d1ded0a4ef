//! The revisions of a workload: the templates that its ReplicaSets or ControllerRevisions remember.

use std::time::Duration;

use crate::call::Cx;
use crate::host::targets::{self, meta};
use crate::model::{Failure, ObjectRef, ResourceKind, Value};

/// A template that a workload has had, and its number in the history.
pub(super) struct Revision {
    /// The number that `kubectl rollout history` shows; the largest is the present one.
    pub(super) number: i64,
    /// The pod template, as the workload had it.
    pub(super) template: Value,
}

/// The revisions of a workload that reads `current`, oldest first.
pub(super) fn revisions(cx: &Cx<'_>, object: &ObjectRef, current: &Value, timeout: Duration) -> Result<Vec<Revision>, Failure> {
    let deployment = object.kind.singular == "deployment";
    let kind = ResourceKind::named(if deployment { "replicaset" } else { "controllerrevision" })?;
    let namespace = object.namespace.as_deref().unwrap_or_default();
    let selector = targets::selector_of(current, &object.to_string())?;
    let found = targets::list(cx, kind, namespace, Some(selector), timeout)?;
    let uid = meta(current, "uid");
    let own = found.iter().filter(|one| {
        let owners = one.at(&["metadata", "ownerReferences"]).and_then(Value::as_list).unwrap_or_default();
        owners.iter().any(|owner| owner.str_at(&["uid"]) == Some(uid))
    });
    let mut revisions: Vec<Revision> = own.filter_map(if deployment { of_replica_set } else { of_controller_revision }).collect();
    revisions.sort_by_key(|revision| revision.number);
    Ok(revisions)
}

fn of_replica_set(set: &Value) -> Option<Revision> {
    let number = set.str_at(&["metadata", "annotations", "deployment.kubernetes.io/revision"])?.parse().ok()?;
    let mut template = set.at(&["spec", "template"])?.clone();
    template.at_mut(&["metadata", "labels"]).and_then(Value::as_map_mut)?.remove("pod-template-hash");
    Some(Revision { number, template })
}

fn of_controller_revision(revision: &Value) -> Option<Revision> {
    let mut template = revision.at(&["data", "spec", "template"])?.clone();
    template.as_map_mut()?.remove("$patch");
    Some(Revision { number: revision.int_at(&["revision"])?, template })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map;

    #[test]
    fn a_template_is_what_the_workload_had() {
        let labels = map! { "app" => "api", "pod-template-hash" => "abc" };
        let annotations = map! { "deployment.kubernetes.io/revision" => "3" };
        let template = map! { "metadata" => map! { "labels" => labels }, "spec" => map! {} };
        let set = map! { "metadata" => map! { "annotations" => annotations }, "spec" => map! { "template" => template } };
        let found = of_replica_set(&set).unwrap();
        assert_eq!((found.number, found.template.to_string().as_str()), (3, r#"{"metadata":{"labels":{"app":"api"}},"spec":{}}"#));
        let template = map! { "$patch" => "replace", "spec" => map! {} };
        let revision = map! { "revision" => 2, "data" => map! { "spec" => map! { "template" => template } } };
        let found = of_controller_revision(&revision).unwrap();
        assert_eq!((found.number, found.template.to_string().as_str()), (2, r#"{"spec":{}}"#));
    }
}
