//! Writing a journal: number, time, chain; when it is on disk; what happens when it cannot be.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use jiff::Timestamp;

use super::disk::Disk;
use super::entry::{End, Entry, Header, LineRef, Payload};
use super::folder::{self, lost};
use super::hash::Hash;
use super::line::{self, TimeText};
use super::payload::{self, Store};
use super::{FORMAT, anchor};
use crate::model::{Failure, Kind, Value};

/// When lines leave the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Each line goes to the file at once: a killed process loses none. For real systems.
    EachLine,
    /// Lines are gathered, up to 64 KiB; an intent that is to be applied takes them to the file. For worlds.
    Buffered,
}

const BUFFER: usize = 64 << 10;

/// Writes one run's journal; all threads of the run share it.
///
/// The first write or sync that fails ends it: everything after fails with the same `journal_lost`. A failed sync is never
/// tried again, since the kernel may have dropped the pages and would report success.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    folder: PathBuf,
    run: String,
    durability: Durability,
    payloads: Arc<Store>,
    disk: Disk,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    file: Arc<File>,
    /// Whole lines that are not in the file yet, and while one is written, its beginning.
    buffer: Vec<u8>,
    /// Bytes in the file.
    written: u64,
    time: TimeText,
    lines: u64,
    last: Hash,
    unsynced: bool,
    /// The folder's entry is not durable yet.
    new: bool,
    ended: bool,
    lost: Option<Failure>,
}

impl Writer {
    /// Creates the journal of a run in a folder (made, if it is missing) and writes the header.
    ///
    /// `header.run` is the wanted id; if a run has it already the id gets another suffix, in the header too, which also
    /// receives the format and the previous run. Fails with `journal_lost`.
    pub fn create(folder: &Path, header: &mut Header, now: Timestamp, durability: Durability) -> Result<Writer, Failure> {
        if !folder::is_safe_id(&header.run) {
            return Err(Failure::bad_argument(format!("{:?} cannot be a run's id", header.run)).hint("small letters, digits and dashes"));
        }
        folder::prepare(folder)?;
        header.format = FORMAT;
        header.previous_run = anchor::newest(folder);
        let (path, file) = create_file(folder, &mut header.run)?;
        folder::lock(&file).map_err(|e| lost(&format!("the journal {}", path.display()), &e))?;
        let disk = match durability {
            Durability::EachLine => Disk::beside().map_err(|e| lost(&format!("the journal {}", path.display()), &e))?,
            Durability::Buffered => Disk::Here,
        };
        let inner = Inner {
            file: Arc::new(file),
            buffer: Vec::with_capacity(BUFFER + 4096),
            written: 0,
            time: TimeText::default(),
            lines: 0,
            last: Hash::ZERO,
            unsynced: false,
            new: true,
            ended: false,
            lost: None,
        };
        let writer = Writer {
            payloads: Arc::new(Store::new(folder::payloads_path(&path))),
            path,
            folder: folder.to_owned(),
            run: header.run.clone(),
            durability,
            disk,
            inner: Mutex::new(inner),
        };
        writer.append(now, &Entry::Run(Box::new(header.clone())))?;
        writer.flush()?;
        writer.point();
        Ok(writer)
    }

    /// Appends a line.
    pub fn append(&self, now: Timestamp, entry: &Entry<'_>) -> Result<(), Failure> {
        self.with(|inner| {
            inner.write(now, entry)?;
            let at_once = match entry {
                Entry::Intent(intent) => intent.mode == "apply",
                Entry::End(_) => true,
                _ => false,
            };
            if at_once || self.durability == Durability::EachLine || inner.buffer.len() >= BUFFER {
                inner.flush(&self.disk)
            } else {
                Ok(())
            }
        })
    }

    /// Takes the gathered lines to the file, so that they outlive this process.
    pub fn flush(&self) -> Result<(), Failure> {
        self.with(|inner| inner.flush(&self.disk))
    }

    /// Makes everything so far durable: lines and payloads. To be called before a change or a message leaves.
    pub fn sync(&self) -> Result<(), Failure> {
        self.with(|inner| {
            inner.flush(&self.disk)?;
            let (payloads, file, unsynced) = (Arc::clone(&self.payloads), Arc::clone(&inner.file), std::mem::take(&mut inner.unsynced));
            let new = std::mem::take(&mut inner.new).then(|| self.folder.clone());
            self.disk.run(move || {
                payloads.sync()?;
                if file.metadata()?.nlink() == 0 {
                    return Err(io::Error::other("somebody has removed it"));
                }
                if unsynced {
                    file.sync_data()?;
                }
                // The file's own name.
                new.map_or(Ok(()), |folder| folder::sync_folder(&folder))
            })?
        })
    }

