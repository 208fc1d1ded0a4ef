//! What `doctor` asks the real systems, and no script does: rights, times, whether somebody takes a connection.

use std::time::Duration;

use jiff::Timestamp;
use tokio::net::TcpStream;

use super::http::io_text;
use super::{Cx, Real, address, kubernetes, runtime};
use crate::config::SecretSource;
use crate::model::operation::TcpCheck;
use crate::model::{Failure, Kind, Read, Secret, Write};
use crate::platform::egress;

/// The wait for each answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A right on a kind of Kubernetes objects.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Access {
    /// `get`, `list`, `patch`, `create` or `delete`.
    pub verb: &'static str,
    /// The API group, empty for core.
    pub group: &'static str,
    /// The resource, such as `deployments`.
    pub resource: &'static str,
    /// `scale`, `log`, `eviction`, or none.
    pub subresource: Option<&'static str>,
    /// The namespace; none for all, and for cluster-wide resources.
    pub namespace: Option<String>,
}

/// As kubectl asks it: `patch deployments/scale -n platform`.
impl std::fmt::Display for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        if let Some(subresource) = self.subresource {
            write!(f, "/{subresource}")?;
        }
        match &self.namespace {
            Some(namespace) => write!(f, " -n {namespace}"),
            None => Ok(()),
        }
    }
}

impl Access {
    /// The right that a read needs; none where it is no matter of the cluster.
    pub fn of_read(read: &Read) -> Option<Access> {
        let pods = |group, subresource, namespace| Access { verb: "get", group, resource: "pods", subresource, namespace };
        Some(match read {
            Read::Object(object) => Access {
                verb: "get",
                group: object.kind.group,
                resource: object.kind.plural,
                subresource: None,
                namespace: object.namespace.clone(),
            },
            Read::Objects(selection) => Access {
                verb: "list",
                group: selection.kind.group,
                resource: selection.kind.plural,
                subresource: None,
                namespace: selection.namespace.clone(),
            },
            Read::Logs(query) => pods("", Some("log"), Some(query.sources.first()?.namespace.clone())),
            Read::NodeMetrics(_) => Access { verb: "list", group: "metrics.k8s.io", resource: "nodes", subresource: None, namespace: None },
            Read::PodMetrics(selection) => Access { verb: "list", ..pods("metrics.k8s.io", None, selection.namespace.clone()) },
            Read::ClusterInfo => Access { verb: "get", group: "", resource: "namespaces", subresource: None, namespace: None },
            Read::Exec(exec) => Access { verb: "create", ..pods("", Some("exec"), Some(exec.namespace.clone())) },
            Read::Tcp(TcpCheck { from: Some(from), .. }) => {
                Access { verb: "create", ..pods("", Some("exec"), Some(from.namespace.clone())) }
            }
            Read::Command(_) | Read::Http(_) | Read::Health(_) | Read::Metrics(_) | Read::Tcp(_) => return None,
            Read::Sql(_) | Read::Mongo { .. } | Read::Redis { .. } => return None,
            Read::Variable { .. } | Read::File(_) => return None,
        })
    }

    /// The right that a write needs; none where it is no matter of the cluster.
    pub fn of_write(write: &Write) -> Option<Access> {
        if let Write::Exec(exec) = write {
            let namespace = Some(exec.namespace.clone());
            return Some(Access { verb: "create", group: "", resource: "pods", subresource: Some("exec"), namespace });
        }
        let object = write.object()?;
        let (verb, subresource) = match write {
            Write::Patch { subresource, .. } => ("patch", *subresource),
            Write::Create { .. } => ("create", None),
            Write::Delete { .. } => ("delete", None),
            Write::Evict { .. } => ("create", Some("eviction")),
            _ => return None,
        };
        Some(Access { verb, group: object.kind.group, resource: object.kind.plural, subresource, namespace: object.namespace.clone() })
    }
}

/// Where a host is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// At its own address.
    Direct,
    /// In the cluster, through a port-forward.
    PortForward,
}

