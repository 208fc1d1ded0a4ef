//! What a journal's lines hold.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};

use super::hash::Hash;
use crate::model::{CallId, Effect, Failure, Position, Provenance, Tier, Value};

/// One line, without its number, time and chain, which the writer adds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Entry<'a> {
    /// The first line.
    Run(Box<Header>),
    /// What a person typed in a sitting, before it runs.
    Input(Input<'a>),
    /// A step begins or ends.
    Step(Step<'a>),
    /// A call that leaves nothing behind: one line with its outcome.
    Call(CallLine<'a>),
    /// What is about to be written; on disk before the write leaves.
    Intent(Intent<'a>),
    /// How an intent ended. An intent without one is in doubt.
    Outcome(Outcome<'a>),
    /// A decision of the policy or of a person.
    Decision(Decision<'a>),
    /// Something that the run found: a refused change, an unproven check, a stale decision.
    Finding(Finding<'a>),
    /// The last line.
    End(End),
}

/// Who runs what, where, with what.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// The journal format's version.
    pub format: u32,
    /// The run's id.
    pub run: String,
    /// The tool's version.
    pub version: String,
    /// The project's root, so that runs of one project can be told from those of another; empty where there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub project: String,
    /// The script's path, relative to the project; empty for a sitting.
    pub script: String,
    /// The title from the script's header.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// SHA-256 of the script and of every import, by path.
    pub sources: BTreeMap<String, String>,
    /// SHA-256 of `runbook.toml`.
    pub config: String,
    /// The commit that is checked out, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The user's name.
    pub user: String,
    /// The user's id.
    pub uid: u32,
    /// The machine's name.
    pub host: String,
    /// The environment's name; empty where there is none.
    pub environment: String,
    /// The cluster's UID, where one was checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_uid: Option<String>,
    /// The parameters after defaults.
    pub params: Value,
    /// `real`, `world:FILE` or `replay:RUN`.
    pub platform: String,
    /// Whether nothing is written.
    pub dry_run: bool,
    /// The last line of the run before this one in the same folder, so that this run vouches for that one. The writer fills it in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_run: Option<LineRef>,
}

/// A line of a run's journal, and what it was when somebody looked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineRef {
    /// The run's id.
    pub run: String,
    /// The line's number, from 1.
    pub line: u64,
    /// SHA-256 of the line's bytes, without the newline.
    pub sha256: Hash,
}

/// What a person typed in a sitting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Input<'a> {
    /// Its number in the sitting, from 1; calls name it as their file.
    pub input: u32,
    /// The text, masked; of several lines where it was typed on several.
    pub text: Cow<'a, str>,
    /// SHA-256 of the script that it runs and of that script's imports, by path.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sources: BTreeMap<String, String>,
}

/// A step begins or ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step<'a> {
    /// The step's title.
    pub step: Cow<'a, str>,
    /// What became of it.
    pub state: StepState,
    /// Where it stands.
    pub at: Position,
    /// How long it took, at its end.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "some_millis")]
    pub ms: Option<f64>,
    /// By whose word it was skipped: `--from`, `person` or `recording`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Cow<'a, str>>,
}

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// It begins.
    Started,
    /// It was left out.
    Skipped,
    /// It went through.
    Finished,
    /// It failed.
    Failed,
    /// Its rollback begins.
    RollingBack,
    /// Its rollback went through.
    RolledBack,
    /// Its rollback failed.
    RollbackFailed,
}

/// The call that a line is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallHead<'a> {
    /// The call's id.
    pub id: CallId,
    /// The step it stands in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<Cow<'a, str>>,
    /// The function.
    pub function: Cow<'a, str>,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Cow<'a, str>>,
    /// What it does.
    pub effect: Effect,
    /// Its arguments.
    pub args: Cow<'a, Value>,
    /// The script.
    pub file: Cow<'a, str>,
    /// The line there.
    pub line: u32,
}

