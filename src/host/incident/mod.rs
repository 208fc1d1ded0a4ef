//! The functions of this group, one file each.

pub mod note;
