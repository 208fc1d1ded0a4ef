//! A saved answer without its secrets: text is masked as it streams by, and bytes that are no text stay as they are.
//! Log lines, which come one by one, are masked together: a secret may be broken over several.

use super::save::Saver;
use crate::model::{Failure, Value};

/// More than this is masked in parts.
const MOST: usize = 1 << 20;
/// So much before the end of what has come may belong to a secret whose rest is still to come.
pub(super) const SLACK: usize = 64 << 10;
/// So many places are tried for the end of a part, so that no secret stands across it.
const TRIES: usize = 64;
/// The places are so far apart: a prime, so that what repeats itself is not tried at the same place of it again and again.
const STEP: usize = 8191;

/// Masks lines, without their line ends, as the one text that they are.
pub(super) fn lines<'a>(lines: impl IntoIterator<Item = &'a mut String>, mask: &dyn Fn(String) -> String) {
    let mut lines: Vec<&mut String> = lines.into_iter().collect();
    let text = mask(lines.iter().map(|line| line.as_str()).collect::<Vec<_>>().join("\n"));
    if text.split('\n').count() == lines.len() {
        lines.iter_mut().zip(text.split('\n')).for_each(|(line, masked)| masked.clone_into(line));
    } else {
        // Some hold line ends of their own.
        lines.iter_mut().for_each(|line| **line = mask(std::mem::take(*line)));
    }
}

/// A file that is being saved, and the end of it that is not masked yet.
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
        if self.held.len() <= MOST {
            return Ok(());
        }
        let (end, masked) = self.part();
        self.held.drain(..end);
        self.saver.write(&masked)
    }

    /// Ends the file. Answers `#{ path, bytes, sha256 }`.
    pub(super) fn finish(mut self) -> Result<Value, Failure> {
        let last = std::mem::take(&mut self.held);
        self.saver.write(&self.masked(&last))?;
        self.saver.finish()
    }

    /// How much of what is held is masked now, and that masked: in two parts it reads as masked whole.
    fn part(&self) -> (usize, Vec<u8>) {
        let whole = self.masked(&self.held);
        let parts = |number: usize| {
            let end = self.held.len() - SLACK - number * STEP;
            let first = self.masked(&self.held[..end]);
            let rest = whole.strip_prefix(first.as_slice())?;
            (rest == self.masked(&self.held[end..])).then_some((end, first))
        };
        (0..TRIES).find_map(parts).unwrap_or((self.held.len(), whole))
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
    fn much_is_parted_beside_its_secrets() {
        let text = "hunter2hunter2".repeat(MOST / 14 * 3 + 5);
        let parts: Vec<&[u8]> = text.as_bytes().chunks(8 << 10).collect();
        let found = saved(&parts);
        assert!(found.chunks(3).all(|part| part == b"***"), "{}", String::from_utf8_lossy(&found).replace("***", ""));
    }

    #[test]
    fn lines_are_masked_together_and_stay_lines() {
        let mask = |text: String| text.replace("hunter2\nhunter2", "***\n***").replace("hidden", "***");
        let masked = |texts: &[&str]| {
            let mut texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
            lines(&mut texts, &mask);
            texts
        };
        assert_eq!(masked(&["a hunter2", "hunter2 b", "", "hidden"]), ["a ***", "*** b", "", "***"]);
        assert_eq!(masked(&["a hidden\nb", "hidden"]), ["a ***\nb", "***"]);
        assert_eq!(masked(&[]), [""; 0]);
    }
}
