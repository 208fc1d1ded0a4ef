//! HTTP: requests that read, and health checks, over kept connections.

pub(super) mod credentials;
mod error;
mod inside;
mod probe;
mod sessions;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Client, Method, Response};
use url::Url;

pub(super) use error::{Trouble, chain, io_text, trouble};
use inside::{Asked, Inside};
pub(super) use probe::{Probe, Stopwatch, probed, resolved};

use super::runtime::Departure;
use super::tunnel::Tunnels;
use super::{MOST_BYTES, open, resolve, tls};
use crate::map;
use crate::model::operation::{HttpRequest, MetricsQuery, Save};
use crate::model::{Failure, Kind, Map, Sent, Value, duration};
use crate::platform::egress::{Egress, shown};
use crate::platform::masking::Masking;
use crate::platform::save::Saver;
use crate::platform::{failures, headers, metrics, seal, status};

/// Redirects that are followed, within one origin.
const REDIRECTS: usize = 5;
/// Shorter than the shortest usual keep-alive of servers (5 s), so that no request meets a connection as it closes.
const IDLE: Duration = Duration::from_secs(4);
/// The wait for a message's connection; until it stands nothing has left, and the failure can say so.
const CONNECT: Duration = Duration::from_secs(5);
/// So much of a health check's body is read, to keep its connection.
const HEALTH_BYTES: usize = 64 * 1024;

/// What a client is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Requests that only read: connections are kept, redirects within the origin followed.
    Read,
    /// Messages: a fresh connection each, no redirect, no retry, so that it is clear what has left.
    Send,
}

/// The HTTP clients, made on first use. Those for `http://` load no certificates.
pub(super) struct Http {
    egress: Arc<Egress>,
    clients: [OnceLock<Client>; 4],
    /// Those for the cluster's services, where they are reached through it.
    inside: Option<Inside>,
}

impl Http {
    /// Clients that stay within what is declared.
    pub(super) fn new(egress: Arc<Egress>, tunnels: Option<Arc<Tunnels>>) -> Self {
        let inside = tunnels.map(|tunnels| Inside::new(Arc::clone(&egress), tunnels));
        Self { egress, clients: Default::default(), inside }
    }

    /// The clients for a URL of the cluster's; none where it is reached by its own address.
    async fn inside(&self, url: &Url) -> Result<Option<&Inside>, Failure> {
        match &self.inside {
            Some(inside) if inside.has(url).await? => Ok(Some(inside)),
            _ => Ok(None),
        }
    }

    /// The client for a URL's scheme and a use.
    pub(super) fn client(&self, scheme: &str, purpose: Use) -> Result<&Client, Failure> {
        let encrypted = scheme == "https";
        let slot = &self.clients[usize::from(encrypted) * 2 + usize::from(purpose == Use::Send)];
        if let Some(client) = slot.get() {
            return Ok(client);
        }
        tls::install();
        let mut builder = Client::builder()
            .no_proxy()
            .referer(false)
            .retry(reqwest::retry::never())
            .dns_resolver(resolve::resolver())
            .user_agent(super::AGENT)
            .connector_layer(probe::ConnectTimer);
        builder =
            if encrypted { builder.tls_backend_preconfigured(tls::timed(sessions::Sessions::new())?) } else { builder.tls_certs_only([]) };
        builder = match purpose {
            Use::Read => builder.redirect(self.redirects()).pool_idle_timeout(IDLE),
            Use::Send => builder.redirect(Policy::none()).pool_max_idle_per_host(0).connect_timeout(CONNECT),
        };
        let client = builder.build().map_err(|e| Failure::new(Kind::Failed, format!("no HTTP client: {}", trouble(&e).text)))?;
        Ok(slot.get_or_init(|| client))
    }

