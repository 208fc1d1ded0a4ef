//! `sql_execute`: one SQL statement that may change something.
//!
//! It stands in a transaction of its own, unless the server takes it outside of one only. A secret is bound by the connector, and then
//! no rows are answered. Nothing takes a statement back: the rows that it has changed are not kept.

use std::time::Duration;

use super::{change, guard};
use crate::call::{Body, Cx, Done, Function};
use crate::config::DatabaseKind;
use crate::map;
use crate::model::operation::{Scope, SqlChange, Statement};
use crate::model::spec::{Args, Example, Group, Keep, Opt, Param, Type};
use crate::model::{Failure, Kind, Spec, Tier, Value, Write};

/// The longest wait for the number of rows that a statement is about.
const COUNTING: Duration = Duration::from_secs(5);

/// The function.
pub static SQL_EXECUTE: Function = Function {
    spec: Spec {
        name: "sql_execute",
        group: Group::Data,
        summary: "Runs one SQL statement that may change something, in a transaction of its own.",
        params: &[
            Param { name: "database", ty: Type::Database, required: true, help: "a configured PostgreSQL database" },
            Param { name: "statement", ty: Type::Str, required: true, help: "one statement, its values as $1, $2 …" },
        ],
        options: &[
            Opt { name: "params", ty: Type::Values, default: "", help: "the values of $1, $2 …, bound by the server; may be secrets" },
            Opt {
                name: "max_rows",
                ty: Type::Int(0, 1_000_000),
                default: "10000",
                help: "more rows of RETURNING than this are `too_large`, and the statement is rolled back",
            },
            Opt {
                name: "validate",
                ty: Type::Bool,
                default: "true",
                help: "whether a rehearsal asks the server for the plan of an INSERT, UPDATE, DELETE or MERGE; nothing else is validated",
            },
            change::ASSUME,
            change::TIER,
            Opt { name: "timeout", ty: Type::Duration, default: "\"30s\"", help: "the longest wait, for the server and its locks too" },
        ],
        returns: "`#{ rows_affected, columns, rows }`, the rows of RETURNING as maps from column to value. In a rehearsal nothing is sent, \
                  and the answer cannot be known",
        tier: Tier::Moderate,
        keep: Keep::Rows,
        errors: &[
            Kind::NotConfirmed,
            Kind::Forbidden,
            Kind::Auth,
            Kind::Conflict,
            Kind::Unavailable,
            Kind::TooLarge,
            Kind::Failed,
            Kind::InDoubt,
        ],
        examples: &[
            Example {
                title: "Refresh the planner's statistics",
                code: "sql_execute(\"postgres\", \"ANALYZE\").rows_affected",
                result: "0",
            },
            Example {
                title: "One statement only",
                code: "attempt(|| sql_execute(\"postgres\", \"ANALYZE; DROP TABLE audit_logs\")).error.kind",
                result: "\"bad_argument\"",
            },
        ],
    },
    body: Body::Change(plan, shape),
};

fn plan(args: &Args, cx: &Cx<'_>) -> Result<Vec<Write>, Failure> {
    let database = args.str(0);
    super::is(cx, database, DatabaseKind::Postgres)?;
    let judged = guard::sql_change::judge(args.str(1))?;
    let params = args.option("params").and_then(Value::as_list).unwrap_or_default().to_vec();
    let timeout = args.option_duration("timeout").unwrap_or(Duration::from_secs(30));
    let statement = Statement {
        database: database.to_owned(),
        text: args.str(1).to_owned(),
        params,
        limit: args.option_int("max_rows").and_then(|rows| u64::try_from(rows).ok()).unwrap_or(10_000),
        save: None,
        timeout,
    };
    let counted = judged.counted.and_then(|(text, used)| {
        let params: Option<Vec<Value>> = used.iter().map(|number| statement.params.get(*number).cloned()).collect();
        let params = params.filter(|params| !params.iter().any(change::holds_secret))?;
        Some(Box::new(Statement { text, params, limit: 1, timeout: timeout.min(COUNTING), ..statement.clone() }))
    });
    Ok(vec![Write::Sql(SqlChange {
        verb: judged.verb,
        tier: judged.tier,
        scope: if judged.alone { Scope::Alone } else { Scope::Transaction },
        explain: judged.explainable && args.option("validate") != Some(&Value::Bool(false)),
        counted,
        statement,
    })])
}

fn shape(_: &Args, done: &[Done]) -> Value {
    change::answer(done).unwrap_or_else(|| map! { "rows_affected" => 0, "columns" => vec![], "rows" => vec![] })
}
