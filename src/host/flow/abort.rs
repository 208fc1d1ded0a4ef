//! `abort`: ends the run.

use crate::call::{Body, Cx, Function};
use crate::model::spec::{Args, Example, Group, Keep, Param, Type};
use crate::model::{Failure, Kind, Spec, Tier, Value};

/// The function.
pub static ABORT: Function = Function {
    spec: Spec {
        name: "abort",
        group: Group::Flow,
        summary: "Ends the run as failed. No `try` and no `attempt` holds it up; rollbacks are offered.",
        params: &[Param { name: "reason", ty: Type::Str, required: true, help: "why" }],
        options: &[],
        returns: "nothing: it does not return",
        tier: Tier::Mild,
        keep: Keep::Line,
        errors: &[Kind::Failed],
        examples: &[Example {
            title: "Only where it must be",
            code: "if !http_health(\"api-gateway\").ok { abort(\"the gateway is down\"); }",
            result: "null",
        }],
    },
    body: Body::Local(body),
};

fn body(args: &Args, cx: &Cx<'_>) -> Result<Value, Failure> {
    let failure = Failure::new(Kind::Failed, format!("aborted: {}", args.str(0)));
    cx.stop(failure.clone());
    Err(failure)
}
