//! The folder of journals: its modes, the names in it, and who holds a journal open.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::fs::{FlockOperation, flock};

use crate::model::{Failure, Kind};

/// A new run's id, such as `20261123-230741-k3f9`: the UTC second, two digits of its 1024 parts, so that ids sort by time
/// also where a script starts one run after the other, and two random digits.
/// `now` is the machine's time, also where the run itself goes by a simulated clock.
pub fn new_run_id(now: Timestamp, random: u64) -> String {
    let part = u64::from(now.subsec_nanosecond().unsigned_abs()) * 1024 / 1_000_000_000;
    // The suffix's first digit is the lowest.
    let ordered = (part & 31) << 5 | part >> 5;
    format!("{}-{}", now.strftime("%Y%m%d-%H%M%S"), suffix((random & 0x3ff) << 10 | ordered))
}

fn suffix(random: u64) -> String {
    // Crockford's digits: none is taken for another when it is read aloud.
    const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    (0..4).map(|i| char::from(DIGITS[(random >> (5 * i) & 31) as usize])).collect()
}

/// The id with another suffix.
pub(super) fn another_id(id: &str, attempt: u32) -> String {
    let stem = id.rsplit_once('-').map_or(id, |(stem, _)| stem);
    let digest = super::Hash::of(format!("{id} {attempt} {}", std::process::id()).as_bytes()).hex();
    let random = digest[..10].iter().fold(0, |sum: u64, digit| sum << 4 ^ u64::from(*digit));
    format!("{stem}-{}", suffix(random))
}

/// Whether an id may stand in a path: small letters, digits and dashes only.
pub(super) fn is_safe_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= 64 && id.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-')
}

/// Whether a name is made as [`new_run_id`] makes it.
pub(super) fn is_run_id(name: &str) -> bool {
    let digits = |part: Option<&str>, n| part.is_some_and(|p| p.len() == n && p.bytes().all(|c| c.is_ascii_digit()));
    let mut parts = name.split('-');
    digits(parts.next(), 8) && digits(parts.next(), 6) && parts.next().is_some_and(|p| p.len() == 4) && parts.next().is_none()
}

/// The journal of a run.
pub(super) fn journal_path(folder: &Path, run: &str) -> PathBuf {
    folder.join(format!("{run}.jsonl"))
}

/// The folder of a journal's payloads.
pub(super) fn payloads_path(journal: &Path) -> PathBuf {
    journal.with_extension("payloads")
}

/// Makes the folder, 0700 and durable, or sees that an existing one is closed to others.
pub(super) fn prepare(folder: &Path) -> Result<(), Failure> {
    let refused = |e: &io::Error| lost(&format!("the journal's folder {}", folder.display()), e);
    match fs::metadata(folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            make(folder).map_err(|e| refused(&e))?;
            closed(folder, &fs::metadata(folder).map_err(|e| refused(&e))?)
        }
        Err(e) => Err(refused(&e)),
        Ok(found) => closed(folder, &found),
    }
}

fn make(folder: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = folder.ancestors().take_while(|path| !path.as_os_str().is_empty() && !path.exists()).collect();
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    missing.into_iter().try_for_each(|made| match made.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_folder(parent),
        _ => sync_folder(Path::new(".")),
    })
}

fn closed(folder: &Path, found: &fs::Metadata) -> Result<(), Failure> {
    let shown = folder.display();
    if !found.is_dir() {
        return Err(Failure::new(Kind::JournalLost, format!("the journal's folder {shown} is not a folder")).hint(ELSEWHERE));
    }
    let mode = found.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        let message = format!("the journal's folder {shown} is open to other users (mode {mode:04o})");
        return Err(
            Failure::new(Kind::JournalLost, message).hint(format!("chmod 700 {shown}, or name a folder of its own with --journal DIR"))
        );
    }
    Ok(())
}

/// Makes a folder's entries durable.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

const ELSEWHERE: &str = "nothing is changed while there is no record; name a writable folder with --journal DIR";

