//! The calls of a journal, put together from their lines.

use std::collections::HashMap;

use jiff::Timestamp;

use super::entry::{CallHead, Ending, Entry, Intent, Outcome, Payload};
use super::reader::Line;
use crate::model::{CallId, Effect, Failure, Provenance, Value};

/// A call as it was recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedCall {
    /// The number of its first line in the journal.
    pub number: u64,
    /// When that line was written.
    pub time: Timestamp,
    /// Its id.
    pub id: CallId,
    /// The step it stood in.
    pub step: Option<String>,
    /// The function.
    pub function: String,
    /// What it was about.
    pub target: Option<String>,
    /// What it did.
    pub effect: Effect,
    /// Its arguments.
    pub args: Value,
    /// The script.
    pub file: String,
    /// The line there.
    pub line: u32,
    /// Milliseconds, on the platform's clock; 0 without an end.
    pub ms: f64,
    /// Where the answer came from.
    pub provenance: Provenance,
    /// The answer, where it stands in the journal.
    pub answer: Option<Value>,
    /// The answer, where it stands beside the journal.
    pub payload: Option<Payload>,
    /// The failure that it ended in.
    pub failure: Option<Failure>,
    /// Whether it ended: it answered or failed. One that did not was cut off.
    pub ended: bool,
    /// Its writes, in their order.
    pub writes: Vec<RecordedWrite>,
}

/// A write as it was recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedWrite {
    /// The number of the intent's line in the journal.
    pub number: u64,
    /// What was about to be written.
    pub intent: Intent<'static>,
    /// How it ended.
    pub outcome: Option<Outcome<'static>>,
}

impl RecordedCall {
    /// Whether nobody knows what became of one of its writes.
    pub fn in_doubt(&self) -> bool {
        self.writes.iter().any(RecordedWrite::in_doubt)
    }
}

impl RecordedWrite {
    /// Whether it was about to be applied and nobody knows if it was. A rehearsed one is never in doubt.
    pub fn in_doubt(&self) -> bool {
        in_doubt(&self.intent, self.outcome.as_ref())
    }
}

/// Whether nobody knows what became of a write: it was to be applied, and its outcome is missing or says so.
pub fn in_doubt(intent: &Intent<'_>, outcome: Option<&Outcome<'_>>) -> bool {
    intent.mode == "apply" && outcome.is_none_or(|outcome| outcome.status == "in_doubt")
}

/// Puts calls together. The error is what contradicts what.
pub(super) fn pair(lines: &[Line]) -> Result<Vec<RecordedCall>, String> {
    let mut calls: Vec<RecordedCall> = Vec::new();
    let mut places: HashMap<CallId, usize> = HashMap::new();
    for line in lines {
        let Line { number, .. } = line;
        match &line.entry {
            Entry::Call(call) => {
                let at = begin(&mut calls, &mut places, &call.call, line);
                if calls[at].ended && calls[at].writes.is_empty() {
                    return Err(format!("line {number}: the call {} has ended before", call.call.id));
                }
                calls[at].end(&call.end);
            }
            Entry::Intent(intent) => {
                let at = begin(&mut calls, &mut places, &intent.call, line);
                if calls[at].writes.iter().any(|write| write.intent.write == intent.write) {
                    return Err(format!("line {number}: write {} of the call {} is intended twice", intent.write, intent.call.id));
                }
                calls[at].writes.push(RecordedWrite { number: *number, intent: intent.clone(), outcome: None });
            }
            Entry::Outcome(outcome) => {
                let call = places.get(&outcome.id).map(|at| &mut calls[*at]);
                if !call.is_some_and(|call| call.finish(outcome)) {
                    let what = format!("write {} of the call {}", outcome.write, outcome.id);
                    return Err(format!("line {number}: {what} has an outcome already, or was never intended"));
                }
            }
            Entry::Run(_) | Entry::Input(_) | Entry::Step(_) | Entry::Decision(_) | Entry::Finding(_) | Entry::End(_) => {}
        }
    }
    Ok(calls)
}

fn begin(calls: &mut Vec<RecordedCall>, places: &mut HashMap<CallId, usize>, head: &CallHead<'_>, line: &Line) -> usize {
    *places.entry(head.id.clone()).or_insert_with(|| {
        calls.push(RecordedCall {
            number: line.number,
            time: line.time,
            id: head.id.clone(),
            step: head.step.as_deref().map(str::to_owned),
            function: head.function.clone().into_owned(),
            target: head.target.as_deref().map(str::to_owned),
            effect: head.effect,
            args: head.args.clone().into_owned(),
            file: head.file.clone().into_owned(),
            line: head.line,
            ms: 0.0,
            provenance: Provenance::default(),
            answer: None,
            payload: None,
            failure: None,
            ended: false,
            writes: Vec::new(),
        });
        calls.len() - 1
    })
}

impl RecordedCall {
    /// Adds an outcome; false if there is no open intent for it.
    fn finish(&mut self, outcome: &Outcome<'static>) -> bool {
        let write = self.writes.iter_mut().find(|write| write.intent.write == outcome.write && write.outcome.is_none());
        let Some(write) = write else { return false };
        write.outcome = Some(outcome.clone());
        self.sum_up();
        true
    }

