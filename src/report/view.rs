//! A runbook as a page of Markdown: header, parameters, steps, what each call does and how one would do it by hand.
//!
//! What stands in the text comes from the text; what the calls ask of the platform from a rehearsal in the healthy world.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use rhai::Position as At;

use crate::config::Environment;
use crate::engine::Script;
use crate::engine::calls;
use crate::engine::header::Header;
use crate::engine::tree::Tree;
use crate::engine::walk::{Node, Place, walk};
use crate::host;
use crate::model::{Effect, Read, Tier, Value, text};
use crate::platform::equivalent::{self, Watch};
use crate::platform::noted::Operation;
use crate::run::trace::{Trace, Traced};

/// So many lines of one call are written out.
const LINES: usize = 4;

/// A call in the text: its line, the step that it stands in, whether it stands in a rollback.
#[derive(Clone, Debug, PartialEq)]
struct Written {
    name: String,
    source: Option<String>,
    line: u32,
    step: Option<u32>,
    rollback: bool,
}

/// A step in the text.
struct Step {
    title: String,
    line: u32,
    options: String,
}

/// The page.
pub fn markdown(script: &Script, name: &str, trace: &Trace, environment: &Environment) -> String {
    let lines: Vec<&str> = script.text.lines().collect();
    let (steps, written) = texts(script);
    let mut page = String::new();
    head(&mut page, script, name, &lines);
    let mut number = 0;
    let mut places: Vec<Option<&Step>> = vec![None];
    places.extend(steps.iter().map(Some));
    for step in places {
        let line = step.map(|step| step.line);
        let own = |rollback| written.iter().filter(move |call| call.step == line && call.rollback == rollback);
        let calls = section(own(false), trace, script, environment);
        match step {
            None if calls.is_empty() => continue,
            None => page.push_str("\n## Outside of the steps\n"),
            Some(step) => {
                number += 1;
                let title = if step.title.is_empty() { "(its title is computed)" } else { &step.title };
                let _ = writeln!(page, "\n## {number}. {}", inert(title));
                if let Some(comment) = comment_above(&lines, step.line) {
                    let _ = writeln!(page, "\n{comment}");
                }
                if !step.options.is_empty() {
                    let _ = writeln!(page, "\n*{}*", step.options);
                }
            }
        }
        page.push_str(&calls);
        let back = section(own(true), trace, script, environment);
        if !back.is_empty() {
            let _ = write!(page, "\n**If it is taken back:**\n{back}");
        }
    }
    foot(&mut page, &written, trace, script);
    page
}

/// The steps and the host calls of the script's own text, in its order.
fn texts(script: &Script) -> (Vec<Step>, Vec<Written>) {
    let tree = Tree::new(&script.ast);
    let (mut steps, mut written) = (Vec::new(), Vec::new());
    walk(&tree, &mut |node, place: &Place<'_>, _| match node {
        Node::Step(step) => {
            let text = |value: Value| value.as_str().map(str::to_owned);
            let says = |key: &str, value: &str| {
                let options = step.options.and_then(calls::literal);
                options.is_some_and(|options| options.str_at(&[key]) == Some(value))
            };
            let mut options = Vec::new();
            if says("on_error", "continue") {
                options.push("If this fails, the runbook goes on.");
            }
            if says("rollback", "never") {
                options.push("This is never taken back.");
            }
            steps.push(Step {
                title: calls::literal(step.title).and_then(text).unwrap_or_default(),
                line: line(step.title.position()),
                options: options.join(" "),
            });
        }
        Node::Call(call) if call.host().is_some() => written.push(Written {
            name: call.name.to_owned(),
            source: source(&script.text, call.at),
            line: line(call.at),
            step: place.step.map(|step| line(step.title.position())),
            rollback: place.rollback,
        }),
        _ => {}
    });
    (steps, written)
}

fn line(at: At) -> u32 {
    at.line().and_then(|line| u32::try_from(line).ok()).unwrap_or(0)
}

