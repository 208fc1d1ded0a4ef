//! Redis: one multiplexed connection a database; no command is sent twice.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Mutex as Lock;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::io::AsyncDNSResolver;
use ::redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo, RedisError, RedisFuture, ServerErrorKind,
    TlsCertificates, Value as Reply,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Mutex;
use url::Url;

use super::runtime::Departure;
use super::tunnel::Tunnels;
use super::{MOST_BYTES, Real, address, resolve, tls};
use crate::config::{Database, DatabaseKind};
use crate::model::operation::RedisChange;
use crate::model::{Failure, Kind, Map, Sent, Value};
use crate::platform::failures;

/// The connections by database.
#[derive(Default)]
pub(super) struct Redis(Lock<HashMap<String, Arc<Mutex<Option<MultiplexedConnection>>>>>);

impl Redis {
    /// Sends one command and answers its reply.
    pub(super) async fn read(&self, real: &Real, name: &str, command: &[String], timeout: Duration) -> Result<Value, Failure> {
        let database = address::database(&real.environment, name, DatabaseKind::Redis)?;
        let (verb, args) = command.split_first().ok_or_else(|| Failure::bad_argument("a Redis command needs a name"))?;
        let (slot, mut connection) = self.connection(real, name, database, timeout).await?;
        if expected(verb, args, &mut connection).await.is_some_and(|bytes| bytes > MOST_BYTES as f64) {
            return Err(too_large().on(name));
        }
        let mut sent = ::redis::cmd(verb);
        for arg in args {
            sent.arg(arg);
        }
        match sent.query_async::<Reply>(&mut connection).await {
            Ok(reply) => {
                let reply = value(reply, &mut MOST_BYTES.clone())?;
                Ok(if verb.eq_ignore_ascii_case("HGETALL") { paired(reply) } else { reply })
            }
            Err(error) => {
                drop_broken(&slot, &error).await;
                Err(failure(name, verb, &error))
            }
        }
    }

    /// Sends one command that may change something, once. A connection that is lost after it was sent leaves it in doubt.
    pub(super) async fn change(&self, real: &Real, change: &RedisChange, departure: &Departure) -> Result<Value, Failure> {
        let name = &change.database;
        let database = address::database(&real.environment, name, DatabaseKind::Redis)?;
        let words = change.command.iter().map(open).collect::<Result<Vec<_>, _>>()?;
        let (verb, args) = words.split_first().ok_or_else(|| Failure::bad_argument("a Redis command needs a name"))?;
        let (slot, mut connection) = self.connection(real, name, database, change.timeout).await?;
        let mut sent = ::redis::cmd(verb);
        for arg in args {
            sent.arg(*arg);
        }
        departure.leaves();
        match sent.query_async::<Reply>(&mut connection).await {
            Ok(reply) => value(reply, &mut MOST_BYTES.clone()).map_err(|failure| {
                let sent = if failure.kind == Kind::TooLarge { Sent::Done } else { Sent::Yes };
                failure.on(name.as_str()).sent(sent)
            }),
            Err(error) => {
                drop_broken(&slot, &error).await;
                let failure = failure(name, verb, &error);
                let answered = !error.code().unwrap_or_default().is_empty();
                if !answered {
                    let doubt = failures::in_doubt(format!("{}; the command was sent", failure.message)).on(name.as_str());
                    let ends = verb.eq_ignore_ascii_case("SHUTDOWN");
                    return Err(if ends {
                        doubt.hint("a server that stops as it is told answers nothing: see whether it is gone")
                    } else {
                        doubt
                    });
                }
                Err(hiding(failure, &change.command).sent(Sent::Yes))
            }
        }
    }

    /// A database's connection, and where it is kept.
    async fn connection(
        &self,
        real: &Real,
        name: &str,
        database: &Database,
        timeout: Duration,
    ) -> Result<(Arc<Mutex<Option<MultiplexedConnection>>>, MultiplexedConnection), Failure> {
        let slot = Arc::clone(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(name.to_owned()).or_default());
        let connection = {
            let mut slot = slot.lock().await;
            match slot.as_ref() {
                Some(connection) => connection.clone(),
                None => slot.insert(connect(real, name, database, timeout).await?).clone(),
            }
        };
        Ok((slot, connection))
    }
}

