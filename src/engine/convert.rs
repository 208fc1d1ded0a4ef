//! Between Rhai's values and ours.

use rhai::{Dynamic, FnPtr};

use super::opaque::{OpaqueSecret, OpaqueUnsent};
use crate::model::value::DEEPEST;
use crate::model::{Failure, Map, Value};

/// The tag of values that came from database rows: `show` gives their shape until they are revealed.
/// Computing with a value drops the tag; that is why messages to people must not be built from rows.
const ROW_TAG: i32 = 0x0052_4f57;

/// [`to_dynamic`] of a value that is used up: each part of it that nobody shares goes as soon as the script has its own, so that a
/// large answer is never held twice.
pub fn into_dynamic(value: Value) -> Dynamic {
    match value {
        Value::Str(text) => text.into(),
        Value::List(items) => Dynamic::from_array(items.into_iter().map(into_dynamic).collect()),
        Value::Map(map) => match map.into_unshared() {
            Ok(items) => Dynamic::from_map(items.into_iter().map(|(key, item)| (key.as_str().into(), into_dynamic(item))).collect()),
            Err(map) => to_dynamic(&Value::Map(map)),
        },
        other => to_dynamic(&other),
    }
}

/// A value as a script sees it.
pub fn to_dynamic(value: &Value) -> Dynamic {
    match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(b) => (*b).into(),
        Value::Int(n) => (*n).into(),
        Value::Float(x) => (*x).into(),
        Value::Str(s) => s.as_str().into(),
        Value::List(items) => Dynamic::from_array(items.iter().map(to_dynamic).collect()),
        Value::Map(map) => Dynamic::from_map(map.iter().map(|(key, item)| (key.as_str().into(), to_dynamic(item))).collect()),
        Value::Secret(secret) => Dynamic::from(OpaqueSecret(secret.clone())),
        Value::Unsent(unsent) => Dynamic::from(OpaqueUnsent(unsent.clone())),
    }
}

/// [`to_dynamic`], with every value in it tagged as coming from rows.
pub fn to_rows(value: &Value) -> Dynamic {
    let mut dynamic = match value {
        Value::List(items) => Dynamic::from_array(items.iter().map(to_rows).collect()),
        Value::Map(map) => Dynamic::from_map(map.iter().map(|(key, item)| (key.as_str().into(), to_rows(item))).collect()),
        plain => to_dynamic(plain),
    };
    dynamic.set_tag(ROW_TAG);
    dynamic
}

/// What a script holds as a value of ours. Closures and foreign types have none.
pub fn to_value(dynamic: &Dynamic) -> Result<Value, Failure> {
    convert(dynamic, Rows::AsTheyAre, 0)
}

/// [`to_value`], with rows by shape: counts and column types instead of contents.
pub fn to_shown(dynamic: &Dynamic) -> Result<Value, Failure> {
    convert(dynamic, Rows::ByShape, 0)
}

/// [`to_shown`], with what has no value of ours by its name.
pub fn to_printed(dynamic: &Dynamic) -> Value {
    if let Ok(value) = to_shown(dynamic) {
        return value;
    }
    if let Some(items) = dynamic.read_lock::<rhai::Array>() {
        return Value::List(items.iter().map(to_printed).collect());
    }
    if let Some(map) = dynamic.read_lock::<rhai::Map>() {
        return Value::Map(map.iter().map(|(key, item)| (key.to_string(), to_printed(item))).collect());
    }
    if dynamic.is::<FnPtr>() { "<closure>".into() } else { dynamic.to_string().into() }
}

/// Whether a value is rows of a database, or holds some.
pub fn holds_rows(dynamic: &Dynamic) -> bool {
    dynamic.tag() == ROW_TAG
        || dynamic.read_lock::<rhai::Array>().is_some_and(|items| items.iter().any(holds_rows))
        || dynamic.read_lock::<rhai::Map>().is_some_and(|map| map.values().any(holds_rows))
}

#[derive(Clone, Copy, PartialEq)]
enum Rows {
    AsTheyAre,
    ByShape,
}

