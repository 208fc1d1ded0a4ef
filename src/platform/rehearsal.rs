//! A rehearsal: a platform wrapped so that nothing is written. Predicted objects go into an overlay, and later
//! reads see them. Its base is only an [`Observe`], so by its type it cannot change it.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::objects::{Objects, Selector, apply, has_fields, leaves, merge_patch, path_text, seal_secret};
use super::{Cancel, Clock, Cx, Observe, Platform, Validation, clock, failures, prepare};
use crate::config::Environment;
use crate::model::operation::{PatchVerb, Selection};
use crate::model::{Answer, Failure, Key, Kind, ObjectRef, Prepared, Provenance, Read, ResourceKind, Secret, Value, Write};

/// A platform whose changes are only predicted.
pub struct Rehearsal<B> {
    base: B,
    /// Predicted objects; nothing stands for one that would be deleted.
    overlay: Mutex<Objects>,
    /// The merge patches that the server's own dry-runs have come to, until they are written into the overlay.
    foreseen: Mutex<Objects>,
    /// Something was altered on which more hangs than its own object, so that what runs may differ from what is read.
    running_altered: AtomicBool,
    /// What would have been waited, in microseconds; below zero after a jump back.
    skipped: AtomicI64,
}

impl<B: Observe> Rehearsal<B> {
    /// Wraps a platform.
    pub fn new(base: B) -> Self {
        Self {
            base,
            overlay: Mutex::default(),
            foreseen: Mutex::default(),
            running_altered: AtomicBool::new(false),
            skipped: AtomicI64::new(0),
        }
    }

    fn overlay(&self) -> MutexGuard<'_, Objects> {
        self.overlay.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn foreseen(&self) -> MutexGuard<'_, Objects> {
        self.foreseen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the overlay says of an object; nothing where it says nothing.
    fn simulated(&self, object: &ObjectRef) -> Option<Result<Answer, Failure>> {
        let overlay = self.overlay();
        let holder = |name: &String| Some(ObjectRef::new(ResourceKind::find("namespace")?, "", name));
        let namespace = object.namespace.as_ref().and_then(holder);
        let value = match namespace.and_then(|namespace| overlay.get(&namespace)) {
            Some(Value::Null) => Value::Null,
            _ => overlay.get(object)?.clone(),
        };
        Some(match value {
            Value::Null => Err(failures::no_such_object(&object.to_string(), object.namespace.as_deref(), object.kind.plural, None)),
            value => Ok(Answer { value, provenance: Provenance::Simulated }),
        })
    }

    /// Whether an earlier simulated change may have altered what this read looks at.
    fn may_be_altered(&self, op: &Read) -> bool {
        let about_running = match op {
            Read::Object(object) => matches!(object.kind.singular, "pod" | "replicaset" | "event" | "endpoints"),
            Read::Objects(selection) => matches!(selection.kind.singular, "pod" | "replicaset" | "event" | "endpoints"),
            Read::ClusterInfo | Read::Variable { .. } | Read::File(_) => false,
            Read::Logs(_) | Read::PodMetrics(_) | Read::NodeMetrics(_) | Read::Http(_) | Read::Health(_) => true,
            Read::Metrics(_) | Read::Tcp(_) | Read::Exec(_) | Read::Command(_) => true,
            Read::Sql(_) | Read::Mongo { .. } | Read::Redis { .. } => true,
        };
        about_running && self.running_altered.load(Ordering::Relaxed)
    }

    fn marked(&self, op: &Read, answer: Answer) -> Answer {
        if self.may_be_altered(op) { Answer { provenance: answer.provenance.max(Provenance::Stale), ..answer } } else { answer }
    }

    /// Lays the overlay over a list: predicted objects replace the real ones, and join or leave it by their labels.
    fn overlaid(&self, selection: &Selection, answer: Answer) -> Result<Answer, Failure> {
        let overlay = self.overlay();
        let namespace = selection.namespace.as_deref().filter(|_| selection.kind.namespaced);
        let predicted: Vec<(&str, &str, &Value)> = overlay.of_kind(selection.kind, namespace).collect();
        if predicted.is_empty() {
            return Ok(answer);
        }
        let selector = Selector::of(selection)?;
        let Value::List(mut items) = answer.value else { return Ok(answer) };
        let name = |item: &Value| {
            let part = |key| item.str_at(&["metadata", key]).unwrap_or_default().to_owned();
            (part("namespace"), part("name"))
        };
        items.retain(|item| {
            let (namespace, name) = name(item);
            !predicted.iter().any(|(own, known, _)| *own == namespace && *known == name)
        });
        let chosen = |item: &&Value| !matches!(item, Value::Null) && selector.chooses(item) && has_fields(item, &selection.fields);
        items.extend(predicted.into_iter().map(|(.., item)| item).filter(chosen).cloned());
        items.sort_by_cached_key(name);
        Ok(Answer { value: Value::List(items), provenance: Provenance::Simulated })
    }
}

