//! The functions of this group, one file each.

pub mod environment;
pub mod now;
pub mod sleep;
