//! Recorded calls that answer instead of a platform.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::ledger::Change;
use crate::model::{Call, CallId, Failure, Key, Kind, Map, Secret, Unsent, Value};

/// One recorded call.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The function.
    pub function: String,
    /// What it was about.
    pub target: Option<String>,
    /// Its arguments, as plain data.
    pub args: Value,
    /// Where it stood, for messages.
    pub place: String,
    /// How it ended.
    pub result: Result<Value, Failure>,
    /// Its changes.
    pub changes: Vec<Change>,
}

/// Answers calls from a record.
pub trait History: Send + Sync {
    /// The recorded call in this one's place; none where calls go to the platform. A call that differs is `diverged`.
    fn take(&self, call: &Call) -> Result<Option<Recorded>, Failure>;

    /// How many recorded calls were not made.
    fn left(&self) -> usize;

    /// What the recorded run failed with.
    fn failure(&self) -> Option<&Failure> {
        None
    }
}

/// No record: every call goes to the platform.
pub struct NoHistory;

impl History for NoHistory {
    fn take(&self, _: &Call) -> Result<Option<Recorded>, Failure> {
        Ok(None)
    }
    fn left(&self) -> usize {
        0
    }
}

/// A whole recording: every call must be in it.
pub struct Replay {
    run: String,
    calls: Mutex<HashMap<CallId, Recorded>>,
    failure: Option<Failure>,
}

impl Replay {
    /// A replay of a run's calls, and of what it failed with.
    pub fn new(run: String, calls: HashMap<CallId, Recorded>, failure: Option<Failure>) -> Self {
        Self { run, calls: Mutex::new(calls), failure }
    }
}

impl History for Replay {
    fn take(&self, call: &Call) -> Result<Option<Recorded>, Failure> {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(recorded) = calls.remove(&call.id) else {
            return Err(diverged(format!(
                "call {} is {} at {}, and run {} has no call there",
                call.id,
                described(call.function, call.target.as_deref()),
                call.at,
                self.run
            )));
        };
        if recorded.function != call.function {
            return Err(diverged(format!(
                "call {} was {} at {}, and is {} at {} now",
                call.id,
                described(&recorded.function, recorded.target.as_deref()),
                recorded.place,
                described(call.function, call.target.as_deref()),
                call.at
            )));
        }
        let args = as_recorded(&call.args);
        if recorded.args != args {
            return Err(diverged(format!(
                "call {}, {} at {}, was recorded with {} and is made with {} now",
                call.id, call.function, call.at, recorded.args, args
            )));
        }
        Ok(Some(recorded))
    }

    fn left(&self) -> usize {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }
}

fn described(function: &str, target: Option<&str>) -> String {
    target.map_or_else(|| format!("{function}()"), |target| format!("{function}({target:?})"))
}

fn diverged(message: String) -> Failure {
    Failure::new(Kind::Diverged, message).hint("the script, its parameters or its imports differ from the recorded run's")
}

/// A value as it reads back from a journal: placeholders are plain maps there.
pub fn as_recorded(value: &Value) -> Value {
    match value {
        Value::Secret(secret) => crate::map! { "$secret" => secret.name() },
        Value::Unsent(Unsent { call, function, known }) if known.is_empty() => {
            crate::map! { "$unsent" => call.to_string(), "function" => function.clone() }
        }
        Value::Unsent(Unsent { call, function, known }) => {
            crate::map! { "$unsent" => call.to_string(), "function" => function.clone(), "known" => known.clone() }
        }
        Value::List(items) => items.iter().map(as_recorded).collect::<Vec<_>>().into(),
        Value::Map(map) => Value::Map(map.iter().map(|(key, item)| (key.clone(), as_recorded(item))).collect()),
        // JSON knows no infinities: they read back as null.
        Value::Float(x) if !x.is_finite() => Value::Null,
        plain => plain.clone(),
    }
}

