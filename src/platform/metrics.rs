//! Prometheus' text format and OpenMetrics, read line by line: what is not asked for is dropped as it comes, so that memory does
//! not grow with the exposition.
//!
//! Sources: prometheus.io/docs/instrumenting/exposition_formats, github.com/prometheus/OpenMetrics (specification 1.0).

mod line;

use crate::model::operation::MetricsQuery;
use crate::model::text::one_line;
use crate::model::{Failure, Key, Kind, Map, Sent, Value};
use line::{Line, Sample};

/// The longest line, in bytes.
const LONGEST: usize = 64 << 10;
/// The samples' texts may hold so many bytes in all.
const MOST_BYTES: usize = 8 << 20;

/// The family that lines belong to: they stand together, what is said of it first.
#[derive(Debug, Default)]
struct Family {
    name: String,
    kind: Option<String>,
    help: Option<String>,
}

impl Family {
    /// Whether a sample of that name belongs to it.
    fn has(&self, sample: &str) -> bool {
        let Some(suffix) = sample.strip_prefix(self.name.as_str()).filter(|_| !self.name.is_empty()) else { return false };
        let own: &[&str] = match self.kind.as_deref() {
            Some("counter") => &["_total", "_created"],
            Some("histogram") => &["_bucket", "_sum", "_count", "_created"],
            Some("gaugehistogram") => &["_bucket", "_gsum", "_gcount"],
            Some("summary") => &["_sum", "_count", "_created"],
            Some("info") => &["_info"],
            _ => &[],
        };
        suffix.is_empty() || own.contains(&suffix)
    }
}

/// Reads an exposition in parts.
pub(super) struct Parser<'q> {
    query: &'q MetricsQuery,
    /// What of a line has come.
    held: Vec<u8>,
    number: u64,
    family: Family,
    samples: Vec<Value>,
    bytes: usize,
    /// `# EOF` has come, behind which OpenMetrics allows nothing.
    ended: bool,
    open_metrics: bool,
}

impl<'q> Parser<'q> {
    /// Reads what an answer of this content type holds.
    pub(super) fn new(query: &'q MetricsQuery, content_type: &str) -> Self {
        let open_metrics = content_type.trim().to_ascii_lowercase().starts_with("application/openmetrics-text");
        let (held, samples) = (Vec::new(), Vec::new());
        Self { query, held, number: 0, family: Family::default(), samples, bytes: 0, ended: false, open_metrics }
    }