impl<B: Observe> Observe for Rehearsal<B> {
    fn read(&self, op: &Read, cx: &Cx<'_>) -> Result<Answer, Failure> {
        match op {
            Read::Object(object) => {
                if let Some(answer) = self.simulated(object) {
                    return answer;
                }
                self.base.read(op, cx).map(|answer| self.marked(op, answer))
            }
            Read::Objects(selection) => {
                let answer = self.base.read(op, cx)?;
                self.overlaid(selection, self.marked(op, answer))
            }
            _ => self.base.read(op, cx).map(|answer| self.marked(op, answer)),
        }
    }

    fn read_all(&self, ops: &[Read], cx: &Cx<'_>) -> Vec<Result<Answer, Failure>> {
        let answers = self.base.read_all(ops, cx);
        ops.iter()
            .zip(answers)
            .map(|(op, answer)| match op {
                Read::Object(object) => match self.simulated(object) {
                    Some(simulated) => simulated,
                    None => answer.map(|answer| self.marked(op, answer)),
                },
                Read::Objects(selection) => self.overlaid(selection, self.marked(op, answer?)),
                _ => answer.map(|answer| self.marked(op, answer)),
            })
            .collect()
    }

    fn validate(&self, op: &Write, cx: &Cx<'_>) -> Result<Validation, Failure> {
        self.base.validate(op, cx)
    }

    fn new_secrets(&self) -> Vec<Secret> {
        self.base.new_secrets()
    }

    fn clock(&self) -> &dyn Clock {
        self
    }

    fn environment(&self) -> &Environment {
        self.base.environment()
    }
}

impl<B: Observe> Rehearsal<B> {
    /// A statement with what the server's planner says of it.
    fn planned(&self, mut prepared: Prepared, cx: &Cx<'_>) -> Result<Prepared, Failure> {
        match self.base.validate(&prepared.write, cx) {
            Ok(Validation::Accepted(rows)) => {
                prepared.validated = Some(true);
                if let Some(rows) = rows.as_ref().and_then(Value::as_int) {
                    prepared.remarks.push(format!("the planner expects about {rows} row{}", if rows == 1 { "" } else { "s" }));
                }
            }
            Ok(Validation::NotValidated) => {}
            Err(failure) if is_refusal(failure.kind) => {
                prepared.validated = Some(false);
                prepared.refusal = Some(failure);
            }
            Err(failure) => return Err(failure),
        }
        Ok(prepared)
    }
}

impl<B: Observe> Platform for Rehearsal<B> {
    fn prepare(&self, op: Write, cx: &Cx<'_>) -> Result<Prepared, Failure> {
        let mut prepared = prepare::prepare(self, op, cx)?;
        if let Write::Command(_) = prepared.write {
            match self.base.validate(&prepared.write, cx) {
                Err(failure) if is_refusal(failure.kind) => prepared.refusal = Some(failure),
                other => drop(other?),
            }
            return Ok(prepared);
        }
        if let Write::Sql(_) = prepared.write {
            return self.planned(prepared, cx);
        }
        let Some(object) = prepared.write.object().cloned() else { return Ok(prepared) };
        let simulated = self.overlay().get(&object).is_some();
        if prepared.before == prepared.after || matches!(prepared.write, Write::Create { .. }) && simulated {
            // Nothing would be sent; and the server still has what was deleted only here.
            return Ok(prepared);
        }
        match self.base.validate(&prepared.write, cx) {
            Ok(Validation::Accepted(answer)) => {
                prepared.validated = Some(true);
                if let (Some(answer), Write::Patch { .. }) = (answer, &prepared.write) {
                    self.said(&mut prepared, &object, answer, simulated, cx)?;
                }
            }
            Ok(Validation::NotValidated) => {}
            // What was made only here the server does not have.
            Err(failure) if failure.kind == Kind::NotFound && simulated => {}
            Err(failure) if failures::is_budget(&failure) => {
                prepared.validated = Some(false);
                prepared.remarks.push(format!("{}: the run would wait until it is allowed", failure.message));
            }
            Err(failure) if is_refusal(failure.kind) => {
                prepared.validated = Some(false);
                prepared.refusal = Some(failure);
            }
            Err(failure) => return Err(failure),
        }
        Ok(prepared)
    }