/// Forgets a connection that answers nothing any more.
async fn drop_broken(slot: &Mutex<Option<MultiplexedConnection>>, error: &RedisError) {
    if error.is_unrecoverable_error() || error.is_connection_dropped() {
        *slot.lock().await = None;
    }
}

/// A command's word as it is sent.
fn open(word: &Value) -> Result<&str, Failure> {
    match word {
        Value::Str(text) => Ok(text),
        Value::Secret(secret) => Ok(secret.expose()),
        other => Err(Failure::bad_argument(format!("a Redis command takes no {}", other.type_name()))),
    }
}

/// A failure without the secrets that the server may have quoted.
fn hiding(failure: Failure, command: &[Value]) -> Failure {
    let secrets: Vec<&str> =
        command.iter().filter_map(|word| if let Value::Secret(secret) = word { Some(secret.expose()) } else { None }).collect();
    let message =
        secrets.iter().filter(|secret| !secret.is_empty()).fold(failure.message.clone(), |text, secret| text.replace(secret, "***"));
    Failure { message, ..failure }
}

/// About how large a reply will be that answers a value whole: up to 512 MiB, which would be read before they are measured.
///
/// None where the server does not tell (another type, a right that lacks): it answers the command itself. A collection is measured by its
/// memory, of which a quarter at most is its text; the sizes of a range's items are taken for alike.
async fn expected(verb: &str, args: &[String], connection: &mut MultiplexedConnection) -> Option<f64> {
    let mut number = async |words: &[&str]| {
        let mut command = ::redis::cmd(words.first()?);
        command.arg(&words[1..]);
        match command.query_async::<Reply>(connection).await {
            Ok(Reply::Int(number)) => Some(number as f64),
            _ => None,
        }
    };
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match (verb.to_ascii_uppercase().as_str(), args.as_slice()) {
        ("GET", [key]) => number(&["STRLEN", key]).await,
        ("HGET", [key, field]) => number(&["HSTRLEN", key, field]).await,
        ("MGET", keys) => {
            let mut all = 0.0;
            for key in keys {
                all += number(&["STRLEN", key]).await.unwrap_or(0.0);
            }
            Some(all)
        }
        ("HGETALL" | "HKEYS" | "HVALS" | "SMEMBERS", [key]) => Some(number(&["MEMORY", "USAGE", key, "SAMPLES", "0"]).await? / 4.0),
        (verb @ ("LRANGE" | "ZRANGE" | "ZREVRANGE"), [key, from, to, ..]) => {
            let whole = number(&["MEMORY", "USAGE", key, "SAMPLES", "0"]).await? / 4.0;
            if whole <= MOST_BYTES as f64 {
                return Some(whole);
            }
            let length = number(&[if verb == "LRANGE" { "LLEN" } else { "ZCARD" }, key]).await?;
            let place =
                |text: &str| text.parse::<f64>().ok().map(|at| if at < 0.0 { (length + at).max(0.0) } else { at.min(length - 1.0) });
            // A range by score or by name may be all of it.
            let asked = (place(to)? - place(from)? + 1.0).max(0.0);
            Some(whole * asked / length.max(1.0))
        }
        _ => None,
    }
}

fn too_large() -> Failure {
    Failure::new(Kind::TooLarge, "the reply is larger than 8 MiB").hint("ask for less: a range, SCAN with COUNT, STRLEN or LLEN first")
}

