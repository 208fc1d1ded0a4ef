//! The cluster of a world: finding objects, listing them, patching them.

use jiff::Timestamp;

use super::check;
use super::entity::{Act, Edit, Entity, edited};
use super::life::{Life, Place, Pod};
use super::{render, revisions, taints};
use crate::map;
use crate::model::operation::{Freshness, PatchKind, Selection};
use crate::model::{Failure, Kind, ObjectRef, ResourceKind, Value, suggest};
use crate::platform::failures;
use crate::platform::objects::{Difference, Objects, Selector, apply, has_fields, same};

/// Whether a patch is done or only tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Do,
    Try,
}

/// All objects of a world's cluster.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) start: Timestamp,
    pub(super) entities: Objects<Entity>,
    /// Patches of pods, which are no entities of their own.
    pod_edits: Objects<Vec<Edit>>,
    /// The resource version that the next change gets.
    pub(super) version: i64,
}

/// The resource version of everything that was there before the world began.
pub(super) const FIRST_VERSION: i64 = 1000;

pub(super) fn is(kind: &ResourceKind, singular: &str) -> bool {
    kind.singular == singular
}

/// The kinds whose pods a world simulates.
pub(super) fn workload_kinds() -> impl Iterator<Item = &'static ResourceKind> {
    ["deployment", "statefulset", "daemonset"].into_iter().filter_map(ResourceKind::find)
}

impl Cluster {
    pub(super) fn new(start: Timestamp) -> Self {
        Self { start, entities: Objects::default(), pod_edits: Objects::default(), version: FIRST_VERSION }
    }

    /// Puts an object in as it was before the world began; the last one of a name counts.
    pub(super) fn found(&mut self, reference: ObjectRef, object: Value, life: Option<Life>) {
        let places = if life.is_some() { self.places(super::life::BEFORE) } else { Vec::new() };
        self.entities.put(&reference.clone(), Entity::new(reference, object, life, &places));
    }

    pub(super) fn has(&self, reference: &ObjectRef) -> bool {
        self.entities.get(reference).is_some()
    }

    /// The object as the API server returns it.
    pub(super) fn get(&mut self, reference: &ObjectRef, at: i64) -> Result<Value, Failure> {
        if let Some(entity) = self.entities.get_mut(reference).filter(|entity| entity.is_there(at)) {
            return Ok(shown(entity, at).clone());
        }
        let found = if is(reference.kind, "pod") {
            self.pods(reference.namespace.as_deref(), at, &mut |value| value.str_at(&["metadata", "name"]) == Some(&reference.name)).pop()
        } else if is(reference.kind, "replicaset") {
            let mut sets = self.replica_sets(reference.namespace.as_deref(), at);
            let place = sets.iter().position(|set| set.str_at(&["metadata", "name"]) == Some(&reference.name));
            place.map(|place| sets.swap_remove(place))
        } else if is(reference.kind, "controllerrevision") {
            let revisions = self.controller_revisions(reference.namespace.as_deref(), at);
            revisions.into_iter().find(|one| one.str_at(&["metadata", "name"]) == Some(&reference.name))
        } else {
            None
        };
        found.ok_or_else(|| self.not_found(reference, at))
    }

    /// Objects of a kind, ordered by namespace and name.
    pub(super) fn list(&mut self, selection: &Selection, at: i64) -> Result<Vec<Value>, Failure> {
        let selector = Selector::of(selection)?;
        let namespace = selection.namespace.as_deref().filter(|_| selection.kind.namespaced);
        let mut found: Vec<Value> = Vec::new();
        for (_, _, entity) in self.entities.of_kind_mut(selection.kind, namespace) {
            if !entity.is_there(at) {
                continue;
            }
            let value = shown(entity, at);
            if selector.chooses(value) {
                found.push(value.clone());
            }
        }
        if is(selection.kind, "pod") {
            found.extend(self.pods(namespace, at, &mut |value| selector.chooses(value)));
        } else if is(selection.kind, "replicaset") {
            found.extend(self.replica_sets(namespace, at).into_iter().filter(|set| selector.chooses(set)));
        } else if is(selection.kind, "controllerrevision") {
            found.extend(self.controller_revisions(namespace, at).into_iter().filter(|one| selector.chooses(one)));
        } else if is(selection.kind, "event") {
            found.extend(self.events(namespace, at));
        }
        found.retain(|object| has_fields(object, &selection.fields));
        let key = |value: &Value, field| value.str_at(&["metadata", field]).unwrap_or_default().to_owned();
        found.sort_by_cached_key(|value| (key(value, "namespace"), key(value, "name")));
        Ok(found)
    }

