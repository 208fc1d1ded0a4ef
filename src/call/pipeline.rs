//! The call pipeline, on one page: every host function's call goes through [`Pipeline::call`], and nothing else
//! touches a system.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::content;
use super::function::{Plan, Shape};
use super::history::{History, Recorded, escaped};
use super::ledger::{Change, Finding, Found, Inverse, Ledger};
use super::mask::{self, MASK, Masker};
use super::policy::{self, Decision, Policy, Verdict};
use super::record;
use super::ui::{Answers, Event, Ui};
use super::{Body, Cx, Done, Frame, Function, Latch};
use crate::config::Config;
use crate::journal::entry::{self, Entry};
use crate::journal::{self, Writer};
use crate::model::resource::Target;
use crate::model::spec::{Args, Type};
use crate::model::value::DEEPEST;
use crate::model::{Answer, Call, CallId, Effect, Failure, Kind, Position, Prepared, Provenance, Sent, Tier, Unsent, Value};
use crate::platform::{Platform, equivalent};

/// The largest answer that a script may hold, in bytes of its JSON.
const MOST_BYTES: usize = 8 << 20;

/// Whether changes are done or only rehearsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Changes are done, on the real systems or in a world.
    Apply,
    /// Changes are predicted: `--dry-run`.
    Rehearse,
}

/// All that a run's calls share.
pub struct Pipeline {
    /// What answers.
    pub platform: Box<dyn Platform>,
    /// `real`, `world:FILE` or `replay:RUN`.
    pub platform_name: String,
    /// Whether changes are done or rehearsed.
    pub mode: Mode,
    /// Whether an intent must be on disk before its write leaves: wherever something real can change.
    pub durable: bool,
    /// The configuration.
    pub config: Arc<Config>,
    /// The record.
    pub journal: Writer,
    /// Recorded calls that answer first.
    pub history: Box<dyn History>,
    /// Who must say yes.
    pub policy: Policy,
    /// What must not be seen.
    pub masker: Masker,
    /// What stops the run.
    pub latch: Arc<Latch>,
    /// The person's side.
    pub ui: Arc<dyn Ui>,
    /// Answers given beforehand, by question id.
    pub answers: Answers,
    /// What the run adds up to.
    pub ledger: Mutex<Ledger>,
}

/// A call whose body is the engine's.
pub struct Opened {
    /// The call.
    pub call: Call,
    /// What the history answers.
    pub recorded: Option<Recorded>,
    /// When it started, on the platform's clock.
    pub started: Duration,
}

impl Pipeline {
    /// Makes one call. Reads end in one line of the journal; each write in an intent and an outcome.
    pub fn call(&self, function: &'static Function, values: Vec<Value>, at: Position, frame: &Frame) -> Result<Value, Failure> {
        // 1. The latch: cancelled, denied, diverged, journal lost.
        self.latch.check()?;
        // 2. The call.
        let call = self.describe(function, &values, at, frame)?;
        let started = self.begin(&call);
        // 3. History, if there is one: it answers instead of the platform.
        let result = match self.history.take(&call) {
            Ok(Some(recorded)) => self.replay(function, &call, values, recorded, started),
            Ok(None) => match (function.body, self.bind(function, &call, values)) {
                (_, Err(failure)) => self.ended(function, &call, started, Provenance::Live, Err(failure)),
                (Body::Act(reading, plan, shape), Ok(args)) => {
                    let cx = Cx::new(self, &call, started).within(&args);
                    match reading(&args, &cx).transpose() {
                        None => self.change(function, &call, &args, (plan, shape), &cx, started),
                        Some(result) => {
                            let call = Call { effect: Effect::Read, ..call.clone() };
                            self.ended(function, &call, started, cx.provenance(), result)
                        }
                    }
                }
                (Body::Change(plan, shape) | Body::Notify(plan, shape), Ok(args)) => {
                    self.change(function, &call, &args, (plan, shape), &Cx::new(self, &call, started).within(&args), started)
                }
                (body, Ok(args)) => {
                    let cx = Cx::new(self, &call, started).within(&args);
                    let result = match body {
                        Body::Pure(compute) => self.computed(compute, &args),
                        Body::Local(run) | Body::Output(run) | Body::Read(run) => run(&args, &cx),
                        Body::Change(..) | Body::Act(..) | Body::Notify(..) | Body::Flow => Ok(Value::Null),
                    };
                    self.ended(function, &call, started, cx.provenance(), result)
                }
            },
            Err(failure) => self.ended(function, &call, started, Provenance::Recorded, Err(failure)),
        };
        self.finish(&call, started, result)
    }

