//! `redis`: one Redis command that only reads.

use std::time::Duration;

use super::guard;
use crate::call::{Body, Cx, Function};
use crate::config::DatabaseKind;
use crate::model::spec::{Args, Example, Group, Keep, Opt, Param, Type};
use crate::model::{Failure, Kind, Map, Read, Spec, Tier, Value};

/// The function.
pub static REDIS: Function = Function {
    spec: Spec {
        name: "redis",
        group: Group::Data,
        summary: "Runs one Redis command that only reads, such as GET, LLEN, TTL, SCAN, INFO, SLOWLOG GET.",
        params: &[
            Param { name: "database", ty: Type::Database, required: true, help: "a configured Redis database" },
            Param { name: "command", ty: Type::List, required: true, help: "the command and its arguments: strings and numbers" },
        ],
        options: &[Opt { name: "timeout", ty: Type::Duration, default: "\"10s\"", help: "the longest wait for the answer" }],
        returns: "the reply; of INFO a map from field to text or number, with a map where a field has parts (`db0.keys`)",
        tier: Tier::Mild,
        keep: Keep::Payload,
        errors: &[Kind::Forbidden, Kind::Auth, Kind::Unavailable, Kind::TooLarge, Kind::Failed],
        examples: &[
            Example { title: "Whether it answers", code: "redis(\"redis\", [\"PING\"])", result: "\"PONG\"" },
            Example { title: "How many keys", code: "redis(\"redis\", [\"DBSIZE\"])", result: "" },
            Example {
                title: "What would have to be written with `redis_execute`",
                code: "attempt(|| redis(\"redis\", [\"DEL\", \"session:1\"])).error.kind",
                result: "\"bad_argument\"",
            },
        ],
    },
    body: Body::Read(body),
};

fn body(args: &Args, cx: &Cx<'_>) -> Result<Value, Failure> {
    let database = args.str(0);
    super::is(cx, database, DatabaseKind::Redis)?;
    args.get(1).map_or(Ok(()), |command| super::no_secrets("redis", "the command", command))?;
    let command = words(args.get(1).and_then(Value::as_list).unwrap_or_default())?;
    guard::redis::check(&command)?;
    let is_info = command.first().is_some_and(|name| name.eq_ignore_ascii_case("INFO"));
    let timeout = args.option_duration("timeout").unwrap_or(Duration::from_secs(10));
    let reply = cx.read(&Read::Redis { database: database.to_owned(), command, timeout })?;
    Ok(match reply {
        Value::Str(text) if is_info => info(&text),
        reply => reply,
    })
}

/// A command's words: strings, and numbers as Redis writes them.
pub fn words(items: &[Value]) -> Result<Vec<String>, Failure> {
    let word = |(number, item): (usize, &Value)| match item {
        Value::Str(text) => Ok(text.clone()),
        Value::Int(n) => Ok(n.to_string()),
        Value::Float(x) if x.is_finite() => Ok(x.to_string()),
        other => {
            let message = format!("`command`[{number}] must be a string or a number, not {}", other.type_name());
            Err(Failure::bad_argument(message).hint("write `[\"LRANGE\", \"queue\", 0, 9]`"))
        }
    };
    items.iter().enumerate().map(word).collect()
}

/// INFO's text as a map: its sections' fields side by side, since no two have one name.
fn info(text: &str) -> Value {
    let fields = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.trim_end().split_once(':'));
    Value::Map(fields.map(|(key, value)| (key.to_owned(), field(key, value))).collect())
}

fn field(key: &str, value: &str) -> Value {
    // Ids and versions that happen to be all digits stay text.
    let is_name = ["_sha1", "_id", "_version", "_replid", "_replid2", "_dirty"].iter().any(|end| key.ends_with(end));
    if is_name {
        return value.into();
    }
    let part = |part: &str| part.split_once('=').map(|(key, value)| (key.to_owned(), number(value)));
    match value.split(',').map(part).collect::<Option<Map>>() {
        Some(parts) => Value::Map(parts),
        None => number(value),
    }
}

/// A number where the text is exactly how one is written, else the text.
fn number(text: &str) -> Value {
    if let Ok(whole) = text.parse::<i64>()
        && whole.to_string() == text
    {
        return whole.into();
    }
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'-') && text.contains('.');
    match text.parse::<f64>() {
        Ok(fraction) if plain => fraction.into(),
        _ => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map;

    #[test]
    fn info_is_a_map_with_numbers() {
        let text = "# Server\r\nredis_version:7.0.15\r\nredis_git_sha1:00000000\r\nredis_git_dirty:0\r\nrun_id:12345678\r\n\r\n# Stats\r\nkeyspace_hits:12\r\n\
                    mem_fragmentation_ratio:1.25\r\nused_memory_peak_perc:83.21%\r\nexecutable:/usr/bin/redis-server\r\n\
                    # Keyspace\r\ndb0:keys=5,expires=0,avg_ttl=1\r\nslave0:ip=10.0.0.1,port=6379,state=online\r\n";
        let expected = map! {
            "redis_version" => "7.0.15", "redis_git_sha1" => "00000000", "redis_git_dirty" => "0", "run_id" => "12345678",
            "keyspace_hits" => 12, "mem_fragmentation_ratio" => 1.25, "used_memory_peak_perc" => "83.21%",
            "executable" => "/usr/bin/redis-server",
            "db0" => map! { "keys" => 5, "expires" => 0, "avg_ttl" => 1 },
            "slave0" => map! { "ip" => "10.0.0.1", "port" => 6379, "state" => "online" },
        };
        assert_eq!(info(text), expected);
    }

    #[test]
    fn words_are_strings_and_numbers() {
        let items = ["LRANGE".into(), "q\nx".into(), 0.into(), (-1).into(), 1.5.into()];
        assert_eq!(words(&items).unwrap(), ["LRANGE", "q\nx", "0", "-1", "1.5"]);
        for wrong in [Value::Null, true.into(), map! {}, Value::Secret(crate::model::Secret::new("env:X", "hunter2hunter2"))] {
            let failure = words(&["GET".into(), wrong]).unwrap_err();
            assert!(failure.message.starts_with("`command`[1] must be a string or a number, not "), "{failure}");
        }
    }
}
