//! `check`: something that must hold.

use crate::call::ledger::Found;
use crate::call::{Body, Cx, Function};
use crate::model::spec::{Args, Example, Group, Keep, Param, Type};
use crate::model::{Failure, Kind, Spec, Tier, Value};

/// The function.
pub static CHECK: Function = Function {
    spec: Spec {
        name: "check",
        group: Group::Flow,
        summary: "Goes on only if something holds. After simulated changes nobody can know: then it is listed as unproven, and passed.",
        params: &[
            Param { name: "holds", ty: Type::Bool, required: true, help: "what must be true" },
            Param { name: "message", ty: Type::Str, required: true, help: "what is wrong if it is not" },
        ],
        options: &[],
        returns: "nothing; what does not hold is the error `failed` with the message",
        tier: Tier::Mild,
        keep: Keep::Line,
        errors: &[Kind::Failed],
        examples: &[Example {
            title: "A health that must be",
            code: "check(http_health(\"api-gateway\").ok, \"the gateway is down\")",
            result: "null",
        }],
    },
    body: Body::Output(body),
};

fn body(args: &Args, cx: &Cx<'_>) -> Result<Value, Failure> {
    let holds = args.get(0).and_then(Value::as_bool).unwrap_or(false);
    let stale = cx.take_stale();
    if holds {
        if stale > 0 {
            cx.finding(Found::StaleDecision, format!("a check held on what was read before the simulated changes: {}", args.str(1)));
        }
        return Ok(Value::Null);
    }
    if cx.rehearsing() && cx.changes_so_far() > 0 {
        cx.finding(Found::Unproven, args.str(1).to_owned());
        return Ok(Value::Null);
    }
    Err(Failure::new(Kind::Failed, args.str(1)))
}