    fn change(
        &self,
        function: &'static Function,
        call: &Call,
        args: &Args,
        (plan, shape): (Plan, Shape),
        cx: &Cx<'_>,
        started: Duration,
    ) -> Result<Value, Failure> {
        match plan(args, cx).and_then(|writes| self.prepare(writes, cx)) {
            Ok(prepared) => self.write(function, call, args, prepared, shape, cx, started),
            Err(failure) => self.ended(function, call, started, cx.provenance(), Err(failure)),
        }
    }

    // 4. Prepare each write: pre-image, prediction, inverse, probe, equivalent. Nothing leaves but reads and server dry-runs.
    fn prepare(&self, writes: Vec<crate::model::Write>, cx: &Cx<'_>) -> Result<Vec<Prepared>, Failure> {
        let prepared = writes.into_iter().map(|write| cx.with(|cx| self.platform.prepare(write, cx)));
        let shown = prepared.map(|prepared| {
            self.learn();
            match self.masker.prepared(prepared?) {
                Prepared { before, after, target, .. } if before.is_deeper(DEEPEST) || after.is_deeper(DEEPEST) => Err(too_deep(&target)),
                Prepared { write, target, .. } if write.body().is_some_and(|body| body.is_deeper(DEEPEST)) => Err(too_deep(&target)),
                prepared => self.beside(prepared),
            }
        });
        shown.collect::<Result<_, _>>().map_err(|failure| self.told(failure))
    }

    /// What may hold personal data stands beside the journal, and the line to go on by hand says where.
    fn beside(&self, prepared: Prepared) -> Result<Prepared, Failure> {
        let Some(body) = prepared.write.body() else { return Ok(prepared) };
        let payload = record::payload(&self.journal, &self.masker, &body).map_err(|failure| self.tripped(failure))?;
        let path = self.journal.payload_path(&payload);
        let equivalent = equivalent::beside(&prepared.write, self.platform.environment(), &path);
        Ok(Prepared { equivalent: self.masker.text(equivalent), ..prepared })
    }

