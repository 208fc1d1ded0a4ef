//! Databases' addresses: the configuration's URL, checked, and resolved to addresses that may be connected to.

use std::net::SocketAddr;

use super::resolve;
use crate::config::{Database, DatabaseKind, Environment};
use crate::model::{Failure, Kind, duration};

/// The environment's database of that name and kind.
pub(super) fn database<'a>(environment: &'a Environment, name: &str, kind: DatabaseKind) -> Result<&'a Database, Failure> {
    let word = |kind| match kind {
        DatabaseKind::Postgres => "PostgreSQL",
        DatabaseKind::Mongo => "MongoDB",
        DatabaseKind::Redis => "Redis",
        DatabaseKind::Other => "another kind",
    };
    let of_kind = environment.databases.iter().filter(|(_, database)| database.kind == kind).map(|(name, _)| name.as_str());
    match environment.databases.get(name) {
        Some(database) if database.kind == kind => Ok(database),
        Some(database) => Err(Failure::bad_argument(format!("the database `{name}` is {}, not {}", word(database.kind), word(kind)))),
        None => Err(Failure::unknown("database", name, of_kind)),
    }
}

/// The failure of an address with a password in it, which nobody would mask.
pub(super) fn password_in_url(name: &str) -> Failure {
    Failure::bad_argument(format!("the address of the database `{name}` holds a password"))
        .hint("take it out of the `url` and say where it is: `password = { env = \"NAME\" }`")
}

/// The failure of an address that cannot be used.
pub(super) fn bad_url(name: &str, why: &str) -> Failure {
    Failure::bad_argument(format!("the address of the database `{name}` cannot be used: {why}"))
}

/// The addresses of a database's host, those that may not be connected to left out.
pub(super) async fn resolve(name: &str, host: &str, port: u16) -> Result<Vec<SocketAddr>, Failure> {
    resolve::resolve(host, port).await.map_err(|refusal| refusal.failure().on(name))
}

/// The failure of a database that takes connections and says nothing.
pub(super) fn silent(name: &str, host: &str, port: u16, waited: std::time::Duration) -> Failure {
    let message = format!("no answer from the database `{name}` at {host}:{port} within {}", duration::show(waited));
    Failure::new(Kind::Timeout, message).hint("is it slow or unreachable? give it longer with `timeout:`")
}
