//! HTTP in a world: services that are as well as their pods, with latencies that the virtual clock takes.

use std::collections::BTreeMap;
use std::time::Duration;

use super::build;
use super::cluster::Cluster;
use super::file::{Route, ServiceFile, WorldFile};
use crate::config::{Config, Environment};
use crate::map;
use crate::model::operation::HttpRequest;
use crate::model::{Failure, Kind, Map, ObjectRef, Sent, Value, duration};

const LATENCY: Duration = Duration::from_millis(5);
/// How long it takes until nobody has taken the connection.
const REFUSED: Duration = Duration::from_millis(1);

/// What answers under a URL.
#[derive(Clone, Debug)]
struct Site {
    /// The base URL without the final slash.
    base: String,
    health: String,
    workload: Option<ObjectRef>,
    written: ServiceFile,
}

/// All that answers HTTP.
#[derive(Clone, Debug)]
pub(super) struct Sites {
    services: BTreeMap<String, Site>,
    beyond: Vec<Site>,
    allow: Vec<String>,
}

/// An answer, or why there is none, and the time that it took.
pub(super) struct Reply {
    pub(super) latency: Duration,
    outcome: Outcome,
}

enum Outcome {
    Answer { status: u16, headers: Map, body: String },
    Refused(String),
    Late,
}

impl Sites {
    pub(super) fn new(file: &WorldFile, config: &Config, environment: &Environment) -> Self {
        let mut services = BTreeMap::new();
        for (name, service) in build::services(config, environment) {
            let Some(url) = &service.url else { continue };
            let workload = service.workload.as_ref().and_then(|text| build::workload_ref(text, build::namespace(environment)).ok());
            let health = if service.health.is_empty() { "/health".to_owned() } else { service.health.clone() };
            let written = file.services.get(&name).cloned().unwrap_or_default();
            services.insert(name, Site { base: url.trim_end_matches('/').to_owned(), health, workload, written });
        }
        let beyond = file.urls.iter().map(|(prefix, written)| {
            let base = prefix.trim_end_matches('/').to_owned();
            Site { base, health: "/health".to_owned(), workload: None, written: written.clone() }
        });
        let mut beyond: Vec<Site> = beyond.collect();
        // The longest prefix answers.
        beyond.sort_by_key(|site| std::cmp::Reverse(site.base.len()));
        Self { services, beyond, allow: environment.allow.clone() }
    }

    /// What becomes of a request at a time. Fails where real egress would not let it out.
    pub(super) fn ask(&self, request: &HttpRequest, cluster: &Cluster, at: i64, world: &str) -> Result<Reply, Failure> {
        let Some((site, path)) = self.site(request) else {
            let url = &request.url;
            if self.allow.iter().any(|allowed| url.starts_with(allowed.as_str())) {
                return Err(Failure::bad_argument(format!("the world does not say what answers at {url}"))
                    .hint(format!("describe it in {world} under `urls:`, by its prefix")));
            }
            return Err(Failure::new(
                Kind::Denied,
                format!("{url} is neither a service of the environment nor among the URLs that it allows"),
            )
            .hint("add the URL's prefix to `allow` of the environment in runbook.toml"));
        };
        let ready = site.workload.as_ref().map(|workload| cluster.ready_pods(workload, at));
        let mut reply = if ready == Some(0) {
            let address = host(&site.base);
            Reply { latency: REFUSED, outcome: Outcome::Refused(format!("connection refused: {address}")) }
        } else {
            site.answer(request.method, path, ready)
        };
        if let (Outcome::Answer { body, .. }, "HEAD") = (&mut reply.outcome, request.method) {
            body.clear();
        }
        if reply.latency > request.timeout {
            reply = Reply { latency: request.timeout, outcome: Outcome::Late };
        }
        Ok(reply)
    }

    fn site<'a>(&'a self, request: &'a HttpRequest) -> Option<(&'a Site, &'a str)> {
        let named = request.service.as_ref().and_then(|name| self.services.get(name));
        let sites = named.into_iter().chain(self.services.values()).chain(&self.beyond);
        sites.into_iter().find_map(|site| {
            let rest = request.url.strip_prefix(&site.base)?;
            // `http://api:80` is no prefix of `http://api:8080/`.
            (rest.is_empty() || rest.starts_with(['/', '?'])).then_some((site, if rest.is_empty() { "/" } else { rest }))
        })
    }
}

