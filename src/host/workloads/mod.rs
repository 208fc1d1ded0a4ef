//! The functions of this group, one file each.

pub mod annotate;
pub mod changes;
pub mod container;
pub mod delete;
pub mod describe;
pub mod events;
pub mod exec;
pub mod get;
mod history;
pub mod label;
pub mod logs;
mod marks;
pub mod patch;
pub mod pods;
pub mod restart;
pub mod rollout;
pub mod rollout_status;
pub mod rollout_undo;
pub mod scale;
pub mod top_pods;
pub mod wait_ready;
