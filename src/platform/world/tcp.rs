//! TCP connections in a world: whoever has a ready pod takes them at its own port.

use std::time::Duration;

use super::http::millis;
use crate::config::Environment;
use crate::map;
use crate::model::operation::TcpCheck;
use crate::model::{Failure, Value};
use crate::platform::egress::{authority, endpoints, may_connect};

/// How long a connection takes, and how long until it is refused.
const LATENCY: Duration = Duration::from_millis(1);

/// `#{ ok, latency_ms, address, error }`, and the time that it takes; `runs` says whether a workload has a ready pod.
pub(super) fn check(environment: &Environment, check: &TcpCheck, runs: impl Fn(&str) -> bool) -> (Result<Value, Failure>, Duration) {
    if let Err(failure) = may_connect(environment, &check.host) {
        return (Err(failure), Duration::ZERO);
    }
    let listens = |url: &str| endpoints(url).iter().any(|(host, port)| host.eq_ignore_ascii_case(&check.host) && *port == Some(check.port));
    let services = environment.services.values().filter_map(|service| Some((service.url.as_deref()?, service.workload.as_deref())));
    let databases = environment.databases.values().map(|database| (database.url.as_str(), database.workload.as_deref()));
    let beyond = environment.allow.iter().map(|url| (url.as_str(), None));
    let mut all = services.chain(databases).chain(beyond);
    let ok = all.any(|(url, workload)| listens(url) && workload.is_none_or(&runs));
    let error = if ok { "" } else { "connection refused" };
    let answer = map! { "ok" => ok, "latency_ms" => millis(LATENCY), "address" => authority(&check.host, check.port), "error" => error };
    (Ok(answer), LATENCY)
}
