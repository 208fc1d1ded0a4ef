//! What a host function's body works with: reads, waits, the configuration, the person. No writes.

use std::borrow::Cow;
use std::cell::Cell;
use std::time::Duration;

use super::ledger::Found;
use super::mask::{seal_kubernetes, secrets_in};
use super::pipeline::{Mode, Pipeline};
use super::ui::Ui;
use crate::config::{Config, Environment};
use crate::journal::entry::{self, Entry};
use crate::model::spec::Args;
use crate::model::{Call, Failure, Kind, Provenance, Read, Tier, Value, duration};
use crate::platform::{self, Clock};

/// One call's view of the run.
pub struct Cx<'a> {
    pipeline: &'a Pipeline,
    call: &'a Call,
    started: Duration,
    /// The call's own `timeout`, if it has one.
    timeout: Option<Duration>,
    provenance: Cell<Provenance>,
}

/// What a look at something awaited found.
pub enum Look {
    /// It holds; this is the call's answer.
    Done(Value),
    /// Not yet; this is what is missing.
    Pending(String),
}

impl<'a> Cx<'a> {
    pub(super) fn new(pipeline: &'a Pipeline, call: &'a Call, started: Duration) -> Self {
        Self { pipeline, call, started, timeout: None, provenance: Cell::default() }
    }

    /// Lets no look-up last longer than the call may.
    pub(super) fn within(self, args: &Args) -> Self {
        Self { timeout: args.timeout(), ..self }
    }

    /// Performs one read; the answer is masked.
    pub fn read(&self, op: &Read) -> Result<Value, Failure> {
        self.pipeline.latch.check()?;
        let answer = self.with(|cx| self.pipeline.platform.read(op, cx));
        self.taken(op, answer)
    }

    /// Performs many reads, at the same time where the platform can; answers in the order of the reads.
    pub fn read_all(&self, ops: &[Read]) -> Result<Vec<Result<Value, Failure>>, Failure> {
        self.pipeline.latch.check()?;
        let answers = self.with(|cx| self.pipeline.platform.read_all(ops, cx));
        Ok(ops.iter().zip(answers).map(|(op, answer)| self.taken(op, answer)).collect())
    }

    /// Masks what came in, once: the script and the journal share the masked value.
    fn taken(&self, op: &Read, answer: Result<crate::model::Answer, Failure>) -> Result<Value, Failure> {
        self.pipeline.learn();
        let mut answer = answer.map_err(|failure| self.pipeline.told(failure))?;
        self.rests_on(answer.provenance);
        let secret = match op {
            Read::Object(object) => object.kind.singular == "secret",
            Read::Objects(selection) => selection.kind.singular == "secret",
            _ => false,
        };
        if matches!(op, Read::Variable { .. } | Read::File(_)) {
            self.pipeline.masker.learn(secrets_in(&answer.value));
        }
        if secret {
            self.pipeline.masker.learn(seal_kubernetes(&mut answer.value));
        }
        if op.seals() {
            self.pipeline.masker.learn(secrets_in(&answer.value));
        }
        Ok(self.pipeline.masker.value(answer.value))
    }

    /// Looks until it holds, or the timeout has passed; `interval` says how long to wait before the next look.
    /// In a rehearsal waits take no time: one look, and what does not hold is listed as unproven and passed.
    pub fn wait(
        &self,
        what: &str,
        timeout: Duration,
        mut interval: impl FnMut() -> Duration,
        mut look: impl FnMut() -> Result<Look, Failure>,
    ) -> Result<Value, Failure> {
        let started = self.clock().elapsed();
        loop {
            let missing = match look()? {
                Look::Done(value) => return Ok(value),
                Look::Pending(missing) => missing,
            };
            if self.rehearsing() {
                self.finding(Found::Unproven, format!("{what} is not yet so ({missing}); a rehearsal does not wait"));
                return Ok(Value::Null);
            }
            let waited = self.clock().elapsed().saturating_sub(started);
            if waited >= timeout {
                let message = format!("{what} not within {}: {missing}", duration::show(timeout));
                return Err(Failure::new(Kind::Timeout, message));
            }
            self.progress(&missing);
            self.clock().sleep(interval().min(timeout - waited), self.pipeline.latch.cancel())?;
        }
    }

