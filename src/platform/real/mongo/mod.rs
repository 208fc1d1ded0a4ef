//! MongoDB's wire protocol: command documents, one client a database; writes are never repeated by the driver.

mod convert;

use std::collections::HashMap;
use std::sync::{Arc, Mutex as Lock, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use mongodb::bson::{Bson, Document, doc};
use mongodb::error::{Error, ErrorKind};
use mongodb::options::{ClientOptions, ServerAddress, Tls, TlsOptions};
use mongodb::{Client, Database as Handle};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;

use super::{MOST_BYTES, Real, address, tls};
use crate::config::{Database, DatabaseKind};
use crate::map;
use crate::model::{Failure, Kind, Value};
use crate::platform::failures;

/// The longest search for a server; within it a refused connection is reported as such.
const SELECTION: Duration = Duration::from_secs(5);

/// The longest wait for a server to take a connection.
const KNOCK: Duration = Duration::from_secs(3);

/// The clients by database.
#[derive(Default)]
pub(super) struct Mongo(Lock<HashMap<String, Arc<OnceCell<Handle>>>>);

impl Mongo {
    /// Runs one command document that reads; the documents of a cursor are all in `cursor.firstBatch`.
    ///
    /// The command runs on the database that the URL names, or on the one under its own key `$db`.
    pub(super) async fn read(&self, real: &Real, name: &str, command: &[(String, Value)], timeout: Duration) -> Result<Value, Failure> {
        let database = address::database(&real.environment, name, DatabaseKind::Mongo)?;
        let mut document = convert::command(command)?;
        let slot = Arc::clone(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(name.to_owned()).or_default());
        let handle = slot.get_or_try_init(|| connect(real, name, database, timeout)).await?;
        let other = match document.remove("$db") {
            Some(Bson::String(other)) => Some(handle.client().database(&other)),
            Some(_) => return Err(Failure::bad_argument("`$db` must be a database's name")),
            None => None,
        };
        let handle = other.as_ref().unwrap_or(handle);
        let verb = document.keys().next().cloned().ok_or_else(|| Failure::bad_argument("a MongoDB command needs a name"))?;
        let failed = |error: Error| failure(name, &verb, &error);
        if !gives_cursor(&verb, &document) {
            let reply = handle.run_command(document).await.map_err(failed)?;
            return convert::reply(reply, &mut MOST_BYTES.clone());
        }
        if verb == "aggregate" && !document.contains_key("cursor") {
            document.insert("cursor", doc! {});
        }
        let collection = document.get_str(&verb).unwrap_or("$cmd").to_owned();
        let mut cursor = handle.run_cursor_command(document).await.map_err(failed)?;
        let (mut found, mut budget) = (Vec::new(), MOST_BYTES);
        while let Some(document) = cursor.next().await {
            found.push(convert::reply(document.map_err(failed)?, &mut budget)?);
        }
        Ok(map! {
            "cursor" => map! { "firstBatch" => found, "id" => 0, "ns" => format!("{}.{collection}", handle.name()) },
            "ok" => 1.0,
        })
    }
}

/// Whether the reply of a command is a cursor.
fn gives_cursor(verb: &str, document: &Document) -> bool {
    match verb {
        "find" | "listIndexes" | "listCollections" => true,
        "aggregate" => !document.get_bool("explain").unwrap_or(false),
        _ => false,
    }
}

async fn connect(real: &Real, name: &str, database: &Database, timeout: Duration) -> Result<Handle, Failure> {
    let url = match &database.password {
        Some(source) => {
            let password = real.sources.open(source, &real.kubernetes).await?;
            with_password(name, &database.url, Some(password.expose()))?
        }
        None => with_password(name, &database.url, None)?,
    };
    tls::install();
    // The parser's message may quote the address, and with it the password.
    let mut options = ClientOptions::parse(url).await.map_err(|error| match *error.kind {
        ErrorKind::DnsResolve { .. } => {
            Failure::new(Kind::Unavailable, format!("the servers of the database `{name}` cannot be looked up"))
        }
        _ => address::bad_url(name, "it is no MongoDB URL"),
    })?;
    knock(name, &options.hosts).await?;
    only_the_named(&mut options);
    options.retry_writes = Some(false);
    options.app_name = Some("runbook".into());
    options.server_selection_timeout = Some(SELECTION.min(timeout.mul_f64(0.8)));
    options.connect_timeout = Some(SELECTION);
    if let Some(ca) = &database.ca {
        let trusted = TlsOptions::builder().ca_file_path(ca.clone()).build();
        options.tls = Some(match options.tls.take() {
            Some(Tls::Enabled(mut given)) => {
                given.ca_file_path.get_or_insert_with(|| ca.clone());
                Tls::Enabled(given)
            }
            Some(Tls::Disabled) => Tls::Disabled,
            None => Tls::Enabled(trusted),
        });
    }
    let named = options.default_database.clone();
    let client = Client::with_options(options).map_err(|_| address::bad_url(name, "its options do not go together"))?;
    Ok(client.database(named.as_deref().unwrap_or("admin")))
}

/// A server may name others to the driver, which then asks them, wherever they are. Only a URL that names a replica set lets it.
fn only_the_named(options: &mut ClientOptions) {
    if options.hosts.len() == 1 && options.repl_set_name.is_none() && options.direct_connection.is_none() {
        options.direct_connection = Some(true);
    }
}

/// Checks the servers' addresses, and that one of them takes connections: the driver would search for its whole selection time.
async fn knock(name: &str, hosts: &[ServerAddress]) -> Result<(), Failure> {
    let mut last = None;
    for host in hosts {
        let ServerAddress::Tcp { host, port } = host else { return Ok(()) };
        let port = port.unwrap_or(27017);
        let addresses = address::resolve(name, host, port).await?;
        match tokio::time::timeout(KNOCK, TcpStream::connect(addresses.as_slice())).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error)) => last = Some(failures::unreachable(name, &format!("{host}:{port}"), &super::http::io_text(&error))),
            Err(_) => last = Some(failures::unreachable(name, &format!("{host}:{port}"), "no answer")),
        }
    }
    last.map_or(Ok(()), Err)
}

