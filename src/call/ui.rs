//! What the pipeline tells and asks the person at the terminal.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::ledger::{Change, Finding};
use crate::journal::entry::StepState;
use crate::model::{Call, Failure, Value};

/// What a run begins with.
#[derive(Clone, Debug)]
pub struct Started {
    /// The run's id.
    pub run: String,
    /// The script.
    pub script: String,
    /// Its title.
    pub title: String,
    /// The environment's name.
    pub environment: String,
    /// `real`, `world:FILE` or `replay:RUN`.
    pub platform: String,
    /// Whether nothing is changed.
    pub dry_run: bool,
}

/// Something that happened, for live progress. All text in it is masked.
pub enum Event<'a> {
    /// The run begins.
    Run(&'a Started),
    /// The run failed: the diagnostic, rendered with colours or without.
    Failed(&'a dyn Fn(bool) -> String),
    /// A step begins or ends; `elapsed` at its end.
    Step(&'a str, StepState, Option<Duration>),
    /// A call begins.
    CallStarted(&'a Call),
    /// A call says what it is waiting for.
    Waiting(&'a Call, &'a str, Duration),
    /// A call ended.
    CallEnded(&'a Call, Option<&'a Failure>, Duration),
    /// A change or message was done or simulated.
    Change(&'a Change),
    /// A call had nothing to do at a target: the function, the target.
    Unchanged(&'a str, &'a str),
    /// Something was found.
    Finding(&'a Finding),
    /// The script's own remark.
    Note(&'a str),
}

/// The id of the question whether to roll back: `--answer rollback=yes`.
pub const ROLLBACK: &str = "rollback";

/// What was answered beforehand (`--answer ID=VALUE`), and what of it was asked for.
#[derive(Debug, Default)]
pub struct Answers {
    given: BTreeMap<String, String>,
    asked: Mutex<BTreeSet<String>>,
}

impl Answers {
    /// Answers by the questions' ids.
    pub fn new(given: BTreeMap<String, String>) -> Self {
        Self { given, asked: Mutex::default() }
    }

    /// The answer to a question.
    pub fn get(&self, id: &str) -> Option<&str> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned());
        self.given.get(id).map(String::as_str)
    }

    /// For each answer that nothing has asked for, that with the nearest question.
    pub fn unasked(&self) -> Vec<String> {
        let mut known = self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone();
        known.insert(ROLLBACK.to_owned());
        let strange = self.given.keys().filter(|id| !known.contains(*id));
        strange
            .map(|id| Failure::unknown("question", id, known.iter().map(String::as_str)))
            .map(|failure| format!("--answer: nothing asked this: {}; {}", failure.message, failure.hint.unwrap_or_default()))
            .collect()
    }
}

/// A question to a person.
#[derive(Clone, Debug)]
pub struct Question {
    /// The environment's name, empty where there is none.
    pub environment: String,
    /// What is asked, on one line.
    pub text: String,
    /// What goes with it, line by line: before and after, the equivalent.
    pub details: Vec<String>,
    /// What may be answered, as the prompt shows it: `[y]es [n]o`.
    pub choices: String,
}

/// The person's side: a terminal, a log, a test.
pub trait Ui: Send + Sync {
    /// Takes note of an event.
    fn event(&self, event: &Event<'_>);

    /// Shows a value as data (standard output).
    fn show(&self, value: &Value, title: Option<&str>);

    /// Shows rows with these columns, in this order.
    fn table(&self, rows: &[Value], columns: &[&str], title: Option<&str>) {
        let _ = columns;
        self.show(&rows.to_vec().into(), title);
    }

    /// Asks; none where nobody is there.
    fn ask(&self, question: &Question) -> Option<String>;
}

/// Nobody: for benchmarks and for runs whose output does not matter.
pub struct Silent;

impl Ui for Silent {
    fn event(&self, _: &Event<'_>) {}
    fn show(&self, _: &Value, _: Option<&str>) {}
    fn ask(&self, _: &Question) -> Option<String> {
        None
    }
}
