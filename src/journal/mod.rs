//! The record of a run: JSON Lines, each line carrying the SHA-256 of the one before; payloads beside it.
//!
//! A folder of journals holds, for each run, `RUN.jsonl` and, where an answer was large, `RUN.payloads/SHA256.json`,
//! and one file `last` that names the newest line that a run left there. Each new run copies that into its header, so
//! that a run vouches for the one before it: the chain inside a journal cannot show a change of its own last line.

mod anchor;
mod calls;
mod chain;
mod disk;
pub mod entry;
mod folder;
mod hash;
mod line;
mod list;
mod payload;
mod reader;
mod verify;
mod writer;

#[cfg(test)]
mod tampering;
#[cfg(test)]
pub(crate) mod testing;

pub use calls::{RecordedCall, RecordedWrite, in_doubt};
pub use folder::{is_running, new_run_id, probe};
pub use hash::Hash;
pub use list::{Mine, Summary, find, runs};
pub use payload::shape;
pub use reader::{Journal, Line, read};
pub use verify::{Anchoring, Payloads, State, Verification, verify};
pub use writer::{Durability, Writer};

/// The version of the format that this tool writes, and the newest that it reads.
pub const FORMAT: u32 = 1;
