//! The functions of this group, one file each.

pub mod abort;
pub mod attempt;
pub mod check;
pub mod parallel;
pub mod retry;
pub mod runbook;
pub mod services;
pub mod wait_until;
pub mod watch;
