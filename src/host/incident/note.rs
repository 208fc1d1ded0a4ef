//! `note`: a remark on the record.

use crate::call::ui::Event;
use crate::call::{Body, Cx, Function};
use crate::model::spec::{Args, Example, Group, Keep, Param, Type};
use crate::model::{Failure, Spec, Tier, Value};

/// The function.
pub static NOTE: Function = Function {
    spec: Spec {
        name: "note",
        group: Group::Incident,
        summary: "Puts a remark on the record, and shows it.",
        params: &[Param { name: "text", ty: Type::Str, required: true, help: "the remark" }],
        options: &[],
        returns: "nothing",
        tier: Tier::Mild,
        keep: Keep::Line,
        errors: &[],
        examples: &[Example { title: "A remark", code: "note(\"The cache was cold after the restart.\")", result: "null" }],
    },
    body: Body::Output(body),
};

fn body(args: &Args, cx: &Cx<'_>) -> Result<Value, Failure> {
    cx.ui().event(&Event::Note(args.str(0)));
    Ok(Value::Null)
}
