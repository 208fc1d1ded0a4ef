//! Log lines of pods: filtered while they stream, merged by time.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures::StreamExt;
use http_body_util::BodyExt;
use jiff::Timestamp;
use regex::bytes::Regex;

use super::{Call, Kubernetes, MOST_BYTES, error, path, with_query};
use crate::map;
use crate::model::operation::LogQuery;
use crate::model::{Failure, Kind, ObjectRef, ResourceKind, Value};

/// So many pods' logs stream at once.
const STREAMS: usize = 16;
/// The longest line; what follows is dropped while it streams.
const MOST_LINE: usize = 64 * 1024;
/// What a line costs beside its text.
const LINE_OVERHEAD: usize = 64;

/// One line with the time that it is merged by.
struct Line {
    at: Timestamp,
    pod: usize,
    text: String,
}

impl Kubernetes {
    /// `#{ time, pod, container, line }`, oldest first. `tail` counts before `grep`, as in `kubectl logs --tail | grep`.
    pub(in super::super) async fn logs(&self, query: &LogQuery) -> Result<Value, Failure> {
        let grep = match &query.grep {
            None => None,
            Some(pattern) => Some(Regex::new(pattern).map_err(|e| bad_pattern(pattern, &e))?),
        };
        let used = AtomicUsize::new(0);
        let (grep, used) = (grep.as_ref(), &used);
        let mut streams = futures::stream::iter(query.pods.iter().enumerate())
            .map(async |(i, pod)| self.pod_log(query, i, pod, grep, used).await.map(|found| (i, found)))
            .buffer_unordered(STREAMS);
        let mut containers = vec![String::new(); query.pods.len()];
        let mut lines = Vec::new();
        while let Some(done) = streams.next().await {
            let (pod, (container, found)) = done?;
            containers[pod] = container;
            lines.extend(found);
        }
        // Stable, so that a pod's lines of one instant stay in their order; by pod, so that the outcome does not depend on who was first.
        lines.sort_by_key(|line: &Line| (line.at, line.pod));
        let line = |line: Line| {
            map! {
                "time" => line.at.strftime("%Y-%m-%dT%H:%M:%S.%9fZ").to_string(),
                "pod" => query.pods[line.pod].as_str(),
                "container" => containers[line.pod].as_str(),
                "line" => line.text,
            }
        };
        Ok(Value::List(lines.into_iter().map(line).collect()))
    }

    async fn pod_log(
        &self,
        query: &LogQuery,
        i: usize,
        pod: &str,
        grep: Option<&Regex>,
        used: &AtomicUsize,
    ) -> Result<(String, Vec<Line>), Failure> {
        let kind = ResourceKind::named("pod")?;
        let container = match &query.container {
            Some(container) => container.clone(),
            None => default_container(&self.object(&ObjectRef::new(kind, &query.namespace, pod)).await?),
        };
        let mut pairs = vec![("timestamps", "true".to_owned())];
        if !container.is_empty() {
            pairs.push(("container", container.clone()));
        }
        if let Some(tail) = query.tail {
            pairs.push(("tailLines", tail.to_string()));
        }
        if let Some(since) = query.since {
            // Whole seconds only, and zero is refused.
            pairs.push(("sinceSeconds", since.as_millis().div_ceil(1000).max(1).to_string()));
        }
        if query.previous {
            pairs.push(("previous", "true".to_owned()));
        }
        let target = format!("pod/{pod}");
        let path = with_query(path(kind, Some(&query.namespace), Some(pod), Some("log"))?, pairs);
        let call = Call::get(path, &target);
        let session = self.session().await?;
        let mut body = self.send(&session, &call).await?.into_body();
        let mut splitter = Splitter::new(i, grep, used);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| error::broken_off(&error, &call))?;
            if let Ok(data) = frame.into_data() {
                splitter.push(&data)?;
            }
        }
        splitter.end()?;
        Ok((container, splitter.lines))
    }
}

/// The container that kubectl would take: the annotated one, else the first.
fn default_container(pod: &Value) -> String {
    let annotated = pod.str_at(&["metadata", "annotations", "kubectl.kubernetes.io/default-container"]);
    let first = || pod.at(&["spec", "containers"])?.as_list()?.first()?.str_at(&["name"]);
    annotated.or_else(first).unwrap_or_default().to_owned()
}

fn bad_pattern(pattern: &str, error: &regex::Error) -> Failure {
    let why = error.to_string();
    let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ");
    Failure::bad_argument(format!("`grep` {pattern:?} is no regular expression: {why}"))
}

/// Splits a stream into lines in bounded memory.
struct Splitter<'a> {
    pod: usize,
    grep: Option<&'a Regex>,
    used: &'a AtomicUsize,
    /// The line so far; beyond its bound the rest is dropped.
    partial: Vec<u8>,
    is_cut: bool,
    last: Timestamp,
    lines: Vec<Line>,
}

