use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mongodb::bson::{Document, doc};

use super::{gives_cursor, interrupted, limited};
use crate::config::{Config, Database, DatabaseKind, Environment};
use crate::model::{Failure, Kind, Read, Value};
use crate::platform::real::Real;
use crate::platform::{Cancel, Cx, Observe};

/// A server of a replica set, and how many have connected to it.
struct Server {
    address: String,
    connected: Arc<AtomicUsize>,
}

impl Server {
    /// One that names further hosts of its set, and says whether it is the primary.
    fn start(further: &[String], is_primary: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let connected = Arc::new(AtomicUsize::new(0));
        let hosts: Vec<String> = std::iter::once(address.clone()).chain(further.iter().cloned()).collect();
        let hello = doc! {
            "helloOk": true, "ismaster": is_primary, "isWritablePrimary": is_primary, "secondary": !is_primary, "setName": "rs0",
            "setVersion": 1, "hosts": hosts, "me": &address, "maxBsonObjectSize": 16_777_216, "maxMessageSizeBytes": 48_000_000,
            "maxWriteBatchSize": 100_000, "minWireVersion": 0, "maxWireVersion": 21, "ok": 1.0,
        };
        let count = Arc::clone(&connected);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                count.fetch_add(1, Ordering::SeqCst);
                let hello = hello.clone();
                std::thread::spawn(move || serve(stream.unwrap(), &hello, is_primary));
            }
        });
        Self { address, connected }
    }
}

/// Answers every message: a greeting with the server's, anything else with whether it is the primary.
fn serve(mut stream: TcpStream, hello: &Document, is_primary: bool) -> Option<()> {
    loop {
        let mut header = [0; 16];
        stream.read_exact(&mut header).ok()?;
        let number = |at: usize| i32::from_le_bytes(header[at..at + 4].try_into().unwrap());
        let mut body = vec![0; usize::try_from(number(0)).unwrap() - 16];
        stream.read_exact(&mut body).ok()?;
        let greets = [&b"hello\0"[..], b"isMaster\0", b"ismaster\0"].iter().any(|word| body.windows(word.len()).any(|at| at == *word));
        let answer = if greets {
            hello.clone()
        } else {
            doc! { "primary": is_primary, "ok": 1.0 }
        };
        let mut document = Vec::new();
        answer.to_writer(&mut document).unwrap();
        // A greeting may come in the old form, and is answered in it.
        let (code, head) = match number(12) {
            2004 => (1, [8i32, 0, 0, 0, 1].iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<u8>>()),
            _ => (2013, vec![0; 5]),
        };
        let length = i32::try_from(16 + head.len() + document.len()).unwrap();
        let header: Vec<u8> = [length, 1, number(4), code].iter().flat_map(|n| n.to_le_bytes()).collect();
        stream.write_all(&[header, head, document].concat()).ok()?;
    }
}

fn real(url: String) -> Real {
    let database = Database { url, kind: DatabaseKind::Mongo, password: None, reader: None, workload: None, replicas: 1, ca: None };
    Real::new(Arc::new(Config::default()), Environment { databases: [("db".to_owned(), database)].into(), ..Environment::default() })
        .unwrap()
}

fn ask(real: &Real) -> Result<Value, Failure> {
    let op =
        Read::Mongo { database: "db".into(), command: vec![("dbStats".into(), 1.into())], save: None, timeout: Duration::from_secs(5) };
    let cancel = Cancel::default();
    real.read(&op, &Cx::quiet(&cancel)).map(|answer| answer.value)
}

#[test]
fn hosts_that_only_a_server_names_are_never_connected_to() {
    let undeclared = Server::start(&[], false);
    let further = [undeclared.address.clone(), "169.254.169.254:27017".to_owned()];
    for rest in ["", "?directConnection=false", "?replicaSet=rs0"] {
        let (one, other) = (Server::start(&further, true), Server::start(&further, false));
        for url in [format!("mongodb://{}/{rest}", one.address), format!("mongodb://{},{}/{rest}", other.address, one.address)] {
            let real = real(url.clone());
            let answer = ask(&real).unwrap_or_else(|failure| panic!("{url}: {failure:?}"));
            assert_eq!(answer.get("primary"), Some(&Value::Bool(true)), "{url}");
            // Discovery needs no call: what a greeting names is connected to in the background.
            std::thread::sleep(Duration::from_millis(400));
            assert_eq!(undeclared.connected.load(Ordering::SeqCst), 0, "{url}");
        }
    }
}

#[test]
fn of_the_urls_servers_a_secondary_is_asked_where_it_is_preferred_or_alone() {
    let (primary, secondary) = (Server::start(&[], true), Server::start(&[], false));
    let both = format!("mongodb://{},{}", primary.address, secondary.address);
    let is_primary = |url: String| ask(&real(url)).unwrap().get("primary").cloned();
    assert_eq!(is_primary(format!("{both}/?readPreference=secondaryPreferred")), Some(Value::Bool(false)));
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(is_primary(format!("mongodb://{closed},{}", secondary.address)), Some(Value::Bool(false)));
}

#[test]
fn one_server_that_must_not_be_connected_to_refuses_the_whole_url() {
    let server = Server::start(&[], true);
    for url in [format!("mongodb://{},169.254.169.254", server.address), "mongodb://169.254.169.254".to_owned()] {
        assert_eq!(ask(&real(url)).unwrap_err().kind, Kind::Denied);
    }
    assert_eq!(server.connected.load(Ordering::SeqCst), 0);
}

#[test]
fn cursors_are_known_by_their_commands() {
    assert!(gives_cursor("find", &doc! { "find": "c" }) && gives_cursor("aggregate", &doc! { "aggregate": "c" }));
    assert!(!gives_cursor("aggregate", &doc! { "aggregate": "c", "explain": true }) && !gives_cursor("count", &doc! { "count": "c" }));
}

#[test]
fn a_command_that_the_server_broke_off_may_have_done_something() {
    for code in [50, 64, 91, 189, 262, 11600, 11601, 11602] {
        assert!(interrupted(code).is_some(), "{code}");
    }
    // Refused before anything was done: not the primary, a duplicate key, a conflict of a write that was rolled back.
    for code in [10107, 11000, 112, 13435] {
        assert_eq!(interrupted(code), None, "{code}");
    }
}

#[test]
fn a_search_ends_on_the_server_when_nobody_waits_for_it_any_more() {
    let limit = |command: Document| limited(command, Duration::from_millis(1500)).get_i32("maxTimeMS").ok();
    assert_eq!(limit(doc! { "find": "c" }), Some(1500));
    assert_eq!(limit(doc! { "aggregate": "c", "pipeline": [] }), Some(1500));
    assert_eq!(limit(doc! { "count": "c", "maxTimeMS": 7 }), Some(7), "what the script says holds");
    assert_eq!(limit(doc! { "ping": 1 }), None);
    assert_eq!(limited(doc! { "find": "c" }, Duration::MAX).get_i32("maxTimeMS").ok(), Some(i32::MAX));
}
