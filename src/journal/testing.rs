//! Journals for tests.

use std::borrow::Cow;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::entry::{CallHead, CallLine, Decision, End, Ending, Entry, Finding, Header, Intent, Outcome, Step, StepState};
use super::{Durability, Writer};
use crate::map;
use crate::model::{CallId, Effect, Position, Provenance, Tier, Value};

/// A folder that is closed to others, whatever the umask.
pub(crate) fn closed_folder() -> tempfile::TempDir {
    tempfile::Builder::new().permissions(std::fs::Permissions::from_mode(0o700)).tempdir().unwrap()
}

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_475_261 + second).unwrap()
}

pub(crate) fn id(text: &str) -> CallId {
    text.parse().unwrap()
}

pub(crate) fn header(run: &str) -> Header {
    Header {
        run: run.into(),
        version: "0.1.0".into(),
        project: "/srv/ops".into(),
        script: "scripts/a.rhai".into(),
        title: "A title".into(),
        sources: [("scripts/a.rhai".into(), "00".into())].into(),
        user: "anna".into(),
        uid: 1000,
        host: "laptop".into(),
        environment: "prod".into(),
        params: map! { "replicas" => 7 },
        platform: "real".into(),
        ..Header::default()
    }
}

pub(crate) fn writer(folder: &Path, run: &str, durability: Durability) -> Writer {
    Writer::create(folder, &mut header(run), at(0), durability).unwrap()
}

fn head<'a>(call: &str, function: &'a str, target: &'a str, effect: Effect) -> CallHead<'a> {
    CallHead {
        id: id(call),
        step: Some("Scale it".into()),
        function: function.into(),
        target: Some(target.into()),
        effect,
        args: Cow::Owned(Value::List(vec![target.into(), 7.into()])),
        file: "scripts/a.rhai".into(),
        line: 12,
    }
}

pub(crate) fn ending(answer: Value) -> Ending<'static> {
    Ending { ms: 12.25, provenance: Provenance::Live, answer: Some(Cow::Owned(answer)), payload: None, failure: None }
}

pub(crate) fn read(call: &str, answer: Value) -> Entry<'static> {
    Entry::Call(CallLine { call: head(call, "get", "deployment/api", Effect::Read), end: ending(answer) })
}

pub(crate) fn intent(call: &str, write: u32, of: u32, mode: &'static str) -> Entry<'static> {
    Entry::Intent(Intent {
        call: head(call, "scale", "api", Effect::Change),
        write,
        of,
        tier: Tier::Moderate,
        mode: mode.into(),
        object: "deployment/api".into(),
        before: Cow::Owned(map! { "spec.replicas" => 3 }),
        after: Cow::Owned(map! { "spec.replicas" => 7 }),
        operation: Cow::Owned(map! { "patch" => map! {} }),
        inverse: Cow::Owned(Value::Null),
        content: None,
        probe: true,
        equivalent: "kubectl scale deployment/api --replicas=7".into(),
    })
}

pub(crate) fn outcome(call: &str, write: u32, status: &'static str) -> Entry<'static> {
    Entry::Outcome(Outcome { id: id(call), write, status: status.into(), end: ending(map! { "replicas" => 7 }) })
}

pub(crate) fn step(state: StepState) -> Entry<'static> {
    Entry::Step(Step {
        step: "Scale it".into(),
        state,
        at: Position { file: "scripts/a.rhai".into(), line: 10, column: 1 },
        ms: (state != StepState::Started).then_some(1_500.0),
        by: None,
    })
}

pub(crate) fn decision(call: &str) -> Entry<'static> {
    Entry::Decision(Decision {
        id: id(call),
        function: "scale".into(),
        target: "api".into(),
        tier: Tier::Moderate,
        decision: "confirmed".into(),
        by: "--yes".into(),
    })
}

pub(crate) fn finding(call: &str) -> Entry<'static> {
    Entry::Finding(Finding {
        finding: "remark".into(),
        id: id(call),
        message: "an autoscaler owns the number".into(),
        file: "scripts/a.rhai".into(),
        line: 12,
    })
}

pub(crate) fn end(status: &str) -> End {
    End { status: status.into(), exit: 0, ms: 4_000.0, calls: 2, changes: 1, failure: None }
}

/// A run with one of everything: 10 lines, ended.
pub(crate) fn whole(folder: &Path, run: &str) -> PathBuf {
    let writer = writer(folder, run, Durability::EachLine);
    let large = writer.payload(&Value::List(vec![map! { "row" => 1 }])).unwrap();
    let Entry::Call(mut call) = read("1", Value::Null) else { unreachable!() };
    call.end.answer = None;
    call.end.payload = Some(large);
    let entries = [
        step(StepState::Started),
        Entry::Call(call),
        decision("2"),
        finding("2"),
        intent("2", 0, 1, "apply"),
        outcome("2", 0, "changed"),
        read("3.1.2", map! { "a" => vec![Value::from(1.5), Value::Null] }),
        step(StepState::Finished),
    ];
    for (second, entry) in entries.iter().enumerate() {
        writer.append(at(second as i64), entry).unwrap();
    }
    writer.finish(at(9), end("ok")).unwrap();
    writer.path().to_owned()
}
