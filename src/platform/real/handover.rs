//! Tunnels handed to a program: Unix sockets that only this user can enter, and the variables that say where they are. There
//! is no TCP port for programs that know nothing else: everybody on this machine could use it.

use std::sync::Arc;

use url::Url;

use super::Real;
use super::tunnel::{Lead, Opener as _, Socket};
use crate::config::{Database, DatabaseKind};
use crate::model::{Failure, Value};

/// Sockets, for as long as the program runs, and its variables.
#[derive(Default)]
pub(super) struct Handed {
    pub(super) variables: Vec<(String, Value)>,
    _sockets: Vec<Socket>,
}

impl Real {
    /// Opens a way to each service or database: `RUNBOOK_TUNNEL_NAME` is its socket's path, and of the first PostgreSQL also
    /// `PGHOST`, `PGPORT`, `PGUSER` and `PGDATABASE`. The first tunnel of each is opened at once, so that what stands in the way is said.
    pub(super) async fn hand(&self, names: &[String]) -> Result<Handed, Failure> {
        let mut handed = Handed::default();
        for name in names {
            let (url, database) = match (self.environment.databases.get(name), self.environment.services.get(name)) {
                (Some(database), _) => (database.url.as_str(), Some(database)),
                (None, Some(service)) => (service.url.as_deref().unwrap_or_default(), None),
                (None, None) => {
                    let known = self.environment.databases.keys().chain(self.environment.services.keys());
                    return Err(Failure::unknown("service or database", name, known.map(String::as_str)));
                }
            };
            let unusable = || Failure::bad_argument(format!("`tunnels`: the address of {name:?} is no single host's")).on(name.as_str());
            let url = Url::parse(url).map_err(|_| unusable())?;
            let host = url.host_str().ok_or_else(unusable)?.to_owned();
            let Some(tunnels) = &self.tunnels else { return Err(needless(name)) };
            if !tunnels.lead_to(&host).await? {
                return Err(needless(name));
            }
            let (usual, file, encrypted) = manner(&url, database);
            let port = url.port().unwrap_or(usual);
            let lead = Lead { name: name.clone(), tunnels: Arc::clone(tunnels), host, port, encrypted };
            let first = lead.open().await.map_err(|failure| failure.on(name.as_str()))?;
            let socket = Socket::serve(file, lead)?;
            socket.keep(first);
            let variable = |name: &str, value: &str| (name.to_owned(), Value::from(value));
            let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
            let own = format!("RUNBOOK_TUNNEL_{}", name.chars().map(plain).collect::<String>());
            handed.variables.push(variable(&own, &socket.path().to_string_lossy()));
            let is_first = handed.variables.iter().all(|(name, _)| name != "PGHOST");
            if let (Some(Database { kind: DatabaseKind::Postgres, .. }), true, Some(folder)) = (database, is_first, socket.path().parent())
            {
                handed.variables.push(variable("PGHOST", &folder.to_string_lossy()));
                // Of the socket's file name, not of the pod.
                handed.variables.push(variable("PGPORT", "5432"));
                handed.variables.extend(
                    [("PGUSER", url.username()), ("PGDATABASE", url.path().trim_matches('/'))]
                        .into_iter()
                        .filter(|(_, value)| !value.is_empty())
                        .map(|(name, value)| variable(name, value)),
                );
            }
            handed._sockets.push(socket);
        }
        Ok(handed)
    }
}

/// A URL's usual port, the file name that its tools look for, and whether this side encrypts: PostgreSQL's tools do not over a
/// socket, curl does by itself.
fn manner(url: &Url, database: Option<&Database>) -> (u16, &'static str, Option<Option<std::path::PathBuf>>) {
    let ca = database.and_then(|database| database.ca.clone());
    match database.map(|database| database.kind) {
        Some(DatabaseKind::Postgres) => (5432, ".s.PGSQL.5432", None),
        Some(DatabaseKind::Redis) => (6379, "redis.sock", (url.scheme() == "rediss").then_some(ca)),
        Some(DatabaseKind::Mongo) => {
            let asked = url.query_pairs().any(|(key, value)| matches!(&*key, "tls" | "ssl") && value == "true");
            (27017, "mongodb.sock", (asked || ca.is_some()).then_some(ca))
        }
        Some(DatabaseKind::Other) => (9042, "database.sock", None),
        None => (if url.scheme() == "https" { 443 } else { 80 }, "http.sock", None),
    }
}

fn needless(name: &str) -> Failure {
    Failure::bad_argument(format!("`tunnels`: {name:?} is reached at its own address, and needs no tunnel"))
        .hint("only what is reached with reach = \"port-forward\" has one")
        .on(name)
}
