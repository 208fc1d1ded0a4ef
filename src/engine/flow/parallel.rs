//! `parallel`: closures at the same time, at most so many.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rhai::{Array, Dynamic, EvalAltResult, FnPtr, Map, NativeCallContext};

use super::super::bind::{frame, position};
use super::super::failure::{self, thrown, to_map};
use super::super::{BRANCH_STACK_BYTES, Shared};
use super::{Given, Outcome, call, error_map, snapshot};
use crate::model::spec::Args;
use crate::model::{Failure, Kind, Sent};
use crate::platform::Clock;

/// One branch's end: its value, or its error and what that says.
type Branch = Result<Dynamic, (Failure, Dynamic)>;

pub(super) fn parallel(shared: &Shared, ctx: &NativeCallContext<'_>, given: Given, args: &Args) -> Outcome {
    let at = position(ctx);
    let own = frame(ctx);
    let id = own.next_id();
    let closures: Vec<FnPtr> = given.first.into_array().unwrap_or_default().into_iter().filter_map(snapshot).collect();
    let branch = |number: usize, closure: &FnPtr| -> Branch {
        // What has not begun when the run is over does not begin any more.
        shared.pipeline.latch.check().map_err(ended)?;
        let mut global = ctx.global_runtime_state().clone();
        let number = u32::try_from(number + 1).unwrap_or(u32::MAX);
        global.tag = Dynamic::from(Arc::new(own.branch(&id, number)));
        let source = ctx.call_source();
        let ctx = NativeCallContext::new_with_all_fields(ctx.engine(), "parallel", source, &global, ctx.call_position());
        match catch_unwind(AssertUnwindSafe(|| call(&ctx, closure))) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err((failure::of(&error), error_map(&error, &ctx))),
            Err(_) => Err(ended(Failure::new(Kind::Failed, "the branch panicked; this is a fault of runbook itself"))),
        }
    };
    let limit = args.option_int("limit").and_then(|limit| usize::try_from(limit).ok());
    let lanes = limit.unwrap_or(usize::MAX).min(closures.len());
    let clock = shared.pipeline.platform.clock();
    let ends = if clock.is_virtual() { one_by_one(clock, &closures, lanes, branch) } else { at_once(&closures, lanes, &branch) };
    shared.pipeline.latch.check().map_err(|failure| thrown(&failure, Some(&at)))?;
    gathered(ends, &at)
}

/// In order, each from the time when a lane is free for it, which is the fork's where there are enough; the join takes the latest.
fn one_by_one(clock: &dyn Clock, closures: &[FnPtr], lanes: usize, branch: impl Fn(usize, &FnPtr) -> Branch) -> Vec<Branch> {
    let fork = clock.elapsed();
    let mut free = vec![fork; lanes];
    let run = |(number, closure)| {
        let next = free.iter_mut().min();
        clock.jump(next.as_deref().copied().unwrap_or(fork));
        let end = branch(number, closure);
        if let Some(next) = next {
            *next = clock.elapsed();
        }
        end
    };
    let ends = closures.iter().enumerate().map(run).collect();
    clock.jump(free.into_iter().max().unwrap_or(fork));
    ends
}

/// In so many threads, each of which takes the next branch that nobody has begun.
fn at_once(closures: &[FnPtr], lanes: usize, branch: &(impl Fn(usize, &FnPtr) -> Branch + Sync)) -> Vec<Branch> {
    let next = AtomicUsize::new(0);
    let ends: Mutex<Vec<Option<Branch>>> = Mutex::new(closures.iter().map(|_| None).collect());
    let lane = || {
        while let number = next.fetch_add(1, Ordering::Relaxed)
            && let Some(closure) = closures.get(number)
        {
            let end = branch(number, closure);
            ends.lock().unwrap_or_else(PoisonError::into_inner)[number] = Some(end);
        }
    };
    let refused = std::thread::scope(|scope| {
        let start = |_: usize| std::thread::Builder::new().stack_size(BRANCH_STACK_BYTES).spawn_scoped(scope, lane).err();
        (0..lanes).fold(None, |refused, number| start(number).or(refused))
    });
    // Without any thread nothing was begun.
    let missing = || {
        let cause = refused.as_ref().map(ToString::to_string).unwrap_or_default();
        Err(ended(Failure::new(Kind::Failed, format!("no thread could be started for the branch: {cause}"))))
    };
    ends.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().map(|end| end.unwrap_or_else(missing)).collect()
}

/// The end of a branch that never came to an error of its own.
fn ended(failure: Failure) -> (Failure, Dynamic) {
    let map = Dynamic::from_map(to_map(&failure, None));
    (failure, map)
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
        (one.kind, one.sent) = (Kind::InDoubt, Sent::Unknown);
    } else if failures.iter().any(|(failure, _)| failure.kind != one.kind) {
        one.kind = Kind::Failed;
    }
    if one.kind != Kind::InDoubt && failures.iter().any(|(failure, _)| failure.sent == Sent::Done) {
        one.sent = Sent::Done;
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
