//! Connecting to MongoDB: only to the servers that the URL names, each by itself.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use mongodb::Client;
use mongodb::bson::doc;
use mongodb::error::ErrorKind;
use mongodb::options::{ClientOptions, ReadPreference, SelectionCriteria, ServerAddress, Tls, TlsOptions};
use tokio::net::TcpStream;

use super::super::tunnel::{Lead, Socket, Tunnels};
use super::super::{Real, address, http, tls};
use super::{Connected, failure, inside};
use crate::config::Database;
use crate::model::{Failure, Kind};
use crate::platform::failures;

/// The longest search for a server; within it a refused connection is reported as such.
const SELECTION: Duration = Duration::from_secs(5);

/// The longest wait for a server to take a connection.
const KNOCK: Duration = Duration::from_secs(3);

/// Connects to one of the URL's servers.
pub(super) async fn connect(real: &Real, name: &str, database: &Database, timeout: Duration) -> Result<Connected, Failure> {
    let url = match &database.password {
        Some(source) => {
            let password = real.sources.open(source, &real.kubernetes).await?;
            with_password(name, &database.url, Some(password.expose()))?
        }
        None => with_password(name, &database.url, None)?,
    };
    tls::install();
    // The parser's message may quote the address, and with it the password.
    let mut options = ClientOptions::parse(url).await.map_err(|error| match *error.kind {
        ErrorKind::DnsResolve { .. } => {
            Failure::new(Kind::Unavailable, format!("the servers of the database `{name}` cannot be looked up"))
        }
        _ => address::bad_url(name, "it is no MongoDB URL"),
    })?;
    options.retry_writes = Some(false);
    options.app_name = Some("runbook".into());
    options.server_selection_timeout = Some(SELECTION.min(timeout.mul_f64(0.8)));
    options.connect_timeout = Some(SELECTION);
    if let Some(ca) = &database.ca {
        let trusted = TlsOptions::builder().ca_file_path(ca.clone()).build();
        options.tls = Some(match options.tls.take() {
            Some(Tls::Enabled(mut given)) => {
                given.ca_file_path.get_or_insert_with(|| ca.clone());
                Tls::Enabled(given)
            }
            Some(Tls::Disabled) => Tls::Disabled,
            None => Tls::Enabled(trusted),
        });
    }
    let named = options.default_database.clone();
    let (client, way) = declared(name, real.tunnels.as_ref(), &options).await?;
    Ok(Connected { handle: client.database(named.as_deref().unwrap_or("admin")), _way: way })
}

/// The server to ask, of those that the URL names: the primary, unless the URL prefers a secondary, else any that answers.
///
/// The driver itself would go on to whatever hosts a server says are in its set, and log in there.
async fn declared(name: &str, tunnels: Option<&Arc<Tunnels>>, options: &ClientOptions) -> Result<(Client, Option<Socket>), Failure> {
    let mut places = Vec::new();
    for host in &options.hosts {
        if let (Some(tunnels), ServerAddress::Tcp { host: given, port }) = (tunnels, host)
            && tunnels.lead_to(given).await.map_err(|failure| failure.on(name))?
        {
            let way = inside::way(name, Arc::clone(tunnels), given, port.unwrap_or(27017), options)?;
            places.push(Found::Inside(way));
            continue;
        }
        match addresses(name, host).await {
            // What must not be connected to is refused, whatever else the URL names.
            Err(failure) if failure.kind.latches() => return Err(failure),
            found => places.push(Found::Direct(host, found)),
        }
    }
    let encrypted = matches!(options.tls, Some(Tls::Enabled(_)));
    let is_only = places.len() == 1;
    let mut asked: FuturesUnordered<_> = places
        .into_iter()
        .map(async |found| {
            let (client, way) = match found {
                Found::Direct(host, found) => (alone(options, knock(name, host, found?, encrypted).await?), None),
                Found::Inside(way) => {
                    let socket = inside::knock(name, way).await?;
                    let mut options = options.clone();
                    options.tls = Some(Tls::Disabled);
                    (alone(&options, ServerAddress::Unix { path: socket.path().to_owned() }), Some(socket))
                }
            };
            let client = client.map_err(|_| address::bad_url(name, "its options do not go together"))?;
            if is_only {
                return Ok((client, way, true));
            }
            let hello = client.database("admin").run_command(doc! { "hello": 1 }).await.map_err(|error| failure(name, "hello", &error))?;
            Ok((client, way, hello.get_bool("isWritablePrimary").unwrap_or(false)))
        })
        .collect();
    let prefers_primary = !matches!(
        options.selection_criteria,
        Some(SelectionCriteria::ReadPreference(ReadPreference::Secondary { .. } | ReadPreference::SecondaryPreferred { .. }))
    );
    let (mut other, mut failed) = (None, address::bad_url(name, "it names no server"));
    while let Some(answer) = asked.next().await {
        match answer {
            Ok((client, way, is_primary)) if is_only || is_primary == prefers_primary => return Ok((client, way)),
            Ok((client, way, _)) => other = Some((client, way)),
            // A refused login says more than a server that is not there.
            Err(failure) if failed.kind != Kind::Auth => failed = failure,
            Err(_) => {}
        }
    }
    other.ok_or(failed)
}

