//! The functions of this group, one file each.

pub mod diff;
mod fields;
pub mod grep;
pub mod group_by;
pub mod parse_json;
pub mod parse_yaml;
pub mod percentile;
pub mod show;
pub mod sort_by;
pub mod table;
pub mod to_json;
