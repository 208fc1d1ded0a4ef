//! A rehearsal: a platform wrapped so that nothing is written. Predicted objects go into an overlay, and later
//! reads see them. Its base is only an [`Observe`], so by its type it cannot change it.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::objects::{Objects, Selector, merge_patch};
use super::{Cancel, Clock, Cx, Observe, Platform, Validation, clock, prepare};
use crate::config::Environment;
use crate::model::operation::Selection;
use crate::model::{Answer, Failure, Key, Kind, ObjectRef, Prepared, Provenance, Read, Secret, Value, Write};

/// A platform whose changes are only predicted.
pub struct Rehearsal<B> {
    base: B,
    overlay: Mutex<Objects>,
    /// Something was altered on which more hangs than its own object, so that what runs may differ from what is read.
    running_altered: AtomicBool,
    /// What would have been waited, in microseconds; below zero after a jump back.
    skipped: AtomicI64,
}

impl<B: Observe> Rehearsal<B> {
    /// Wraps a platform.
    pub fn new(base: B) -> Self {
        Self { base, overlay: Mutex::default(), running_altered: AtomicBool::new(false), skipped: AtomicI64::new(0) }
    }

    fn overlay(&self) -> MutexGuard<'_, Objects> {
        self.overlay.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn simulated(&self, object: &ObjectRef) -> Option<Value> {
        self.overlay().get(object).cloned()
    }

    /// Whether an earlier simulated change may have altered what this read looks at.
    fn may_be_altered(&self, op: &Read) -> bool {
        let about_running = match op {
            Read::Object(object) => matches!(object.kind.singular, "pod" | "replicaset" | "event" | "endpoints"),
            Read::Objects(selection) => matches!(selection.kind.singular, "pod" | "replicaset" | "event" | "endpoints"),
            Read::ClusterInfo => false,
            Read::Logs(_) | Read::PodMetrics(_) | Read::Http(_) | Read::Health(_) => true,
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
        let all = Selection { selector: None, ..selection.clone() };
        let predicted = overlay.list(&all)?;
        if predicted.is_empty() {
            return Ok(answer);
        }
        let selector = selection.selector.as_deref().map(Selector::parse).transpose()?;
        let Value::List(mut items) = answer.value else { return Ok(answer) };
        let name = |item: &Value| {
            let part = |key| item.str_at(&["metadata", key]).unwrap_or_default().to_owned();
            (part("namespace"), part("name"))
        };
        let replaced: Vec<_> = predicted.iter().map(|item| name(item)).collect();
        items.retain(|item| !replaced.contains(&name(item)));
        items.extend(predicted.into_iter().filter(|item| selector.as_ref().is_none_or(|selector| selector.chooses(item))).cloned());
        items.sort_by_cached_key(name);
        Ok(Answer { value: Value::List(items), provenance: Provenance::Simulated })
    }
}

impl<B: Observe> Observe for Rehearsal<B> {
    fn read(&self, op: &Read, cx: &Cx<'_>) -> Result<Answer, Failure> {
        match op {
            Read::Object(object) => {
                if let Some(value) = self.simulated(object) {
                    return Ok(Answer { value, provenance: Provenance::Simulated });
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
                    Some(value) => Ok(Answer { value, provenance: Provenance::Simulated }),
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

impl<B: Observe> Platform for Rehearsal<B> {
    fn prepare(&self, op: Write, cx: &Cx<'_>) -> Result<Prepared, Failure> {
        let mut prepared = prepare::prepare(self, op, cx)?;
        if !matches!(prepared.write, Write::Patch { .. }) {
            return Ok(prepared);
        }
        match self.base.validate(&prepared.write, cx) {
            Ok(Validation::Accepted(object)) => {
                prepared.validated = Some(true);
                // Admission may set other values than were asked for: what the server says counts.
                if let (Some(object), Value::Map(after), Write::Patch { patch, .. }) = (object, &mut prepared.after, &prepared.write) {
                    for (path, asked) in super::objects::leaves(patch) {
                        let said = answered(&object, &path, asked);
                        if said != *asked {
                            after.insert(super::objects::path_text(&path).into(), said);
                        }
                    }
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

    fn write(&self, op: &Prepared, cx: &Cx<'_>) -> Result<Answer, Failure> {
        let value = match &op.write {
            Write::Patch { object, patch, .. } => {
                // Taken out of the overlay, so that it is changed in place.
                let predicted = self.overlay().remove(object);
                let mut predicted =
                    predicted.map_or_else(|| self.base.read(&Read::Object(object.clone()), cx).map(|answer| answer.value), Ok)?;
                let spec = predicted.get("spec").cloned();
                merge_patch(&mut predicted, patch);
                settle(object, &mut predicted, spec.as_ref());
                self.overlay().put(object, predicted.clone());
                if object.kind.is_workload() || matches!(object.kind.singular, "pod" | "node") {
                    self.running_altered.store(true, Ordering::Relaxed);
                }
                predicted
            }
            Write::Http(_) => {
                self.running_altered.store(true, Ordering::Relaxed);
                Value::Null
            }
            Write::Send(_) => Value::Null,
        };
        Ok(Answer { value, provenance: Provenance::Simulated })
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
    predicted.set(&["status", "observedGeneration"], generation.into());
    let Some(Value::Map(status)) = predicted.at_mut(&["status"]) else { return };
    for field in ["replicas", "readyReplicas", "availableReplicas", "updatedReplicas", "currentReplicas"] {
        status.insert(field.into(), replicas.into());
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
