//! How fast: the figures of docs/performance.md, each beside what it is compared with.

// criterion's macros make public functions; a benchmark that cannot run panics, and measures by the machine's clock.
#![allow(missing_docs, clippy::unwrap_used, clippy::disallowed_methods)]

mod calls;
mod interpreter;
mod parts;
mod start;
mod support;

use criterion::{criterion_group, criterion_main};

criterion_group!(benches, start::bench, calls::bench, interpreter::bench, parts::bench);
criterion_main!(benches);