fn head(page: &mut String, script: &Script, name: &str, lines: &[&str]) {
    let header = script.header.as_ref();
    let title = header.map(|header| header.title.as_str()).unwrap_or(name);
    let _ = writeln!(page, "# {}\n", inert(title));
    let field = |key: &str| header.and_then(|header| header.fields.get(key)).and_then(Value::as_str);
    let facts = ["severity", "service", "owner", "version", "last_tested", "next_drill"];
    let facts: Vec<String> = facts.iter().filter_map(|key| Some(format!("{}: {}", key.replace('_', " "), inert(field(key)?)))).collect();
    if !facts.is_empty() {
        let _ = writeln!(page, "*{}*\n", facts.join(" · "));
    }
    let about: Vec<&str> = lines.iter().map_while(|line| line.strip_prefix("//!")).map(str::trim).collect();
    for text in [field("description").map(str::to_owned), (!about.is_empty()).then(|| about.join("\n"))].into_iter().flatten() {
        let _ = writeln!(page, "{}\n", inert(&text));
    }
    let required = header.iter().flat_map(|header| &header.params).filter(|(_, param)| param.default.is_none());
    let given: String = required.map(|(name, param)| format!(" --param {name}=<{}>", param.type_name())).collect();
    let _ = writeln!(page, "```sh\nrunbook run {name} --env ENV{given} --dry-run    # rehearse\nrunbook run {name} --env ENV{given}\n```");
    if let Some(header) = header.filter(|header| !header.params.is_empty()) {
        parameters(page, header);
    }
}

fn parameters(page: &mut String, header: &Header) {
    page.push_str("\n| parameter | type | default | may be | meaning |\n| --- | --- | --- | --- | --- |\n");
    for (name, param) in &header.params {
        let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let default = param.default.as_ref().map_or("(required)".to_owned(), |value| format!("`{}`", shown(value)));
        let range = match (&param.choices, param.min, param.max) {
            (Some(choices), ..) => choices.iter().map(shown).collect::<Vec<_>>().join(", "),
            (None, Some(min), Some(max)) => format!("{min} to {max}"),
            (None, Some(min), None) => format!("at least {min}"),
            (None, None, Some(max)) => format!("at most {max}"),
            (None, None, None) => String::new(),
        };
        let _ = writeln!(page, "| `{name}` | {} | {default} | {} | {} |", param.type_name(), cell(&range), cell(&param.help));
    }
}

/// Whether a call is worth a line on the page: it reaches a system, a person or a decision.
fn is_told(name: &str) -> bool {
    let quiet = ["show", "table", "note", "runbook", "parallel", "attempt", "retry", "services", "environment", "now", "uuid"];
    !quiet.contains(&name) && host::find(name).is_none_or(|function| function.effect() != Effect::Pure)
}

/// The calls of one place, each with what it does and its lines for a shell.
fn section<'w>(calls: impl Iterator<Item = &'w Written>, trace: &Trace, script: &Script, environment: &Environment) -> String {
    let mut out = String::new();
    let mut told = BTreeSet::new();
    for written in calls.filter(|call| is_told(&call.name) && told.insert((call.line, call.name.clone()))) {
        let made: Vec<&Traced> = trace
            .calls
            .iter()
            .filter(|traced| {
                traced.call.function == written.name && traced.call.at.line == written.line && *traced.call.at.file == *script.name
            })
            .collect();
        let Some(function) = host::find(&written.name) else { continue };
        let tier = if function.spec.tier > Tier::Mild { format!(", {}", function.spec.tier.name()) } else { String::new() };
        let mark = match function.effect() {
            Effect::Change => format!(" **(change{tier})**"),
            Effect::Notify => " **(message)**".to_owned(),
            _ => String::new(),
        };
        let what = inert(&text::short(written.source.as_deref().unwrap_or(&written.name), 160).replace('`', "'"));
        let _ = writeln!(out, "\n- `{what}`{mark}: {}", function.spec.summary);
        let mut shell: Vec<String> = Vec::new();
        for operation in made.iter().flat_map(|traced| &traced.asked) {
            let line = match operation {
                Operation::Read(Read::Object(object)) if matches!(&*written.name, "wait_ready" | "rollout_status") => {
                    equivalent::of_rollout(object, environment, if written.name == "wait_ready" { Watch::ToItsEnd } else { Watch::Now })
                }
                Operation::Read(read) => equivalent::of_read(read, environment),
                Operation::Write(write) => equivalent::of(write, environment),
            };
            if !shell.contains(&line) {
                shell.push(line);
            }
        }
        if !shell.is_empty() {
            let more = shell.len().saturating_sub(LINES);
            shell.truncate(LINES);
            if more > 0 {
                shell.push(format!("# … and {more} more like these"));
            }
            let _ = writeln!(out, "\n  ```sh\n  {}\n  ```", shell.join("\n  "));
        }
    }
    out
}

