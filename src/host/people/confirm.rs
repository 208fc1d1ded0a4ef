//! `confirm`: a person's yes.

use crate::call::ledger::Found;
use crate::call::ui::Question;
use crate::call::{Body, Cx, Function};
use crate::model::spec::{Args, Example, Group, Keep, Param, Type};
use crate::model::{Failure, Kind, Spec, Tier, Value, text};

/// The function.
pub static CONFIRM: Function = Function {
    spec: Spec {
        name: "confirm",
        group: Group::People,
        summary: "Asks a person and goes on only after a yes. `--yes` does not answer it; `--answer ID=yes` does.",
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
    let answer = cx.given_answer(id).map(str::to_owned).or_else(|| {
        cx.ui().ask(&Question {
            environment: cx.environment().name.clone(),
            text: question.clone(),
            details: Vec::new(),
            choices: "[y]es [n]o".into(),
        })
    });
    match answer.as_deref().map(str::trim) {
        Some("y" | "yes" | "Y" | "YES" | "Yes") => Ok(true.into()),
        Some(_) => Err(Failure::new(Kind::NotConfirmed, format!("a person said no to {id:?}: {question}"))),
        None => Err(Failure::new(Kind::NotConfirmed, format!("nobody is there to answer {id:?}: {question}"))
            .hint(format!("run on a terminal, or pass --answer {id}=yes"))),
    }
}
