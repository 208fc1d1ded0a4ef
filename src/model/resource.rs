//! Kubernetes objects by name: the kinds that a target may start with, and references to objects.

use std::fmt;

use super::Failure;

/// A Kubernetes resource kind, as the API server's discovery describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceKind {
    /// What targets say: `deployment`.
    pub singular: &'static str,
    /// What URLs say: `deployments`.
    pub plural: &'static str,
    /// What manifests say: `Deployment`.
    pub kind: &'static str,
    /// The API group, empty for core.
    pub group: &'static str,
    /// The API version: `v1`.
    pub version: &'static str,
    /// Whether its objects live in a namespace.
    pub namespaced: bool,
    /// kubectl's short names.
    pub short: &'static [&'static str],
}

const fn kind(
    singular: &'static str,
    plural: &'static str,
    kind: &'static str,
    group: &'static str,
    version: &'static str,
    namespaced: bool,
    short: &'static [&'static str],
) -> ResourceKind {
    ResourceKind { singular, plural, kind, group, version, namespaced, short }
}

/// The kinds that can be named, with kubectl's short names.
pub static KINDS: &[ResourceKind] = &[
    kind("deployment", "deployments", "Deployment", "apps", "v1", true, &["deploy"]),
    kind("statefulset", "statefulsets", "StatefulSet", "apps", "v1", true, &["sts"]),
    kind("daemonset", "daemonsets", "DaemonSet", "apps", "v1", true, &["ds"]),
    kind("replicaset", "replicasets", "ReplicaSet", "apps", "v1", true, &["rs"]),
    kind("controllerrevision", "controllerrevisions", "ControllerRevision", "apps", "v1", true, &[]),
    kind("job", "jobs", "Job", "batch", "v1", true, &[]),
    kind("cronjob", "cronjobs", "CronJob", "batch", "v1", true, &["cj"]),
    kind("pod", "pods", "Pod", "", "v1", true, &["po"]),
    kind("service", "services", "Service", "", "v1", true, &["svc"]),
    kind("endpoints", "endpoints", "Endpoints", "", "v1", true, &["ep"]),
    kind("configmap", "configmaps", "ConfigMap", "", "v1", true, &["cm"]),
    kind("secret", "secrets", "Secret", "", "v1", true, &[]),
    kind("serviceaccount", "serviceaccounts", "ServiceAccount", "", "v1", true, &["sa"]),
    kind("persistentvolumeclaim", "persistentvolumeclaims", "PersistentVolumeClaim", "", "v1", true, &["pvc"]),
    kind("persistentvolume", "persistentvolumes", "PersistentVolume", "", "v1", false, &["pv"]),
    kind("event", "events", "Event", "", "v1", true, &["ev"]),
    kind("node", "nodes", "Node", "", "v1", false, &["no"]),
    kind("namespace", "namespaces", "Namespace", "", "v1", false, &["ns"]),
    kind("ingress", "ingresses", "Ingress", "networking.k8s.io", "v1", true, &["ing"]),
    kind("networkpolicy", "networkpolicies", "NetworkPolicy", "networking.k8s.io", "v1", true, &["netpol"]),
    kind("horizontalpodautoscaler", "horizontalpodautoscalers", "HorizontalPodAutoscaler", "autoscaling", "v2", true, &["hpa"]),
    kind("poddisruptionbudget", "poddisruptionbudgets", "PodDisruptionBudget", "policy", "v1", true, &["pdb"]),
    kind("lease", "leases", "Lease", "coordination.k8s.io", "v1", true, &[]),
];

impl ResourceKind {
    /// The kind of that name: singular, plural, manifest kind or short name, in any case.
    pub fn find(name: &str) -> Option<&'static ResourceKind> {
        KINDS.iter().find(|kind| {
            [kind.singular, kind.plural, kind.kind].iter().any(|known| known.eq_ignore_ascii_case(name))
                || kind.short.iter().any(|known| known.eq_ignore_ascii_case(name))
        })
    }

    /// The kind of that name, or an error that names the nearest.
    pub fn named(name: &str) -> Result<&'static ResourceKind, Failure> {
        Self::find(name).ok_or_else(|| Failure::unknown("resource kind", name, KINDS.iter().map(|kind| kind.singular)))
    }

    /// `apps/v1`, or `v1` for core.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }

    /// Whether its objects own pods through a template and have `spec.replicas` or a rollout.
    pub fn is_workload(&self) -> bool {
        matches!(self.singular, "deployment" | "statefulset" | "daemonset" | "replicaset")
    }
}

