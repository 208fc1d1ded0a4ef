//! What `doctor` asks a cluster: what the context's user may do, and what time it is there.

use ::http::Method;
use ::http::header::DATE;
use jiff::Timestamp;
use jiff::fmt::rfc2822;

use super::super::open;
use super::super::survey::Access;
use super::{Call, Kubernetes, parsed};
use crate::map;
use crate::model::{Failure, Kind, Value};

impl Kubernetes {
    /// Whether the context's user has a right, by the API server's own word (`SelfSubjectAccessReview`): it changes nothing.
    pub(in super::super) async fn may(&self, access: &Access) -> Result<bool, Failure> {
        let attributes = map! {
            "namespace" => access.namespace.clone(),
            "verb" => access.verb,
            "group" => access.group,
            "resource" => access.resource,
            "subresource" => access.subresource,
        };
        let review = map! {
            "apiVersion" => "authorization.k8s.io/v1",
            "kind" => "SelfSubjectAccessReview",
            "spec" => map! { "resourceAttributes" => attributes },
        };
        let target = "the access review";
        let call = Call {
            method: Method::POST,
            body: open::json(&review)?.to_string().into_bytes(),
            content_type: Some("application/json"),
            ..Call::get("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews".into(), target)
        };
        let answer = parsed(&self.call(call).await?, target)?;
        Ok(answer.at(&["status", "allowed"]).and_then(Value::as_bool).unwrap_or(false))
    }

    /// The API server's time, to the second.
    pub(in super::super) async fn time(&self) -> Result<Timestamp, Failure> {
        let target = "the cluster's time";
        let session = self.session().await?;
        let response = self.send(&session, &Call::get("/version".into(), target)).await?;
        let date = response.headers().get(DATE).and_then(|date| date.to_str().ok());
        let parsed = date.and_then(|date| rfc2822::parse(date).ok());
        parsed.map(|zoned| zoned.timestamp()).ok_or_else(|| Failure::new(Kind::Failed, "the API server does not say what time it is"))
    }
}
