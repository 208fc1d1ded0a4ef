//! PostgreSQL: one connection a database and role. A statement that reads stands in a read-only transaction (here), one that may change
//! something in one of its own (`change.rs`).

mod change;
mod connect;
mod decode;
mod driver;
mod error;
mod inside;
mod params;

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex as Lock, PoisonError};
use std::time::Duration;

use futures::{StreamExt, future};
use tokio::sync::{Mutex, MutexGuard};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, IsolationLevel, Statement as Prepared};

use super::{MOST_BYTES, Real, address};
use crate::config::DatabaseKind;
use crate::map;
use crate::model::operation::Statement;
use crate::model::{Failure, Kind, Map, Value};
use crate::platform::rows::{self, Format, RowWriter};
use crate::platform::{Cx, failures};
use connect::Role;
use driver::Driver;
use params::Param;

/// The connections by database and role.
#[derive(Default)]
pub(super) struct Postgres(Lock<HashMap<(String, Role), Slot>>);

/// A database's connection while nobody uses it.
type Slot = Arc<Mutex<Option<Session>>>;

/// One connection, and what its queries are cancelled with.
struct Session {
    client: Client,
    driver: Driver,
    tls: connect::Encryption,
    /// The way that it took into the cluster, if it did.
    way: Option<inside::Taken>,
}

/// A session under way. Dropped before its end (a timeout, a cancellation), it has the server stop and is not used again.
struct Busy<'a> {
    session: Option<Session>,
    slot: MutexGuard<'a, Option<Session>>,
}

impl Busy<'_> {
    fn client(&mut self) -> Result<&mut Client, Failure> {
        self.session.as_mut().map(|session| &mut session.client).ok_or_else(|| Failure::new(Kind::Failed, "the connection is gone"))
    }

    fn driver(&self) -> Result<Driver, Failure> {
        self.session.as_ref().map(|session| session.driver.clone()).ok_or_else(|| Failure::new(Kind::Failed, "the connection is gone"))
    }

    /// Keeps the connection for the next statement.
    fn finish(mut self) {
        *self.slot = self.session.take();
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        if let (Some(session), Ok(runtime)) = (self.session.take(), tokio::runtime::Handle::try_current())
            && !session.client.is_closed()
        {
            runtime.spawn(async move { session.tls.cancel(&session.client.cancel_token(), session.way.as_ref()).await });
        }
    }
}

impl Postgres {
    /// Runs one statement that reads: `#{ columns: […], rows: [#{…}] }`, or what a file of its rows came to.
    pub(super) async fn read(&self, real: &Real, statement: &Statement, cx: &Cx<'_>) -> Result<Value, Failure> {
        let name = &statement.database;
        let database = address::database(&real.environment, name, DatabaseKind::Postgres)?;
        let params = statement.params.iter().map(Param::new).collect::<Result<Vec<_>, _>>()?;
        let slot = self.slot(name, Role::Reader);
        let mut busy = session(real, name, database, Role::Reader, slot.lock().await).await?;
        let driver = busy.driver()?;
        let answer = driver.drive(query(busy.client()?, statement, &params, cx)).await;
        match answer {
            Ok((value, true)) => {
                busy.finish();
                Ok(value)
            }
            Ok((value, false)) => Ok(value),
            Err(Ended::Cleanly(failure)) => {
                busy.finish();
                Err(failure)
            }
            Err(Ended::Dirty(failure)) => Err(failure),
        }
    }
}

impl Postgres {
    fn slot(&self, name: &str, role: Role) -> Slot {
        Arc::clone(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry((name.to_owned(), role)).or_default())
    }
}

/// The kept session, or a new one.
async fn session<'a>(
    real: &Real,
    name: &str,
    database: &crate::config::Database,
    role: Role,
    mut slot: MutexGuard<'a, Option<Session>>,
) -> Result<Busy<'a>, Failure> {
    let session = match slot.take().filter(|session| !session.client.is_closed()) {
        Some(session) => session,
        None => connect::connect(real, name, database, role).await?,
    };
    Ok(Busy { session: Some(session), slot })
}

