//! Connecting to PostgreSQL: role, password, encryption, checked addresses.

use std::net::IpAddr;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{CancelToken, Client, Config, Connection, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;
use url::Url;

use super::super::{Real, address, tls};
use super::driver::Driver;
use super::{Session, error, inside};
use crate::config::Database;
use crate::model::Failure;

/// How a connection is encrypted.
#[derive(Clone)]
pub(super) enum Encryption {
    /// It is not.
    Plain,
    /// TLS with verified certificates, where the server has it or always, as the mode says.
    Tls(MakeRustlsConnect),
}

impl Encryption {
    /// Asks the server to stop what a connection is doing. Whether it does shows in nothing that is still waited for.
    pub(super) async fn cancel(&self, token: &CancelToken, way: Option<&inside::Taken>) {
        let _ = match (self, way) {
            (_, Some(way)) => return way.cancel(self, token).await,
            (Encryption::Plain, None) => token.cancel_query(NoTls).await,
            (Encryption::Tls(tls), None) => token.cancel_query(tls.clone()).await,
        };
    }
}

/// What the URL's `sslmode` asks for. Certificates are always verified where TLS is required.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Disable,
    Prefer,
    Require,
}

/// Whom a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Role {
    /// Reads: the reading role where one is configured, else the URL's.
    Reader,
    /// Changes: the URL's.
    Writer,
}

