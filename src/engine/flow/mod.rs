//! Functions that call closures: `attempt`, `retry`, `wait_until`, `watch`, `parallel`; and `runbook`, which answers the parameters.

use std::any::TypeId;
use std::sync::Arc;
use std::time::Duration;

use rhai::{Array, Dynamic, Engine, EvalAltResult, FnPtr, Map, NativeCallContext};

mod parallel;
mod watch;

use super::bind::{frame, position};
use super::convert::to_dynamic;
use super::failure::{self, thrown, to_map};
use super::{Diagnostic, Shared, convert};
use crate::call::ledger::Found;
use crate::call::{Frame, Function, Mode, pipeline::Opened};
use crate::host::flow as specs;
use crate::model::spec::{Args, Type};
use crate::model::{Call, Failure, Kind, Sent, Unsent, Value, duration};

type Outcome = Result<Dynamic, Box<EvalAltResult>>;
type Flow = fn(&Shared, &NativeCallContext<'_>, Given, &Args) -> Outcome;

/// The closures of a call, which are no values of ours.
struct Given {
    /// The first argument.
    first: Dynamic,
    /// The closure among the options, for functions that have such a one.
    option: Option<FnPtr>,
}

/// Binds the functions whose specification says that the engine calls their closures.
pub(super) fn register(engine: &mut Engine, shared: &Arc<Shared>) {
    let bodies: [(&'static Function, Flow); 6] = [
        (&specs::attempt::ATTEMPT, attempt),
        (&specs::retry::RETRY, retry),
        (&specs::wait_until::WAIT_UNTIL, wait_until),
        (&specs::parallel::PARALLEL, parallel::parallel),
        (&specs::watch::WATCH, watch::watch),
        (&specs::runbook::RUNBOOK, runbook),
    ];
    for (function, body) in bodies {
        for count in super::bind::arities(function) {
            let shared = shared.clone();
            engine.register_raw_fn(function.spec.name, vec![TypeId::of::<Dynamic>(); count], move |ctx, args| {
                let at = position(&ctx);
                shared.pipeline.latch.check().map_err(|failure| thrown(&failure, Some(&at)))?;
                let first = args.first_mut().map(|first| std::mem::take(*first)).unwrap_or_default();
                let mut option = None;
                let bound = check_closures(function, &first).and_then(|()| {
                    option = args.last_mut().map_or(Ok(None), |last| taken_out(function, last))?;
                    // Closures are no values of ours; the other arguments are checked as everywhere.
                    let mut values = if count > 0 { vec![Value::Null] } else { Vec::new() };
                    if function.spec.name == "runbook" {
                        values = vec![convert::to_value(&first)?];
                    }
                    for arg in args.iter().skip(1) {
                        values.push(convert::to_value(arg)?);
                    }
                    function.spec.bind(values)
                });
                let bound = bound.map_err(|failure| thrown(&failure, Some(&at)))?;
                body(&shared, &ctx, Given { first, option }, &bound)
            });
        }
    }
}

/// Takes the closure out of the options map, where the function has an option that is one.
fn taken_out(function: &Function, options: &mut Dynamic) -> Result<Option<FnPtr>, Failure> {
    let Some(option) = function.spec.options.iter().find(|option| option.ty == Type::Closure) else { return Ok(None) };
    let Some(mut map) = options.write_lock::<Map>() else { return Ok(None) };
    let Some(value) = map.get_mut(option.name) else { return Ok(None) };
    let value = std::mem::take(value);
    if !value.is_fnptr() {
        return Err(option.ty.mismatch(&format!("option `{}`", option.name), convert::kind(&value)));
    }
    Ok(value.try_cast())
}

fn check_closures(function: &Function, first: &Dynamic) -> Result<(), Failure> {
    let wrong = || Err(wants_closure(function, convert::kind(first)));
    match function.spec.params.first().map(|param| param.ty) {
        Some(Type::Closures) => match first.read_lock::<Array>() {
            Some(items) if items.iter().all(Dynamic::is_fnptr) => Ok(()),
            _ => wrong(),
        },
        Some(Type::Closure) if !first.is_fnptr() => wrong(),
        _ => Ok(()),
    }
}

/// The error of something else than the closure, or the closures, that a function calls.
pub fn wants_closure(function: &Function, given: &str) -> Failure {
    let several = function.spec.params.first().is_some_and(|param| param.ty == Type::Closures);
    let wanted = if several { "an array of closures, `[|| …, || …]`" } else { "a closure, `|| …`" };
    Failure::bad_argument(format!("`{}` takes {wanted}, not {given}", function.spec.name))
}

/// A closure with its captures as they are now: later turns of a loop do not reach into it.
pub(super) fn snapshot(closure: Dynamic) -> Option<FnPtr> {
    let mut closure = closure.try_cast::<FnPtr>()?;
    for capture in closure.iter_curry_mut() {
        *capture = capture.flatten_clone();
    }
    Some(closure)
}

fn call(ctx: &NativeCallContext<'_>, closure: &FnPtr) -> Outcome {
    closure.call_within_context(ctx, ())
}

fn closure(first: Dynamic) -> Result<FnPtr, Box<EvalAltResult>> {
    first.try_cast::<FnPtr>().ok_or_else(|| thrown(&Failure::bad_argument("a closure was expected"), None))
}

fn attempt(shared: &Shared, ctx: &NativeCallContext<'_>, given: Given, _: &Args) -> Outcome {
    let (ok, value, error) = match call(ctx, &closure(given.first)?) {
        Ok(value) => (true, value, Dynamic::UNIT),
        Err(error) => {
            if shared.pipeline.latch.check().is_err() {
                return Err(error);
            }
            (false, Dynamic::UNIT, error_map(&error, ctx))
        }
    };
    let map: Map = [("ok".into(), ok.into()), ("value".into(), value), ("error".into(), error)].into();
    Ok(map.into())
}

/// An error as a script catches it, with its place where it has none of its own.
fn error_map(error: &EvalAltResult, ctx: &NativeCallContext<'_>) -> Dynamic {
    match failure::innermost(error) {
        EvalAltResult::ErrorRuntime(value, _) if value.is_map() => value.clone(),
        _ => {
            let Diagnostic { failure, at, .. } = Diagnostic::of_error(error, ctx.call_source().unwrap_or_default());
            Dynamic::from_map(to_map(&failure, Some(&at)))
        }
    }
}

fn retry(shared: &Shared, ctx: &NativeCallContext<'_>, given: Given, args: &Args) -> Outcome {
    let body = closure(given.first)?;
    let times = args.option_int("times").unwrap_or(1);
    let mut delay = args.option_duration("delay").unwrap_or_default();
    for attempt in 1.. {
        let error = match call(ctx, &body) {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let failure = failure::of(&error);
        // What may have happened already is never repeated.
        let happened = failure.kind == Kind::InDoubt || failure.sent == Sent::Done;
        let again = !happened && (failure.kind.retryable() || args.option_bool("any"));
        if attempt >= times || !again || shared.pipeline.latch.check().is_err() {
            let simulated = shared.pipeline.mode == Mode::Rehearse && !shared.pipeline.ledger().changes.is_empty();
            return if simulated && again { unproven(shared, ctx, args, &failure) } else { Err(error) };
        }
        let clock = shared.pipeline.platform.clock();
        clock.sleep(delay, shared.pipeline.latch.cancel()).map_err(|failure| thrown(&failure, Some(&position(ctx))))?;
        delay = (delay * 2).min(Duration::from_secs(60));
    }
    Ok(Dynamic::UNIT)
}

/// What did not succeed after simulated changes may well succeed after real ones: listed, and passed.
fn unproven(shared: &Shared, ctx: &NativeCallContext<'_>, args: &Args, failure: &Failure) -> Outcome {
    let (pipeline, at) = (&shared.pipeline, position(ctx));
    let fail = |failure: Failure| thrown(&failure, Some(&at));
    let Opened { call: own, started, .. } = pipeline.open(&specs::retry::RETRY, Vec::new(), at.clone(), &frame(ctx)).map_err(fail)?;
    pipeline.finding(&own, Found::Unproven, format!("what was tried did not succeed: {}", failure.message));
    let unknown = || Value::Unsent(Unsent::new(own.id.clone(), own.function, crate::model::Map::new()));
    let answer = args.option("assume").cloned().unwrap_or_else(unknown);
    pipeline.close(&specs::retry::RETRY, &own, started, Ok(answer)).map(|answer| to_dynamic(&answer)).map_err(fail)
}

/// Ends a call whose closure failed, or a replay would find it cut off.
fn closed(shared: &Shared, function: &'static Function, own: &Call, started: Duration, error: Box<EvalAltResult>) -> Box<EvalAltResult> {
    let pipeline = &shared.pipeline;
    let mut failure = pipeline.masker.failure(failure::of(&error));
    // What the script throws may call itself denied; only what was denied ends the run.
    if failure.kind.latches() && pipeline.latch.check().is_ok() {
        failure.kind = Kind::Failed;
    }
    pipeline.close(function, own, started, Err(failure)).err();
    error
}

fn wait_until(shared: &Shared, ctx: &NativeCallContext<'_>, given: Given, args: &Args) -> Outcome {
    let at = position(ctx);
    let fail = |failure: Failure| thrown(&failure, Some(&at));
    let holds = closure(given.first)?;
    let pipeline = &shared.pipeline;
    let what = args.option_str("message").unwrap_or("the condition").to_owned();
    let timeout = args.option_duration("timeout").unwrap_or_default();
    let interval = args.option_duration("interval").unwrap_or_default().max(Duration::from_millis(10));
    let Opened { call: own, recorded, started } =
        pipeline.open(&specs::wait_until::WAIT_UNTIL, vec![what.clone().into()], at.clone(), &frame(ctx)).map_err(fail)?;
    // A replay looks as often as the recording did: its own clock knows nothing of the time that answers took.
    let looks = recorded.as_ref().and_then(|recorded| recorded.result.as_ref().ok()).and_then(|value| value.int_at(&["looks"]));
    let mut looked = 0;
    let closed = |error: Box<EvalAltResult>| closed(shared, &specs::wait_until::WAIT_UNTIL, &own, started, error);
    let result = loop {
        let held = call(ctx, &holds).map_err(closed)?;
        looked += 1;
        let wrong = || fail(Failure::bad_argument(format!("the closure of `wait_until` must answer a bool, not {}", convert::kind(&held))));
        let held = held.as_bool().map_err(|_| closed(wrong()))?;
        if held {
            break Ok(true);
        }
        if pipeline.mode == Mode::Rehearse {
            pipeline.finding(&own, Found::Unproven, format!("{what} does not hold yet; a rehearsal does not wait"));
            break Ok(false);
        }
        let waited = pipeline.platform.clock().elapsed().saturating_sub(started);
        if looks.map_or(waited >= timeout, |looks| looked >= looks) {
            let message = format!("{what} did not hold within {}", duration::show(timeout));
            break Err(Failure::new(Kind::Timeout, message));
        }
        pipeline.waiting(&own, &what, started);
        pipeline
            .platform
            .clock()
            .sleep(interval.min(timeout.saturating_sub(waited)), pipeline.latch.cancel())
            .map_err(fail)
            .map_err(closed)?;
    };
    let answer = |held: bool| crate::map! { "held" => held, "looks" => looked };
    // The looks are on record for a timeout too, or a replay could not tell when to stop.
    let timed_out = result.clone().err();
    pipeline.close(&specs::wait_until::WAIT_UNTIL, &own, started, Ok(answer(result.is_ok()))).map_err(fail)?;
    match (result, timed_out) {
        (Ok(true), _) => Ok(true.into()),
        (Ok(false), _) => Ok(Dynamic::UNIT),
        (Err(failure), _) => Err(fail(failure)),
    }
}

fn runbook(shared: &Shared, _: &NativeCallContext<'_>, _: Given, _: &Args) -> Outcome {
    Ok(to_dynamic(&shared.params()))
}

/// The frame of the run itself, to begin with.
pub(super) fn root_tag() -> Dynamic {
    Dynamic::from(Arc::new(Frame::default()))
}
