//! `sleep`: lets time pass.

use crate::call::{Body, Cx, Function};
use crate::model::spec::{Args, Example, Group, Keep, Param, Type};
use crate::model::{Failure, Spec, Tier, Value};

/// The function.
pub static SLEEP: Function = Function {
    spec: Spec {
        name: "sleep",
        group: Group::Machine,
        summary: "Lets time pass; a rehearsal and a world do not wait for it.",
        params: &[Param { name: "duration", ty: Type::Duration, required: true, help: "how long, such as \"30s\"" }],
        options: &[],
        returns: "nothing",
        tier: Tier::Mild,
        keep: Keep::Line,
        errors: &[],
        examples: &[Example { title: "A pause", code: "sleep(\"5s\")", result: "null" }],
    },
    body: Body::Local(body),
};

fn body(args: &Args, cx: &Cx<'_>) -> Result<Value, Failure> {
    cx.sleep(crate::model::duration::parse(args.str(0))?)?;
    Ok(Value::Null)
}