    #[allow(clippy::too_many_arguments)] // The steps share all of it, and stay on this page.
    fn write(
        &self,
        function: &'static Function,
        call: &Call,
        args: &Args,
        prepared: Vec<Prepared>,
        shape: Shape,
        cx: &Cx<'_>,
        started: Duration,
    ) -> Result<Value, Failure> {
        let of = prepared.len() as u32;
        if let (0, Effect::Change, Some(target)) = (of, call.effect, &call.target) {
            self.ui.event(&Event::Unchanged(call.function, &self.masker.text(target.clone())));
        }
        let mut done = Vec::with_capacity(prepared.len());
        for (number, prepared) in (0..).zip(prepared) {
            // What is so already is not done again.
            if prepared.before == prepared.after && call.effect == Effect::Change {
                cx.rests_on(prepared.provenance);
                self.ui.event(&Event::Unchanged(call.function, &prepared.target));
                done.push(Done { prepared, status: "unchanged", answer: None });
                continue;
            }
            // 5. Policy; what was decided is on record.
            let decided = match self.decide(function, call, args, prepared, cx) {
                Ok(decided) => decided,
                Err(failure) => return self.ended(function, call, started, cx.provenance(), Err(failure)),
            };
            let (prepared, tier, decision) = decided;
            match decision.verdict {
                Verdict::Go => {}
                Verdict::Skip => {
                    done.push(Done { prepared, status: "skipped", answer: None });
                    continue;
                }
                Verdict::No | Verdict::Quit => {
                    let failure = policy::refused(decision, tier, &prepared);
                    return self.ended(function, call, started, cx.provenance(), Err(failure));
                }
            }
            // 6. The intent, durable before anything leaves; then the latch again.
            let kept = |body: &Value| record::kept(&self.journal, &self.masker, body);
            let beside = record::beside(&prepared, &self.journal, &self.masker, self.platform.environment());
            let beside = beside.map_err(|failure| self.tripped(failure))?;
            let intent = record::intent(call, number, of, tier, self.mode, &prepared, &self.masker, &kept, beside);
            self.append(&intent.map_err(|failure| self.tripped(failure))?)?;
            if self.durable {
                self.journal.sync().map_err(|failure| self.tripped(failure))?;
            }
            // 7. Perform, on the platform or in the rehearsal; what was stopped here is on record as not sent.
            let result = self.latch.check().and_then(|()| cx.with(|cx| self.platform.write(&prepared, cx)));
            // 8. Mask what came back.
            self.learn();
            if let Some(answer) = result.as_ref().ok().filter(|_| prepared.write.seals()) {
                self.masker.learn(mask::secrets_in(&answer.value));
            }
            let result = result.map_err(|failure| self.told(failure).on(prepared.target.clone()));
            let result = result.map(|answer| Answer { value: self.masker.value(answer.value), ..answer });
            // 9. The outcome; a call's only write carries the call's answer.
            let change = record::change(call, tier, self.mode, &prepared, &result);
            let status = record::status(self.mode, call.effect, &prepared, &result);
            let happened = self.mode == Mode::Apply && result.as_ref().map_or_else(|failure| failure.sent == Sent::Done, |_| true);
            if let (true, Some(inverse)) = (happened, &prepared.inverse) {
                let (target, write) = (prepared.target.clone(), inverse.clone());
                self.ledger().inverses.push(Inverse { id: call.id.clone(), step: call.step.clone(), target, write });
            }
            let provenance = result.as_ref().map_or(Provenance::Live, |answer| answer.provenance);
            let outcome = result.map(|answer| done.push(Done { prepared, status, answer: Some(answer) }));
            let answer = outcome.map(|()| if of == 1 { self.answer(function, call, args, &done, shape) } else { Value::Null });
            let (answer, bytes) = fitting(answer);
            let answer = answer.map_err(|failure| if happened { failure.done() } else { failure });
            let ending = record::ending(&self.journal, function, self.ms_since(started), provenance, &answer, bytes);
            let recorded = ending
                .map_err(|failure| self.tripped(failure))
                .and_then(|ending| self.append(&record::outcome(call, number, &change, ending)));
            // What was done is told even where it could not be put on record.
            self.changed(call, change);
            recorded?;
            match answer {
                Err(failure) if of == 1 => return Err(self.tripped(failure)),
                Err(failure) => return self.ended(function, call, started, provenance, Err(record::after(failure, &done))),
                Ok(answer) if of == 1 => return Ok(answer),
                Ok(_) => {}
            }
        }
        let answer = self.answer(function, call, args, &done, shape);
        self.ended(function, call, started, cx.provenance(), Ok(answer))
    }

    /// Decides about a write. A question may have stood for long: what changed meanwhile is prepared and asked about anew.
    fn decide(
        &self,
        function: &Function,
        call: &Call,
        args: &Args,
        mut prepared: Prepared,
        cx: &Cx<'_>,
    ) -> Result<(Prepared, Tier, Decision), Failure> {
        loop {
            let tier = Policy::tier(function.spec.tier, option(args, "tier").and_then(Value::as_str), &prepared);
            let decision = self.policy.decide(call, tier, &prepared, &*self.ui);
            if self.policy.asks {
                self.append(&record::decision(call, tier, &prepared, decision))?;
            }
            if decision.verdict != Verdict::Go || !decision.asked {
                return Ok((prepared, tier, decision));
            }
            let now = self.prepare(vec![prepared.write.clone()], cx)?.pop();
            let Some(mut now) = now.filter(|now| now.before != prepared.before) else {
                return Ok((prepared, tier, decision));
            };
            now.remarks.push("this changed while the question stood".to_owned());
            prepared = now;
        }
    }

