//! A sitting: inputs that are run as they are typed, in one run with its journal.

pub mod items;
pub mod names;
pub mod save;
pub mod scan;
mod state;
mod undo;
pub mod walk;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use rhai::{AST, Dynamic, EvalAltResult};

use super::{Request, Stage, Summary, batch, rollback, setup};
use crate::call::pipeline::Mode;
use crate::call::ui::Event;
use crate::call::{Latch, Ui};
use crate::config::Config;
use crate::engine::{self, Diagnostic, Shared, convert};
use crate::journal::entry::{self, Entry};
use crate::model::{Failure, Map, Value, suggest};

use names::Names;
use save::{Became, Said};
use scan::Scan;
use state::State;

/// What an input came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It has a value, which is `_` now; rows of databases are in it by shape.
    Value {
        /// The value as it may be shown.
        shown: Value,
        /// Whether something of it is shown by shape only.
        hidden: bool,
    },
    /// It went through, and there is nothing to show.
    Nothing,
    /// It failed; the diagnostic was shown.
    Failed(Failure),
}

/// Where the sitting stands, for the prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The environment's name, or `world:NAME`.
    pub name: String,
    /// Whether the environment is protected and its changes are real.
    pub guarded: bool,
    /// Whether changes are only predicted.
    pub dry_run: bool,
    /// The simulated time since the world began.
    pub world_time: Option<Duration>,
    /// Whether the record is lost, so that nothing more can be done.
    pub lost: bool,
}

/// A sitting: one run at a time, each with its own scope and journal.
pub struct Session {
    request: Request,
    config: Arc<Config>,
    ui: Arc<dyn Ui>,
    latch: Arc<Latch>,
    shared: Arc<Shared>,
    state: State,
    names: Names,
    inputs: u32,
    failed: Option<Failure>,
    said: Vec<Said>,
    somebody: bool,
}

impl Session {
    /// Begins a sitting; `somebody` says whether a person is there to answer. The error is what kept it from beginning:
    /// then there is no journal.
    pub fn begin(request: Request, config: Arc<Config>, ui: Arc<dyn Ui>, latch: Arc<Latch>, somebody: bool) -> Result<Session, Failure> {
        let shared = open(&request, &config, &ui, &latch)?;
        let state = State::new(&shared, &config.root);
        let names = Names::new(shared.clone());
        Ok(Session { request, config, ui, latch, shared, state, names, inputs: 0, failed: None, said: Vec::new(), somebody })
    }

    /// Runs an input; what it declares stays, unless it fails.
    pub fn input(&mut self, text: &str) -> Outcome {
        self.inputs += 1;
        let name = format!("input {}", self.inputs);
        let mark = self.state.mark();
        self.shared.pipeline.policy.forget();
        let stale = self.shared.pipeline.ledger().stale;
        // What can be taken back is what this input did.
        self.shared.rollbacks.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let result = match (self.record(text), self.state.compile(&name, text)) {
            (Err(failure), _) => Err(Diagnostic::at(failure, Default::default())),
            (_, Err(diagnostic)) => Err(diagnostic),
            (_, Ok(ast)) => {
                self.state.add_functions(&ast);
                self.evaluate(&ast, &name, ast.statements())
            }
        };
        if result.is_err() {
            self.state.rewind(&mark);
        }
        self.names.outdated();
        if self.shared.pipeline.ledger().stale > stale {
            self.ui.event(&Event::Note("stale: this was read from what is there, which the simulated changes would have altered"));
        }
        let outcome = self.conclude(result);
        self.remember(
            text,
            match &outcome {
                Outcome::Value { .. } => Became::Value,
                Outcome::Nothing => Became::Done,
                Outcome::Failed(failure) => Became::Failed(failure.kind),
            },
        );
        outcome
    }

    fn record(&self, text: &str) -> Result<(), Failure> {
        self.record_with(text, BTreeMap::new())
    }

    fn record_with(&self, text: &str, sources: BTreeMap<String, String>) -> Result<(), Failure> {
        let text = Cow::Owned(self.shared.pipeline.masker.text(text.to_owned()));
        self.shared.pipeline.append(&Entry::Input(entry::Input { input: self.inputs, text, sources }))
    }

