//! The functions of this group, one file each.

pub mod command;
pub mod env;
pub mod environment;
pub mod now;
pub mod read_file;
pub mod sleep;
pub mod uuid;
