//! One finding: what, where, what to do.

use annotate_snippets::Level;
use rhai::Position as At;

use super::codes::{Code, Severity};
use super::sources::{Source, Sources};
use crate::engine::{diagnostic, span};
use crate::model::{Failure, Position};

/// Something that was found in a script.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What sort of thing.
    pub code: &'static Code,
    /// What is wrong, and what to do.
    pub failure: Failure,
    /// Where it begins; line and column are 1-based, columns in characters.
    pub at: Position,
    /// Line and column behind its end.
    pub end: (u32, u32),
}

impl Finding {
    /// A finding at what stands at a place.
    pub(super) fn new(code: &'static Code, failure: Failure, source: &Source, at: At) -> Self {
        let mut at = diagnostic::position(&source.name, at);
        // What is about the whole file is about its beginning.
        (at.line, at.column) = (at.line.max(1), at.column.max(1));
        let end = match span::of(&source.text, at.line, at.column) {
            Some(span) => span::place(&source.text, span.end),
            None => (at.line, at.column),
        };
        Self { code, failure, at, end }
    }

    /// Draws it as errors of a run are drawn.
    pub fn render(&self, text: Option<&str>, colour: bool) -> String {
        let level = match self.code.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        diagnostic::draw(&level, self.code.id, &self.failure, &self.at, text, &[], colour)
    }
}

/// By file, in the order in which the files were given, and by place.
pub(super) fn ordered(mut findings: Vec<Finding>, sources: &Sources) -> Vec<Finding> {
    let number = |finding: &Finding| sources.all.iter().position(|source| source.name == *finding.at.file);
    findings.sort_by_cached_key(|finding| (number(finding), finding.at.line, finding.at.column, finding.code.id));
    findings
}
