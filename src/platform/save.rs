//! Files that answers are streamed to instead of being held: new ones only, 0600 from the start, with their SHA-256.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{DirBuilder, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::masking::{self, SLACK};
use crate::map;
use crate::model::operation::{LogSource, Save};
use crate::model::{Failure, Kind, Value};

/// A file that is being written. Dropped before its end it leaves nothing behind.
pub struct Saver {
    file: Option<NamedTempFile>,
    path: PathBuf,
    shown: String,
    hash: Sha256,
    bytes: u64,
}

impl Saver {
    /// Begins a file. In a rehearsal nothing is written, and all is counted.
    pub fn begin(save: &Save) -> Result<Self, Failure> {
        let folder = save.path.parent().unwrap_or(Path::new("/"));
        if save.keep {
            DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| broken(&save.shown, &error))?;
        }
        let made = || tempfile::Builder::new().prefix(".saving-").permissions(Permissions::from_mode(0o600)).tempfile_in(folder);
        let file = if save.keep { Some(made().map_err(|error| broken(&save.shown, &error))?) } else { None };
        Ok(Self { file, path: save.path.clone(), shown: save.shown.clone(), hash: Sha256::new(), bytes: 0 })
    }

    /// Adds bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        match &mut self.file {
            Some(file) => file.write_all(bytes).map_err(|error| broken(&self.shown, &error)),
            None => Ok(()),
        }
    }

    /// Ends the file: on disk, under its name, unless something else has that by now. Answers `#{ path, bytes, sha256 }`.
    pub fn finish(self) -> Result<Value, Failure> {
        if let Some(file) = self.file {
            file.as_file().sync_all().map_err(|error| broken(&self.shown, &error))?;
            file.persist_noclobber(&self.path).map_err(|error| match error.error.kind() {
                std::io::ErrorKind::AlreadyExists => exists(&self.shown),
                _ => broken(&self.shown, &error.error),
            })?;
            let folder = self.path.parent().unwrap_or(Path::new("/"));
            std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| broken(&self.shown, &error))?;
        }
        let sha256: String = self.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(map! { "path" => self.shown, "bytes" => i64::try_from(self.bytes).unwrap_or(i64::MAX), "sha256" => sha256 })
    }
}

/// So many bytes of lines are written at once.
const AT_ONCE: usize = 512 << 10;

/// A file of log lines, as `kubectl logs --prefix --timestamps` writes them, masked.
pub struct LogFile<'a> {
    saver: Saver,
    mask: &'a dyn Fn(String) -> String,
    /// The last lines that were written, and those that wait: a secret may be broken over several.
    held: VecDeque<Held>,
    written: usize,
    /// The bytes of those that wait.
    waiting: usize,
    lines: i64,
}

struct Held {
    /// Which log it is of.
    log: usize,
    /// What stands before it.
    head: String,
    text: String,
}

impl Held {
    fn bytes(&self) -> usize {
        self.head.len() + self.text.len() + 1
    }
}

impl<'a> LogFile<'a> {
    /// Begins a file.
    pub fn begin(save: &Save, mask: &'a dyn Fn(String) -> String) -> Result<Self, Failure> {
        Ok(Self { saver: Saver::begin(save)?, mask, held: VecDeque::new(), written: 0, waiting: 0, lines: 0 })
    }

    /// Adds a line of one of several logs.
    pub fn line(&mut self, time: &str, (log, source): (usize, &LogSource), text: String) -> Result<(), Failure> {
        let head = format!("[pod/{}/{}] {time} ", source.pod, source.container);
        let held = Held { log, head, text };
        self.waiting += held.bytes();
        self.held.push_back(held);
        self.lines += 1;
        if self.waiting < AT_ONCE { Ok(()) } else { self.write(SLACK) }
    }