/// How a statement failed: with the connection back at its start, or in the middle of something.
enum Ended {
    Cleanly(Failure),
    Dirty(Failure),
}

/// Runs the statement between `START TRANSACTION READ ONLY` and `ROLLBACK`; answers also whether the connection is clean again.
async fn query(client: &mut Client, statement: &Statement, params: &[Param<'_>], cx: &Cx<'_>) -> Result<(Value, bool), Ended> {
    let failed = |error: tokio_postgres::Error| error::failure(statement, &error);
    let dirty = |error| Ended::Dirty(failed(error));
    let transaction =
        client.build_transaction().read_only(true).isolation_level(IsolationLevel::ReadCommitted).start().await.map_err(dirty)?;
    let outcome = async {
        // A little before the call's own end, so that the server's word comes back and the connection stays usable.
        let patience = statement.timeout - (statement.timeout / 10).min(Duration::from_millis(200));
        // Strings are standard since the connection's start; behind a pooler the next server's connection need not be that one.
        let settings = format!("SET LOCAL standard_conforming_strings = on; SET LOCAL statement_timeout = {}", millis(patience));
        // Both travel at once; the server is done with the settings before it reads the statement.
        let (set, prepared) = future::join(transaction.batch_execute(&settings), transaction.prepare(&statement.text)).await;
        set.map_err(failed)?;
        let prepared = prepared.map_err(failed)?;
        let prepared = as_text_where_needed(&transaction, statement, prepared).await;
        if prepared.params().len() != params.len() {
            return Err(failures::wrong_params(prepared.params().len(), params.len()));
        }
        let bound: Vec<&(dyn ToSql + Sync)> = params.iter().map(|param| param as &(dyn ToSql + Sync)).collect();
        let portal = transaction.bind(&prepared, &bound).await.map_err(failed)?;
        // One row more than wanted tells that there are more.
        let most = i32::try_from(statement.limit.saturating_add(1)).unwrap_or(0);
        if let Some(save) = &statement.save {
            return saved(&transaction, &portal, &prepared, most, statement, RowWriter::begin(save, cx)?).await;
        }
        rows(&transaction, &portal, &prepared, most, statement).await
    }
    .await;
    let clean = match &outcome {
        // More rows are under way: only a cancellation stops them.
        Err(failure) if failure.kind == Kind::TooLarge => false,
        _ => transaction.rollback().await.is_ok(),
    };
    match (outcome, clean) {
        (Ok(value), clean) => Ok((value, clean)),
        (Err(failure), true) => Err(Ended::Cleanly(failure)),
        (Err(failure), false) => Err(Ended::Dirty(failure)),
    }
}

fn millis(timeout: Duration) -> u64 {
    u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX).clamp(1, i32::MAX as u64)
}

/// Where a column's type can only be read as text, the statement again, with such columns cast.
async fn as_text_where_needed(transaction: &tokio_postgres::Transaction<'_>, statement: &Statement, prepared: Prepared) -> Prepared {
    let is_plain = |column: &tokio_postgres::Column| decode::is_known(column.type_());
    if prepared.columns().iter().all(is_plain) {
        return prepared;
    }
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let names: Vec<String> = (0..prepared.columns().len()).map(|i| format!("c{i}")).collect();
    let casts = prepared.columns().iter().zip(&names).map(|(column, name)| {
        let cast = if is_plain(column) { "" } else { "::text" };
        format!("{name}{cast} AS {}", quoted(column.name()))
    });
    let text = statement.text.trim_end().trim_end_matches(';');
    let wrapped = format!("SELECT {} FROM ({text}\n) AS answer({})", casts.collect::<Vec<_>>().join(", "), names.join(", "));
    // A statement that is no query (SHOW) cannot be wrapped. The savepoint keeps the transaction usable then.
    if transaction.batch_execute("SAVEPOINT wrap").await.is_err() {
        return prepared;
    }
    match transaction.prepare(&wrapped).await {
        Ok(again) if again.params().len() == prepared.params().len() => again,
        _ => {
            let _ = transaction.batch_execute("ROLLBACK TO SAVEPOINT wrap").await;
            prepared
        }
    }
}

