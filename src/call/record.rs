//! Calls as the journal's lines and the ledger's rows.

use std::borrow::Cow;
use std::time::Duration;

use super::function::{Body, Done, Function};
use super::history::escaped;
use super::ledger::Change;
use super::mask::Masker;
use super::policy::{Decision, Verdict};
use super::{Mode, content};
use crate::config::Environment;
use crate::journal::Writer;
use crate::journal::entry::{self, BODY, CallHead, CallLine, Ending, Entry, Intent, Outcome, Payload};
use crate::model::operation::{Invocation, MongoChange, RedisChange, Scope, SqlChange};
use crate::model::spec::{Args, Group, Keep, Param, Type};
use crate::model::{Answer, Call, Effect, Failure, Kind, Prepared, Provenance, Sent, Spec, Tier, Value, Write};
use crate::platform::equivalent;

/// The call that takes a change back by its recorded inverse. Scripts cannot make it.
pub(super) static ROLLBACK: Function = Function {
    spec: Spec {
        name: "rollback",
        group: Group::Flow,
        summary: "Takes a change back by its recorded inverse.",
        params: &[Param { name: "target", ty: Type::Target, required: true, help: "what was changed" }],
        options: &[],
        returns: "`#{ target, status }`",
        tier: Tier::Mild,
        keep: Keep::Line,
        errors: &[],
        examples: &[],
    },
    body: Body::Change(|_, _| Ok(Vec::new()), reverted),
};

/// What taking back came to.
pub(super) fn reverted(_: &Args, done: &[Done]) -> Value {
    done.first().map_or(Value::Null, |done| crate::map! { "target" => done.prepared.target.clone(), "status" => done.status })
}

/// Answers above this stand beside the journal, not in it.
const INLINE_BYTES: usize = 4096;

/// Milliseconds with three decimals.
pub(super) fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

fn head(call: &Call) -> CallHead<'_> {
    CallHead {
        id: call.id.clone(),
        step: call.step.as_ref().map(|step| Cow::Borrowed(&*step.title)),
        function: Cow::Borrowed(call.function),
        target: call.target.as_deref().map(Cow::Borrowed),
        effect: call.effect,
        args: Cow::Borrowed(&call.args),
        file: Cow::Borrowed(&call.at.file),
        line: call.at.line,
    }
}

/// A call's one line.
pub(super) fn call<'a>(call: &'a Call, end: Ending<'a>) -> CallLine<'a> {
    CallLine { call: head(call), end }
}

/// How a call or a write ended; `bytes` is the answer's size. What may hold personal data goes beside the journal.
pub(super) fn ending<'a>(
    journal: &Writer,
    function: &Function,
    ms: f64,
    provenance: Provenance,
    result: &'a Result<Value, Failure>,
    bytes: usize,
) -> Result<Ending<'a>, Failure> {
    let mut end = Ending { ms, provenance, answer: None, payload: None, failure: None };
    match result {
        Err(failure) => end.failure = Some(Cow::Borrowed(failure)),
        Ok(Value::Null) => {}
        // A replay computes it again.
        Ok(_) if function.effect() == Effect::Pure => {}
        Ok(value) if function.spec.keep != Keep::Line || bytes > INLINE_BYTES => end.payload = Some(journal.payload(&escaped(value))?),
        Ok(value) => end.answer = Some(escaped(value)),
    }
    Ok(end)
}

/// About the size of a value's JSON, in bytes; counts without rendering.
pub fn about_bytes(value: &Value) -> usize {
    match value {
        Value::Str(text) => text.len() + 2,
        Value::List(items) => 2 + items.iter().map(about_bytes).sum::<usize>(),
        Value::Map(map) => 2 + map.iter().map(|(key, item)| key.len() + 4 + about_bytes(item)).sum::<usize>(),
        _ => 6,
    }
}

/// The line of a decision.
pub(super) fn decision<'a>(call: &'a Call, tier: Tier, prepared: &'a Prepared, decision: Decision) -> Entry<'a> {
    let word = match decision.verdict {
        Verdict::Go if decision.by == "policy" => "allow",
        Verdict::Go => "confirmed",
        Verdict::Skip => "skipped",
        Verdict::No => "refused",
        Verdict::Quit => "denied",
    };
    Entry::Decision(entry::Decision {
        id: call.id.clone(),
        function: Cow::Borrowed(call.function),
        target: Cow::Borrowed(&prepared.target),
        tier,
        decision: word.into(),
        by: decision.by.into(),
    })
}

/// Puts a body beside the journal, masked.
pub(super) fn payload(journal: &Writer, masker: &Masker, body: &Value) -> Result<Payload, Failure> {
    journal.payload(&escaped(&masker.value(body.clone())))
}

/// A body as it stands in a line: where its content is, its size and its shape. `""` is none, and stands as it is.
pub(super) fn kept(journal: &Writer, masker: &Masker, body: &Value) -> Result<Value, Failure> {
    if body.as_str() == Some("") {
        return Ok(body.clone());
    }
    let Payload { sha256, bytes, shape } = payload(journal, masker, body)?;
    Ok(crate::map! { BODY => sha256.to_string(), "bytes" => i64::try_from(bytes).unwrap_or(i64::MAX), "shape" => shape })
}

