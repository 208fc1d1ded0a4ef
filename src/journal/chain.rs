//! Reading a chain of lines, and finding the first that is not as it was written.

use std::collections::BTreeMap;
use std::io::{self, BufRead};

use jiff::Timestamp;

use super::entry::Entry;
use super::hash::Hash;
use super::line::{self, Prefix};

/// A line in its right place.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) number: u64,
    pub(super) time: Timestamp,
    pub(super) hash: Hash,
    pub(super) entry: Entry<'static>,
}

/// The first line that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) line: u64,
    pub(super) reason: String,
}

fn fault<T>(line: u64, reason: impl Into<String>) -> Result<T, Fault> {
    Err(Fault { line, reason: reason.into() })
}

/// How a chain ends.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Scan {
    /// The number of whole and good lines.
    pub(super) lines: u64,
    /// Whether the last of them is the footer.
    pub(super) ended: bool,
    /// Whether the beginning of a line follows, as a crash or a full disk leaves it.
    pub(super) torn: bool,
    /// What is wrong, at the first line where something is.
    pub(super) fault: Option<Fault>,
}

/// Goes through a journal in bounded memory and hands on its good lines, up to the first bad one.
///
/// `anchors` are hashes of lines, by number, from elsewhere: where a line and the next one's record of it differ, they help
/// to tell which of the two was changed.
pub(super) fn scan(input: &mut dyn BufRead, anchors: &BTreeMap<u64, Hash>, each: &mut dyn FnMut(Link)) -> io::Result<Scan> {
    let mut scan = Scan::default();
    let mut chain = Chain { input, anchors, before: Vec::new(), hash: Hash::ZERO };
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        if chain.input.read_until(b'\n', &mut bytes)? == 0 {
            if scan.lines == 0 {
                scan.fault = Some(Fault { line: 1, reason: "the file is empty".into() });
            }
            return Ok(scan);
        }
        let number = scan.lines + 1;
        if scan.ended {
            scan.fault = Some(Fault { line: number, reason: "it stands after the run's end".into() });
            return Ok(scan);
        }
        if bytes.pop_if(|c| *c == b'\n').is_none() {
            scan.torn = true;
            scan.fault = line::parse(&bytes).and_then(|prefix| chain.follows(number, &prefix, &bytes).err());
            return Ok(scan);
        }
        match chain.link(number, &bytes) {
            Ok(link) => {
                scan.lines = number;
                scan.ended = matches!(link.entry, Entry::End(_));
                chain.hash = link.hash;
                std::mem::swap(&mut chain.before, &mut bytes);
                each(link);
            }
            Err(fault) => {
                scan.fault = Some(fault);
                return Ok(scan);
            }
        }
    }
}

struct Chain<'a> {
    input: &'a mut dyn BufRead,
    anchors: &'a BTreeMap<u64, Hash>,
    /// The line before, and its hash.
    before: Vec<u8>,
    hash: Hash,
}

impl Chain<'_> {
    fn link(&mut self, number: u64, bytes: &[u8]) -> Result<Link, Fault> {
        let Some(prefix) = line::parse(bytes) else { return fault(number, "it does not begin as a journal's line does") };
        self.follows(number, &prefix, bytes)?;
        let entry: Entry<'static> = match serde_json::from_slice(bytes) {
            Ok(entry) => entry,
            Err(e) => return fault(number, format!("it is no entry of a journal: {e}")),
        };
        match (number, &entry) {
            (1, Entry::Run(_)) | (2.., Entry::Step(_) | Entry::Call(_) | Entry::Intent(_) | Entry::Outcome(_)) => {}
            (2.., Entry::Input(_) | Entry::Decision(_) | Entry::Finding(_) | Entry::End(_)) => {}
            (1, _) => return fault(1, "it is not a run's header"),
            _ => return fault(number, "it is a second header"),
        }
        Ok(Link { number, time: prefix.time, hash: Hash::of(bytes), entry })
    }

    /// Whether a line stands where it should. If not, the next line helps to find the one that was changed.
    fn follows(&mut self, number: u64, prefix: &Prefix, bytes: &[u8]) -> Result<(), Fault> {
        if prefix.number != number {
            let twin = prefix.number + 1 == number && line::parse(&self.before).is_some_and(|before| before.prev == prefix.prev);
            if twin && self.before != bytes && self.next().is_some_and(|next| next.prev == Hash::of(bytes)) {
                return fault(number - 1, "it was inserted: the lines after it follow another line of this number");
            }
            return fault(number, format!("it bears the number {} (lines dropped, inserted, doubled or swapped)", prefix.number));
        }
        if prefix.prev == self.hash {
            return Ok(());
        }
        if number == 1 {
            return fault(1, "it says that a line stood before it");
        }
        let next = self.next();
        if next.as_ref().is_some_and(|next| next.number == number && next.prev == self.hash) {
            return fault(number, "it was inserted: the next line follows the one before it");
        }
        // If the line fits what others know of it once it has the right hash in it, that hash was what was changed.
        let mut mended = bytes.to_vec();
        mended[prefix.prev_at.clone()].copy_from_slice(&self.hash.hex());
        let mended = Some(Hash::of(&mended));
        let witness = next.filter(|next| next.number == number + 1).map(|next| next.prev);
        let vouched = self.anchors.get(&(number - 1)) == Some(&self.hash);
        if vouched || mended == witness || mended == self.anchors.get(&number).copied() {
            return fault(number, "its hash of the line before was changed");
        }
        fault(number - 1, format!("it was changed: line {number} has another hash of it"))
    }

    /// What the next line begins with. To be asked only once the scan is over.
    fn next(&mut self) -> Option<Prefix> {
        let mut bytes = Vec::new();
        self.input.read_until(b'\n', &mut bytes).ok()?;
        line::parse(bytes.strip_suffix(b"\n")?)
    }
}