/// Connects with a role.
pub(super) async fn connect(real: &Real, name: &str, database: &Database, role: Role) -> Result<Session, Failure> {
    let (url, asked) = without_sslmode(name, &database.url)?;
    let base: Config = url.parse().map_err(|_| address::bad_url(name, "it is no PostgreSQL URL"))?;
    if base.get_password().is_some() {
        return Err(address::password_in_url(name));
    }
    let mut config = Config::new();
    let (user, password) = match &database.reader {
        Some(reader) if role == Role::Reader => (Some(reader.user.as_str()), reader.password.as_ref()),
        _ => (base.get_user(), database.password.as_ref()),
    };
    config.user(user.ok_or_else(|| address::bad_url(name, "it names no user").hint("write `postgres://USER@HOST/DATABASE`"))?);
    if let Some(source) = password {
        config.password(real.sources.open(source, &real.kubernetes).await?.expose());
    }
    if let Some(dbname) = base.get_dbname() {
        config.dbname(dbname);
    }
    if let Some(options) = base.get_options() {
        config.options(options);
    }
    config.application_name(base.get_application_name().unwrap_or("runbook"));
    config.target_session_attrs(base.get_target_session_attrs());
    config.connect_timeout(std::time::Duration::from_secs(10));
    if let Some(way) = inside::way(real, name, &base).await? {
        return way.connect(&mut config, asked, database.ca.as_deref()).await;
    }
    let place = hosts(name, &base, &mut config).await?;
    let mode = asked.unwrap_or(if database.ca.is_none() && place.is_local { Mode::Prefer } else { Mode::Require });
    let failed = |error: tokio_postgres::Error| error::connecting(name, user.unwrap_or_default(), &place.shown, &error);
    if mode != Mode::Disable {
        config.ssl_mode(if mode == Mode::Require { SslMode::Require } else { SslMode::Prefer });
        let connector = MakeRustlsConnect::new(tls::client(database.ca.as_deref())?);
        match config.connect(connector.clone()).await {
            Ok((client, connection)) => return started(client, connection, Encryption::Tls(connector)).await.map_err(failed),
            // What is only preferred must not stand in the way: a certificate of the server's own, on this machine.
            Err(error) if mode == Mode::Prefer && error::is_tls(&error) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    config.ssl_mode(SslMode::Disable);
    let (client, connection) = config.connect(NoTls).await.map_err(failed)?;
    started(client, connection, Encryption::Plain).await.map_err(failed)
}

/// Lets the connection work until its client is dropped. Statements are read as the guard has read them from the first on,
/// whatever the role, the database or the URL's `options` say; what the server says of itself spares the usual round trip.
pub(super) async fn started<S, T>(client: Client, connection: Connection<S, T>, tls: Encryption) -> Result<Session, tokio_postgres::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let standard = connection.parameter("standard_conforming_strings") == Some("on");
    let driver = Driver::start(connection);
    if !standard {
        client.batch_execute(STANDARD_STRINGS).await?;
    }
    Ok(Session { client, driver, tls, way: None })
}

/// A backslash is a character like others: the guard reads strings so, and a server that did not could be told to run what the
/// guard took for text.
const STANDARD_STRINGS: &str = "SET standard_conforming_strings = on";

/// Where a database is.
struct Place {
    shown: String,
    is_local: bool,
}

/// Puts the URL's hosts into the configuration with the addresses that may be connected to, names kept for TLS.
async fn hosts(name: &str, base: &Config, config: &mut Config) -> Result<Place, Failure> {
    let (mut shown, mut is_local) = (Vec::new(), true);
    let ports = base.get_ports();
    if base.get_hosts().is_empty() {
        return Err(address::bad_url(name, "it names no host"));
    }
    for (i, host) in base.get_hosts().iter().enumerate() {
        let port = ports.get(i).or(ports.last().filter(|_| ports.len() == 1)).copied().unwrap_or(5432);
        match host {
            Host::Tcp(host) => {
                let addresses = match base.get_hostaddrs().get(i) {
                    Some(ip) => address::resolve(name, &ip.to_string(), port).await?,
                    None => address::resolve(name, host, port).await?,
                };
                for at in addresses {
                    is_local &= is_loopback(at.ip());
                    config.host(host).hostaddr(at.ip()).port(port);
                }
                shown.push(format!("{host}:{port}"));
            }
            Host::Unix(path) if base.get_hosts().len() == 1 => {
                config.host_path(path).port(port);
                shown.push(path.display().to_string());
            }
            Host::Unix(_) => return Err(address::bad_url(name, "it mixes a socket with other hosts")),
        }
    }
    Ok(Place { shown: shown.join(", "), is_local })
}

fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

/// The URL without its `sslmode`, which the driver knows only in part, and the mode.
fn without_sslmode(name: &str, text: &str) -> Result<(String, Option<Mode>), Failure> {
    let Ok(mut url) = Url::parse(text) else {
        // Several hosts are no URL to the URL parser; the driver reads them.
        return Ok((text.to_owned(), None));
    };
    let mut mode = None;
    let mut kept = Vec::new();
    for (key, value) in url.query_pairs() {
        if key != "sslmode" {
            kept.push((key.into_owned(), value.into_owned()));
            continue;
        }
        mode = Some(match &*value {
            "disable" => Mode::Disable,
            "allow" | "prefer" => Mode::Prefer,
            "require" | "verify-ca" | "verify-full" => Mode::Require,
            other => {
                return Err(Failure::unknown("sslmode", other, ["disable", "prefer", "require", "verify-full"]).on(name));
            }
        });
    }
    if mode.is_some() {
        url.set_query(None);
        if !kept.is_empty() {
            url.query_pairs_mut().extend_pairs(kept);
        }
    }
    Ok((url.into(), mode))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sslmode_is_taken_out_of_the_url() {
        let (url, mode) = without_sslmode("db", "postgres://u@h/d?sslmode=verify-full&connect_timeout=3").unwrap();
        assert_eq!((url.as_str(), mode), ("postgres://u@h/d?connect_timeout=3", Some(Mode::Require)));
        assert_eq!(without_sslmode("db", "postgres://u@h/d").unwrap(), ("postgres://u@h/d".to_owned(), None));
        let failure = without_sslmode("db", "postgres://u@h/d?sslmode=requir").unwrap_err();
        assert_eq!(failure.hint.as_deref(), Some("did you mean `require`?"));
    }
}
