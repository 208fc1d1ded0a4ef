//! `to_json`: a value as text.

use crate::call::mask::MASK;
use crate::call::{Body, Function};
use crate::model::spec::{Args, Example, Group, Keep, Opt, Param, Type};
use crate::model::{Failure, Spec, Tier, Value};

/// The function.
pub static TO_JSON: Function = Function {
    spec: Spec {
        name: "to_json",
        group: Group::Values,
        summary: "Writes a value as JSON. A secret is written as `***`, and what is no number to JSON (`NaN`, infinities) as `null`.",
        params: &[Param { name: "value", ty: Type::Data, required: true, help: "anything but a closure" }],
        options: &[Opt { name: "pretty", ty: Type::Bool, default: "false", help: "over several lines, indented" }],
        returns: "a text, its keys in their order",
        tier: Tier::Mild,
        keep: Keep::Payload,
        errors: &[],
        examples: &[Example { title: "A value as text", code: "to_json([1, 2.5, true])", result: "\"[1,2.5,true]\"" }],
    },
    body: Body::Pure(body),
};

fn body(args: &Args) -> Result<Value, Failure> {
    let value = masked(args.get(0).unwrap_or(&Value::Null));
    let json = if args.option_bool("pretty") { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
    json.map(Value::from).map_err(|error| Failure::bad_argument(format!("`value` cannot be written as JSON: {error}")))
}

/// A value whose secrets are their mask.
fn masked(value: &Value) -> Value {
    match value {
        Value::Secret(_) => MASK.into(),
        Value::List(items) => items.iter().map(masked).collect::<Vec<_>>().into(),
        Value::Map(map) => Value::Map(map.iter().map(|(key, item)| (key.clone(), masked(item))).collect()),
        plain => plain.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map;
    use crate::model::Secret;

    fn json(value: Value, options: Value) -> String {
        let answer = body(&TO_JSON.spec.bind(vec![value, options]).unwrap()).unwrap();
        answer.as_str().unwrap().to_owned()
    }

    #[test]
    fn secrets_are_their_mask_at_any_depth() {
        let secret = Secret::new("env:TOKEN", "hunter2hunter2");
        assert_eq!(json(map! { "a" => vec![Value::from(secret.clone())], "b" => 1.0 }, map! {}), r#"{"a":["***"],"b":1.0}"#);
        assert_eq!(json(secret.into(), map! {}), "\"***\"");
    }

    #[test]
    fn what_is_no_number_is_null_and_lines_are_indented() {
        assert_eq!(
            json(vec![Value::from(f64::NAN), f64::NEG_INFINITY.into(), i64::MIN.into()].into(), map! {}),
            "[null,null,-9223372036854775808]"
        );
        assert_eq!(json(map! { "a" => 1 }, map! { "pretty" => true }), "{\n  \"a\": 1\n}");
    }
}
