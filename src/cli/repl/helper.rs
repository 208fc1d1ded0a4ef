//! The line editor's view of the sitting.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use rustyline::completion::{Completer, Pair};
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::{Hint, Hinter};
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Context, Helper};

use super::context::{self, Context as Place, Wanted};
use super::{complete, highlight, hint, print};
use crate::model::text;
use crate::run::repl::Session;

/// What the editor asks while a line is typed. Nothing in here waits for a system.
pub(super) struct Typing {
    pub(super) session: Rc<RefCell<Session>>,
    pub(super) colour: bool,
    /// The prompt's width.
    pub(super) prompt: Cell<usize>,
}

/// A hint is looked at, never taken over into the line.
pub(super) struct Shown(String);

impl Hint for Shown {
    fn display(&self) -> &str {
        &self.0
    }
    fn completion(&self) -> Option<&str> {
        None
    }
}

impl Helper for Typing {}

impl Completer for Typing {
    type Candidate = Pair;

    fn complete(&self, line: &str, cursor: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let Ok(session) = self.session.try_borrow() else { return Ok((cursor, Vec::new())) };
        let (start, mut found) = complete::complete(line, cursor, &*session);
        // Names come from systems; what could act on a terminal is no name.
        found.retain(|pair| text::one_line(&pair.replacement) == pair.replacement.as_str());
        Ok((start, found))
    }
}

impl Hinter for Typing {
    type Hint = Shown;

    fn hint(&self, line: &str, cursor: usize, _: &Context<'_>) -> Option<Shown> {
        let session = self.session.try_borrow().ok()?;
        if cursor < line.len() {
            return None;
        }
        if let Place::Text { wanted: Wanted::Value(ty), .. } = context::at(line)
            && complete::is_on_platform(ty)
        {
            // By the time that Tab is pressed they are there.
            session.names().get(Duration::ZERO);
        }
        let said = hint::hint(line, &*session)?;
        let last = line.rsplit('\n').next().unwrap_or_default().chars().count();
        let used = if line.contains('\n') { last } else { last + self.prompt.get() };
        let columns = print::size().0;
        let room = columns.saturating_sub(used % columns + 1);
        if room < 8 { None } else { Some(Shown(text::short(&said, room))) }
    }
}

impl Highlighter for Typing {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        if self.colour { Cow::Owned(highlight::input(line)) } else { Cow::Borrowed(line) }
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        // Dim is no colour: without it a hint could not be told from what was typed.
        match hint.find("change").filter(|_| self.colour) {
            Some(at) => {
                let (before, rest) = hint.split_at(at);
                let (word, after) = rest.split_at("change".len());
                Cow::Owned(format!("\x1b[2m{before}\x1b[0m{}\x1b[2m{after}\x1b[0m", highlight::paint("33", word)))
            }
            None => Cow::Owned(format!("\x1b[2m{hint}\x1b[0m")),
        }
    }

    fn highlight_candidate<'c>(&self, candidate: &'c str, _: CompletionType) -> Cow<'c, str> {
        match highlight::of_function(candidate).filter(|_| self.colour) {
            Some(code) => Cow::Owned(highlight::paint(code, candidate)),
            None => Cow::Borrowed(candidate),
        }
    }

    fn highlight_char(&self, _: &str, _: usize, _: CmdKind) -> bool {
        true
    }
}

impl Validator for Typing {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let text = context.input();
        let Ok(session) = self.session.try_borrow() else { return Ok(ValidationResult::Valid(None)) };
        if !text.trim_start().starts_with(':') && session.wants_more(text) {
            return Ok(ValidationResult::Incomplete);
        }
        Ok(ValidationResult::Valid(None))
    }
}