/// The line that is on disk before a write leaves.
#[allow(clippy::too_many_arguments)] // A line's parts, each from elsewhere.
pub(super) fn intent<'a>(
    call: &'a Call,
    number: u32,
    of: u32,
    tier: Tier,
    mode: Mode,
    prepared: &'a Prepared,
    masker: &Masker,
    kept: &dyn Fn(&Value) -> Result<Value, Failure>,
    beside: Option<Beside>,
) -> Result<Entry<'a>, Failure> {
    let data =
        |write: &Write| -> Result<Value, Failure> { Ok(masker.value(as_data(write, write.body().map(|body| kept(&body)).transpose()?))) };
    let beside = match beside {
        Some(beside) => beside,
        None => Beside {
            operation: data(&prepared.write)?,
            inverse: prepared.inverse.as_ref().map(data).transpose()?.unwrap_or_default(),
            equivalent: prepared.equivalent.clone(),
            content: None,
        },
    };
    Ok(Entry::Intent(Intent {
        call: head(call),
        write: number,
        of,
        tier,
        mode: match mode {
            Mode::Apply => "apply".into(),
            Mode::Rehearse => "rehearse".into(),
        },
        object: Cow::Borrowed(&prepared.target),
        before: Cow::Borrowed(&prepared.before),
        after: Cow::Borrowed(&prepared.after),
        operation: Cow::Owned(beside.operation),
        inverse: Cow::Owned(beside.inverse),
        content: beside.content,
        probe: prepared.probe.is_some(),
        equivalent: Cow::Owned(beside.equivalent),
    }))
}

/// What an intent's line says of a write whose data stand beside the journal.
pub(super) struct Beside {
    operation: Value,
    inverse: Value,
    equivalent: String,
    content: Option<Payload>,
}

/// What a database is given may be personal: the line has its shape, and a payload all of it. None of other writes.
pub(super) fn beside(prepared: &Prepared, journal: &Writer, masker: &Masker, environment: &Environment) -> Result<Option<Beside>, Failure> {
    let Some(shaped) = content::shaped(&prepared.write) else { return Ok(None) };
    let data = |write: &Write| masker.value(as_data(write, None));
    let back = prepared.inverse.as_ref().map(|inverse| content::shaped(inverse).unwrap_or_else(|| inverse.clone()));
    let all = crate::map! {
        "operation" => data(&prepared.write),
        "inverse" => prepared.inverse.as_ref().map(data),
        "equivalent" => prepared.equivalent.clone(),
    };
    Ok(Some(Beside {
        operation: data(&shaped),
        inverse: back.as_ref().map(data).unwrap_or_default(),
        equivalent: masker.text(equivalent::of(&shaped, environment)),
        content: Some(payload(journal, masker, &all)?),
    }))
}

/// A write as data, so that undo and resume can make it again; its body as it stands in a line.
fn as_data(write: &Write, body: Option<Value>) -> Value {
    match write {
        Write::Patch { object, subresource, patch, kind, verb, timeout } => crate::map! {
            "patch" => patch.clone(),
            "type" => kind.name(),
            "kind" => object.kind.singular,
            "namespace" => object.namespace.clone(),
            "name" => object.name.clone(),
            "subresource" => *subresource,
            "verb" => verb.name(),
            "timeout_ms" => millis(*timeout),
        },
        Write::Create { object, manifest, timeout } => crate::map! {
            "create" => manifest.clone(),
            "kind" => object.kind.singular,
            "namespace" => object.namespace.clone(),
            "name" => object.name.clone(),
            "timeout_ms" => millis(*timeout),
        },
        Write::Delete { object, uid, grace, controlled, timeout } | Write::Evict { object, uid, grace, controlled, timeout, .. } => {
            crate::map! {
                if matches!(write, Write::Evict { .. }) { "evict" } else { "delete" } => object.to_string(),
                "kind" => object.kind.singular,
                "namespace" => object.namespace.clone(),
                "name" => object.name.clone(),
                "uid" => uid.clone(),
                "grace_ms" => grace.map(millis),
                "controlled" => *controlled,
                "timeout_ms" => millis(*timeout),
            }
        }
        Write::Http(request) => crate::map! {
            "http" => request.method,
            "url" => request.url.clone(),
            "service" => request.service.clone(),
            "headers" => request.headers.iter().map(|(name, value)| vec![name.as_str().into(), value.clone()].into()).collect::<Vec<Value>>(),
            "body" => body,
            "ok_status" => request.ok_status.as_ref().map(|listed| listed.iter().copied().map(Value::Int).collect::<Vec<_>>()),
            "timeout_ms" => millis(request.timeout),
        },
        Write::Exec(exec) => {
            let place =
                crate::map! { "exec" => exec.pod.clone(), "namespace" => exec.namespace.clone(), "container" => exec.container.clone() };
            merged(place, invocation(&exec.run, body))
        }
        Write::Command(command) => {
            let env = command.env.iter().map(|(name, value)| vec![name.as_str().into(), value.clone()].into()).collect::<Vec<Value>>();
            let place = crate::map! { "command" => command.run.argv.first().cloned(), "env" => env, "cwd" => command.shown_cwd.clone() };
            merged(place, invocation(&command.run, body))
        }
        Write::Sql(SqlChange { statement, verb, tier, scope, .. }) => crate::map! {
            "sql" => statement.text.clone(),
            "database" => statement.database.clone(),
            "params" => statement.params.clone(),
            "max_rows" => i64::try_from(statement.limit).unwrap_or(i64::MAX),
            "verb" => verb.clone(),
            "tier" => tier.name(),
            "transaction" => *scope == Scope::Transaction,
            "timeout_ms" => millis(statement.timeout),
        },
        Write::Mongo(MongoChange { database, command, tier, timeout, .. }) => crate::map! {
            "mongo" => command.iter().map(|(key, value)| vec![key.as_str().into(), value.clone()].into()).collect::<Vec<Value>>(),
            "database" => database.clone(),
            "tier" => tier.name(),
            "timeout_ms" => millis(*timeout),
        },
        Write::Redis(RedisChange { database, command, tier, timeout }) => crate::map! {
            "redis" => command.clone(),
            "database" => database.clone(),
            "tier" => tier.name(),
            "timeout_ms" => millis(*timeout),
        },
        Write::Send(message) => crate::map! {
            "send" => message.text.clone(),
            "channel" => message.channel.clone(),
            "severity" => message.severity.clone(),
            "fields" => message.fields.clone(),
            "key" => message.key.clone(),
        },
    }
}

