//! `read_file`: a file of the project.

use crate::call::{Body, Cx, Function};
use crate::model::operation::{Encoding, FileQuery};
use crate::model::spec::{Args, Example, Group, Keep, Opt, Param, Type};
use crate::model::{Failure, Kind, Read, Spec, Tier, Value};

/// The function.
pub static READ_FILE: Function = Function {
    spec: Spec {
        name: "read_file",
        group: Group::Machine,
        summary: "Reads a file beneath the project's root, links resolved. One that leads out of it ends the run.",
        params: &[Param {
            name: "path",
            ty: Type::Str,
            required: true,
            help: "from the project's root, such as \"templates/incident.txt\"",
        }],
        options: &[
            Opt { name: "limit", ty: Type::Int(1, 8 << 20), default: "8388608", help: "the most bytes; a larger file is `too_large`" },
            Opt {
                name: "lossy",
                ty: Type::Bool,
                default: "false",
                help: "replaces what is not UTF-8 with `\u{fffd}`; otherwise it is an error",
            },
            Opt {
                name: "seal",
                ty: Type::Bool,
                default: "false",
                help: "answers the content, 64 KiB at most and without the newline at its end, as a secret: a token, a key",
            },
        ],
        returns: "the text, or a secret",
        tier: Tier::Mild,
        keep: Keep::Payload,
        errors: &[Kind::NotFound, Kind::Denied, Kind::TooLarge, Kind::Failed],
        examples: &[Example {
            title: "What the project says",
            code: "grep(read_file(\"runbook.toml\"), \"^\\\\[environments\\\\.[a-z]+\\\\]\").len() > 0",
            result: "true",
        }],
    },
    body: Body::Local(body),
};

fn body(args: &Args, cx: &Cx<'_>) -> Result<Value, Failure> {
    cx.read(&Read::File(FileQuery {
        path: args.str(0).to_owned(),
        limit: args.option_int("limit").and_then(|limit| u64::try_from(limit).ok()).unwrap_or_default(),
        encoding: if args.option_bool("lossy") { Encoding::Lossy } else { Encoding::Strict },
        secret: args.option_bool("seal"),
    }))
}
