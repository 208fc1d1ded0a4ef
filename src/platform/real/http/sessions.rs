//! TLS sessions that are resumed. A handshake begins with a look for one, which tells that the connection below it stands.

use rustls::NamedGroup;
use rustls::client::{ClientSessionMemoryCache, ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::ServerName;

use super::probe;

/// So many servers' sessions are kept, as rustls does by itself.
const KEPT: usize = 256;

/// The sessions.
#[derive(Debug)]
pub(in super::super) struct Sessions(ClientSessionMemoryCache);

impl Sessions {
    /// None yet.
    pub(in super::super) fn new() -> Self {
        Self(ClientSessionMemoryCache::new(KEPT))
    }
}

impl ClientSessionStore for Sessions {
    fn set_kx_hint(&self, server: ServerName<'static>, group: NamedGroup) {
        self.0.set_kx_hint(server, group);
    }

    fn kx_hint(&self, server: &ServerName<'_>) -> Option<NamedGroup> {
        probe::handshakes();
        self.0.kx_hint(server)
    }

    fn set_tls12_session(&self, server: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.0.set_tls12_session(server, value);
    }

    fn tls12_session(&self, server: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        probe::handshakes();
        self.0.tls12_session(server)
    }

    fn remove_tls12_session(&self, server: &ServerName<'static>) {
        self.0.remove_tls12_session(server);
    }

    fn insert_tls13_ticket(&self, server: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.0.insert_tls13_ticket(server, value);
    }

    fn take_tls13_ticket(&self, server: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        probe::handshakes();
        self.0.take_tls13_ticket(server)
    }
}
