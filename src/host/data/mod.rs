//! The functions of this group, one file each.

mod change;
pub mod guard;
pub mod mongo;
pub mod mongo_execute;
pub mod redis;
pub mod redis_execute;
pub mod sql;
pub mod sql_execute;

use crate::call::Cx;
use crate::config::{DatabaseKind, Environment};
use crate::model::{Failure, Value};

fn is(cx: &Cx<'_>, name: &str, kind: DatabaseKind) -> Result<(), Failure> {
    of_kind(cx.environment(), name, kind)
}

/// Refuses secrets at any depth: what a server computes of one, such as its reverse, comes back in a form that no mask knows.
fn no_secrets(function: &str, what: &str, value: &Value) -> Result<(), Failure> {
    match value.find(&|item| matches!(item, Value::Secret(_))) {
        Some(Value::Secret(secret)) => Err(Failure::bad_argument(format!("{what} of `{function}` holds the secret {}", secret.name()))
            .hint("what the server makes of it could not be masked: read by something that is no secret, such as an id")),
        _ => Ok(()),
    }
}

/// Whether a configured database of that name is of that kind; the error names the nearest, or the right function.
pub fn of_kind(environment: &Environment, name: &str, kind: DatabaseKind) -> Result<(), Failure> {
    let databases = &environment.databases;
    let database = databases.get(name).ok_or_else(|| Failure::unknown("database", name, databases.keys().map(String::as_str)).on(name))?;
    if database.kind == kind {
        return Ok(());
    }
    let (is, hint) = match database.kind {
        DatabaseKind::Postgres => ("speaks PostgreSQL's protocol", "use `sql`"),
        DatabaseKind::Mongo => ("speaks MongoDB's protocol", "use `mongo`"),
        DatabaseKind::Redis => ("speaks Redis's protocol", "use `redis`"),
        DatabaseKind::Other => ("is known by its workload only", "give it a `url` in runbook.toml whose scheme says the protocol"),
    };
    Err(Failure::bad_argument(format!("the database {name:?} {is}")).on(name).hint(hint))
}

/// What a function's database must speak; none of the functions of other groups.
pub fn protocol(function: &str) -> Option<DatabaseKind> {
    match function.strip_suffix("_execute").unwrap_or(function) {
        "sql" => Some(DatabaseKind::Postgres),
        "mongo" => Some(DatabaseKind::Mongo),
        "redis" => Some(DatabaseKind::Redis),
        _ => None,
    }
}
