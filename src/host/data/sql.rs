//! `sql`: one SQL statement that only reads.
//!
//! Three walls: the guard here, which refuses what is known to act; the connector's read-only transaction, which ends in
//! ROLLBACK; and the role. What a user's own function or a view does behind its name only the last two can stop.

use std::time::Duration;

use super::guard;
use crate::call::{Body, Cx, Function};
use crate::config::DatabaseKind;
use crate::host::saves::{self, SAVE};
use crate::model::operation::Statement;
use crate::model::spec::{Args, Example, Group, Keep, Opt, Param, Type};
use crate::model::{Failure, Kind, Read, Spec, Tier, Value};
use crate::platform::rows::{self, Format};

/// The function.
pub static SQL: Function = Function {
    spec: Spec {
        name: "sql",
        group: Group::Data,
        summary: "Runs one SQL statement that only reads: SELECT, WITH, VALUES, TABLE, SHOW, or EXPLAIN without ANALYZE.",
        params: &[
            Param { name: "database", ty: Type::Database, required: true, help: "a configured PostgreSQL database" },
            Param { name: "statement", ty: Type::Str, required: true, help: "one statement, its values as $1, $2 …" },
        ],
        options: &[
            Opt { name: "params", ty: Type::Values, default: "", help: "the values of $1, $2 …, bound by the server; no secrets" },
            Opt {
                name: "limit",
                ty: Type::Int(1, 1_000_000_000),
                default: "10000",
                help: "more rows than this are an error, `too_large`; with `save:` there is no limit by itself",
            },
            SAVE,
            Opt { name: "timeout", ty: Type::Duration, default: "\"30s\"", help: "the longest wait, for the server too" },
        ],
        returns: "an array of maps, one a row, from column to value; with `save:` `#{ path, bytes, sha256, rows }`",
        tier: Tier::Mild,
        keep: Keep::Rows,
        errors: &[Kind::Forbidden, Kind::Auth, Kind::Unavailable, Kind::TooLarge, Kind::Failed],
        examples: &[
            Example { title: "One value", code: "sql(\"postgres\", \"SELECT 1 AS one\")[0].one", result: "1" },
            Example {
                title: "What would have to be written with `sql_execute`",
                code: "attempt(|| sql(\"postgres\", \"DELETE FROM sessions\")).error.kind",
                result: "\"bad_argument\"",
            },
        ],
    },
    body: Body::Read(body),
};

fn body(args: &Args, cx: &Cx<'_>) -> Result<Value, Failure> {
    let database = args.str(0);
    super::is(cx, database, DatabaseKind::Postgres)?;
    guard::sql::check(args.str(1))?;
    let params = args.option("params").and_then(Value::as_list).unwrap_or_default();
    params.iter().try_for_each(|param| super::no_secrets("sql", "a parameter", param))?;
    let save = saves::of(args, cx)?;
    save.as_ref().map_or(Ok(()), |save| Format::of(&save.shown).map(drop).ok_or_else(|| rows::unknown(&save.shown)))?;
    let answer = cx.read(&Read::Sql(Statement {
        database: database.to_owned(),
        text: args.str(1).to_owned(),
        params: params.to_vec(),
        limit: match (&save, args.option("limit")) {
            (Some(_), None) => u64::MAX,
            _ => args.option_int("limit").and_then(|rows| u64::try_from(rows).ok()).unwrap_or(10_000),
        },
        save,
        timeout: args.option_duration("timeout").unwrap_or(Duration::from_secs(30)),
    }))?;
    match answer {
        Value::Map(mut answer) if answer.contains_key("rows") && answer.contains_key("columns") => {
            Ok(answer.remove("rows").unwrap_or_default())
        }
        other => Ok(other),
    }
}
