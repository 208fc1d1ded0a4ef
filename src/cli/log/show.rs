//! `runbook log show`: a run as a timeline, for somebody who was woken by it.

use std::collections::HashMap;
use std::io::{self, Write};

use serde_json::json;

use super::{Paint, took, when};
use crate::journal::entry::{Decision, End, Ending, Entry, Finding, Intent, Outcome, StepState};
use crate::journal::{Journal, Line, shape};
use crate::model::{CallId, Effect, Failure, Map, Provenance, Value, text};

const WIDE: usize = 100;

/// The run as an object: the header, all lines as they stand, and the writes in doubt.
pub(super) fn as_json(journal: &Journal) -> serde_json::Value {
    let entries: Vec<_> = journal
        .lines
        .iter()
        .map(|line| {
            let mut entry = json!(line.entry);
            entry["n"] = line.number.into();
            entry["t"] = line.time.to_string().into();
            entry
        })
        .collect();
    let outcomes = outcomes(journal);
    let doubts: Vec<_> = intents(journal).filter(|(_, intent)| in_doubt(intent, &outcomes)).map(|(_, intent)| json!(intent)).collect();
    json!({ "run": journal.header, "end": journal.end(), "running": journal.is_running(), "torn": journal.torn,
            "in_doubt": doubts, "entries": entries })
}

type Outcomes<'a> = HashMap<(&'a CallId, u32), &'a Outcome<'static>>;

fn outcomes(journal: &Journal) -> Outcomes<'_> {
    journal
        .lines
        .iter()
        .filter_map(|line| match &line.entry {
            Entry::Outcome(outcome) => Some(((&outcome.id, outcome.write), outcome)),
            _ => None,
        })
        .collect()
}

fn intents(journal: &Journal) -> impl Iterator<Item = (&Line, &Intent<'static>)> {
    journal.lines.iter().filter_map(|line| match &line.entry {
        Entry::Intent(intent) => Some((line, intent)),
        _ => None,
    })
}

fn in_doubt(intent: &Intent<'_>, outcomes: &Outcomes<'_>) -> bool {
    crate::journal::in_doubt(intent, outcomes.get(&(&intent.call.id, intent.write)).copied())
}

/// Prints the run for people. What a run has seen is untrusted: all of it goes through `text::short`.
pub(super) fn print(out: &mut dyn Write, journal: &Journal, paint: Paint) -> io::Result<()> {
    let outcomes = outcomes(journal);
    let doubts = intents(journal).filter(|(_, intent)| in_doubt(intent, &outcomes)).count();
    head(out, journal, paint)?;
    if doubts > 0 && !journal.is_running() {
        let what = if doubts == 1 { "1 write is".to_owned() } else { format!("{doubts} writes are") };
        writeln!(out, "\n{}", paint.bad(format!("{what} IN DOUBT: sent, or about to be, and nobody knows if it happened. See !! below.")))?;
    }
    let mut timeline = Timeline { out, paint, outcomes, step: None, running: journal.is_running() };
    journal.lines.iter().try_for_each(|line| timeline.line(line))?;
    foot(out, journal, paint)
}

fn head(out: &mut dyn Write, journal: &Journal, paint: Paint) -> io::Result<()> {
    let header = &journal.header;
    let s = |text: &str| text::short(text, WIDE);
    let status = match journal.end() {
        Some(end) => paint.status(&end.status),
        None if journal.is_running() => paint.status("running"),
        None => paint.status("unfinished"),
    };
    writeln!(out, "{}  {status}{}", paint.bold(s(&header.run)), if header.dry_run { "  dry-run: nothing was changed" } else { "" })?;
    let mut field = |name: &str, value: String| if value.is_empty() { Ok(()) } else { writeln!(out, "  {name:<9}{value}") };
    let title = if header.title.is_empty() { String::new() } else { format!("  {}", s(&header.title)) };
    field("script", if header.script.is_empty() { "(a sitting)".into() } else { format!("{}{title}", s(&header.script)) })?;
    field("who", format!("{} (uid {}) on {}", s(&header.user), header.uid, s(&header.host)))?;
    let start = journal.lines.first().map(|line| when(line.time)).unwrap_or_default();
    let stop = journal.lines.last().map(|line| when(line.time)).unwrap_or_default();
    field("when", format!("{start} to {stop} UTC"))?;
    let cluster = header.cluster_uid.as_ref().map(|uid| format!("cluster {}", s(uid)));
    let environment = (!header.environment.is_empty()).then(|| s(&header.environment));
    field("where", [environment, Some(s(&header.platform)), cluster].into_iter().flatten().collect::<Vec<_>>().join(", "))?;
    if let Some(params) = header.params.as_map() {
        field("params", params.iter().map(|(name, value)| format!("{}={}", s(name), brief(value))).collect::<Vec<_>>().join(" "))?;
    }
    let commit = header.commit.as_ref().map(|commit| format!(", commit {}", text::short(commit, 12)));
    field("version", format!("runbook {}{}", s(&header.version), commit.unwrap_or_default()))
}

