//! Values that a script may hold but not look into: secrets, and answers that a rehearsal did not send.

use std::sync::Arc;

use rhai::{Dynamic, Engine, EvalAltResult, ImmutableString, NativeCallContext};

use super::bind::position;
use super::convert::to_dynamic;
use super::failure::thrown;
use crate::call::Latch;
use crate::call::mask::MASK;
use crate::call::pipeline::unknowable;
use crate::model::{Secret, Unsent};

/// A secret in a script: it shows as `***`, and only connectors open it.
#[derive(Clone, Debug)]
pub struct OpaqueSecret(pub Secret);

/// An answer that nobody has: to show it is fine, anything else ends the run.
#[derive(Clone, Debug)]
pub struct OpaqueUnsent(pub Unsent);

type Outcome = Result<Dynamic, Box<EvalAltResult>>;

/// Registers both types.
pub fn register(engine: &mut Engine, latch: &Arc<Latch>) {
    engine.register_type_with_name::<OpaqueSecret>("secret");
    for name in ["to_string", "to_debug"] {
        engine.register_fn(name, |_: &mut OpaqueSecret| MASK);
    }
    engine.register_fn("+", |text: &str, _: OpaqueSecret| format!("{text}{MASK}"));
    engine.register_fn("+", |_: OpaqueSecret, text: &str| format!("{MASK}{text}"));
    engine.register_fn("==", |_: OpaqueSecret, _: Dynamic| MASK);
    engine.register_fn("==", |_: Dynamic, _: OpaqueSecret| MASK);
    engine.register_fn("!=", |_: OpaqueSecret, _: Dynamic| MASK);
    engine.register_fn("!=", |_: Dynamic, _: OpaqueSecret| MASK);

    // Only answers that are maps can be unsent: `type_of` says what it will say when the call is made.
    engine.register_type_with_name::<OpaqueUnsent>("map");
    let stop = {
        let latch = latch.clone();
        move |ctx: &NativeCallContext<'_>, unsent: &OpaqueUnsent, what: &str| -> Outcome {
            let (failure, at) = (unknowable(&unsent.0, what), position(ctx));
            latch.trip(failure.clone());
            latch.place(&at);
            Err(thrown(&failure, Some(&at)))
        }
    };
    for operator in OPERATORS {
        let (left, right) = (stop.clone(), stop.clone());
        let what = format!("used with `{operator}`");
        let also = what.clone();
        engine.register_fn(operator, move |ctx: NativeCallContext<'_>, unsent: &mut OpaqueUnsent, _: Dynamic| left(&ctx, unsent, &what));
        engine.register_fn(operator, move |ctx: NativeCallContext<'_>, _: Dynamic, unsent: OpaqueUnsent| right(&ctx, &unsent, &also));
    }
    for name in ["!", "-", "+", "to_string", "to_debug", "to_json", "len", "is_empty", "keys", "values", "clear", "drain"] {
        let stop = stop.clone();
        let what = format!("used with `{name}`");
        engine.register_fn(name, move |ctx: NativeCallContext<'_>, unsent: &mut OpaqueUnsent| stop(&ctx, unsent, &what));
    }
    for name in ["contains", "get", "remove", "mixin", "fill_with", "filter", "retain", "set"] {
        let (stop, other) = (stop.clone(), stop.clone());
        let what = format!("used with `{name}`");
        let also = what.clone();
        engine.register_fn(name, move |ctx: NativeCallContext<'_>, unsent: &mut OpaqueUnsent, _: Dynamic| stop(&ctx, unsent, &what));
        engine.register_fn(name, move |ctx: NativeCallContext<'_>, _: Dynamic, unsent: OpaqueUnsent| other(&ctx, &unsent, &also));
    }
    let (getter, number) = (stop.clone(), stop.clone());
    engine.register_indexer_get(move |ctx: NativeCallContext<'_>, unsent: &mut OpaqueUnsent, field: ImmutableString| {
        match unsent.0.known.get(field.as_str()) {
            Some(known) => Ok(to_dynamic(known)),
            None => getter(&ctx, unsent, &format!("asked for `{field}`")),
        }
    });
    engine.register_indexer_get(move |ctx: NativeCallContext<'_>, unsent: &mut OpaqueUnsent, index: i64| {
        number(&ctx, unsent, &format!("asked for `{index}`"))
    });
    let setter = stop.clone();
    engine.register_indexer_set(move |ctx: NativeCallContext<'_>, unsent: &mut OpaqueUnsent, field: ImmutableString, _: Dynamic| {
        setter(&ctx, unsent, &format!("asked to change `{field}`")).map(|_| ())
    });
}

/// Every operator that takes two values.
const OPERATORS: [&str; 26] = [
    "==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%", "**", "&", "|", "^", "<<", ">>", "+=", "-=", "*=", "/=", "%=", "&=", "|=",
    "..", "..=",
];