    /// A change's answer. What a system would have answered in a rehearsal nobody can know.
    fn answer(&self, function: &Function, call: &Call, args: &Args, done: &[Done], shape: Shape) -> Value {
        let unsent = done.iter().find(|done| done.answer.is_some() && !done.prepared.write.is_predictable());
        match (self.mode, unsent) {
            (Mode::Rehearse, Some(unsent)) => option(args, "assume")
                .cloned()
                .unwrap_or_else(|| Value::Unsent(Unsent::new(call.id.clone(), function.spec.name, unsent.prepared.write.assumed()))),
            _ => shape(args, done),
        }
    }

    /// Begins a call whose body is the engine's: the latch, the call, the history.
    pub fn open(&self, function: &'static Function, values: Vec<Value>, at: Position, frame: &Frame) -> Result<Opened, Failure> {
        self.latch.check()?;
        let call = self.describe(function, &values, at, frame)?;
        let started = self.begin(&call);
        let recorded = self.history.take(&call).map_err(|failure| {
            let failure = self.tripped(failure);
            self.latch.place(&call.at);
            failure
        })?;
        Ok(Opened { call, recorded, started })
    }

    /// Ends a call that was opened: its line, its event.
    pub fn close(
        &self,
        function: &'static Function,
        call: &Call,
        started: Duration,
        result: Result<Value, Failure>,
    ) -> Result<Value, Failure> {
        // What closures answer holds what the script itself holds.
        let result = result.map(|value| self.masker.value(value));
        let result = self.ended(function, call, started, Provenance::Live, result);
        self.finish(call, started, result)
    }

    /// Says what an opened call is waiting for.
    pub fn waiting(&self, call: &Call, what: &str, started: Duration) {
        let waited = self.platform.clock().elapsed().saturating_sub(started);
        self.ui.event(&Event::Waiting(call, &self.masker.text(what.to_owned()), waited));
    }

    /// Takes back the changes of a step, by its number, by their recorded inverses, newest first, through all of the pipeline.
    pub fn revert(&self, step: u32, at: &Position, frame: &Frame) -> Result<(), Failure> {
        let inverses = std::mem::take(&mut self.ledger().inverses);
        let (own, others): (Vec<_>, Vec<_>) =
            inverses.into_iter().partition(|inverse| inverse.step.as_ref().is_some_and(|own| own.number == step));
        self.ledger().inverses = others;
        own.into_iter().rev().try_for_each(|inverse| self.take_back(inverse, at, frame, &mut |_, _| Ok(())).map(|_| ()))
    }

    /// Takes one change back by its recorded inverse, through all of the pipeline. `look` sees it prepared, with its tier,
    /// before the policy decides; its failure ends the call.
    pub fn take_back(
        &self,
        inverse: Inverse,
        at: &Position,
        frame: &Frame,
        look: &mut dyn FnMut(&mut Prepared, Tier) -> Result<(), Failure>,
    ) -> Result<Value, Failure> {
        self.latch.check()?;
        let values = vec![Value::from(inverse.target)];
        let call = Call { step: inverse.step.clone(), ..self.describe(&record::ROLLBACK, &values, at.clone(), frame)? };
        let started = self.begin(&call);
        let cx = Cx::new(self, &call, started);
        let prepared = self.bind(&record::ROLLBACK, &call, values).and_then(|args| {
            let mut prepared = self.prepare(vec![inverse.write], &cx)?;
            for one in &mut prepared {
                // What a database held comes from nobody's script, and is shown to nobody.
                if let Some(shaped) = content::shaped(&one.write) {
                    one.equivalent = self.masker.text(equivalent::of(&shaped, self.platform.environment()));
                }
                let tier = Policy::tier(record::ROLLBACK.spec.tier, None, one);
                look(one, tier)?;
            }
            Ok((args, prepared))
        });
        let result = match prepared {
            Ok((args, prepared)) => self.write(&record::ROLLBACK, &call, &args, prepared, record::reverted, &cx, started),
            Err(failure) => self.ended(&record::ROLLBACK, &call, started, cx.provenance(), Err(failure)),
        };
        let mut ledger = self.ledger();
        // What takes back a taking back would only do it again.
        ledger.inverses.retain(|other| other.id != call.id);
        let done = |value: &Value| matches!(value.str_at(&["status"]), Some("changed" | "unchanged"));
        if result.as_ref().is_ok_and(done) {
            ledger.reverted.insert(inverse.id);
        }
        drop(ledger);
        self.finish(&call, started, result)
    }

