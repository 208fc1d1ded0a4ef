//! The containers of a pod, by its specification and its status.

use crate::host::targets::meta;
use crate::model::{Failure, Value, suggest};

/// Which containers of a pod can be meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Those that run as long as the pod does.
    Running,
    /// All, those among them that have ended when the others start.
    Any,
}

/// The container of a pod that is asked for, else the one that kubectl would take: the annotated one, else the first.
/// Errors are `bad_argument`.
pub fn of(pod: &Value, asked: Option<&str>, which: Which) -> Result<String, Failure> {
    let named = |list: &str| {
        let containers = pod.at(&["spec", list]).and_then(Value::as_list).unwrap_or_default();
        containers.iter().filter_map(|container| container.str_at(&["name"])).map(str::to_owned).collect::<Vec<_>>()
    };
    let mut known = named("containers");
    let first = known.first().cloned();
    known.extend(named("ephemeralContainers"));
    if which == Which::Any {
        known.extend(named("initContainers"));
    }
    let annotated = || pod.str_at(&["metadata", "annotations", "kubectl.kubernetes.io/default-container"]).map(str::to_owned);
    let Some(asked) = asked else {
        return annotated()
            .filter(|name| known.contains(name))
            .or(first)
            .ok_or_else(|| Failure::bad_argument(format!("pod/{} says of no container that it has one", meta(pod, "name"))));
    };
    if known.iter().any(|name| name == asked) {
        return Ok(asked.to_owned());
    }
    let name = meta(pod, "name");
    let mut failure = Failure::bad_argument(format!("container {asked} is not valid for pod {name}")).on(format!("pod/{name}"));
    failure.hint = suggest::hint(asked, known.iter().map(String::as_str));
    Err(failure)
}

/// Why a container has never been started; nothing if it has.
pub fn waiting(pod: &Value, container: &str) -> Option<String> {
    let status = |list: &str| {
        let statuses = pod.at(&["status", list])?.as_list()?;
        statuses.iter().find(|status| status.str_at(&["name"]) == Some(container))
    };
    let phase = || pod.str_at(&["status", "phase"]).filter(|phase| *phase == "Pending").map(str::to_owned);
    let Some(status) = ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"].into_iter().find_map(status) else {
        return phase();
    };
    let before = status.int_at(&["restartCount"]).unwrap_or(0) > 0 || status.at(&["lastState", "terminated"]).is_some();
    let waiting = status.at(&["state", "waiting"]).filter(|_| !before)?;
    Some(waiting.str_at(&["reason"]).unwrap_or("it waits").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map;

    fn pod(statuses: Vec<Value>) -> Value {
        let named = |name: &str| map! { "name" => name };
        map! {
            "metadata" => map! { "name" => "x" },
            "spec" => map! { "initContainers" => vec![named("setup")], "containers" => vec![named("app"), named("proxy")] },
            "status" => map! { "phase" => "Pending", "containerStatuses" => statuses },
        }
    }

    #[test]
    fn a_container_is_the_one_that_kubectl_takes() {
        let mut pod = pod(vec![]);
        assert_eq!(of(&pod, None, Which::Running).unwrap(), "app");
        assert_eq!(of(&pod, Some("setup"), Which::Any).unwrap(), "setup");
        let failure = of(&pod, Some("setup"), Which::Running).unwrap_err();
        assert_eq!(
            (failure.message.as_str(), failure.hint.as_deref()),
            ("container setup is not valid for pod x", Some("known: app, proxy"))
        );
        pod.set(&["metadata", "annotations", "kubectl.kubernetes.io/default-container"], "proxy".into());
        assert_eq!(of(&pod, None, Which::Running).unwrap(), "proxy");
    }

    #[test]
    fn a_container_waits_until_it_was_started_once() {
        let status = |state: Value, restarts: i64| map! { "name" => "app", "state" => state, "restartCount" => restarts };
        let creating = map! { "waiting" => map! { "reason" => "ContainerCreating" } };
        let crashing = map! { "waiting" => map! { "reason" => "CrashLoopBackOff" } };
        assert_eq!(waiting(&pod(vec![status(creating, 0)]), "app").as_deref(), Some("ContainerCreating"));
        assert_eq!(waiting(&pod(vec![status(crashing, 3)]), "app"), None);
        assert_eq!(waiting(&pod(vec![status(map! { "running" => map! {} }, 0)]), "app"), None);
        assert_eq!(waiting(&pod(vec![]), "app").as_deref(), Some("Pending"));
    }
}
