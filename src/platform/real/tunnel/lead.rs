//! Where a socket leads: to a host's port, encrypted on this side where the address says so, so that whoever connects need not.

use std::path::PathBuf;
use std::sync::Arc;

use super::super::tls;
use super::socket::{Io, Opener};
use super::{Tunnels, failures};
use crate::model::Failure;

/// The way to one server or service.
pub(in super::super) struct Lead {
    /// What is reached, in the script's words.
    pub(in super::super) name: String,
    pub(in super::super) tunnels: Arc<Tunnels>,
    pub(in super::super) host: String,
    pub(in super::super) port: u16,
    /// Whether it is encrypted, and with which authority of its own.
    pub(in super::super) encrypted: Option<Option<PathBuf>>,
}

impl Opener for Lead {
    async fn open(&self) -> Result<Box<dyn Io>, Failure> {
        let tunnel = self.tunnels.open(&self.host, self.port).await?;
        let Some(ca) = &self.encrypted else { return Ok(Box::new(tunnel)) };
        match tls::wrap(tunnel, &self.host, ca.as_deref()).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(failures::unreachable(&self.name, &format!("{}:{}", self.host, self.port), &tls::told(&error))),
        }
    }
}