/// One object: its kind, its namespace (none for cluster-wide kinds) and its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectRef {
    /// The kind.
    pub kind: &'static ResourceKind,
    /// The namespace; none for cluster-wide kinds.
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
}

impl ObjectRef {
    /// A reference; the namespace is dropped for cluster-wide kinds.
    pub fn new(kind: &'static ResourceKind, namespace: &str, name: &str) -> Self {
        Self { kind, namespace: kind.namespaced.then(|| namespace.to_owned()), name: name.to_owned() }
    }
}

/// As scripts and kubectl write it: `deployment/api-gateway`.
impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.singular, self.name)
    }
}

/// What a target's text says, before any name is looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// `deployment/api-gateway`.
    Object(&'static ResourceKind, String),
    /// `app=api-gateway` (pods) or `node/node-type=gpu`: a kind and a label selector.
    Selector(&'static ResourceKind, String),
    /// `api-gateway`: what it is depends on the function and the configuration.
    Bare(String),
}

impl Target {
    /// Parses a target. Names are checked by Kubernetes' rules, so that none can reach into another path.
    pub fn parse(text: &str) -> Result<Target, Failure> {
        let (kind, rest) = match text.split_once('/') {
            // A label's key may hold a slash itself: `app.kubernetes.io/name=api`.
            Some((kind, _)) if kind.contains('.') && text.contains('=') => (None, text),
            Some((kind, rest)) => (Some(ResourceKind::named(kind)?), rest),
            None => (None, text),
        };
        if rest.contains('=') || rest.contains(',') || rest.contains(" in ") {
            let pod = ResourceKind::named("pod")?;
            return Ok(Target::Selector(kind.unwrap_or(pod), rest.to_owned()));
        }
        check_name(rest)?;
        Ok(match kind {
            Some(kind) => Target::Object(kind, rest.to_owned()),
            None => Target::Bare(rest.to_owned()),
        })
    }
}

/// Kubernetes' object names (RFC 1123 subdomains): lower case, digits, `-`, `.`; at most 253 characters.
pub fn check_name(name: &str) -> Result<(), Failure> {
    let inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-' || c == b'.';
    let outer = |c: Option<&u8>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let bytes = name.as_bytes();
    if bytes.len() <= 253 && bytes.iter().all(|c| inner(*c)) && outer(bytes.first()) && outer(bytes.last()) && !name.contains("..") {
        return Ok(());
    }
    Err(Failure::bad_argument(format!("{name:?} is no object name"))
        .hint("targets read \"deployment/api-gateway\", \"node/gpu-1\", \"app=api-gateway\" or a bare name; names are lower case letters, digits, `-` and `.`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_kubectls() {
        let deployment = ResourceKind::find("deployment").unwrap();
        let node = ResourceKind::find("node").unwrap();
        let pod = ResourceKind::find("po").unwrap();
        assert_eq!(Target::parse("deploy/api").unwrap(), Target::Object(deployment, "api".into()));
        assert_eq!(Target::parse("api").unwrap(), Target::Bare("api".into()));
        assert_eq!(Target::parse("app=api").unwrap(), Target::Selector(pod, "app=api".into()));
        assert_eq!(Target::parse("app.kubernetes.io/name=api").unwrap(), Target::Selector(pod, "app.kubernetes.io/name=api".into()));
        assert_eq!(Target::parse("node/node-type=gpu").unwrap(), Target::Selector(node, "node-type=gpu".into()));
    }

    #[test]
    fn names_cannot_reach_elsewhere() {
        for text in ["deployment/../secrets/x", "deployment/a/b", "", "API", "a b", "a%2f", "deployment/", "-a"] {
            assert!(Target::parse(text).is_err(), "{text}");
        }
        let failure = Target::parse("deploymet/api").unwrap_err();
        assert_eq!(failure.hint.as_deref(), Some("did you mean `deployment`?"));
    }
}