    fn write(&self, op: &Prepared, cx: &Cx<'_>) -> Result<Answer, Failure> {
        let value = match &op.write {
            Write::Patch { object, patch, kind, .. } => {
                // Taken out of the overlay, so that it is changed in place.
                let predicted = self.overlay().remove(object);
                let simulated = predicted.is_some();
                let mut predicted =
                    predicted.map_or_else(|| self.base.read(&Read::Object(object.clone()), cx).map(|answer| answer.value), Ok)?;
                let spec = predicted.get("spec").cloned();
                seal_secret(&mut predicted);
                let foreseen = self.foreseen().remove(object);
                // What the server has said rests on the object without earlier simulated changes.
                if simulated || foreseen.is_none() {
                    apply(*kind, &mut predicted, patch)?;
                }
                if let Some(said) = foreseen {
                    merge_patch(&mut predicted, &said);
                }
                seal_secret(&mut predicted);
                settle(object, &mut predicted, spec.as_ref());
                self.put(object, predicted.clone());
                predicted
            }
            Write::Create { object, manifest, .. } => {
                let mut predicted = manifest.clone();
                settle(object, &mut predicted, None);
                self.put(object, predicted.clone());
                predicted
            }
            Write::Delete { object, .. } | Write::Evict { object, .. } => {
                self.put(object, Value::Null);
                Value::Null
            }
            Write::Http(_) | Write::Exec(_) | Write::Command(_) | Write::Sql(_) | Write::Mongo(_) | Write::Redis(_) => {
                self.running_altered.store(true, Ordering::Relaxed);
                Value::Null
            }
            Write::Send(_) => Value::Null,
        };
        Ok(Answer { value, provenance: Provenance::Simulated })
    }
}

impl<B: Observe> Rehearsal<B> {
    /// What the server's own dry-run has come to counts: admission may set other values than were asked for.
    fn said(&self, prepared: &mut Prepared, object: &ObjectRef, answer: Value, simulated: bool, cx: &Cx<'_>) -> Result<(), Failure> {
        let Write::Patch { patch, verb, .. } = &prepared.write else { return Ok(()) };
        if matches!(verb, PatchVerb::Patch | PatchVerb::Undo(_)) {
            // Earlier simulated changes are no part of what this one comes to.
            let mut current = self.base.read(&Read::Object(object.clone()), cx)?.value;
            let mut answer = answer;
            seal_secret(&mut current);
            seal_secret(&mut answer);
            let found = prepare::between(object, &current, &answer);
            if !simulated {
                (prepared.before, prepared.after) = (Value::Map(found.before), Value::Map(found.after));
            }
            if !matches!(found.patch, Value::Null) {
                self.foreseen().put(object, found.patch);
            }
            return Ok(());
        }
        let Value::Map(after) = &mut prepared.after else { return Ok(()) };
        for (path, asked) in leaves(patch) {
            let said = answered(&answer, &path, asked);
            if said != *asked {
                after.insert(path_text(&path).into(), said);
            }
        }
        Ok(())
    }

    fn put(&self, object: &ObjectRef, predicted: Value) {
        self.overlay().put(object, predicted);
        if object.kind.is_workload() || matches!(object.kind.singular, "pod" | "node" | "namespace") {
            self.running_altered.store(true, Ordering::Relaxed);
        }
    }
}

/// What the server's answer has at a path. The API leaves out what is nought, `replicas: 0` of a `Scale` for one.
fn answered(object: &Value, path: &[Key], asked: &Value) -> Value {
    let keys: Vec<&str> = path.iter().map(Key::as_str).collect();
    let nought = matches!(asked, Value::Int(0) | Value::Bool(false)) || asked.as_str() == Some("");
    object.at(&keys).cloned().unwrap_or_else(|| if nought { asked.clone() } else { Value::Null })
}

/// Refusals are findings of a rehearsal; that nobody could be asked is a failure of it.
fn is_refusal(kind: Kind) -> bool {
    matches!(kind, Kind::Forbidden | Kind::BadArgument | Kind::Conflict | Kind::Failed | Kind::NotFound)
}

