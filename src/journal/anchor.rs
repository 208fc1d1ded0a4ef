//! What vouches for a journal's last line: the folder's pointer, and the headers of later runs.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::entry::{Entry, Header, LineRef};
use super::hash::Hash;
use super::{chain, folder, line};

/// The pointer's name in the folder. No journal is called so: theirs end in `.jsonl`.
const POINTER: &str = "last";
/// The longest header that is read; a header holds names, hashes and parameters.
const LONGEST_HEADER: u64 = 8 << 20;

#[derive(Serialize, Deserialize)]
struct Pointer {
    #[serde(flatten)]
    at: LineRef,
    /// Whether the run had ended, so that no further line can be expected.
    ended: bool,
}

/// Who saw a line of a journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum By {
    Run(String),
    Pointer,
}

/// A line as somebody saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Anchor {
    pub(super) by: By,
    pub(super) line: u64,
    pub(super) sha256: Hash,
}

/// Replaces the pointer: either the old one or the new one is there at any time.
pub(super) fn set(folder: &Path, at: LineRef, ended: bool) -> io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(&serde_json::to_vec(&Pointer { at, ended })?)?;
    file.persist(folder.join(POINTER))?;
    Ok(())
}

fn pointer(folder: &Path) -> Option<Pointer> {
    let pointer: Pointer = serde_json::from_slice(&fs::read(folder.join(POINTER)).ok()?).ok()?;
    folder::is_safe_id(&pointer.at.run).then_some(pointer)
}

/// The newest line of the run that last used the folder, for the next run's header. One small file is read, and of a
/// run that has not ended the journal's tail.
pub(super) fn newest(folder: &Path) -> Option<LineRef> {
    let Pointer { at, ended } = pointer(folder)?;
    if ended {
        return Some(at);
    }
    let tail = File::open(folder::journal_path(folder, &at.run)).and_then(|file| line::last(&file));
    match tail.ok().and_then(|(bytes, _)| Some((line::parse(&bytes)?.number, Hash::of(&bytes)))) {
        Some((number, sha256)) if number > at.line => Some(LineRef { run: at.run, line: number, sha256 }),
        _ => Some(at),
    }
}

/// What a folder says of a run's lines.
#[derive(Debug, Default)]
pub(super) struct Anchors {
    /// What counts.
    pub(super) sound: Vec<Anchor>,
    /// The runs whose header names this one and whose own record is broken, so that they prove nothing.
    pub(super) broken: Vec<String>,
}

/// Everything in the folder that says what a line of this run was.
pub(super) fn of(folder: &Path, run: &str) -> Anchors {
    let mut found = Anchors::default();
    let pointer = pointer(folder).filter(|pointer| pointer.at.run == run);
    found.sound.extend(pointer.map(|Pointer { at, .. }| Anchor { by: By::Pointer, line: at.line, sha256: at.sha256 }));
    let mentions = format!("\"{run}\"");
    for path in journals(folder).unwrap_or_default() {
        if path.file_stem().is_some_and(|stem| stem == run) {
            continue;
        }
        // Most headers name another run; those are not worth the parsing.
        let Ok(bytes) = first_line(&path) else { continue };
        if !std::str::from_utf8(&bytes).is_ok_and(|text| text.contains(&mentions)) {
            continue;
        }
        if let Some(Header { run: by, previous_run: Some(at), .. }) = header(&bytes).filter(|_| line::parse(&bytes).is_some())
            && at.run == run
        {
            // Only the few that name this run are read to their end.
            if is_whole(&path, &by) {
                found.sound.push(Anchor { by: By::Run(by), line: at.line, sha256: at.sha256 });
            } else {
                found.broken.push(by);
            }
        }
    }
    found.broken.sort();
    found
}

/// Whether a journal is the one of this run, and its chain holds up to its last whole line.
fn is_whole(path: &Path, run: &str) -> bool {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let named = stem == run || !folder::is_run_id(&stem);
    let scan = File::open(path).and_then(|file| chain::scan(&mut BufReader::with_capacity(64 << 10, file), &BTreeMap::new(), &mut |_| {}));
    named && scan.is_ok_and(|scan| scan.fault.is_none())
}

/// The journals of a folder, in no order; none if there is no folder.
pub(super) fn journals(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?;
    Ok(paths.into_iter().filter(|path| path.extension().is_some_and(|ending| ending == "jsonl")).collect())
}

/// A journal's first line without its newline; an error if there is no whole one.
pub(super) fn first_line(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let mut bytes = Vec::new();
    BufReader::with_capacity(2048, file).take(LONGEST_HEADER).read_until(b'\n', &mut bytes)?;
    match bytes.pop() {
        Some(b'\n') => Ok(bytes),
        _ => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it has no whole first line")),
    }
}

/// The header in a first line, if it is one.
pub(super) fn header(line: &[u8]) -> Option<Header> {
    match serde_json::from_slice(line) {
        Ok(Entry::Run(header)) => Some(*header),
        _ => None,
    }
}