/// Connects and logs in.
async fn connect(real: &Real, name: &str, database: &Database, timeout: Duration) -> Result<MultiplexedConnection, Failure> {
    let url = Url::parse(&database.url).map_err(|e| address::bad_url(name, &e.to_string()))?;
    if url.password().is_some() {
        return Err(address::password_in_url(name));
    }
    let mut info = url.into_connection_info().map_err(|_| address::bad_url(name, "it is no Redis URL"))?;
    if let Some(source) = &database.password {
        let password = real.sources.open(source, &real.kubernetes).await?;
        let settings = info.redis_settings().clone().set_password(password.expose());
        info = info.set_redis_settings(settings);
    }
    let encrypted = matches!(info.addr(), ConnectionAddr::TcpTls { .. });
    let host = match info.addr() {
        ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => Some((host.clone(), *port)),
        _ => None,
    };
    if let (Some(tunnels), Some((host, port))) = (&real.tunnels, &host)
        && tunnels.lead_to(host).await.map_err(|failure| failure.on(name))?
    {
        let way = Way { name, database, host, port: *port, timeout };
        return inside(tunnels, &way, &info).await;
    }
    if let Some((host, port)) = &host {
        // For a clear refusal; the resolver below checks again what is connected to.
        address::resolve(name, host, *port).await?;
    }
    tls::install();
    let client = match &database.ca {
        Some(ca) if encrypted => Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert: Some(tls::bundle(ca)?) }),
        _ => Client::open(info),
    }
    .map_err(|_| address::bad_url(name, "it is no Redis URL"))?;
    let config =
        AsyncConnectionConfig::new().set_connection_timeout(Some(timeout)).set_response_timeout(None).set_dns_resolver(CheckedResolver);
    client.get_multiplexed_async_connection_with_config(&config).await.map_err(|error| match host {
        Some((host, port)) => connecting(name, &host, port, timeout, &error),
        None => failure(name, "AUTH", &error),
    })
}

/// A connection that failed.
fn connecting(name: &str, host: &str, port: u16, timeout: Duration, error: &RedisError) -> Failure {
    if error.is_timeout() {
        return address::silent(name, host, port, timeout);
    }
    if error.is_io_error() || error.kind() == ErrorKind::Parse {
        return failures::unreachable(name, &format!("{host}:{port}"), &short(error));
    }
    match failure(name, "AUTH", error) {
        refused if refused.kind == Kind::Auth => {
            Failure { message: format!("the database `{name}` at {host}:{port} refuses the password"), ..refused }
        }
        other => other,
    }
}

/// A database of the cluster.
struct Way<'a> {
    name: &'a str,
    database: &'a Database,
    host: &'a str,
    port: u16,
    timeout: Duration,
}

/// Connects and logs in through a tunnel.
async fn inside(tunnels: &Tunnels, way: &Way<'_>, info: &ConnectionInfo) -> Result<MultiplexedConnection, Failure> {
    let Way { name, database, host, port, timeout } = way;
    let tunnel = tunnels.open(host, *port).await.map_err(|failure| failure.on(*name))?;
    let late = |_| address::silent(name, host, *port, *timeout);
    match info.addr() {
        ConnectionAddr::TcpTls { insecure: true, .. } => Err(address::bad_url(name, "its certificate would not be checked")),
        ConnectionAddr::TcpTls { .. } => {
            let wrapped = tokio::time::timeout(*timeout, tls::wrap(tunnel, host, database.ca.as_deref())).await.map_err(late)?;
            let stream = wrapped.map_err(|error| failures::unreachable(name, &format!("{host}:{port}"), &tls::told(&error)))?;
            logged_in(way, info, stream).await
        }
        _ => logged_in(way, info, tunnel).await,
    }
}

async fn logged_in<S>(way: &Way<'_>, info: &ConnectionInfo, stream: S) -> Result<MultiplexedConnection, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Way { name, host, port, timeout, .. } = way;
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    let opened = MultiplexedConnection::new_with_config(info.redis_settings(), stream, config);
    let (connection, work) = tokio::time::timeout(*timeout, opened)
        .await
        .map_err(|_| address::silent(name, host, *port, *timeout))?
        .map_err(|error| connecting(name, host, *port, *timeout, &error))?;
    // Its end shows in the connection.
    tokio::spawn(work);
    Ok(connection)
}

/// Connects only to addresses that may be connected to.
struct CheckedResolver;

impl AsyncDNSResolver for CheckedResolver {
    fn resolve<'a, 'b: 'a>(&'a self, host: &'b str, port: u16) -> RedisFuture<'a, Box<dyn Iterator<Item = SocketAddr> + Send + 'a>> {
        Box::pin(async move {
            let found = resolve::resolve(host, port).await.map_err(|refusal| std::io::Error::other(refusal.to_string()))?;
            Ok(Box::new(found.into_iter()) as Box<dyn Iterator<Item = SocketAddr> + Send>)
        })
    }
}

