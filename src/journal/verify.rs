//! Whether a journal is as it was written, and who says so.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use serde::Serialize;

use super::anchor::{self, Anchor, Anchors, By};
use super::chain::{self, Fault};
use super::entry::{Entry, Payload};
use super::folder::{self, cause};
use super::hash::Hash;
use super::payload::{self, Found};
use crate::model::{Failure, Kind};

/// What was found of a journal.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verification {
    /// The run's id.
    pub run: String,
    /// The number of lines that are in order.
    pub lines: u64,
    /// Whether the chain holds.
    pub state: State,
    /// Whether a process is writing it now.
    pub running: bool,
    /// The answers beside it.
    pub payloads: Payloads,
    /// Who, beside the chain itself, saw its last line.
    pub anchoring: Anchoring,
    /// Later runs whose header names this one and whose own record is broken: what they say does not count.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub doubted: Vec<String>,
}

/// Whether the chain holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// From the header to the last line.
    Intact {
        /// Whether the last line is the footer. If it is not, the run was cut off or is still running.
        ended: bool,
    },
    /// Something is not as it was written.
    Broken {
        /// The first line that is not.
        line: u64,
        /// In what way.
        reason: String,
    },
}

/// The answers beside a journal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Payloads {
    /// How many are as they were written.
    pub sound: u64,
    /// Those that are gone; they may be kept for a shorter time than the journal.
    pub missing: Vec<Hash>,
    /// Those that are not what was put there.
    pub corrupt: Vec<Hash>,
}

/// Who, beside the chain itself, saw the journal's lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Anchoring {
    /// Nobody.
    Unanchored,
    /// The last line was seen, and everything before it with it.
    Anchored {
        /// The later run whose header holds it; none if it is the folder's pointer.
        run: Option<String>,
    },
    /// An earlier line was seen, and everything before it with it; the lines after it are unanchored.
    UpTo {
        /// That line.
        line: u64,
        /// The later run whose header holds it; none if it is the folder's pointer.
        run: Option<String>,
    },
}

impl Anchoring {
    /// One sentence that says what it means.
    pub fn explain(&self) -> String {
        let by = |run: &Option<String>| run.as_ref().map_or("the folder's pointer".into(), |run| format!("run {run}"));
        const NOBODY: &str = "a change of the last line, lines cut off the end, or a chain that was computed anew would not show";
        match self {
            Anchoring::Unanchored => format!("unanchored: no later run has recorded how this one ended, so {NOBODY}"),
            Anchoring::Anchored { run } => format!("anchored by {}", by(run)),
            Anchoring::UpTo { line, run } => format!("anchored by {} up to line {line}, unanchored after it: there {NOBODY}", by(run)),
        }
    }
}

impl Verification {
    /// Whether nothing was found changed: the chain holds and no payload is corrupt.
    pub fn is_sound(&self) -> bool {
        matches!(self.state, State::Intact { .. }) && self.payloads.corrupt.is_empty()
    }
}

