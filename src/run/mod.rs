//! One run, from its header to its footer.

pub mod batch;
pub mod doctor;
pub mod exit;
pub mod recording;
pub mod repl;
pub mod rollback;
pub mod setup;
pub mod trace;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use crate::call::Change;
use crate::call::ledger::Finding;
use crate::config::{Config, Dirs};
use crate::model::{Failure, Value};

pub use batch::run;

/// What answers a run's operations.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Stage {
    /// The real systems of an environment.
    #[default]
    Real,
    /// The healthy platform that the configuration describes.
    HealthyWorld,
    /// A world file.
    World(PathBuf),
    /// A recorded run: its id, a prefix of it, or `last`.
    Replay(String),
}

/// What is to be run, and how.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The script: a path, or a name under `scripts/`.
    pub script: String,
    /// Where the tool was called.
    pub folder: PathBuf,
    /// Where the operator's own files are.
    pub dirs: Dirs,
    /// `--param`, in order.
    pub params: Vec<(String, String)>,
    /// `--env` or `RUNBOOK_ENV`.
    pub environment: Option<String>,
    /// What answers.
    pub stage: Stage,
    /// `--dry-run`.
    pub dry_run: bool,
    /// `--yes`.
    pub yes: bool,
    /// `--confirm`.
    pub confirm: Vec<String>,
    /// `--answer`.
    pub answers: BTreeMap<String, String>,
    /// `--journal`.
    pub journal: Option<PathBuf>,
    /// `--from`: the step, by title or number, that the first of the run's steps is.
    pub from: Option<String>,
    /// `--interactive`: a person is asked before each step.
    pub interactive: bool,
}

/// What a run came to: the object that `-o json` prints.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
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
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// The parameters.
    pub params: Value,
    /// `ok`, `failed`, `cancelled`, `denied`, `in_doubt`, `diverged`, `journal_lost` or `timeout`.
    pub status: &'static str,
    /// The process's exit code.
    pub exit: i32,
    /// Milliseconds, on the platform's clock.
    pub duration_ms: f64,
    /// How many calls.
    pub calls: u64,
    /// The changes, in the order of their calls, failed and refused ones too.
    pub changes: Vec<Change>,
    /// The messages to people, likewise.
    pub messages: Vec<Change>,
    /// What it found: refused changes, unproven checks, stale decisions, remarks.
    pub findings: Vec<Finding>,
    /// Failures of steps that said `on_error: "continue"`.
    pub passed: Vec<Passed>,
    /// The failure that ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Problem>,
    /// The journal.
    pub journal: PathBuf,
}

/// A failure that a step passed over.
#[derive(Clone, Debug, Serialize)]
pub struct Passed {
    /// The step.
    pub step: String,
    /// The failure.
    #[serde(flatten)]
    pub failure: Failure,
}

/// A failure with its place.
#[derive(Clone, Debug, Serialize)]
pub struct Problem {
    /// The failure.
    #[serde(flatten)]
    pub failure: Failure,
    /// The script.
    pub file: String,
    /// The line there; 0 where it is not known.
    pub line: u32,
    /// The column there, in characters; 0 where it is not known.
    pub column: u32,
}

/// What is known before a run begins.
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// The script.
    pub script: crate::engine::Script,
    /// The engine that parsed it, and will run it: to make one costs a millisecond.
    pub parser: rhai::Engine,
}