    fn describe(&self, function: &'static Function, values: &[Value], at: Position, frame: &Frame) -> Result<Call, Failure> {
        let spec = &function.spec;
        let targeted = spec.params.first().is_some_and(|param| param.ty.is_target());
        let target = values.first().filter(|_| targeted).and_then(Value::as_str).map(str::to_owned);
        let of_secret = target.as_deref().is_some_and(is_secret);
        // What is shown or sent may hold personal data: its shape is on record, and what is sent stands beside the journal.
        let noted = |ty: Option<&Type>, value: &Value| match ty {
            Some(Type::Body | Type::Values) => record::kept(&self.journal, &self.masker, value),
            Some(ty @ (Type::Command | Type::Words)) => {
                content::argument(ty, value, &|data| record::kept(&self.journal, &self.masker, data)).map(|value| self.masker.value(value))
            }
            Some(ty) if ty.is_content() => Ok(journal::shape(value).into()),
            // As is what a Kubernetes secret is to hold.
            Some(Type::Patch) if of_secret => Ok(journal::shape(value).into()),
            _ => Ok(self.masker.value(escaped(value).into_owned())),
        };
        let sends = spec.options.iter().any(|option| matches!(option.ty, Type::Body | Type::Values));
        let mut args = Vec::with_capacity(values.len());
        for (number, value) in values.iter().enumerate() {
            args.push(match value {
                Value::Map(options) if sends && number + 1 == values.len() && spec.has_options(values) => {
                    let ty = |key: &str| spec.options.iter().find(|option| option.name == key).map(|option| &option.ty);
                    let options = options.iter().map(|(key, value)| Ok((key.clone(), noted(ty(key), value)?)));
                    options.collect::<Result<_, _>>().map(|options| self.masker.value(Value::Map(options)))
                }
                value => noted(spec.params.get(number).map(|param| &param.ty), value),
            });
        }
        let args = args.into_iter().collect::<Result<Vec<_>, _>>().map_err(|failure| self.tripped(failure))?;
        Ok(Call {
            id: frame.next_id(),
            step: frame.step(),
            function: spec.name,
            target: target.map(|target| self.masker.text(target)),
            effect: function.effect(),
            args: Value::List(args),
            at,
        })
    }

    /// Checks the arguments. An unsent answer may only be shown; a masked text may not go into a change, and a secret
    /// not into a message.
    fn bind(&self, function: &'static Function, call: &Call, values: Vec<Value>) -> Result<Args, Failure> {
        let takes_any = |number: usize| function.spec.params.get(number).is_some_and(|param| param.ty == Type::Any);
        for (number, value) in values.iter().enumerate() {
            if let Some(Value::Unsent(unsent)) = value.find(&|item| matches!(item, Value::Unsent(_)))
                && !takes_any(number)
            {
                let failure = unknowable(unsent, &format!("passed to `{}`", call.function));
                self.latch.trip(failure.clone());
                return Err(failure);
            }
            let masked = |item: &Value| mask::holds(item, &|text| text.contains(MASK));
            if call.effect == Effect::Change && value.find(&masked).is_some() {
                let message = format!("an argument of `{}` holds `{MASK}`, the mask of a secret", call.function);
                let hint = "the change would write the mask; pass the secret itself, or the value it was read from";
                return Err(Failure::bad_argument(message).hint(hint));
            }
        }
        if call.effect == Effect::Notify
            && let Some(Value::Secret(secret)) = values.iter().find_map(|value| value.find(&|item| matches!(item, Value::Secret(_))))
        {
            return Err(Failure::bad_argument(format!("an argument of `{}` is the secret {}", call.function, secret.name()))
                .hint("messages are kept and read by many: name the secret, leave its content out"));
        }
        match function.body {
            Body::Notify(..) | Body::Output(_) => function.spec.bind(values.into_iter().map(|value| self.masker.value(value)).collect()),
            _ => function.spec.bind(values),
        }
    }

