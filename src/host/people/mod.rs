//! The functions of this group, one file each.

pub mod ask;
pub mod confirm;
pub mod manual;
pub mod notify;
mod person;
