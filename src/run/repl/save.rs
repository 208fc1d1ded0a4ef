//! `:save FILE`: what a sitting did as a runbook that does the same.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::Session;
use super::items::{self, Sort, last_values};
use super::scan::{Kind as Token, Scan};
use crate::engine::{self, Diagnostic, Script};
use crate::host;
use crate::model::{Effect, Failure, Kind, Value, text};

/// One input of the sitting, or one part of a script that was stepped through.
#[derive(Clone, Debug)]
pub(super) struct Said {
    /// What was said.
    pub(super) text: String,
    /// What `runbook(…)` answers in it.
    pub(super) params: Value,
    /// What became of it.
    pub(super) became: Became,
}

/// What became of an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Became {
    /// It went through, with a value that is `_` for what follows.
    Value,
    /// It went through.
    Done,
    /// It failed, and is not repeated.
    Failed(Kind),
    /// It is only to be told of.
    Remark,
}

/// What was saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// The file.
    pub path: PathBuf,
    /// How many inputs and parts are in it.
    pub inputs: usize,
    /// Whether a secret was masked in it, so that it must be completed by hand.
    pub masked: bool,
}

impl Session {
    /// Writes what the sitting did, as a runbook, into a new file.
    pub fn save(&self, file: &str) -> Result<Saved, Failure> {
        let done = self.said.iter().filter(|said| matches!(said.became, Became::Value | Became::Done)).count();
        if done == 0 {
            return Err(Failure::new(Kind::NotFound, "nothing was done that could be saved"));
        }
        let mut path = PathBuf::from(file);
        if path.extension().is_none() {
            path.set_extension("rhai");
        }
        let place = self.place();
        let title =
            format!("Sitting {} in {}{}", self.shared.pipeline.journal.run_id(), place.name, if place.dry_run { " (dry-run)" } else { "" });
        let written = script(&title, &self.said);
        let text = self.shared.pipeline.masker.text(written.clone());
        let masked = text != written;
        check(&self.config.root, &path, &text)?;
        let cannot = |error: std::io::Error| {
            let failure = Failure::new(Kind::Failed, format!("{} cannot be written: {error}", path.display()));
            if error.kind() == std::io::ErrorKind::AlreadyExists {
                failure.hint("nothing is overwritten; give another name")
            } else {
                failure
            }
        };
        let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(cannot)?;
        out.write_all(text.as_bytes()).and_then(|()| out.sync_all()).map_err(cannot)?;
        Ok(Saved { path, inputs: done, masked })
    }
}

/// What is saved must run: it is parsed as a batch run parses it.
fn check(root: &Path, path: &Path, text: &str) -> Result<(), Failure> {
    Script::parse(&engine::parser(), root, &path.display().to_string(), text).map(|_| ()).map_err(|Diagnostic { failure, at, .. }| {
        Failure { message: format!("the sitting makes no runbook: {} (at {at})", failure.message), ..failure }
            .hint("a runbook has no `:dry-run`, `:env` or `_` of before; copy what you need from `:timeline`")
    })
}

/// The runbook as it is written: what stands in a step, and what must stand outside of one.
struct Writer {
    out: String,
    step: Vec<String>,
    steps: usize,
}

/// The runbook as text.
pub(super) fn script(title: &str, said: &[Said]) -> String {
    let suggestions = suggestions(said);
    let mut out = format!("//! {title}: as it was typed. Read it, name its steps, give it parameters before it is run again.\n");
    let _ = writeln!(out, "runbook(#{{\n    title: {},", quoted(title));
    if !suggestions.is_empty() {
        out.push_str(
            "    // Literals below that could be parameters: take a line out of its comment, begin this with `let params = runbook(…`,\n",
        );
        out.push_str("    // and write `params.NAME` where the literal stands.\n    // params: #{\n");
        for (name, ty, literal) in &suggestions {
            let _ = writeln!(out, "    //     {name}: #{{ type: \"{ty}\", default: {literal}, help: \"\" }},");
        }
        out.push_str("    // },\n");
    }
    out.push_str("});\n");
    let mut writer = Writer { out, step: Vec::new(), steps: 0 };
    for (number, one) in said.iter().enumerate() {
        match &one.became {
            Became::Failed(kind) => writer.add(format!("// not saved, it failed ({kind}): {}", text::short(&one.text, 100))),
            Became::Remark => writer.add(format!("// {}", text::one_line(&one.text))),
            Became::Value | Became::Done => writer.input(said, number),
        }
    }
    writer.close();
    writer.out
}

impl Writer {
    fn input(&mut self, said: &[Said], number: usize) {
        let one = &said[number];
        let text = bound(said, number, &one.text);
        let all = items::items(&text);
        let wanted = one.became == Became::Value && is_used_later(said, number);
        let last = all.iter().rposition(|item| item.sort != Sort::Function);
        for (place, item) in all.iter().enumerate() {
            let statement = without_header(&text[item.range.clone()], &one.params);
            match item.sort {
                Sort::Function | Sort::Step => self.outside(&statement),
                Sort::Declaration => self.outside(&format!("{statement};{}", marks(&statement))),
                Sort::Other if wanted && Some(place) == last => {
                    self.outside(&format!("let {} = {statement};{}", name_of(number), marks(&statement)))
                }
                // What only looked at a value does nothing.
                Sort::Other if !does_something(&statement) => {}
                Sort::Other => {
                    let statement = statement.strip_prefix("return ").unwrap_or(&statement);
                    self.add(format!("{statement};{}", marks(statement)));
                }
            }
        }
    }

    fn add(&mut self, line: String) {
        self.step.push(line);
    }

    /// What must be seen by what follows stands outside of steps.
    fn outside(&mut self, text: &str) {
        self.close();
        self.out.push_str(&format!("\n{text}\n"));
    }

