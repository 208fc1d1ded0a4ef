//! Redis in a world: a stated subset of the commands that change something.

use super::{Keys, Store, checked, plain};
use crate::model::{Failure, Map, Value};

/// The commands, with how many arguments they take at least and at most.
const COMMANDS: [(&str, usize, usize); 36] = [
    ("APPEND", 2, 2),
    ("CONFIG", 1, 3),
    ("DECR", 1, 1),
    ("DECRBY", 2, 2),
    ("DEL", 1, usize::MAX),
    ("EXPIRE", 2, 2),
    ("EXPIREAT", 2, 2),
    ("FLUSHALL", 0, 1),
    ("FLUSHDB", 0, 1),
    ("GETDEL", 1, 1),
    ("GETSET", 2, 2),
    ("HDEL", 2, usize::MAX),
    ("HINCRBY", 3, 3),
    ("HSET", 3, usize::MAX),
    ("HSETNX", 3, 3),
    ("INCR", 1, 1),
    ("INCRBY", 2, 2),
    ("LPOP", 1, 1),
    ("LPUSH", 2, usize::MAX),
    ("LREM", 3, 3),
    ("LSET", 3, 3),
    ("LTRIM", 3, 3),
    ("MSET", 2, usize::MAX),
    ("PERSIST", 1, 1),
    ("PEXPIRE", 2, 2),
    ("PEXPIREAT", 2, 2),
    ("PSETEX", 3, 3),
    ("PUBLISH", 2, 2),
    ("RENAME", 2, 2),
    ("RPOP", 1, 1),
    ("RPUSH", 2, usize::MAX),
    ("SET", 2, 6),
    ("SETEX", 3, 3),
    ("SETNX", 2, 2),
    ("TOUCH", 1, usize::MAX),
    ("UNLINK", 1, usize::MAX),
];

/// Performs a command as the server would, at a time in milliseconds since 1970.
pub(in super::super) fn perform(store: &mut Store, database: &str, command: &[Value], now: i64, world: &str) -> Result<Value, Failure> {
    store.settle(now);
    let open = |word: &Value| match word {
        Value::Secret(secret) => secret.expose().to_owned(),
        other => plain(other),
    };
    let words: Vec<String> = command.iter().map(open).collect();
    let (verb, name, args) = checked(&COMMANDS, database, &words, world)?;
    Change { store, database, verb, now }.perform(&name, args)
}

struct Change<'a> {
    store: &'a mut Store,
    database: &'a str,
    /// The command as it was given.
    verb: &'a str,
    now: i64,
}