    /// How many pods of a workload are Ready.
    pub(super) fn ready_pods(&self, workload: &ObjectRef, at: i64) -> u32 {
        let life = self.entities.get(workload).and_then(|entity| entity.life.as_ref());
        life.map_or(0, |life| life.pods_at(at).filter(|pod| pod.is_ready(at)).count() as u32)
    }

    /// The workload that owns a pod of that name, and the pod.
    pub(super) fn pod(&self, namespace: &str, name: &str, at: i64) -> Option<(&Life, &Pod)> {
        workload_kinds().flat_map(|kind| self.entities.of_kind(kind, Some(namespace))).find_map(|(_, workload, entity)| {
            let life = entity.life.as_ref().filter(|_| name.starts_with(workload))?;
            life.pods_at(at).find(|pod| pod.name == name).map(|pod| (life, pod))
        })
    }

    /// The workload that owns a pod of that name, as scripts call it: `deployment/api`.
    pub(super) fn workload_of(&self, namespace: &str, name: &str, at: i64) -> Option<String> {
        workload_kinds().flat_map(|kind| self.entities.of_kind(kind, Some(namespace))).find_map(|(_, workload, entity)| {
            let life = entity.life.as_ref().filter(|_| name.starts_with(workload))?;
            life.pods_at(at).any(|pod| pod.name == name).then(|| entity.reference.to_string())
        })
    }

    /// Patches an object, or only says what would come of it. Answers the object as it is then, its status as it was;
    /// a `Scale` where the subresource `scale` was patched.
    pub(super) fn patch(
        &mut self,
        reference: &ObjectRef,
        subresource: Option<&str>,
        (kind, patch): (PatchKind, &Value),
        at: i64,
        mode: Mode,
    ) -> Result<Value, Failure> {
        let before = self.get(reference, at)?;
        let patch = &leading(reference, &before, kind, patch)?;
        check::preconditions(reference, &before, patch)?;
        let patch = match subresource {
            None => check::cleaned(reference, patch)?,
            Some("scale") if self.entities.get(reference).is_some_and(|entity| entity.life.is_some()) => {
                match patch.at(&["spec", "replicas"]) {
                    Some(replicas) => map! { "spec" => map! { "replicas" => replicas.clone() } },
                    None => map! {},
                }
            }
            Some(_) => return Err(Failure::new(Kind::NotFound, "the server could not find the requested resource")),
        };
        let patch = if is(reference.kind, "node") { taints::with_cordon(&before, patch, self.start, at) } else { patch };
        let edit = Edit { at, patch: check::defaulted(reference, patch), version: self.version + 1 };
        let after = edited(&before, &edit);
        check::object(reference, &before, &after)?;
        if mode == Mode::Do && (after != before || !same(&after, &before)) {
            self.version += 1;
            let places = self.places(at);
            if let Some(entity) = self.entities.get_mut(reference) {
                entity.act(Act::Patch(edit), &places);
                if is(reference.kind, "node") {
                    self.forget_pods();
                }
            } else {
                self.edit_pod(reference, edit);
            }
        }
        Ok(if subresource == Some("scale") && mode == Mode::Do { scale(&after) } else { after })
    }

    fn edit_pod(&mut self, reference: &ObjectRef, edit: Edit) {
        let mut edits = self.pod_edits.remove(reference).unwrap_or_default();
        let place = edits.partition_point(|known| known.at <= edit.at);
        edits.insert(place, edit);
        self.pod_edits.put(reference, edits);
        self.forget_pods();
    }

    pub(super) fn forget_pods(&mut self) {
        for kind in workload_kinds() {
            self.entities.of_kind_mut(kind, None).for_each(|(_, _, entity)| entity.shown_pods.clear());
        }
    }

