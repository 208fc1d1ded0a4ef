//! What is reached through a port-forward, as a person would reach it by hand: with kubectl beside the tool, for as long as it
//! runs. The name in the address stays what it is, for certificates and the Host header.

use url::Url;

use super::equivalent::{client, quote};
use super::hostname::{self, Named};
use crate::config::{DatabaseKind, Environment, Reach};

/// A port-forward that a person makes.
pub(super) struct Forward {
    kubectl: String,
    /// The port on the person's own machine.
    pub(super) local: u16,
}

impl Forward {
    /// The one that a host needs; none where it is asked at its own address.
    fn to(environment: &Environment, host: &str, port: u16) -> Option<Self> {
        if environment.reach == Reach::Direct {
            return None;
        }
        // What may be the cluster's or not is not known without asking it.
        let Named::Inside(place) = hostname::read(host, &environment.namespace) else { return None };
        let target = match &place.pod {
            Some(pod) => format!("pod/{pod}"),
            None => format!("svc/{}", place.service),
        };
        // Low ports are for the administrator of a machine.
        let local = if port < 1024 { port + 10_000 } else { port };
        let client = client(environment);
        let kubectl = format!("{client} -n {} port-forward {target} {local}:{port}", place.namespace);
        Some(Self { kubectl, local })
    }

    /// The one that a URL needs.
    pub(super) fn to_url(environment: &Environment, url: &str) -> Option<Self> {
        let url = Url::parse(url).ok()?;
        Self::to(environment, url.host_str()?, url.port_or_known_default()?)
    }

    /// The one that a database needs: that of its first host.
    pub(super) fn to_database(environment: &Environment, database: &str) -> Option<Self> {
        let (host, port) = first_host(environment, database)?;
        Self::to(environment, &host, port)
    }

    /// A line while the port-forward stands.
    pub(super) fn around(&self, line: &str) -> String {
        format!("{} >/dev/null & sleep 2; {line}; kill $!", self.kubectl)
    }
}

/// A line for a database, with the port-forward that it needs.
pub(super) fn database(environment: &Environment, database: &str, line: String) -> String {
    match Forward::to_database(environment, database) {
        Some(forward) => forward.around(&line),
        None => line,
    }
}

/// A database's address for its own tool: as configured, or where its port-forward ends on the person's machine.
pub(super) fn address(environment: &Environment, database: &str) -> String {
    let Some(known) = environment.databases.get(database) else { return database.to_owned() };
    let Some(forward) = Forward::to_database(environment, database) else { return known.url.clone() };
    let Some((scheme, rest)) = known.url.split_once("://") else { return known.url.clone() };
    let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let user = authority.rsplit_once('@').map(|(user, _)| format!("{user}@")).unwrap_or_default();
    let local = forward.local;
    let with = |tail: &str, more: &str| format!("{tail}{}{more}", if tail.contains('?') { '&' } else { '?' });
    match (known.kind, first_host(environment, database)) {
        // libpq connects to `hostaddr`, and means the host in all else.
        (DatabaseKind::Postgres, Some((host, _))) => format!("{scheme}://{user}{host}:{local}{}", with(tail, "hostaddr=127.0.0.1")),
        (DatabaseKind::Mongo, _) => {
            let tail = if tail.starts_with('/') { tail.to_owned() } else { format!("/{tail}") };
            format!("{scheme}://{user}localhost:{local}{}", with(&tail, "directConnection=true"))
        }
        _ => format!("{scheme}://{user}localhost:{local}{tail}"),
    }
}

/// A URL for curl: with where its port-forward ends, if it needs one.
pub(super) fn curl(environment: &Environment, url: &str, line: impl Fn(&str) -> String) -> String {
    match Forward::to_url(environment, url) {
        Some(forward) => forward.around(&line(&format!("--connect-to ::localhost:{} {}", forward.local, quote(url)))),
        None => line(&quote(url)),
    }
}

fn first_host(environment: &Environment, database: &str) -> Option<(String, u16)> {
    let known = environment.databases.get(database)?;
    let (_, rest) = known.url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let first = authority.rsplit_once('@').map_or(authority, |(_, place)| place).split(',').next()?;
    let usual = match known.kind {
        DatabaseKind::Postgres => 5432,
        DatabaseKind::Mongo => 27017,
        DatabaseKind::Redis => 6379,
        DatabaseKind::Other => 9042,
    };
    match first.rsplit_once(':') {
        Some((host, port)) if !first.ends_with(']') => Some((host.to_owned(), port.parse().ok()?)),
        _ => Some((first.to_owned(), usual)),
    }
}