impl Change<'_> {
    fn perform(&mut self, name: &str, args: &[String]) -> Result<Value, Failure> {
        let arg = |at: usize| args.get(at).map(String::as_str).unwrap_or_default();
        let key = arg(0);
        match name {
            "SET" => self.set(key, arg(1), &args[2..]),
            "SETEX" | "PSETEX" => {
                let unit = if name == "SETEX" { "EX" } else { "PX" };
                self.set(key, arg(2), &[unit.to_owned(), arg(1).to_owned()])
            }
            "SETNX" => Ok(i64::from(self.set(key, arg(1), &["NX".to_owned()])? != Value::Null).into()),
            "GETSET" => self.set(key, arg(1), &["GET".to_owned()]),
            "MSET" if args.len().is_multiple_of(2) => {
                args.chunks(2).try_for_each(|pair| self.set(&pair[0], &pair[1], &[]).map(drop))?;
                Ok("OK".into())
            }
            "MSET" => Err(self.refused("ERR wrong number of arguments for 'mset' command")),
            "GETDEL" => {
                let old = self.keys().text(key)?;
                self.store.remove(key);
                Ok(old.into())
            }
            "APPEND" => {
                let whole = self.keys().text(key)?.unwrap_or_default() + arg(1);
                let length = whole.len();
                self.put(key, whole.into());
                Ok(number(length))
            }
            "INCR" => self.add(key, 1),
            "DECR" => self.add(key, -1),
            "INCRBY" => self.number(arg(1)).and_then(|by| self.add(key, by)),
            "DECRBY" => self.number(arg(1)).and_then(|by| self.add(key, -by)),
            "DEL" | "UNLINK" => Ok(number(args.iter().filter(|key| self.store.remove(key).is_some()).count())),
            "TOUCH" => Ok(number(args.iter().filter(|key| self.store.keys.contains_key(*key)).count())),
            "EXPIRE" | "PEXPIRE" | "EXPIREAT" | "PEXPIREAT" => {
                let time = self.number(arg(1))?;
                let time = if name.starts_with('P') { time } else { time.saturating_mul(1000) };
                let at = if name.ends_with("AT") { time } else { self.now.saturating_add(time) };
                let exists = self.store.keys.contains_key(key);
                if exists {
                    self.store.expires.insert(key.to_owned(), at);
                    self.store.settle(self.now);
                }
                Ok(i64::from(exists).into())
            }
            "PERSIST" => Ok(i64::from(self.store.expires.remove(key).is_some()).into()),
            "RENAME" => {
                let expires = self.store.expires.get(key).copied();
                let Some(value) = self.store.remove(key) else { return Err(self.refused("ERR no such key")) };
                self.store.remove(arg(1));
                self.store.keys.insert(arg(1).to_owned(), value);
                self.store.expires.extend(expires.map(|at| (arg(1).to_owned(), at)));
                Ok("OK".into())
            }
            "FLUSHDB" | "FLUSHALL" => {
                self.store.keys.clear();
                self.store.expires.clear();
                Ok("OK".into())
            }
            "PUBLISH" => Ok(0.into()),
            "HSET" | "HSETNX" | "HDEL" | "HINCRBY" => self.hash(name, key, &args[1..]),
            "LPUSH" | "RPUSH" | "LPOP" | "RPOP" | "LTRIM" | "LREM" | "LSET" => self.list(name, key, &args[1..]),
            "CONFIG" => match (key.to_ascii_uppercase().as_str(), args) {
                ("SET", [_, parameter, value]) => {
                    self.store.parameters.insert(parameter.to_ascii_lowercase(), value.clone());
                    Ok("OK".into())
                }
                ("RESETSTAT", [_]) => Ok("OK".into()),
                _ => Err(self.refused("ERR syntax error")),
            },
            // The table above and this match hold the same names; a test keeps it so.
            other => Err(Failure::bad_argument(format!("a world does not simulate the Redis command {other:?}")).on(self.database)),
        }
    }

    fn keys(&self) -> Keys<'_> {
        Keys { keys: &self.store.keys, store: self.store, database: self.database, verb: self.verb, now: self.now }
    }

    fn refused(&self, said: &str) -> Failure {
        self.keys().refused(said)
    }

    fn number(&self, text: &str) -> Result<i64, Failure> {
        self.keys().number(text)
    }

    /// Puts a value in the place of what is there; its expiry stays.
    fn put(&mut self, key: &str, value: Value) {
        let is_empty = match &value {
            Value::List(items) => items.is_empty(),
            Value::Map(map) => map.is_empty(),
            _ => false,
        };
        if is_empty {
            self.store.remove(key);
        } else {
            self.store.keys.insert(key.to_owned(), value);
        }
    }

    fn set(&mut self, key: &str, value: &str, options: &[String]) -> Result<Value, Failure> {
        let (mut expires, mut keeps, mut gets, mut only_if) = (None, false, false, None);
        let mut rest = options.iter();
        while let Some(option) = rest.next() {
            let word = option.to_ascii_uppercase();
            match word.as_str() {
                "NX" => only_if = Some(false),
                "XX" => only_if = Some(true),
                "GET" => gets = true,
                "KEEPTTL" => keeps = true,
                "EX" | "PX" | "EXAT" | "PXAT" => {
                    let Some(time) = rest.next() else { return Err(self.refused("ERR syntax error")) };
                    let time = self.number(time)?;
                    if time <= 0 {
                        let lower = self.verb.to_lowercase();
                        return Err(self.refused(&format!("ERR invalid expire time in '{lower}' command")));
                    }
                    let time = if word.starts_with('P') { time } else { time.saturating_mul(1000) };
                    expires = Some(if word.ends_with("AT") { time } else { self.now.saturating_add(time) });
                }
                _ => return Err(self.refused("ERR syntax error")),
            }
        }
        let old = if gets { self.keys().text(key)?.into() } else { Value::Null };
        if only_if.is_some_and(|wanted| wanted != self.store.keys.contains_key(key)) {
            return Ok(old);
        }
        if !keeps {
            self.store.expires.remove(key);
        }
        self.store.keys.insert(key.to_owned(), value.into());
        self.store.expires.extend(expires.map(|at| (key.to_owned(), at)));
        self.store.settle(self.now);
        Ok(if gets { old } else { "OK".into() })
    }

    fn add(&mut self, key: &str, by: i64) -> Result<Value, Failure> {
        let old = self.keys().text(key)?.unwrap_or_else(|| "0".to_owned());
        let new = self.number(&old)?.checked_add(by).ok_or_else(|| self.refused("ERR increment or decrement would overflow"))?;
        self.put(key, new.to_string().into());
        Ok(new.into())
    }

    fn hash(&mut self, name: &str, key: &str, args: &[String]) -> Result<Value, Failure> {
        let mut hash: Map = self.keys().hash(key)?.cloned().unwrap_or_default();
        let reply = match (name, args) {
            ("HSET", pairs) if pairs.len().is_multiple_of(2) => {
                number(pairs.chunks(2).filter(|pair| hash.insert(pair[0].as_str().into(), pair[1].as_str().into()).is_none()).count())
            }
            ("HSET", _) => return Err(self.refused("ERR wrong number of arguments for 'hset' command")),
            ("HSETNX", [field, value]) => {
                let is_new = !hash.contains_key(field.as_str());
                if is_new {
                    hash.insert(field.as_str().into(), value.as_str().into());
                }
                i64::from(is_new).into()
            }
            ("HINCRBY", [field, by]) => {
                let old = hash.get(field.as_str()).map_or_else(|| "0".to_owned(), plain);
                let old = old.parse::<i64>().map_err(|_| self.refused("ERR hash value is not an integer"))?;
                let new = old.saturating_add(self.number(by)?);
                hash.insert(field.as_str().into(), new.to_string().into());
                new.into()
            }
            (_, fields) => number(fields.iter().filter(|field| hash.remove(field.as_str()).is_some()).count()),
        };
        self.put(key, Value::Map(hash));
        Ok(reply)
    }

    fn list(&mut self, name: &str, key: &str, args: &[String]) -> Result<Value, Failure> {
        let mut list: Vec<Value> = self.keys().list(key)?.to_vec();
        let reply = match (name, args) {
            ("LPUSH", items) => {
                items.iter().for_each(|item| list.insert(0, item.as_str().into()));
                number(list.len())
            }
            ("RPUSH", items) => {
                list.extend(items.iter().map(|item| Value::from(item.as_str())));
                number(list.len())
            }
            ("LPOP", _) if !list.is_empty() => plain(&list.remove(0)).into(),
            ("LPOP" | "RPOP", _) => list.pop().map(|item| plain(&item)).into(),
            ("LTRIM", [from, to]) => {
                let (from, to) = super::range(self.number(from)?, self.number(to)?, list.len());
                list = list.into_iter().skip(from).take(to.saturating_sub(from)).collect();
                "OK".into()
            }
            ("LSET", [at, value]) => {
                let at = self.number(at)?;
                let at = if at < 0 { list.len() as i64 + at } else { at };
                let is_empty = list.is_empty();
                match usize::try_from(at).ok().and_then(|at| list.get_mut(at)) {
                    Some(place) => *place = value.as_str().into(),
                    None if is_empty => return Err(self.refused("ERR no such key")),
                    None => return Err(self.refused("ERR index out of range")),
                }
                "OK".into()
            }
            (_, [count, value]) => {
                let count = self.number(count)?;
                let most = if count == 0 { usize::MAX } else { count.unsigned_abs() as usize };
                let mut gone = 0;
                let mut keeps = |item: &Value| {
                    let goes = gone < most && plain(item) == *value;
                    gone += usize::from(goes);
                    !goes
                };
                if count < 0 {
                    list.reverse();
                    list.retain(&mut keeps);
                    list.reverse();
                } else {
                    list.retain(&mut keeps);
                }
                number(gone)
            }
            _ => return Err(self.refused("ERR syntax error")),
        };
        self.put(key, Value::List(list));
        Ok(reply)
    }
}

