//! The record of a run: JSON Lines, each line carrying the SHA-256 of the one before; payloads beside it.

pub mod entry;
