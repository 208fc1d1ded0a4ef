//! What is wrong in a configuration file, where, and what would be right. Values are never quoted from the
//! file as they stand, since a password may have been written where it does not belong.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use crate::model::text::{one_line, short};
use crate::model::{Failure, suggest};

/// One thing that is wrong in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file as a person would name it.
    pub file: String,
    /// The line, from 1; 0 where the file as a whole is meant.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong, on one line.
    pub message: String,
    /// What would be right.
    pub hint: Option<String>,
    /// The line up to its value; empty where the line cannot be shown.
    shown: String,
    /// What of `shown` is meant, in bytes.
    marked: Range<usize>,
}

/// Everything that is wrong in the configuration, in the files' order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigError {
    /// The problems, at least one.
    pub problems: Vec<Problem>,
}

impl ConfigError {
    /// The problems as rustc would show them, each with its place and its remedy. Values are left out of the lines.
    pub fn render(&self, renderer: &Renderer) -> String {
        self.problems.iter().map(|problem| problem.render(renderer)).collect::<Vec<_>>().join("\n\n")
    }
}

impl Problem {
    fn render(&self, renderer: &Renderer) -> String {
        if self.shown.is_empty() {
            let hint = self.hint.as_ref().map(|hint| format!("\n  = help: {hint}")).unwrap_or_default();
            return format!("error: {self}{hint}");
        }
        let snippet = Snippet::source(self.shown.as_str())
            .line_start(self.line)
            .path(self.file.as_str())
            .annotation(AnnotationKind::Primary.span(self.marked.clone()));
        let group = Level::ERROR.primary_title(self.message.as_str()).element(snippet);
        let group = match &self.hint {
            Some(hint) => group.element(Level::HELP.message(hint.as_str())),
            None => group,
        };
        renderer.render(&[group])
    }
}

/// `runbook.toml:3:1: unknown key …`.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.message),
            line => write!(f, "{}:{line}:{}: {}", self.file, self.column, self.message),
        }
    }
}

/// A line for each problem, with its remedy.
impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
            if let Some(hint) = &problem.hint {
                write!(f, "; {hint}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// The first problem as a `bad_argument`, with the number of the others.
impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let more = error.problems.len().saturating_sub(1);
        let Some(first) = error.problems.into_iter().next() else {
            return Failure::bad_argument("the configuration is not valid");
        };
        let others = match more {
            0 => String::new(),
            1 => " (and 1 more problem)".to_owned(),
            n => format!(" (and {n} more problems)"),
        };
        Failure { hint: first.hint.clone(), ..Failure::bad_argument(format!("{first}{others}")) }
    }
}

/// A file's text and what has been found wrong in it.
pub(super) struct Source<'a> {
    name: &'a str,
    text: &'a str,
    problems: Vec<Problem>,
}

impl<'a> Source<'a> {
    pub(super) fn new(name: &'a str, text: &'a str) -> Self {
        Self { name, text, problems: Vec::new() }
    }

    /// Notes a problem at a span of bytes.
    pub(super) fn wrong(&mut self, span: Range<usize>, message: impl AsRef<str>, hint: Option<String>) {
        let problem = self.locate(span, message.as_ref(), hint);
        self.problems.push(problem);
    }

    /// The failure's message and hint as a problem at a span.
    pub(super) fn failed(&mut self, span: Range<usize>, failure: Failure) {
        self.wrong(span, &failure.message, failure.hint);
    }

    /// Parses the file into its shape; what TOML or serde say is put into a person's words.
    pub(super) fn parse<T: serde::de::DeserializeOwned>(&mut self) -> Option<T> {
        match toml::from_str(self.text) {
            Ok(parsed) => Some(parsed),
            Err(error) => {
                let span = error.span().unwrap_or(0..0);
                let (message, hint) = reword(error.message());
                let section = if message.starts_with("unknown key") { self.section(span.start) } else { None };
                let message = section.map_or(message.clone(), |section| format!("{message} in {section}"));
                self.wrong(span, message, hint);
                None
            }
        }
    }

    /// The result, unless something was wrong.
    pub(super) fn finish<T>(self, result: T) -> Result<T, ConfigError> {
        if self.problems.is_empty() { Ok(result) } else { Err(self.error()) }
    }

    /// What was wrong, in the file's order.
    pub(super) fn error(mut self) -> ConfigError {
        self.problems.sort_by_key(|problem| (problem.line, problem.column));
        ConfigError { problems: self.problems }
    }