fn number(count: usize) -> Value {
    Value::Int(i64::try_from(count).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::super::super::file::DatabaseFile;
    use super::super::answer;
    use super::*;

    fn store() -> Store {
        let file: DatabaseFile = serde_saphyr::from_str("keys: { greeting: hi, n: 7, q: [a, b, a], h: { f: v } }").unwrap();
        Store::new(&file)
    }

    fn tell(store: &mut Store, command: &str, now: i64) -> Result<String, Failure> {
        let words: Vec<String> = command.split(' ').map(str::to_owned).collect();
        let values: Vec<Value> = words.iter().map(|word| word.as_str().into()).collect();
        match COMMANDS.iter().any(|(name, ..)| name.eq_ignore_ascii_case(&words[0])) && !command.starts_with("CONFIG GET") {
            true => perform(store, "redis", &values, now, "w.yaml").map(|value| value.to_string()),
            false => answer(store, "redis", &words, now, "w.yaml").map(|value| value.to_string()),
        }
    }

    #[test]
    fn commands_change_what_later_ones_answer() {
        let mut store = store();
        for (command, now, reply) in [
            ("SET greeting hello EX 10", 1000, "\"OK\""),
            ("PEXPIRETIME greeting", 1000, "11000"),
            ("TTL greeting", 2000, "9"),
            ("PERSIST greeting", 2000, "1"),
            ("TTL greeting", 2000, "-1"),
            ("EXPIRE greeting 1", 2000, "1"),
            ("GET greeting", 2999, "\"hello\""),
            ("GET greeting", 3000, "null"),
            ("EXPIRE greeting 1", 3000, "0"),
            ("SET n 1 NX", 3000, "null"),
            ("INCRBY n 5", 3000, "12"),
            ("DECR n", 3000, "11"),
            ("SETNX new 1", 3000, "1"),
            ("DEL new nothing", 3000, "1"),
            ("RPUSH q c", 3000, "4"),
            ("LREM q 1 a", 3000, "1"),
            ("LRANGE q 0 -1", 3000, "[\"b\",\"a\",\"c\"]"),
            ("LTRIM q 1 1", 3000, "\"OK\""),
            ("LPOP q", 3000, "\"a\""),
            ("EXISTS q", 3000, "0"),
            ("HSET h f w g 2", 3000, "1"),
            ("HGETALL h", 3000, "{\"f\":\"w\",\"g\":\"2\"}"),
            ("HDEL h f g", 3000, "2"),
            ("EXISTS h", 3000, "0"),
            ("CONFIG SET maxmemory 100mb", 3000, "\"OK\""),
            ("CONFIG GET maxmemory", 3000, "[\"maxmemory\",\"100mb\"]"),
            ("RENAME n m", 3000, "\"OK\""),
            ("DBSIZE", 3000, "1"),
            ("FLUSHDB", 3000, "\"OK\""),
            ("DBSIZE", 3000, "0"),
        ] {
            assert_eq!(tell(&mut store, command, now).unwrap(), reply, "{command}");
        }
    }

    #[test]
    fn errors_are_the_servers_and_the_subset_is_stated() {
        let mut store = store();
        for (command, message) in [
            ("INCR greeting", "redis `redis`: INCR: ERR value is not an integer or out of range"),
            ("APPEND q x", "redis `redis`: APPEND: WRONGTYPE"),
            ("SET a 1 EX 0", "redis `redis`: SET: ERR invalid expire time in 'set' command"),
            ("SET a 1 EX", "redis `redis`: SET: ERR syntax error"),
            ("RENAME nothing x", "redis `redis`: RENAME: ERR no such key"),
        ] {
            let failure = tell(&mut store, command, 0).unwrap_err();
            assert!(failure.message.starts_with(message), "{command}: {}", failure.message);
        }
        let failure = perform(&mut store, "redis", &["SORT".into(), "q".into()], 0, "w.yaml").unwrap_err();
        assert!(failure.message.starts_with("a world does not simulate the Redis command \"SORT\""), "{failure}");
        for (name, least, _) in COMMANDS {
            let words: Vec<Value> = std::iter::once(name.into()).chain((0..least).map(|_| "1".into())).collect();
            let simulated = perform(&mut Store::default(), "redis", &words, 0, "w.yaml");
            assert!(!simulated.is_err_and(|failure| failure.message.contains("does not simulate")), "{name}");
        }
    }
}
