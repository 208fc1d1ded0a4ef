//! Tunnels to what a cluster's own names lead to, through the API server's port-forward: opened on first use, each carrying
//! one connection that its connector keeps and shares, to the pod that the Service sends to at that moment.

mod lead;
mod pick;
mod socket;
mod stream;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

pub(super) use lead::Lead;
pub(super) use pick::End;
pub(super) use socket::{Opener, Socket};
pub(super) use stream::Tunnel;

use super::kubernetes::Kubernetes;
use crate::config::{Environment, Reach};
use crate::model::operation::{Freshness, Selection};
use crate::model::resource::Target;
use crate::model::{Failure, Kind, ObjectRef, ResourceKind, Value};
use crate::platform::failures;
use crate::platform::hostname::{self, Named, Place};
use pick::Port;

/// So many pods are tried where one has gone since it was listed.
const TRIES: usize = 3;

/// The ways into one cluster.
pub(super) struct Tunnels {
    kubernetes: Arc<Kubernetes>,
    namespace: String,
    /// The workloads of services and databases by host, for names that are no Service.
    workloads: HashMap<String, String>,
    /// Names that may be the cluster's or not, as they were found.
    inside: Mutex<HashMap<String, bool>>,
}

impl Tunnels {
    /// The ways into an environment's cluster, where it is reached by them. Asks nothing.
    pub(super) fn new(environment: &Environment, kubernetes: &Arc<Kubernetes>) -> Option<Arc<Self>> {
        if environment.reach == Reach::Direct {
            return None;
        }
        let services = environment.services.values().map(|service| (service.url.as_deref(), service.workload.as_ref()));
        let databases = environment.databases.values().map(|database| (Some(database.url.as_str()), database.workload.as_ref()));
        let workloads = services.chain(databases).filter_map(|(url, workload)| {
            let url = url::Url::parse(url?).ok()?;
            Some((url.host_str()?.to_ascii_lowercase(), workload?.clone()))
        });
        Some(Arc::new(Self {
            kubernetes: Arc::clone(kubernetes),
            namespace: environment.namespace.clone(),
            workloads: workloads.collect(),
            inside: Mutex::default(),
        }))
    }

    /// Whether a host is one of the cluster's. No name is looked up in DNS.
    pub(super) async fn lead_to(&self, host: &str) -> Result<bool, Failure> {
        let places = match hostname::read(host, &self.namespace) {
            Named::Outside => return Ok(false),
            Named::Inside(_) => return Ok(true),
            Named::Perhaps(places) => places,
        };
        if let Some(known) = self.inside.lock().unwrap_or_else(PoisonError::into_inner).get(host) {
            return Ok(*known);
        }
        let mut inside = false;
        for place in &places {
            inside |= self.perhaps(place).await?.is_some();
        }
        self.inside.lock().unwrap_or_else(PoisonError::into_inner).insert(host.to_owned(), inside);
        Ok(inside)
    }

    /// Opens a tunnel to a host's port, to a pod that is ready now.
    pub(super) async fn open(&self, host: &str, port: u16) -> Result<Tunnel, Failure> {
        let ends = self.ends(host, port).await.map_err(|failure| no_way(host, port, failure))?;
        let mut gone = None;
        for end in ends.into_iter().take(TRIES) {
            match self.open_to(end).await {
                Err(failure) if failure.kind == Kind::NotFound => gone = Some(failure),
                opened => return opened.map_err(|failure| no_way(host, port, failure)),
            }
        }
        let failure = gone.unwrap_or_else(|| pick::none(host, &[]));
        // The pod has gone, not what the script asked for.
        Err(no_way(host, port, Failure { kind: Kind::Unavailable, ..failure }))
    }

    /// Opens a tunnel to a port of one pod.
    pub(super) async fn open_to(&self, end: End) -> Result<Tunnel, Failure> {
        let (stream, ending) = self.kubernetes.forward(&end.namespace, &end.pod, end.port).await?;
        Ok(Tunnel::new(stream, ending, end))
    }

    /// The ports of pods that a host's port leads to now.
    async fn ends(&self, host: &str, port: u16) -> Result<Vec<End>, Failure> {
        match hostname::read(host, &self.namespace) {
            Named::Outside => Err(no_service(host, &self.namespace)),
            Named::Inside(place) => match self.service(&place).await {
                Ok(service) => self.behind(&place, &service, port).await,
                Err(failure) if failure.kind == Kind::NotFound => {
                    let found = match self.workloads.get(&host.to_ascii_lowercase()) {
                        Some(workload) => self.of_workload(workload, port).await?,
                        None => None,
                    };
                    found.ok_or_else(|| no_service(&place.service, &place.namespace))
                }
                Err(failure) => Err(failure),
            },
            Named::Perhaps(places) => {
                let mut failed = no_service(host, &self.namespace);
                for place in &places {
                    if let Some(service) = self.perhaps(place).await? {
                        match self.behind(place, &service, port).await {
                            Ok(ends) => return Ok(ends),
                            Err(failure) => failed = failure,
                        }
                    }
                }
                Err(failed)
            }
        }
    }

