//! One stream to a port of a pod, through the API server's port-forward (a WebSocket).

use std::pin::Pin;

use ::http::StatusCode;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use tokio::io::DuplexStream;

use super::super::survey::Access;
use super::{Call, Kubernetes, error, parsed, path, with_query};
use crate::model::{Failure, Kind, ResourceKind, Value};
use crate::platform::failures;

/// What a port-forward says of its port when it ends, if anything.
pub(in super::super) type Ending = Pin<Box<dyn Future<Output = Option<String>> + Send>>;

/// The rights that a port-forward takes: the request is a `get`, and API servers since 1.35 ask for `create` as well.
pub(in super::super) fn rights(namespace: &str) -> [Access; 2] {
    ["create", "get"].map(|verb| Access {
        verb,
        group: "",
        resource: "pods",
        subresource: Some("portforward"),
        namespace: Some(namespace.to_owned()),
    })
}

impl Kubernetes {
    /// Opens a stream to a port of a pod. Nobody has tried the port by then: a refusal comes as the stream's ending.
    pub(in super::super) async fn forward(&self, namespace: &str, pod: &str, port: u16) -> Result<(DuplexStream, Ending), Failure> {
        let target = format!("pod/{pod}");
        // Refuses names that would climb out of the path.
        let call = Call::get(path(ResourceKind::named("pod")?, Some(namespace), Some(pod), Some("portforward"))?, &target);
        let session = self.session().await?;
        let pods: Api<Pod> = Api::namespaced(session.client.clone(), namespace);
        let mut opened = match pods.portforward(pod, &[port]).await {
            Ok(opened) => opened,
            Err(kube::Error::Api(status)) => {
                let code = StatusCode::from_u16(status.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                let failure = error::refused(code, &serde_json::to_vec(&status).unwrap_or_default(), &session, &call);
                return Err(match failure.kind {
                    Kind::Auth => {
                        // The next call logs in afresh.
                        *self.session.lock().await = None;
                        failure
                    }
                    Kind::Forbidden => self.lacking(namespace, failure).await,
                    _ => failure,
                });
            }
            Err(kube::Error::UpgradeConnection(_)) => {
                return Err(Failure::new(Kind::Unavailable, format!("the API server at {} does not open port-forwards", session.server))
                    .hint("is there a proxy before it that lets no WebSockets pass?")
                    .on(target));
            }
            Err(error) => return Err(error::transport(&error, &session, &call)),
        };
        let stream = opened.take_stream(port);
        let ending = opened.take_error(port);
        match (stream, ending) {
            (Some(stream), Some(ending)) => Ok((stream, Box::pin(ending))),
            _ => Err(Failure::new(Kind::Failed, format!("the port-forward to {target} has no stream"))),
        }
    }

    /// The EndpointSlices of a Service.
    pub(in super::super) async fn endpoint_slices(&self, namespace: &str, service: &str) -> Result<Vec<Value>, Failure> {
        let kind = ResourceKind { plural: "endpointslices", group: "discovery.k8s.io", ..*ResourceKind::named("endpoints")? };
        let query = [("labelSelector", format!("kubernetes.io/service-name={service}"))];
        let path = with_query(path(&kind, Some(namespace), None, None)?, query);
        let target = format!("the endpoints of service/{service}");
        let found = parsed(&self.call(Call::get(path, &target)).await?, &target)?;
        Ok(found.get("items").and_then(Value::as_list).unwrap_or_default().to_vec())
    }

    /// The failure of a port-forward that the API server forbids, with the verb that is lacking by its own word.
    async fn lacking(&self, namespace: &str, failure: Failure) -> Failure {
        let mut lacking = Vec::new();
        for access in rights(namespace) {
            if !self.may(&access).await.unwrap_or(true) {
                lacking.push(access.verb);
            }
        }
        if lacking.is_empty() {
            return failure;
        }
        failures::may_not_forward(namespace, &failure.message, &lacking).on(failure.target.unwrap_or_default())
    }
}