/// The address with the password in it, for the driver only.
fn with_password(name: &str, url: &str, password: Option<&str>) -> Result<String, Failure> {
    let (scheme, rest) = url.split_once("://").ok_or_else(|| address::bad_url(name, "it is no MongoDB URL"))?;
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let Some((user, _)) = authority.rsplit_once('@') else {
        return match password {
            None => Ok(url.to_owned()),
            Some(_) => Err(address::bad_url(name, "there is a password, and no user").hint("write `mongodb://USER@HOST/DATABASE`")),
        };
    };
    if user.contains(':') {
        return Err(address::password_in_url(name));
    }
    let Some(password) = password else { return Ok(url.to_owned()) };
    let password: String = url::form_urlencoded::byte_serialize(password.as_bytes()).collect::<String>().replace('+', "%20");
    Ok(format!("{scheme}://{user}:{password}{}", &rest[user.len()..]))
}

/// A MongoDB error by kind. The command's values are in no message of ours; the server's own is kept.
fn failure(name: &str, verb: &str, error: &Error) -> Failure {
    let made = |kind, said: &str, hint: &str| Failure::new(kind, format!("mongo `{name}`: {verb}: {said}")).hint(hint);
    match &*error.kind {
        ErrorKind::Command(refused) => failures::mongo(name, verb, refused.code, &refused.code_name, &refused.message),
        ErrorKind::Authentication { message, .. } => {
            made(Kind::Auth, message, "is the password right? the database's `password` says where it is")
        }
        ErrorKind::ServerSelection { message, .. } => {
            // The driver's message shows its whole topology; what a person needs is the last error in it.
            let cause = message.split("I/O error: ").nth(1).and_then(|rest| rest.split([',', '(']).next()).map(str::trim);
            match cause {
                _ if message.contains("Authentication") => {
                    made(Kind::Auth, "no server takes the password", "is the password right? the database's `password` says where it is")
                }
                Some(cause) => {
                    made(Kind::Unavailable, &format!("no server answers: {cause}"), "does it run, and is it reachable from here?")
                }
                None => made(Kind::Timeout, "no server has answered in time", "is it slow or unreachable? give it longer with `timeout:`"),
            }
        }
        ErrorKind::Io(io) => made(Kind::Unavailable, &super::http::io_text(io), "does it run, and is it reachable from here?"),
        ErrorKind::ConnectionPoolCleared { .. } => {
            made(Kind::Unavailable, "the connection was lost", "does it run, and is it reachable from here?")
        }
        ErrorKind::DnsResolve { .. } => made(Kind::Unavailable, "its name does not resolve", "is the name right?"),
        ErrorKind::InvalidTlsConfig { .. } => made(Kind::Auth, "its certificates cannot be used", "`ca` names a PEM file of certificates"),
        ErrorKind::InvalidArgument { message, .. } => Failure::bad_argument(format!("mongo `{name}`: {verb}: {message}")),
        _ => Failure::new(Kind::Failed, format!("mongo `{name}`: {verb}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_enters_the_address_encoded_and_never_comes_from_it() {
        let with = |url, password| with_password("db", url, password);
        assert_eq!(with("mongodb://u@a:1,b:2/x?y=z", Some("p@ss/w:rd")).unwrap(), "mongodb://u:p%40ss%2Fw%3Ard@a:1,b:2/x?y=z");
        assert_eq!(with("mongodb://a/x", None).unwrap(), "mongodb://a/x");
        let planted = with("mongodb://u:hunter2@a/x", None).unwrap_err();
        assert!(!planted.message.contains("hunter2") && planted.hint.unwrap().contains("password ="));
        assert!(with("mongodb://a/x", Some("p")).is_err());
    }

    #[tokio::test]
    async fn only_a_named_replica_set_may_name_other_servers() {
        for (url, direct) in [
            ("mongodb://a/x", Some(true)),
            ("mongodb://a/?replicaSet=rs", None),
            ("mongodb://a,b/", None),
            ("mongodb://a/?directConnection=false", Some(false)),
        ] {
            let mut options = ClientOptions::parse(url).await.unwrap();
            only_the_named(&mut options);
            assert_eq!(options.direct_connection, direct, "{url}");
        }
    }

    #[test]
    fn cursors_are_known_by_their_commands() {
        assert!(gives_cursor("find", &doc! { "find": "c" }) && gives_cursor("aggregate", &doc! { "aggregate": "c" }));
        assert!(!gives_cursor("aggregate", &doc! { "aggregate": "c", "explain": true }) && !gives_cursor("count", &doc! { "count": "c" }));
    }
}
