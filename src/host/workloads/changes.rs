//! What functions that change objects have in common: options, errors, and the answer.

use crate::call::Done;
use crate::host::targets;
use crate::map;
use crate::model::spec::{Args, Opt, Type};
use crate::model::{Kind, Value};

/// The option that raises the tier.
pub const TIER: Opt = Opt { name: "tier", ty: Type::Choice(&["moderate", "severe"]), default: "", help: "raises the tier" };

/// The wait for the API server.
pub const TIMEOUT: Opt = Opt { name: "timeout", ty: Type::Duration, default: "\"30s\"", help: "the longest wait for the API server" };

/// The kinds that every change of an object may fail with.
pub const ERRORS: &[Kind] =
    &[Kind::NotFound, Kind::Forbidden, Kind::NotConfirmed, Kind::Conflict, Kind::Auth, Kind::Unavailable, Kind::InDoubt];

/// How the answer of [`rows`] reads.
pub const RETURNS: &str = "`#{ target, before, after, status }`, an array of them for a selector; `before` and `after` hold the fields that change, and `status` is `changed`, `would_change`, `unchanged`, `skipped` or `refused`";

/// What became of each object: one row, or an array of them where the target is a selector.
pub fn rows(args: &Args, done: &[Done]) -> Value {
    let mut rows: Vec<Value> = done.iter().map(row).collect();
    if targets::is_selector(args.str(0)) { rows.into() } else { rows.pop().unwrap_or_default() }
}

fn row(done: &Done) -> Value {
    let Done { prepared, status, .. } = done;
    map! {
        "target" => prepared.target.clone(),
        "before" => prepared.before.clone(),
        "after" => if *status == "skipped" { prepared.before.clone() } else { prepared.after.clone() },
        "status" => *status,
    }
}
