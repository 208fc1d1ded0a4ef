//! Answers and bodies too large or too private for a line: beside the journal, each named by the SHA-256 of its bytes.

use std::collections::HashSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::entry::{BODY, Payload};
use super::folder::{cause, sync_folder};
use super::hash::Hash;
use crate::model::{Failure, Kind, Value};

/// What a value is, without its content: `array of 12 maps`, `string of 4 characters`.
pub fn shape(value: &Value) -> String {
    let count = |n: usize, one: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") };
    match value {
        Value::Null => "nothing".into(),
        Value::Str(text) => format!("string of {}", count(text.chars().count(), "character")),
        Value::List(items) if items.is_empty() => "empty array".into(),
        Value::List(items) => {
            let first = items[0].type_name();
            let alike = first != "()" && items.iter().all(|item| item.type_name() == first);
            format!("array of {}", count(items.len(), if alike { first } else { "value" }))
        }
        Value::Map(map) if map.is_empty() => "empty map".into(),
        Value::Map(map) => format!("map of {}", count(map.len(), "key")),
        other => other.type_name().into(),
    }
}

/// The bodies that data of a line refers to.
pub(super) fn bodies(data: &Value, found: &mut Vec<Payload>) {
    match data {
        Value::List(items) => items.iter().for_each(|item| bodies(item, found)),
        Value::Map(map) => {
            let reference = || {
                let sha256 = map.get(BODY)?.as_str()?.parse().ok()?;
                let bytes = u64::try_from(map.get("bytes")?.as_int()?).ok()?;
                Some(Payload { sha256, bytes, shape: map.get("shape")?.as_str()?.to_owned() })
            };
            match reference() {
                Some(payload) => found.push(payload),
                None => map.values().for_each(|item| bodies(item, found)),
            }
        }
        _ => {}
    }
}

/// A value as a payload: what a line says of it, and its bytes.
pub(super) fn of(value: &Value) -> io::Result<(Payload, Vec<u8>)> {
    let bytes = serde_json::to_vec(value)?;
    Ok((Payload { sha256: Hash::of(&bytes), bytes: bytes.len() as u64, shape: shape(value) }, bytes))
}

/// Where a run's payloads are put.
#[derive(Debug)]
pub(super) struct Store {
    folder: PathBuf,
    state: Mutex<Stored>,
}

#[derive(Debug, Default)]
struct Stored {
    known: HashSet<Hash>,
    unsynced: Vec<Hash>,
}

impl Store {
    /// The folder is made when the first payload comes.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, state: Mutex::default() }
    }

    /// Puts a payload's bytes there, unless the same were put before.
    pub(super) fn put(&self, sha256: Hash, bytes: &[u8]) -> io::Result<()> {
        // Held while writing: nobody may refer to a payload that is not whole yet.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.known.contains(&sha256) {
            return Ok(());
        }
        if state.known.is_empty() {
            match DirBuilder::new().mode(0o700).create(&self.folder) {
                Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
                _ => {}
            }
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path(&self.folder, sha256))?;
        file.write_all(bytes)?;
        state.known.insert(sha256);
        state.unsynced.push(sha256);
        Ok(())
    }

    /// Makes durable what was put since the last time.
    pub(super) fn sync(&self) -> io::Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.unsynced.is_empty() {
            return Ok(());
        }
        for sha256 in std::mem::take(&mut state.unsynced) {
            File::open(path(&self.folder, sha256))?.sync_data()?;
        }
        sync_folder(&self.folder)?;
        self.folder.parent().map_or(Ok(()), sync_folder)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}

pub(super) fn path(folder: &Path, sha256: Hash) -> PathBuf {
    folder.join(format!("{sha256}.json"))
}

/// What is found where a payload should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Sound,
    Missing,
    Corrupt,
}

/// Looks whether a payload is there and is what its line says.
pub(super) fn check(folder: &Path, payload: &Payload) -> io::Result<Found> {
    match bytes(folder, payload) {
        Ok(Some(_)) => Ok(Found::Sound),
        Ok(None) => Ok(Found::Corrupt),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Found::Missing),
        Err(e) => Err(e),
    }
}

/// The payload's bytes; nothing if they are not those that were put there.
fn bytes(folder: &Path, payload: &Payload) -> io::Result<Option<Vec<u8>>> {
    let path = path(folder, payload.sha256);
    if fs::metadata(&path)?.len() != payload.bytes {
        return Ok(None);
    }
    let bytes = fs::read(&path)?;
    Ok((Hash::of(&bytes) == payload.sha256).then_some(bytes))
}

/// Loads a payload. Fails with `not_found` if it is gone (payloads may be kept for a shorter time than journals), and with
/// `failed` if it is not what was put there.
pub(super) fn load(folder: &Path, payload: &Payload) -> Result<Value, Failure> {
    let shown = path(folder, payload.sha256);
    let shown = shown.display();
    let changed = || Failure::new(Kind::Failed, format!("the recorded answer {shown} has been changed since the run"));
    match bytes(folder, payload) {
        Ok(Some(bytes)) => serde_json::from_slice(&bytes).map_err(|_| changed()),
        Ok(None) => Err(changed().hint("`runbook log verify` says what else is; a changed answer is not replayed")),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            Err(Failure::new(Kind::NotFound, format!("the recorded answer {shown} is gone ({}, {} bytes)", payload.shape, payload.bytes))
                .hint("put the run's .payloads folder back beside its journal"))
        }
        Err(e) => Err(Failure::new(Kind::Failed, format!("the recorded answer {shown} cannot be read: {}", cause(&e)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map;

    #[test]
    fn shapes_tell_no_content() {
        for (value, text) in [
            (Value::Null, "nothing"),
            ("secret".into(), "string of 6 characters"),
            (Value::List(vec![]), "empty array"),
            (Value::List(vec![map! {}, map! {}]), "array of 2 maps"),
            (Value::List(vec!["a".into()]), "array of 1 string"),
            (Value::List(vec!["a".into(), 1.into()]), "array of 2 values"),
            (map! { "patient" => "x" }, "map of 1 key"),
            (7.into(), "int"),
        ] {
            assert_eq!(shape(&value), text);
        }
    }
}