/// How many `$` stand before the key of a placeholder; none before any other key.
fn dollars(key: &str) -> usize {
    let name = key.trim_start_matches('$');
    if matches!(name, "secret" | "unsent" | "body" | "float") { key.len() - name.len() } else { 0 }
}

/// An answer as it goes on record: what a system answered that reads like a placeholder gets one more `$`, so that it is none.
/// Numbers that JSON does not know are placeholders too.
pub fn escaped(value: &Value) -> Cow<'_, Value> {
    let like = |item: &Value| match item {
        Value::Float(number) => !number.is_finite(),
        item => item.as_map().is_some_and(|map| map.keys().any(|key| dollars(key) > 0)),
    };
    if value.find(&like).is_none() {
        return Cow::Borrowed(value);
    }
    fn walk(value: &Value) -> Value {
        let escaped = |key: &Key| if dollars(key) > 0 { format!("${key}").into() } else { key.clone() };
        match value {
            Value::List(items) => Value::List(items.iter().map(walk).collect()),
            Value::Map(map) => Value::Map(map.iter().map(|(key, item)| (escaped(key), walk(item))).collect()),
            Value::Float(number) if !number.is_finite() => crate::map! { "$float" => number.to_string() },
            other => other.clone(),
        }
    }
    Cow::Owned(walk(value))
}

/// The reverse of [`escaped`], for answers of our own journals. A revived secret is empty, and as opaque.
pub fn revived(value: Value) -> Value {
    match value {
        Value::Map(map) => {
            let text = |key: &str| map.get(key).and_then(Value::as_str).map(str::to_owned);
            match (map.len(), text("$secret"), text("$unsent").and_then(|id| id.parse().ok()), text("function")) {
                (1, Some(name), ..) => Value::Secret(Secret::new(name, "")),
                (1, ..) if text("$float").is_some() => Value::Float(text("$float").and_then(|word| word.parse().ok()).unwrap_or(f64::NAN)),
                (2, _, Some(call), Some(function)) => Value::Unsent(Unsent { call, function, known: Map::new() }),
                (3, _, Some(call), Some(function)) if map.get("known").is_some_and(|known| known.as_map().is_some()) => {
                    let known = map.get("known").and_then(Value::as_map).cloned().unwrap_or_default();
                    Value::Unsent(Unsent { call, function, known })
                }
                _ => {
                    let plain = |key: Key| if dollars(&key) > 1 { key[1..].into() } else { key };
                    Value::Map(map.into_iter().map(|(key, item)| (plain(key), revived(item))).collect())
                }
            }
        }
        Value::List(items) => items.into_iter().map(revived).collect::<Vec<_>>().into(),
        plain => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map;

    #[test]
    fn an_answer_comes_back_from_the_record_as_it_was() {
        let call: CallId = "3".parse().unwrap();
        let value = Value::List(vec![
            map! { "$secret" => "x", "a" => 1 },
            map! { "$secret" => "x" },
            map! { "$$secret" => "x", "deep" => map! { "$unsent" => "1", "function" => "notify" } },
            map! { "$unsent" => "1", "function" => "notify" },
            map! { "$oid" => "5f", "secret" => "x", "unsent" => "y" },
            Value::Secret(Secret::new("secret/login/password", "hunter2hunter2")),
            Value::Unsent(Unsent::new(call.clone(), "notify", Map::new())),
            Value::Unsent(Unsent::new(call, "exec", Map::from_iter([("exit_code", 0.into())]))),
            0.1.into(),
            f64::INFINITY.into(),
            map! { "$float" => "NaN", "deep" => f64::NEG_INFINITY },
            map! { "$float" => "NaN" },
        ]);
        let read: Value = serde_json::from_str(&escaped(&value).to_string()).unwrap();
        assert_eq!(revived(read), value);
        let plain = map! { "a" => vec![map! { "$date" => 1 }] };
        assert!(matches!(escaped(&plain), Cow::Borrowed(_)));
    }
}
