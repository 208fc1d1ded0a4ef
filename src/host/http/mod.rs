//! The functions of this group, one file each.

pub mod http_get;
pub mod http_health;
pub mod request;