fn short(error: &RedisError) -> String {
    if error.is_connection_refusal() {
        return "connection refused".into();
    }
    if error.is_timeout() {
        return "timeout".into();
    }
    if error.is_connection_dropped() {
        return "connection closed".into();
    }
    if error.kind() == ErrorKind::Parse {
        return "what answered is no reply of Redis".into();
    }
    error.to_string()
}

/// A Redis error by kind. The command's arguments are in no message.
fn failure(name: &str, verb: &str, error: &RedisError) -> Failure {
    let code = error.code().unwrap_or_default();
    let said = match (code, error.detail()) {
        ("", _) | (_, None) => short(error),
        // An unknown command comes back with its arguments.
        (code, Some(detail)) => format!("{code} {}", detail.split(", with args beginning with").next().unwrap_or_default()),
    };
    let made = |kind, hint: &str| Failure::new(kind, format!("redis `{name}`: {verb}: {said}")).hint(hint);
    match (error.kind(), code) {
        (ErrorKind::AuthenticationFailed, _) | (_, "WRONGPASS" | "NOAUTH") => {
            made(Kind::Auth, "is the password right? the database's `password` says where it is")
        }
        (ErrorKind::Server(ServerErrorKind::NoPerm), _) => made(Kind::Forbidden, "the user's ACL forbids it"),
        (ErrorKind::Server(ServerErrorKind::Moved | ServerErrorKind::Ask | ServerErrorKind::CrossSlot), _) => {
            made(Kind::Failed, "this is a cluster, and the key is on another node: name that node's address")
        }
        (
            ErrorKind::Server(
                ServerErrorKind::BusyLoading | ServerErrorKind::TryAgain | ServerErrorKind::ClusterDown | ServerErrorKind::MasterDown,
            ),
            _,
        )
        | (_, "BUSY") => made(Kind::Unavailable, "try again later"),
        (ErrorKind::Io, _) if error.is_timeout() => made(Kind::Timeout, "give it longer with `timeout:`"),
        (ErrorKind::Io | ErrorKind::Parse, _) => made(Kind::Unavailable, "does it run, and is it reachable from here?"),
        _ => failures::redis(name, verb, &said),
    }
}

/// Keys and values one after the other, as RESP2 has hashes, as a map; what is a map already stays one.
fn paired(reply: Value) -> Value {
    match reply {
        Value::List(items) if items.len() % 2 == 0 && items.iter().step_by(2).all(|key| key.as_str().is_some()) => {
            let key = |key: &Value| key.as_str().unwrap_or_default().to_owned();
            Value::Map(items.chunks_exact(2).map(|pair| (key(&pair[0]), pair[1].clone())).collect())
        }
        other => other,
    }
}

