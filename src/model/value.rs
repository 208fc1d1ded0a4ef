//! The one value type that crosses every border: script, platform, journal.

use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use zeroize::Zeroizing;

use super::{CallId, Map};

/// What a script, a platform and the journal exchange.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// Nothing: `()` in a script, `null` in JSON.
    #[default]
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// Text.
    Str(String),
    /// An array.
    List(Vec<Value>),
    /// An object map.
    Map(Map),
    /// Something that only connectors may open.
    Secret(Secret),
    /// The answer of a call that a rehearsal did not send.
    Unsent(Unsent),
}

/// The deepest nesting of a value: what is deeper no reader of JSON would take from the journal again.
pub const DEEPEST: usize = 100;

/// A named secret. Printing, comparing by content and serialising never show what it holds.
#[derive(Clone)]
pub struct Secret(Arc<Inner>);

struct Inner {
    name: String,
    content: Zeroizing<String>,
    form: Form,
}

/// What a secret's content is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// The secret itself.
    Text,
    /// The base64 of bytes that are no text.
    Base64,
}

impl Secret {
    /// Makes a secret from where it is from (shown) and what it holds (never shown).
    pub fn new(name: impl Into<String>, content: impl Into<String>) -> Self {
        Self(Arc::new(Inner { name: name.into(), content: Zeroizing::new(content.into()), form: Form::Text }))
    }

    /// Makes a secret of bytes that are no text, from their base64.
    pub fn of_bytes(name: impl Into<String>, base64: impl Into<String>) -> Self {
        Self(Arc::new(Inner { name: name.into(), content: Zeroizing::new(base64.into()), form: Form::Base64 }))
    }

    /// The same secret by another name.
    pub fn renamed(&self, name: impl Into<String>) -> Self {
        Self(Arc::new(Inner { name: name.into(), content: self.0.content.clone(), form: self.0.form }))
    }

    /// Whether what it holds is the base64 of bytes that are no text.
    pub fn is_base64(&self) -> bool {
        self.0.form == Form::Base64
    }

    /// How many bytes it is.
    pub fn bytes(&self) -> usize {
        let content = self.expose();
        match self.0.form {
            Form::Text => content.len(),
            Form::Base64 => content.trim_end_matches('=').len() * 3 / 4,
        }
    }

    /// Where the secret is from, such as `env:PGPASSWORD` or `secret/auth-secrets/key`.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Opens the secret. For connectors and the masker only.
    pub fn expose(&self) -> &str {
        &self.0.content
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

/// The stand-in for an answer nobody can know, because a rehearsal did not send the call.
#[derive(Clone, Debug, PartialEq)]
pub struct Unsent {
    /// The call that was not sent.
    pub call: CallId,
    /// The function's name, for the message.
    pub function: String,
    /// The fields that can be said all the same, such as the `exit_code` of 0 without which the script would have ended.
    pub known: Map,
}

impl Unsent {
    /// The stand-in for a call's answer, with what can be said of it all the same.
    pub fn new(call: CallId, function: &str, known: Map) -> Self {
        Self { call, function: function.to_owned(), known }
    }
}

impl Value {
    /// The text, if it is text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Str(s) => Some(s),
            _ => None,
        }
    }

    /// The whole number, if it is one.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(n) => Some(*n),
            _ => None,
        }
    }

    /// The number, whole or not, if it is one.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Value::Int(n) => Some(*n as f64),
            Value::Float(x) => Some(*x),
            _ => None,
        }
    }

    /// The truth value, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(b) => Some(*b),
            _ => None,
        }
    }

    /// The array, if it is one.
    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// The map, if it is one.
    pub fn as_map(&self) -> Option<&Map> {
        match self {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The map, to be changed, if it is one.
    pub fn as_map_mut(&mut self) -> Option<&mut Map> {
        match self {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The value under a key; nothing if this is no map or lacks the key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.as_map()?.get(key)
    }

    /// The value at a path of keys, such as `["spec", "replicas"]`.
    pub fn at(&self, path: &[&str]) -> Option<&Value> {
        path.iter().try_fold(self, |value, key| value.get(key))
    }

    /// The value at a path of keys, to be changed.
    pub fn at_mut(&mut self, path: &[&str]) -> Option<&mut Value> {
        path.iter().try_fold(self, |value, key| value.as_map_mut()?.get_mut(*key))
    }

    /// The text at a path of keys.
    pub fn str_at(&self, path: &[&str]) -> Option<&str> {
        self.at(path)?.as_str()
    }

    /// The whole number at a path of keys.
    pub fn int_at(&self, path: &[&str]) -> Option<i64> {
        self.at(path)?.as_int()
    }

    /// Sets a value at a path of keys, making maps on the way; what is no map on the way is replaced.
    pub fn set(&mut self, path: &[&str], value: Value) {
        let mut here = self;
        for key in path {
            if !matches!(here, Value::Map(_)) {
                *here = Value::Map(Map::new());
            }
            let Value::Map(map) = here else { return };
            here = map.entry((*key).into()).or_default();
        }
        *here = value;
    }

    /// What the value is, in a script author's words.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Null => "()",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Float(_) => "float",
            Value::Str(_) => "string",
            Value::List(_) => "array",
            Value::Map(_) => "map",
            Value::Secret(_) => "secret",
            Value::Unsent(_) => "unsent answer",
        }
    }

    /// Whether arrays and maps stand in one another deeper than that; looks no deeper.
    pub fn is_deeper(&self, than: usize) -> bool {
        let Some(rest) = than.checked_sub(1) else { return matches!(self, Value::List(_) | Value::Map(_)) };
        match self {
            Value::List(items) => items.iter().any(|item| item.is_deeper(rest)),
            Value::Map(map) => map.values().any(|item| item.is_deeper(rest)),
            _ => false,
        }
    }

    /// The first value within (itself included) that satisfies the test, depth first.
    pub fn find(&self, test: &dyn Fn(&Value) -> bool) -> Option<&Value> {
        if test(self) {
            return Some(self);
        }
        match self {
            Value::List(items) => items.iter().find_map(|item| item.find(test)),
            Value::Map(map) => map.values().find_map(|item| item.find(test)),
            _ => None,
        }
    }
}