    fn locate(&self, span: Range<usize>, message: &str, hint: Option<String>) -> Problem {
        let start = floor(self.text, span.start);
        let line_start = self.text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line = self.text[line_start..].lines().next().unwrap_or("");
        let (shown, marked) = without_value(line, start - line_start, span.end.saturating_sub(span.start));
        Problem {
            file: one_line(self.name).into_owned(),
            line: self.text[..line_start].matches('\n').count() + 1,
            column: self.text[line_start..start].chars().count() + 1,
            message: one_line(message).into_owned(),
            hint: hint.map(|hint| one_line(&hint).into_owned()),
            shown,
            marked,
        }
    }

    /// The header above a place, such as `[services.auth-rbac]`; none on a header itself.
    fn section(&self, at: usize) -> Option<String> {
        let before = &self.text[..floor(self.text, at)];
        let (above, line) = before.rsplit_once('\n').unwrap_or(("", before));
        if line.trim_start().starts_with('[') {
            return None;
        }
        let header = above.lines().rev().map(str::trim).find(|line| line.starts_with('[') && line.contains(']'))?;
        let end = header.rfind(']')?;
        Some(short(&header[..=end], 80))
    }
}

/// A file that cannot be read at all.
pub(super) fn unreadable(name: &str, message: impl Into<String>) -> ConfigError {
    let file = one_line(name).into_owned();
    ConfigError {
        problems: vec![Problem { file, line: 0, column: 0, message: message.into(), hint: None, shown: String::new(), marked: 0..0 }],
    }
}

/// The nearest place at or before `at` where a character begins.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// A line with its value hidden, and what to mark of it. Only headers and `key = …` lines are shown: the rest
/// may be the inside of a value.
fn without_value(line: &str, start: usize, length: usize) -> (String, Range<usize>) {
    let key = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || " \t._-\"'".contains(c));
    let shown = match line.split_once('=') {
        _ if line.trim_start().starts_with('[') && !line.contains('=') => line.trim_end().to_owned(),
        Some((name, _)) if key(name) => format!("{name}= …"),
        _ => return (String::new(), 0..0),
    };
    if shown.chars().any(|c| c.is_control()) || one_line(&shown) != shown {
        return (String::new(), 0..0);
    }
    let hidden = shown.find('…').unwrap_or(shown.len());
    if start >= hidden {
        return (shown.clone(), hidden..shown.len());
    }
    let start = floor(&shown, start);
    let end = floor(&shown, (start + length).min(hidden)).max(start);
    (shown, start..end)
}

/// serde's words for a person, values left out: the unknown key with the nearest right one, the wrong type with the right one.
fn reword(message: &str) -> (String, Option<String>) {
    if let Some(rest) = message.strip_prefix("unknown field `") {
        let (key, rest) = rest.split_once('`').unwrap_or((rest, ""));
        let known: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
        return (format!("unknown key `{key}`"), suggest::hint(key, known));
    }
    if let Some(rest) = message.strip_prefix("invalid type: ") {
        let (found, wanted) = rest.rsplit_once(", expected ").unwrap_or((rest, "something else"));
        let hint = (wanted == super::shape::SECRET).then(|| {
            "secrets stay outside of the file: { env = \"NAME\" }, { file = \"PATH\" }, { command = [\"…\"] } or { kubernetes = \"secret/NAME/KEY\" }"
                .to_owned()
        });
        return (format!("expected {}, found {}", plain_type(wanted), plain_type(found)), hint);
    }
    if message.starts_with("invalid value") || message.starts_with("invalid length") {
        return ("the value is out of range".to_owned(), None);
    }
    (message.replace('\n', " "), None)
}

fn plain_type(words: &str) -> &str {
    let named = [
        ("string", "a string"),
        ("a string", "a string"),
        ("integer", "a number"),
        ("floating point", "a fraction"),
        ("boolean", "true or false"),
        ("a boolean", "true or false"),
        ("sequence", "an array"),
        ("a sequence", "an array"),
        ("map", "a table"),
        ("a map", "a table"),
        ("i64", "a whole number"),
    ];
    // What follows a backtick or a quote is the value itself.
    let bare = words.split(['`', '"']).next().unwrap_or("").trim();
    named.iter().find(|(serde, _)| *serde == bare).map_or(if bare.is_empty() { "something else" } else { bare }, |(_, plain)| plain)
}
