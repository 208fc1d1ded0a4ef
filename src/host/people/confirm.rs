//! `confirm`: a person's yes.

use crate::call::ledger::Found;
use crate::call::{Body, Cx, Function};
use crate::model::spec::{Args, Example, Group, Keep, Param, Type};
use crate::model::{Failure, Kind, Spec, Tier, Value, text};

use super::person;

/// The function.
pub static CONFIRM: Function = Function {
    spec: Spec {
        name: "confirm",
        group: Group::People,
        summary: "Asks a person and goes on only after a yes. `--yes` does not answer it; `--answer ID=yes` does. Who answered, and when, is on record.",
        params: &[
            Param { name: "id", ty: Type::Str, required: true, help: "a short name, for `--answer`" },
            Param { name: "question", ty: Type::Str, required: true, help: "what is asked" },
        ],
        options: &[],
        returns: "`true`; a no is the error `not_confirmed`. A rehearsal does not ask, and goes on",
        tier: Tier::Mild,
        keep: Keep::Line,
        errors: &[Kind::NotConfirmed],
        examples: &[Example {
            title: "Handling a no",
            code: "let asked = attempt(|| confirm(\"quarantine\", \"Isolate the node now?\"));\nasked.error.kind",
            result: "\"not_confirmed\"",
        }],
    },
    body: Body::Local(body),
};

fn body(args: &Args, cx: &Cx<'_>) -> Result<Value, Failure> {
    let (id, question) = (args.str(0), text::one_line(args.str(1)).into_owned());
    if cx.rehearsing() && cx.given_answer(id).is_none() {
        cx.finding(Found::Remark, format!("a person would be asked ({id}): {question}"));
        return Ok(true.into());
    }
    let asked = person::question(cx, &question, &[], "[y]es [n]o".to_owned());
    // Whatever is no yes is a no.
    let (yes, by) = person::answered(cx, id, asked, "yes", |said| Ok(person::yes_or_no(said) == Some(true)))?;
    cx.decided(id, if yes { "confirmed" } else { "refused" }, &by)?;
    match yes {
        true => Ok(true.into()),
        false => Err(Failure::new(Kind::NotConfirmed, format!("a person said no to {id:?}: {question}"))),
    }
}