    fn close(&mut self) {
        let lines = std::mem::take(&mut self.step);
        if lines.iter().all(|line| line.starts_with("//")) {
            lines.iter().for_each(|line| self.out.push_str(&format!("\n{line}\n")));
            return;
        }
        self.steps += 1;
        let title = format!("{}: {}", self.steps, title_of(&lines.join("\n")));
        let _ = writeln!(self.out, "\nstep {} {{", quoted(&title));
        for line in lines {
            // Texts of several lines must not be indented: that would be another text.
            let scan = Scan::new(&line);
            let text_of_lines = scan.tokens.iter().any(|token| token.kind == Token::Text && line[token.range.clone()].contains('\n'));
            if text_of_lines {
                let _ = writeln!(self.out, "{line}");
            } else {
                line.lines().for_each(|line| self.out.push_str(&format!("    {line}\n")));
            }
        }
        self.out.push_str("}\n");
    }
}

/// Whether a statement calls or sets something.
fn does_something(statement: &str) -> bool {
    let scan = Scan::new(statement);
    (0..scan.tokens.len()).any(|token| scan.tokens[token].kind == Token::Symbol && matches!(scan.text(statement, token), "(" | "="))
}

/// What a step does, by its gravest first call.
fn title_of(text: &str) -> String {
    let calls = items::calls(text);
    let changes =
        |function: &str| host::find(function).is_some_and(|function| matches!(function.effect(), Effect::Change | Effect::Notify));
    let Some(call) = calls.iter().find(|call| changes(call.function)).or(calls.first()) else { return "as typed".into() };
    let target = call.literals.first().map(|(_, range)| text[range.clone()].trim_matches('"').to_owned());
    target.map_or_else(|| call.function.to_owned(), |target| format!("{} {target}", call.function))
}

/// A name for each literal in a changing call, once.
fn suggestions(said: &[Said]) -> Vec<(String, &'static str, String)> {
    let mut found: Vec<(String, &'static str, String)> = Vec::new();
    for one in said.iter().filter(|one| matches!(one.became, Became::Value | Became::Done)) {
        for (name, literal) in candidates(&one.text) {
            let ty = if literal.starts_with('"') { "string" } else { "int" };
            if !found.iter().any(|(known, _, value)| *known == name && *value == literal) {
                let name = if found.iter().any(|(known, ..)| *known == name) { format!("{name}_{}", found.len() + 1) } else { name };
                found.push((name, ty, literal));
            }
        }
    }
    found
}

/// The literals of changing calls in a text.
fn candidates(text: &str) -> Vec<(String, String)> {
    let changing = items::calls(text).into_iter().filter(|call| host::find(call.function).is_some_and(|f| f.effect() == Effect::Change));
    changing.flat_map(|call| call.literals).map(|(name, range)| (name.to_owned(), text[range].to_owned())).collect()
}

fn marks(statement: &str) -> String {
    let found: Vec<String> = candidates(statement).into_iter().map(|(name, literal)| format!("{name} = {literal}")).collect();
    if found.is_empty() || statement.contains('\n') {
        String::new()
    } else {
        format!(" // parameters? {}", text::one_line(&found.join(", ")))
    }
}

/// The variable that holds what `_` was after an input.
fn name_of(number: usize) -> String {
    format!("value_{}", number + 1)
}

/// The input whose value `_` is in another.
fn last_before(said: &[Said], number: usize) -> Option<usize> {
    (0..number).rev().find(|before| said[*before].became == Became::Value)
}

fn is_used_later(said: &[Said], number: usize) -> bool {
    let users = (number + 1..said.len()).filter(|later| matches!(said[*later].became, Became::Value | Became::Done));
    users.into_iter().any(|later| last_before(said, later) == Some(number) && !last_values(&said[later].text).is_empty())
}

/// An input's text with `_` by the name that its value has in the runbook.
fn bound(said: &[Said], number: usize, text: &str) -> String {
    let Some(before) = last_before(said, number) else { return text.to_owned() };
    let mut text = text.to_owned();
    for range in last_values(&text.clone()).into_iter().rev() {
        text.replace_range(range, &name_of(before));
    }
    text
}

/// A statement whose `runbook(…)` is what it answered: the header is the saved runbook's own.
fn without_header(statement: &str, params: &Value) -> String {
    let scan = Scan::new(statement);
    let called = (0..scan.tokens.len())
        .find(|paren| scan.text(statement, *paren) == "(" && scan.callee(statement, *paren) == Some(("runbook", false)));
    let Some(paren) = called else { return statement.to_owned() };
    let Some(name) = scan.before(paren) else { return statement.to_owned() };
    let mut depth = 0_usize;
    for token in paren..scan.tokens.len() {
        match scan.text(statement, token) {
            "(" => depth += 1,
            ")" if depth == 1 => {
                let range = scan.tokens[name].range.start..scan.tokens[token].range.end;
                let mut text = statement.to_owned();
                text.replace_range(range, &literal(params));
                return text;
            }
            ")" => depth -= 1,
            _ => {}
        }
    }
    statement.to_owned()
}

/// A value as a script writes it.
fn literal(value: &Value) -> String {
    match value {
        Value::Null => "()".into(),
        Value::Str(text) => quoted(text),
        Value::List(items) => format!("[{}]", items.iter().map(literal).collect::<Vec<_>>().join(", ")),
        Value::Map(map) if map.is_empty() => "#{}".into(),
        Value::Map(map) => {
            format!("#{{ {} }}", map.iter().map(|(key, item)| format!("{}: {}", quoted(key), literal(item))).collect::<Vec<_>>().join(", "))
        }
        Value::Float(x) => format!("{x:?}"),
        other => other.to_string(),
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