    /// The nodes that new pods may run on.
    pub(super) fn places(&self, at: i64) -> Vec<Place> {
        let Some(kind) = ResourceKind::find("node") else { return Vec::new() };
        let ready = |node: &Value| {
            node.at(&["status", "conditions"])
                .and_then(Value::as_list)
                .is_some_and(|all| all.iter().any(|one| one.str_at(&["type"]) == Some("Ready") && one.str_at(&["status"]) == Some("True")))
        };
        let nodes = self.entities.of_kind(kind, None).map(|(_, name, entity)| (name, entity.object_at(at)));
        nodes
            .filter(|(_, node)| ready(node))
            .map(|(name, node)| Place {
                name: name.to_owned(),
                labels: node.at(&["metadata", "labels"]).cloned().unwrap_or_default(),
                open: node.at(&["spec", "unschedulable"]).and_then(Value::as_bool) != Some(true),
            })
            .collect()
    }

    /// The pods of all workloads that a test chooses.
    fn pods(&mut self, namespace: Option<&str>, at: i64, test: &mut dyn FnMut(&Value) -> bool) -> Vec<Value> {
        let mut found = Vec::new();
        let Some(kind) = ResourceKind::find("pod") else { return found };
        for workloads in workload_kinds() {
            for (place, _, entity) in self.entities.of_kind_mut(workloads, namespace) {
                let mut shown = std::mem::take(&mut entity.shown_pods);
                let Some(life) = &entity.life else { continue };
                shown.resize(life.pods.len(), None);
                for (pod, shown) in life.pods.iter().zip(&mut shown).filter(|(pod, _)| pod.is_there(at)) {
                    if !shown.as_ref().is_some_and(|shown| shown.holds(at)) {
                        let edits =
                            if self.pod_edits.is_empty() { None } else { self.pod_edits.get(&ObjectRef::new(kind, place, &pod.name)) };
                        *shown = Some(render::pod(entity, life, pod, at, self.start, edits.map(Vec::as_slice).unwrap_or_default()));
                    }
                    if let Some(shown) = shown.as_ref().filter(|shown| test(&shown.value)) {
                        found.push(shown.value.clone());
                    }
                }
                entity.shown_pods = shown;
            }
        }
        found
    }

    fn replica_sets(&self, namespace: Option<&str>, at: i64) -> Vec<Value> {
        let Some(kind) = ResourceKind::find("deployment") else { return Vec::new() };
        let entities = self.entities.of_kind(kind, namespace).map(|(_, _, entity)| entity).filter(|entity| entity.is_there(at));
        entities.flat_map(|entity| entity.life.iter().flat_map(move |life| render::replica_sets(entity, life, at, self.start))).collect()
    }

    /// What StatefulSets and DaemonSets remember of their templates.
    fn controller_revisions(&self, namespace: Option<&str>, at: i64) -> Vec<Value> {
        let entities =
            workload_kinds().filter(|kind| kind.singular != "deployment").flat_map(|kind| self.entities.of_kind(kind, namespace));
        let entities = entities.map(|(_, _, entity)| entity).filter(|entity| entity.is_there(at));
        entities.flat_map(|entity| entity.life.iter().flat_map(move |life| revisions::of(entity, life, at, self.start))).collect()
    }

    /// The failure of an object that is not there, with the nearest name as the hint.
    pub(super) fn not_found(&mut self, reference: &ObjectRef, at: i64) -> Failure {
        let selection = Selection {
            kind: reference.kind,
            namespace: reference.namespace.clone(),
            selector: None,
            fields: Vec::new(),
            freshness: Freshness::Now,
            timeout: std::time::Duration::ZERO,
        };
        let known = self.list(&selection, at).unwrap_or_default();
        let near = suggest::nearest(&reference.name, known.iter().filter_map(|object| object.str_at(&["metadata", "name"])));
        failures::no_such_object(&reference.to_string(), reference.namespace.as_deref(), reference.kind.plural, near)
    }
}

/// The entity's object at a time; rendered only when something changed.
fn shown(entity: &mut Entity, at: i64) -> &Value {
    let fresh = match entity.shown.take().filter(|shown| shown.holds(at)) {
        Some(shown) => shown,
        None => render::object(entity, at),
    };
    &entity.shown.insert(fresh).value
}

