//! The functions of this group, one file each.

pub mod guard;
pub mod mongo;
pub mod redis;
pub mod sql;

use crate::call::Cx;
use crate::config::DatabaseKind;
use crate::model::Failure;

/// Whether a configured database of that name is of that kind; the error names the nearest, or the right function.
fn is(cx: &Cx<'_>, name: &str, kind: DatabaseKind) -> Result<(), Failure> {
    let databases = &cx.environment().databases;
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