    /// Lets time pass; none in a rehearsal, none to wait for in a world.
    pub fn sleep(&self, duration: Duration) -> Result<(), Failure> {
        self.clock().sleep(duration, self.pipeline.latch.cancel())
    }

    /// Says what the call is waiting for.
    pub fn progress(&self, text: &str) {
        self.pipeline.waiting(self.call, text, self.started);
    }

    /// Puts something that a person should know on record.
    pub fn finding(&self, sort: Found, message: String) {
        self.pipeline.finding(self.call, sort, message);
    }

    /// Whether nothing is really changed.
    pub fn rehearsing(&self) -> bool {
        self.pipeline.mode == Mode::Rehearse
    }

    /// How many changes have been simulated or done before this call.
    pub fn changes_so_far(&self) -> usize {
        self.pipeline.ledger().changes.len()
    }

    /// How many answers since the last decision may have been altered by a simulated change; resets the count.
    pub fn take_stale(&self) -> u64 {
        std::mem::take(&mut self.pipeline.ledger().stale)
    }

    /// Ends the run: no script can go on after this.
    pub fn stop(&self, failure: Failure) {
        self.pipeline.latch.trip(failure);
    }

    /// The call.
    pub fn call(&self) -> &Call {
        self.call
    }

    /// The run's id.
    pub fn run_id(&self) -> &str {
        self.pipeline.journal.run_id()
    }

    /// `real`, `world:FILE` or `replay:RUN`.
    pub fn platform_name(&self) -> &str {
        &self.pipeline.platform_name
    }

    /// The clock that scripts go by.
    pub fn clock(&self) -> &dyn Clock {
        self.pipeline.platform.clock()
    }

    /// The environment.
    pub fn environment(&self) -> &Environment {
        self.pipeline.platform.environment()
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.pipeline.config
    }

    /// The person's side.
    pub fn ui(&self) -> &dyn Ui {
        &*self.pipeline.ui
    }

    /// An answer given beforehand on the command line (`--answer ID=VALUE`).
    pub fn given_answer(&self, id: &str) -> Option<&str> {
        self.pipeline.answers.get(id)
    }

    /// Puts a person's answer on record: to what, which it was, and by whom.
    pub fn decided(&self, target: &str, decision: &'static str, by: &str) -> Result<(), Failure> {
        self.pipeline.append(&Entry::Decision(entry::Decision {
            id: self.call.id.clone(),
            function: Cow::Borrowed(self.call.function),
            target: Cow::Owned(self.masked(target.to_owned())),
            tier: Tier::Mild,
            decision: Cow::Borrowed(decision),
            by: Cow::Borrowed(by),
        }))
    }

    /// A text of a person, masked like one of a system.
    pub fn masked(&self, text: String) -> String {
        self.pipeline.masker.text(text)
    }

    /// Notes where something that the answer rests on came from.
    pub(super) fn rests_on(&self, provenance: Provenance) {
        self.provenance.set(self.provenance.get().max(provenance));
    }

    pub(super) fn provenance(&self) -> Provenance {
        self.provenance.get()
    }

    /// Has the platform do something: with a way to be cancelled, to say what it waits for, and to mask what it writes to files.
    pub(super) fn with<T>(&self, work: impl FnOnce(&platform::Cx<'_>) -> T) -> T {
        let progress = |text: &str| self.progress(text);
        let mask = |text: String| {
            self.pipeline.learn();
            self.pipeline.masker.text(text)
        };
        let patience = self.timeout.unwrap_or(Duration::MAX);
        work(&platform::Cx { cancel: self.pipeline.latch.cancel(), progress: &progress, mask: &mask, patience })
    }
}
