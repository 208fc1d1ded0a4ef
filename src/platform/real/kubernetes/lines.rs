//! A container's log as it streams in: split into lines in bounded memory, the lines that count picked out.

use jiff::Timestamp;
use memchr::{memchr, memchr_iter};
use regex::bytes::Regex;

use crate::model::operation::{LogAnswer, LogQuery, Since};
use crate::model::{Failure, Kind};

/// The longest line that a script gets; what follows is dropped.
const MOST_LINE: usize = 64 * 1024;
/// The longest line that is saved.
const MOST_SAVED_LINE: usize = 16 * 1024 * 1024;
/// So much more of a line is kept until it is masked: of a secret that was cut before, the rest would not be known.
const SLACK: usize = 64 * 1024;
/// The longest time in front of a line, with the blank.
const STAMP: usize = 40;

/// Which lines count, and how long they may be.
pub(super) struct Filter {
    grep: Option<(Regex, bool)>,
    from: Option<Timestamp>,
    most: usize,
    /// Whether each line has its time in front.
    pub(super) stamped: bool,
}

impl Filter {
    /// The filter of a query.
    pub(super) fn new(query: &LogQuery) -> Result<Self, Failure> {
        let grep = query.grep.as_ref().map(|grep| Regex::new(&grep.pattern).map(|regex| (regex, grep.invert)));
        let from = match query.since {
            Some(Since::Time(time)) => Some(time),
            _ => None,
        };
        let most = if matches!(query.answer, LogAnswer::Save(_)) { MOST_SAVED_LINE } else { MOST_LINE };
        let grep = grep.transpose().map_err(|error| {
            let (why, pattern) = (error.to_string(), query.grep.as_ref().map(|grep| grep.pattern.as_str()).unwrap_or_default());
            let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ");
            Failure::new(Kind::BadArgument, format!("`grep` {pattern:?} is no regular expression: {why}"))
        })?;
        Ok(Self { grep, from, most, stamped: query.answer != LogAnswer::Count || from.is_some() })
    }

    fn takes(&self, text: &[u8]) -> bool {
        self.grep.as_ref().is_none_or(|(regex, invert)| regex.is_match(text) != *invert)
    }
}

/// One line with the time that it is merged by.
#[derive(Debug, PartialEq)]
pub(super) struct Line {
    pub(super) at: Timestamp,
    pub(super) text: Vec<u8>,
    is_cut: bool,
    most: usize,
}

impl Line {
    /// A whole line.
    #[cfg(test)]
    pub(super) fn of(at: Timestamp, text: &str) -> Self {
        Self { at, text: text.into(), is_cut: false, most: MOST_LINE }
    }

    /// The line as text; one that is longer than may be is masked first.
    pub(super) fn into_text(self, mask: &dyn Fn(String) -> String) -> String {
        let text = match String::from_utf8(self.text) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        };
        if !self.is_cut {
            return text;
        }
        let mut text = mask(text);
        text.truncate(text.floor_char_boundary(self.most));
        text.push('…');
        text
    }
}

/// Splits a stream into lines and counts those that count.
pub(super) struct Splitter<'a> {
    filter: &'a Filter,
    /// The line so far; beyond its bound the rest is dropped.
    partial: Vec<u8>,
    is_cut: bool,
    /// The last time that stood in front of a line, as it stood there.
    last: ([u8; STAMP], usize),
    at: Timestamp,
    begun: bool,
    /// How many lines counted.
    pub(super) count: i64,
}

impl<'a> Splitter<'a> {
    pub(super) fn new(filter: &'a Filter) -> Self {
        let (last, at) = (([0; STAMP], 0), Timestamp::UNIX_EPOCH);
        Self { filter, partial: Vec::new(), is_cut: false, last, at, begun: filter.from.is_none(), count: 0 }
    }

    /// Takes a block of the stream; the lines that count are added to `found`, unless only their number is wanted.
    pub(super) fn push(&mut self, data: &[u8], found: &mut Option<Vec<Line>>) {
        let mut start = 0;
        for end in memchr_iter(b'\n', data) {
            if self.partial.is_empty() {
                self.line(&data[start..end], found);
            } else {
                self.keep(&data[start..end]);
                let line = std::mem::take(&mut self.partial);
                self.line(&line, found);
                // The room is used again, unless a line of megabytes has made it.
                if line.capacity() <= MOST_LINE {
                    self.partial = line;
                    self.partial.clear();
                }
            }
            start = end + 1;
        }
        self.keep(&data[start..]);
    }

    /// Ends the stream; what stands after the last newline is a line too.
    pub(super) fn end(&mut self, found: &mut Option<Vec<Line>>) {
        let line = std::mem::take(&mut self.partial);
        if !line.is_empty() {
            self.line(&line, found);
        }
    }

    fn keep(&mut self, data: &[u8]) {
        let room = (self.filter.most + SLACK + STAMP).saturating_sub(self.partial.len());
        self.is_cut |= data.len() > room;
        self.partial.extend_from_slice(&data[..data.len().min(room)]);
    }