/// A reply as plain data: strings lossy, RESP3 maps as maps, sets as arrays, statuses as strings.
fn value(reply: Reply, budget: &mut usize) -> Result<Value, Failure> {
    let mut spend = |bytes: usize| {
        *budget = budget.checked_sub(bytes.saturating_add(8)).ok_or_else(too_large)?;
        Ok::<(), Failure>(())
    };
    Ok(match reply {
        Reply::Nil => Value::Null,
        Reply::Int(n) => Value::Int(n),
        Reply::Double(x) => Value::Float(x),
        Reply::Boolean(b) => Value::Bool(b),
        Reply::Okay => Value::Str("OK".into()),
        Reply::BulkString(bytes) | Reply::BigNumber(bytes) => {
            spend(bytes.len())?;
            Value::Str(String::from_utf8_lossy(&bytes).into_owned())
        }
        Reply::SimpleString(text) | Reply::VerbatimString { text, .. } => {
            spend(text.len())?;
            Value::Str(text)
        }
        Reply::Array(items) | Reply::Set(items) | Reply::Push { data: items, .. } => {
            spend(0)?;
            Value::List(items.into_iter().map(|item| value(item, budget)).collect::<Result<_, _>>()?)
        }
        Reply::Map(pairs) => {
            let mut map = Map::new();
            for (key, item) in pairs {
                let key = match value(key, budget)? {
                    Value::Str(key) => key,
                    other => other.to_string(),
                };
                map.insert(key.into(), value(item, budget)?);
            }
            Value::Map(map)
        }
        Reply::Attribute { data, .. } => value(*data, budget)?,
        Reply::ServerError(error) => {
            return Err(Failure::new(Kind::Failed, format!("redis: {} {}", error.code(), error.details().unwrap_or_default())));
        }
        _ => return Err(Failure::new(Kind::Failed, "redis: a reply of an unknown type")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map;

    #[test]
    fn a_hash_is_a_map_in_both_protocols() {
        let flat = Value::List(["f", "v", "g", "2"].map(Value::from).into());
        assert_eq!(paired(flat), map! { "f" => "v", "g" => "2" });
        assert_eq!(paired(Value::List(Vec::new())), map! {});
        assert_eq!(paired(map! { "f" => "v" }), map! { "f" => "v" });
    }

    #[test]
    fn a_value_that_is_too_large_is_not_fetched() {
        use std::io::{BufRead as _, BufReader, Write as _};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("redis://{}", listener.local_addr().unwrap());
        let (tell, asked) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let stream = listener.accept().unwrap().0;
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            while let Some(count) = lines.next() {
                let count: usize = count.trim_start_matches('*').parse().unwrap();
                let words: Vec<String> = (0..count).map(|_| lines.nth(1).unwrap()).collect();
                let length = if words.contains(&"huge".to_owned()) { 400 << 20 } else { 5 };
                let reply = match words[0].as_str() {
                    "STRLEN" | "HSTRLEN" | "MEMORY" | "LLEN" => format!(":{length}\r\n"),
                    "GET" | "HGET" => "$5\r\nvalue\r\n".to_owned(),
                    _ => "+OK\r\n".to_owned(),
                };
                tell.send(words.join(" ")).unwrap();
                (&stream).write_all(reply.as_bytes()).unwrap();
            }
        });
        let database = Database { url, kind: DatabaseKind::Redis, password: None, reader: None, workload: None, replicas: 1, ca: None };
        let environment = crate::config::Environment { databases: [("db".to_owned(), database)].into(), ..Default::default() };
        let real = Real::new(Arc::default(), environment).unwrap();
        let cancel = crate::platform::Cancel::default();
        let ask = |words: &[&str]| {
            let command = words.iter().map(|word| (*word).to_owned()).collect();
            let op = crate::model::Read::Redis { database: "db".into(), command, timeout: Duration::from_secs(5) };
            crate::platform::Observe::read(&real, &op, &crate::platform::Cx::quiet(&cancel))
        };
        assert_eq!(ask(&["GET", "small"]).unwrap().value, "value".into());
        assert_eq!(ask(&["get", "huge"]).unwrap_err().kind, Kind::TooLarge);
        assert_eq!(ask(&["HGET", "huge", "field"]).unwrap_err().kind, Kind::TooLarge);
        assert_eq!(ask(&["HGETALL", "huge"]).unwrap_err().kind, Kind::TooLarge);
        assert_eq!(ask(&["LRANGE", "huge", "0", "-1"]).unwrap_err().kind, Kind::TooLarge);
        let asked: Vec<String> = asked.try_iter().filter(|words| !words.starts_with("CLIENT")).collect();
        assert_eq!(
            asked,
            [
                "STRLEN small",
                "GET small",
                "STRLEN huge",
                "HSTRLEN huge field",
                "MEMORY USAGE huge SAMPLES 0",
                "MEMORY USAGE huge SAMPLES 0",
                "LLEN huge"
            ]
        );
    }

    #[test]
    fn replies_are_plain_data() {
        let reply = Reply::Array(vec![
            Reply::Int(7),
            Reply::Nil,
            Reply::BulkString(b"a\xff".to_vec()),
            Reply::Map(vec![(Reply::SimpleString("k".into()), Reply::Double(0.5)), (Reply::Int(2), Reply::Boolean(true))]),
        ]);
        let expected = Value::List(vec![7.into(), Value::Null, "a\u{fffd}".into(), map! { "k" => 0.5, "2" => true }]);
        assert_eq!(value(reply, &mut 1024).unwrap(), expected);
        let large = Reply::Array((0..9).map(|_| Reply::BulkString(vec![b'x'; 1 << 20])).collect());
        assert_eq!(value(large, &mut MOST_BYTES.clone()).unwrap_err().kind, Kind::TooLarge);
    }
}
