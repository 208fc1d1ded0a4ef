//! Reading a journal back, for replay, resume, reports and people.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::calls::RecordedCall;
use super::chain::{self, Fault};
use super::entry::{End, Entry, Header};
use super::folder::{self, cause};
use super::hash::Hash;
use super::{FORMAT, payload};
use crate::model::{Failure, Kind, Value};

/// A journal that has been read.
#[derive(Clone, Debug)]
pub struct Journal {
    /// Where it stands.
    pub path: PathBuf,
    /// Who ran what, where.
    pub header: Header,
    /// All lines, the header's first.
    pub lines: Vec<Line>,
    /// Whether the beginning of a further line follows, as a crash or a full disk leaves it.
    pub torn: bool,
}

/// A line that has been read.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its number, from 1.
    pub number: u64,
    /// When it was written, on the platform's clock.
    pub time: Timestamp,
    /// Its SHA-256.
    pub hash: Hash,
    /// What it says.
    pub entry: Entry<'static>,
}

/// Reads a journal. A torn last line is left out; anything else that is not as it was written fails, with its line: nothing
/// is replayed, resumed or undone from a record that was changed.
pub fn read(path: &Path) -> Result<Journal, Failure> {
    let unreadable = |e: std::io::Error| {
        let kind = if e.kind() == std::io::ErrorKind::NotFound { Kind::NotFound } else { Kind::Failed };
        Failure::new(kind, format!("the journal {} cannot be read: {}", path.display(), cause(&e)))
    };
    let mut input = BufReader::with_capacity(64 << 10, File::open(path).map_err(unreadable)?);
    let mut lines = Vec::new();
    let mut header = None;
    let scan = chain::scan(&mut input, &BTreeMap::new(), &mut |link| {
        if let Entry::Run(found) = &link.entry {
            header = Some((**found).clone());
        }
        lines.push(Line { number: link.number, time: link.time, hash: link.hash, entry: link.entry });
    });
    let scan = scan.map_err(unreadable)?;
    let newer = header.as_ref().filter(|header| header.format > FORMAT);
    if let Some(header) = newer {
        let message = format!("the journal {} has format {}; this runbook reads up to {FORMAT}", path.display(), header.format);
        return Err(Failure::new(Kind::Failed, message).hint(format!("runbook {} wrote it", header.version)));
    }
    if let Some(Fault { line, reason }) = scan.fault {
        return Err(Failure::new(Kind::Failed, format!("the journal {} is not as it was written: line {line}: {reason}", path.display()))
            .hint("`runbook log verify` says more; nothing is done from a changed record"));
    }
    match header {
        Some(header) => Ok(Journal { path: path.to_owned(), header, lines, torn: scan.torn }),
        None => Err(Failure::new(Kind::Failed, format!("the journal {} was cut off before its header", path.display()))),
    }
}

impl Journal {
    /// The footer; none if the run was cut off or is still running.
    pub fn end(&self) -> Option<&End> {
        match &self.lines.last()?.entry {
            Entry::End(end) => Some(end),
            _ => None,
        }
    }

    /// Whether a process is writing it now.
    pub fn is_running(&self) -> bool {
        self.end().is_none() && folder::is_running(&self.path)
    }

    /// Every call that was begun, in the order of their first lines: intents with their outcomes, the answers as recorded.
    /// Fails with `failed` if the record contradicts itself: a call or an outcome twice, an outcome without an intent.
    pub fn calls(&self) -> Result<Vec<RecordedCall>, Failure> {
        super::calls::pair(&self.lines)
            .map_err(|message| Failure::new(Kind::Failed, format!("the journal {} contradicts itself: {message}", self.path.display())))
    }

    /// A call's answer, loaded from beside the journal and compared with its hash where it stands there; none for a call that
    /// failed or has no end. Fails with `not_found` if the payload is gone, with `failed` if it was changed.
    pub fn answer_of(&self, call: &RecordedCall) -> Result<Option<Value>, Failure> {
        match (&call.answer, &call.payload) {
            (Some(answer), _) => Ok(Some(answer.clone())),
            (None, Some(payload)) => payload::load(&folder::payloads_path(&self.path), payload).map(Some),
            (None, None) => Ok(None),
        }
    }
}
