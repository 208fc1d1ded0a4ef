//! What a StatefulSet or DaemonSet remembers of its templates: ControllerRevisions.

use jiff::Timestamp;

use super::entity::Entity;
use super::life::{BEFORE, Life, Manner};
use super::{names, render};
use crate::map;
use crate::model::Value;

/// The ControllerRevisions of a workload at a time.
pub(super) fn of(entity: &Entity, life: &Life, at: i64, start: Timestamp) -> Vec<Value> {
    let workload = entity.object_at(at);
    let namespace = entity.reference.namespace.as_deref().unwrap_or_default();
    let uid = workload.str_at(&["metadata", "uid"]).unwrap_or_default().to_owned();
    let known = life.revisions.iter().enumerate().filter(|(index, _)| life.began(*index).is_some_and(|began| began <= at));
    known
        .map(|(index, revision)| {
            let name = format!("{}-{}", entity.reference.name, revision.hash);
            let mut labels = revision.template.at(&["metadata", "labels"]).cloned().unwrap_or_default();
            let label = if life.manner == Manner::Everywhere { "controller-revision-hash" } else { "controller.kubernetes.io/hash" };
            labels.set(&[label], revision.hash.as_str().into());
            let mut template = revision.template.clone();
            template.set(&["$patch"], "replace".into());
            map! {
                "apiVersion" => "apps/v1",
                "kind" => "ControllerRevision",
                "metadata" => map! {
                    "name" => name.as_str(),
                    "namespace" => namespace,
                    "uid" => names::uid("ControllerRevision", namespace, &name, 0),
                    "resourceVersion" => "1000",
                    "creationTimestamp" => render::time(start, life.began(index).unwrap_or(BEFORE)),
                    "labels" => labels,
                    "ownerReferences" => render::owner(workload, entity.reference.kind.kind, &entity.reference.name, uid.clone()),
                },
                "revision" => i64::try_from(revision.number).unwrap_or(1),
                "data" => map! { "spec" => map! { "template" => template } },
            }
        })
        .collect()
}