async fn rows(
    transaction: &tokio_postgres::Transaction<'_>,
    portal: &tokio_postgres::Portal,
    prepared: &Prepared,
    most: i32,
    statement: &Statement,
) -> Result<Value, Failure> {
    let failed = |error: tokio_postgres::Error| error::failure(statement, &error);
    let columns = columns(prepared);
    let mut stream = pin!(transaction.query_portal_raw(portal, most).await.map_err(failed)?);
    let (mut rows, mut bytes) = (Vec::new(), 0);
    while let Some(row) = stream.next().await {
        let row = row.map_err(failed)?;
        if rows.len() as u64 >= statement.limit {
            return Err(failures::too_many_rows(statement));
        }
        let mut map = Map::new();
        for (i, name) in columns.iter().enumerate() {
            let cell = row.try_get::<_, decode::Cell>(i).map_err(failed)?;
            bytes += cell.bytes + name.len();
            map.insert(name.into(), cell.value);
        }
        if bytes > MOST_BYTES {
            return Err(Failure::new(Kind::TooLarge, "the rows are larger than 8 MiB").hint("select fewer columns or rows, or aggregate"));
        }
        rows.push(Value::Map(map));
    }
    let columns: Vec<Value> = columns.into_iter().map(Value::Str).collect();
    Ok(map! { "columns" => columns, "rows" => rows })
}

/// Streams the rows to a file.
async fn saved(
    transaction: &tokio_postgres::Transaction<'_>,
    portal: &tokio_postgres::Portal,
    prepared: &Prepared,
    most: i32,
    statement: &Statement,
    mut writer: RowWriter<'_>,
) -> Result<Value, Failure> {
    let failed = |error: tokio_postgres::Error| error::failure(statement, &error);
    let columns = columns(prepared);
    writer.header(&columns)?;
    let mut stream = pin!(transaction.query_portal_raw(portal, most).await.map_err(failed)?);
    let mut count = 0;
    while let Some(row) = stream.next().await {
        let row = row.map_err(failed)?;
        count += 1;
        if count > statement.limit {
            return Err(failures::too_many_rows(statement));
        }
        match writer.format() {
            Format::Csv => {
                for (number, column) in prepared.columns().iter().enumerate() {
                    writer.separate(number);
                    let decode::Raw(Some(raw)) = row.try_get(number).map_err(failed)? else { continue };
                    decode::write(column.type_(), raw, &mut writer).map_err(|error| {
                        Failure::new(Kind::Failed, format!("sql `{}`: a value cannot be read: {error}", statement.database))
                    })?;
                }
                writer.end_of_row()?;
            }
            Format::JsonLines => {
                let cells = (0..columns.len()).map(|number| row.try_get::<_, decode::Cell>(number).map(|cell| cell.value));
                let cells = cells.collect::<Result<Vec<_>, _>>().map_err(failed)?;
                writer.object(&rows::row(&columns, cells.into_iter()))?;
            }
        }
    }
    writer.finish("rows")
}

/// The columns' names, a repeated one with a number, so that no value hides another.
fn columns(prepared: &Prepared) -> Vec<String> {
    unique(prepared.columns().iter().map(tokio_postgres::Column::name))
}

fn unique<'n>(names: impl Iterator<Item = &'n str>) -> Vec<String> {
    let mut unique: Vec<String> = Vec::new();
    for name in names {
        let mut candidate = name.to_owned();
        let mut number = 2;
        while unique.contains(&candidate) {
            candidate = format!("{name}_{number}");
            number += 1;
        }
        unique.push(candidate);
    }
    unique
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_column_hides_another() {
        assert_eq!(unique(["a", "a", "b", "a_2", "a"].into_iter()), ["a", "a_2", "b", "a_2_2", "a_3"]);
    }
}