/// Verifies a journal in its folder. Fails only if it cannot be read at all.
pub fn verify(path: &Path) -> Result<Verification, Failure> {
    let unreadable =
        |e: std::io::Error| Failure::new(Kind::Failed, format!("the journal {} cannot be read: {}", path.display(), cause(&e)));
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let named = anchor::first_line(path).ok().and_then(|line| anchor::header(&line)).map(|header| header.run);
    let run = named.clone().filter(|_| !folder::is_run_id(&stem)).unwrap_or_else(|| stem.clone());
    let running = folder::is_running(path);
    let Anchors { sound: anchors, broken: doubted } = anchor::of(path.parent().unwrap_or(Path::new(".")), &run);
    let by_line: BTreeMap<u64, Hash> = anchors.iter().map(|anchor| (anchor.line, anchor.sha256)).collect();

    let mut denied: Option<&Anchor> = None;
    let mut referred: BTreeMap<Hash, Payload> = BTreeMap::new();
    let mut input = BufReader::with_capacity(64 << 10, File::open(path).map_err(unreadable)?);
    let scan = chain::scan(&mut input, &by_line, &mut |link| {
        denied = denied.or_else(|| anchors.iter().find(|anchor| anchor.line == link.number && anchor.sha256 != link.hash));
        let mut found = Vec::new();
        let answer = match link.entry {
            Entry::Call(call) => {
                payload::bodies(&call.call.args, &mut found);
                call.end.payload
            }
            Entry::Intent(intent) => {
                [&intent.call.args, &intent.operation, &intent.inverse].into_iter().for_each(|data| payload::bodies(data, &mut found));
                intent.content
            }
            Entry::Outcome(outcome) => outcome.end.payload,
            _ => None,
        };
        referred.extend(found.into_iter().chain(answer).map(|payload| (payload.sha256, payload)));
    });
    let scan = scan.map_err(unreadable)?;

    // A run that is being written has a torn line now and then; only one that is not has lost it.
    let torn = (scan.torn && !running).then(|| Fault { line: scan.lines + 1, reason: "it is torn: cut off while it was written".into() });
    let misnamed = named.filter(|named| scan.fault.is_none() && *named != run);
    let misnamed =
        misnamed.map(|named| Fault { line: 1, reason: format!("it is the header of the run {}", crate::model::text::short(&named, 64)) });
    let fault = misnamed.or(scan.fault).or_else(|| denied.map(contradicted)).or_else(|| cut_off(&anchors, scan.lines)).or(torn);
    let state = match fault {
        Some(Fault { line, reason }) => State::Broken { line, reason },
        None => State::Intact { ended: scan.ended },
    };
    let anchoring = match state {
        State::Intact { .. } => strongest(&anchors, scan.lines),
        State::Broken { .. } => Anchoring::Unanchored,
    };
    let payloads = check_payloads(path, &referred)?;
    Ok(Verification { run, lines: scan.lines, state, running, payloads, anchoring, doubted })
}

fn witness(anchor: &Anchor) -> String {
    match &anchor.by {
        By::Run(run) => format!("run {}", crate::model::text::short(run, 64)),
        By::Pointer => "the folder's pointer".into(),
    }
}

fn contradicted(anchor: &Anchor) -> Fault {
    Fault {
        line: anchor.line,
        reason: format!("it was changed, or the whole chain was computed anew: {} has another hash of it", witness(anchor)),
    }
}

/// A line that somebody saw and that is not there.
fn cut_off(anchors: &[Anchor], lines: u64) -> Option<Fault> {
    let furthest = anchors.iter().max_by_key(|anchor| anchor.line).filter(|anchor| anchor.line > lines)?;
    Some(Fault { line: lines + 1, reason: format!("it is missing: {} saw this journal with {} lines", witness(furthest), furthest.line) })
}

fn strongest(anchors: &[Anchor], lines: u64) -> Anchoring {
    // Of two that saw the same line a run is the better witness: its own chain holds what it saw.
    let best = anchors.iter().max_by_key(|anchor| (anchor.line, matches!(anchor.by, By::Run(_))));
    let Some(Anchor { by, line, .. }) = best else { return Anchoring::Unanchored };
    let run = match by {
        By::Run(run) => Some(run.clone()),
        By::Pointer => None,
    };
    if *line == lines { Anchoring::Anchored { run } } else { Anchoring::UpTo { line: *line, run } }
}

fn check_payloads(path: &Path, referred: &BTreeMap<Hash, Payload>) -> Result<Payloads, Failure> {
    let folder = folder::payloads_path(path);
    let mut found = Payloads::default();
    for (sha256, payload) in referred {
        match payload::check(&folder, payload) {
            Ok(Found::Sound) => found.sound += 1,
            Ok(Found::Missing) => found.missing.push(*sha256),
            Ok(Found::Corrupt) => found.corrupt.push(*sha256),
            Err(e) => {
                return Err(Failure::new(
                    Kind::Failed,
                    format!("the payload {sha256} in {} cannot be read: {}", folder.display(), cause(&e)),
                ));
            }
        }
    }
    Ok(found)
}