    /// A recorded call: its answer, its changes, and what it had to say, without touching anything.
    fn replay(
        &self,
        function: &'static Function,
        call: &Call,
        values: Vec<Value>,
        recorded: Recorded,
        started: Duration,
    ) -> Result<Value, Failure> {
        for change in recorded.changes {
            self.changed(call, change);
        }
        let args = self.bind(function, call, values);
        if let (Body::Output(run), Ok(args)) = (function.body, &args) {
            let cx = Cx::new(self, call, started);
            let _ = run(args, &cx);
        }
        let result = match function.body {
            // What is computed is computed again, of what is on record: a copy of it would only spread what it holds.
            Body::Pure(compute) if recorded.result.is_ok() => args.and_then(|args| self.computed(compute, &args)),
            _ => recorded.result,
        };
        self.ended(function, call, started, Provenance::Recorded, result)
    }

    /// What a system has said, masked; a command line in its hint says which cluster, lest it be pasted to another.
    pub(super) fn told(&self, failure: Failure) -> Failure {
        let failure = self.masker.told(failure);
        let Some(context) = &self.platform.environment().context else { return failure };
        let aimed = format!("`kubectl --context={} ", equivalent::quote(context));
        let hint = failure.hint.map(|hint| if hint.contains("--context") { hint } else { hint.replace("`kubectl ", &aimed) });
        Failure { hint, ..failure }
    }

    /// Computes. What was hidden in another spelling may be known for a secret only now.
    fn computed(&self, compute: fn(&Args) -> Result<Value, Failure>, args: &Args) -> Result<Value, Failure> {
        compute(args).map(|value| self.masker.value(value)).map_err(|failure| self.masker.told(failure))
    }

    /// Puts a call's end on record; the failures that end the run trip the latch.
    fn ended(
        &self,
        function: &'static Function,
        call: &Call,
        started: Duration,
        provenance: Provenance,
        result: Result<Value, Failure>,
    ) -> Result<Value, Failure> {
        let (result, bytes) = fitting(result);
        // What an argument was refused with names it.
        let result = result.map_err(|failure| self.masker.failure(failure)).map_err(|failure| match &call.target {
            Some(target) => failure.on(target.clone()),
            None => failure,
        });
        if provenance == Provenance::Stale {
            self.ledger().stale += 1;
        }
        let ending = record::ending(&self.journal, function, self.ms_since(started), provenance, &result, bytes);
        let line = record::call(call, ending.map_err(|failure| self.tripped(failure))?);
        self.append(&Entry::Call(line))?;
        result.map_err(|failure| self.tripped(failure))
    }

    /// Learns the secrets that were opened meanwhile, before anything that came in is shown.
    pub(super) fn learn(&self) {
        self.masker.learn_from(|| self.platform.new_secrets());
    }

    fn ms_since(&self, started: Duration) -> f64 {
        record::millis(self.platform.clock().elapsed().saturating_sub(started))
    }

    fn begin(&self, call: &Call) -> Duration {
        let started = self.platform.clock().elapsed();
        self.ledger().calls += 1;
        self.ui.event(&Event::CallStarted(call));
        started
    }

    fn finish(&self, call: &Call, started: Duration, result: Result<Value, Failure>) -> Result<Value, Failure> {
        let elapsed = self.platform.clock().elapsed().saturating_sub(started);
        if result.is_err() {
            self.latch.place(&call.at);
        }
        self.ui.event(&Event::CallEnded(call, result.as_ref().err(), elapsed));
        result
    }

