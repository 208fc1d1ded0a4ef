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

use super::runtime::Departure;
use super::tunnel::Socket;
use super::{MOST_BYTES, Real, address};
use crate::config::DatabaseKind;
use crate::map;
use crate::model::operation::MongoChange;
use crate::model::{Failure, Kind, Sent, Value};
use crate::platform::failures;
use crate::platform::rows::RowWriter;

/// The clients by database.
#[derive(Default)]
pub(super) struct Mongo(Lock<HashMap<String, Arc<OnceCell<Connected>>>>);

/// A client, and the socket that it reaches the cluster by, if it does.
struct Connected {
    handle: Handle,
    _way: Option<Socket>,
}

impl Mongo {
    /// Runs one command document that reads; the documents of a cursor are all in `cursor.firstBatch`, or in the file.
    ///
    /// The command runs on the database that the URL names, or on the one under its own key `$db`.
    pub(super) async fn read(
        &self,
        real: &Real,
        name: &str,
        command: &[(String, Value)],
        saved: Option<RowWriter<'_>>,
        timeout: Duration,
    ) -> Result<Value, Failure> {
        let database = address::database(&real.environment, name, DatabaseKind::Mongo)?;
        let document = limited(convert::command(command)?, timeout);
        let slot = self.slot(name);
        let connected = slot.get_or_try_init(|| connect::connect(real, name, database, timeout)).await?;
        let answer = ask(name, &connected.handle, document, saved).await;
        if answer.as_ref().is_err_and(|failure| failure.kind == Kind::Unavailable) {
            self.forget(&slot);
        }
        answer
    }

    /// Runs one command document that may change something, once. A connection that is lost after it was sent leaves it in doubt.
    pub(super) async fn change(&self, real: &Real, change: &MongoChange, departure: &Departure) -> Result<Value, Failure> {
        let name = &change.database;
        let database = address::database(&real.environment, name, DatabaseKind::Mongo)?;
        let document = convert::command(&change.command)?;
        let hides = change.command.iter().any(|(_, value)| value.find(&|item| matches!(item, Value::Secret(_))).is_some());
        let slot = self.slot(name);
        let connected = slot.get_or_try_init(|| connect::connect(real, name, database, change.timeout)).await?;
        let (handle, document, verb) = place(&connected.handle, document)?;
        departure.leaves();
        let reply = match handle.run_command(document).await {
            // All of it, since it says what was refused; whether it is too large for a script is asked later.
            Ok(reply) => convert::reply(reply, &mut usize::MAX.clone()).map_err(|failure| failure.on(name.as_str()).sent(Sent::Done))?,
            Err(error) => {
                let failed = changed(name, &verb, &error, hides);
                if matches!(failed.kind, Kind::Unavailable | Kind::InDoubt) {
                    self.forget(&slot);
                }
                return Err(failed);
            }
        };
        failures::mongo_partly(name, &verb, &reply, hides).map_or(Ok(reply), Err)
    }

    fn slot(&self, name: &str) -> Arc<OnceCell<Connected>> {
        Arc::clone(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(name.to_owned()).or_default())
    }

    /// Another of the URL's servers may answer: the next call looks for it.
    fn forget(&self, slot: &Arc<OnceCell<Connected>>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, kept| !Arc::ptr_eq(kept, slot));
    }
}

/// The database that a command is for, the command without the key that says so, and its name.
fn place(handle: &Handle, mut document: Document) -> Result<(Handle, Document, String), Failure> {
    let handle = match document.remove("$db") {
        Some(Bson::String(other)) => handle.client().database(&other),
        Some(_) => return Err(Failure::bad_argument("`$db` must be a database's name")),
        None => handle.clone(),
    };
    let verb = document.keys().next().cloned().ok_or_else(|| Failure::bad_argument("a MongoDB command needs a name"))?;
    Ok((handle, document, verb))
}

/// What came between a command and its end, by the error's code; what it had done by then stays (`src/mongo/base/error_codes.yml`).
fn interrupted(code: i32) -> Option<&'static str> {
    match code {
        91 | 11600 => Some("the server went down after the command was sent"),
        189 | 11602 => Some("the server stepped down after the command was sent"),
        50 | 64 | 262 => Some("the server stopped waiting"),
        11601 => Some("the command was interrupted on the server"),
        _ => None,
    }
}

/// The failure of a command that may change something. What a server says of a command with secrets may be made of them.
fn changed(name: &str, verb: &str, error: &Error, hides: bool) -> Failure {
    match &*error.kind {
        ErrorKind::Command(refused) if let Some(why) = interrupted(refused.code) => {
            failures::in_doubt(format!("mongo `{name}`: {verb}: {why} ({} {})", refused.code, refused.code_name)).on(name)
        }
        ErrorKind::Command(refused) if hides => failures::mongo(
            name,
            verb,
            refused.code,
            &refused.code_name,
            "the server refuses it; its words are not shown, since a value is a secret",
        ),
        ErrorKind::Command(_)
        | ErrorKind::Authentication { .. }
        | ErrorKind::ServerSelection { .. }
        | ErrorKind::DnsResolve { .. }
        | ErrorKind::InvalidTlsConfig { .. }
        | ErrorKind::ConnectionPoolCleared { .. }
        | ErrorKind::InvalidArgument { .. } => failure(name, verb, error),
        _ => failures::in_doubt(format!("{}; the command was sent", failure(name, verb, error).message)).on(name),
    }
}

/// A command that the server itself ends when nobody waits for it any more; of others not every server takes the limit.
fn limited(mut command: Document, timeout: Duration) -> Document {
    let searches = command.keys().next().is_some_and(|verb| ["find", "aggregate", "count"].contains(&verb.as_str()));
    if searches && !command.contains_key("maxTimeMS") {
        command.insert("maxTimeMS", i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX).max(1));
    }
    command
}

/// Runs one command on a server.
async fn ask(name: &str, handle: &Handle, document: Document, mut saved: Option<RowWriter<'_>>) -> Result<Value, Failure> {
    let (handle, mut document, verb) = place(handle, document)?;
    let failed = |error: Error| failure(name, &verb, &error);
    if !gives_cursor(&verb, &document) {
        if saved.is_some() {
            return Err(Failure::bad_argument(format!("`{verb}` answers no documents that could be saved")));
        }
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
        if let Some(writer) = &mut saved {
            // Each by itself: a file may be larger than what a script may hold.
            writer.object(&convert::reply(document.map_err(failed)?, &mut MOST_BYTES.clone())?)?;
            continue;
        }
        found.push(convert::reply(document.map_err(failed)?, &mut budget)?);
    }
    if let Some(writer) = saved {
        return writer.finish("documents");
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
