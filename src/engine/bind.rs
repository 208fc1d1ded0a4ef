//! Host functions as Rhai functions.

use std::any::TypeId;
use std::sync::Arc;

use rhai::{Dynamic, Engine, EvalAltResult, ImmutableString, NativeCallContext};

use super::convert::{holds_rows, into_dynamic, to_rows, to_shown, to_value};
use super::failure::thrown;
use super::{Shared, flow, names};
use crate::call::{Body, Frame, Function};
use crate::host;
use crate::model::spec::Keep;
use crate::model::{Failure, Key, Position, Value};

/// Registers every host function, in every number of arguments that it takes. Argument types are checked by the
/// pipeline, so that a wrong one gets the same error everywhere.
pub fn register(engine: &mut Engine, shared: &Arc<Shared>) {
    for function in host::FUNCTIONS {
        if matches!(function.body, Body::Flow) {
            continue;
        }
        for count in arities(function) {
            let shared = shared.clone();
            engine.register_raw_fn(function.spec.name, vec![TypeId::of::<Dynamic>(); count], move |ctx, args| {
                call(&shared, function, &ctx, args)
            });
        }
    }
    flow::register(engine, shared);
    // Rhai's own `sleep` cannot be cancelled and its `timestamp` cannot be replayed.
    let function = &host::machine::sleep::SLEEP;
    for seconds in [TypeId::of::<i64>(), TypeId::of::<f64>()] {
        let shared = shared.clone();
        engine.register_raw_fn("sleep", [seconds], move |ctx, args| call(&shared, function, &ctx, args));
    }
    // Rhai has its own of these for its own types: they make no call, and know nothing of secrets and bounds.
    for (function, ty) in [
        (&host::values::to_json::TO_JSON, TypeId::of::<rhai::Map>()),
        (&host::values::parse_json::PARSE_JSON, TypeId::of::<ImmutableString>()),
    ] {
        let shared = shared.clone();
        engine.register_raw_fn(function.spec.name, [ty], move |ctx, args| call(&shared, function, &ctx, args));
    }
    // Rhai's `exit` would end a run at once, as if all were well.
    for (name, most) in [("timestamp", 0), ("exit", 1)] {
        for count in 0..=most {
            let refuse = move |ctx: NativeCallContext, _: &mut [&mut Dynamic]| -> Result<Dynamic, Box<EvalAltResult>> {
                let failure = names::refused(name).unwrap_or_else(|| Failure::bad_argument(format!("`{name}` is not there")));
                Err(thrown(&failure, Some(&position(&ctx))))
            };
            engine.register_raw_fn(name, vec![TypeId::of::<Dynamic>(); count], refuse);
        }
    }
}

/// How many arguments a function may be called with, options included.
pub fn arities(function: &Function) -> std::ops::RangeInclusive<usize> {
    let spec = &function.spec;
    // One less than required is bound too, so that the error can say what is missing.
    let least = spec.params.iter().filter(|param| param.required).count().saturating_sub(1);
    least..=spec.params.len() + usize::from(!spec.options.is_empty())
}

fn call(
    shared: &Shared,
    function: &'static Function,
    ctx: &NativeCallContext<'_>,
    args: &mut [&mut Dynamic],
) -> Result<Dynamic, Box<EvalAltResult>> {
    let at = position(ctx);
    let by_shape = matches!(function.spec.name, "show" | "table") && !reveals(args);
    // What is computed of rows is as personal as they are.
    let of_rows = matches!(function.body, Body::Pure(_)) && args.iter().any(|arg| holds_rows(arg));
    let values = args.iter().map(|arg| if by_shape { to_shown(arg) } else { to_value(arg) }).collect::<Result<Vec<Value>, _>>();
    let values = values.map_err(|failure| thrown(&failure, Some(&at)))?;
    // Of a file of rows the answer says only where it is, and how much.
    let saved = values.get(function.spec.params.len()).is_some_and(|options| options.get("save").is_some());
    let result = shared.pipeline.call(function, values, at.clone(), &frame(ctx));
    match result {
        Ok(value) if of_rows => Ok(to_rows(&value)),
        Ok(value) if function.spec.keep == Keep::Rows && !saved => Ok(answered_rows(&value)),
        Ok(value) => Ok(into_dynamic(value)),
        Err(failure) => Err(thrown(&failure, Some(&at))),
    }
}

/// Rows, or what a statement answers: how many it was about is no row.
fn answered_rows(value: &Value) -> Dynamic {
    match value {
        Value::Map(map) if map.contains_key("rows_affected") => {
            let part = |(key, item): (&Key, &Value)| {
                let item = if key.as_str() == "rows" { to_rows(item) } else { into_dynamic(item.clone()) };
                (key.as_str().into(), item)
            };
            Dynamic::from_map(map.iter().map(part).collect())
        }
        other => to_rows(other),
    }
}

/// Whether the options ask for rows to be shown as they are.
fn reveals(args: &[&mut Dynamic]) -> bool {
    let options = args.get(1).and_then(|options| options.read_lock::<rhai::Map>());
    options.and_then(|options| options.get("reveal").and_then(|reveal| reveal.as_bool().ok())).unwrap_or(false)
}

/// Where a call stands in the script.
pub fn position(ctx: &NativeCallContext<'_>) -> Position {
    let at = ctx.call_position();
    let number = |n: Option<usize>| n.and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
    Position { file: ctx.call_source().unwrap_or_default().into(), line: number(at.line()), column: number(at.position()) }
}

/// The line of execution that a call belongs to.
pub fn frame(ctx: &NativeCallContext<'_>) -> Arc<Frame> {
    ctx.tag().and_then(|tag| tag.read_lock::<Arc<Frame>>().map(|frame| frame.clone())).unwrap_or_default()
}
