//! Functions that call closures: `attempt`, `retry`, `wait_until`, `parallel`; and `runbook`, which answers the parameters.

use std::any::TypeId;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use rhai::{Array, Dynamic, Engine, EvalAltResult, FnPtr, Map, NativeCallContext};

use super::bind::{frame, position};
use super::convert::to_dynamic;
use super::failure::{self, thrown, to_map};
use super::{BRANCH_STACK_BYTES, Diagnostic, Shared, convert};
use crate::call::ledger::Found;
use crate::call::{Frame, Function, Mode, pipeline::Opened};
use crate::host::flow as specs;
use crate::model::spec::{Args, Type};
use crate::model::{Failure, Kind, Unsent, Value, duration};

type Outcome = Result<Dynamic, Box<EvalAltResult>>;
type Flow = fn(&Shared, &NativeCallContext<'_>, Dynamic, &Args) -> Outcome;

/// Binds the functions whose specification says that the engine calls their closures.
pub(super) fn register(engine: &mut Engine, shared: &Arc<Shared>) {
    let bodies: [(&'static Function, Flow); 5] = [
        (&specs::attempt::ATTEMPT, attempt),
        (&specs::retry::RETRY, retry),
        (&specs::wait_until::WAIT_UNTIL, wait_until),
        (&specs::parallel::PARALLEL, parallel),
        (&specs::runbook::RUNBOOK, runbook),
    ];
    for (function, body) in bodies {
        for count in super::bind::arities(function) {
            let shared = shared.clone();
            engine.register_raw_fn(function.spec.name, vec![TypeId::of::<Dynamic>(); count], move |ctx, args| {
                let at = position(&ctx);
                shared.pipeline.latch.check().map_err(|failure| thrown(&failure, Some(&at)))?;
                let first = args.first_mut().map(|first| std::mem::take(*first)).unwrap_or_default();
                let bound = check_closures(function, &first).and_then(|()| {
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
                body(&shared, &ctx, first, &bound)
            });
        }
    }
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

fn attempt(shared: &Shared, ctx: &NativeCallContext<'_>, first: Dynamic, _: &Args) -> Outcome {
    let (ok, value, error) = match call(ctx, &closure(first)?) {
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

fn retry(shared: &Shared, ctx: &NativeCallContext<'_>, first: Dynamic, args: &Args) -> Outcome {
    let body = closure(first)?;
    let times = args.option_int("times").unwrap_or(1);
    let mut delay = args.option_duration("delay").unwrap_or_default();
    for attempt in 1.. {
        let error = match call(ctx, &body) {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let failure = failure::of(&error);
        // What may have happened already is never repeated.
        let again = failure.kind.retryable() || (args.option_bool("any") && failure.kind != Kind::InDoubt);
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

fn wait_until(shared: &Shared, ctx: &NativeCallContext<'_>, first: Dynamic, args: &Args) -> Outcome {
    let at = position(ctx);
    let fail = |failure: Failure| thrown(&failure, Some(&at));
    let holds = closure(first)?;
    let pipeline = &shared.pipeline;
    let what = args.option_str("message").unwrap_or("the condition").to_owned();
    let timeout = args.option_duration("timeout").unwrap_or_default();
    let interval = args.option_duration("interval").unwrap_or_default().max(Duration::from_millis(10));
    let Opened { call: own, recorded, started } =
        pipeline.open(&specs::wait_until::WAIT_UNTIL, vec![what.clone().into()], at.clone(), &frame(ctx)).map_err(fail)?;
    // A replay looks as often as the recording did: its own clock knows nothing of the time that answers took.
    let looks = recorded.as_ref().and_then(|recorded| recorded.result.as_ref().ok()).and_then(|value| value.int_at(&["looks"]));
    let mut looked = 0;
    // A look that fails ends the call, or a replay would find it cut off.
    let closed = |error: Box<EvalAltResult>| {
        let mut failure = pipeline.masker.failure(failure::of(&error));
        // What the script throws may call itself denied; only what was denied ends the run.
        if failure.kind.latches() && pipeline.latch.check().is_ok() {
            failure.kind = Kind::Failed;
        }
        let result = Err(failure);
        pipeline.close(&specs::wait_until::WAIT_UNTIL, &own, started, result).err();
        error
    };
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

/// One branch's end: its value, or its error and what that says.
type Branch = Result<Dynamic, (Failure, Dynamic)>;

fn parallel(shared: &Shared, ctx: &NativeCallContext<'_>, first: Dynamic, _: &Args) -> Outcome {
    let at = position(ctx);
    let own = frame(ctx);
    let id = own.next_id();
    let closures: Vec<FnPtr> = first.into_array().unwrap_or_default().into_iter().filter_map(snapshot).collect();
    let branch = |number: usize, closure: &FnPtr| -> Branch {
        let mut global = ctx.global_runtime_state().clone();
        let number = u32::try_from(number + 1).unwrap_or(u32::MAX);
        global.tag = Dynamic::from(Arc::new(own.branch(&id, number)));
        let source = ctx.call_source();
        let ctx = NativeCallContext::new_with_all_fields(ctx.engine(), "parallel", source, &global, ctx.call_position());
        match catch_unwind(AssertUnwindSafe(|| call(&ctx, closure))) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err((failure::of(&error), error_map(&error, &ctx))),
            Err(_) => {
                let failure = Failure::new(Kind::Failed, "the branch panicked; this is a fault of runbook itself");
                let map = Dynamic::from_map(to_map(&failure, None));
                Err((failure, map))
            }
        }
    };
    let clock = shared.pipeline.platform.clock();
    let ends: Vec<Branch> = if clock.is_virtual() {
        // In order, each from the fork's time; the join takes the latest.
        let fork = clock.elapsed();
        let mut latest = fork;
        let run = closures.iter().enumerate().map(|(number, closure)| {
            clock.jump(fork);
            let end = branch(number, closure);
            latest = latest.max(clock.elapsed());
            end
        });
        let ends = run.collect();
        clock.jump(latest);
        ends
    } else {
        std::thread::scope(|scope| {
            let branch = &branch;
            let spawned: Vec<_> = closures
                .iter()
                .enumerate()
                .map(|(number, closure)| {
                    std::thread::Builder::new().stack_size(BRANCH_STACK_BYTES).spawn_scoped(scope, move || branch(number, closure))
                })
                .collect();
            spawned.into_iter().map(joined).collect()
        })
    };
    shared.pipeline.latch.check().map_err(|failure| thrown(&failure, Some(&at)))?;
    gathered(ends, &at)
}

fn joined(handle: std::io::Result<std::thread::ScopedJoinHandle<'_, Branch>>) -> Branch {
    let failure = match handle.map(std::thread::ScopedJoinHandle::join) {
        Ok(Ok(end)) => return end,
        Ok(Err(_)) => Failure::new(Kind::Failed, "the branch panicked; this is a fault of runbook itself"),
        Err(error) => Failure::new(Kind::Failed, format!("no thread could be started for the branch: {error}")),
    };
    let map = Dynamic::from_map(to_map(&failure, None));
    Err((failure, map))
}

/// All answers, or all failures as one.
fn gathered(ends: Vec<Branch>, at: &crate::model::Position) -> Outcome {
    let of = ends.len();
    let (mut values, mut failures) = (Array::with_capacity(of), Vec::new());
    for end in ends {
        match end {
            Ok(value) => values.push(value),
            Err(failure) => failures.push(failure),
        }
    }
    let Some((first, _)) = failures.first() else { return Ok(values.into()) };
    let mut one = first.clone();
    // A change that nobody knows the end of outweighs what else failed.
    if failures.iter().any(|(failure, _)| failure.kind == Kind::InDoubt) {
        one.kind = Kind::InDoubt;
    } else if failures.iter().any(|(failure, _)| failure.kind != one.kind) {
        one.kind = Kind::Failed;
    }
    if failures.len() > 1 {
        let said: Vec<&str> = failures.iter().map(|(failure, _)| failure.message.as_str()).collect();
        one.message = format!("{} of {of} branches failed: {}", said.len(), said.join("; "));
        one.target = None;
    }
    let mut map = to_map(&one, Some(at));
    // A single failure keeps its own place in the script.
    if let [(_, single)] = failures.as_slice()
        && let Some(single) = single.read_lock::<Map>()
    {
        for key in ["file", "line"] {
            map.insert(key.into(), single.get(key).cloned().unwrap_or_default());
        }
    }
    map.insert("failures".into(), failures.into_iter().map(|(_, map)| map).collect::<Array>().into());
    let position = rhai::Position::new(u16::try_from(at.line).unwrap_or(0).max(1), u16::try_from(at.column).unwrap_or(0));
    Err(Box::new(EvalAltResult::ErrorRuntime(map.into(), position)))
}

fn runbook(shared: &Shared, _: &NativeCallContext<'_>, _: Dynamic, _: &Args) -> Outcome {
    Ok(to_dynamic(&shared.params()))
}

/// The frame of the run itself, to begin with.
pub(super) fn root_tag() -> Dynamic {
    Dynamic::from(Arc::new(Frame::default()))
}
