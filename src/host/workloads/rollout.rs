//! How far a workload's rollout has come, by the rules of `kubectl rollout status`.

use crate::map;
use crate::model::{ObjectRef, Value};

/// How far a rollout has come.
pub enum Rollout {
    /// Every replica is up to date and available, and the controller has seen the latest change.
    Ready,
    /// What is missing.
    Pending(String),
    /// It will not get there by itself.
    Stuck(String),
}

/// Judges a workload as the API server returned it.
pub fn judge(object: &ObjectRef, value: &Value) -> Rollout {
    if object.kind.singular == "job" {
        return judge_job(value);
    }
    let known = value.get("status");
    let status = |field| known.and_then(|known| known.get(field)?.as_int()).unwrap_or(0);
    let generation = value.int_at(&["metadata", "generation"]).unwrap_or(0);
    if status("observedGeneration") < generation {
        return Rollout::Pending("the controller has not seen the change yet".into());
    }
    if object.kind.singular == "daemonset" {
        let desired = status("desiredNumberScheduled");
        return counted(&[("updated", status("updatedNumberScheduled")), ("available", status("numberAvailable"))], desired);
    }
    let desired = value.int_at(&["spec", "replicas"]).unwrap_or(1);
    if object.kind.singular == "deployment" {
        if let Some(why) = deadline_exceeded(value) {
            return Rollout::Stuck(why);
        }
        let old = status("replicas") - status("updatedReplicas");
        return match counted(&[("updated", status("updatedReplicas")), ("available", status("availableReplicas"))], desired) {
            Rollout::Ready if old > 0 => Rollout::Pending(format!("{old} old replicas are still there")),
            Rollout::Ready if status("replicas") > desired => {
                Rollout::Pending(format!("{} replicas too many", status("replicas") - desired))
            }
            other => other,
        };
    }
    let ready = counted(&[("ready", status("readyReplicas"))], desired);
    let revision = |field| known.and_then(|known| known.get(field)?.as_str()).unwrap_or_default();
    match ready {
        Rollout::Ready if status("replicas") > desired => Rollout::Pending(format!("{} replicas too many", status("replicas") - desired)),
        Rollout::Ready if object.kind.singular == "statefulset" && revision("updateRevision") != revision("currentRevision") => {
            Rollout::Pending(format!("{} of {desired} updated", status("updatedReplicas")))
        }
        other => other,
    }
}

/// A job is ready when it is complete, and stuck when it has failed.
fn judge_job(value: &Value) -> Rollout {
    let conditions = value.at(&["status", "conditions"]).and_then(Value::as_list).unwrap_or_default();
    let holds = |kind: &str| conditions.iter().find(|one| one.str_at(&["type"]) == Some(kind) && one.str_at(&["status"]) == Some("True"));
    if let Some(failed) = holds("Failed") {
        let text = |key| failed.str_at(&[key]).unwrap_or_default();
        return Rollout::Stuck(format!("{}: {}", text("reason"), text("message")));
    }
    if holds("Complete").is_some() {
        return Rollout::Ready;
    }
    let succeeded = value.int_at(&["status", "succeeded"]).unwrap_or(0);
    Rollout::Pending(format!("{succeeded} of {} complete", completions(value)))
}

fn completions(job: &Value) -> i64 {
    job.int_at(&["spec", "completions"]).unwrap_or(1)
}

fn counted(counts: &[(&str, i64)], desired: i64) -> Rollout {
    match counts.iter().find(|(_, count)| *count < desired) {
        Some((what, count)) => Rollout::Pending(format!("{count} of {desired} {what}")),
        None => Rollout::Ready,
    }
}

fn deadline_exceeded(value: &Value) -> Option<String> {
    let conditions = value.at(&["status", "conditions"])?.as_list()?;
    let condition = conditions.iter().find(|condition| condition.str_at(&["reason"]) == Some("ProgressDeadlineExceeded"))?;
    Some(condition.str_at(&["message"]).unwrap_or("the rollout exceeded its progress deadline").to_owned())
}

/// A rollout as a script sees it.
pub fn describe(object: &ObjectRef, value: &Value, rollout: Rollout) -> Value {
    let known = value.get("status");
    let status = |field| known.and_then(|known| known.get(field)?.as_int()).unwrap_or(0);
    let field = |daemonsets, others| match object.kind.singular {
        "daemonset" => status(daemonsets),
        // Of a job those count that have come to their end.
        "job" => status("succeeded"),
        _ => status(others),
    };
    let wanted = match object.kind.singular {
        "daemonset" => status("desiredNumberScheduled"),
        "job" => completions(value),
        _ => value.int_at(&["spec", "replicas"]).unwrap_or(1),
    };
    let (ready, message) = match rollout {
        Rollout::Ready => (true, "ready".to_owned()),
        Rollout::Pending(what) | Rollout::Stuck(what) => (false, what),
    };
    map! {
        "target" => object.to_string(),
        "ready" => ready,
        "message" => message,
        "replicas" => wanted,
        "updated" => field("updatedNumberScheduled", "updatedReplicas"),
        "ready_replicas" => field("numberReady", "readyReplicas"),
        "available" => field("numberAvailable", "availableReplicas"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ResourceKind;

    fn judged(kind: &str, spec: i64, status: Value) -> String {
        let object = ObjectRef::new(ResourceKind::find(kind).unwrap(), "platform", "x");
        let value = map! { "metadata" => map! { "generation" => 2 }, "spec" => map! { "replicas" => spec }, "status" => status };
        match judge(&object, &value) {
            Rollout::Ready => "ready".into(),
            Rollout::Pending(what) | Rollout::Stuck(what) => what,
        }
    }

    #[test]
    fn a_job_is_ready_when_it_is_complete() {
        let conditions = |kind: &str| {
            let one = map! { "type" => kind, "status" => "True", "reason" => "BackoffLimitExceeded", "message" => "too often" };
            map! { "succeeded" => 0, "conditions" => vec![one] }
        };
        assert_eq!(judged("job", 1, conditions("Complete")), "ready");
        assert_eq!(judged("job", 1, conditions("Failed")), "BackoffLimitExceeded: too often");
        assert_eq!(judged("job", 1, map! {}), "0 of 1 complete");
    }

    #[test]
    fn a_rollout_is_ready_only_when_the_latest_change_was_seen_and_rolled_out() {
        let status = |observed: i64, replicas: i64, updated: i64, available: i64| {
            map! { "observedGeneration" => observed, "replicas" => replicas, "updatedReplicas" => updated, "availableReplicas" => available, "readyReplicas" => available }
        };
        assert_eq!(judged("deployment", 3, status(2, 3, 3, 3)), "ready");
        assert_eq!(judged("deployment", 3, status(1, 3, 3, 3)), "the controller has not seen the change yet");
        assert_eq!(judged("deployment", 3, status(2, 4, 3, 3)), "1 old replicas are still there");
        assert_eq!(judged("deployment", 3, status(2, 3, 1, 3)), "1 of 3 updated");
        assert_eq!(judged("deployment", 3, status(2, 3, 3, 2)), "2 of 3 available");
        assert_eq!(judged("deployment", 0, status(2, 0, 0, 0)), "ready");
        assert_eq!(judged("deployment", 0, status(2, 2, 2, 2)), "2 replicas too many");
        assert_eq!(judged("statefulset", 3, status(2, 3, 3, 2)), "2 of 3 ready");
        assert_eq!(judged("statefulset", 1, status(2, 3, 3, 3)), "2 replicas too many");
    }
}
