//! Statements and commands that are to read and do not: judged by the guards that the run itself uses.

use rhai::Expr;

use super::{Cx, codes};
use crate::engine::calls::literal;
use crate::host::data::guard;
use crate::host::data::redis::words;
use crate::model::{Failure, Map, Value};

/// Checks what a call asks a database for.
pub(super) fn check(cx: &mut Cx<'_>, function: &str, args: &[Option<&Expr>]) {
    let Some(Some(asked)) = args.get(1) else { return };
    let (code, failure) = match function {
        "sql" | "sql_execute" if matches!(asked, Expr::InterpolatedString(..)) && literal(asked).is_none() => {
            let failure = Failure::bad_argument("values stand in the text of the statement");
            (codes::SQL_INTERPOLATION, Some(failure.hint("write `$1` and pass them: `#{ params: [value] }`")))
        }
        "sql" => (codes::SQL_WRITES, literal(asked).and_then(|text| guard::sql::check(text.as_str()?).err())),
        "mongo" => (codes::MONGO_WRITES, partly(asked).and_then(|command| guard::mongo::command(command.as_map()?).err())),
        "redis" => (codes::REDIS_WRITES, redis(asked)),
        _ => return,
    };
    if let Some(failure) = failure {
        cx.report(code, failure, asked.start_position());
    }
}

/// A map with nothing where the text does not say the value; none where the guard would have to know it.
fn partly(expr: &Expr) -> Option<Value> {
    if let Some(value) = literal(expr) {
        return Some(value);
    }
    match expr {
        Expr::Map(map, _) => {
            let entries = map.0.iter().map(|(key, value)| {
                let judged = ["pipeline", "explain", "$facet"].contains(&key.name.as_str());
                let value = partly(value);
                (value.is_some() || !judged).then(|| (key.name.to_string(), value.unwrap_or_default()))
            });
            Some(Value::Map(entries.collect::<Option<Map>>()?))
        }
        Expr::Array(items, _) => Some(Value::List(items.iter().map(partly).collect::<Option<_>>()?)),
        _ => None,
    }
}

/// What is wrong with a Redis command of which the text says at least the name.
fn redis(expr: &Expr) -> Option<Failure> {
    let Expr::Array(items, _) = expr else { return None };
    let known: Vec<Option<Value>> = items.iter().map(literal).collect();
    let told: Vec<Value> = known.iter().map(|item| item.clone().unwrap_or_else(|| "?".into())).collect();
    let failure = words(&told).and_then(|command| guard::redis::check(&command)).err()?;
    let name = known.first()?.as_ref()?.as_str()?.to_ascii_uppercase();
    // Without its subcommand nobody knows what a command does.
    let whole = known.iter().take(3).all(Option::is_some);
    (whole || failure.message == format!("{name} is not a read")).then_some(failure)
}