struct Timeline<'a> {
    out: &'a mut dyn Write,
    paint: Paint,
    outcomes: Outcomes<'a>,
    step: Option<String>,
    running: bool,
}

impl Timeline<'_> {
    fn line(&mut self, line: &Line) -> io::Result<()> {
        match &line.entry {
            Entry::Run(_) | Entry::Outcome(_) | Entry::End(_) => Ok(()),
            Entry::Input(input) => {
                // Calls that follow are this input's.
                self.step = Some(String::new());
                let text: Vec<String> = input.text.lines().map(|line| text::short(line, WIDE)).collect();
                writeln!(self.out, "\n{} {}", self.paint.bold(format!("{}>", input.input)), text.join("\n   "))
            }
            Entry::Step(step) => {
                self.enter(Some(&step.step))?;
                let took = step.ms.map(|ms| format!(" after {}", took(ms))).unwrap_or_default();
                let word = match step.state {
                    StepState::Started => return Ok(()),
                    StepState::Skipped => {
                        self.paint.warn(format!("skipped by {}", text::short(step.by.as_deref().unwrap_or("nobody known"), 40)))
                    }
                    StepState::Finished => self.paint.good("finished"),
                    StepState::Failed => self.paint.bad("failed"),
                    StepState::RollingBack => self.paint.warn("rolling back"),
                    StepState::RolledBack => self.paint.warn("rolled back"),
                    StepState::RollbackFailed => self.paint.bad("the rollback failed"),
                };
                writeln!(self.out, "  {}  {word}{took}", clock(line))
            }
            Entry::Call(call) => {
                let head = &call.call;
                self.enter(head.step.as_deref())?;
                self.call(line, &head.id, &head.function, head.target.as_deref(), &answer(&call.end), Some(&call.end))?;
                self.failure(call.end.failure.as_deref())
            }
            Entry::Intent(intent) => self.write(line, intent),
            Entry::Decision(decision) => self.decision(line, decision),
            Entry::Finding(finding) => self.finding(finding),
        }
    }

    fn enter(&mut self, step: Option<&str>) -> io::Result<()> {
        if self.step.as_deref() != Some(step.unwrap_or_default()) {
            self.step = Some(step.unwrap_or_default().to_owned());
            let title = step.map_or("(outside of steps)".into(), |step| text::short(step, WIDE));
            writeln!(self.out, "\n{}", self.paint.bold(title))?;
        }
        Ok(())
    }

    fn call(
        &mut self,
        line: &Line,
        id: &CallId,
        function: &str,
        target: Option<&str>,
        result: &str,
        end: Option<&Ending<'_>>,
    ) -> io::Result<()> {
        let what = [Some(function), target].into_iter().flatten().map(|part| text::short(part, 60)).collect::<Vec<_>>().join(" ");
        let mut tail = String::new();
        if let Some(end) = end {
            tail = format!("  {}", self.paint.dim(took(end.ms)));
            if end.provenance != Provenance::Live {
                tail = format!("{tail}  {}", self.paint.warn(end.provenance.name()));
            }
        }
        writeln!(self.out, "  {}  {:<7} {what:<40}  {result}{tail}", clock(line), id.to_string())
    }

    fn note(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "  {:8}  {:7} {text}", "", "")
    }

    fn failure(&mut self, failure: Option<&Failure>) -> io::Result<()> {
        let Some(failure) = failure else { return Ok(()) };
        let kind = self.paint.bad(failure.kind);
        self.note(&format!("{kind}: {}", text::short(&failure.message, 400)))?;
        failure.hint.as_ref().map_or(Ok(()), |hint| self.note(&self.paint.dim(text::short(hint, 400))))
    }

    fn write(&mut self, line: &Line, intent: &Intent<'_>) -> io::Result<()> {
        let head = &intent.call;
        self.enter(head.step.as_deref())?;
        let outcome = self.outcomes.get(&(&head.id, intent.write)).copied();
        let doubt = in_doubt(intent, &self.outcomes);
        let status = match outcome {
            Some(outcome) if matches!(&*outcome.status, "failed" | "in_doubt") => self.paint.bad(text::short(&outcome.status, 20)),
            Some(outcome) => self.paint.good(text::short(&outcome.status, 20)),
            None if self.running => self.paint.bold("being written"),
            None if doubt => self.paint.bad("no outcome recorded"),
            None => self.paint.warn("not simulated to its end"),
        };
        let target = head.target.as_deref();
        self.call(line, &head.id, &head.function, target, &status, outcome.map(|outcome| &outcome.end))?;
        let object = text::short(&intent.object, 60);
        let part = if intent.of > 1 { format!("write {} of {}: ", intent.write + 1, intent.of) } else { String::new() };
        let shown = if target == Some(&*intent.object) { String::new() } else { format!("{object}  ") };
        self.note(&format!("{part}{shown}{}", changes(&intent.before, &intent.after)))?;
        self.failure(outcome.and_then(|outcome| outcome.end.failure.as_deref()))?;
        if doubt && !(self.running && outcome.is_none()) {
            let what =
                if head.effect == Effect::Notify { format!("the message reached {object}") } else { format!("{object} was changed") };
            self.note(&self.paint.bad(format!("!! IN DOUBT: nobody knows whether {what}")))?;
            self.note(&format!("!! it was to do:  {}", text::short(&intent.equivalent, 400)))?;
            let check = match intent.after.as_map() {
                Some(after) if intent.probe => {
                    let fields: Vec<_> = after.iter().map(|(key, value)| format!("{} = {}", text::short(key, 60), brief(value))).collect();
                    format!("!! to check:      it happened if {object} now has {}", fields.join(", "))
                }
                _ => "!! to check:      nothing can read this back; ask who would have noticed before you do it again".into(),
            };
            self.note(&check)?;
        }
        Ok(())
    }

    fn decision(&mut self, line: &Line, decision: &Decision<'_>) -> io::Result<()> {
        // That a rule let something mild go ahead is no news.
        if decision.decision == "allow" {
            return Ok(());
        }
        let word = text::short(&decision.decision, 20);
        let word = if matches!(&*decision.decision, "confirmed" | "answered") { self.paint.good(word) } else { self.paint.warn(word) };
        let result = format!("{word} by {} ({})", text::short(&decision.by, 60), decision.tier.name());
        self.call(line, &decision.id, &decision.function, Some(&decision.target), &result, None)
    }

    fn finding(&mut self, finding: &Finding<'_>) -> io::Result<()> {
        let kind = self.paint.warn(text::short(&finding.finding, 20).replace('_', " "));
        let place = self.paint.dim(format!("{}:{}", text::short(&finding.file, 60), finding.line));
        self.note(&format!("{kind}: {}  {place}", text::short(&finding.message, 400)))
    }
}

