//! The integration tests: the real binary, run in projects of their own. One topic a file.

// Helpers outside of `#[test]` functions fail a test by panicking, start the binary, and measure how long it takes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods, unreachable_pub)]

// Not every topic needs every helper.
#[allow(dead_code)]
mod support;

mod arguments;
mod check;
mod completion;
mod contract;
mod diagnostics;
mod doctor;
mod failures;
mod layers;
mod local;
mod logs;
mod mistakes;
mod objects;
mod outage;
mod parameters;
mod programs;
mod rehearsal;
mod repl;
mod replay;
mod repository;
mod scripts;
mod services;
mod services_data;
mod services_outage;
mod services_repl;
mod steps;
mod tunnels;
mod view;
