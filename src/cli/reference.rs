//! The reference of all functions as Markdown; `docs/functions.md` is its output.

use std::fmt::Write;

use crate::engine::step;
use crate::host;
use crate::model::Tier;
use crate::model::spec::{Group, Opt};

/// The whole reference.
pub fn markdown() -> String {
    let mut text = String::from(INTRODUCTION);
    for group in Group::ALL {
        let own: Vec<_> = host::FUNCTIONS.iter().filter(|function| function.spec.group == group).collect();
        if own.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\n## {}\n", capitalised(group.name()));
        if group == Group::Flow {
            text.push_str(STEP);
            options(&mut text, step::OPTIONS);
        }
        for function in own {
            let spec = &function.spec;
            let tier = if spec.tier > Tier::Mild { format!(", {}", spec.tier.name()) } else { String::new() };
            let _ = writeln!(text, "\n### `{}`\n\n{} *Effect: {}{tier}.*\n", spec.signature(), spec.summary, function.effect().name());
            for param in spec.params {
                let optional = if param.required { "" } else { ", may be left out" };
                let _ = writeln!(text, "- `{}` ({}{optional}): {}", param.name, escaped(&param.ty.name()), param.help);
            }
            options(&mut text, spec.options);
            let _ = writeln!(text, "\nAnswers {}.", spec.returns);
            if !spec.errors.is_empty() {
                let kinds: Vec<String> = spec.errors.iter().map(|kind| format!("`{}`", kind.name())).collect();
                let _ = writeln!(text, "Errors: {}.", kinds.join(", "));
            }
            for example in spec.examples {
                let result = if example.result.is_empty() { String::new() } else { format!("// → {}\n", example.result) };
                let _ = writeln!(text, "\n{}:\n\n```rhai\n{}\n{result}```", example.title, example.code);
            }
        }
    }
    text
}

fn options(text: &mut String, options: &[Opt]) {
    if options.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n| option | type | default | meaning |\n| --- | --- | --- | --- |");
    for option in options {
        let default = if option.default.is_empty() { String::new() } else { format!("`{}`", option.default) };
        let _ = writeln!(text, "| `{}` | {} | {default} | {} |", option.name, escaped(&option.ty.name()), option.help);
    }
}

fn escaped(text: &str) -> String {
    text.replace('|', "\\|")
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

const INTRODUCTION: &str = "\
# Functions

Generated from the functions' specifications (`runbook reference`); a test keeps it current, and runs the examples in the
healthy world of `runbook.toml`. Each takes its target first, then a value, then a map of options; an unknown option is an
error. Times are `_ms`, sizes `_bytes`, durations are written `\"30s\"`. Every function may also end in `bad_argument`,
`timeout` and `cancelled`; a caught error is a map with `kind`, `message`, `hint`, `target`, `retryable`, `file`, `line`.

*Effects*: `read` looks at a system, `change` changes one, `notify` tells people, `local` touches this machine only, `pure`
computes. A rehearsal (`--dry-run`) performs reads, predicts changes and renders messages.
";

const STEP: &str = "\
### `step \"title\" #{ options }? { … } rollback { … }?`

A part of the runbook with a name on the record. It is a statement: `return` and `break` work through it, and variables of
the outside are visible within. If the run fails, the rollbacks of the failed step and of the finished ones are offered,
newest first; a step without a `rollback` block offers the recorded inverses of its changes. A rollback block sees the
outer variables as they were when the step began, and not the step's own.
";