/// The failure of a record that cannot be kept: what could not be written, and why.
pub(super) fn lost(what: &str, error: &io::Error) -> Failure {
    Failure::new(Kind::JournalLost, format!("{what} cannot be written: {}", cause(error))).hint(ELSEWHERE)
}

/// An error of the file system in a few words.
pub(super) fn cause(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::StorageFull => "the disk is full".into(),
        io::ErrorKind::QuotaExceeded => "the disk quota is used up".into(),
        io::ErrorKind::ReadOnlyFilesystem => "the file system is read-only".into(),
        io::ErrorKind::PermissionDenied => "permission denied".into(),
        io::ErrorKind::NotFound => "no such file or folder".into(),
        _ => {
            let text = error.to_string();
            text.split(" (os error").next().unwrap_or_default().to_lowercase()
        }
    }
}

/// Sees that a folder takes durable writes, as a run would need it: makes it if it is missing. Fails with `journal_lost`.
pub fn probe(folder: &Path) -> Result<(), Failure> {
    prepare(folder)?;
    let write = || {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        io::Write::write_all(&mut file, b"probe")?;
        file.as_file().sync_all()
    };
    write().and_then(|()| sync_folder(folder)).map_err(|e| lost(&format!("the journal's folder {}", folder.display()), &e))
}

/// Takes the lock that makes one writer of a journal. It goes with the file.
pub(super) fn lock(file: &File) -> io::Result<()> {
    // Whoever asks whether a run is alive holds the lock for an instant; that must not end a run that is starting.
    for _ in 0..50 {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Err(e) if e == rustix::io::Errno::WOULDBLOCK => std::thread::sleep(std::time::Duration::from_millis(2)),
            other => return other.map_err(Into::into),
        }
    }
    Err(io::Error::new(io::ErrorKind::WouldBlock, "another process writes it"))
}

/// Whether a process is writing this journal now.
pub fn is_running(journal: &Path) -> bool {
    File::open(journal)
        .is_ok_and(|file| flock(&file, FlockOperation::NonBlockingLockShared).is_err_and(|e| e == rustix::io::Errno::WOULDBLOCK))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_are_safe_in_paths() {
        let at = |text: &str, random| new_run_id(text.parse().unwrap(), random);
        assert_eq!(at("2026-11-23T23:07:41Z", 0), "20261123-230741-0000");
        assert!(at("2026-11-23T23:07:41.999Z", u64::MAX) < at("2026-11-23T23:07:42Z", 0));
        for (earlier, later) in [("41Z", "41.001Z"), ("41.031Z", "41.033Z"), ("41.5Z", "41.502Z"), ("41.03Z", "41.96Z")] {
            assert!(at(&format!("2026-11-23T23:07:{earlier}"), u64::MAX) < at(&format!("2026-11-23T23:07:{later}"), 0), "{earlier}");
        }
        let id = at("2026-11-23T23:07:41Z", 0x1234_5678);
        assert!(is_run_id(&id) && is_safe_id(&id) && is_run_id(&another_id(&id, 1)));
        assert_ne!(another_id(&id, 1), another_id(&id, 2));
        for id in ["", "../x", "a/b", "A", "a.b", &"a".repeat(65)] {
            assert!(!is_safe_id(id), "{id}");
        }
    }

    #[test]
    fn makes_a_closed_folder_and_refuses_an_open_one() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("state/runbook");
        prepare(&folder).unwrap();
        for made in [&folder, &root.path().join("state")] {
            assert_eq!(fs::metadata(made).unwrap().permissions().mode() & 0o777, 0o700);
        }
        prepare(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o750)).unwrap();
        let refused = prepare(&folder).unwrap_err();
        assert_eq!(refused.kind, Kind::JournalLost);
        assert!(refused.message.contains("open to other users (mode 0750)"), "{refused}");
        assert!(refused.hint.unwrap().starts_with(&format!("chmod 700 {}", folder.display())));
        let file = root.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(prepare(&file).unwrap_err().message.contains("is not a folder"));
        assert!(prepare(&file.join("below")).unwrap_err().message.contains("cannot be written: not a directory"));
    }
}