    /// Masks the lines of each log together and writes them, all but the last `kept` bytes.
    fn write(&mut self, kept: usize) -> Result<(), Failure> {
        let mut texts: Vec<String> = self.held.iter().map(|line| line.text.clone()).collect();
        let mut logs: BTreeMap<usize, Vec<&mut String>> = BTreeMap::new();
        self.held.iter().zip(&mut texts).for_each(|(line, text)| logs.entry(line.log).or_default().push(text));
        logs.into_values().for_each(|texts| masking::lines(texts, self.mask));
        let mut block = Vec::with_capacity(self.waiting);
        while let Some(line) = self.held.get(self.written).filter(|_| self.waiting > kept) {
            [&line.head, &texts[self.written], "\n"].iter().for_each(|part| block.extend_from_slice(part.as_bytes()));
            self.waiting -= line.bytes();
            self.written += 1;
        }
        let mut behind: usize = self.held.iter().take(self.written).map(Held::bytes).sum();
        while behind > SLACK {
            behind -= self.held.pop_front().map_or(behind, |line| line.bytes());
            self.written -= 1;
        }
        self.saver.write(&block)
    }

    /// Ends the file. Answers `#{ path, bytes, sha256, lines }`.
    pub fn finish(mut self) -> Result<Value, Failure> {
        self.write(0)?;
        let mut answer = self.saver.finish()?;
        answer.set(&["lines"], self.lines.into());
        Ok(answer)
    }
}

/// The failure of a file that is there already.
pub fn exists(shown: &str) -> Failure {
    Failure::bad_argument(format!("{shown} exists already")).hint("what was saved is never overwritten: save under another name")
}

fn broken(shown: &str, error: &std::io::Error) -> Failure {
    Failure::new(Kind::Failed, format!("{shown} cannot be written: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn save(folder: &Path, keep: bool) -> Save {
        Save { path: folder.join("rows.csv"), shown: "rows.csv".to_owned(), keep }
    }

    #[test]
    fn a_file_has_its_name_only_when_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.csv");
        let mut saver = Saver::begin(&save(folder.path(), true)).unwrap();
        saver.write(b"ab").unwrap();
        assert!(!path.exists());
        saver.write(b"c").unwrap();
        let told = saver.finish().unwrap();
        let of_abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!((told.str_at(&["sha256"]), told.int_at(&["bytes"]), told.str_at(&["path"])), (Some(of_abc), Some(3), Some("rows.csv")));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let mut other = Saver::begin(&save(folder.path(), true)).unwrap();
        other.write(b"x").unwrap();
        assert!(other.finish().unwrap_err().message.contains("exists already"));
        assert_eq!(std::fs::read(&path).unwrap(), b"abc");
        let missing = folder.path().join("evidence");
        drop(Saver::begin(&save(&missing, true)).unwrap());
        assert_eq!(std::fs::metadata(&missing).unwrap().permissions().mode() & 0o777, 0o700);
        std::fs::remove_dir(missing).unwrap();
        drop(Saver::begin(&save(folder.path(), true)).unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing half done stays");
    }

    #[test]
    fn a_rehearsal_counts_and_writes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut saver = Saver::begin(&save(folder.path(), false)).unwrap();
        saver.write(b"abc").unwrap();
        assert_eq!(saver.finish().unwrap().int_at(&["bytes"]), Some(3));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_secret_over_lines_of_one_log_is_masked_wherever_a_block_ends() {
        let folder = tempfile::tempdir().unwrap();
        let mask = |text: String| text.replace("hunter2-\nand-more", "***\n***");
        let mut file = LogFile::begin(&save(folder.path(), true), &mask).unwrap();
        let of = |pod: &str| LogSource { namespace: "n".into(), pod: pod.into(), container: "c".into() };
        // Lines of two logs in turn, each with its own secret over every two lines.
        for number in 0..60_000 {
            let (pod, text) = (number % 2, if number / 2 % 2 == 0 { "hunter2-" } else { "and-more" });
            file.line("now", (pod, &of(["a", "b"][pod])), text.to_owned()).unwrap();
        }
        assert!(file.held.len() < 40_000, "what was written is let go");
        assert_eq!(file.finish().unwrap().int_at(&["lines"]), Some(60_000));
        let text = std::fs::read_to_string(folder.path().join("rows.csv")).unwrap();
        assert_eq!(text, "[pod/a/c] now ***\n[pod/b/c] now ***\n".repeat(30_000));
    }
}
