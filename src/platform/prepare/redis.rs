//! The pre-image of simple writes to one key of Redis, and the command that brings it back: exact, with the key's expiry.
//!
//! Values are data: what is shown and recorded of them is their shape. The old value itself is in the inverse only.

use jiff::Timestamp;

use super::bare;
use crate::map;
use crate::model::operation::RedisChange;
use crate::model::{Failure, Map, Prepared, Provenance, Read, Value, Write};
use crate::platform::{Cx, Observe};

/// Larger values are not kept for an inverse.
const LARGEST: i64 = 64 * 1024;

/// Prepares a command.
pub(super) fn prepare(observe: &dyn Observe, op: Write, cx: &Cx<'_>) -> Result<Prepared, Failure> {
    let Write::Redis(change) = &op else { unreachable!("only Redis commands are prepared here") };
    let words: Vec<&str> = change.command.iter().map(|word| word.as_str().unwrap_or_default()).collect();
    let verb = words.first().map(|verb| verb.to_ascii_uppercase()).unwrap_or_default();
    let look = Look { observe, change, cx };
    let value_at = if matches!(verb.as_str(), "SETEX" | "PSETEX" | "HSET") { 3 } else { 2 };
    let hidden = change.command.iter().enumerate().any(|(at, word)| at != value_at && matches!(word, Value::Secret(_)));
    let found = match (verb.as_str(), words.get(1..).unwrap_or_default()) {
        // What a secret names is not looked at.
        _ if hidden => None,
        ("CONFIG", [_, _, ..]) if matches!(change.command.get(2), Some(Value::Secret(_))) => None,
        ("SET", [key, _, options @ ..]) => match expiry(options) {
            Some(expires) => look.key(key)?.map(|old| old.set(key, &change.command[2], expires)),
            None => None,
        },
        ("SETEX", [key, seconds, _]) => look.key(key)?.map(|old| old.set(key, &change.command[3], Expires::Later(format!("{seconds}s")))),
        ("PSETEX", [key, millis, _]) => look.key(key)?.map(|old| old.set(key, &change.command[3], Expires::Later(format!("{millis}ms")))),
        ("SETNX", [key, _]) => look.key(key)?.map(|old| match old.ty.as_str() {
            "none" => old.set(key, &change.command[2], Expires::Never),
            _ => old.stays(),
        }),
        ("DEL" | "UNLINK", [key]) => look.key(key)?.map(|old| old.deleted(key)),
        ("EXPIRE" | "PEXPIRE" | "EXPIREAT" | "PEXPIREAT", [key, time]) => match later(&verb, time) {
            Some(expires) => look.key(key)?.map(|old| old.expires_at(key, &expires)),
            None => None,
        },
        ("PERSIST", [key]) => look.key(key)?.map(|old| old.expires_at(key, &Expires::Never)),
        ("HSET" | "HDEL", [key, field, rest @ ..]) if rest.len() == usize::from(verb == "HSET") => {
            look.field(key, field, change.command.get(3))?
        }
        ("CONFIG", [set, parameter, value]) if set.eq_ignore_ascii_case("SET") => look.parameter(parameter, value)?,
        _ => None,
    };
    let shown = map! { "command" => verb };
    let prepared = Prepared { after: shown, ..bare(observe, op.clone()) };
    Ok(match found {
        None => prepared,
        Some(Found { before, after, back, probe, provenance }) => {
            let (inverse, remark) = match back {
                Ok(command) => (Some(look.write(command)), None),
                Err(why) => (None, why.map(|why| format!("nothing takes it back: {why}"))),
            };
            let probe = Some(look.read(&probe));
            Prepared { before, after, inverse, probe, provenance, remarks: remark.into_iter().collect(), ..prepared }
        }
    })
}

/// When a key expires.
#[derive(Clone, PartialEq)]
enum Expires {
    Never,
    Kept,
    /// So long after it is sent.
    Later(String),
    /// At a time in milliseconds since 1970.
    At(i64),
}