/// The host and port of a base URL.
fn host(base: &str) -> &str {
    base.split_once("://").map_or(base, |(_, rest)| rest).split('/').next().unwrap_or(base)
}

impl Site {
    fn answer(&self, method: &str, path: &str, ready: Option<u32>) -> Reply {
        let mut latency = self.written.latency.map_or(LATENCY, |span| span.0);
        if let Some(slow) = self.written.slow.as_ref().filter(|slow| ready.is_some_and(|ready| ready < slow.until_replicas)) {
            latency = slow.latency.0;
        }
        if self.written.down {
            return answer(latency, 503, "service unavailable".into(), &BTreeMap::new());
        }
        let bare = path.split(['?', '#']).next().unwrap_or(path);
        // What answers GET answers HEAD.
        let method = if method == "HEAD" { "GET" } else { method };
        let find = |path: &str| self.written.routes.iter().find(|(route, _)| route.split_once(' ') == Some((method, path)));
        if let Some((_, route)) = find(path).or_else(|| find(bare)) {
            let Route { status, body, headers, latency: own } = route;
            return answer(own.map_or(latency, |span| span.0), *status, body.clone(), headers);
        }
        if bare == self.health && method == "GET" {
            let healthy = self.written.status < 400;
            let body = match &self.written.body {
                Value::Null => map! { "status" => if healthy { "healthy" } else { "unhealthy" } },
                body => body.clone(),
            };
            return answer(latency, self.written.status, body, &BTreeMap::new());
        }
        answer(latency, 404, map! { "error" => "not found" }, &BTreeMap::new())
    }
}

fn answer(latency: Duration, status: u16, body: Value, written: &BTreeMap<String, String>) -> Reply {
    let (kind, body) = match body {
        Value::Null => ("text/plain; charset=utf-8", String::new()),
        Value::Str(text) => ("text/plain; charset=utf-8", text),
        data => ("application/json", data.to_string()),
    };
    let mut headers = Map::new();
    headers.insert("content-type".into(), kind.into());
    headers.insert("content-length".into(), body.len().to_string().into());
    headers.extend(written.iter().map(|(name, value)| (name.to_lowercase(), value.as_str().into())));
    Reply { latency, outcome: Outcome::Answer { status, headers, body } }
}

/// Milliseconds with their fraction.
pub(super) fn millis(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1000.0
}

fn timings(latency: Duration) -> Value {
    map! { "connect_ms" => millis(latency.min(REFUSED)), "first_byte_ms" => millis(latency), "total_ms" => millis(latency) }
}

impl Reply {
    /// As the answer of a request: `#{ status, headers, body, latency_ms, timings }`.
    pub(super) fn into_answer(self, request: &HttpRequest) -> Result<Value, Failure> {
        let (url, latency) = (&request.url, self.latency);
        let target = request.service.as_deref().unwrap_or(url);
        match self.outcome {
            Outcome::Answer { status, headers, body } => {
                let json = headers.get("content-type").and_then(Value::as_str).is_some_and(|kind| kind.starts_with("application/json"));
                let parsed = json.then(|| serde_json::from_str::<Value>(&body).ok()).flatten();
                Ok(map! {
                    "status" => i32::from(status), "headers" => headers, "body" => parsed.unwrap_or(Value::Str(body)),
                    "latency_ms" => millis(latency), "timings" => timings(latency),
                })
            }
            Outcome::Refused(why) => Err(Failure::new(Kind::Unavailable, format!("{} {url}: {why}", request.method)).on(target)),
            Outcome::Late => {
                let waited = duration::show(latency);
                Err(Failure::new(Kind::Timeout, format!("{} {url}: no answer within {waited}", request.method))
                    .on(target)
                    .sent(Sent::Unknown))
            }
        }
    }

    /// As a health check: `#{ ok, status, latency_ms, error, timings }`.
    pub(super) fn into_health(self) -> Value {
        let latency = self.latency;
        let (ok, status, error) = match self.outcome {
            Outcome::Answer { status, .. } if (200..300).contains(&status) => (true, status, Value::Null),
            Outcome::Answer { status, .. } => (false, status, format!("answered {status}").into()),
            Outcome::Refused(_) => (false, 0, "connection refused".into()),
            Outcome::Late => (false, 0, format!("no answer within {}", duration::show(latency)).into()),
        };
        map! {
            "ok" => ok, "status" => i32::from(status), "latency_ms" => millis(latency), "error" => error, "timings" => timings(latency),
        }
    }
}