/// A patch of any kind as the merge patch that comes to the same now.
fn leading(reference: &ObjectRef, before: &Value, kind: PatchKind, patch: &Value) -> Result<Value, Failure> {
    if kind == PatchKind::Merge {
        return Ok(patch.clone());
    }
    let mut after = before.clone();
    apply(kind, &mut after, patch).map_err(|failure| failure.on(reference.to_string()))?;
    let mut patch = Difference::between(before, &after).patch;
    if matches!(patch, Value::Null) {
        patch = map! {};
    }
    // Which version it is for is no difference, but what the change rests on.
    if let Some(version) =
        after.at(&["metadata", "resourceVersion"]).filter(|version| Some(*version) != before.at(&["metadata", "resourceVersion"]))
    {
        patch.set(&["metadata", "resourceVersion"], version.clone());
    }
    Ok(patch)
}

/// The `Scale` of a workload, as `autoscaling/v1` has it.
fn scale(object: &Value) -> Value {
    let mut metadata = crate::model::Map::new();
    for key in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        if let Some(value) = object.at(&["metadata", key]) {
            metadata.insert(key.into(), value.clone());
        }
    }
    let selector = object.at(&["spec", "selector", "matchLabels"]).and_then(Value::as_map);
    let selector: Vec<String> =
        selector.into_iter().flatten().map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect();
    map! {
        "apiVersion" => "autoscaling/v1",
        "kind" => "Scale",
        "metadata" => metadata,
        "spec" => map! { "replicas" => object.int_at(&["spec", "replicas"]).unwrap_or(0) },
        "status" => map! {
            "replicas" => object.int_at(&["status", "replicas"]).unwrap_or(0),
            "selector" => selector.join(","),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::world::life::{Manner, NEVER, Nature};

    #[test]
    fn an_object_is_rendered_once_until_something_happens_to_it() {
        let mut cluster = Cluster::new(Timestamp::UNIX_EPOCH);
        let node = ObjectRef::new(ResourceKind::named("node").unwrap(), "", "n");
        let ready = vec![map! { "type" => "Ready", "status" => "True" }];
        cluster.found(node, map! { "metadata" => map! {}, "status" => map! { "conditions" => ready } }, None);
        let api = ObjectRef::new(ResourceKind::named("deployment").unwrap(), "default", "api");
        let labels = map! { "app" => "api" };
        let template = map! {
            "metadata" => map! { "labels" => labels.clone() },
            "spec" => map! { "containers" => vec![map! { "name" => "api" }] },
        };
        let spec = map! { "replicas" => 2, "selector" => map! { "matchLabels" => labels }, "template" => template };
        let object = map! { "metadata" => map! { "name" => "api", "generation" => 1 }, "spec" => spec };
        let nature = Nature { ready_after: 4_000_000, crash: false, cpu_millicores: 1, memory_bytes: 1, logs: Vec::new() };
        cluster.found(api.clone(), object, Some(Life::new(Manner::Rolling, "api", nature)));
        let rendered = |cluster: &mut Cluster, at| {
            cluster.get(&api, at).unwrap();
            let shown = cluster.entities.get(&api).and_then(|entity| entity.shown.as_ref()).unwrap();
            (shown.from, shown.until)
        };
        let settled = super::super::life::BEFORE + 4_000_000;
        assert_eq!(rendered(&mut cluster, 0), (settled, NEVER));
        let patch = map! { "spec" => map! { "replicas" => 3 } };
        cluster.patch(&api, Some("scale"), (PatchKind::Merge, &patch), 1_000_000, Mode::Try).unwrap();
        assert_eq!(rendered(&mut cluster, 1_000_000), (settled, NEVER));
        cluster.patch(&api, Some("scale"), (PatchKind::Merge, &patch), 1_000_000, Mode::Do).unwrap();
        assert_eq!(rendered(&mut cluster, 2_000_000), (1_000_000, 5_000_000));
        assert_eq!(rendered(&mut cluster, 9_000_000), (5_000_000, NEVER));
        assert_eq!(rendered(&mut cluster, 0), (settled, 1_000_000));
    }
}