/// The expiry that a SET's options ask for; none of options whose outcome is not known beforehand.
fn expiry(options: &[&str]) -> Option<Expires> {
    let number = |text: &str| text.parse::<i64>().ok();
    match options {
        [] => Some(Expires::Never),
        [keep] if keep.eq_ignore_ascii_case("KEEPTTL") => Some(Expires::Kept),
        [unit, time] => match unit.to_ascii_uppercase().as_str() {
            "EX" => number(time).map(|time| Expires::Later(format!("{time}s"))),
            "PX" => number(time).map(|time| Expires::Later(format!("{time}ms"))),
            "EXAT" => number(time)?.checked_mul(1000).map(Expires::At),
            "PXAT" => number(time).map(Expires::At),
            _ => None,
        },
        _ => None,
    }
}

/// The expiry that EXPIRE and its like ask for; none where it would delete the key.
fn later(verb: &str, time: &str) -> Option<Expires> {
    let time = time.parse::<i64>().ok().filter(|time| *time > 0)?;
    match verb {
        "EXPIRE" => Some(Expires::Later(format!("{time}s"))),
        "PEXPIRE" => Some(Expires::Later(format!("{time}ms"))),
        "EXPIREAT" => time.checked_mul(1000).map(Expires::At),
        _ => Some(Expires::At(time)),
    }
}

/// What a write will make of what is there.
struct Found {
    before: Value,
    after: Value,
    /// The command that brings the old state back, or why there is none.
    back: Result<Vec<Value>, Option<&'static str>>,
    probe: Vec<String>,
    provenance: Provenance,
}

/// A key as it is.
struct Old {
    ty: String,
    /// The text, if it is one that can be kept.
    text: Result<String, &'static str>,
    /// In milliseconds since 1970.
    expires: Option<i64>,
    provenance: Provenance,
    probe: Vec<String>,
}

impl Old {
    fn shown(&self) -> Value {
        let value = match (&self.text, self.ty.as_str()) {
            (Ok(text), "string") => shape(text).into(),
            _ => Value::Null,
        };
        map! { "type" => self.ty.as_str(), "value" => value, "expires" => self.expires.map(time) }
    }

    fn stays(self) -> Found {
        let before = self.shown();
        Found { after: before.clone(), before, back: Err(None), probe: self.probe, provenance: self.provenance }
    }

    /// The command that makes the key what it is now.
    fn back(&self, key: &str) -> Result<Vec<Value>, Option<&'static str>> {
        match (self.ty.as_str(), &self.text) {
            ("none", _) => Ok(vec!["DEL".into(), key.into()]),
            ("string", Ok(text)) => {
                let mut command: Vec<Value> = vec!["SET".into(), key.into(), text.as_str().into()];
                if let Some(at) = self.expires {
                    command.extend(["PXAT".into(), at.to_string().into()]);
                }
                Ok(command)
            }
            ("string", Err(why)) => Err(Some(why)),
            _ => Err(Some("only the values of strings are kept")),
        }
    }

    fn set(self, key: &str, value: &Value, expires: Expires) -> Found {
        let value = match (value.as_str(), &self.text) {
            (None, _) => "a secret".to_owned(),
            (Some(new), Ok(old)) if self.ty == "string" && new != old && shape(new) == shape(old) => format!("{}, others", shape(new)),
            (Some(new), _) => shape(new),
        };
        let before = self.shown();
        let after = map! { "type" => "string", "value" => value, "expires" => self.then(&expires) };
        Found { before, after, back: self.back(key), probe: self.probe, provenance: self.provenance }
    }

    fn deleted(self, key: &str) -> Found {
        let before = self.shown();
        let after = map! { "type" => "none", "value" => Value::Null, "expires" => Value::Null };
        Found { before, after, back: self.back(key), probe: self.probe, provenance: self.provenance }
    }

    fn expires_at(self, key: &str, expires: &Expires) -> Found {
        if self.ty == "none" {
            return self.stays();
        }
        let before = map! { "type" => self.ty.as_str(), "expires" => self.expires.map(time) };
        let after = map! { "type" => self.ty.as_str(), "expires" => self.then(expires) };
        let back = match self.expires {
            None => vec!["PERSIST".into(), key.into()],
            Some(at) => vec!["PEXPIREAT".into(), key.into(), at.to_string().into()],
        };
        Found { before, after, back: Ok(back), probe: self.probe, provenance: self.provenance }
    }

    fn then(&self, expires: &Expires) -> Value {
        match expires {
            Expires::Never => Value::Null,
            Expires::Kept => self.expires.map(time).into(),
            Expires::Later(after) => format!("{after} later").into(),
            Expires::At(millis) => time(*millis).into(),
        }
    }
}

