//! What a run adds up to: its changes and what it found.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::model::{CallId, Effect, Failure, InStep, Tier, Value, Write};

/// One change or message, done or simulated.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// The call that made it.
    pub id: CallId,
    /// The step it stands in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// The function.
    pub function: String,
    /// What it changes.
    pub target: String,
    /// `changed`, `would_change`, `sent`, `would_send`, `refused`, `failed` or `in_doubt`.
    pub status: String,
    /// The fields as they were.
    pub before: Value,
    /// The fields as they are, or would be.
    pub after: Value,
    /// How grave.
    pub tier: Tier,
    /// `change` or `notify`.
    pub effect: Effect,
    /// The command line that says the same.
    pub equivalent: String,
    /// Whether the server validated it; none where nothing can, or where it was really done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validated: Option<bool>,
    /// What the server said against it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Failure>,
    /// What a person should know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
    /// The script.
    pub file: String,
    /// The line there.
    pub line: u32,
}

impl Change {
    /// Whether it was done, or would be: not what failed, was refused, or is in doubt.
    pub fn is_made(&self) -> bool {
        matches!(self.status.as_str(), "changed" | "would_change" | "sent" | "would_send")
    }
}

/// Sorts of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// The server would refuse a change.
    Refused,
    /// A check or wait did not hold after simulated changes: nobody can know.
    Unproven,
    /// A decision rested on an answer that a simulated change may have altered.
    StaleDecision,
    /// What a person should know.
    Remark,
}

impl Found {
    /// The name that journals use.
    pub fn name(self) -> &'static str {
        match self {
            Found::Refused => "refused",
            Found::Unproven => "unproven",
            Found::StaleDecision => "stale_decision",
            Found::Remark => "remark",
        }
    }
}

/// Something that the run found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// What sort.
    pub finding: Found,
    /// The call.
    pub id: CallId,
    /// What it says.
    pub message: String,
    /// The script.
    pub file: String,
    /// The line there.
    pub line: u32,
}

/// What takes a change back.
#[derive(Clone, Debug)]
pub struct Inverse {
    /// The call that made the change.
    pub id: CallId,
    /// The step it stands in.
    pub step: Option<InStep>,
    /// What it takes back, as the change named it.
    pub target: String,
    /// The write.
    pub write: Write,
}

/// What a run adds up to.
#[derive(Debug, Default)]
pub struct Ledger {
    /// How many calls.
    pub calls: u64,
    /// Its changes and messages, in the order of their call ids once it is done.
    pub changes: Vec<Change>,
    /// What it found.
    pub findings: Vec<Finding>,
    /// What takes changes back, oldest first.
    pub inverses: Vec<Inverse>,
    /// The calls whose changes were taken back by their inverses.
    pub reverted: BTreeSet<CallId>,
    /// How many answers were stale since the last decision.
    pub stale: u64,
}