    /// Follows redirects within one origin, and only to what is declared; others are the answer.
    fn redirects(&self) -> Policy {
        let egress = Arc::clone(&self.egress);
        Policy::custom(move |attempt: Attempt| {
            let first = attempt.previous().first();
            let same = first.is_some_and(|first| first.origin() == attempt.url().origin());
            if same && attempt.previous().len() <= REDIRECTS && egress.permits(attempt.url()) { attempt.follow() } else { attempt.stop() }
        })
    }

    /// Sends a request; on a kept connection that the server has closed meanwhile, a GET is sent once more.
    async fn send(&self, url: &Url, request: &HttpRequest, probe: &Arc<Probe>) -> Result<Response, Trouble> {
        let failed = |failure: Failure| Trouble { kind: failure.kind, text: failure.message, hint: failure.hint, before_sending: true };
        let method = Method::from_bytes(request.method.as_bytes())
            .map_err(|_| failed(Failure::bad_argument(format!("{:?} is no HTTP method", request.method))))?;
        let headers = headers::of(&request.headers).map_err(failed)?;
        let again = matches!(method, Method::GET | Method::HEAD);
        if let Some(inside) = self.inside(url).await.map_err(failed)? {
            let asked = asked(method, url, headers, request).map_err(failed)?;
            return match probed(probe, inside.send(Use::Read, asked.clone())).await {
                Err(error) if again && error::is_cut(&error) && !probe.connected() => {
                    probed(probe, inside.send(Use::Read, asked)).await.map_err(|error| error::within(&error))
                }
                answered => answered.map_err(|error| error::within(&error)),
            };
        }
        let client = self.client(url.scheme(), Use::Read).map_err(failed)?;
        let mut built = client.request(method, url.clone()).headers(headers);
        if let Some(body) = &request.body {
            built = built.body(open::body(body).map_err(failed)?);
        }
        let second = again.then(|| built.try_clone()).flatten();
        let error = match probed(probe, built.send()).await {
            Ok(response) => return Ok(response),
            Err(error) => error,
        };
        match second {
            Some(second) if error::is_closed(&error) && !probe.connected() => {
                probed(probe, second.send()).await.map_err(|error| trouble(&error))
            }
            _ => Err(trouble(&error)),
        }
    }

    /// Performs a request: `#{ status, headers, body, latency_ms, timings }`.
    pub(super) async fn request(&self, request: &HttpRequest, mask: Mask<'_>) -> Result<Value, Failure> {
        let url = self.egress.check(&request.url)?;
        let (watch, probe) = (Stopwatch::start(), Arc::new(Probe::default()));
        let failed = |trouble: Trouble| trouble.failure(&format!("{} {}", request.method, shown(&request.url)));
        let response = self.send(&url, request, &probe).await.map_err(failed)?;
        answered(response, request, mask, &watch, &probe).await.map_err(failed)
    }

    /// Reads an exposition as it streams: a list of its samples that are asked for.
    pub(super) async fn metrics(&self, request: &HttpRequest, query: &MetricsQuery) -> Result<Value, Failure> {
        let url = self.egress.check(&request.url)?;
        let (watch, probe) = (Stopwatch::start(), Arc::new(Probe::default()));
        let failed = |trouble: Trouble| trouble.failure(&format!("{} {}", request.method, shown(&request.url)));
        let mut response = self.send(&url, request, &probe).await.map_err(failed)?;
        if !response.status().is_success() {
            let answer = answered(response, request, &|text| text, &watch, &probe).await.map_err(failed)?;
            return status::checked(answer, &request.target(), None);
        }
        let kind = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let mut parser = metrics::Parser::new(query, kind);
        while let Some(chunk) = response.chunk().await.map_err(|error| failed(trouble(&error)))? {
            parser.write(&chunk)?;
        }
        parser.finish()
    }