/// What of a value may be shown.
fn shape(text: &str) -> String {
    format!("string of {} byte{}", text.len(), if text.len() == 1 { "" } else { "s" })
}

fn time(millis: i64) -> String {
    Timestamp::from_millisecond(millis).map_or_else(|_| format!("{millis} ms"), |at| at.to_string())
}

/// Text that came whole: bytes that are none were replaced on their way.
fn whole(text: Option<&str>) -> Result<String, &'static str> {
    match text {
        Some(text) if !text.contains('\u{fffd}') => Ok(text.to_owned()),
        Some(_) => Err("the old value is no text"),
        None => Err("the old value was not read"),
    }
}

/// A look at what a command is about.
struct Look<'a> {
    observe: &'a dyn Observe,
    change: &'a RedisChange,
    cx: &'a Cx<'a>,
}

impl Look<'_> {
    fn write(&self, command: Vec<Value>) -> Write {
        Write::Redis(RedisChange { command, ..self.change.clone() })
    }

    fn read(&self, command: &[String]) -> Read {
        Read::Redis { database: self.change.database.clone(), command: command.to_vec(), timeout: self.change.timeout }
    }

    /// Replies in the order of the commands, none where the server refuses one; fails where nobody answers.
    fn ask(&self, commands: &[&[&str]]) -> Result<(Vec<Option<Value>>, Provenance), Failure> {
        let reads: Vec<Read> =
            commands.iter().map(|words| self.read(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())).collect();
        let (mut replies, mut provenance) = (Vec::new(), Provenance::default());
        for answer in self.observe.read_all(&reads, self.cx) {
            replies.push(match answer {
                Ok(answer) => {
                    provenance = provenance.max(answer.provenance);
                    Some(answer.value)
                }
                // A right that lacks, an older server, another type: without a pre-image the command is sent all the same.
                Err(failure)
                    if matches!(
                        failure.kind,
                        crate::model::Kind::Failed | crate::model::Kind::Forbidden | crate::model::Kind::BadArgument
                    ) =>
                {
                    None
                }
                Err(failure) => return Err(failure),
            });
        }
        Ok((replies, provenance))
    }

    fn key(&self, key: &str) -> Result<Option<Old>, Failure> {
        let (replies, provenance) = self.ask(&[&["TYPE", key], &["STRLEN", key], &["PEXPIRETIME", key]])?;
        let number = |at: usize| replies.get(at).and_then(Option::as_ref).and_then(Value::as_int);
        let Some(ty) = replies.first().and_then(Option::as_ref).and_then(Value::as_str).map(str::to_owned) else { return Ok(None) };
        let Some(expires) = number(2) else { return Ok(None) };
        let text = match (ty.as_str(), number(1)) {
            ("string", Some(length)) if length <= LARGEST => {
                let (replies, _) = self.ask(&[&["GET", key]])?;
                whole(replies.first().and_then(Option::as_ref).and_then(Value::as_str))
            }
            ("string", _) => Err("the old value is larger than 64 KiB"),
            _ => Err("only the values of strings are kept"),
        };
        let probe = vec![if ty == "string" { "GET" } else { "TYPE" }.to_owned(), key.to_owned()];
        Ok(Some(Old { ty, text, expires: (expires >= 0).then_some(expires), provenance, probe }))
    }

    /// `HSET key field value`, or `HDEL key field` without a value.
    fn field(&self, key: &str, field: &str, value: Option<&Value>) -> Result<Option<Found>, Failure> {
        let (replies, provenance) =
            self.ask(&[&["TYPE", key], &["HSTRLEN", key, field], &["HLEN", key], &["PEXPIRETIME", key], &["HEXISTS", key, field]])?;
        let number = |at: usize| replies.get(at).and_then(Option::as_ref).and_then(Value::as_int);
        let (Some(length), Some(fields), Some(expires), Some(exists)) = (number(1), number(2), number(3), number(4)) else {
            return Ok(None);
        };
        let old = if exists == 0 {
            None
        } else if length > LARGEST {
            Some(Err("the old value is larger than 64 KiB"))
        } else {
            let (replies, _) = self.ask(&[&["HGET", key, field]])?;
            Some(whole(replies.first().and_then(Option::as_ref).and_then(Value::as_str)))
        };
        let shown = |value: Value| {
            let mut map = Map::new();
            map.insert(field.into(), value);
            Value::Map(map)
        };
        let before = shown(match &old {
            None => Value::Null,
            Some(Ok(text)) => shape(text).into(),
            Some(Err(_)) => format!("string of {length} bytes").into(),
        });
        let after = shown(match (value, &old) {
            (None, _) => Value::Null,
            (Some(Value::Str(new)), Some(Ok(old))) if new != old && shape(new) == shape(old) => format!("{}, others", shape(new)).into(),
            (Some(Value::Str(new)), _) => shape(new).into(),
            (Some(_), _) => "a secret".into(),
        });
        let back = match old {
            None => Ok(vec!["HDEL".into(), key.into(), field.into()]),
            // The last field takes its hash with it, and the hash its expiry.
            Some(Ok(_)) if value.is_none() && fields == 1 && expires >= 0 => Err(Some("the hash and its expiry go with its last field")),
            Some(Ok(text)) => Ok(vec!["HSET".into(), key.into(), field.into(), text.into()]),
            Some(Err(why)) => Err(Some(why)),
        };
        let probe = vec!["HEXISTS".to_owned(), key.to_owned(), field.to_owned()];
        Ok(Some(Found { before, after, back, probe, provenance }))
    }

    /// `CONFIG SET parameter value`. What may be a password is not asked for.
    fn parameter(&self, parameter: &str, value: &str) -> Result<Option<Found>, Failure> {
        let name = parameter.to_ascii_lowercase();
        let plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if !plain || ["pass", "auth", "user", "key", "secret"].iter().any(|word| name.contains(word)) && name != "notify-keyspace-events" {
            return Ok(None);
        }
        let (replies, provenance) = self.ask(&[&["CONFIG", "GET", &name]])?;
        let old = match replies.into_iter().next().flatten() {
            Some(Value::List(pair)) => pair.get(1).and_then(Value::as_str).map(str::to_owned),
            Some(Value::Map(map)) => map.get(name.as_str()).and_then(Value::as_str).map(str::to_owned),
            _ => None,
        };
        let Some(old) = old else { return Ok(None) };
        let shown = |value: &str| {
            let mut map = Map::new();
            map.insert(name.as_str().into(), value.into());
            Value::Map(map)
        };
        let back = vec!["CONFIG".into(), "SET".into(), name.as_str().into(), old.as_str().into()];
        let probe = vec!["CONFIG".to_owned(), "GET".to_owned(), name.clone()];
        Ok(Some(Found { before: shown(&old), after: shown(value), back: Ok(back), probe, provenance }))
    }
}