    async fn service(&self, place: &Place) -> Result<Value, Failure> {
        let kind = ResourceKind::named("service")?;
        self.kubernetes.object(&ObjectRef::new(kind, &place.namespace, &place.service)).await
    }

    /// The Service, where the cluster has it. In another namespace, which may be no namespace at all, not being allowed to look
    /// is as good as its not being there: `example.com` is read as one as well.
    async fn perhaps(&self, place: &Place) -> Result<Option<Value>, Failure> {
        match self.service(place).await {
            Ok(service) => Ok(Some(service)),
            Err(failure) if failure.kind == Kind::NotFound => Ok(None),
            Err(failure) if failure.kind == Kind::Forbidden && place.namespace != self.namespace => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// The pods behind a Service.
    async fn behind(&self, place: &Place, service: &Value, port: u16) -> Result<Vec<End>, Failure> {
        let name = &place.service;
        let what = format!("service/{name}");
        if let Some(elsewhere) = service.str_at(&["spec", "externalName"]).filter(|name| !name.is_empty()) {
            return Err(Failure::new(Kind::Unavailable, format!("{what} stands for {elsewhere}, and leads to no pod"))
                .hint("an ExternalName cannot be forwarded to: configure that address itself, if it can be reached from here"));
        }
        let (there, label) = pick::port(name, service, port)?;
        let publishes_all = service.at(&["spec", "publishNotReadyAddresses"]).and_then(Value::as_bool).unwrap_or(false);
        let labels = labels(service.at(&["spec", "selector"]));
        let Some(selector) = labels else {
            let slices = self.kubernetes.endpoint_slices(&place.namespace, name).await?;
            return pick::of_slices(&what, &slices, &label, &place.namespace);
        };
        let mut pods = self.pods(&place.namespace, selector).await?;
        if let Some(one) = &place.pod {
            pods.retain(|pod| [&["metadata", "name"], &["spec", "hostname"]].iter().any(|path| pod.str_at(*path) == Some(one)));
            if pods.is_empty() {
                return Err(Failure::new(Kind::Unavailable, format!("{what} has no pod {one}"))
                    .hint(format!("`kubectl -n {} get pods` lists what there is", place.namespace)));
            }
        }
        pick::ready(&what, &pods, &there, publishes_all)
    }

    /// The pods of a workload; none where there is no such workload either.
    async fn of_workload(&self, workload: &str, port: u16) -> Result<Option<Vec<End>>, Failure> {
        let Target::Object(kind, name) = Target::parse(workload)? else {
            return Err(Failure::bad_argument(format!("{workload:?} names no workload")));
        };
        let object = match self.kubernetes.object(&ObjectRef::new(kind, &self.namespace, &name)).await {
            Err(failure) if failure.kind == Kind::NotFound => return Ok(None),
            found => found?,
        };
        let selector = labels(object.at(&["spec", "selector", "matchLabels"]))
            .ok_or_else(|| Failure::new(Kind::Unavailable, format!("{workload} chooses its pods by no labels")))?;
        let pods = self.pods(&self.namespace, selector).await?;
        pick::ready(workload, &pods, &Port::Number(port), false).map(Some)
    }

    async fn pods(&self, namespace: &str, selector: String) -> Result<Vec<Value>, Failure> {
        let selection = Selection {
            kind: ResourceKind::named("pod")?,
            namespace: Some(namespace.to_owned()),
            selector: Some(selector),
            fields: Vec::new(),
            freshness: Freshness::Now,
            timeout: std::time::Duration::MAX,
        };
        Ok(self.kubernetes.objects(&selection).await?.as_list().unwrap_or_default().to_vec())
    }
}

/// Labels as a selector; none where there are none.
fn labels(labels: Option<&Value>) -> Option<String> {
    let pairs = labels?.as_map()?.iter().map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()));
    Some(pairs.collect::<Vec<_>>().join(",")).filter(|text| !text.is_empty())
}

fn no_service(host: &str, namespace: &str) -> Failure {
    Failure::new(Kind::Unavailable, format!("the namespace {namespace} has no service/{host}"))
        .hint("with reach = \"port-forward\" a host is the name of a Service of the cluster: is it right, and is it in that namespace?")
}

/// Says which way could not be taken.
fn no_way(host: &str, port: u16, failure: Failure) -> Failure {
    failures::no_tunnel(&format!("{host}:{port}"), failure)
}