/// A server of the URL: where it is, or the way to it.
enum Found<'a> {
    Direct(&'a ServerAddress, Result<Vec<SocketAddr>, Failure>),
    Inside(Lead),
}

/// A client of one server that never connects to another. A load balancer names none.
fn alone(options: &ClientOptions, host: ServerAddress) -> mongodb::error::Result<Client> {
    let mut options = options.clone();
    options.hosts = vec![host];
    if options.load_balanced != Some(true) {
        options.direct_connection = Some(true);
    }
    Client::with_options(options)
}

/// The addresses of a host that may be connected to; none of a socket.
async fn addresses(name: &str, host: &ServerAddress) -> Result<Vec<SocketAddr>, Failure> {
    match host {
        ServerAddress::Tcp { host, port } => address::resolve(name, host, port.unwrap_or(27017)).await,
        _ => Ok(Vec::new()),
    }
}

/// Checks that a server takes connections: the driver would search for its whole selection time. Answers what to connect to:
/// the address that was checked, unless certificates, which are for the name, keep the driver from another.
async fn knock(name: &str, server: &ServerAddress, addresses: Vec<SocketAddr>, encrypted: bool) -> Result<ServerAddress, Failure> {
    let ServerAddress::Tcp { host, port } = server else { return Ok(server.clone()) };
    let place = format!("{host}:{}", port.unwrap_or(27017));
    match tokio::time::timeout(KNOCK, TcpStream::connect(addresses.as_slice())).await {
        Ok(Ok(stream)) => Ok(match stream.peer_addr() {
            Ok(SocketAddr::V4(at)) if !encrypted => ServerAddress::Tcp { host: at.ip().to_string(), port: Some(at.port()) },
            Ok(SocketAddr::V6(at)) if !encrypted => ServerAddress::Tcp { host: format!("[{}]", at.ip()), port: Some(at.port()) },
            _ => server.clone(),
        }),
        Ok(Err(error)) => Err(failures::unreachable(name, &place, &http::io_text(&error))),
        Err(_) => Err(failures::unreachable(name, &place, "no answer")),
    }
}

/// The address with the password in it, for the driver only.
fn with_password(name: &str, url: &str, password: Option<&str>) -> Result<String, Failure> {
    let (scheme, rest) = url.split_once("://").ok_or_else(|| address::bad_url(name, "it is no MongoDB URL"))?;
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let Some((user, _)) = authority.rsplit_once('@') else {
        return match password {
            None => Ok(url.to_owned()),
            Some(_) => Err(address::bad_url(name, "there is a password, and no user").hint("write `mongodb://USER@HOST/DATABASE`")),
        };
    };
    if user.contains(':') {
        return Err(address::password_in_url(name));
    }
    let Some(password) = password else { return Ok(url.to_owned()) };
    let password: String = url::form_urlencoded::byte_serialize(password.as_bytes()).collect::<String>().replace('+', "%20");
    Ok(format!("{scheme}://{user}:{password}{}", &rest[user.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_enters_the_address_encoded_and_never_comes_from_it() {
        let with = |url, password| with_password("db", url, password);
        assert_eq!(with("mongodb://u@a:1,b:2/x?y=z", Some("p@ss/w:rd")).unwrap(), "mongodb://u:p%40ss%2Fw%3Ard@a:1,b:2/x?y=z");
        assert_eq!(with("mongodb://a/x", None).unwrap(), "mongodb://a/x");
        let planted = with("mongodb://u:hunter2@a/x", None).unwrap_err();
        assert!(!planted.message.contains("hunter2") && planted.hint.unwrap().contains("password ="));
        assert!(with("mongodb://a/x", Some("p")).is_err());
    }
}
