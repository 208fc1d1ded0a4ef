//! Parameters: sent as text, so that the server reads each by the type that the statement gives it.

use std::error::Error;

use bytes::BytesMut;
use tokio_postgres::types::{Format, IsNull, Kind as TypeKind, ToSql, Type};

use super::super::open;
use crate::model::{Failure, Value};

/// One bound parameter.
pub(super) struct Param<'a>(&'a Value);

impl<'a> Param<'a> {
    /// A parameter; what nobody knows is refused.
    pub(super) fn new(value: &'a Value) -> Result<Self, Failure> {
        match value.find(&|inner| matches!(inner, Value::Unsent(_))) {
            Some(Value::Unsent(unsent)) => Err(crate::platform::failures::unsent(&unsent.function)),
            _ => Ok(Self(value)),
        }
    }
}

// The default shows a parameter in errors.
impl std::fmt::Debug for Param<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.type_name())
    }
}

impl ToSql for Param<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        if matches!(self.0, Value::Null) {
            return Ok(IsNull::Yes);
        }
        out.extend_from_slice(text(self.0, ty)?.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    fn to_sql_checked(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        self.to_sql(ty, out)
    }
}

/// A value as the server's input text for a type.
fn text(value: &Value, ty: &Type) -> Result<String, Box<dyn Error + Sync + Send>> {
    if matches!(*ty, Type::JSON | Type::JSONB) {
        // A string that is JSON already is taken as it is; others are JSON strings.
        return match value {
            Value::Str(text) if serde_json::from_str::<serde_json::Value>(text).is_ok() => Ok(text.clone()),
            _ => Ok(open::json(value)?.to_string()),
        };
    }
    Ok(match value {
        Value::Bool(b) => b.to_string(),
        Value::Int(n) => n.to_string(),
        Value::Float(x) => x.to_string(),
        Value::Str(s) => s.clone(),
        Value::Secret(secret) => secret.expose().to_owned(),
        Value::List(items) => {
            let TypeKind::Array(element) = ty.kind() else { return Err(format!("an array cannot be bound to the type {ty}").into()) };
            array(items, element)?
        }
        other => return Err(format!("a {} cannot be bound to the type {ty}", other.type_name()).into()),
    })
}

/// An array literal: every element quoted, so that none can be read as anything else.
fn array(items: &[Value], element: &Type) -> Result<String, Box<dyn Error + Sync + Send>> {
    let mut out = String::from("{");
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        match item {
            Value::Null => out.push_str("NULL"),
            Value::List(inner) => out.push_str(&array(inner, element)?),
            item => {
                out.push('"');
                for c in text(item, element)?.chars() {
                    if matches!(c, '"' | '\\') {
                        out.push('\\');
                    }
                    out.push(c);
                }
                out.push('"');
            }
        }
    }
    out.push('}');
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map;
    use crate::model::Secret;

    #[test]
    fn values_are_written_as_the_type_reads_them() {
        let list = Value::List(vec!["a\"b\\,{}".into(), Value::Null, "NULL".into()]);
        for (value, ty, expected) in [
            (Value::Int(7), Type::INT4, "7"),
            (Value::Bool(true), Type::BOOL, "true"),
            (Value::Float(0.5), Type::NUMERIC, "0.5"),
            (Value::Secret(Secret::new("env:T", "s")), Type::TEXT, "s"),
            (list, Type::TEXT_ARRAY, r#"{"a\"b\\,{}",NULL,"NULL"}"#),
            (Value::List(vec![vec![Value::Int(1)].into(), vec![Value::Int(2)].into()]), Type::INT4_ARRAY, r#"{{"1"},{"2"}}"#),
            (map! { "a" => 1 }, Type::JSONB, r#"{"a":1}"#),
            (Value::from("plain"), Type::JSON, r#""plain""#),
            (Value::from("[1]"), Type::JSON, "[1]"),
        ] {
            assert_eq!(text(&value, &ty).unwrap(), expected, "{ty}");
        }
        assert!(text(&map! { "a" => 1 }, &Type::INT4).is_err() && text(&Value::List(vec![]), &Type::INT4).is_err());
    }
}