    /// Puts an answer beside the journal, once however often it comes; the line then refers to it.
    pub fn payload(&self, value: &Value) -> Result<Payload, Failure> {
        self.with(|_| Ok(()))?;
        let put = || {
            let (payload, bytes) = payload::of(value)?;
            let (payloads, sha256) = (Arc::clone(&self.payloads), payload.sha256);
            self.disk.run(move || payloads.put(sha256, &bytes))??;
            Ok(payload)
        };
        put().map_err(|e| {
            let failure = lost(&format!("the journal's payloads {}", self.payloads.folder().display()), &e);
            if let Ok(mut inner) = self.inner.lock() {
                inner.lost.get_or_insert_with(|| failure.clone());
            }
            failure
        })
    }

    /// Where a payload stands.
    pub fn payload_path(&self, payload: &Payload) -> PathBuf {
        payload::path(self.payloads.folder(), payload.sha256)
    }

    /// Writes the last line; nothing can be appended after it.
    pub fn finish(&self, now: Timestamp, end: End) -> Result<(), Failure> {
        self.append(now, &Entry::End(end))?;
        if self.durability == Durability::EachLine {
            self.sync()?;
        }
        self.point();
        Ok(())
    }

    /// The journal's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The run's id.
    pub fn run_id(&self) -> &str {
        &self.run
    }

    /// Points the folder to this run's newest line. Without the pointer the record is whole, and `verify` says that nothing
    /// vouches for its end; that is no reason to stop a run.
    fn point(&self) {
        if let Ok(inner) = self.guard() {
            let at = LineRef { run: self.run.clone(), line: inner.lines, sha256: inner.last };
            let _ = anchor::set(&self.folder, at, inner.ended);
        }
    }

    /// Does something to the file; its failure is the end of the journal.
    fn with(&self, act: impl FnOnce(&mut Inner) -> io::Result<()>) -> Result<(), Failure> {
        let mut inner = self.guard()?;
        act(&mut inner).map_err(|e| {
            let failure = lost(&format!("the journal {}", self.path.display()), &e);
            inner.lost.insert(failure).clone()
        })
    }

    fn guard(&self) -> Result<MutexGuard<'_, Inner>, Failure> {
        let inner = self.inner.lock().map_err(|_| {
            Failure::new(Kind::JournalLost, format!("the journal {} was left in the middle of a line", self.path.display()))
                .hint("this is a defect of runbook; nothing more is changed")
        })?;
        match &inner.lost {
            Some(failure) => Err(failure.clone()),
            None => Ok(inner),
        }
    }
}

impl Inner {
    /// Adds a line to the buffer.
    fn write(&mut self, now: Timestamp, entry: &Entry<'_>) -> io::Result<()> {
        if self.ended {
            return Err(io::Error::other("it has ended"));
        }
        let start = self.buffer.len();
        line::begin(&mut self.buffer, self.lines + 1, now, &mut self.time, &self.last);
        let body = self.buffer.len();
        serde_json::to_writer(&mut self.buffer, entry)?;
        self.buffer[body] = b',';
        self.last = Hash::of(&self.buffer[start..]);
        self.buffer.push(b'\n');
        self.lines += 1;
        self.ended = matches!(entry, Entry::End(_));
        Ok(())
    }

    fn flush(&mut self, disk: &Disk) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        self.unsynced = true;
        let before = self.written;
        let (file, buffer) = (Arc::clone(&self.file), std::mem::take(&mut self.buffer));
        let (buffer, written) = disk.run(move || {
            let written = (&*file).write_all(&buffer);
            (buffer, written)
        })?;
        self.buffer = buffer;
        if let Err(error) = written {
            self.untear(before);
            return Err(error);
        }
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        self.buffer.shrink_to(16 * BUFFER);
        Ok(())
    }

    /// Takes the beginning of a line off the file's end, where a full disk took no more: what stands there stays whole.
    fn untear(&self, before: u64) {
        let Ok(found) = self.file.metadata() else { return };
        let taken = usize::try_from(found.len().saturating_sub(before)).unwrap_or(0).min(self.buffer.len());
        let whole = self.buffer[..taken].iter().rposition(|c| *c == b'\n').map_or(0, |at| at + 1);
        // Where even that fails the torn line stays, and `verify` says so.
        let _ = self.file.set_len(before + whole as u64);
    }
}

impl Drop for Writer {
    /// Takes the gathered lines to the file, whole ones only.
    fn drop(&mut self) {
        let inner = self.inner.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        if inner.lost.is_none() {
            let whole = inner.buffer.iter().rposition(|c| *c == b'\n').map_or(0, |at| at + 1);
            inner.buffer.truncate(whole);
            let _ = inner.flush(&self.disk);
        }
    }
}

fn create_file(folder: &Path, run: &mut String) -> Result<(PathBuf, File), Failure> {
    let wanted = run.clone();
    let mut attempt = 0;
    loop {
        let path = folder::journal_path(folder, run);
        match OpenOptions::new().append(true).create_new(true).mode(0o600).open(&path) {
            Ok(file) => return Ok((path, file)),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists && attempt < 32 => {
                attempt += 1;
                *run = folder::another_id(&wanted, attempt);
            }
            Err(e) => return Err(lost(&format!("the journal {}", path.display()), &e)),
        }
    }
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
