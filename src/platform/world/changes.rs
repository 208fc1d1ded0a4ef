//! Changes of a world's objects beyond patches: made, deleted with what they own, evicted as far as budgets allow.

use super::cluster::{Cluster, Mode, is, workload_kinds};
use super::entity::{Act, Entity};
use super::life::{Life, Manner, Nature};
use super::{names, render};
use crate::model::operation::{Freshness, Selection};
use crate::model::{Failure, Kind, ObjectRef, ResourceKind, Value, Write};
use crate::platform::failures;
use crate::platform::objects::{Selector, seal_secret};

impl Cluster {
    /// Changes an object, or only says whether it would: the object as it is then, where there is one.
    pub(super) fn change(&mut self, write: &Write, at: i64, mode: Mode) -> Result<Value, Failure> {
        match write {
            Write::Patch { object, subresource, patch, kind, .. } => self.patch(object, *subresource, (*kind, patch), at, mode),
            Write::Create { object, manifest, .. } => self.make(object, manifest, at, mode),
            Write::Delete { object, uid, .. } => self.delete(object, uid.as_deref(), at, mode),
            Write::Evict { object, uid, .. } => match self.get(object, at) {
                Ok(pod) => {
                    self.budgets(object, &pod, at)?;
                    self.delete(object, uid.as_deref(), at, mode)
                }
                Err(failure) if failure.kind == Kind::NotFound => Ok(Value::Null),
                Err(failure) => Err(failure),
            },
            _ => Ok(Value::Null),
        }
    }

    fn make(&mut self, reference: &ObjectRef, manifest: &Value, at: i64, mode: Mode) -> Result<Value, Failure> {
        if self.get(reference, at).is_ok() {
            let message = format!("{} already exists", names::shown(reference));
            return Err(Failure::new(Kind::Conflict, message).on(reference.to_string()));
        }
        let mut object = manifest.clone();
        seal_secret(&mut object);
        let namespace = reference.namespace.as_deref().unwrap_or_default();
        object.set(&["metadata", "uid"], names::uid(reference.kind.kind, namespace, &reference.name, at).into());
        object.set(&["metadata", "resourceVersion"], (self.version + 1).to_string().into());
        object.set(&["metadata", "creationTimestamp"], render::time(self.start, at).into());
        let is_workload = workload_kinds().any(|kind| kind == reference.kind);
        if is_workload {
            object.set(&["metadata", "generation"], 1.into());
        }
        if mode == Mode::Do {
            self.version += 1;
            if self.entities.get(reference).is_none() {
                let nature = Nature { ready_after: 3_000_000, crash: false, cpu_millicores: 50, memory_bytes: 128 << 20, logs: Vec::new() };
                let life = is_workload.then(|| Life::new(Manner::of(reference.kind), &reference.name, nature));
                self.entities.put(reference, Entity::new(reference.clone(), Value::Null, life, &[]));
            }
            self.act(reference, Act::Make(at, object.clone()), at);
        }
        Ok(object)
    }

    fn act(&mut self, reference: &ObjectRef, act: Act, at: i64) {
        let places = self.places(at);
        if let Some(entity) = self.entities.get_mut(reference) {
            entity.act(act, &places);
        }
    }

    fn delete(&mut self, reference: &ObjectRef, uid: Option<&str>, at: i64, mode: Mode) -> Result<Value, Failure> {
        let object = self.get(reference, at)?;
        let own = object.str_at(&["metadata", "uid"]).unwrap_or_default().to_owned();
        if uid.is_some_and(|uid| uid != own) {
            let message = format!(
                "Operation cannot be fulfilled on {}: the UID in the precondition is not the object's; it has been deleted and made anew",
                names::shown(reference)
            );
            return Err(Failure::new(Kind::Conflict, message).on(reference.to_string()));
        }
        if mode == Mode::Try {
            return Ok(object);
        }
        self.version += 1;
        if self.entities.get(reference).is_some_and(|entity| entity.is_there(at)) {
            self.act(reference, Act::Delete(at), at);
            self.delete_owned(reference, &own, at);
        } else if is(reference.kind, "pod") {
            self.lose(reference, at, &|pod, _| *pod == reference.name);
        } else if is(reference.kind, "replicaset") {
            // The deployment makes it anew at once, with other pods.
            self.lose(reference, at, &|_, set| set == reference.name);
        }
        Ok(object)
    }

