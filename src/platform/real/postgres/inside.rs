//! PostgreSQL within the cluster: through tunnels, names kept for TLS.

use std::path::Path;
use std::sync::Arc;

use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{CancelToken, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::super::tunnel::{End, Tunnel, Tunnels};
use super::super::{Real, address, tls};
use super::connect::{Encryption, Mode, started};
use super::{Session, error};
use crate::model::{Failure, Kind};

/// The hosts of a database of the cluster, in the order in which they are tried.
pub(super) struct Way {
    name: String,
    tunnels: Arc<Tunnels>,
    hosts: Vec<(String, u16)>,
    /// Only a server that takes writes is wanted.
    wants_primary: bool,
}

/// The pod that a connection was made to.
pub(super) struct Taken {
    tunnels: Arc<Tunnels>,
    end: End,
    host: String,
}

/// The way to a URL's hosts; none where they are reached by their own addresses.
pub(super) async fn way(real: &Real, name: &str, base: &Config) -> Result<Option<Way>, Failure> {
    let Some(tunnels) = &real.tunnels else { return Ok(None) };
    if !base.get_hostaddrs().is_empty() {
        return Ok(None);
    }
    let (mut hosts, mut others) = (Vec::new(), 0);
    let ports = base.get_ports();
    for (i, host) in base.get_hosts().iter().enumerate() {
        let port = ports.get(i).or(ports.last().filter(|_| ports.len() == 1)).copied().unwrap_or(5432);
        match host {
            Host::Tcp(host) if tunnels.lead_to(host).await.map_err(|failure| failure.on(name))? => hosts.push((host.clone(), port)),
            _ => others += 1,
        }
    }
    if !hosts.is_empty() && others > 0 {
        return Err(address::bad_url(name, "some of its hosts are the cluster's, and some are not"));
    }
    let wants_primary = base.get_target_session_attrs() == TargetSessionAttrs::ReadWrite;
    Ok((!hosts.is_empty()).then(|| Way { name: name.to_owned(), tunnels: Arc::clone(tunnels), hosts, wants_primary }))
}

impl Way {
    /// Connects to the first host that answers.
    pub(super) async fn connect(&self, config: &mut Config, asked: Option<Mode>, ca: Option<&Path>) -> Result<Session, Failure> {
        let mut failed = address::bad_url(&self.name, "it names no host");
        for (host, port) in &self.hosts {
            match self.one(host, *port, config, asked, ca).await {
                Err(failure) if failure.kind.latches() => return Err(failure),
                Err(failure) => failed = failure,
                Ok(session) if self.wants_primary && !takes_writes(&session).await => {
                    failed = Failure::new(Kind::Unavailable, format!("the database `{}` at {host}:{port} takes no writes", self.name))
                        .hint("the URL asks for a primary (`target_session_attrs=read-write`): is there one?")
                        .on(self.name.as_str());
                }
                Ok(session) => return Ok(session),
            }
        }
        Err(failed)
    }

    async fn one(&self, host: &str, port: u16, config: &mut Config, asked: Option<Mode>, ca: Option<&Path>) -> Result<Session, Failure> {
        // As far as the pod the tunnel is encrypted by itself.
        let mode = asked.unwrap_or(if ca.is_none() { Mode::Prefer } else { Mode::Require });
        let place = format!("{host}:{port}");
        let user = config.get_user().unwrap_or_default().to_owned();
        let failed = |error: tokio_postgres::Error| error::connecting(&self.name, &user, &place, &error);
        if mode != Mode::Disable {
            config.ssl_mode(if mode == Mode::Require { SslMode::Require } else { SslMode::Prefer });
            let connector = MakeRustlsConnect::new(tls::client(ca)?);
            let (tunnel, way) = self.open(host, port).await?;
            let named = of(&connector, host).ok_or_else(|| address::bad_url(&self.name, "its host is no name for TLS"))?;
            match config.connect_raw(tunnel, named).await {
                Ok((client, connection)) => {
                    let session = started(client, connection, Encryption::Tls(connector)).await.map_err(failed)?;
                    return Ok(Session { way: Some(way), ..session });
                }
                Err(error) if mode == Mode::Prefer && error::is_tls(&error) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        config.ssl_mode(SslMode::Disable);
        let (tunnel, way) = self.open(host, port).await?;
        let (client, connection) = config.connect_raw(tunnel, NoTls).await.map_err(failed)?;
        let session = started(client, connection, Encryption::Plain).await.map_err(failed)?;
        Ok(Session { way: Some(way), ..session })
    }

    async fn open(&self, host: &str, port: u16) -> Result<(Tunnel, Taken), Failure> {
        let tunnel = self.tunnels.open(host, port).await.map_err(|failure| failure.on(self.name.as_str()))?;
        let way = Taken { tunnels: Arc::clone(&self.tunnels), end: tunnel.end.clone(), host: host.to_owned() };
        Ok((tunnel, way))
    }
}

impl Taken {
    /// Asks the same server, and no other pod behind its name, to stop what a connection is doing.
    pub(super) async fn cancel(&self, encryption: &Encryption, token: &CancelToken) {
        let Ok(tunnel) = self.tunnels.open_to(self.end.clone()).await else { return };
        let _ = match encryption {
            Encryption::Plain => token.cancel_query_raw(tunnel, NoTls).await,
            Encryption::Tls(connector) => match of(connector, &self.host) {
                Some(named) => token.cancel_query_raw(tunnel, named).await,
                None => return,
            },
        };
    }
}

/// The connector for a host's name.
fn of(connector: &MakeRustlsConnect, host: &str) -> Option<<MakeRustlsConnect as MakeTlsConnect<Tunnel>>::TlsConnect> {
    MakeTlsConnect::<Tunnel>::make_tls_connect(&mut connector.clone(), host).ok()
}

async fn takes_writes(session: &Session) -> bool {
    let answer = session.client.simple_query("SHOW transaction_read_only").await.unwrap_or_default();
    answer.iter().any(|message| matches!(message, tokio_postgres::SimpleQueryMessage::Row(row) if row.get(0) == Some("off")))
}
