//! Redis in a world: a stated subset of its commands; those that change something are in `redis/change.rs`.

pub(super) mod change;

use std::collections::BTreeMap;

use super::file::DatabaseFile;
use crate::model::{Failure, Map, Value, suggest};
use crate::platform::failures;

/// The commands that a world answers, with how many arguments they take at least and at most.
const COMMANDS: [(&str, usize, usize); 23] = [
    ("CONFIG", 2, 2),
    ("DBSIZE", 0, 0),
    ("EXISTS", 1, usize::MAX),
    ("EXPIRETIME", 1, 1),
    ("GET", 1, 1),
    ("HEXISTS", 2, 2),
    ("HGET", 2, 2),
    ("HGETALL", 1, 1),
    ("HKEYS", 1, 1),
    ("HLEN", 1, 1),
    ("HSTRLEN", 2, 2),
    ("INFO", 0, usize::MAX),
    ("KEYS", 1, 1),
    ("LLEN", 1, 1),
    ("LRANGE", 3, 3),
    ("MGET", 1, usize::MAX),
    ("PEXPIRETIME", 1, 1),
    ("PING", 0, 1),
    ("PTTL", 1, 1),
    ("SCAN", 1, 5),
    ("STRLEN", 1, 1),
    ("TTL", 1, 1),
    ("TYPE", 1, 1),
];

/// Parameters as a server has them that nobody has set up.
const DEFAULTS: [(&str, &str); 6] = [
    ("appendonly", "no"),
    ("maxclients", "10000"),
    ("maxmemory", "0"),
    ("maxmemory-policy", "noeviction"),
    ("slowlog-log-slower-than", "10000"),
    ("timeout", "0"),
];

const INFO: &str = "# Server\r\nredis_version:7.0.0\r\n";

/// What a database holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Store {
    keys: BTreeMap<String, Value>,
    /// When keys expire, in milliseconds since 1970.
    expires: BTreeMap<String, i64>,
    /// What `CONFIG` knows.
    parameters: BTreeMap<String, String>,
    info: Option<String>,
}

impl Store {
    pub(super) fn new(written: &DatabaseFile) -> Self {
        Self { keys: written.keys.clone(), info: written.info.clone(), ..Self::default() }
    }

    /// Takes away what has expired by now.
    fn settle(&mut self, now: i64) {
        let over: Vec<String> = self.expires.iter().filter(|(_, at)| **at <= now).map(|(key, _)| key.clone()).collect();
        for key in over {
            self.remove(&key);
        }
    }

    fn remove(&mut self, key: &str) -> Option<Value> {
        self.expires.remove(key);
        self.keys.remove(key)
    }
}

/// Answers a command as the server would, at a time in milliseconds since 1970.
pub(super) fn answer(store: &mut Store, database: &str, command: &[String], now: i64, world: &str) -> Result<Value, Failure> {
    store.settle(now);
    let (name, upper, args) = checked(&COMMANDS, database, command, world)?;
    Keys { keys: &store.keys, store, database, verb: name, now }.answer(&upper, args, store.info.as_deref().unwrap_or(INFO))
}

/// A command's name as it was given, in capitals, and its arguments, if it is one of those that are simulated.
fn checked<'c>(
    simulated: &[(&str, usize, usize)],
    database: &str,
    command: &'c [String],
    world: &str,
) -> Result<(&'c str, String, &'c [String]), Failure> {
    let Some((name, args)) = command.split_first() else {
        return Err(Failure::bad_argument("an empty Redis command").on(database));
    };
    let upper = name.to_ascii_uppercase();
    let Some((_, least, most)) = simulated.iter().find(|(known, ..)| *known == upper) else {
        let known: Vec<&str> = simulated.iter().map(|(known, ..)| *known).collect();
        let failure = Failure::bad_argument(format!("a world does not simulate the Redis command {name:?}")).on(database);
        return Err(match suggest::nearest(&upper, known.iter().copied()) {
            Some(near) => failure.hint(format!("did you mean {near}?")),
            None => {
                failure.hint(format!("simulated: {}; what they answer stands in {world} under databases.{database}.keys", known.join(" ")))
            }
        });
    };
    if args.len() < *least || args.len() > *most {
        let lower = name.to_lowercase();
        return Err(failures::redis(database, name, &format!("ERR wrong number of arguments for '{lower}' command")));
    }
    Ok((name, upper, args))
}

