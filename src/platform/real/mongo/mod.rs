//! MongoDB's wire protocol: command documents, one client a database; writes are never repeated by the driver.

mod connect;
mod convert;
mod inside;

use std::collections::HashMap;
use std::sync::{Arc, Mutex as Lock, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use mongodb::Database as Handle;
use mongodb::bson::{Bson, Document, doc};
use mongodb::error::{Error, ErrorKind};
use tokio::sync::OnceCell;

use super::tunnel::Socket;
use super::{MOST_BYTES, Real, address};
use crate::config::DatabaseKind;
use crate::map;
use crate::model::{Failure, Kind, Value};
use crate::platform::failures;

/// The clients by database.
#[derive(Default)]
pub(super) struct Mongo(Lock<HashMap<String, Arc<OnceCell<Connected>>>>);

/// A client, and the socket that it reaches the cluster by, if it does.
struct Connected {
    handle: Handle,
    _way: Option<Socket>,
}

impl Mongo {
    /// Runs one command document that reads; the documents of a cursor are all in `cursor.firstBatch`.
    ///
    /// The command runs on the database that the URL names, or on the one under its own key `$db`.
    pub(super) async fn read(&self, real: &Real, name: &str, command: &[(String, Value)], timeout: Duration) -> Result<Value, Failure> {
        let database = address::database(&real.environment, name, DatabaseKind::Mongo)?;
        let document = convert::command(command)?;
        let slot = Arc::clone(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(name.to_owned()).or_default());
        let connected = slot.get_or_try_init(|| connect::connect(real, name, database, timeout)).await?;
        let answer = ask(name, &connected.handle, document).await;
        if answer.as_ref().is_err_and(|failure| failure.kind == Kind::Unavailable) {
            // Another of the URL's servers may answer: the next call looks for it.
            self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, kept| !Arc::ptr_eq(kept, &slot));
        }
        answer
    }
}

/// Runs one command on a server.
async fn ask(name: &str, handle: &Handle, mut document: Document) -> Result<Value, Failure> {
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

/// Whether the reply of a command is a cursor.
fn gives_cursor(verb: &str, document: &Document) -> bool {
    match verb {
        "find" | "listIndexes" | "listCollections" => true,
        "aggregate" => !document.get_bool("explain").unwrap_or(false),
        _ => false,
    }
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
mod tests;
