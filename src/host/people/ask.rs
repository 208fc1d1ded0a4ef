//! `ask`: a person's answer.

use crate::call::ledger::Found;
use crate::call::{Body, Cx, Function};
use crate::model::spec::{Args, Example, Group, Keep, Opt, Param, Type};
use crate::model::{Failure, Kind, Spec, Tier, Value, text};

use super::person;

/// The function.
pub static ASK: Function = Function {
    spec: Spec {
        name: "ask",
        group: Group::People,
        summary: "Asks a person for a text or one of several choices. `--yes` does not answer it; `--answer ID=VALUE` does. Who answered, and when, is on record.",
        params: &[
            Param { name: "id", ty: Type::Str, required: true, help: "a short name, for `--answer`" },
            Param { name: "question", ty: Type::Str, required: true, help: "what is asked" },
        ],
        options: &[
            Opt { name: "choices", ty: Type::Strings, default: "", help: "what may be answered; anything but nothing without it" },
            Opt { name: "default", ty: Type::Str, default: "", help: "what Enter alone answers, and what a rehearsal goes on with" },
        ],
        returns: "the answer as text, of choices as it is written there. A rehearsal asks nobody: it goes on with the default, else the first choice",
        tier: Tier::Mild,
        keep: Keep::Line,
        errors: &[Kind::NotConfirmed],
        examples: &[Example {
            title: "Nobody is there",
            code: "attempt(|| ask(\"cause\", \"What is it?\", #{ choices: [\"load\", \"leak\"], default: \"load\" })).error.kind",
            result: "\"not_confirmed\"",
        }],
    },
    body: Body::Local(body),
};

fn body(args: &Args, cx: &Cx<'_>) -> Result<Value, Failure> {
    let (id, asked) = (args.str(0), args.str(1));
    let choices = args.options().contains_key("choices").then(|| args.option_strs("choices"));
    let default = args.option_str("default");
    if choices.as_ref().is_some_and(Vec::is_empty) {
        return Err(Failure::bad_argument("`choices` is empty: nothing could be answered"));
    }
    if let (Some(choices), Some(default)) = (&choices, default)
        && !choices.contains(&default)
    {
        return Err(Failure::unknown("choice as `default`", default, choices.iter().copied()));
    }
    let first = choices.as_ref().and_then(|choices| choices.first().copied());
    if let (true, None, Some(assumed)) = (cx.rehearsing(), cx.given_answer(id), default.or(first)) {
        let asked = text::one_line(asked);
        cx.finding(Found::Remark, format!("a person would be asked ({id}): {asked}; the rehearsal goes on with {assumed:?}"));
        return Ok(assumed.into());
    }
    let fits = |said: &str| fitting(said, choices.as_deref(), default);
    let mut shown = choices.as_ref().map(|choices| format!("[{}]", choices.join("|"))).unwrap_or_default();
    if let Some(default) = default {
        shown.push_str(&format!(" ({default})"));
    }
    let shown = format!("{}:", text::short(shown.trim(), 200));
    let question = person::question(cx, asked, &[], shown);
    // Without a terminal a rehearsal has nobody either.
    let (answer, by) = person::answered(cx, id, question, first.unwrap_or("VALUE"), fits)?;
    cx.decided(id, "answered", &by)?;
    Ok(cx.masked(answer).into())
}

/// The answer that was meant.
fn fitting(said: &str, choices: Option<&[&str]>, default: Option<&str>) -> Result<String, Failure> {
    let said = match (said, default) {
        ("", Some(default)) => default,
        ("", None) => return Err(Failure::bad_argument("an answer is needed")),
        (said, _) => said,
    };
    let Some(choices) = choices else { return Ok(said.to_owned()) };
    let exact = choices.iter().find(|choice| **choice == said);
    let meant = exact.or_else(|| choices.iter().find(|choice| choice.eq_ignore_ascii_case(said)));
    meant.map(|choice| (*choice).to_owned()).ok_or_else(|| Failure::unknown("choice", said, choices.iter().copied()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_meant_in_any_case_and_enter_means_the_default() {
        let choices: &[&str] = &["load", "Leak", "leak"];
        let answer = |said: &str| fitting(said, Some(choices), Some("load"));
        assert_eq!((answer("").unwrap(), answer("LOAD").unwrap(), answer("leak").unwrap()), ("load".into(), "load".into(), "leak".into()));
        let failure = answer("laod").unwrap_err();
        assert_eq!((failure.message.as_str(), failure.hint.as_deref()), ("unknown choice \"laod\"", Some("did you mean `load`?")));
        assert_eq!(fitting("any text", None, None).unwrap(), "any text");
        assert_eq!(fitting("", None, None).unwrap_err().message, "an answer is needed");
    }
}