/// A program's run as data; what it reads as it stands in a line.
fn invocation(run: &Invocation, stdin: Option<Value>) -> Value {
    crate::map! {
        "argv" => run.argv.iter().map(|word| Value::from(word.as_str())).collect::<Vec<_>>(),
        "stdin" => stdin,
        "ok_exit" => run.ok_exit.iter().copied().map(Value::Int).collect::<Vec<_>>(),
        "save" => run.save.as_ref().map(|save| save.shown.clone()),
        "timeout_ms" => millis(run.timeout),
    }
}

/// Two maps in one.
fn merged(one: Value, other: Value) -> Value {
    match (one, other) {
        (Value::Map(one), Value::Map(other)) => Value::Map(one.into_iter().chain(other).collect()),
        (one, _) => one,
    }
}

/// What became of a write, in one word.
pub(super) fn status(mode: Mode, effect: Effect, prepared: &Prepared, answer: &Result<Answer, Failure>) -> &'static str {
    match (answer, mode, effect) {
        (Err(failure), ..) if failure.kind == Kind::InDoubt => "in_doubt",
        (Err(failure), ..) if failure.sent != Sent::Done => "failed",
        (Ok(_), Mode::Rehearse, _) if prepared.refusal.is_some() => "refused",
        (_, Mode::Rehearse, Effect::Notify) => "would_send",
        (_, Mode::Rehearse, _) => "would_change",
        (_, Mode::Apply, Effect::Notify) => "sent",
        (_, Mode::Apply, _) => "changed",
    }
}

/// The failure of one write of several, with those that were done before it: the same call again does them once more.
pub(super) fn after(failure: Failure, done: &[Done]) -> Failure {
    let of =
        |status| done.iter().filter(|done| done.status == status).map(|done| done.prepared.target.as_str()).collect::<Vec<_>>().join(", ");
    let (sent, changed) = (of("sent"), of("changed"));
    let told = match (sent.is_empty(), changed.is_empty()) {
        (true, true) => return failure,
        (false, _) => format!("sent before it: {sent}"),
        (true, false) => format!("changed before it: {changed}"),
    };
    Failure { message: format!("{}; {told}", failure.message), ..failure }
}

/// The ledger's row of a write.
pub(super) fn change(call: &Call, tier: Tier, mode: Mode, prepared: &Prepared, answer: &Result<Answer, Failure>) -> Change {
    Change {
        id: call.id.clone(),
        step: call.step.as_ref().map(|step| step.title.to_string()),
        function: call.function.to_owned(),
        target: prepared.target.clone(),
        status: status(mode, call.effect, prepared, answer).to_owned(),
        before: prepared.before.clone(),
        after: prepared.after.clone(),
        tier,
        effect: call.effect,
        equivalent: prepared.equivalent.clone(),
        validated: prepared.validated,
        refusal: prepared.refusal.clone(),
        remarks: prepared.remarks.clone(),
        file: call.at.file.to_string(),
        line: call.at.line,
    }
}

/// The line of a write's end. A call's only write carries the call's answer.
pub(super) fn outcome<'a>(call: &Call, number: u32, change: &'a Change, end: Ending<'a>) -> Entry<'a> {
    Entry::Outcome(Outcome { id: call.id.clone(), write: number, status: Cow::Borrowed(&change.status), end })
}
