//! `now`: the time.

use crate::call::{Body, Cx, Function};
use crate::model::spec::{Args, Example, Group, Keep, Opt, Type};
use crate::model::{Failure, Spec, Tier, Value};

/// The function.
pub static NOW: Function = Function {
    spec: Spec {
        name: "now",
        group: Group::Machine,
        summary: "Tells the time, in UTC; a world's own time in a world.",
        params: &[],
        options: &[Opt {
            name: "format",
            ty: Type::Choice(&["text", "unix_ms"]),
            default: "\"text\"",
            help: "RFC 3339 text to the second, or milliseconds since 1970",
        }],
        returns: "`\"2025-09-01T12:00:00Z\"`, or a number with `#{ format: \"unix_ms\" }`",
        tier: Tier::Mild,
        keep: Keep::Line,
        errors: &[],
        examples: &[Example {
            title: "How long something took",
            code: "let started = now(#{ format: \"unix_ms\" });\nsleep(\"2s\");\nnow(#{ format: \"unix_ms\" }) - started >= 2000",
            result: "true",
        }],
    },
    body: Body::Local(body),
};

fn body(args: &Args, cx: &Cx<'_>) -> Result<Value, Failure> {
    let now = cx.clock().now();
    Ok(match args.option_str("format") {
        Some("unix_ms") => now.as_millisecond().into(),
        _ => now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into(),
    })
}
