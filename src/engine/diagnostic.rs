//! Errors as people read them: message, source line with a caret, call stack, what to do next.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use rhai::{EvalAltResult, Position as At};

use super::names::{self, Known};
use super::{failure, span};
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

/// Rhai's place in a file as ours.
pub fn position(file: &str, at: At) -> Position {
    let number = |n: Option<usize>| n.and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
    Position { file: file.into(), line: number(at.line()), column: number(at.position()) }
}

impl Diagnostic {
    /// The diagnostic of an uncaught error; `main` is the script's own name.
    pub fn of_error(error: &EvalAltResult, main: &str) -> Self {
        Self::explained(error, main, None)
    }

    /// [`Self::of_error`], with the script's own names among those that may have been meant.
    pub fn explained(error: &EvalAltResult, main: &str, known: Option<&Known<'_>>) -> Self {
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
        improve(here, &mut failure, known);
        Self { failure, at, stack }
    }

    /// A diagnostic of our own about a place.
    pub fn at(failure: Failure, at: Position) -> Self {
        Self { failure, at, stack: Vec::new() }
    }

    /// Renders it; `source` finds a file's text.
    pub fn render(&self, source: &dyn Fn(&str) -> Option<String>, colour: bool) -> String {
        let stack: Vec<String> = self.stack.iter().map(|(name, at)| format!("in `{name}`, called at {at}")).collect();
        draw(&Level::ERROR, self.failure.kind.name(), &self.failure, &self.at, source(&self.at.file).as_deref(), &stack, colour)
    }
}

/// Draws an error or a warning: title, the marked source line, notes, what to do next.
pub(super) fn draw(
    level: &Level<'static>,
    code: &str,
    failure: &Failure,
    at: &Position,
    text: Option<&str>,
    notes: &[String],
    colour: bool,
) -> String {
    let title = text::short(&failure.message, 2000);
    let mut message = Group::with_title(level.clone().primary_title(title.as_str()).id(code));
    match text.and_then(|text| Some((text, span::of(text, at.line, at.column)?))) {
        Some((text, span)) => {
            let mark = AnnotationKind::Primary.span(span.clone());
            let target = failure.target.as_deref().filter(|target| !text[span].contains(target)).map(text::one_line);
            let mark = match target {
                Some(target) => mark.label(target.into_owned()),
                None => mark,
            };
            message = message.element(Snippet::source(text).path(&*at.file).annotation(mark));
        }
        None if at.line > 0 || !at.file.is_empty() => message = message.element(Level::NOTE.message(format!("at {at}"))),
        None => {}
    }
    for note in notes {
        message = message.element(Level::NOTE.message(note.as_str()));
    }
    if let Some(hint) = &failure.hint {
        message = message.element(Level::HELP.message(text::short(hint, 2000)));
    }
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    renderer.render(&[message])
}

/// What Rhai's own errors leave out: the nearest name, and how a function is called.
fn improve(error: &EvalAltResult, failure: &mut Failure, known: Option<&Known<'_>>) {
    match error {
        EvalAltResult::ErrorFunctionNotFound(signature, _) => {
            let (name, given) = signature.split_once(" (").unwrap_or((signature, ")"));
            let said = not_called_like_this(name.trim(), given.trim_end_matches(')'), signature, known);
            (failure.message, failure.hint) = (said.message, said.hint);
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

/// What is wrong with a call that no function answers to.
fn not_called_like_this(name: &str, given: &str, signature: &str, known: Option<&Known<'_>>) -> Failure {
    let types = given.split(',').filter(|ty| !ty.trim().is_empty()).count();
    let counted = host::find(name).map(|function| function.spec.wrong_count(types));
    let counted = counted.or_else(|| {
        let own: Vec<_> = known?.tree.named(name).collect();
        (!own.is_empty()).then(|| names::wrong_count(name, types, &own))
    });
    let counted = counted.or_else(|| known?.wrong_builtin_count(name, types));
    match (counted, known) {
        (Some(counted), _) => counted,
        (None, Some(known)) if known.has(name) => Failure::bad_argument(format!("`{name}` is not called like this: {signature}")),
        (None, Some(known)) => known.unknown_function(name),
        (None, None) => {
            let near = spec::nearest(name, host::FUNCTIONS.iter().map(|function| &function.spec));
            Failure {
                hint: near.map(|near| format!("did you mean `{near}`?")),
                ..Failure::bad_argument(format!("unknown function `{name}`"))
            }
        }
    }
}
