//! One object of a world through time: how it began, the patches since, and a workload's pods.

use super::life::{Life, Place};
use crate::model::{ObjectRef, Value};
use crate::platform::objects::{merge_patch, seal_secret};

/// An object as it reads from a time until a time.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub(super) from: i64,
    pub(super) until: i64,
    pub(super) value: Value,
}

impl Shown {
    pub(super) fn holds(&self, at: i64) -> bool {
        self.from <= at && at < self.until
    }
}

/// A merge patch at a time.
#[derive(Clone, Debug)]
pub(super) struct Edit {
    pub(super) at: i64,
    pub(super) patch: Value,
    /// The resource version that it gave the object.
    pub(super) version: i64,
}

/// What happens to an object.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// It is patched.
    Patch(Edit),
    /// It is made, or made anew.
    Make(i64, Value),
    /// It is deleted, its pods with it.
    Delete(i64),
    /// A pod of it goes, by name.
    Lose(i64, String),
}

impl Act {
    fn at(&self) -> i64 {
        match self {
            Act::Patch(edit) => edit.at,
            Act::Make(at, _) | Act::Delete(at) | Act::Lose(at, _) => *at,
        }
    }
}

/// The object from a time on, without its status where that is computed; nothing while it does not exist.
#[derive(Clone, Debug)]
struct Version {
    from: i64,
    object: Value,
}

/// An object of a world.
#[derive(Clone, Debug)]
pub(super) struct Entity {
    pub(super) reference: ObjectRef,
    acts: Vec<Act>,
    versions: Vec<Version>,
    pub(super) life: Option<Life>,
    pub(super) shown: Option<Shown>,
    /// Rendered pods by their index in the life.
    pub(super) shown_pods: Vec<Option<Shown>>,
}

impl Entity {
    /// An object as it was before the world began.
    pub(super) fn new(reference: ObjectRef, object: Value, life: Option<Life>, places: &[Place]) -> Self {
        let versions = vec![Version { from: i64::MIN, object }];
        let mut entity = Self { reference, acts: Vec::new(), versions, life, shown: None, shown_pods: Vec::new() };
        entity.relive(places);
        entity
    }

    /// Whether the object exists at a time.
    pub(super) fn is_there(&self, at: i64) -> bool {
        !matches!(self.object_at(at), Value::Null)
    }

    /// The object at a time.
    pub(super) fn object_at(&self, at: i64) -> &Value {
        &self.versions[self.index_at(at)].object
    }

    /// From when until when [`Entity::object_at`] answers the same.
    pub(super) fn between(&self, at: i64) -> (i64, i64) {
        let index = self.index_at(at);
        (self.versions[index].from, self.versions.get(index + 1).map_or(i64::MAX, |next| next.from))
    }

    fn index_at(&self, at: i64) -> usize {
        // The first version began before all times.
        self.versions.iter().rposition(|version| version.from <= at).unwrap_or(0)
    }

    /// Takes in what happens to it, at its time. Branches that run one after the other may bring an earlier one later; then what
    /// came after it is done again on top.
    pub(super) fn act(&mut self, act: Act, places: &[Place]) {
        self.shown = None;
        self.shown_pods.clear();
        let place = self.acts.partition_point(|known| known.at() <= act.at());
        let last = place == self.acts.len();
        self.acts.insert(place, act);
        if last {
            self.take(place, places);
            return;
        }
        self.versions.truncate(1);
        self.relive(places);
        for index in 0..self.acts.len() {
            self.take(index, places);
        }
    }

    fn take(&mut self, index: usize, places: &[Place]) {
        let (Some(act), Some(latest)) = (self.acts.get(index), self.versions.last()) else { return };
        let (from, is_there) = (act.at(), !matches!(latest.object, Value::Null));
        match act {
            Act::Patch(edit) if is_there => {
                let object = edited(&latest.object, edit);
                let pods_change = ["replicas", "template"].iter().any(|key| latest.object.at(&["spec", key]) != object.at(&["spec", key]));
                self.versions.push(Version { from, object });
                if pods_change {
                    self.live(from, places);
                }
            }
            Act::Make(_, object) => {
                self.versions.push(Version { from, object: object.clone() });
                self.live(from, places);
            }
            Act::Delete(_) => {
                self.versions.push(Version { from, object: Value::Null });
                if let Some(life) = &mut self.life {
                    life.end(from);
                }
            }
            Act::Lose(_, pod) if is_there => {
                let replicas = replicas(&latest.object);
                if let Some(life) = &mut self.life {
                    life.lose(from, pod, replicas, places);
                }
            }
            Act::Patch(_) | Act::Lose(..) => {}
        }
    }

    fn relive(&mut self, places: &[Place]) {
        if let Some(life) = &mut self.life {
            life.reset();
        }
        self.live(super::life::BEFORE, places);
    }

    fn live(&mut self, at: i64, places: &[Place]) {
        let (Some(life), Some(version)) = (&mut self.life, self.versions.last()) else { return };
        if matches!(version.object, Value::Null) {
            return;
        }
        let template = version.object.at(&["spec", "template"]).cloned().unwrap_or_default();
        life.want(at, replicas(&version.object), &template, places);
    }
}

