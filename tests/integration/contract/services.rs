//! A world's services and URLs, on the stand-in for HTTP services.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use runbook::model::Value as Data;
use runbook::platform::world::WorldFile;
use runbook::platform::world::file::{Route, ServiceFile, Span};
use serde_json::{Value, json};

use super::cluster::Cluster;
use super::fixture::Platform;
use crate::services::variable;

/// How long a world's services take that say nothing of it.
const LATENCY: Duration = Duration::from_millis(5);

/// One HTTP service of the stand-in.
pub(super) struct Slot {
    number: u64,
    address: String,
}

/// A request to the stand-in's control API.
pub(super) fn control(method: &str, path: &str, body: &Value) -> Value {
    let url = variable("RUNBOOK_TEST_STANDIN");
    let host = url.trim_start_matches("http://");
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let mut stream = TcpStream::connect(host).unwrap();
    let length = body.len();
    write!(stream, "{method} {path} HTTP/1.0\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n{body}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.split(' ').nth(1).unwrap().starts_with('2'), "{method} {path}: {answer}");
    serde_json::from_str(body).unwrap_or_default()
}

impl Slot {
    pub(super) fn open() -> Self {
        let slot = control("POST", "/slots", &Value::Null);
        Self { number: slot["slot"].as_u64().unwrap(), address: slot["address"].as_str().unwrap().to_owned() }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Closes it for good: connections are refused.
    fn close(&self) {
        control("DELETE", &format!("/slots/{}", self.number), &Value::Null);
    }

    /// What it answers from now on, below a path.
    fn answer(&self, service: &ServiceFile, health: &str, below: &str) {
        let mut routes = serde_json::Map::new();
        let default = if service.down {
            answer(503, &"service unavailable".into(), service.latency)
        } else {
            let word = if service.status < 400 { "healthy" } else { "unhealthy" };
            let body = if service.body == Data::Null {
                runbook::map! { "status" => word }
            } else {
                service.body.clone()
            };
            routes.insert(format!("GET {below}{health}"), answer(service.status, &body, service.latency));
            for (route, written) in &service.routes {
                let Route { status, body, headers, latency } = written;
                let mut answer = answer(*status, body, latency.or(service.latency));
                for (name, value) in headers {
                    answer["headers"][name.as_str()] = value.as_str().into();
                }
                let (method, path) = route.split_once(' ').unwrap();
                routes.insert(format!("{method} {below}{path}"), answer);
            }
            answer(404, &runbook::map! { "error" => "not found" }, service.latency)
        };
        control("PUT", &format!("/slots/{}", self.number), &json!({ "routes": routes, "default": default }));
    }
}

/// An answer as the stand-in takes it: text as text, data as JSON.
pub(super) fn answer(status: u16, body: &Data, latency: Option<Span>) -> Value {
    let (kind, body) = match body {
        Data::Null => ("text/plain; charset=utf-8", String::new()),
        Data::Str(text) => ("text/plain; charset=utf-8", text.clone()),
        data => ("application/json", data.to_string()),
    };
    let latency = latency.map_or(LATENCY, |span| span.0).as_millis();
    json!({ "status": status, "body": body, "latency_ms": latency, "headers": { "Content-Type": kind } })
}

/// The scheme, host and port of a URL.
pub(super) fn origin(url: &str) -> String {
    url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/")
}

/// Gives every service a slot of its own; one whose workload has no pods refuses connections.
pub(super) fn apply(platform: &mut Platform, world: &WorldFile, cluster: &Cluster) {
    for (name, service) in platform.services() {
        let Some(url) = service.get("url").and_then(toml::Value::as_str) else { continue };
        if url.contains("169.254.") {
            continue; // Never to be asked, whatever answers there.
        }
        let slot = Slot::open();
        let mut written = world.services.get(&name).cloned().unwrap_or_default();
        let workload = service.get("workload").and_then(toml::Value::as_str);
        if let Some(slow) = written.slow.take().filter(|slow| cluster.replicas(workload.unwrap_or_default()) < slow.until_replicas) {
            // Nothing here cures it.
            written.latency = Some(slow.latency);
        }
        let health = service.get("health").and_then(toml::Value::as_str).unwrap_or("/health");
        slot.answer(&written, health, "");
        if workload.is_some_and(|workload| !cluster.runs(workload)) {
            slot.close();
        }
        platform.set_service(&name, "url", slot.url());
    }
}

/// What answers at URLs beyond the services: slots that were opened for them before.
pub(super) fn apply_urls(world: &WorldFile, slots: &[Slot]) {
    for (prefix, written) in &world.urls {
        let slot = slots.iter().find(|slot| origin(prefix) == slot.url()).unwrap();
        let below = prefix.trim_end_matches('/').strip_prefix(&slot.url()).unwrap();
        slot.answer(written, "/health", below);
    }
}
