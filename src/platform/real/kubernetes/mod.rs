//! Kubernetes: one client for the environment's context, which answers for the cluster's identity before anything else.

mod changes;
mod connect;
mod error;
mod exec;
mod forward;
mod lines;
mod logs;
mod metrics;
mod objects;
mod survey;

use std::path::PathBuf;
use std::sync::OnceLock;

use ::http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use ::http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use kube::client::Body;
use tokio::sync::Mutex;
use url::form_urlencoded;

pub(super) use error::cannot_dry_run;
pub(super) use forward::{Ending, rights};

use super::runtime::Departure;
use super::{MOST_BYTES, open};
use crate::config::Environment;
use crate::map;
use crate::model::{Failure, Kind, ResourceKind, Secret, Value};

/// The connector to one cluster.
pub(super) struct Kubernetes {
    environment: String,
    /// The kubeconfig's files, in the order of their weight.
    files: Vec<PathBuf>,
    context: Option<String>,
    cluster_uid: Option<String>,
    namespace: String,
    session: Mutex<Option<Session>>,
    uid: OnceLock<String>,
    at_hand: objects::AtHand,
}

/// A client, once the cluster is known to be the right one.
#[derive(Clone)]
struct Session {
    client: kube::Client,
    server: String,
    context: String,
}

/// Whether a change is to happen.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// It is applied.
    Apply,
    /// The server runs everything but the storing.
    DryRun,
}

/// One request to the API server.
struct Call<'a> {
    method: Method,
    path: String,
    body: Vec<u8>,
    content_type: Option<&'static str>,
    /// What it is about, for messages.
    target: &'a str,
    /// Set for writes that are to happen.
    departure: Option<&'a Departure>,
    most: usize,
}

impl<'a> Call<'a> {
    fn get(path: String, target: &'a str) -> Self {
        Self { method: Method::GET, path, body: Vec::new(), content_type: None, target, departure: None, most: MOST_BYTES }
    }
}

impl Kubernetes {
    /// The connector of an environment; connects nothing.
    pub(super) fn new(environment: &Environment) -> Self {
        Self {
            environment: environment.name.clone(),
            files: connect::files(),
            context: environment.context.clone(),
            cluster_uid: environment.cluster_uid.clone(),
            namespace: environment.namespace.clone(),
            session: Mutex::new(None),
            uid: OnceLock::new(),
            at_hand: objects::AtHand::default(),
        }
    }

    /// The cluster's UID, if it was read.
    pub(super) fn uid(&self) -> Option<String> {
        self.uid.get().cloned()
    }

    /// The client; connects and checks the cluster first, where that was not done or the credentials have run out.
    async fn session(&self) -> Result<Session, Failure> {
        let mut slot = self.session.lock().await;
        if let Some(session) = slot.as_ref().filter(|session| !connect::has_expired(&session.client)) {
            return Ok(session.clone());
        }
        let session = connect::connect(&self.environment, self.context.as_deref(), &self.files).await?;
        if let Some(expected) = &self.cluster_uid {
            let found = self.read_uid(&session).await?;
            if *expected != found {
                return Err(Failure::new(
                    Kind::Denied,
                    format!("wrong cluster: the context `{}` leads to the cluster with the UID {found}, and the environment `{}` expects {expected}", session.context, self.environment),
                )
                .hint("is the kubeconfig the right one? `cluster_uid` is the UID of the namespace kube-system"));
            }
        }
        *slot = Some(session.clone());
        Ok(session)
    }

    async fn read_uid(&self, session: &Session) -> Result<String, Failure> {
        let target = "namespace/kube-system";
        let bytes = self.exchange(session, Call::get("/api/v1/namespaces/kube-system".into(), target)).await?;
        let object = parsed(&bytes, target)?;
        let uid = object.str_at(&["metadata", "uid"]).unwrap_or_default();
        if uid.is_empty() {
            return Err(Failure::new(Kind::Failed, "the namespace kube-system has no UID").hint("is this a Kubernetes API server?"));
        }
        Ok(self.uid.get_or_init(|| uid.to_owned()).clone())
    }

    /// Sends one request over the checked client and answers the body of its success.
    async fn call(&self, call: Call<'_>) -> Result<Vec<u8>, Failure> {
        let session = self.session().await?;
        let result = self.exchange(&session, call).await;
        if result.as_ref().is_err_and(|failure| failure.kind == Kind::Auth) {
            self.forget().await;
        }
        result
    }

    /// Forgets the client, so that the next call logs in afresh.
    async fn forget(&self) {
        *self.session.lock().await = None;
    }

