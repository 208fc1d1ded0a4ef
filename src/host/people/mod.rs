//! The functions of this group, one file each.

pub mod confirm;
pub mod notify;