    /// Performs a request that may change something, once: `#{ status, headers, body, latency_ms, timings }`.
    pub(super) async fn change(&self, request: &HttpRequest, departure: &Departure, mask: Mask<'_>) -> Result<Value, Failure> {
        let url = self.egress.check(&request.url)?;
        let asked = format!("{} {}", request.method, shown(&request.url));
        let method = Method::from_bytes(request.method.as_bytes())
            .map_err(|_| Failure::bad_argument(format!("{:?} is no HTTP method", request.method)))?;
        let headers = headers::of(&request.headers)?;
        let (watch, probe) = (Stopwatch::start(), Arc::new(Probe::default()));
        let sent = match self.inside(&url).await? {
            Some(inside) => {
                let built = self::asked(method, &url, headers, request)?;
                departure.leaves();
                probed(&probe, inside.send(Use::Send, built)).await.map_err(|error| error::within(&error))
            }
            None => {
                let mut built = self.client(url.scheme(), Use::Send)?.request(method, url).headers(headers);
                if let Some(body) = &request.body {
                    built = built.body(open::body(body)?);
                }
                departure.leaves();
                probed(&probe, built.send()).await.map_err(|error| trouble(&error))
            }
        };
        let response = sent.map_err(|trouble| {
            if trouble.before_sending {
                return trouble.failure(&asked);
            }
            failures::in_doubt(format!("{asked} was sent, and no answer came: {}", trouble.text))
        })?;
        let status = response.status().as_u16();
        let fine = status::is_fine(i64::from(status), request.ok_status.as_deref());
        let answer = answered(response, request, mask, &watch, &probe).await.map_err(|trouble| match trouble.kind {
            Kind::TooLarge | Kind::Failed | Kind::BadArgument if fine => trouble.failure(&asked).sent(Sent::Done),
            Kind::TooLarge | Kind::Failed | Kind::BadArgument => trouble.failure(&asked).sent(Sent::Yes),
            _ => failures::in_doubt(format!("{asked} was answered with HTTP {status}, and the answer broke off: {}", trouble.text)),
        })?;
        status::changed(answer, request)
    }

    /// Performs a health check: `#{ ok, status, latency_ms, error, timings }`. Fails only where it may not be asked.
    pub(super) async fn health(&self, request: &HttpRequest) -> Result<Value, Failure> {
        let url = self.egress.check(&request.url)?;
        let (watch, probe) = (Stopwatch::start(), Arc::new(Probe::default()));
        let work = async {
            let response = self.send(&url, request, &probe).await?;
            let (first, status) = (watch.ms(), response.status());
            // What does not fit is not waited for: the status is the answer.
            match read(response, HEALTH_BYTES).await {
                Err(broken) if broken.kind != Kind::TooLarge => Err(broken),
                _ => Ok((status, first)),
            }
        };
        let (ok, status, error, first) = match tokio::time::timeout(request.timeout, work).await {
            Ok(Ok((status, first))) if status.is_success() => (true, status.as_u16(), String::new(), first),
            Ok(Ok((status, first))) => (false, status.as_u16(), format!("HTTP {}", status.as_u16()), first),
            // Who may not ask knows nothing about the service.
            Ok(Err(trouble)) if matches!(trouble.kind, Kind::Denied | Kind::Forbidden | Kind::Auth) => {
                return Err(trouble.failure(&shown(&request.url)));
            }
            Ok(Err(trouble)) => (false, 0, trouble.text, watch.ms()),
            Err(_) => (false, 0, format!("timeout after {}", duration::show(request.timeout)), watch.ms()),
        };
        let total = watch.ms();
        Ok(map! {
            "ok" => ok,
            "status" => i64::from(status),
            "latency_ms" => total,
            "error" => error,
            "timings" => timings(&probe, first, total),
        })
    }
}

/// The answer of a health check that could not be made.
pub(super) fn ill(error: &str) -> Value {
    let timings = map! { "first_byte_ms" => 0.0, "total_ms" => 0.0 };
    map! { "ok" => false, "status" => 0, "latency_ms" => 0.0, "error" => error, "timings" => timings }
}

