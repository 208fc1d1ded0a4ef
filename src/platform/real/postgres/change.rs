//! Statements that may change something: once, in a transaction of their own, or as they are where the server takes no transaction.
//!
//! A statement whose connection is lost once it was sent is in doubt, and so is one after which the server says that it is going down:
//! a commit may have been first. None is sent again.

use std::pin::pin;
use std::time::Duration;

use futures::{StreamExt, future};
use tokio::time::Instant;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, GenericClient, IsolationLevel, Statement as Prepared};

use super::super::runtime::Departure;
use super::connect::Role;
use super::params::Param;
use super::{Busy, Postgres, as_text_where_needed, columns, decode, error, millis, session};
use crate::config::DatabaseKind;
use crate::map;
use crate::model::operation::{Scope, SqlChange, Statement};
use crate::model::{Failure, Kind, Map, Sent, Value};
use crate::platform::failures;
use crate::platform::real::{MOST_BYTES, Real, address};

/// What asks for a plan that this side can read.
const EXPLAIN: &str = "EXPLAIN (FORMAT JSON) ";

impl Postgres {
    /// Runs one statement that may change something: `#{ rows_affected, columns: […], rows: [#{…}] }`.
    pub(in super::super) async fn change(&self, real: &Real, change: &SqlChange, departure: &Departure) -> Result<Value, Failure> {
        let name = &change.statement.database;
        let database = address::database(&real.environment, name, DatabaseKind::Postgres)?;
        let params = change.statement.params.iter().map(Param::new).collect::<Result<Vec<_>, _>>()?;
        let (slot, begun) = (self.slot(name, Role::Writer), Instant::now());
        let mut busy = session(real, name, database, Role::Writer, slot.lock().await).await?;
        let answer = match change.scope {
            Scope::Transaction => in_transaction(busy.client()?, &change.statement, &params, begun, departure).await,
            Scope::Alone => alone(busy.client()?, &change.statement, &params, begun, departure).await,
        };
        let is_sound = !matches!(&answer, Err(failure) if failure.kind == Kind::InDoubt) && change.scope == Scope::Transaction;
        keep(busy, is_sound);
        answer
    }

    /// Asks for the plan of exactly one INSERT, UPDATE, DELETE or MERGE, which executes nothing: about how many rows it has.
    ///
    /// The plan itself quotes parameters, so nothing else of it goes on.
    pub(in super::super) async fn plan(&self, real: &Real, statement: &Statement) -> Result<Option<i64>, Failure> {
        let name = &statement.database;
        let database = address::database(&real.environment, name, DatabaseKind::Postgres)?;
        let params = statement.params.iter().map(Param::new).collect::<Result<Vec<_>, _>>()?;
        let (slot, begun) = (self.slot(name, Role::Writer), Instant::now());
        let mut busy = session(real, name, database, Role::Writer, slot.lock().await).await?;
        let asked = Statement { text: format!("{EXPLAIN}{}", statement.text), ..statement.clone() };
        let client = busy.client()?;
        let failed = |error: tokio_postgres::Error| error::change(statement, &error, Sent::No);
        let transaction =
            client.build_transaction().read_only(true).isolation_level(IsolationLevel::ReadCommitted).start().await.map_err(failed)?;
        let plan = async {
            transaction.batch_execute(&settings(statement.timeout.saturating_sub(begun.elapsed()))).await.map_err(failed)?;
            let prepared = transaction.prepare(&asked.text).await.map_err(|error| error::planned(statement, EXPLAIN.len(), &error))?;
            if prepared.params().len() != params.len() {
                return Err(failures::wrong_params(prepared.params().len(), params.len()));
            }
            let rows = transaction.query(&prepared, &bound(&params)).await.map_err(|error| error::bound(statement, &error))?;
            let cell = rows.first().map(|row| row.try_get::<_, decode::Cell>(0)).transpose().map_err(failed)?;
            Ok(cell.and_then(|cell| estimate(&cell.value)))
        }
        .await;
        let is_sound = transaction.rollback().await.is_ok();
        keep(busy, is_sound);
        plan
    }
}

/// Puts a session back, or has the server stop it.
fn keep(busy: Busy<'_>, is_sound: bool) {
    if is_sound {
        busy.finish();
    }
}