    /// Takes over how the writes ended: the first failure, or once all are done the answer, which stands with the last write.
    fn sum_up(&mut self) {
        let ends: Vec<Ending<'static>> = self.writes.iter().filter_map(|w| w.outcome.as_ref()).map(|o| o.end.clone()).collect();
        let wanted = self.writes.first().map_or(0, |write| write.intent.of as usize);
        let failed = ends.iter().find(|end| end.failure.is_some());
        let answered = || ends.iter().rev().find(|end| end.answer.is_some() || end.payload.is_some()).or(ends.last());
        if let Some(end) = failed.or_else(|| if ends.len() >= wanted { answered() } else { None }) {
            self.end(end);
            self.ms = ends.iter().map(|end| end.ms).sum();
            self.provenance = ends.iter().map(|end| end.provenance).max().unwrap_or_default();
        }
    }

    fn end(&mut self, end: &Ending<'_>) {
        self.ms = end.ms;
        self.provenance = end.provenance;
        self.answer = end.answer.as_deref().cloned();
        self.payload = end.payload.clone();
        self.failure = end.failure.as_deref().cloned();
        self.ended = true;
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{at, closed_folder, end, id, intent, outcome, read, whole, writer};
    use super::super::{Durability, read as read_journal};
    use super::*;
    use crate::map;
    use crate::model::Kind;

    fn calls(entries: &[Entry<'_>]) -> Result<Vec<RecordedCall>, Failure> {
        let folder = closed_folder();
        let writer = writer(folder.path(), "r1", Durability::Buffered);
        entries.iter().for_each(|entry| writer.append(at(1), entry).unwrap());
        writer.finish(at(2), end("ok")).unwrap();
        read_journal(writer.path()).unwrap().calls()
    }

    #[test]
    fn a_call_is_put_together_from_its_lines() {
        let folder = closed_folder();
        let journal = read_journal(&whole(folder.path(), "r1")).unwrap();
        let calls = journal.calls().unwrap();
        let ids: Vec<String> = calls.iter().map(|call| call.id.to_string()).collect();
        assert_eq!(ids, ["1", "2", "3.1.2"]);
        let scale = &calls[1];
        assert_eq!(
            (scale.number, scale.function.as_str(), scale.target.as_deref(), scale.effect),
            (6, "scale", Some("api"), Effect::Change)
        );
        assert_eq!((scale.args.to_string().as_str(), scale.step.as_deref()), ("[\"api\",7]", Some("Scale it")));
        assert_eq!(scale.answer, Some(map! { "replicas" => 7 }));
        assert_eq!((scale.ms, scale.ended, scale.in_doubt(), scale.writes.len()), (12.25, true, false, 1));
        assert_eq!(scale.writes[0].outcome.as_ref().unwrap().status, "changed");
        assert_eq!(calls[2].answer, Some(map! { "a" => vec![Value::from(1.5), Value::Null] }));
    }

    #[test]
    fn writes_without_an_outcome_are_in_doubt_unless_they_were_rehearsed() {
        let drain = calls(&[
            intent("4", 0, 3, "apply"),
            intent("4", 1, 3, "apply"),
            outcome("4", 1, "changed"),
            outcome("4", 0, "in_doubt"),
            intent("5", 0, 1, "rehearse"),
        ])
        .unwrap();
        let doubts: Vec<bool> = drain[0].writes.iter().map(RecordedWrite::in_doubt).collect();
        assert_eq!((doubts, drain[0].ended), (vec![true, false], false));
        assert!(!drain[1].in_doubt() && !drain[1].ended);
    }

    #[test]
    fn the_first_failure_of_a_write_is_the_call_s() {
        let mut failed = outcome("4", 1, "failed");
        if let Entry::Outcome(outcome) = &mut failed {
            outcome.end.answer = None;
            outcome.end.failure = Some(std::borrow::Cow::Owned(Failure::new(Kind::Forbidden, "no")));
        }
        let call = &calls(&[intent("4", 0, 3, "apply"), outcome("4", 0, "changed"), intent("4", 1, 3, "apply"), failed]).unwrap()[0];
        assert_eq!((call.failure.as_ref().unwrap().kind, call.ended, &call.answer, call.ms), (Kind::Forbidden, true, &None, 24.5));
    }

    #[test]
    fn a_record_that_contradicts_itself_is_refused() {
        for (entries, what) in [
            (vec![read("1", 1.into()), read("1", 2.into())], "line 3: the call 1 has ended before"),
            (vec![outcome("1", 0, "changed")], "line 2: write 0 of the call 1 has an outcome already, or was never intended"),
            (vec![intent("1", 0, 1, "apply"), intent("1", 0, 1, "apply")], "line 3: write 0 of the call 1 is intended twice"),
            (
                vec![intent("1", 0, 1, "apply"), outcome("1", 0, "sent"), outcome("1", 0, "sent")],
                "line 4: write 0 of the call 1 has an outcome already, or was never intended",
            ),
        ] {
            assert!(calls(&entries).unwrap_err().message.ends_with(what), "{what}");
        }
        assert_eq!(calls(&[read("1", 1.into())]).unwrap()[0].id, id("1"));
    }
}
