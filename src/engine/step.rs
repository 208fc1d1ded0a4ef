//! `step "…" #{ … }? { … } rollback { … }?`

use std::borrow::Cow;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use rhai::{
    Dynamic, Engine, EvalAltResult, EvalContext, Expression, FnPtr, GlobalRuntimeState, ImmutableString, NativeCallContext, ParseError,
};

use super::failure::{self, thrown};
use super::flow::snapshot;
use super::steps::Choice;
use super::{Shared, convert};
use crate::call::Frame;
use crate::call::ui::Event;
use crate::journal::entry::{self, Entry, StepState};
use crate::model::spec::{Opt, Type};
use crate::model::{Failure, InStep, Position, Value};

/// The options of a step, for messages and the reference.
pub const OPTIONS: &[Opt] = &[
    Opt {
        name: "on_error",
        ty: Type::Choice(&["stop", "continue"]),
        default: "\"stop\"",
        help: "`continue` goes on after a failure; the run still ends with exit code 1",
    },
    Opt {
        name: "rollback",
        ty: Type::Choice(&["offer", "never"]),
        default: "\"offer\"",
        help: "`never` takes nothing back when the run fails: what a quarantine wants",
    },
];

/// What can take a step back.
pub struct Rollback {
    /// The step.
    pub step: InStep,
    /// Where the step stands.
    pub at: Position,
    /// The script's own block; without one the recorded inverses of the step's changes serve.
    pub block: Option<FnPtr>,
    /// What the block runs in.
    pub global: GlobalRuntimeState,
    /// Whether the step failed. It has unless it came to its end: a panic tells nobody.
    pub failed: bool,
}

/// Registers the syntax.
pub fn register(engine: &mut Engine, shared: &Arc<Shared>) {
    let shared = shared.clone();
    engine.register_custom_syntax_with_state_raw("step", parse, false, move |ctx, inputs, state| run(&shared, ctx, inputs, state));
}

/// What comes next in the syntax; the state remembers which of the optional parts are there (1: options, 2: rollback).
pub(super) fn parse(symbols: &[ImmutableString], ahead: &str, state: &mut Dynamic) -> Result<Option<ImmutableString>, ParseError> {
    let last = symbols.last().map_or("", ImmutableString::as_str);
    let flags = state.as_int().unwrap_or(0);
    Ok(match (last, symbols.len()) {
        ("step", 1) => Some("$expr$".into()),
        ("$expr$", 2) if ahead == "#{" => {
            *state = (flags | 1).into();
            Some("$expr$".into())
        }
        ("$expr$", _) => Some("$block$".into()),
        ("$block$", _) if ahead == "rollback" => {
            *state = (flags | 2).into();
            Some("rollback".into())
        }
        ("rollback", _) => Some("$func$".into()),
        _ => None,
    })
}

struct Options {
    goes_on: bool,
    never: bool,
}

