//! The functions of this group, one file each.

pub mod get;
pub mod logs;
pub mod pods;
pub mod restart;
pub mod rollout;
pub mod rollout_status;
pub mod scale;
pub mod top_pods;
pub mod wait_ready;