fn foot(out: &mut dyn Write, journal: &Journal, paint: Paint) -> io::Result<()> {
    writeln!(out)?;
    match journal.end() {
        Some(End { status, exit, ms, calls, changes, failure }) => {
            let did = if journal.header.dry_run { "planned" } else { "made" };
            let word = paint.status(status);
            writeln!(out, "{word} after {} (exit code {exit}): calls: {calls}, changes and messages {did}: {changes}", took(*ms))?;
            if let Some(failure) = failure {
                writeln!(out, "{}: {}", paint.bad(failure.kind), text::short(&failure.message, 400))?;
                if let Some(hint) = &failure.hint {
                    writeln!(out, "{}", paint.dim(text::short(hint, 400)))?;
                }
            }
            Ok(())
        }
        None if journal.is_running() => writeln!(out, "it is still running"),
        None => {
            let torn = if journal.torn { ", in the middle of a line" } else { "" };
            writeln!(
                out,
                "{}",
                paint.bad(format!("the record was cut off after line {}{torn}: the run did not end by itself", journal.lines.len()))
            )
        }
    }
}

fn clock(line: &Line) -> String {
    line.time.strftime("%H:%M:%S").to_string()
}

/// What a call answered, without its content.
fn answer(end: &Ending<'_>) -> String {
    match (&end.answer, &end.payload) {
        (Some(answer), _) => match &**answer {
            value @ (Value::Bool(_) | Value::Int(_) | Value::Float(_)) => value.to_string(),
            value => shape(value),
        },
        (None, Some(payload)) => format!("{} ({} bytes)", text::short(&payload.shape, 60), payload.bytes),
        (None, None) => String::new(),
    }
}

/// A field of the configuration, or a parameter, as it is: short ones whole, others by their shape.
fn brief(value: &Value) -> String {
    match value {
        Value::List(_) | Value::Map(_) => {
            let json = value.to_string();
            if json.len() <= 40 { text::short(&json, 40) } else { shape(value) }
        }
        Value::Str(string) => text::short(string, 40),
        Value::Null => "(none)".into(),
        other => text::short(&other.to_string(), 40),
    }
}

/// `spec.replicas: 3 → 7`, for each field that differs.
fn changes(before: &Value, after: &Value) -> String {
    let none = Map::new();
    let (Some(before_map), Some(after_map)) = (before.as_map().or(before_null(before, &none)), after.as_map()) else {
        return format!("{} → {}", brief(before), brief(after));
    };
    let keys = before_map.keys().chain(after_map.keys().filter(|key| !before_map.contains_key(*key)));
    let shown: Vec<String> = keys
        .filter(|key| before_map.get(*key) != after_map.get(*key))
        .map(|key| {
            let side = |map: &Map| map.get(key).map_or("(none)".into(), brief);
            format!("{}: {} → {}", text::short(key, 60), side(before_map), side(after_map))
        })
        .collect();
    if shown.is_empty() { "nothing differs".into() } else { shown.join(", ") }
}

fn before_null<'a>(before: &Value, none: &'a Map) -> Option<&'a Map> {
    (*before == Value::Null).then_some(none)
}