    fn remember(&mut self, text: &str, became: Became) {
        self.said.push(Said { text: text.to_owned(), params: self.shared.params(), became });
    }

    fn evaluate(&mut self, ast: &AST, name: &str, statements: &[rhai::Stmt]) -> Result<Dynamic, Diagnostic> {
        let state = &mut self.state;
        engine::settled(&self.shared, guarded(|| state.run(ast, statements)), &|error| Diagnostic::of_error(error, name))
    }

    /// Shows how an input failed and offers what can be taken back; the latch is open again after it.
    fn conclude(&mut self, result: Result<Dynamic, Diagnostic>) -> Outcome {
        let outcome = match result {
            Ok(value) if value.is_unit() => Outcome::Nothing,
            Ok(value) => {
                let outcome = Outcome::Value { shown: self.printed(&value), hidden: convert::holds_rows(&value) };
                self.state.set_last(value);
                outcome
            }
            Err(diagnostic) => Outcome::Failed(self.fail(diagnostic)),
        };
        // A person looks at the screen and thinks: what was done until now is in the file meanwhile.
        let _ = self.shared.pipeline.journal.flush();
        outcome
    }

    fn fail(&mut self, diagnostic: Diagnostic) -> Failure {
        let failure = self.fail_without_offer(diagnostic);
        self.offer_rollbacks();
        failure
    }

    /// Offers what the steps that ran can take back.
    fn offer_rollbacks(&mut self) {
        if self.latch.reopen().is_ok() && self.shared.pipeline.mode == Mode::Apply {
            if let Err(failure) = rollback::offer(self.state.engine(), &self.shared) {
                self.ui.event(&Event::Note(&format!("the rollback failed: {}", failure.message)));
            }
            let _ = self.latch.reopen();
        }
    }

    fn fail_without_offer(&mut self, mut diagnostic: Diagnostic) -> Failure {
        self.point_to_variable(&mut diagnostic);
        diagnostic.failure = self.shared.pipeline.masker.failure(diagnostic.failure);
        let failure = diagnostic.failure.clone();
        // The input's own line may hold a secret too.
        let masker = &self.shared.pipeline.masker;
        self.ui.event(&Event::Failed(&|colour| masker.text(diagnostic.render(&|name| self.state.source(name), colour))));
        self.failed = Some(failure.clone());
        failure
    }

    fn point_to_variable(&self, diagnostic: &mut Diagnostic) {
        let unknown = diagnostic.failure.message.strip_prefix("unknown variable `").and_then(|rest| rest.strip_suffix('`'));
        if let Some(name) = unknown
            && let Some(near) = suggest::nearest(name, self.state.variables().iter().map(String::as_str))
        {
            diagnostic.failure.hint = Some(format!("did you mean `{near}`?"));
        }
    }

    /// Takes note of a failure that belongs to no place in an input, and shows it.
    pub fn failed(&mut self, failure: &Failure) {
        self.show_failure(failure);
        self.failed = Some(failure.clone());
    }

    /// Takes note of a script that could not begin, and shows why.
    pub fn refused(&mut self, diagnostic: Diagnostic) {
        self.fail_without_offer(diagnostic);
    }

    /// Takes back an interruption that came when nothing ran any more, or the next input would be stopped by it.
    pub fn calm(&mut self) {
        // A lost record stays lost.
        let _ = self.latch.reopen();
    }

    /// Whether more must follow before an input can be run.
    pub fn wants_more(&self, text: &str) -> bool {
        if Scan::new(text).is_open() {
            return true;
        }
        let last = text.trim_end();
        // An empty line says that this is all there is.
        if last.is_empty() || text[last.len()..].contains('\n') {
            return false;
        }
        self.state.parse(text).is_err_and(|error| {
            let lines = text.split('\n').count();
            let column = text.rsplit('\n').next().unwrap_or_default().chars().count();
            let at = error.position();
            let unexpected_end = matches!(error.err_type(), rhai::ParseErrorType::UnexpectedEOF);
            unexpected_end || at.line().is_some_and(|line| line > lines || line == lines && at.position().unwrap_or(0) > column)
        })
    }

