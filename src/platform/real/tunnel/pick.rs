//! Which pods a Service leads to, and to which of their ports.

use crate::model::{Failure, Kind, Value};

/// A port of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct End {
    /// The pod's namespace.
    pub(in super::super) namespace: String,
    /// The pod.
    pub(in super::super) pod: String,
    /// The port that it listens on.
    pub(in super::super) port: u16,
}

/// The port that a Service sends a port of its own to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Port {
    /// This one.
    Number(u16),
    /// The one that the pod's containers call so.
    Name(String),
}

/// A Service's port as its pods have it, with the Service's own name for it.
pub(super) fn port(name: &str, service: &Value, port: u16) -> Result<(Port, String), Failure> {
    let ports = service.at(&["spec", "ports"]).and_then(Value::as_list).unwrap_or_default();
    let is_tcp = |entry: &&Value| entry.str_at(&["protocol"]).unwrap_or("TCP") == "TCP";
    let entry = ports.iter().filter(is_tcp).find(|entry| entry.int_at(&["port"]) == Some(i64::from(port)));
    let label = entry.and_then(|entry| entry.str_at(&["name"])).unwrap_or_default().to_owned();
    // A headless Service's name is its pods' addresses: whoever connects names the pods' own port.
    if service.str_at(&["spec", "clusterIP"]) == Some("None") {
        return Ok((Port::Number(port), label));
    }
    let Some(entry) = entry else {
        let known: Vec<String> = ports.iter().filter(is_tcp).filter_map(|entry| entry.int_at(&["port"])).map(|n| n.to_string()).collect();
        return Err(Failure::new(Kind::Unavailable, format!("service/{name} has no port {port}")).hint(if known.is_empty() {
            "it has no TCP port at all".to_owned()
        } else {
            format!("it has {}", known.join(", "))
        }));
    };
    let there = match entry.get("targetPort") {
        Some(Value::Str(there)) => there.parse().map_or_else(|_| Port::Name(there.clone()), Port::Number),
        Some(Value::Int(there)) => Port::Number(u16::try_from(*there).unwrap_or(port)),
        _ => Port::Number(port),
    };
    Ok((there, label))
}

/// Of pods those that take connections, by name; else the failure that says of each why it does not. `what` leads to them.
pub(super) fn ready(what: &str, pods: &[Value], port: &Port, publishes_all: bool) -> Result<Vec<End>, Failure> {
    let mut found = Vec::new();
    let mut others = Vec::new();
    for pod in pods {
        let name = pod.str_at(&["metadata", "name"]).unwrap_or_default();
        match (condition(pod, publishes_all), numbered(pod, port)) {
            (None, Some(port)) => {
                let namespace = pod.str_at(&["metadata", "namespace"]).unwrap_or_default().to_owned();
                found.push(End { namespace, pod: name.to_owned(), port });
            }
            (Some(why), _) => others.push(format!("{name} ({why})")),
            (None, None) => others.push(format!("{name} (no port of the name {})", said(port))),
        }
    }
    if found.is_empty() { Err(none(what, &others)) } else { Ok(found) }
}

/// The failure where nothing takes connections.
pub(super) fn none(what: &str, others: &[String]) -> Failure {
    let message = match others {
        [] => format!("{what} leads to no pod"),
        others if others.len() > 5 => format!("no pod of {what} is ready: {} and {} more", others[..5].join(", "), others.len() - 5),
        others => format!("no pod of {what} is ready: {}", others.join(", ")),
    };
    Failure::new(Kind::Unavailable, message).hint("does its workload run? `pods` and `events` say what its pods do")
}

/// Why a pod takes no connections, if it does not.
fn condition(pod: &Value, publishes_all: bool) -> Option<String> {
    let phase = pod.str_at(&["status", "phase"]).unwrap_or("Unknown");
    if pod.at(&["metadata", "deletionTimestamp"]).is_some() {
        return Some("terminating".to_owned());
    }
    if phase != "Running" {
        return Some(phase.to_owned());
    }
    let conditions = pod.at(&["status", "conditions"]).and_then(Value::as_list).unwrap_or_default();
    let is_ready = conditions.iter().any(|one| one.str_at(&["type"]) == Some("Ready") && one.str_at(&["status"]) == Some("True"));
    if is_ready || publishes_all { None } else { Some("not ready".to_owned()) }
}

/// A port's number in a pod.
fn numbered(pod: &Value, port: &Port) -> Option<u16> {
    let name = match port {
        Port::Number(number) => return Some(*number),
        Port::Name(name) => name,
    };
    let containers = ["containers", "initContainers"].into_iter().filter_map(|key| pod.at(&["spec", key]).and_then(Value::as_list));
    let ports = containers.flatten().filter_map(|container| container.get("ports").and_then(Value::as_list)).flatten();
    let mut named = ports.filter(|entry| entry.str_at(&["name"]) == Some(name));
    named.next().and_then(|entry| u16::try_from(entry.int_at(&["containerPort"])?).ok())
}

fn said(port: &Port) -> String {
    match port {
        Port::Number(number) => number.to_string(),
        Port::Name(name) => name.clone(),
    }
}

