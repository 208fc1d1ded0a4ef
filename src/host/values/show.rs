//! `show`: a value as a person reads it.

use crate::call::{Body, Cx, Function};
use crate::model::spec::{Args, Example, Group, Keep, Opt, Param, Type};
use crate::model::{Failure, Spec, Tier, Value};

/// The function.
pub static SHOW: Function = Function {
    spec: Spec {
        name: "show",
        group: Group::Values,
        summary: "Shows a value: a table for an array of maps, a tree for a map. Rows of databases are shown as counts and shapes.",
        params: &[Param { name: "value", ty: Type::Any, required: true, help: "anything" }],
        options: &[
            Opt { name: "title", ty: Type::Str, default: "", help: "a heading" },
            Opt { name: "reveal", ty: Type::Bool, default: "false", help: "shows the values of database rows too; that is on record" },
        ],
        returns: "nothing",
        tier: Tier::Mild,
        keep: Keep::Line,
        errors: &[],
        examples: &[Example {
            title: "A table",
            code: "show(pods(\"app=api-gateway\"), #{ title: \"The gateway's pods\" })",
            result: "null",
        }],
    },
    body: Body::Output(body),
};

fn body(args: &Args, cx: &Cx<'_>) -> Result<Value, Failure> {
    cx.ui().show(args.get(0).unwrap_or(&Value::Null), args.option_str("title"));
    Ok(Value::Null)
}
