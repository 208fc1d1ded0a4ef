//! Errors as people read them: message, source line with a caret, call stack, what to do next.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use rhai::{EvalAltResult, ParseError, Position as At};

use super::failure;
use crate::host;
use crate::model::{Failure, Position, spec, suggest, text};

/// An error with its place and how the script came there.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    /// What happened.
    pub failure: Failure,
    /// Where.
    pub at: Position,
    /// The calls that led there, innermost first: the function's name and where it was called.
    pub stack: Vec<(String, Position)>,
}

fn position(file: &str, at: At) -> Position {
    let number = |n: Option<usize>| n.and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
    Position { file: file.into(), line: number(at.line()), column: number(at.position()) }
}

impl Diagnostic {
    /// The diagnostic of an uncaught error; `main` is the script's own name.
    pub fn of_error(error: &EvalAltResult, main: &str) -> Self {
        let mut stack = Vec::new();
        let mut file = main.to_owned();
        let mut here = error;
        loop {
            match here {
                EvalAltResult::ErrorInFunctionCall(name, source, inner, at) => {
                    let shown = if name.starts_with("anon$") { "closure" } else { name };
                    stack.push((shown.to_owned(), position(&file, *at)));
                    if !source.is_empty() {
                        file.clone_from(source);
                    }
                    here = inner;
                }
                EvalAltResult::ErrorInModule(name, inner, at) => {
                    stack.push((format!("import {name}"), position(&file, *at)));
                    if !name.is_empty() {
                        file.clone_from(name);
                    }
                    here = inner;
                }
                _ => break,
            }
        }
        stack.reverse();
        let mut at = position(&file, here.position());
        let mut failure = failure::of(here);
        if let Some((origin, line)) = failure::origin(here) {
            // A rethrown error keeps the place where it first happened.
            if (origin.as_str(), line) != (&*at.file, at.line) {
                at = Position { file: origin.into(), line, column: 0 };
            }
        }
        improve(here, &mut failure);
        Self { failure, at, stack }
    }

    /// The diagnostic of a script that does not parse.
    pub fn of_parse(error: &ParseError, file: &str) -> Self {
        let message = error.err_type().to_string();
        let mut failure = Failure::bad_argument(message);
        if let rhai::ParseErrorType::VariableUndefined(name) = error.err_type() {
            failure.message = format!("unknown variable `{name}`");
            failure.hint = spec::nearest(name, host::FUNCTIONS.iter().map(|function| &function.spec))
                .map(|near| format!("the function `{near}` is called with parentheses"));
        }
        Self { failure, at: position(file, error.position()), stack: Vec::new() }
    }

    /// A diagnostic of our own about a place.
    pub fn at(failure: Failure, at: Position) -> Self {
        Self { failure, at, stack: Vec::new() }
    }

    /// Renders it; `source` finds a file's text.
    pub fn render(&self, source: &dyn Fn(&str) -> Option<String>, colour: bool) -> String {
        let title = text::short(&self.failure.message, 2000);
        let code = self.failure.kind.name();
        let mut message = Group::with_title(Level::ERROR.primary_title(title.as_str()).id(code));
        let text = source(&self.at.file);
        let path = self.at.to_string();
        let span = text.as_deref().and_then(|text| span(text, self.at.line, self.at.column));
        match (&text, span) {
            (Some(text), Some(span)) => {
                let mark = AnnotationKind::Primary.span(span);
                let target = self.failure.target.as_deref().map(text::one_line);
                let mark = match target {
                    Some(target) => mark.label(target.into_owned()),
                    None => mark,
                };
                message = message.element(Snippet::source(text.as_str()).path(&*self.at.file).annotation(mark));
            }
            _ if self.at.line > 0 || !self.at.file.is_empty() => message = message.element(Level::NOTE.message(format!("at {path}"))),
            _ => {}
        }
        for (name, at) in &self.stack {
            message = message.element(Level::NOTE.message(format!("in `{name}`, called at {at}")));
        }
        if let Some(hint) = &self.failure.hint {
            message = message.element(Level::HELP.message(text::short(hint, 2000)));
        }
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&[message])
    }
}

/// What Rhai's own errors leave out: the nearest name, and how a host function is called.
fn improve(error: &EvalAltResult, failure: &mut Failure) {
    match error {
        EvalAltResult::ErrorFunctionNotFound(signature, _) => {
            let name = signature.split(" (").next().unwrap_or(signature).trim();
            match host::find(name) {
                Some(function) => {
                    failure.message = format!("`{name}` is not called like this: {signature}");
                    failure.hint = Some(format!("it reads {}", function.spec.signature()));
                }
                None => {
                    failure.message = format!("unknown function `{name}`");
                    let near = spec::nearest(name, host::FUNCTIONS.iter().map(|function| &function.spec));
                    failure.hint = Some(near.map_or_else(
                        || format!("called as {signature}; `runbook functions` lists what there is"),
                        |near| format!("did you mean `{near}`?"),
                    ));
                }
            }
        }
        EvalAltResult::ErrorPropertyNotFound(name, _) => {
            failure.message = format!("there is no `{name}` here");
            failure.hint = Some(format!("where it may be missing, write `.get(\"{name}\")`, which answers `()` then"));
        }
        EvalAltResult::ErrorStackOverflow(_) => {
            failure.message = "functions call one another too deeply".into();
            failure.hint = Some("does one call itself without an end?".into());
        }
        EvalAltResult::ErrorVariableNotFound(name, _) => {
            failure.message = format!("unknown variable `{name}`");
            failure.hint = suggest::nearest(name, host::FUNCTIONS.iter().map(|function| function.spec.name))
                .map(|near| format!("the function `{near}` is called with parentheses"));
        }
        _ => {}
    }
}

/// The bytes of the word at a place: lines and columns are 1-based, columns in characters.
fn span(text: &str, line: u32, column: u32) -> Option<std::ops::Range<usize>> {
    let mut start = 0;
    let mut lines = text.split_inclusive('\n');
    for _ in 1..line.max(1) {
        start += lines.next()?.len();
    }
    let content = lines.next().unwrap_or_default().trim_end_matches(['\n', '\r']);
    if line == 0 {
        return None;
    }
    if column == 0 {
        let indent = content.len() - content.trim_start().len();
        return Some(start + indent..start + content.len());
    }
    let offset = content.char_indices().nth(column as usize - 1).map_or(content.len(), |(offset, _)| offset);
    let word = content[offset..].find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(content.len() - offset);
    let length = match word {
        0 => content[offset..].chars().next().map_or(0, char::len_utf8),
        word => word,
    };
    Some(start + offset..start + offset + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_counts_characters_and_marks_the_word() {
        let text = "let ä = 1;\nscale(\"x\", 3)\n";
        assert_eq!(&text[span(text, 1, 5).unwrap()], "ä");
        assert_eq!(&text[span(text, 2, 1).unwrap()], "scale");
        assert_eq!(&text[span(text, 2, 0).unwrap()], "scale(\"x\", 3)");
        assert_eq!(span(text, 0, 0), None);
        assert_eq!(span(text, 9, 1), None);
    }
}
