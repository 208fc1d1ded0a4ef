//! The functions of this group, one file each.

pub mod cluster_info;
pub mod cordon;
mod cordons;
pub mod drain;
pub mod nodes_list;
pub mod top_nodes;
pub mod uncordon;