    fn changed(&self, call: &Call, change: Change) {
        if let Some(refusal) = &change.refusal {
            self.finding(call, Found::Refused, format!("{}: {refusal}", change.target));
        }
        // What the server would not have now, and may have by then.
        let unproven = change.validated == Some(false) && change.refusal.is_none();
        for remark in &change.remarks {
            self.finding(call, if unproven { Found::Unproven } else { Found::Remark }, remark.clone());
        }
        self.ui.event(&Event::Change(&change));
        self.ledger().changes.push(change);
    }

    /// Puts a finding on record.
    pub fn finding(&self, call: &Call, sort: Found, message: String) {
        self.found(sort, call.id.clone(), &call.at, message);
    }

    /// Puts on record what a person should know of something that is no call.
    pub fn remark(&self, frame: &Frame, at: &Position, message: String) {
        self.found(Found::Remark, frame.last_id(), at, message);
    }

    fn found(&self, sort: Found, id: CallId, at: &Position, message: String) {
        let message = self.masker.text(message);
        let finding = Finding { finding: sort, id, message, file: at.file.to_string(), line: at.line };
        let line = entry::Finding {
            finding: sort.name().into(),
            id: finding.id.clone(),
            message: Cow::Borrowed(&finding.message),
            file: Cow::Borrowed(&finding.file),
            line: finding.line,
        };
        let _ = self.append(&Entry::Finding(line));
        self.ui.event(&Event::Finding(&finding));
        self.ledger().findings.push(finding);
    }

    /// Appends a line; a journal that cannot be written trips the latch.
    pub fn append(&self, entry: &Entry<'_>) -> Result<(), Failure> {
        self.journal.append(self.platform.clock().now(), entry).map_err(|failure| self.tripped(failure))
    }

    /// What the run adds up to so far.
    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tripped(&self, failure: Failure) -> Failure {
        if failure.kind.latches() {
            self.latch.trip(failure.clone());
        }
        failure
    }
}

/// An answer that a script may hold, with the size of its JSON in bytes.
fn fitting(answer: Result<Value, Failure>) -> (Result<Value, Failure>, usize) {
    let bytes = answer.as_ref().map_or(0, record::about_bytes);
    let answer = match answer {
        Ok(_) if bytes > MOST_BYTES => Err(Failure::new(Kind::TooLarge, "the answer is larger than 8 MiB")
            .hint("ask for less: `limit`, `tail`, `grep`, a count, a selector")),
        Ok(value) if value.is_deeper(DEEPEST) => Err(too_deep("the answer")),
        other => other,
    };
    (answer, bytes)
}

/// The failure of a value that could be written to the journal and not be read again.
fn too_deep(what: &str) -> Failure {
    Failure::new(Kind::TooLarge, format!("{what} has more than {DEEPEST} arrays or maps in one another"))
}

/// Whether a target is a Kubernetes secret, or secrets.
fn is_secret(target: &str) -> bool {
    matches!(Target::parse(target), Ok(Target::Object(kind, _) | Target::Selector(kind, _)) if kind.singular == "secret")
}

/// An option, where the function has one of that name.
fn option<'a>(args: &'a Args, key: &str) -> Option<&'a Value> {
    args.spec().options.iter().any(|option| option.name == key).then(|| args.option(key)).flatten()
}

/// Names that are never masked: those of the configuration.
pub fn public_names(config: &Config) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = config.services.keys().cloned().collect();
    for (name, environment) in &config.environments {
        names.insert(name.clone());
        names.insert(environment.namespace.clone());
        names.extend(environment.databases.keys().chain(environment.channels.keys()).cloned());
    }
    names
}

/// The failure of a script that goes on with an answer that nobody has. It ends the run.
pub fn unknowable(unsent: &Unsent, what: &str) -> Failure {
    let Unsent { call, function, .. } = unsent;
    Failure::new(Kind::Failed, format!("the answer of `{function}` (call {call}) was {what}, but the rehearsal did not send that call"))
        .hint(format!("say what to go on with: `{function}(…, #{{ assume: #{{ … }} }})`"))
        .sent(Sent::No)
}