impl<'a> Splitter<'a> {
    fn new(pod: usize, grep: Option<&'a Regex>, used: &'a AtomicUsize) -> Self {
        Self { pod, grep, used, partial: Vec::new(), is_cut: false, last: Timestamp::UNIX_EPOCH, lines: Vec::new() }
    }

    fn push(&mut self, mut data: &[u8]) -> Result<(), Failure> {
        while let Some(end) = data.iter().position(|byte| *byte == b'\n') {
            if self.partial.is_empty() {
                self.line(&data[..end])?;
            } else {
                self.keep(&data[..end]);
                let line = std::mem::take(&mut self.partial);
                self.line(&line)?;
            }
            data = &data[end + 1..];
        }
        self.keep(data);
        Ok(())
    }

    fn keep(&mut self, data: &[u8]) {
        // The time in front does not count; 64 bytes hold it.
        let room = (MOST_LINE + 64).saturating_sub(self.partial.len());
        self.is_cut |= data.len() > room;
        self.partial.extend_from_slice(&data[..data.len().min(room)]);
    }

    fn end(&mut self) -> Result<(), Failure> {
        let line = std::mem::take(&mut self.partial);
        if line.is_empty() { Ok(()) } else { self.line(&line) }
    }

    fn line(&mut self, line: &[u8]) -> Result<(), Failure> {
        let was_cut = std::mem::take(&mut self.is_cut);
        let (at, mut text) = self.stamp(line);
        text = text.strip_suffix(b"\r").unwrap_or(text);
        let cut = was_cut || text.len() > MOST_LINE;
        text = &text[..text.len().min(MOST_LINE)];
        self.last = at;
        if self.grep.is_some_and(|grep| !grep.is_match(text)) {
            return Ok(());
        }
        let cost = text.len() + LINE_OVERHEAD;
        if self.used.fetch_add(cost, Ordering::Relaxed) + cost > MOST_BYTES {
            return Err(
                Failure::new(Kind::TooLarge, "the log lines are more than 8 MiB").hint("ask for less with `tail`, `since` or `grep`")
            );
        }
        let mut text = String::from_utf8_lossy(text).into_owned();
        if cut {
            text.push('…');
        }
        self.lines.push(Line { at, pod: self.pod, text });
        Ok(())
    }

    /// The time in front of a line and its text; a line without one is of the time of the line before.
    fn stamp<'l>(&self, line: &'l [u8]) -> (Timestamp, &'l [u8]) {
        let end = line.iter().take(64).position(|byte| *byte == b' ').unwrap_or(line.len().min(64));
        let time = std::str::from_utf8(&line[..end]).ok().and_then(|text| text.parse().ok());
        match time {
            Some(at) => (at, line.get(end + 1..).unwrap_or_default()),
            None => (self.last, line),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(blocks: &[&[u8]], grep: Option<&str>) -> Result<Vec<(String, String)>, Failure> {
        let grep = grep.map(|pattern| Regex::new(pattern).unwrap());
        let used = AtomicUsize::new(0);
        let mut splitter = Splitter::new(0, grep.as_ref(), &used);
        for block in blocks {
            splitter.push(block)?;
        }
        splitter.end()?;
        Ok(splitter.lines.into_iter().map(|line| (line.at.to_string(), line.text)).collect())
    }

    #[test]
    fn lines_are_split_stamped_and_filtered_across_blocks() {
        let lines =
            split(&[b"2026-11-23T00:00:00.1Z one\r\n2026-11-", b"23T02:00:00.12+02:00 two \xff\nno time", b" here\n\n"], None).unwrap();
        let expected = [("00.1Z", "one"), ("00.12Z", "two \u{fffd}"), ("00.12Z", "no time here"), ("00.12Z", "")];
        assert_eq!(lines, expected.map(|(time, text)| (format!("2026-11-23T00:00:{time}"), text.to_owned())));
        let errors = split(&[b"2026-11-23T00:00:00Z an ERROR\n2026-11-23T00:00:01Z fine\n"], Some("(?i)error")).unwrap();
        assert_eq!(errors.len(), 1);
    }

    #[test]
    fn a_line_without_end_is_cut_and_many_lines_are_too_large() {
        let block = vec![b'x'; 1 << 20];
        let mut blocks: Vec<&[u8]> = vec![b"2026-11-23T00:00:00Z "];
        blocks.extend(std::iter::repeat_n(block.as_slice(), 10));
        blocks.push(b"\n2026-11-23T00:00:01Z next");
        let lines = split(&blocks, None).unwrap();
        assert_eq!((lines[0].1.len(), lines[0].1.ends_with('…'), lines[1].1.as_str()), (MOST_LINE + '…'.len_utf8(), true, "next"));
        let line = [b"2026-11-23T00:00:00Z ", vec![b'x'; 1000].as_slice(), b"\n"].concat();
        let many = vec![line.as_slice(); 9_000];
        assert_eq!(split(&many, None).unwrap_err().kind, Kind::TooLarge);
        assert_eq!(split(&many, Some("y")).unwrap(), [], "what is filtered out costs nothing");
    }
}
