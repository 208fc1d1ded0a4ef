//! `redis_execute`: one Redis command that may change something.

use std::time::Duration;

use super::{change, guard};
use crate::call::{Body, Cx, Done, Function};
use crate::config::DatabaseKind;
use crate::map;
use crate::model::operation::RedisChange;
use crate::model::spec::{Args, Example, Group, Keep, Opt, Param, Type};
use crate::model::{Failure, Kind, Spec, Tier, Value, Write};

/// The function.
pub static REDIS_EXECUTE: Function = Function {
    spec: Spec {
        name: "redis_execute",
        group: Group::Data,
        summary: "Runs one Redis command that may change something, such as SET, DEL, EXPIRE, LTRIM, CONFIG SET, CLIENT KILL.",
        params: &[
            Param { name: "database", ty: Type::Database, required: true, help: "a configured Redis database" },
            Param {
                name: "command",
                ty: Type::Words,
                required: true,
                help: "the command and its arguments: strings, numbers, and secrets where a value stands",
            },
        ],
        options: &[
            change::ASSUME,
            change::TIER,
            Opt { name: "timeout", ty: Type::Duration, default: "\"10s\"", help: "the longest wait for the answer" },
        ],
        returns: "`#{ reply }`. In a rehearsal nothing is sent, and the answer cannot be known",
        tier: Tier::Moderate,
        keep: Keep::Payload,
        errors: &[Kind::NotConfirmed, Kind::Forbidden, Kind::Auth, Kind::Unavailable, Kind::TooLarge, Kind::Failed, Kind::InDoubt],
        examples: &[
            Example { title: "Put a job back", code: "redis_execute(\"redis\", [\"LPUSH\", \"jobs\", \"one\"]).reply", result: "1" },
            Example {
                title: "What a shared connection cannot have",
                code: "attempt(|| redis_execute(\"redis\", [\"MONITOR\"])).error.kind",
                result: "\"bad_argument\"",
            },
        ],
    },
    body: Body::Change(plan, shape),
};

fn plan(args: &Args, cx: &Cx<'_>) -> Result<Vec<Write>, Failure> {
    let database = args.str(0);
    super::is(cx, database, DatabaseKind::Redis)?;
    let items = args.get(1).and_then(Value::as_list).unwrap_or_default();
    let command = words(items)?;
    let plain: Vec<&str> = command.iter().map(|word| word.as_str().unwrap_or("<secret>")).collect();
    if matches!(command.first(), Some(Value::Secret(_))) {
        return Err(Failure::bad_argument("the command's name is a secret").hint("write `[\"SET\", key, secret]`"));
    }
    let tier = guard::redis_change::judge(&plain)?;
    let verb = plain.first().map(|verb| verb.to_ascii_uppercase()).unwrap_or_default();
    let computes = ["EVAL", "FCALL", "FUNCTION", "SORT", "LCS"].iter().any(|name| verb.starts_with(name));
    if computes && items.iter().any(change::holds_secret) {
        return Err(change::computed("redis_execute", &format!("`{verb}`")));
    }
    let timeout = args.option_duration("timeout").unwrap_or(Duration::from_secs(10));
    Ok(vec![Write::Redis(RedisChange { database: database.to_owned(), command, tier, timeout })])
}

/// A command's words as they are sent; secrets stay closed.
fn words(items: &[Value]) -> Result<Vec<Value>, Failure> {
    let word = |(number, item): (usize, &Value)| match item {
        secret @ Value::Secret(_) => Ok(secret.clone()),
        plain => super::redis::words(std::slice::from_ref(plain))
            .map(|words| words.into_iter().next().unwrap_or_default().into())
            .map_err(|failure| Failure { message: failure.message.replace("[0]", &format!("[{number}]")), ..failure }),
    };
    items.iter().enumerate().map(word).collect()
}

fn shape(args: &Args, done: &[Done]) -> Value {
    let unchanged = done.first().is_some_and(|done| done.status == "unchanged");
    map! { "reply" => change::answer(done).or_else(|| unchanged.then(|| of_nothing(args))) }
}

/// What Redis answers to a command that changes nothing, which is not sent.
fn of_nothing(args: &Args) -> Value {
    let verb = args.get(1).and_then(Value::as_list).and_then(|words| words.first()?.as_str()).unwrap_or_default();
    match verb.to_ascii_uppercase().as_str() {
        "SET" | "CONFIG" => "OK".into(),
        _ => 0.into(),
    }
}
