//! How fast: the figures of docs/performance.md, each beside what it is compared with.

#![allow(missing_docs)] // criterion's macros make public functions.

mod calls;
mod interpreter;
mod parts;
mod start;
mod support;

use criterion::{criterion_group, criterion_main};

criterion_group!(benches, start::bench, calls::bench, interpreter::bench, parts::bench);
criterion_main!(benches);