/// A request as it goes through a tunnel.
fn asked(method: Method, url: &Url, headers: HeaderMap, request: &HttpRequest) -> Result<Asked, Failure> {
    let body = request.body.as_ref().map(open::body).transpose()?.unwrap_or_default();
    Asked::new(method, url.clone(), headers, body.into())
}

/// How text that goes to a file is masked.
pub(super) type Mask<'a> = &'a dyn Fn(String) -> String;

/// A response read to its end: `#{ status, headers, body, latency_ms, timings }`, with `saved` for `body` where that is saved.
async fn answered(response: Response, request: &HttpRequest, mask: Mask<'_>, watch: &Stopwatch, probe: &Probe) -> Result<Value, Trouble> {
    let first = watch.ms();
    let status = i64::from(response.status().as_u16());
    let fine = status::is_fine(status, request.ok_status.as_deref());
    let headers = response.headers().clone();
    let mut answer = map! { "status" => status, "headers" => shown_headers(&headers) };
    if let Some(save) = request.save.as_ref().filter(|_| fine) {
        answer.set(&["saved"], saved(response, save, mask).await?);
    } else {
        let body = read(response, MOST_BYTES).await?;
        let is_json = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(headers::is_json);
        let parsed = is_json.then(|| open::parse(&body).ok()).flatten();
        answer.set(&["body"], parsed.unwrap_or_else(|| Value::Str(String::from_utf8_lossy(&body).into_owned())));
    }
    seal::apply(&mut answer, &request.seal, &request.target(), fine).map_err(Trouble::after)?;
    let total = watch.ms();
    answer.set(&["latency_ms"], total.into());
    answer.set(&["timings"], timings(probe, first, total));
    Ok(answer)
}

/// A body streamed to a file: `#{ path, bytes, sha256 }`.
async fn saved(mut response: Response, save: &Save, mask: Mask<'_>) -> Result<Value, Trouble> {
    let mut file = Masking::new(Saver::begin(save).map_err(Trouble::after)?, mask);
    while let Some(chunk) = response.chunk().await.map_err(|error| trouble(&error))? {
        file.write(&chunk).map_err(Trouble::after)?;
    }
    file.finish().map_err(Trouble::after)
}

/// The phases of a request in milliseconds; those of connecting only where a connection was made for it.
fn timings(probe: &Probe, first_byte_ms: f64, total_ms: f64) -> Value {
    let mut timings = map! { "first_byte_ms" => first_byte_ms, "total_ms" => total_ms };
    if let Some(phases) = probe.phases() {
        timings.set(&["dns_ms"], phases.dns_ms.into());
        timings.set(&["connect_ms"], phases.connect_ms.into());
        if let Some(tls_ms) = phases.tls_ms {
            timings.set(&["tls_ms"], tls_ms.into());
        }
    }
    timings
}

fn shown_headers(headers: &HeaderMap) -> Value {
    let mut shown = Map::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        match shown.get_mut(name.as_str()) {
            Some(Value::Str(earlier)) => {
                earlier.push_str(", ");
                earlier.push_str(&value);
            }
            _ => {
                shown.insert(name.as_str().into(), Value::Str(value.into_owned()));
            }
        }
    }
    Value::Map(shown)
}

/// Reads a body up to a limit, and stops there: `too_large`.
pub(super) async fn read(mut response: Response, most: usize) -> Result<Vec<u8>, Trouble> {
    let mut body = Vec::with_capacity(response.content_length().map_or(0, |length| length.min(most as u64) as usize));
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > most => {
                return Err(Trouble {
                    kind: Kind::TooLarge,
                    text: format!("the body is larger than {} MiB", most / (1024 * 1024)),
                    hint: Some("ask for less: a page, a filter, a range".into()),
                    before_sending: false,
                });
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body),
            Err(error) => return Err(trouble(&error)),
        }
    }
}

#[cfg(test)]
mod tests;
