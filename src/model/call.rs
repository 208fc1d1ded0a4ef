//! A host-function call: its identity, its effect, where its answer came from.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Value;

/// The path of a call: `8.2.3` is the `parallel` at 8, its branch 2, the third call in there.
/// Replay and resume match calls by it, so it must not depend on timing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(pub Vec<u32>);

impl CallId {
    /// The id of a child of this one.
    pub fn child(&self, number: u32) -> CallId {
        let mut path = Vec::with_capacity(self.0.len() + 1);
        path.extend_from_slice(&self.0);
        path.push(number);
        CallId(path)
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, part) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(".")?;
            }
            write!(f, "{part}")?;
        }
        Ok(())
    }
}

impl FromStr for CallId {
    type Err = std::num::ParseIntError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split('.').map(str::parse).collect::<Result<_, _>>().map(CallId)
    }
}

impl Serialize for CallId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CallId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What a call does to the world outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Looks at a system.
    Read,
    /// Changes a system.
    Change,
    /// Tells people.
    Notify,
    /// Touches this machine only: clock, prompts, terminal, environment.
    Local,
    /// Computes.
    Pure,
}

impl Effect {
    /// The name that journals and documentation use.
    pub fn name(self) -> &'static str {
        match self {
            Effect::Read => "read",
            Effect::Change => "change",
            Effect::Notify => "notify",
            Effect::Local => "local",
            Effect::Pure => "pure",
        }
    }
}

/// Where an answer came from. It belongs to the call, not to the value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provenance {
    /// From the platform, now.
    #[default]
    Live,
    /// From a recording.
    Recorded,
    /// From the platform, though an earlier simulated change may have altered it.
    Stale,
    /// From what a rehearsal predicts.
    Simulated,
}

impl Provenance {
    /// The name that journals use.
    pub fn name(self) -> &'static str {
        match self {
            Provenance::Live => "live",
            Provenance::Recorded => "recorded",
            Provenance::Stale => "stale",
            Provenance::Simulated => "simulated",
        }
    }
}

/// How grave a change is; decides who must say yes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// Goes ahead.
    Mild,
    /// Asks in protected environments.
    Moderate,
    /// Asks for the target's name in protected environments.
    Severe,
}

impl Tier {
    /// The name that scripts (`#{ tier: "severe" }`) and journals use.
    pub fn name(self) -> &'static str {
        match self {
            Tier::Mild => "mild",
            Tier::Moderate => "moderate",
            Tier::Severe => "severe",
        }
    }

    /// The tier of that name.
    pub fn from_name(name: &str) -> Option<Tier> {
        [Tier::Mild, Tier::Moderate, Tier::Severe].into_iter().find(|tier| tier.name() == name)
    }
}

/// A place in a script: 1-based line and column in characters; line 0 is unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The file as the run names it, relative to the project where it can be.
    pub file: Arc<str>,
    /// 1-based; 0 where it is not known.
    pub line: u32,
    /// 1-based, in characters; 0 where it is not known.
    pub column: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column) {
            (0, _) => f.write_str(&self.file),
            (line, 0) => write!(f, "{}:{line}", self.file),
            (line, column) => write!(f, "{}:{line}:{column}", self.file),
        }
    }
}

/// The step that a call stands in. Titles may repeat, in loops and by chance; numbers do not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InStep {
    /// Its title.
    pub title: Arc<str>,
    /// Which of the run's steps it is, in the order in which they began, from 1.
    pub number: u32,
    /// Whether it, or a step around it, is never taken back.
    pub never: bool,
}

/// One host-function call, as the pipeline, the policy and the journal see it.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its path among the run's calls.
    pub id: CallId,
    /// The step it stands in.
    pub step: Option<InStep>,
    /// The function's name.
    pub function: &'static str,
    /// What it is about, in the script's words.
    pub target: Option<String>,
    /// What it does.
    pub effect: Effect,
    /// All arguments: a list, the options map last where there is one.
    pub args: Value,
    /// Where in the script.
    pub at: Position,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_round_trip_and_order_by_number() {
        let id: CallId = "8.2.13".parse().unwrap();
        assert_eq!(id, CallId(vec![8, 2, 13]));
        assert_eq!(id.to_string(), "8.2.13");
        assert!("8.2".parse::<CallId>().unwrap() < id && id < CallId(vec![8, 10]));
        assert!("8..1".parse::<CallId>().is_err());
    }

    #[test]
    fn positions_read_as_editors_write_them() {
        let at = |line, column| Position { file: "a.rhai".into(), line, column }.to_string();
        assert_eq!((at(3, 7), at(3, 0), at(0, 0)), ("a.rhai:3:7".into(), "a.rhai:3".into(), "a.rhai".into()));
    }
}
