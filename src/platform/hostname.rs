//! Host names as a cluster's DNS reads them.

use std::net::IpAddr;

use crate::model::resource::check_name;

/// What a host names in a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::platform) struct Place {
    /// The Service.
    pub(in crate::platform) service: String,
    /// Its namespace.
    pub(in crate::platform) namespace: String,
    /// One pod of it, by its host name.
    pub(in crate::platform) pod: Option<String>,
}

/// How a host is to be looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::platform) enum Named {
    /// Outside of the cluster: an address, this machine, a public name.
    Outside,
    /// In the cluster and nowhere else: a name like `postgres` means another machine, or none, on any other network.
    Inside(Place),
    /// The first of these that the cluster has, else outside.
    Perhaps([Place; 2]),
}

/// Reads a host as a pod in a namespace would: `auth-rbac`, `auth-rbac.platform`, `auth-rbac.platform.svc.cluster.local`,
/// `postgres-0.postgres`.
pub(in crate::platform) fn read(host: &str, namespace: &str) -> Named {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if bare.parse::<IpAddr>().is_ok() || host == "localhost" || host.ends_with(".localhost") || check_name(&host).is_err() {
        return Named::Outside;
    }
    let place = |service: &str, namespace: &str, pod: Option<&str>| Place {
        service: service.to_owned(),
        namespace: namespace.to_owned(),
        pod: pod.map(str::to_owned),
    };
    match host.split('.').collect::<Vec<_>>().as_slice() {
        [service] => Named::Inside(place(service, namespace, None)),
        [service, its, "svc", ..] => Named::Inside(place(service, its, None)),
        [pod, service, its, "svc", ..] => Named::Inside(place(service, its, Some(pod))),
        // The search path of a pod tries its own namespace first.
        [first, second] => Named::Perhaps([place(second, namespace, Some(first)), place(first, second, None)]),
        _ => Named::Outside,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read_as_the_clusters_dns_reads_them() {
        let place = |service: &str, namespace: &str, pod: Option<&str>| Place {
            service: service.into(),
            namespace: namespace.into(),
            pod: pod.map(str::to_owned),
        };
        for (host, named) in [
            ("auth-rbac", Named::Inside(place("auth-rbac", "platform", None))),
            ("Auth-RBAC.", Named::Inside(place("auth-rbac", "platform", None))),
            ("auth-rbac.other.svc", Named::Inside(place("auth-rbac", "other", None))),
            ("auth-rbac.other.svc.cluster.local", Named::Inside(place("auth-rbac", "other", None))),
            ("auth-rbac.other.svc.k8s.example.com", Named::Inside(place("auth-rbac", "other", None))),
            ("postgres-0.postgres.other.svc", Named::Inside(place("postgres", "other", Some("postgres-0")))),
            (
                "postgres-0.postgres",
                Named::Perhaps([place("postgres", "platform", Some("postgres-0")), place("postgres-0", "postgres", None)]),
            ),
        ] {
            assert_eq!(read(host, "platform"), named, "{host}");
        }
        for host in ["127.0.0.1", "[::1]", "::1", "localhost", "x.localhost", "status.example.com", "169.254.169.254", "a_b", "a..b", ""] {
            assert_eq!(read(host, "platform"), Named::Outside, "{host}");
        }
    }
}
