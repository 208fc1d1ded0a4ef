//! `manual`: something that a person does.

use crate::call::ledger::Found;
use crate::call::{Body, Cx, Function};
use crate::map;
use crate::model::spec::{Args, Example, Group, Keep, Opt, Param, Type};
use crate::model::{Failure, Kind, Spec, Tier, Value, text};

use super::person;

/// The function.
pub static MANUAL: Function = Function {
    spec: Spec {
        name: "manual",
        group: Group::People,
        summary: "Shows an instruction and goes on when a person says that it is done, perhaps with a remark. `--yes` does not say so; `--answer \"ID=yes REMARK\"` does. Who did, and when, is on record.",
        params: &[
            Param { name: "id", ty: Type::Str, required: true, help: "a short name, for `--answer`" },
            Param { name: "instruction", ty: Type::Str, required: true, help: "what is to be done" },
        ],
        options: &[Opt { name: "details", ty: Type::Strings, default: "", help: "lines beneath it: how it is done, one by one" }],
        returns: "`#{ id, by, at, note }`: who, when in UTC, and the remark or `()`. A no is the error `not_confirmed`. A rehearsal asks nobody: `by` and `at` are `()` too",
        tier: Tier::Mild,
        keep: Keep::Line,
        errors: &[Kind::NotConfirmed],
        examples: &[Example {
            title: "A call that no program makes",
            code: "attempt(|| manual(\"call-legal\", \"Call the legal team.\", #{ details: [\"the number is in the safe\"] })).error.kind",
            result: "\"not_confirmed\"",
        }],
    },
    body: Body::Local(body),
};

fn body(args: &Args, cx: &Cx<'_>) -> Result<Value, Failure> {
    let (id, instruction) = (args.str(0), args.str(1));
    if cx.rehearsing() && cx.given_answer(id).is_none() {
        cx.finding(Found::Remark, format!("a person would have to do this ({id}): {}", text::one_line(instruction)));
        return Ok(map! { "id" => id, "by" => Value::Null, "at" => Value::Null, "note" => Value::Null });
    }
    let details = args.option_strs("details");
    let question = person::question(cx, instruction, &details, "done? [y]es [n]o, and a remark if there is one:".to_owned());
    let ((done, note), by) = person::answered(cx, id, question, "yes", said)?;
    cx.decided(id, if done { "confirmed" } else { "refused" }, &by)?;
    if !done {
        let message = format!("a person said that this is not done ({id}): {}", text::one_line(instruction));
        let failure = Failure::new(Kind::NotConfirmed, message);
        return Err(if note.is_empty() { failure } else { failure.hint(cx.masked(note)) });
    }
    let note = if note.is_empty() { Value::Null } else { cx.masked(note).into() };
    let at = cx.clock().now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    Ok(map! { "id" => id, "by" => by, "at" => at, "note" => note })
}

/// A yes or a no, and the remark behind it.
fn said(answer: &str) -> Result<(bool, String), Failure> {
    let (word, note) = answer.split_once(|c: char| c.is_whitespace() || c == ',').unwrap_or((answer, ""));
    let word = if word.eq_ignore_ascii_case("done") { "yes" } else { word };
    let done = person::yes_or_no(word)
        .ok_or_else(|| Failure::bad_argument("the answer begins with yes or no").hint("yes, and then a remark if there is one"))?;
    Ok((done, note.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_yes_or_a_no_with_a_remark() {
        assert_eq!(said("y").unwrap(), (true, String::new()));
        assert_eq!(said("Yes, she will call back").unwrap(), (true, "she will call back".to_owned()));
        assert_eq!(said("done at noon").unwrap(), (true, "at noon".to_owned()));
        assert_eq!(said("no nobody answers").unwrap(), (false, "nobody answers".to_owned()));
        for answer in ["", "maybe", "yesterday"] {
            assert_eq!(said(answer).unwrap_err().message, "the answer begins with yes or no", "{answer}");
        }
    }
}
