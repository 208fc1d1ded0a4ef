//! HTTP in a world: services that are as well as their pods, with latencies that the virtual clock takes.

use std::collections::BTreeMap;
use std::time::Duration;

use url::{Host, Url};

use super::build;
use super::cluster::Cluster;
use super::file::{Route, ServiceFile, TunnelFile, WorldFile};
use super::tunnels;
use crate::config::{Config, Environment};
use crate::map;
use crate::model::operation::{HttpRequest, MetricsQuery};
use crate::model::{Failure, Kind, Map, ObjectRef, Sent, Value, duration};
use crate::platform::egress::{Egress, shown};
use crate::platform::masking::Masking;
use crate::platform::metrics::Parser;
use crate::platform::save::Saver;
use crate::platform::{Cx, failures, headers, seal, status};

/// Redirects that are followed, within one origin.
const REDIRECTS: usize = 5;
const LATENCY: Duration = Duration::from_millis(5);
/// How long it takes until nobody has taken the connection.
const REFUSED: Duration = Duration::from_millis(1);
/// How long a name's look-up takes, and a TLS handshake.
const LOOKED_UP: Duration = Duration::from_micros(300);
const HANDSHAKE: Duration = Duration::from_millis(2);

/// What answers under a URL.
#[derive(Clone, Debug)]
struct Site {
    /// The base URL as URLs are compared, without the final slash.
    base: String,
    health: String,
    workload: Option<ObjectRef>,
    written: ServiceFile,
    /// Whether nothing is said of it, as in the healthy world.
    healthy: bool,
    tunnel: Option<TunnelFile>,
}

/// All that answers HTTP.
#[derive(Clone, Debug)]
pub(super) struct Sites {
    services: BTreeMap<String, Site>,
    beyond: Vec<Site>,
    egress: Egress,
    namespace: String,
}

/// An answer, or why there is none, and the time that it took.
pub(super) struct Reply {
    pub(super) latency: Duration,
    outcome: Outcome,
}

enum Outcome {
    Answer { status: u16, headers: Map, body: String },
    Refused,
    Broken,
    Late,
}

/// A base URL as requests' URLs are compared with it.
fn base(url: &str) -> String {
    let whole = Url::parse(url).map_or_else(|_| url.to_owned(), String::from);
    whole.trim_end_matches('/').to_owned()
}

impl Sites {
    pub(super) fn new(file: &WorldFile, config: &Config, environment: &Environment) -> Self {
        let mut services = BTreeMap::new();
        let known = build::services(config, environment);
        let egress = Egress::new(&Environment { services: known.clone(), ..environment.clone() });
        for (name, service) in known {
            let Some(url) = &service.url else { continue };
            let workload = service.workload.as_ref().and_then(|text| build::workload_ref(text, build::namespace(environment)).ok());
            let health = if service.health.is_empty() { "/health".to_owned() } else { service.health.clone() };
            let (written, healthy) = (file.services.get(&name).cloned().unwrap_or_default(), *file == WorldFile::default());
            let tunnel = file.tunnels.get(&name).copied();
            services.insert(name, Site { base: base(url), health, workload, written, healthy, tunnel });
        }
        let beyond = file.urls.iter().map(|(prefix, written)| Site {
            base: base(prefix),
            health: "/health".to_owned(),
            workload: None,
            written: written.clone(),
            healthy: false,
            tunnel: None,
        });
        let mut beyond: Vec<Site> = beyond.collect();
        // The longest prefix answers.
        beyond.sort_by_key(|site| std::cmp::Reverse(site.base.len()));
        Self { services, beyond, egress, namespace: build::namespace(environment).to_owned() }
    }

    /// What becomes of a request at a time. Fails where real egress would not let it out.
    pub(super) fn ask(&self, request: &HttpRequest, cluster: &Cluster, at: i64, world: &str) -> Result<Reply, Failure> {
        headers::of(&request.headers)?;
        let mut url = self.egress.check(&request.url)?;
        let mut latency = Duration::ZERO;
        for followed in 0.. {
            let mut reply = self.answer(request, &url, cluster, at, world)?;
            latency += reply.latency;
            reply.latency = latency;
            if latency > request.timeout {
                return Ok(Reply { latency: request.timeout, outcome: Outcome::Late });
            }
            match reply.redirect(&url).filter(|next| followed < REDIRECTS && next.origin() == url.origin() && self.egress.permits(next)) {
                Some(next) => url = next,
                None => return Ok(reply),
            }
        }
        Ok(Reply { latency, outcome: Outcome::Refused })
    }

