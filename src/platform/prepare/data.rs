//! What can be said beforehand of a SQL statement or a MongoDB command: how many rows or documents it is about. Nothing takes it back,
//! since what they hold is not kept.

use super::bare;
use crate::map;
use crate::model::{Failure, Prepared, Provenance, Read, Value, Write};
use crate::platform::{Cx, Observe};

/// Prepares a statement or a command.
pub(super) fn prepare(observe: &dyn Observe, op: Write, cx: &Cx<'_>) -> Result<Prepared, Failure> {
    let (count, verb) = match &op {
        Write::Sql(change) => (change.counted.clone().map(|counted| Read::Sql(*counted)), change.verb.clone()),
        Write::Mongo(change) => {
            let read = |command| Read::Mongo { database: change.database.clone(), command, save: None, timeout: change.timeout };
            (change.counted.clone().map(read), change.command.first().map(|(name, _)| name.clone()).unwrap_or_default())
        }
        _ => unreachable!("only statements and commands are prepared here"),
    };
    let counted = count.map(|read| counted(observe, &read, cx)).transpose()?.flatten();
    let what = if matches!(op, Write::Sql(_)) { "statement" } else { "command" };
    let mut after = map! { what => verb.clone() };
    let mut prepared = bare(observe, op);
    if let Some((number, provenance)) = counted {
        // A count at most says what it is about; that there is none now is no reason not to send it.
        let gone = verb.eq_ignore_ascii_case("DELETE");
        after.set(&["matching"], if gone { 0.into() } else { "changed".into() });
        prepared.before = map! { "matching" => number };
        prepared.provenance = provenance;
    }
    prepared.after = after;
    // Upkeep alters nothing that anybody could want back.
    if !["ANALYZE", "VACUUM", "CHECKPOINT", "REINDEX", "SELECT", "EXPLAIN", "killOp"].contains(&verb.as_str()) {
        prepared.remarks.push("nothing takes it back: what it alters is not kept".to_owned());
    }
    Ok(prepared)
}

/// How many there are now, if that can be told in time.
fn counted(observe: &dyn Observe, read: &Read, cx: &Cx<'_>) -> Result<Option<(i64, Provenance)>, Failure> {
    match observe.read(read, cx) {
        Ok(answer) => {
            let rows = answer.value.get("rows").and_then(Value::as_list).and_then(|rows| rows.first()?.int_at(&["rows"]));
            Ok(rows.or_else(|| answer.value.int_at(&["n"])).map(|number| (number, answer.provenance)))
        }
        Err(failure) if failure.kind.latches() => Err(failure),
        Err(_) => Ok(None),
    }
}