    fn line(&mut self, line: &[u8], found: &mut Option<Vec<Line>>) {
        let was_cut = std::mem::take(&mut self.is_cut);
        let text = if self.filter.stamped { self.without_stamp(line) } else { line };
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if !self.begun {
            self.begun = self.filter.from.is_some_and(|from| self.now() >= from);
        }
        if !self.begun || !self.filter.takes(&text[..text.len().min(self.filter.most)]) {
            return;
        }
        self.count += 1;
        if let Some(found) = found {
            let most = self.filter.most;
            let is_cut = was_cut || text.len() > most;
            found.push(Line { at: self.now(), text: text[..text.len().min(most + SLACK)].to_vec(), is_cut, most });
        }
    }

    /// A line's text without the time in front, which is kept as it stands; most lines' is never asked for.
    fn without_stamp<'l>(&mut self, line: &'l [u8]) -> &'l [u8] {
        let front = &line[..line.len().min(STAMP)];
        let end = memchr(b' ', front).unwrap_or(front.len());
        // A line without a time is of the time of the line before.
        if !(front.len() > 19 && front[4] == b'-' && front[10] == b'T' && front[..4].iter().all(u8::is_ascii_digit)) {
            return line;
        }
        self.last.0[..end].copy_from_slice(&front[..end]);
        self.last.1 = end;
        line.get(end + 1..).unwrap_or_default()
    }

    /// The time of the line at hand; never before that of the line before, so that a log keeps its own order.
    fn now(&mut self) -> Timestamp {
        let stamp = std::str::from_utf8(&self.last.0[..self.last.1]).ok().and_then(|text| text.parse().ok());
        self.at = self.at.max(stamp.unwrap_or(self.at));
        self.at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::operation::Grep;

    fn filter(grep: Option<(&str, bool)>, since: Option<&str>) -> Filter {
        let since = since.map(|time| Since::Time(time.parse().unwrap()));
        let grep = grep.map(|(pattern, invert)| Grep { pattern: pattern.into(), invert });
        let (answer, timeout) = (LogAnswer::Lines(None), std::time::Duration::ZERO);
        Filter::new(&LogQuery { sources: vec![], tail: None, since, previous: false, grep, answer, timeout }).unwrap()
    }

    fn split(blocks: &[&[u8]], filter: &Filter) -> Vec<(String, String)> {
        let mut splitter = Splitter::new(filter);
        let mut found = Some(Vec::new());
        for block in blocks {
            splitter.push(block, &mut found);
        }
        splitter.end(&mut found);
        assert_eq!(splitter.count, found.as_ref().unwrap().len() as i64);
        let mask = |text: String| text.replace("hunter2hunter2", "***");
        found.unwrap().into_iter().map(|line| (line.at.to_string(), line.into_text(&mask))).collect()
    }

    #[test]
    fn lines_are_split_stamped_and_filtered_across_blocks() {
        let blocks: [&[u8]; 2] =
            [b"2026-11-23T00:00:00.1Z one\r\n2026-11-", b"23T02:00:00.123456789+02:00 two \xff\nno time here at all, no\n\n"];
        let lines = split(&blocks, &filter(None, None));
        let expected =
            [("00.1Z", "one"), ("00.123456789Z", "two \u{fffd}"), ("00.123456789Z", "no time here at all, no"), ("00.123456789Z", "")];
        assert_eq!(lines, expected.map(|(time, text)| (format!("2026-11-23T00:00:{time}"), text.to_owned())));
        let block: &[u8] = b"2026-11-23T00:00:00Z an ERROR\n2026-11-23T00:00:01Z fine\n2026-11-23T00:00:02Z Error\nstray error";
        let texts = |filter: Filter| split(&[block], &filter).into_iter().map(|(_, text)| text).collect::<Vec<_>>();
        assert_eq!(texts(filter(Some(("(?i)error", false)), None)), ["an ERROR", "Error", "stray error"]);
        assert_eq!(texts(filter(Some(("(?i)error", true)), None)), ["fine"]);
        assert_eq!(texts(filter(None, Some("2026-11-23T00:00:01.5Z"))), ["Error", "stray error"]);
    }

    #[test]
    fn a_log_whose_clock_went_back_keeps_its_order() {
        let lines = split(&[b"2026-11-23T00:00:05Z a\n2026-11-23T00:00:01Z b\n2026-11-23T00:00:06Z c"], &filter(None, None));
        assert_eq!(lines.iter().map(|(time, _)| &time[17..19]).collect::<Vec<_>>(), ["05", "05", "06"]);
    }

    #[test]
    fn a_line_without_end_is_cut_after_it_is_masked() {
        let mut blocks: Vec<&[u8]> = vec![b"2026-11-23T00:00:00Z "];
        let before = vec![b'x'; MOST_LINE - 5];
        let after = vec![b'y'; 1 << 20];
        blocks.extend([before.as_slice(), b"hunter2hunter2"]);
        blocks.extend(std::iter::repeat_n(after.as_slice(), 10));
        blocks.push(b"\n2026-11-23T00:00:01Z next");
        let lines = split(&blocks, &filter(None, None));
        assert!(lines[0].1.ends_with("xxx***yy…") && lines[0].1.len() == MOST_LINE + '…'.len_utf8(), "{}", &lines[0].1[MOST_LINE - 20..]);
        assert_eq!(lines[1].1, "next");
    }
}