    /// The answer to one request, redirects included.
    fn answer(&self, request: &HttpRequest, url: &Url, cluster: &Cluster, at: i64, world: &str) -> Result<Reply, Failure> {
        let Some((site, path)) = self.site(request.service.as_deref(), url.as_str()) else {
            return Err(Failure::bad_argument(format!("the world does not say what answers at {}", shown(url.as_str())))
                .hint(format!("describe it in {world} under `urls:`, by its prefix")));
        };
        match site.tunnel {
            Some(TunnelFile::Forbidden) => {
                let failure = tunnels::forbidden(&tunnels::place(url), &self.namespace);
                return Err(Failure { message: format!("{} {}: {}", request.method, shown(&request.url), failure.message), ..failure });
            }
            Some(TunnelFile::Broken) => return Ok(Reply { latency: REFUSED, outcome: Outcome::Broken }),
            None => {}
        }
        let ready = site.workload.as_ref().map(|workload| cluster.ready_pods(workload, at));
        let mut reply =
            if ready == Some(0) { Reply { latency: REFUSED, outcome: Outcome::Refused } } else { site.answer(request.method, path, ready) };
        if let (Outcome::Answer { body, .. }, "HEAD") = (&mut reply.outcome, request.method) {
            body.clear();
        }
        Ok(reply)
    }

    fn site<'a>(&'a self, service: Option<&str>, url: &'a str) -> Option<(&'a Site, &'a str)> {
        let named = service.and_then(|name| self.services.get(name));
        let sites = named.into_iter().chain(self.services.values()).chain(&self.beyond);
        sites.into_iter().find_map(|site| {
            let rest = url.strip_prefix(&site.base)?;
            // `http://api:80` is no prefix of `http://api:8080/`.
            (rest.is_empty() || rest.starts_with(['/', '?'])).then_some((site, if rest.is_empty() { "/" } else { rest }))
        })
    }
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
        if bare == "/metrics" && method == "GET" && self.healthy {
            let headers = BTreeMap::from([("Content-Type".to_owned(), "text/plain; version=0.0.4; charset=utf-8".to_owned())]);
            return answer(latency, 200, METRICS.into(), &headers);
        }
        answer(latency, 404, map! { "error" => "not found" }, &BTreeMap::new())
    }
}

