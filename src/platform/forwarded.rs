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

    /// The one that a service or database of that name needs.
    fn to_name(environment: &Environment, name: &str) -> Option<Self> {
        match environment.services.get(name).and_then(|service| service.url.as_deref()) {
            Some(url) if !environment.databases.contains_key(name) => Self::to_url(environment, url),
            _ => Self::to_database(environment, name),
        }
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

/// A line with the port-forwards of several services and databases.
pub(super) fn all(environment: &Environment, names: &[String], line: String) -> String {
    let forwards: Vec<Forward> = names.iter().filter_map(|name| Forward::to_name(environment, name)).collect();
    if forwards.is_empty() {
        return line;
    }
    let started: String = forwards.iter().map(|forward| format!("{} >/dev/null & ", forward.kubectl)).collect();
    format!("({started}sleep 2; {line}; kill $(jobs -p))")
}

/// The variables by which psql finds the port-forward of the first PostgreSQL of several names.
pub(super) fn variables(environment: &Environment, names: &[String]) -> String {
    let is_postgres = |name: &&String| environment.databases.get(*name).is_some_and(|known| known.kind == DatabaseKind::Postgres);
    let Some(name) = names.iter().find(is_postgres) else { return String::new() };
    let (Some(forward), Some(known)) = (Forward::to_name(environment, name), environment.databases.get(name)) else {
        return String::new();
    };
    let url = Url::parse(&known.url).ok();
    let (user, database) = url.as_ref().map(|url| (url.username(), url.path().trim_matches('/'))).unwrap_or_default();
    format!("PGHOST=localhost PGPORT={} PGUSER={} PGDATABASE={} ", forward.local, quote(user), quote(database))
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

/// A line for a host and a port: its own, or those where its port-forward ends.
pub(super) fn tcp(environment: &Environment, host: &str, port: u16, line: impl Fn(&str, u16) -> String) -> String {
    match Forward::to(environment, host, port) {
        Some(forward) => forward.around(&line("localhost", forward.local)),
        None => line(host, port),
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