fn run(
    shared: &Shared,
    ctx: &mut EvalContext<'_, '_, '_, '_, '_, '_>,
    inputs: &[Expression<'_>],
    state: &Dynamic,
) -> Result<Dynamic, Box<EvalAltResult>> {
    let flags = state.as_int().unwrap_or(0);
    let place = inputs[0].position();
    let number = |n: Option<usize>| n.and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
    let at = Position { file: ctx.source().unwrap_or_default().into(), line: number(place.line()), column: number(place.position()) };
    let given = ctx.eval_expression_tree(&inputs[0])?;
    let title: Arc<str> = match given.clone().into_immutable_string() {
        Ok(title) => shared.pipeline.masker.text(title.into_owned()).into(),
        Err(_) => return Err(thrown(&wrong_title(convert::kind(&given)), Some(&at))),
    };
    let (options, body, rollback) = match (flags & 1 != 0, inputs) {
        (true, [_, options, body, rest @ ..]) => (Some(options), body, rest.first()),
        (_, [_, body, rest @ ..]) => (None, body, rest.first()),
        _ => return Ok(Dynamic::UNIT),
    };
    let options = match options {
        Some(options) => checked(convert::to_value(&ctx.eval_expression_tree(options)?)).map_err(|failure| thrown(&failure, Some(&at)))?,
        None => Options { goes_on: false, never: false },
    };
    let pipeline = &shared.pipeline;
    match shared.gate.pass(&title, &at, &*pipeline.ui, &pipeline.platform.environment().name) {
        Ok(Choice::Run) => {}
        Ok(Choice::Skip(by)) => {
            shared.step_line(&title, StepState::Skipped, &at, None, Some(by)).map_err(|failure| thrown(&failure, Some(&at)))?;
            return Ok(Dynamic::UNIT);
        }
        Err(failure) => {
            pipeline.latch.trip(failure.clone());
            pipeline.latch.place(&at);
            return Err(thrown(&failure, Some(&at)));
        }
    }
    let block = match rollback {
        Some(block) => snapshot(ctx.eval_expression_tree(block)?),
        None => None,
    };
    let frame = ctx.tag_mut().read_lock::<Arc<Frame>>().map(|frame| frame.clone()).unwrap_or_default();
    let own = InStep {
        title: title.clone(),
        number: shared.steps.fetch_add(1, Ordering::Relaxed) + 1,
        never: options.never || frame.step().is_some_and(|outer| outer.never),
    };
    let number = {
        let mut rollbacks = shared.rollbacks.lock().unwrap_or_else(PoisonError::into_inner);
        let global = ctx.global_runtime_state_mut().clone();
        rollbacks.push(Rollback { step: own.clone(), at: at.clone(), block, global, failed: true });
        rollbacks.len() - 1
    };
    let outer = frame.set_step(Some(own));
    let started = shared.pipeline.platform.clock().elapsed();
    shared.step_event(&title, StepState::Started, &at, None).map_err(|failure| thrown(&failure, Some(&at)))?;
    let result = ctx.eval_expression_tree(body);
    frame.set_step(outer);
    let failed = result.as_ref().is_err_and(|error| !error.is_pseudo_error());
    let elapsed = shared.pipeline.platform.clock().elapsed().saturating_sub(started);
    let state = if failed { StepState::Failed } else { StepState::Finished };
    let recorded = shared.step_event(&title, state, &at, Some(elapsed));
    if !failed {
        if let Some(rollback) = shared.rollbacks.lock().unwrap_or_else(PoisonError::into_inner).get_mut(number) {
            rollback.failed = false;
        }
        recorded.map_err(|failure| thrown(&failure, Some(&at)))?;
        return result.map(|_| Dynamic::UNIT);
    }
    match result {
        Err(error) if options.goes_on && shared.pipeline.latch.check().is_ok() => {
            let failure = pipeline.masker.failure(failure::of(&error));
            shared.passed_failures.lock().unwrap_or_else(PoisonError::into_inner).push((title.to_string(), failure));
            Ok(Dynamic::UNIT)
        }
        other => other.map(|_| Dynamic::UNIT),
    }
}

/// The option of a step of that name; the error names the nearest.
pub fn option(key: &str) -> Result<&'static Opt, Failure> {
    let known = OPTIONS.iter().find(|option| option.name == key);
    known.ok_or_else(|| Failure::unknown("option of a step", key, OPTIONS.iter().map(|option| option.name)))
}

/// The error of a title that is no text.
pub fn wrong_title(given: &str) -> Failure {
    Failure::bad_argument(format!("a step's title is a string, not {given}"))
}

fn checked(options: Result<Value, Failure>) -> Result<Options, Failure> {
    let options = options?;
    for (key, value) in options.as_map().into_iter().flatten() {
        let option = option(key)?;
        option.ty.check(&format!("option `{key}`"), value)?;
    }
    Ok(Options { goes_on: options.str_at(&["on_error"]) == Some("continue"), never: options.str_at(&["rollback"]) == Some("never") })
}

impl Shared {
    /// Puts a step's state on record and tells the person.
    pub(super) fn step_event(
        &self,
        title: &str,
        state: StepState,
        at: &Position,
        elapsed: Option<std::time::Duration>,
    ) -> Result<(), Failure> {
        self.step_line(title, state, at, elapsed, None)
    }

    /// Puts a step's state on record, with who decided it, and tells the person.
    pub fn step_line(
        &self,
        title: &str,
        state: StepState,
        at: &Position,
        elapsed: Option<std::time::Duration>,
        by: Option<&str>,
    ) -> Result<(), Failure> {
        self.pipeline.ui.event(&Event::Step(title, state, elapsed));
        let ms = elapsed.map(|elapsed| elapsed.as_secs_f64() * 1e3);
        let by = by.map(Cow::Borrowed);
        self.pipeline.append(&Entry::Step(entry::Step { step: Cow::Borrowed(title), state, at: at.clone(), ms, by }))
    }

    /// Runs a step's rollback: its own block, else the inverses of its changes, newest first.
    pub fn roll_back(&self, engine: &Engine, rollback: &Rollback) -> Result<(), Failure> {
        let title = &rollback.step.title;
        self.step_event(title, StepState::RollingBack, &rollback.at, None)?;
        let frame = rollback.global.tag.read_lock::<Arc<Frame>>().map(|frame| frame.clone()).unwrap_or_default();
        let result = match &rollback.block {
            Some(block) => {
                let outer = frame.set_step(Some(rollback.step.clone()));
                let ctx = NativeCallContext::new_with_all_fields(
                    engine,
                    "rollback",
                    Some(&rollback.at.file),
                    &rollback.global,
                    rhai::Position::NONE,
                );
                let result = block.call_within_context::<Dynamic>(&ctx, ()).map(|_| ()).map_err(|error| failure::of(&error));
                frame.set_step(outer);
                result
            }
            None => self.pipeline.revert(rollback.step.number, &rollback.at, &frame),
        };
        // A block may have swallowed what ended it.
        let result = result.and_then(|()| self.pipeline.latch.check());
        let state = if result.is_ok() { StepState::RolledBack } else { StepState::RollbackFailed };
        self.step_event(title, state, &rollback.at, None)?;
        result
    }
}
