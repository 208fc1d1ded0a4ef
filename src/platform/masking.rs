//! A saved answer without its secrets: text is masked as it streams by, and bytes that are no text stay as they are.

use super::save::Saver;
use crate::model::{Failure, Value};

/// A line longer than this is masked in parts.
const LONGEST_LINE: usize = 1 << 20;
/// So many places are tried for the end of a part, so that no secret stands across it.
const TRIES: usize = 64;
/// The places are so far apart: a prime, so that what repeats itself is not tried at the same place of it again and again.
const STEP: usize = 8191;

/// A file that is being saved, and the line of it that is not whole yet.
pub(super) struct Masking<'a> {
    saver: Saver,
    mask: &'a dyn Fn(String) -> String,
    held: Vec<u8>,
}

impl<'a> Masking<'a> {
    /// Masks what goes to a file.
    pub(super) fn new(saver: Saver, mask: &'a dyn Fn(String) -> String) -> Self {
        Self { saver, mask, held: Vec::new() }
    }

    /// Adds bytes.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.held.extend_from_slice(bytes);
        let end = match self.held.iter().rposition(|byte| *byte == b'\n') {
            Some(end) => end + 1,
            None if self.held.len() > LONGEST_LINE => self.safe_end(),
            None => return Ok(()),
        };
        let rest = self.held.split_off(end);
        let whole = std::mem::replace(&mut self.held, rest);
        self.saver.write(&self.masked(&whole))
    }

    /// Ends the file. Answers `#{ path, bytes, sha256 }`.
    pub(super) fn finish(mut self) -> Result<Value, Failure> {
        let last = std::mem::take(&mut self.held);
        self.saver.write(&self.masked(&last))?;
        self.saver.finish()
    }

    /// Where a long line may be parted: masked in two it reads as masked whole.
    fn safe_end(&self) -> usize {
        let whole = self.masked(&self.held);
        let parts = |end: &usize| [self.masked(&self.held[..*end]), self.masked(&self.held[*end..])].concat() == whole;
        (0..TRIES).map(|number| self.held.len() / 2 + number * STEP).find(parts).unwrap_or(self.held.len())
    }

    fn masked(&self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len());
        for part in bytes.utf8_chunks() {
            out.extend((self.mask)(part.valid().to_owned()).into_bytes());
            out.extend(part.invalid());
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::operation::Save;

    fn saved(parts: &[&[u8]]) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let save = Save { path: folder.path().join("x"), shown: "x".to_owned(), keep: true };
        let mask = |text: String| text.replace("hunter2hunter2", "***");
        let mut masking = Masking::new(Saver::begin(&save).unwrap(), &mask);
        parts.iter().for_each(|part| masking.write(part).unwrap());
        masking.finish().unwrap();
        std::fs::read(folder.path().join("x")).unwrap()
    }

    #[test]
    fn a_secret_in_two_parts_is_masked_and_bytes_stay() {
        assert_eq!(saved(&[b"a hunter2", b"hunter2 b\nc hun", b"ter2hunter2"]), b"a *** b\nc ***");
        assert_eq!(saved(&[b"\xff\x00hunter2hunter2\xfe\n", b"\x80"]), b"\xff\x00***\xfe\n\x80");
        assert_eq!(saved(&[]), b"");
    }

    #[test]
    fn a_long_line_is_parted_beside_its_secrets() {
        let line = "hunter2hunter2".repeat(LONGEST_LINE / 14 * 3 + 5);
        let parts: Vec<&[u8]> = line.as_bytes().chunks(8 << 10).collect();
        let found = saved(&parts);
        assert!(found.chunks(3).all(|part| part == b"***"), "{}", String::from_utf8_lossy(&found).replace("***", ""));
    }
}