/// A call as the script writes it, on one line: from its name to the parenthesis that closes it.
fn source(text: &str, at: At) -> Option<String> {
    let (line, column) = (at.line()?, at.position()?);
    let rest = text.split_inclusive('\n').skip(line - 1).collect::<String>();
    let (mut depth, mut quote, mut out) = (0usize, None, String::new());
    for c in rest.chars().skip(column - 1) {
        match (quote, c) {
            (Some(open), c) if c == open && !out.ends_with('\\') => quote = None,
            (None, '"' | '`') => quote = Some(c),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth = depth.checked_sub(1)?,
            _ => {}
        }
        match c {
            c if c.is_whitespace() && quote.is_none() => {
                if !out.ends_with([' ', '(', '[']) {
                    out.push(' ');
                }
            }
            c => out.push(c),
        }
        if depth == 0 && quote.is_none() && c == ')' {
            return Some(out.replace(", ]", "]").replace(" ]", "]").replace(" )", ")"));
        }
    }
    None
}

/// The comment lines that stand directly above a line.
fn comment_above(lines: &[&str], line: u32) -> Option<String> {
    let above = lines.get(..(line as usize).checked_sub(1)?)?;
    let own: Vec<&str> =
        above.iter().rev().map_while(|line| line.trim().strip_prefix("//")).filter(|text| !text.starts_with('!')).map(str::trim).collect();
    (!own.is_empty()).then(|| inert(&own.into_iter().rev().collect::<Vec<_>>().join("\n")))
}

fn foot(page: &mut String, written: &[Written], trace: &Trace, script: &Script) {
    let made: BTreeSet<u32> =
        trace.calls.iter().filter(|traced| *traced.call.at.file == *script.name).map(|traced| traced.call.at.line).collect();
    let silent: BTreeSet<String> = written
        .iter()
        .filter(|call| is_told(&call.name) && !call.rollback && !made.contains(&call.line))
        .map(|call| call.line.to_string())
        .collect();
    page.push_str("\n---\n\n");
    if !silent.is_empty() {
        let lines: Vec<String> = silent.into_iter().collect();
        let s = if lines.len() == 1 { "" } else { "s" };
        let _ = writeln!(
            page,
            "A healthy platform does not come to line{s} {}: what those calls would ask is not written out.\n",
            lines.join(", ")
        );
    }
    if let Some(failure) = &trace.stopped {
        let _ = writeln!(page, "The rehearsal for this page ended early: {}\n", inert(&failure.message));
    }
    let hash = script.hashes.get(&script.name).map(|hash| &hash[..12.min(hash.len())]).unwrap_or_default();
    let _ = writeln!(page, "Written by `runbook view` from {} (SHA-256 {hash}).", script.name);
}

/// Text that cannot act in Markdown or on a terminal.
fn inert(text: &str) -> String {
    text.lines().map(|line| text::one_line(line).replace('<', "&lt;")).collect::<Vec<_>>().join("\n")
}

fn cell(text: &str) -> String {
    inert(text).replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_shown_as_it_is_written() {
        let text = "let ä = wait_ready(\n    [\"a)\", `b`,  // c\n    ],\n    #{ timeout: t }\n);";
        assert_eq!(source("x = scale(\"a\", f(1)) + g(2);", At::new(1, 5)).unwrap(), "scale(\"a\", f(1))");
        assert_eq!(source("  now ( ) ;", At::new(1, 3)).unwrap(), "now ()");
        assert!(source(text, At::new(1, 9)).unwrap().starts_with("wait_ready([\"a)\", `b`,"));
        assert_eq!(source("scale(\"open", At::new(1, 1)), None);
    }
}