struct Keys<'a> {
    keys: &'a BTreeMap<String, Value>,
    store: &'a Store,
    database: &'a str,
    /// The command as it was given.
    verb: &'a str,
    now: i64,
}

impl<'a> Keys<'a> {
    /// When a key expires: -1 for never, -2 without the key.
    fn expiry(&self, key: &str) -> i64 {
        match self.keys.contains_key(key) {
            true => self.store.expires.get(key).copied().unwrap_or(-1),
            false => -2,
        }
    }

    fn answer(&self, name: &str, args: &[String], info: &str) -> Result<Value, Failure> {
        let arg = |index: usize| args.get(index).map(String::as_str).unwrap_or_default();
        let count = |count: usize| Ok(Value::Int(count as i64));
        match name {
            "PING" => Ok(if args.is_empty() { "PONG" } else { arg(0) }.into()),
            "DBSIZE" => count(self.keys.len()),
            "INFO" => Ok(section(info, args).into()),
            "EXISTS" => count(args.iter().filter(|key| self.keys.contains_key(*key)).count()),
            "PEXPIRETIME" => Ok(self.expiry(arg(0)).into()),
            "EXPIRETIME" => Ok(match self.expiry(arg(0)) {
                at if at >= 0 => at / 1000,
                none => none,
            }
            .into()),
            "PTTL" | "TTL" => Ok(match (self.expiry(arg(0)), name) {
                (at, "PTTL") if at >= 0 => at - self.now,
                (at, _) if at >= 0 => (at - self.now + 500) / 1000,
                (none, _) => none,
            }
            .into()),
            "CONFIG" if arg(0).eq_ignore_ascii_case("GET") => {
                let (parameter, found) = (arg(1).to_ascii_lowercase(), |name: &str| self.store.parameters.get(name).cloned());
                let value = found(&parameter)
                    .or_else(|| DEFAULTS.iter().find(|(name, _)| *name == parameter).map(|(_, value)| (*value).to_owned()));
                Ok(value.map_or_else(Vec::new, |value| vec![parameter.into(), value.into()]).into())
            }
            "TYPE" => Ok(self.keys.get(arg(0)).map_or("none", kind).into()),
            "GET" => Ok(self.text(arg(0))?.into()),
            "MGET" => Ok(args.iter().map(|key| self.text(key).ok().flatten().into()).collect::<Vec<Value>>().into()),
            "STRLEN" => count(self.text(arg(0))?.map_or(0, |text| text.len())),
            "LLEN" => count(self.list(arg(0))?.len()),
            "LRANGE" => {
                let items = self.list(arg(0))?;
                let (from, to) = range(self.number(arg(1))?, self.number(arg(2))?, items.len());
                Ok(items.iter().skip(from).take(to.saturating_sub(from)).map(|item| plain(item).into()).collect::<Vec<Value>>().into())
            }
            "HGET" => Ok(self.hash(arg(0))?.and_then(|hash| hash.get(arg(1))).map(plain).into()),
            "HEXISTS" => count(usize::from(self.hash(arg(0))?.is_some_and(|hash| hash.contains_key(arg(1))))),
            "HSTRLEN" => count(self.hash(arg(0))?.and_then(|hash| hash.get(arg(1))).map_or(0, |value| plain(value).len())),
            "HLEN" => count(self.hash(arg(0))?.map_or(0, |hash| hash.len())),
            "HKEYS" => Ok(self.hash(arg(0))?.into_iter().flatten().map(|(key, _)| key.as_str().into()).collect::<Vec<Value>>().into()),
            "HGETALL" => {
                let fields = self.hash(arg(0))?.into_iter().flatten();
                Ok(Value::Map(fields.map(|(key, value)| (key.clone(), plain(value).into())).collect()))
            }
            "KEYS" => Ok(self.named(arg(0)).into()),
            "SCAN" => self.scan(args),
            // The table above and this match hold the same names; a test keeps it so.
            other => Err(Failure::bad_argument(format!("a world does not simulate the Redis command {other:?}")).on(self.database)),
        }
    }