fn convert(dynamic: &Dynamic, rows: Rows, depth: usize) -> Result<Value, Failure> {
    if rows == Rows::ByShape && dynamic.tag() == ROW_TAG {
        return Ok(shape(&convert(dynamic, Rows::AsTheyAre, depth)?).into());
    }
    if dynamic.is_unit() {
        return Ok(Value::Null);
    }
    if let Ok(b) = dynamic.as_bool() {
        return Ok(b.into());
    }
    if let Ok(n) = dynamic.as_int() {
        return Ok(n.into());
    }
    if let Ok(x) = dynamic.as_float() {
        return Ok(x.into());
    }
    if let Some(text) = dynamic.read_lock::<rhai::ImmutableString>() {
        return Ok(text.as_str().into());
    }
    if let Ok(c) = dynamic.as_char() {
        return Ok(c.to_string().into());
    }
    if depth == DEEPEST && (dynamic.is_array() || dynamic.is_map()) {
        let message = format!("a value with more than {DEEPEST} arrays or maps in one another cannot be passed here");
        return Err(Failure::bad_argument(message).hint("does a loop put a value into itself? an array of all is flat: `all.push(one)`"));
    }
    if let Some(items) = dynamic.read_lock::<rhai::Array>() {
        return Ok(Value::List(items.iter().map(|item| convert(item, rows, depth + 1)).collect::<Result<_, _>>()?));
    }
    if let Some(map) = dynamic.read_lock::<rhai::Map>() {
        let items = map.iter().map(|(key, item)| Ok((key.to_string(), convert(item, rows, depth + 1)?)));
        return Ok(Value::Map(items.collect::<Result<Map, Failure>>()?));
    }
    if let Some(secret) = dynamic.read_lock::<OpaqueSecret>() {
        return Ok(Value::Secret(secret.0.clone()));
    }
    if let Some(unsent) = dynamic.read_lock::<OpaqueUnsent>() {
        return Ok(Value::Unsent(unsent.0.clone()));
    }
    if dynamic.is::<FnPtr>() {
        return Err(Failure::bad_argument(NO_CLOSURE));
    }
    Err(Failure::bad_argument(format!("a {} cannot be passed to a host function", dynamic.type_name())))
}

/// What a closure is told where a value is wanted.
pub const NO_CLOSURE: &str = "a closure cannot be passed here";

/// The name of a script value's type, in its author's words.
pub fn kind(dynamic: &Dynamic) -> &'static str {
    match to_value(dynamic) {
        Ok(value) => value.type_name(),
        Err(_) if dynamic.is::<FnPtr>() => "closure",
        Err(_) if dynamic.is_array() => "array",
        Err(_) if dynamic.is_map() => "map",
        Err(_) => "value",
    }
}

/// A value's shape in words, without its content: `12 rows of #{ event_type: string, user_id: int }`.
pub fn shape(value: &Value) -> String {
    match value {
        Value::List(items) => match items.first() {
            Some(Value::Map(_)) => format!("{} rows of {}", items.len(), shape(&items[0])),
            Some(first) => format!("array of {} {}s", items.len(), first.type_name()),
            None => "no rows".to_owned(),
        },
        Value::Map(map) => {
            let fields: Vec<String> = map.iter().map(|(key, item)| format!("{key}: {}", item.type_name())).collect();
            format!("#{{ {} }}", fields.join(", "))
        }
        // A count is what most queries are for, and says nothing of a person.
        Value::Int(n) => n.to_string(),
        other => format!("<{}, revealed by `reveal: true`>", other.type_name()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map;
    use proptest::prelude::*;

    #[test]
    fn rows_are_shown_by_shape_down_to_a_single_cell() {
        let rows = Value::List(vec![map! { "name" => "Ada", "visits" => 3 }]);
        let dynamic = to_rows(&rows);
        assert_eq!(to_shown(&dynamic).unwrap(), "1 rows of #{ name: string, visits: int }".into());
        let cell = dynamic.read_lock::<rhai::Array>().unwrap()[0].read_lock::<rhai::Map>().unwrap()["name"].clone();
        assert_eq!(to_shown(&cell).unwrap(), "<string, revealed by `reveal: true`>".into());
        assert_eq!(to_value(&dynamic).unwrap(), rows);
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            (-1e9..1e9f64).prop_map(Value::Float),
            ".{0,12}".prop_map(Value::Str),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
                prop::collection::btree_map(".{0,6}", inner, 0..4).prop_map(|map| Value::Map(map.into())),
            ]
        })
    }

    proptest! {
        #[test]
        fn values_round_trip(value in any_value()) {
            prop_assert_eq!(to_value(&to_dynamic(&value)).unwrap(), value);
        }
    }
}