/// The rows that the planner expects: those of a change itself, which answers none, are what its plan reads.
fn estimate(plan: &Value) -> Option<i64> {
    let top = plan.as_list()?.first()?.get("Plan")?;
    let rows = |plan: &Value| plan.get("Plan Rows").and_then(Value::as_int);
    let below = top.get("Plans").and_then(Value::as_list).and_then(<[Value]>::first).and_then(rows);
    below.or_else(|| rows(top))
}

/// A little before the call's own end the server stops by itself, so that its word comes back.
///
/// `left` is what is left of the call's time.
fn settings(left: Duration) -> String {
    let patience = millis(left - (left / 10).min(Duration::from_millis(200)));
    format!("SET LOCAL standard_conforming_strings = on; SET LOCAL statement_timeout = {patience}; SET LOCAL lock_timeout = {patience}")
}

fn bound<'p>(params: &'p [Param<'_>]) -> Vec<&'p (dyn ToSql + Sync)> {
    params.iter().map(|param| param as &(dyn ToSql + Sync)).collect()
}

async fn in_transaction(
    client: &mut Client,
    statement: &Statement,
    params: &[Param<'_>],
    begun: Instant,
    departure: &Departure,
) -> Result<Value, Failure> {
    let before = |error: tokio_postgres::Error| error::change(statement, &error, Sent::No);
    let after = |error: tokio_postgres::Error| error::change(statement, &error, Sent::Unknown);
    let transaction = client.transaction().await.map_err(before)?;
    let prepared = async {
        let settings = settings(statement.timeout.saturating_sub(begun.elapsed()));
        let (set, prepared) = future::join(transaction.batch_execute(&settings), transaction.prepare(&statement.text)).await;
        set.map_err(before)?;
        let prepared = prepared.map_err(before)?;
        fitting(statement, &prepared)?;
        Ok(as_text_where_needed(&transaction, statement, prepared).await)
    }
    .await;
    let prepared = match prepared {
        Ok(prepared) => prepared,
        Err(failure) => {
            let _ = transaction.rollback().await;
            return Err(failure);
        }
    };
    departure.leaves();
    match rows(&transaction, statement, &prepared, params).await {
        Ok(answer) => {
            transaction.commit().await.map_err(after)?;
            Ok(answer)
        }
        Err(failure) => {
            // What was not committed did not happen; where the connection is gone, nobody can say so.
            let rolled_back = transaction.rollback().await.is_ok();
            match failure.kind {
                Kind::TooLarge if rolled_back => Err(failures::rolled_back(failure)),
                _ => Err(failure),
            }
        }
    }
}

/// The timeouts are the session's here; it is not used again.
async fn alone(
    client: &mut Client,
    statement: &Statement,
    params: &[Param<'_>],
    begun: Instant,
    departure: &Departure,
) -> Result<Value, Failure> {
    let before = |error: tokio_postgres::Error| error::change(statement, &error, Sent::No);
    client.batch_execute(&settings(statement.timeout.saturating_sub(begun.elapsed())).replace("SET LOCAL", "SET")).await.map_err(before)?;
    let prepared = client.prepare(&statement.text).await.map_err(before)?;
    fitting(statement, &prepared)?;
    departure.leaves();
    rows(client, statement, &prepared, params).await
}

/// Whether the values fit their places. Of a secret no row may be made: what the server makes of it could not be masked.
fn fitting(statement: &Statement, prepared: &Prepared) -> Result<(), Failure> {
    if prepared.params().len() != statement.params.len() {
        return Err(failures::wrong_params(prepared.params().len(), statement.params.len()));
    }
    if !prepared.columns().is_empty() { failures::no_rows_of_secrets(statement) } else { Ok(()) }
}

async fn rows(client: &impl GenericClient, statement: &Statement, prepared: &Prepared, params: &[Param<'_>]) -> Result<Value, Failure> {
    let failed = |error: tokio_postgres::Error| error::change(statement, &error, Sent::Unknown);
    let columns = columns(prepared);
    let mut stream = pin!(client.query_raw(prepared, bound(params)).await.map_err(failed)?);
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
            return Err(Failure::new(Kind::TooLarge, "the rows are larger than 8 MiB")
                .hint("let RETURNING answer fewer columns")
                .sent(Sent::Yes));
        }
        rows.push(Value::Map(map));
    }
    let affected = stream.rows_affected().unwrap_or(0);
    let columns: Vec<Value> = columns.into_iter().map(Value::Str).collect();
    Ok(map! { "rows_affected" => i64::try_from(affected).unwrap_or(i64::MAX), "columns" => columns, "rows" => rows })
}
