//! `watch`: a closure's numbers over time.

use std::time::Duration;

use rhai::{Dynamic, NativeCallContext};

use super::super::bind::{frame, position};
use super::super::convert::{holds_rows, to_dynamic, to_rows, to_value};
use super::super::failure::thrown;
use super::super::{Shared, convert};
use super::{Given, Outcome, call, closed, closure};
use crate::call::ledger::Found;
use crate::call::pipeline::{Opened, unknowable};
use crate::call::{Mode, about_bytes};
use crate::host::flow::watch::{self as samples, MOST_SAMPLES, Sample, WATCH};
use crate::model::spec::Args;
use crate::model::{Failure, Kind, Value, text};

/// The most bytes that samples may take together.
const MOST_BYTES: usize = 8 << 20;

pub(super) fn watch(shared: &Shared, ctx: &NativeCallContext<'_>, given: Given, args: &Args) -> Outcome {
    let (pipeline, at) = (&shared.pipeline, position(ctx));
    let fail = |failure: Failure| thrown(&failure, Some(&at));
    let (sample, stop_when) = (closure(given.first)?, given.option);
    let plan = Plan::of(args).map_err(fail)?;
    let asked = vec![Value::Null, Value::Map(args.options().clone())];
    let Opened { call: own, recorded, started } = pipeline.open(&WATCH, asked, at.clone(), &frame(ctx)).map_err(fail)?;
    let closed = |error| closed(shared, &WATCH, &own, started, error);
    // A replay takes as many samples as the recording did: its own clock knows nothing of the time that answers took.
    let recorded = recorded.map(|recorded| recorded.result);
    let taken = recorded.as_ref().and_then(|result| result.as_ref().ok()?.at(&["samples"])?.as_list().map(<[Value]>::len));
    let (mut all, mut bytes, mut of_rows): (Vec<Sample>, usize, bool) = (Vec::new(), 0, false);
    let elapsed = || pipeline.platform.clock().elapsed().saturating_sub(started);
    loop {
        let at = elapsed();
        let found = call(ctx, &sample).map_err(closed)?;
        of_rows |= holds_rows(&found);
        let value = to_value(&found).map_err(fail).map_err(closed)?;
        if let Some(Value::Unsent(unsent)) = value.find(&|item| matches!(item, Value::Unsent(_))) {
            let failure = unknowable(unsent, "watched");
            pipeline.latch.trip(failure.clone());
            return Err(closed(fail(failure)));
        }
        bytes += about_bytes(&value);
        let fits = || if bytes > MOST_BYTES { Err(too_large(all.len())) } else { samples::check(&value) };
        fits().map_err(fail).map_err(closed)?;
        all.push(Sample { at_ms: i64::try_from(at.as_millis()).unwrap_or(i64::MAX), value });
        if let Some(stop_when) = &stop_when {
            let held: Dynamic = stop_when.call_within_context(ctx, (found,)).map_err(closed)?;
            let wrong = || fail(Failure::bad_argument(format!("the closure `stop_when` must answer a bool, not {}", convert::kind(&held))));
            let held = held.as_bool().map_err(|_| closed(wrong()))?;
            if held && taken.is_none() {
                break;
            }
        }
        if let Some(taken) = taken {
            if all.len() >= taken {
                break;
            }
            continue;
        }
        let next = plan.every * u32::try_from(all.len()).unwrap_or(u32::MAX);
        if all.len() >= plan.times || plan.duration.is_some_and(|duration| next > duration) {
            break;
        }
        if pipeline.mode == Mode::Rehearse {
            pipeline.finding(&own, Found::Remark, "one sample was taken: a rehearsal does not wait for more".to_owned());
            break;
        }
        pipeline.waiting(&own, &text::short(&samples::told(&all), 200), started);
        // From the beginning on, so that the time that answers take does not add up.
        let pause = next.saturating_sub(elapsed());
        pipeline.platform.clock().sleep(pause, pipeline.latch.cancel()).map_err(fail).map_err(closed)?;
    }
    let answer = recorded.unwrap_or_else(|| Ok(samples::answer(all)));
    let answer = pipeline.close(&WATCH, &own, started, answer).map_err(fail)?;
    Ok(if of_rows { to_rows(&answer) } else { to_dynamic(&answer) })
}

/// When samples are taken.
struct Plan {
    every: Duration,
    times: usize,
    duration: Option<Duration>,
}

impl Plan {
    fn of(args: &Args) -> Result<Self, Failure> {
        let every = args.option_duration("every").unwrap_or_default().max(Duration::from_millis(10));
        let times = args.option_int("times").and_then(|times| usize::try_from(times).ok());
        let duration = args.option_duration("duration").or_else(|| times.is_none().then_some(Duration::from_secs(60)));
        if times.is_none() && duration.is_some_and(|duration| duration.as_nanos() / every.as_nanos() >= MOST_SAMPLES as u128) {
            let failure = Failure::bad_argument(format!("this would be more than {MOST_SAMPLES} samples"));
            return Err(failure.hint("a longer `every`, or a shorter `duration`"));
        }
        Ok(Self { every, times: times.unwrap_or(MOST_SAMPLES), duration })
    }
}

fn too_large(count: usize) -> Failure {
    let failure = Failure::new(Kind::TooLarge, format!("the {} samples are larger than 8 MiB", count + 1));
    failure.hint("answer the numbers alone: `|| top_pods(\"app=x\").map(|pod| pod.memory_bytes)`")
}
