//! Requests to the cluster's own services, through tunnels: the same as others, but for how their connections come about.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue, USER_AGENT};
use reqwest::{Body, Method, Response};
use tower::util::ServiceExt;
use tower_http::follow_redirect::FollowRedirect;
use tower_http::follow_redirect::policy::{Action, Attempt, Policy};
use tower_layer::Layer;
use tower_service::Service;
use url::Url;

use super::super::tls;
use super::super::tunnel::{Tunnel, Tunnels};
use super::probe::{ConnectTimer, Timed};
use super::{CONNECT, IDLE, REDIRECTS, Use};
use crate::model::{Failure, Kind, duration};
use crate::platform::egress::Egress;

type Sender = Client<Timed<HttpsConnector<Opener>>, Full<Bytes>>;

/// The clients for the cluster's services, made on first use.
pub(super) struct Inside {
    egress: Arc<Egress>,
    tunnels: Arc<Tunnels>,
    clients: [OnceLock<Sender>; 4],
}

impl Inside {
    /// Clients that open tunnels.
    pub(super) fn new(egress: Arc<Egress>, tunnels: Arc<Tunnels>) -> Self {
        Self { egress, tunnels, clients: Default::default() }
    }

    /// Whether a URL is one of the cluster's services'.
    pub(super) async fn has(&self, url: &Url) -> Result<bool, Failure> {
        self.tunnels.lead_to(url.host_str().unwrap_or_default()).await
    }

    /// Sends one request; whoever reads may be redirected within its origin.
    pub(super) async fn send(&self, purpose: Use, request: Asked) -> Result<Response, Error> {
        let client = self.client(request.url.scheme() == "https", purpose);
        let mut headers = request.headers;
        headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(super::super::AGENT));
        headers.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        let mut sent = ::http::Request::new(Full::new(request.body));
        *sent.method_mut() = request.method;
        *sent.headers_mut() = headers;
        *sent.uri_mut() = request.uri;
        let response = match purpose {
            Use::Send => client.request(sent).await?,
            Use::Read => {
                let policy = Within { egress: Arc::clone(&self.egress), origin: request.url, followed: 0 };
                FollowRedirect::with_policy(client.clone(), policy).oneshot(sent).await?
            }
        };
        Ok(response.map(Body::wrap).into())
    }

    fn client(&self, encrypted: bool, purpose: Use) -> &Sender {
        self.clients[usize::from(encrypted) * 2 + usize::from(purpose == Use::Send)].get_or_init(|| {
            let opener = Opener { tunnels: Arc::clone(&self.tunnels), patience: (purpose == Use::Send).then_some(CONNECT) };
            // Certificates are for the name in the URL, wherever the tunnel ends.
            let connector = HttpsConnector::from((opener, if encrypted { tls::system() } else { tls::nobody() }));
            let mut builder = Client::builder(TokioExecutor::new());
            match purpose {
                Use::Read => builder.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE),
                Use::Send => builder.pool_max_idle_per_host(0),
            };
            builder.build(ConnectTimer.layer(connector))
        })
    }
}

/// A request to a service of the cluster.
#[derive(Clone)]
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) url: Url,
    uri: ::http::Uri,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Asked {
    /// A request; its URL has been checked.
    pub(super) fn new(method: Method, url: Url, headers: HeaderMap, body: Bytes) -> Result<Self, Failure> {
        let uri = url.as_str().parse().map_err(|_| Failure::bad_argument("this URL cannot be asked"))?;
        Ok(Self { method, url, uri, headers, body })
    }
}

/// Follows redirects within one origin, and only to what is declared; others are the answer.
#[derive(Clone)]
struct Within {
    egress: Arc<Egress>,
    origin: Url,
    followed: usize,
}

impl Policy<Full<Bytes>, Error> for Within {
    fn redirect(&mut self, attempt: &Attempt<'_>) -> Result<Action, Error> {
        let near =
            Url::parse(&attempt.location().to_string()).is_ok_and(|to| to.origin() == self.origin.origin() && self.egress.permits(&to));
        self.followed += 1;
        Ok(if near && self.followed <= REDIRECTS { Action::Follow } else { Action::Stop })
    }

    fn clone_body(&self, body: &Full<Bytes>) -> Option<Full<Bytes>> {
        Some(body.clone())
    }
}

/// Opens a tunnel to the host of a URI.
#[derive(Clone)]
struct Opener {
    tunnels: Arc<Tunnels>,
    patience: Option<Duration>,
}

impl Service<::http::Uri> for Opener {
    type Response = TokioIo<Tunnel>;
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Failure>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: ::http::Uri) -> Self::Future {
        let Self { tunnels, patience } = self.clone();
        Box::pin(async move {
            let host = uri.host().unwrap_or_default();
            let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
            let opening = tunnels.open(host, port);
            let Some(patience) = patience else { return opening.await.map(TokioIo::new) };
            match tokio::time::timeout(patience, opening).await {
                Ok(opened) => opened.map(TokioIo::new),
                Err(_) => Err(Failure::new(Kind::Timeout, format!("no tunnel to {host}:{port} within {}", duration::show(patience)))
                    .hint("does the API server answer? `cluster_info()` asks it")),
            }
        })
    }
}

impl Connection for Tunnel {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}
