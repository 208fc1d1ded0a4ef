//! The functions of this group, one file each.

pub mod cluster_info;
pub mod nodes_list;