impl Real {
    /// How a host is reached: by its own address, or through the cluster.
    pub fn way_to(&self, host: &str, cx: &Cx<'_>) -> Result<Way, Failure> {
        let Some(tunnels) = &self.tunnels else { return Ok(Way::Direct) };
        let inside = self.runtime.block(cx, PATIENCE, || "the cluster".to_owned(), tunnels.lead_to(host))?;
        Ok(if inside { Way::PortForward } else { Way::Direct })
    }

    /// The rights that port-forwards take.
    pub fn rights_of_tunnels(&self) -> Vec<Access> {
        if self.tunnels.is_some() { kubernetes::rights(&self.environment.namespace).to_vec() } else { Vec::new() }
    }

    /// Whether the context's user has a right.
    pub fn may(&self, access: &Access, cx: &Cx<'_>) -> Result<bool, Failure> {
        self.runtime.block(cx, PATIENCE, || "the access review".to_owned(), self.kubernetes.may(access))
    }

    /// The API server's time, to the second.
    pub fn server_time(&self, cx: &Cx<'_>) -> Result<Timestamp, Failure> {
        self.runtime.block(cx, PATIENCE, || "the cluster".to_owned(), self.kubernetes.time())
    }

    /// What a secret's source holds.
    pub fn open_source(&self, source: &SecretSource, cx: &Cx<'_>) -> Result<Secret, Failure> {
        self.runtime.block(cx, super::SOURCE_TIMEOUT, || "a secret's source".to_owned(), self.sources.open(source, &self.kubernetes))
    }

    /// Whether the place of a channel takes connections. Nothing is sent: a message would reach people.
    pub fn knock(&self, channel: &str, cx: &Cx<'_>) -> Result<(), Failure> {
        let work = async {
            let Some(settings) = self.environment.channels.get(channel) else {
                return Err(Failure::unknown("channel", channel, self.environment.channels.keys().map(String::as_str)));
            };
            let text = match (&settings.webhook, &settings.url) {
                (Some(source), _) => self.sources.open(source, &self.kubernetes).await?.expose().to_owned(),
                (None, url) => url.clone().unwrap_or_default(),
            };
            let unusable =
                |failure: Failure| Failure { message: format!("the address of the channel `{channel}` cannot be used"), ..failure };
            let url = egress::parse(text.trim()).map_err(unusable)?;
            let (host, port) = (url.host_str().unwrap_or_default().to_owned(), url.port_or_known_default().unwrap_or(443));
            // Of a secret address even the host is left out.
            let secret = settings.webhook.is_some();
            let place = if secret { "its address".to_owned() } else { format!("{host}:{port}") };
            let hidden = |failure: Failure| {
                if secret { Failure { message: format!("{place} does not resolve, or may not be asked"), ..failure } } else { failure }
            };
            let addresses = address::resolve(channel, &host, port).await.map_err(hidden)?;
            let refused = |why: String| {
                Failure::new(Kind::Unavailable, format!("{place} takes no connection: {why}"))
                    .hint("does it run, and is it reachable from here?")
            };
            runtime::within(PATIENCE, || place.clone(), async {
                TcpStream::connect(addresses.as_slice()).await.map(drop).map_err(|error| refused(io_text(&error)))
            })
            .await
        };
        self.runtime.block(cx, PATIENCE + super::SOURCE_TIMEOUT, || format!("the channel {channel}"), work)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ObjectRef, ResourceKind, Value};

    #[test]
    fn rights_read_as_kubectl_asks_them() {
        let object = ObjectRef::new(ResourceKind::find("deploy").unwrap(), "platform", "api");
        let patch = Write::Patch {
            object: object.clone(),
            subresource: Some("scale"),
            patch: Value::Null,
            kind: crate::model::operation::PatchKind::Merge,
            verb: crate::model::operation::PatchVerb::Scale,
            timeout: PATIENCE,
        };
        let shown = |access: Option<Access>| access.unwrap().to_string();
        assert_eq!(shown(Access::of_write(&patch)), "patch deployments.apps/scale -n platform");
        assert_eq!(shown(Access::of_read(&Read::Object(object))), "get deployments.apps -n platform");
        assert_eq!(shown(Access::of_read(&Read::ClusterInfo)), "get namespaces");
    }
}