    /// Adds bytes.
    pub(super) fn write(&mut self, mut bytes: &[u8]) -> Result<(), Failure> {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
            if self.held.is_empty() {
                self.line(line)?;
            } else {
                let mut held = std::mem::take(&mut self.held);
                held.extend_from_slice(line);
                self.line(&held)?;
            }
            bytes = rest;
        }
        self.held.extend_from_slice(bytes);
        if self.held.len() > LONGEST {
            self.number += 1;
            return Err(self.wrong("it is longer than 64 KiB", ""));
        }
        Ok(())
    }

    /// The samples: a list of `#{ name, labels, value, type, help?, timestamp_ms? }`.
    pub(super) fn finish(mut self) -> Result<Value, Failure> {
        let last = std::mem::take(&mut self.held);
        if !last.is_empty() {
            self.line(&last)?;
        }
        if self.open_metrics && !self.ended {
            return Err(self.failure("the exposition broke off: it does not end in `# EOF`".to_owned()));
        }
        Ok(Value::List(self.samples))
    }

    fn line(&mut self, line: &[u8]) -> Result<(), Failure> {
        self.number += 1;
        if line.len() > LONGEST {
            return Err(self.wrong("it is longer than 64 KiB", ""));
        }
        let Ok(text) = std::str::from_utf8(line) else { return Err(self.wrong("it is not UTF-8", "")) };
        let text = text.trim_end_matches('\r');
        if self.ended {
            return if text.is_empty() { Ok(()) } else { Err(self.wrong("it stands behind `# EOF`", text)) };
        }
        if self.query.name.is_some() && line::name(text).is_some_and(|name| !self.wants(name)) {
            return Ok(());
        }
        match line::parse(text, self.open_metrics) {
            Ok(Line::Nothing) => Ok(()),
            Ok(Line::Eof) => {
                self.ended = self.open_metrics;
                Ok(())
            }
            Ok(Line::Help(name, help)) => {
                self.family_of(name).help = Some(help);
                Ok(())
            }
            Ok(Line::Type(name, kind)) => {
                self.family_of(name).kind = Some(kind.to_owned());
                Ok(())
            }
            Ok(Line::Sample(sample)) => self.sample(sample),
            Err(why) => Err(self.wrong(&why, text)),
        }
    }

    fn family_of(&mut self, name: &str) -> &mut Family {
        if self.family.name != name {
            self.family = Family { name: name.to_owned(), ..Family::default() };
        }
        &mut self.family
    }

    /// Whether a sample of that name is asked for, as far as its name goes.
    fn wants(&self, sample: &str) -> bool {
        let named = |name: &String| name == sample || (self.family.name == *name && self.family.has(sample));
        self.query.name.as_ref().is_none_or(named)
    }

    fn sample(&mut self, sample: Sample<'_>) -> Result<(), Failure> {
        let family = Some(&self.family).filter(|family| family.has(&sample.name));
        let labelled = |(name, value): &(String, String)| sample.labels.iter().any(|(own, has)| own == name && has == value);
        if !self.wants(&sample.name) || !self.query.labels.iter().all(labelled) {
            return Ok(());
        }
        let mut found = Map::new();
        found.insert("name".into(), sample.name.as_ref().into());
        let labels: Map = sample.labels.iter().map(|(name, value)| (Key::from(name.as_ref()), value.as_ref().into())).collect();
        self.bytes += sample.name.len() + sample.labels.iter().map(|(name, value)| name.len() + value.len() + 8).sum::<usize>() + 64;
        found.insert("labels".into(), labels.into());
        found.insert("value".into(), sample.value.into());
        let unknown = if self.open_metrics { "unknown" } else { "untyped" };
        found.insert("type".into(), family.and_then(|family| family.kind.as_deref()).unwrap_or(unknown).into());
        if let Some(help) = family.and_then(|family| family.help.as_ref()) {
            self.bytes += help.len();
            found.insert("help".into(), help.as_str().into());
        }
        if let Some(timestamp_ms) = sample.timestamp_ms {
            found.insert("timestamp_ms".into(), timestamp_ms.into());
        }
        if self.samples.len() as u64 >= self.query.limit || self.bytes > MOST_BYTES {
            let target = self.query.request.target();
            let message = if self.bytes > MOST_BYTES {
                format!("{target} has more than 8 MiB of such samples")
            } else {
                format!("{target} has more than {} such samples", self.query.limit)
            };
            let hint = "ask for one metric with `name`, for fewer with `labels`, or raise `limit`";
            return Err(Failure::new(Kind::TooLarge, message).hint(hint).on(target).sent(Sent::Yes));
        }
        self.samples.push(found.into());
        Ok(())
    }

    /// A line that cannot be read; the failure is cut where it is shown, after masking.
    fn wrong(&self, why: &str, line: &str) -> Failure {
        let line = if line.is_empty() { String::new() } else { format!(": {}", one_line(line)) };
        self.failure(format!("line {} cannot be read: {why}{line}", self.number))
    }

    fn failure(&self, why: String) -> Failure {
        let target = self.query.request.target();
        Failure::new(Kind::Failed, format!("{target}: {why}"))
            .hint("is this the path of its metrics, in Prometheus' text format or OpenMetrics?")
            .on(target)
            .sent(Sent::Yes)
    }
}

#[cfg(test)]
mod tests;