    /// All keys in one go: the cursor that comes back is 0.
    fn scan(&self, args: &[String]) -> Result<Value, Failure> {
        let mut pattern = "*";
        self.number(&args[0])?;
        for option in args[1..].chunks(2) {
            match option {
                [name, value] if name.eq_ignore_ascii_case("match") => pattern = value,
                [name, value] if name.eq_ignore_ascii_case("count") => {
                    self.number(value)?;
                }
                _ => return Err(self.refused("ERR syntax error")),
            }
        }
        Ok(vec![Value::from("0"), self.named(pattern).into()].into())
    }

    fn named(&self, pattern: &str) -> Vec<Value> {
        let pattern: Vec<char> = pattern.chars().collect();
        let fits = |key: &&String| glob(&pattern, &key.chars().collect::<Vec<_>>());
        self.keys.keys().filter(fits).map(|key| key.as_str().into()).collect()
    }

    fn refused(&self, said: &str) -> Failure {
        failures::redis(self.database, self.verb, said)
    }

    fn wrong_type(&self) -> Failure {
        self.refused("WRONGTYPE Operation against a key holding the wrong kind of value")
    }

    fn number(&self, text: &str) -> Result<i64, Failure> {
        text.parse().map_err(|_| self.refused("ERR value is not an integer or out of range"))
    }

    fn text(&self, key: &str) -> Result<Option<String>, Failure> {
        match self.keys.get(key) {
            Some(Value::List(_) | Value::Map(_)) => Err(self.wrong_type()),
            value => Ok(value.map(plain)),
        }
    }

    fn list(&self, key: &str) -> Result<&'a [Value], Failure> {
        match self.keys.get(key) {
            Some(Value::List(items)) => Ok(items),
            Some(_) => Err(self.wrong_type()),
            None => Ok(&[]),
        }
    }

    fn hash(&self, key: &str) -> Result<Option<&'a Map>, Failure> {
        match self.keys.get(key) {
            Some(Value::Map(map)) => Ok(Some(map)),
            Some(_) => Err(self.wrong_type()),
            None => Ok(None),
        }
    }
}

/// Redis holds text only: numbers and truth values of the file are their text.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::List(_) => "list",
        Value::Map(_) => "hash",
        _ => "string",
    }
}

/// The sections of `INFO` that were asked for; all without arguments.
fn section(info: &str, wanted: &[String]) -> String {
    let all = wanted.is_empty() || wanted.iter().any(|name| matches!(name.to_lowercase().as_str(), "all" | "everything" | "default"));
    if all || !info.contains("# ") {
        return info.to_owned();
    }
    let mut out = String::new();
    let mut inside = false;
    for line in info.lines() {
        if let Some(title) = line.strip_prefix("# ") {
            inside = wanted.iter().any(|name| name.eq_ignore_ascii_case(title.trim()));
        }
        if inside {
            out.push_str(line.trim_end_matches('\r'));
            out.push_str("\r\n");
        }
    }
    out
}

/// The half-open range of a list that `LRANGE` means; negative indices count from the end.
fn range(from: i64, to: i64, length: usize) -> (usize, usize) {
    let length = length as i64;
    let index = |index: i64| if index < 0 { (length + index).max(0) } else { index };
    let end = if to < 0 { length + to } else { to.min(length - 1) };
    (index(from).min(length) as usize, (end + 1).max(0) as usize)
}

