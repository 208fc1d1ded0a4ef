//! A line's first three fields, which the writer writes and the reader reads byte by byte:
//! `{"n":12,"t":"2026-11-23T23:07:41.123456Z","prev":"…",` and then the entry's own.

use std::fs::File;
use std::io::{self, Write as _};
use std::ops::Range;
use std::os::unix::fs::FileExt;

use jiff::Timestamp;

use super::hash::Hash;

/// Writes times; the date and the second are kept for the lines of the same second.
#[derive(Debug)]
pub(super) struct TimeText {
    second: i64,
    text: String,
}

impl Default for TimeText {
    fn default() -> Self {
        Self { second: i64::MIN, text: String::new() }
    }
}

impl TimeText {
    fn write(&mut self, out: &mut Vec<u8>, time: Timestamp) {
        if time < Timestamp::UNIX_EPOCH {
            let _ = write!(out, "{time}");
            return;
        }
        if time.as_second() != self.second {
            self.second = time.as_second();
            self.text = time.strftime("%Y-%m-%dT%H:%M:%S.").to_string();
        }
        out.extend_from_slice(self.text.as_bytes());
        let mut rest = time.subsec_nanosecond().unsigned_abs() / 1_000;
        let mut digits = *b"000000Z";
        for digit in digits[..6].iter_mut().rev() {
            *digit += (rest % 10) as u8;
            rest /= 10;
        }
        out.extend_from_slice(&digits);
    }
}

/// Begins a line. The entry's JSON follows at once, its opening brace to be replaced by a comma.
pub(super) fn begin(out: &mut Vec<u8>, number: u64, time: Timestamp, text: &mut TimeText, prev: &Hash) {
    let _ = write!(out, "{{\"n\":{number},\"t\":\"");
    text.write(out, time);
    out.extend_from_slice(b"\",\"prev\":\"");
    out.extend_from_slice(&prev.hex());
    out.push(b'"');
}

/// What a line begins with.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Prefix {
    pub(super) number: u64,
    pub(super) time: Timestamp,
    pub(super) prev: Hash,
    /// Where the digits of `prev` stand in the line.
    pub(super) prev_at: Range<usize>,
}

/// Reads what a line begins with, exactly as [`begin`] writes it.
pub(super) fn parse(line: &[u8]) -> Option<Prefix> {
    let rest = line.strip_prefix(b"{\"n\":")?;
    let (digits, rest) = rest.split_at(rest.iter().position(|c| !c.is_ascii_digit())?);
    if digits.first() == Some(&b'0') {
        return None;
    }
    let number = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let rest = rest.strip_prefix(b",\"t\":\"")?;
    let (time, rest) = rest.split_at(rest.iter().position(|c| *c == b'"')?);
    let time = std::str::from_utf8(time).ok()?.parse().ok()?;
    let rest = rest.strip_prefix(b"\",\"prev\":\"")?;
    let start = line.len() - rest.len();
    let prev = Hash::from_hex(rest.get(..64)?)?;
    rest[64..].starts_with(b"\",").then_some(Prefix { number, time, prev, prev_at: start..start + 64 })
}

/// The last whole line of a file without its newline, and whether bytes follow it.
pub(super) fn last(file: &File) -> io::Result<(Vec<u8>, bool)> {
    let size = file.metadata()?.len();
    let mut step: u64 = 4096;
    loop {
        let start = size.saturating_sub(step);
        let mut tail = vec![0; usize::try_from(size - start).map_err(io::Error::other)?];
        file.read_exact_at(&mut tail, start)?;
        if let Some(end) = tail.iter().rposition(|c| *c == b'\n') {
            let before = tail[..end].iter().rposition(|c| *c == b'\n');
            if before.is_some() || start == 0 {
                let torn = end + 1 < tail.len();
                tail.truncate(end);
                return Ok((tail.split_off(before.map_or(0, |at| at + 1)), torn));
            }
        } else if start == 0 {
            return Ok((Vec::new(), size > 0));
        }
        step = step.saturating_mul(4);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut text = TimeText::default();
        let prev = Hash::of(b"the line before");
        for (number, time) in [
            (1, "2026-11-23T23:07:41.000001Z"),
            (12, "2026-11-23T23:07:41.999999Z"),
            (13, "2026-11-23T23:07:42.1Z"),
            (u64::MAX, "1965-03-01T00:00:00.25Z"),
        ] {
            let time: Timestamp = time.parse().unwrap();
            let mut line = Vec::new();
            begin(&mut line, number, time, &mut text, &prev);
            assert_eq!(parse(&line), None, "an entry must follow");
            line.extend_from_slice(b",\"type\":\"end\"}");
            let read = parse(&line).unwrap();
            assert_eq!((read.number, read.time, read.prev), (number, time, prev));
            assert_eq!(&line[read.prev_at], &prev.hex());
        }
    }

    #[test]
    fn finds_the_last_whole_line_however_long() {
        let long = "x".repeat(70_000);
        for (content, last_line, torn) in [
            ("", "", false),
            ("torn", "", true),
            ("a\n", "a", false),
            ("a\nb\n", "b", false),
            ("a\nb\ntorn", "b", true),
            (&format!("a\n{long}\n"), &long, false),
            (&format!("{long}\n"), &long, false),
            (&format!("a\n{long}"), "a", true),
        ] {
            let file = tempfile::tempfile().unwrap();
            file.write_all_at(content.as_bytes(), 0).unwrap();
            let (line, is_torn) = last(&file).unwrap();
            assert_eq!((line.as_slice(), is_torn), (last_line.as_bytes(), torn), "{}", content.len());
        }
    }
}