/// A call that leaves nothing behind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallLine<'a> {
    /// The call.
    #[serde(flatten)]
    pub call: CallHead<'a>,
    /// How it ended.
    #[serde(flatten)]
    pub end: Ending<'a>,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ending<'a> {
    /// Milliseconds, on the platform's clock.
    #[serde(serialize_with = "millis")]
    pub ms: f64,
    /// Where the answer came from.
    pub provenance: Provenance,
    /// The answer, masked; nothing if it is a payload or a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Cow<'a, Value>>,
    /// Where the answer stands beside the journal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Payload>,
    /// The failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Cow<'a, Failure>>,
}

/// The key of what stands in a line for a body beside the journal: `{ "$body": SHA-256, "bytes": N, "shape": … }`.
pub const BODY: &str = "$body";

/// An answer, or what was sent, that stands beside the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    /// SHA-256 of its bytes, which are JSON; its file's name.
    pub sha256: Hash,
    /// Its size.
    pub bytes: u64,
    /// What it is, without its content: `array of 12 maps`.
    pub shape: String,
}

/// What is about to be written by a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intent<'a> {
    /// The call.
    #[serde(flatten)]
    pub call: CallHead<'a>,
    /// Which of the call's writes, from 0.
    pub write: u32,
    /// The writes' number.
    pub of: u32,
    /// How grave it is.
    pub tier: Tier,
    /// `apply` or `rehearse`.
    pub mode: Cow<'a, str>,
    /// What it changes.
    pub object: Cow<'a, str>,
    /// The fields as they are.
    pub before: Cow<'a, Value>,
    /// The fields as they will be.
    pub after: Cow<'a, Value>,
    /// The operation itself, typed, as data.
    pub operation: Cow<'a, Value>,
    /// The operation that takes it back, as data; null where there is none.
    pub inverse: Cow<'a, Value>,
    /// The operation, its inverse and the command line in full, where the line has only shapes of what they hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Payload>,
    /// Whether there is a read that tells if it happened.
    pub probe: bool,
    /// The command line that says the same.
    pub equivalent: Cow<'a, str>,
}

/// How an intent ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome<'a> {
    /// The call.
    pub id: CallId,
    /// Which of the call's writes.
    pub write: u32,
    /// `changed`, `would_change`, `unchanged`, `sent`, `would_send`, `failed` or `in_doubt`.
    pub status: Cow<'a, str>,
    /// The end of the write; with the call's last write, `answer` is the call's.
    #[serde(flatten)]
    pub end: Ending<'a>,
}

/// A decision of the policy or of a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision<'a> {
    /// The call that it is about.
    pub id: CallId,
    /// The function.
    pub function: Cow<'a, str>,
    /// What it is about.
    pub target: Cow<'a, str>,
    /// How grave.
    pub tier: Tier,
    /// `allow`, `confirmed`, `refused`, `skipped` or `denied`; `answered` where a person was asked for more than a yes.
    pub decision: Cow<'a, str>,
    /// By what: `policy`, `--yes`, `--confirm`, `person`, `no terminal`; of a script's questions by whom, such as `ops@host`.
    pub by: Cow<'a, str>,
}

/// Something that the run found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding<'a> {
    /// `refused`, `unproven`, `stale_decision` or `remark`.
    pub finding: Cow<'a, str>,
    /// The call.
    pub id: CallId,
    /// What it says.
    pub message: Cow<'a, str>,
    /// The script.
    pub file: Cow<'a, str>,
    /// The line there.
    pub line: u32,
}

/// The last line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct End {
    /// `ok`, `failed`, `cancelled`, `denied`, `in_doubt`, `diverged`.
    pub status: String,
    /// The process's exit code.
    pub exit: i32,
    /// Milliseconds in all.
    #[serde(serialize_with = "millis")]
    pub ms: f64,
    /// How many calls.
    pub calls: u64,
    /// How many changes and messages, done or simulated; not those that failed, were refused or are in doubt.
    pub changes: u64,
    /// The failure that ended the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

/// Writes milliseconds to the microsecond. JSON has no infinities, and a line that cannot be read back is a lost line.
#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn millis<S: Serializer>(ms: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(if ms.is_finite() { (ms * 1e3).round() / 1e3 } else { 0.0 })
}

fn some_millis<S: Serializer>(ms: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    match ms {
        Some(ms) => millis(ms, serializer),
        None => serializer.serialize_none(),
    }
}