macro_rules! from {
    ($($from:ty => $variant:ident),*) => {$(
        impl From<$from> for Value {
            fn from(value: $from) -> Self { Value::$variant(value.into()) }
        }
    )*};
}
from!(bool => Bool, i64 => Int, i32 => Int, u32 => Int, f64 => Float, &str => Str, String => Str, Vec<Value> => List, Map => Map, Secret => Secret);

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}

/// Makes a [`Value::Map`] from `key => value` pairs.
#[macro_export]
macro_rules! map {
    ($($key:expr => $value:expr),* $(,)?) => {{
        #[allow(unused_mut)]
        let mut map = $crate::model::Map::new();
        $(map.insert($crate::model::Key::from($key), $crate::model::Value::from($value));)*
        $crate::model::Value::Map(map)
    }};
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(b) => serializer.serialize_bool(*b),
            Value::Int(n) => serializer.serialize_i64(*n),
            Value::Float(x) => serializer.serialize_f64(*x),
            Value::Str(s) => serializer.serialize_str(s),
            Value::List(items) => serializer.collect_seq(items),
            Value::Map(map) => serializer.collect_map(map),
            Value::Secret(secret) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("$secret", secret.name())?;
                map.end()
            }
            Value::Unsent(unsent) => {
                let mut map = serializer.serialize_map(None)?;
                map.serialize_entry("$unsent", &unsent.call.to_string())?;
                map.serialize_entry("function", &unsent.function)?;
                if !unsent.known.is_empty() {
                    map.serialize_entry("known", &Value::Map(unsent.known.clone()))?;
                }
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    /// Reads plain data. `$secret` and `$unsent` stay maps: nothing read from outside becomes a secret by its looks.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Plain;
        impl<'de> Visitor<'de> for Plain {
            type Value = Value;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a plain value")
            }
            fn visit_unit<E>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }
            fn visit_none<E>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }
            fn visit_some<D: Deserializer<'de>>(self, d: D) -> Result<Value, D::Error> {
                Value::deserialize(d)
            }
            fn visit_bool<E>(self, b: bool) -> Result<Value, E> {
                Ok(Value::Bool(b))
            }
            fn visit_i64<E>(self, n: i64) -> Result<Value, E> {
                Ok(Value::Int(n))
            }
            fn visit_u64<E>(self, n: u64) -> Result<Value, E> {
                Ok(i64::try_from(n).map_or(Value::Float(n as f64), Value::Int))
            }
            fn visit_f64<E>(self, x: f64) -> Result<Value, E> {
                Ok(Value::Float(x))
            }
            fn visit_str<E>(self, s: &str) -> Result<Value, E> {
                Ok(Value::Str(s.to_owned()))
            }
            fn visit_string<E>(self, s: String) -> Result<Value, E> {
                Ok(Value::Str(s))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
                let mut items = Vec::with_capacity(seq.size_hint().unwrap_or(0).min(1024));
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Value::List(items))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
                let mut map = Map::new();
                while let Some((key, value)) = access.next_entry()? {
                    map.insert(key, value);
                }
                Ok(Value::Map(map))
            }
        }
        deserializer.deserialize_any(Plain)
    }
}

/// Compact JSON, secrets and unsent answers as placeholders.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match serde_json::to_string(self) {
            Ok(json) => f.write_str(&json),
            Err(_) => f.write_str("<not representable>"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_its_name_and_never_its_content() {
        let secret = Value::Secret(Secret::new("env:TOKEN", "hunter2hunter2"));
        assert_eq!(secret.to_string(), r#"{"$secret":"env:TOKEN"}"#);
        assert!(!format!("{secret:?}").contains("hunter2"));
    }

    #[test]
    fn json_round_trips_and_a_planted_placeholder_stays_a_map() {
        let json = r#"{"a":[1,2.5,null,true,"x"],"b":{"$secret":"env:TOKEN"}}"#;
        let value: Value = serde_json::from_str(json).unwrap();
        assert_eq!(value.to_string(), json);
        assert!(value.at(&["b"]).unwrap().as_map().is_some());
    }

    #[test]
    fn depth_counts_arrays_and_maps_within_one_another() {
        let nested = |levels: usize| (0..levels).fold(Value::Int(1), |inner, _| Value::List(vec![inner]));
        assert!(!nested(0).is_deeper(0) && nested(1).is_deeper(0));
        assert!(!nested(DEEPEST).is_deeper(DEEPEST) && nested(DEEPEST + 1).is_deeper(DEEPEST));
        assert!(crate::map! { "a" => 1, "b" => crate::map! { "c" => vec![] } }.is_deeper(2));
    }

    #[test]
    fn set_makes_the_path() {
        let mut value = Value::Null;
        value.set(&["spec", "replicas"], 3.into());
        assert_eq!(value, map! { "spec" => map! { "replicas" => 3 } });
    }
}