/// Brings a predicted workload to rest: a new generation, observed, with every replica up to date and ready.
fn settle(object: &ObjectRef, predicted: &mut Value, spec_before: Option<&Value>) {
    if predicted.get("spec") == spec_before {
        return;
    }
    let generation = predicted.int_at(&["metadata", "generation"]).unwrap_or(0) + 1;
    predicted.set(&["metadata", "generation"], generation.into());
    if !object.kind.is_workload() {
        return;
    }
    let replicas = predicted.int_at(&["spec", "replicas"]).unwrap_or(1);
    if spec_before.is_none() && object.kind.singular != "daemonset" {
        // An object that is made has no status yet.
        predicted.set(&["status", "readyReplicas"], replicas.into());
    }
    predicted.set(&["status", "observedGeneration"], generation.into());
    let Some(Value::Map(status)) = predicted.at_mut(&["status"]) else { return };
    if object.kind.singular == "daemonset" {
        let desired = status.get("desiredNumberScheduled").cloned().unwrap_or_default();
        for field in ["currentNumberScheduled", "updatedNumberScheduled", "numberReady", "numberAvailable"] {
            status.insert(field.into(), desired.clone());
        }
    } else {
        for field in ["replicas", "readyReplicas", "availableReplicas", "updatedReplicas", "currentReplicas"] {
            status.insert(field.into(), replicas.into());
        }
    }
    if let Some(update) = status.get("updateRevision").cloned() {
        status.insert("currentRevision".into(), update);
    }
    // A rollout that was stuck before says so in a condition, which would outlast the prediction.
    if let Some(Value::List(conditions)) = status.get_mut("conditions") {
        for condition in conditions {
            if condition.str_at(&["type"]) == Some("Progressing") {
                *condition = crate::map! { "type" => "Progressing", "status" => "True", "reason" => "NewReplicaSetAvailable" };
            }
        }
    }
}

impl<B: Observe> Clock for Rehearsal<B> {
    fn now(&self) -> Timestamp {
        let skipped = SignedDuration::from_micros(self.skipped.load(Ordering::Relaxed));
        self.base.clock().now().checked_add(skipped).unwrap_or(Timestamp::MAX)
    }

    fn elapsed(&self) -> Duration {
        let micros = micros(self.base.clock().elapsed()).saturating_add(self.skipped.load(Ordering::Relaxed));
        Duration::from_micros(micros.max(0).unsigned_abs())
    }

    fn sleep(&self, duration: Duration, cancel: &Cancel) -> Result<(), Failure> {
        if cancel.is_set() {
            return Err(clock::cancelled());
        }
        self.skipped.fetch_add(micros(duration), Ordering::Relaxed);
        Ok(())
    }

    fn jump(&self, elapsed: Duration) {
        self.skipped.store(micros(elapsed) - micros(self.base.clock().elapsed()), Ordering::Relaxed);
    }

    fn is_virtual(&self) -> bool {
        true
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map;
    use crate::model::ResourceKind;

    #[test]
    fn what_the_server_leaves_out_is_nought_where_nought_was_asked_for() {
        let path = ["spec", "replicas"].map(Key::from);
        let three = map! { "spec" => map! { "replicas" => 3 } };
        assert_eq!(answered(&three, &path, &5.into()), 3.into(), "admission has the last word");
        assert_eq!(answered(&map! { "spec" => map! {} }, &path, &0.into()), 0.into());
        assert_eq!(answered(&map! { "spec" => map! {} }, &path, &5.into()), Value::Null);
    }

    #[test]
    fn a_prediction_is_at_rest_though_the_rollout_before_was_stuck() {
        let object = ObjectRef::new(ResourceKind::named("deployment").unwrap(), "default", "x");
        let stuck = map! { "type" => "Progressing", "status" => "False", "reason" => "ProgressDeadlineExceeded" };
        let available = map! { "type" => "Available", "status" => "False" };
        let mut predicted = map! {
            "metadata" => map! { "generation" => 1 },
            "spec" => map! { "replicas" => 2 },
            "status" => map! { "conditions" => vec![available.clone(), stuck] },
        };
        settle(&object, &mut predicted, Some(&map! { "replicas" => 1 }));
        assert_eq!((predicted.int_at(&["metadata", "generation"]), predicted.int_at(&["status", "readyReplicas"])), (Some(2), Some(2)));
        let conditions = predicted.at(&["status", "conditions"]).and_then(Value::as_list).unwrap();
        assert_eq!((&conditions[0], conditions[1].str_at(&["status"])), (&available, Some("True")));
    }
}