    /// Deletes what a deleted object owned, and all that is in a deleted namespace.
    fn delete_owned(&mut self, reference: &ObjectRef, uid: &str, at: i64) {
        let namespace = is(reference.kind, "namespace").then_some(reference.name.as_str());
        let owned = |entity: &Entity| {
            let owners = entity.object_at(at).at(&["metadata", "ownerReferences"]).and_then(Value::as_list).unwrap_or_default();
            let within = namespace.is_some() && entity.reference.namespace.as_deref() == namespace;
            entity.is_there(at) && (within || owners.iter().any(|owner| owner.str_at(&["uid"]) == Some(uid)))
        };
        let all = crate::model::resource::KINDS.iter().flat_map(|kind| self.entities.of_kind(kind, None));
        let found: Vec<ObjectRef> = all.filter(|(.., entity)| owned(entity)).map(|(.., entity)| entity.reference.clone()).collect();
        for reference in found {
            let uid = self.entities.get(&reference).and_then(|entity| entity.object_at(at).str_at(&["metadata", "uid"]).map(str::to_owned));
            self.act(&reference, Act::Delete(at), at);
            self.delete_owned(&reference, &uid.unwrap_or_default(), at);
        }
    }

    /// The pods of workloads go that a test chooses by their names and by that of their ReplicaSet.
    fn lose(&mut self, reference: &ObjectRef, at: i64, test: &dyn Fn(&String, String) -> bool) {
        let places = self.places(at);
        for kind in workload_kinds() {
            for (_, workload, entity) in self.entities.of_kind_mut(kind, reference.namespace.as_deref()) {
                let Some(life) = &entity.life else { continue };
                let set =
                    |revision: usize| life.revisions.get(revision).map_or_else(String::new, |known| format!("{workload}-{}", known.hash));
                let going: Vec<String> =
                    life.pods_at(at).filter(|pod| test(&pod.name, set(pod.revision))).map(|pod| pod.name.clone()).collect();
                for pod in going {
                    entity.act(Act::Lose(at, pod), &places);
                }
            }
        }
        self.forget_pods();
    }

    /// Whether the disruption budgets of a pod let it go now.
    fn budgets(&mut self, reference: &ObjectRef, pod: &Value, at: i64) -> Result<(), Failure> {
        for budget in self.of_namespace(reference, "poddisruptionbudget", None, at)? {
            let Some(selector) = selector_of(&budget) else { continue };
            if !Selector::parse(&selector)?.chooses(pod) {
                continue;
            }
            let pods = self.of_namespace(reference, "pod", Some(selector), at)?;
            let healthy = pods.iter().filter(|pod| is_ready(pod)).count() as i64;
            let wanted = wanted(&budget, pods.len() as i64);
            let may_go = if is_ready(pod) { healthy > wanted } else { healthy >= wanted };
            if !may_go {
                let name = budget.str_at(&["metadata", "name"]).unwrap_or_default();
                let said = format!("The disruption budget {name} needs {wanted} healthy pods and has {healthy} currently");
                return Err(failures::budget(&reference.to_string(), &said));
            }
        }
        Ok(())
    }

    fn of_namespace(&mut self, beside: &ObjectRef, kind: &str, selector: Option<String>, at: i64) -> Result<Vec<Value>, Failure> {
        let selection = Selection {
            kind: ResourceKind::named(kind)?,
            namespace: beside.namespace.clone(),
            selector,
            fields: Vec::new(),
            freshness: Freshness::Now,
            timeout: std::time::Duration::ZERO,
        };
        self.list(&selection, at)
    }
}

fn selector_of(budget: &Value) -> Option<String> {
    let labels = budget.at(&["spec", "selector", "matchLabels"])?.as_map()?;
    Some(labels.iter().filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?))).collect::<Vec<_>>().join(","))
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod.at(&["status", "conditions"]).and_then(Value::as_list).unwrap_or_default();
    conditions.iter().any(|one| one.str_at(&["type"]) == Some("Ready") && one.str_at(&["status"]) == Some("True"))
}

/// How many of so many pods a budget wants to be well; shares are rounded up, as the disruption controller rounds them.
fn wanted(budget: &Value, pods: i64) -> i64 {
    let number = |value: &Value| match value {
        Value::Int(number) => *number,
        Value::Str(text) => {
            let percent: i64 = text.trim_end_matches('%').parse().unwrap_or(0);
            (pods * percent + 99) / 100
        }
        _ => 0,
    };
    match (budget.at(&["spec", "minAvailable"]), budget.at(&["spec", "maxUnavailable"])) {
        (Some(least), _) => number(least),
        (None, Some(most)) => pods - number(most),
        (None, None) => 0,
    }
}