/// What every service of the healthy world exposes.
const METRICS: &str = "# HELP http_requests_total Requests by their status.
# TYPE http_requests_total counter
http_requests_total{code=\"200\"} 1027
http_requests_total{code=\"500\"} 3
# HELP process_resident_memory_bytes Resident memory.
# TYPE process_resident_memory_bytes gauge
process_resident_memory_bytes 5.24288e+07
";

fn answer(latency: Duration, status: u16, body: Value, written: &BTreeMap<String, String>) -> Reply {
    let (kind, body) = match body {
        Value::Null => ("text/plain; charset=utf-8", String::new()),
        Value::Str(text) => ("text/plain; charset=utf-8", text),
        data => ("application/json", data.to_string()),
    };
    let mut headers = Map::new();
    headers.insert("content-type".into(), kind.into());
    headers.insert("content-length".into(), body.len().to_string().into());
    headers.extend(written.iter().map(|(name, value)| (name.to_lowercase().into(), value.as_str().into())));
    Reply { latency, outcome: Outcome::Answer { status, headers, body } }
}

/// Milliseconds with their fraction.
pub(super) fn millis(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1000.0
}

fn timings(reply: &Reply, url: &str) -> Value {
    let latency = reply.latency;
    let mut timings = map! { "first_byte_ms" => millis(latency), "total_ms" => millis(latency) };
    if !matches!(reply.outcome, Outcome::Refused) {
        let url = Url::parse(url).ok();
        let named = url.as_ref().is_some_and(|url| matches!(url.host(), Some(Host::Domain(_))));
        let encrypted = url.is_some_and(|url| url.scheme() == "https");
        let dns = if named { latency.min(LOOKED_UP) } else { Duration::ZERO };
        timings.set(&["dns_ms"], millis(dns).into());
        timings.set(&["connect_ms"], millis((latency - dns).min(REFUSED)).into());
        if encrypted {
            timings.set(&["tls_ms"], millis((latency - dns).saturating_sub(REFUSED).min(HANDSHAKE)).into());
        }
    }
    timings
}

impl Reply {
    /// Where a redirect leads.
    fn redirect(&self, from: &Url) -> Option<Url> {
        match &self.outcome {
            Outcome::Answer { status: 301 | 302 | 303 | 307 | 308, headers, .. } => {
                from.join(headers.get("location").and_then(Value::as_str)?).ok()
            }
            _ => None,
        }
    }

    /// As the answer of a request: `#{ status, headers, body, latency_ms, timings }`, with `saved` for `body` where that is saved.
    pub(super) fn into_answer(self, request: &HttpRequest, cx: &Cx<'_>) -> Result<Value, Failure> {
        let (latency, timings) = (self.latency, timings(&self, &request.url));
        let asked = format!("{} {}", request.method, shown(&request.url));
        match self.outcome {
            Outcome::Answer { status, headers, body } => {
                let fine = status::is_fine(i64::from(status), request.ok_status.as_deref());
                let json = headers.get("content-type").and_then(Value::as_str).is_some_and(headers::is_json);
                let mut answer = map! {
                    "status" => i32::from(status), "headers" => headers, "latency_ms" => millis(latency), "timings" => timings,
                };
                if let Some(save) = request.save.as_ref().filter(|_| fine) {
                    let mut file = Masking::new(Saver::begin(save)?, cx.mask);
                    file.write(body.as_bytes())?;
                    answer.set(&["saved"], file.finish()?);
                } else {
                    let parsed = json.then(|| serde_json::from_str::<Value>(&body).ok()).flatten();
                    answer.set(&["body"], parsed.unwrap_or(Value::Str(body)));
                }
                let sealed = seal::apply(&mut answer, &request.seal, &request.target(), fine);
                sealed.map_err(|failure| Failure { message: format!("{asked}: {}", failure.message), ..failure })?;
                Ok(answer)
            }
            Outcome::Refused => Err(Failure::new(Kind::Unavailable, format!("{asked}: connection refused"))
                .hint("does it run, and is it reachable from here? in this world its workload has no ready pod")),
            Outcome::Broken => Err(Failure::new(Kind::Unavailable, format!("{asked}: {}", tunnels::BROKE)).hint(tunnels::AGAIN)),
            Outcome::Late => Err(failures::late(&asked, latency)),
        }
    }

    /// As the samples of an exposition.
    pub(super) fn into_metrics(self, query: &MetricsQuery, cx: &Cx<'_>) -> Result<Value, Failure> {
        match &self.outcome {
            Outcome::Answer { status, headers, body } if status::is_fine(i64::from(*status), None) => {
                let mut parser = Parser::new(query, headers.get("content-type").and_then(Value::as_str).unwrap_or_default());
                parser.write(body.as_bytes())?;
                parser.finish()
            }
            _ => status::checked(self.into_answer(&query.request, cx)?, &query.request.target(), None),
        }
    }

    /// As the answer of a request that changes.
    pub(super) fn into_change(self, request: &HttpRequest, cx: &Cx<'_>) -> Result<Value, Failure> {
        let asked = || format!("{} {}", request.method, shown(&request.url));
        match self.outcome {
            Outcome::Late => return Err(failures::unanswered(&asked(), request.timeout)),
            Outcome::Broken => return Err(failures::in_doubt(format!("{} was sent, and no answer came: {}", asked(), tunnels::BROKE))),
            _ => {}
        }
        let fine =
            matches!(self.outcome, Outcome::Answer { status, .. } if status::is_fine(i64::from(status), request.ok_status.as_deref()));
        let answer = self.into_answer(request, cx).map_err(|failure| failure.sent(if fine { Sent::Done } else { Sent::Yes }))?;
        status::changed(answer, request)
    }

    /// As a health check: `#{ ok, status, latency_ms, error, timings }`.
    pub(super) fn into_health(self, request: &HttpRequest) -> Value {
        let (latency, timings) = (self.latency, timings(&self, &request.url));
        let (ok, status, error) = match self.outcome {
            Outcome::Answer { status, .. } if (200..300).contains(&status) => (true, status, String::new()),
            Outcome::Answer { status, .. } => (false, status, format!("HTTP {status}")),
            Outcome::Refused => (false, 0, "connection refused".into()),
            Outcome::Broken => (false, 0, tunnels::BROKE.into()),
            Outcome::Late => (false, 0, format!("timeout after {}", duration::show(latency))),
        };
        map! {
            "ok" => ok, "status" => i32::from(status), "latency_ms" => millis(latency), "error" => error, "timings" => timings,
        }
    }
}