    /// Sends one request, once.
    async fn exchange(&self, session: &Session, call: Call<'_>) -> Result<Vec<u8>, Failure> {
        let response = self.send(session, &call).await?;
        let mut body = response.into_body();
        let mut bytes = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| error::broken_off(&error, &call))?;
            if let Ok(data) = frame.into_data() {
                if bytes.len() + data.len() > call.most {
                    return Err(error::too_large(call.target, call.most));
                }
                bytes.extend_from_slice(&data);
            }
        }
        Ok(bytes)
    }

    /// Sends one request and answers the response if it is a success.
    async fn send(&self, session: &Session, call: &Call<'_>) -> Result<::http::Response<Body>, Failure> {
        let request = Request::builder().method(call.method.clone()).uri(&call.path);
        // The API server's audit log says by it who asked.
        let mut request = request.header(ACCEPT, "application/json").header(USER_AGENT, super::AGENT);
        if let Some(content_type) = call.content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        let request = request
            .body(Body::from(call.body.clone()))
            .map_err(|_| Failure::bad_argument(format!("{} cannot be asked for", call.target)))?;
        if let Some(departure) = call.departure {
            departure.leaves();
        }
        let response = session.client.send(request).await.map_err(|error| error::transport(&error, session, call))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        // An error's body is small; one that is not says nothing more.
        let mut body = response.into_body();
        let mut bytes = Vec::new();
        while let Some(Ok(frame)) = body.frame().await {
            if let Ok(data) = frame.into_data() {
                bytes.extend_from_slice(&data);
            }
            if bytes.len() > 256 * 1024 {
                break;
            }
        }
        Err(error::refused(status, &bytes, session, call))
    }

    /// The server's version and address, and the cluster's UID.
    pub(super) async fn info(&self) -> Result<Value, Failure> {
        let session = self.session().await?;
        let version = parsed(&self.call(Call::get("/version".into(), "the cluster's version")).await?, "the cluster's version")?;
        let uid = match self.uid() {
            Some(uid) => uid,
            None => self.read_uid(&session).await?,
        };
        Ok(map! {
            "version" => version.str_at(&["gitVersion"]).unwrap_or_default(),
            "server" => session.server,
            "uid" => uid,
        })
    }

    /// What a key of a Kubernetes secret holds: `secret/NAME/KEY` in the environment's namespace.
    pub(super) async fn secret(&self, path: &str) -> Result<Secret, Failure> {
        let wrong = || Failure::bad_argument(format!("{path:?} is no secret's key")).hint("write `kubernetes = \"secret/NAME/KEY\"`");
        let (name, key) = path.strip_prefix("secret/").and_then(|rest| rest.split_once('/')).ok_or_else(wrong)?;
        let kind = ResourceKind::named("secret")?;
        let object = crate::model::ObjectRef::new(kind, &self.namespace, name);
        let auth = |why: &str| Failure::new(Kind::Auth, format!("the key {key} of secret/{name} {why}"));
        let secret = self.object(&object).await.map_err(|failure| match failure.kind {
            Kind::NotFound => auth("cannot be read: there is no such secret").hint(format!("is it in the namespace {}?", self.namespace)),
            _ => failure,
        })?;
        let data = secret.str_at(&["data", key]).ok_or_else(|| auth("does not exist"))?;
        let bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, data).map_err(|_| auth("is no base64"))?;
        let text = String::from_utf8(bytes).map_err(|_| auth("is no text"))?;
        Ok(Secret::new(format!("kubernetes:{path}"), text.trim_end_matches(['\r', '\n'])))
    }
}

/// A JSON answer as a value.
fn parsed(bytes: &[u8], target: &str) -> Result<Value, Failure> {
    open::parse(bytes).map_err(|e| {
        Failure::new(Kind::Unavailable, format!("the answer about {target} is no JSON (line {}, column {})", e.line(), e.column()))
            .hint("is this a Kubernetes API server? a proxy on the way may have answered in its place")
    })
}

/// The path of a kind's collection, of an object in it, or of an object's subresource.
fn path(kind: &ResourceKind, namespace: Option<&str>, name: Option<&str>, subresource: Option<&str>) -> Result<String, Failure> {
    let mut path = if kind.group.is_empty() { format!("/api/{}", kind.version) } else { format!("/apis/{}/{}", kind.group, kind.version) };
    let mut push = |segment: &str| {
        path.push('/');
        // The encoding leaves dots as they are, and these two would climb.
        if segment.is_empty() || segment == "." || segment == ".." {
            return Err(Failure::bad_argument(format!("{segment:?} is no object name")));
        }
        path.push_str(&form_urlencoded::byte_serialize(segment.as_bytes()).collect::<String>().replace('+', "%20"));
        Ok(())
    };
    if let Some(namespace) = namespace.filter(|_| kind.namespaced) {
        push("namespaces")?;
        push(namespace)?;
    }
    push(kind.plural)?;
    for segment in [name, subresource].into_iter().flatten() {
        push(segment)?;
    }
    Ok(path)
}

/// A path with a query.
fn with_query<'q>(path: String, pairs: impl IntoIterator<Item = (&'q str, String)>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(pairs);
    let query = query.finish();
    if query.is_empty() { path } else { format!("{path}?{query}") }
}

/// Whether a status says that the request may have been carried out though it failed.
fn is_ambiguous(status: StatusCode) -> bool {
    matches!(status.as_u16(), 500 | 502 | 504)
}

#[cfg(test)]
mod tests;