fn replicas(object: &Value) -> i64 {
    object.int_at(&["spec", "replicas"]).unwrap_or(1)
}

/// The object after a patch: its generation rises with its spec, its resource version always.
pub(super) fn edited(object: &Value, edit: &Edit) -> Value {
    let mut after = object.clone();
    merge_patch(&mut after, &edit.patch);
    prune(&mut after);
    // Compared before data is sealed: sealed values are equal by name only.
    if after == *object {
        return after;
    }
    seal_secret(&mut after);
    if let Some(generation) = object.int_at(&["metadata", "generation"]) {
        let spec_changed = after.get("spec") != object.get("spec");
        after.set(&["metadata", "generation"], (generation + i64::from(spec_changed)).into());
    }
    after.set(&["metadata", "resourceVersion"], edit.version.to_string().into());
    after
}

/// Drops maps of metadata that a patch left empty, as the API server does.
fn prune(object: &mut Value) {
    for path in [["metadata"].as_slice(), &["spec", "template", "metadata"]] {
        for key in ["labels", "annotations"] {
            // Looked at first: to change a map ends its sharing.
            let is_empty = object.at(path).and_then(|metadata| metadata.get(key)?.as_map()).is_some_and(|map| map.is_empty());
            if is_empty && let Some(metadata) = object.at_mut(path).and_then(Value::as_map_mut) {
                metadata.remove(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::map;
    use crate::model::ResourceKind;
    use crate::platform::world::life::{Manner, Nature};

    const SECOND: i64 = 1_000_000;

    fn entity(manner: Manner) -> Entity {
        let kind = if manner == Manner::Ordered { "statefulset" } else { "deployment" };
        let template = map! { "metadata" => map! { "labels" => map! { "app" => "x" } } };
        let object =
            map! { "metadata" => map! { "name" => "x", "generation" => 1 }, "spec" => map! { "replicas" => 3, "template" => template } };
        let nature = Nature { ready_after: 3 * SECOND, crash: false, cpu_millicores: 1, memory_bytes: 1, logs: Vec::new() };
        let reference = ObjectRef::new(ResourceKind::named(kind).unwrap(), "default", "x");
        Entity::new(reference, object, Some(Life::new(manner, "x", nature)), &places())
    }

    fn places() -> [Place; 1] {
        [Place { name: "n".into(), labels: Value::Null, open: true }]
    }

    fn edit((at, replicas, template): (i64, i64, i64)) -> Edit {
        let annotations = map! { "restartedAt" => template.to_string() };
        let template = map! { "metadata" => map! { "annotations" => annotations } };
        Edit { at: at * SECOND, patch: map! { "spec" => map! { "replicas" => replicas, "template" => template } }, version: 1 }
    }

    fn pods(entity: &Entity, at: i64) -> Vec<(String, bool)> {
        entity.life.iter().flat_map(|life| life.pods_at(at)).map(|pod| (pod.name.clone(), pod.is_ready(at))).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

        /// Branches may bring changes in any order; what is read goes by the changes' times alone.
        #[test]
        fn the_order_of_arrival_does_not_matter(
            changes in prop::collection::btree_map(0i64..40, (0i64..9, 0i64..3), 1..6),
            ordered in any::<bool>(),
            seed in any::<u64>(),
        ) {
            let manner = if ordered { Manner::Ordered } else { Manner::Rolling };
            let changes: Vec<_> = changes.into_iter().map(|(at, (replicas, template))| (at, replicas, template)).collect();
            let mut in_order = entity(manner);
            changes.iter().for_each(|change| in_order.act(Act::Patch(edit(*change)), &places()));
            let mut shuffled = changes.clone();
            shuffled.sort_by_key(|(at, ..)| (*at as u64 ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let mut out_of_order = entity(manner);
            shuffled.iter().for_each(|change| out_of_order.act(Act::Patch(edit(*change)), &places()));
            for at in 0..80 {
                prop_assert_eq!(pods(&in_order, at * SECOND), pods(&out_of_order, at * SECOND), "at {} s", at);
            }
        }

        /// Whatever was asked for before, in the end all pods are there, Ready, and of the last template.
        #[test]
        fn rollouts_end(changes in prop::collection::btree_map(0i64..40, (0i64..9, 0i64..3), 1..6), ordered in any::<bool>()) {
            let mut entity = entity(if ordered { Manner::Ordered } else { Manner::Rolling });
            let mut wanted = 0;
            for (at, (replicas, template)) in changes {
                entity.act(Act::Patch(edit((at, replicas, template))), &places());
                wanted = replicas;
            }
            let end = 1_000 * SECOND;
            prop_assert_eq!(pods(&entity, end).iter().filter(|(_, ready)| *ready).count() as i64, wanted);
            prop_assert_eq!(pods(&entity, end).len() as i64, wanted);
            let life = entity.life.as_ref().unwrap();
            prop_assert!(life.pods_at(end).all(|pod| pod.revision == life.revision_at(end)));
        }
    }
}
