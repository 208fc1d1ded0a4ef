//! The functions of this group, one file each.

mod change;
pub mod http_delete;
pub mod http_get;
pub mod http_health;
pub mod http_patch;
pub mod http_post;
pub mod http_put;
pub mod metrics;
pub mod request;
pub mod tcp_check;