/// Redis' patterns: `*`, `?`, `[a-z]`, `[^x]` and `\` before a character that stands for itself.
fn glob(pattern: &[char], text: &[char]) -> bool {
    let Some((first, rest)) = pattern.split_first() else { return text.is_empty() };
    match first {
        '*' => (0..=text.len()).any(|skipped| glob(rest, &text[skipped..])),
        '?' => !text.is_empty() && glob(rest, &text[1..]),
        '[' => {
            let Some(end) = rest.iter().position(|c| *c == ']') else { return false };
            let Some((c, text)) = text.split_first() else { return false };
            let (set, negated) = match rest[..end].split_first() {
                Some(('^', set)) => (set, true),
                _ => (&rest[..end], false),
            };
            let ranged = set.windows(3).any(|window| window[1] == '-' && (window[0]..=window[2]).contains(c));
            (set.contains(c) || ranged) != negated && glob(&rest[end + 1..], text)
        }
        '\\' if !rest.is_empty() => text.first() == rest.first() && glob(&rest[1..], &text[1..]),
        literal => text.first() == Some(literal) && glob(rest, &text[1..]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(command: &str) -> Result<String, Failure> {
        let yaml =
            "keys: { q: [a, b, c], greeting: hi, n: 7, h: { f: v, g: 2 } }\ninfo: \"# Server\\r\\nx:1\\r\\n# Stats\\r\\nhits:9\\r\\n\"\n";
        let file: DatabaseFile = serde_saphyr::from_str(yaml).unwrap();
        let command: Vec<String> = command.split(' ').map(str::to_owned).collect();
        answer(&mut Store::new(&file), "redis", &command, 0, "w.yaml").map(|value| value.to_string())
    }

    #[test]
    fn commands_are_answered_as_by_the_server() {
        for (command, reply) in [
            ("PING", "\"PONG\""),
            ("get greeting", "\"hi\""),
            ("GET n", "\"7\""),
            ("GET nothing", "null"),
            ("MGET greeting q nothing", "[\"hi\",null,null]"),
            ("STRLEN greeting", "2"),
            ("LLEN q", "3"),
            ("LLEN nothing", "0"),
            ("LRANGE q 0 -1", "[\"a\",\"b\",\"c\"]"),
            ("LRANGE q -2 5", "[\"b\",\"c\"]"),
            ("LRANGE q 2 1", "[]"),
            ("HGET h f", "\"v\""),
            ("HGET h x", "null"),
            ("HEXISTS h f", "1"),
            ("HLEN h", "2"),
            ("HKEYS h", "[\"f\",\"g\"]"),
            ("HGETALL h", "{\"f\":\"v\",\"g\":\"2\"}"),
            ("EXISTS q greeting nothing", "2"),
            ("TTL q", "-1"),
            ("TTL nothing", "-2"),
            ("TYPE q", "\"list\""),
            ("TYPE h", "\"hash\""),
            ("TYPE nothing", "\"none\""),
            ("KEYS [gq]*", "[\"greeting\",\"q\"]"),
            ("KEYS ?", "[\"h\",\"n\",\"q\"]"),
            ("SCAN 0 MATCH g* COUNT 10", "[\"0\",[\"greeting\"]]"),
            ("DBSIZE", "4"),
            ("INFO stats", "\"# Stats\\r\\nhits:9\\r\\n\""),
        ] {
            assert_eq!(ask(command).unwrap(), reply, "{command}");
        }
    }

    #[test]
    fn errors_are_the_servers_and_the_subset_is_stated() {
        for (command, message) in [
            ("GET q", "redis `redis`: GET: WRONGTYPE"),
            ("LLEN greeting", "redis `redis`: LLEN: WRONGTYPE"),
            ("HGET q x", "redis `redis`: HGET: WRONGTYPE"),
            ("get", "redis `redis`: get: ERR wrong number of arguments for 'get' command"),
            ("LRANGE q a b", "redis `redis`: LRANGE: ERR value is not an integer"),
            ("SCAN 0 MATCH", "redis `redis`: SCAN: ERR syntax error"),
            ("ZRANGEBYSCORE z", "a world does not simulate the Redis command \"ZRANGEBYSCORE\""),
        ] {
            let failure = ask(command).unwrap_err();
            assert!(failure.message.starts_with(message), "{command}: {}", failure.message);
        }
        for (name, least, _) in COMMANDS {
            let args: Vec<String> = (0..least).map(|_| "0".to_owned()).collect();
            let command: Vec<String> = std::iter::once(name.to_owned()).chain(args).collect();
            let simulated = answer(&mut Store::default(), "redis", &command, 0, "w.yaml");
            assert!(simulated.is_ok() || name == "CONFIG", "{name}");
        }
    }
}
