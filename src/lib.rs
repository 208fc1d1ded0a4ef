//! `runbook`: the language that operations runbooks are written in.
//!
//! The folders build on one another, bottom up: `model`, `config`, `journal`, `platform`, `call`, `host`,
//! `engine`, `run`, `report`, `cli`; each imports only from those before it.

pub mod call;
pub mod cli;
pub mod config;
pub mod engine;
pub mod host;
pub mod journal;
pub mod model;
pub mod platform;
pub mod report;
pub mod run;