/// The pods in the EndpointSlices of a Service that chooses none itself; `label` is its own name for the port.
pub(super) fn of_slices(what: &str, slices: &[Value], label: &str, namespace: &str) -> Result<Vec<End>, Failure> {
    let (mut found, mut others) = (Vec::new(), Vec::new());
    for slice in slices {
        let ports = slice.get("ports").and_then(Value::as_list).unwrap_or_default();
        let port = ports.iter().find(|port| port.str_at(&["name"]).unwrap_or_default() == label).and_then(|port| port.int_at(&["port"]));
        let Some(port) = port.and_then(|port| u16::try_from(port).ok()) else { continue };
        for end in slice.get("endpoints").and_then(Value::as_list).unwrap_or_default() {
            let pod = (end.str_at(&["targetRef", "kind"]) == Some("Pod")).then(|| end.str_at(&["targetRef", "name"])).flatten();
            let ready = end.at(&["conditions", "ready"]).and_then(Value::as_bool).unwrap_or(true);
            match (pod, ready) {
                (Some(pod), true) => found.push(End { namespace: namespace.to_owned(), pod: pod.to_owned(), port }),
                (Some(pod), false) => others.push(format!("{pod} (not ready)")),
                (None, _) => others.push("an address that is no pod".to_owned()),
            }
        }
    }
    if found.is_empty() { Err(none(what, &others)) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map;

    fn service(cluster_ip: &str) -> Value {
        let ports: Vec<Value> = vec![
            map! { "name" => "dns", "port" => 8080, "protocol" => "UDP" },
            map! { "name" => "http", "port" => 80, "targetPort" => "web" },
            map! { "name" => "metrics", "port" => 9090, "targetPort" => 9091 },
            map! { "name" => "same", "port" => 5432 },
        ];
        map! { "spec" => map! { "clusterIP" => cluster_ip, "ports" => ports } }
    }

    fn pod(name: &str, phase: &str, ready: &str) -> Value {
        let conditions: Vec<Value> = vec![map! { "type" => "Ready", "status" => ready }];
        let ports: Vec<Value> = vec![map! { "name" => "web", "containerPort" => 8080 }];
        let containers: Vec<Value> = vec![map! { "name" => "a" }, map! { "name" => "b", "ports" => ports }];
        map! {
            "metadata" => map! { "name" => name, "namespace" => "p" },
            "spec" => map! { "containers" => containers },
            "status" => map! { "phase" => phase, "conditions" => conditions },
        }
    }

    #[test]
    fn a_services_port_is_its_target_port() {
        let of = |number| port("api", &service("10.0.0.1"), number);
        assert_eq!(of(80).unwrap(), (Port::Name("web".into()), "http".into()));
        assert_eq!(of(9090).unwrap(), (Port::Number(9091), "metrics".into()));
        assert_eq!(of(5432).unwrap(), (Port::Number(5432), "same".into()));
        let failure = of(8080).unwrap_err();
        assert_eq!((failure.kind, failure.message.as_str()), (Kind::Unavailable, "service/api has no port 8080"));
        assert_eq!(failure.hint.as_deref(), Some("it has 80, 9090, 5432"));
        assert_eq!(port("db", &service("None"), 80).unwrap().0, Port::Number(80), "a headless one has its pods' ports");
        assert_eq!(port("db", &service("None"), 7000).unwrap().0, Port::Number(7000));
    }

    #[test]
    fn ready_pods_are_found_and_others_named_with_their_state() {
        let mut leaving = pod("c", "Running", "True");
        leaving.set(&["metadata", "deletionTimestamp"], "2026-01-01T00:00:00Z".into());
        let pods = [pod("a", "Pending", "False"), pod("b", "Running", "False"), leaving.clone(), pod("d", "Running", "True")];
        let end = |pod: &str, port| End { namespace: "p".into(), pod: pod.into(), port };
        assert_eq!(ready("service/api", &pods, &Port::Name("web".into()), false).unwrap(), [end("d", 8080)]);
        assert_eq!(ready("service/api", &pods, &Port::Number(1), true).unwrap(), [end("b", 1), end("d", 1)]);
        let failure = ready("service/api", &pods[..3], &Port::Number(1), false).unwrap_err();
        assert_eq!(failure.message, "no pod of service/api is ready: a (Pending), b (not ready), c (terminating)");
        let failure = ready("service/api", &pods[3..], &Port::Name("web2".into()), false).unwrap_err();
        assert_eq!(failure.message, "no pod of service/api is ready: d (no port of the name web2)");
        assert_eq!(ready("service/api", &[], &Port::Number(1), false).unwrap_err().message, "service/api leads to no pod");
    }

    #[test]
    fn slices_lead_to_pods_and_to_nothing_else() {
        let end = |kind: &str, name: &str, ready: bool| {
            map! { "targetRef" => map! { "kind" => kind, "name" => name }, "conditions" => map! { "ready" => ready } }
        };
        let slice = |ends: Vec<Value>| {
            let ports: Vec<Value> = vec![map! { "name" => "http", "port" => 8080 }];
            map! { "ports" => ports, "endpoints" => ends }
        };
        let slices = [slice(vec![end("Pod", "a", false), end("Pod", "b", true)])];
        let found = of_slices("service/api", &slices, "http", "p").unwrap();
        assert_eq!(found, [End { namespace: "p".into(), pod: "b".into(), port: 8080 }]);
        assert_eq!(of_slices("service/api", &slices, "grpc", "p").unwrap_err().message, "service/api leads to no pod");
        let outside = [slice(vec![end("Node", "n", true)])];
        let failure = of_slices("service/api", &outside, "http", "p").unwrap_err();
        assert_eq!(failure.message, "no pod of service/api is ready: an address that is no pod");
    }
}
