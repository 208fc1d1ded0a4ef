//! Rhai's functions that make a value of any size asked for, with a limit: what cannot be allocated would end the process
//! without its record, and Rhai's own limits would count every array anew at each step.

use rhai::{Array, Blob, Dynamic, Engine, EvalAltResult, ImmutableString, NativeCallContext};

use super::bind::position;
use super::failure::thrown;
use crate::model::{Failure, Kind};

/// The most items that one call may add to an array, those within items included.
const ITEMS: usize = 1 << 20;

/// The most bytes of a blob.
const BYTES: usize = 64 << 20;

type Outcome<T> = Result<T, Box<EvalAltResult>>;

/// Registers them in the place of Rhai's own.
pub(super) fn register(engine: &mut Engine) {
    engine.register_fn("pad", |ctx: NativeCallContext<'_>, array: &mut Array, len: i64, item: Dynamic| -> Outcome<()> {
        let more = usize::try_from(len).unwrap_or(0).saturating_sub(array.len());
        if more > 0 {
            within(&ctx, more.saturating_mul(items(&item, ITEMS)), ITEMS, "an array", "items")?;
            array.resize(array.len() + more, item);
        }
        Ok(())
    });
    engine.register_fn("pad", |ctx: NativeCallContext<'_>, blob: &mut Blob, len: i64, byte: i64| -> Outcome<()> {
        let len = usize::try_from(len).unwrap_or(0);
        if len > blob.len() {
            within(&ctx, len, BYTES, "a blob", "bytes")?;
            blob.resize(len, low(byte));
        }
        Ok(())
    });
    engine.register_fn("pad", |ctx: NativeCallContext<'_>, text: &mut ImmutableString, len: i64, with: char| {
        padded(&ctx, text, len, with.encode_utf8(&mut [0; 4]))
    });
    engine.register_fn("pad", |ctx: NativeCallContext<'_>, text: &mut ImmutableString, len: i64, with: &str| padded(&ctx, text, len, with));
    engine.register_fn("blob", |ctx: NativeCallContext<'_>, len: i64| zeroed(&ctx, len, 0));
    engine.register_fn("blob", |ctx: NativeCallContext<'_>, len: i64, byte: i64| zeroed(&ctx, len, byte));
}

/// Fills a text up with a pattern to a number of characters.
fn padded(ctx: &NativeCallContext<'_>, text: &mut ImmutableString, len: i64, with: &str) -> Outcome<()> {
    let more = usize::try_from(len).unwrap_or(0).saturating_sub(text.chars().count());
    if more > 0 && !with.is_empty() {
        within(ctx, more.saturating_mul(with.len()), BYTES, "a string", "bytes")?;
        text.make_mut().extend(with.chars().cycle().take(more));
    }
    Ok(())
}

fn zeroed(ctx: &NativeCallContext<'_>, len: i64, byte: i64) -> Outcome<Blob> {
    let len = usize::try_from(len).unwrap_or(0);
    within(ctx, len, BYTES, "a blob", "bytes")?;
    Ok(vec![low(byte); len])
}

/// The lowest byte: what Rhai takes of a number.
fn low(number: i64) -> u8 {
    number.to_le_bytes()[0]
}

/// How many values a value is; counts no further than `most`.
fn items(value: &Dynamic, most: usize) -> usize {
    let sum = |count: usize, item: &Dynamic| if count >= most { count } else { count + items(item, most - count) };
    if let Some(array) = value.read_lock::<Array>() {
        return array.iter().fold(1, sum);
    }
    match value.read_lock::<rhai::Map>() {
        Some(map) => map.values().fold(1, sum),
        None => 1,
    }
}

fn within(ctx: &NativeCallContext<'_>, wanted: usize, most: usize, what: &str, unit: &str) -> Outcome<()> {
    if wanted <= most {
        return Ok(());
    }
    let failure = Failure::new(Kind::TooLarge, format!("`{}` may give {what} at most {most} {unit}", ctx.fn_name()));
    Err(thrown(&failure.hint("a runbook has no use for more: is the number right?"), Some(&position(ctx))))
}
