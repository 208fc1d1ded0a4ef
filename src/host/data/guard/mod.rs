//! What lets only reads through to the databases: static checks of statements and commands, without any I/O.
//!
//! They are one of two walls. The other is the server's: a read-only transaction and a role that may only read.

pub mod mongo;
pub mod mongo_change;
mod names;
pub mod redis;
pub mod redis_change;
pub mod sql;
pub mod sql_change;
mod tokens;

/// What a person who wanted to change something does instead.
fn only_reads(function: &str) -> String {
    format!("`{function}` only reads; a change is `{function}_execute`")
}