    /// Where the sitting stands.
    pub fn place(&self) -> Place {
        let pipeline = &self.shared.pipeline;
        let world = pipeline.platform_name.strip_prefix("world");
        let name = match world {
            Some("") => "world".to_owned(),
            Some(file) => {
                let stem = std::path::Path::new(file.trim_start_matches(':')).file_stem();
                format!("world:{}", stem.map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default())
            }
            None => pipeline.platform.environment().name.clone(),
        };
        let dry_run = pipeline.mode == Mode::Rehearse;
        Place {
            name,
            guarded: world.is_none() && !dry_run && pipeline.platform.environment().protected,
            dry_run,
            world_time: world.map(|_| pipeline.platform.clock().elapsed()),
            lost: self.latch.check().is_err(),
        }
    }

    /// The last value in full, as it may be shown.
    pub fn last(&self) -> Value {
        self.printed(&self.state.last())
    }

    /// A value as it may be shown.
    fn printed(&self, value: &Dynamic) -> Value {
        self.shared.pipeline.masker.value(convert::to_printed(value))
    }

    /// What the run's calls share.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Whether a text holds a secret that is known by now.
    pub fn holds_secret(&self, text: &str) -> bool {
        self.shared.pipeline.masker.text(text.to_owned()) != text
    }

    /// The names of variables and constants.
    pub fn variables(&self) -> Vec<String> {
        self.state.variables()
    }

    /// The keys of the map at a path such as `before.spec`.
    pub fn keys(&self, path: &[&str]) -> Vec<String> {
        self.state.keys(path)
    }

    /// The sitting's own functions, as they are called.
    pub fn functions(&self) -> Vec<String> {
        self.state.functions()
    }

    /// The aliases of imports with their functions.
    pub fn imports(&self) -> Vec<(String, Vec<String>)> {
        self.state.imports()
    }

    /// The names on the platform.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// Begins anew, in another environment or mode: a fresh scope, a new run. The old run ends only once the new one is open.
    pub fn switch(&mut self, environment: Option<String>, dry_run: Option<bool>) -> Result<Summary, Failure> {
        let mut request = self.request.clone();
        request.environment = environment.or(request.environment);
        request.dry_run = dry_run.unwrap_or(request.dry_run);
        // Where the record is lost another would hardly be kept, and what is latched stays so.
        self.latch.check()?;
        let shared = open(&request, &self.config, &self.ui, &self.latch)?;
        let summary = self.end();
        self.state = State::new(&shared, &self.config.root);
        self.names = Names::new(shared.clone());
        (self.request, self.shared, self.inputs, self.failed) = (request, shared, 0, None);
        self.said.clear();
        Ok(summary)
    }

    /// Ends the run: its footer, and what it came to.
    pub fn end(&mut self) -> Summary {
        batch::finish(&self.shared, None, None).summary
    }

    /// Ends a run that must not go on after a failure, with that failure.
    pub fn end_failed(&mut self) -> Summary {
        let diagnostic = self.failed.take().map(|failure| Diagnostic::at(failure, Default::default()));
        batch::finish(&self.shared, None, diagnostic).summary
    }

    /// The journal's file.
    pub fn journal(&self) -> PathBuf {
        self.shared.pipeline.journal.path().to_owned()
    }

    /// Whether nothing real can change.
    pub fn is_safe(&self) -> bool {
        self.request.stage != Stage::Real || self.request.dry_run
    }
}

/// An evaluation that panics is an error like others: the sitting goes on.
fn guarded<T>(evaluate: impl FnOnce() -> Result<T, Box<EvalAltResult>>) -> Result<T, Box<EvalAltResult>> {
    catch_unwind(AssertUnwindSafe(evaluate)).unwrap_or_else(|_| Err("it panicked; this is a fault of runbook itself".into()))
}

fn open(request: &Request, config: &Arc<Config>, ui: &Arc<dyn Ui>, latch: &Arc<Latch>) -> Result<Arc<Shared>, Failure> {
    let staged = setup::stage(request, config, latch)?;
    let none = Value::Map(Map::new());
    let pipeline = setup::pipeline(request, config.clone(), staged, None, &none, ui.clone(), latch.clone())?;
    Ok(Shared::new(pipeline, none))
}

#[cfg(test)]
mod tests;
