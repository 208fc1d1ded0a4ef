//! The stand-in for HTTP services, webhooks and bad networks (tests/services/README.md).

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::real::variable;

/// Asks the stand-in's control API.
#[track_caller]
fn control(method: &str, path: &str, body: &Value) -> Value {
    let url = variable("RUNBOOK_TEST_STANDIN");
    let address = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let body = if body.is_null() { String::new() } else { body.to_string() };
    // HTTP/1.0: the answer ends with the connection.
    write!(stream, "{method} {path} HTTP/1.0\r\nHost: {address}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.lines().next().unwrap().contains(" 200 "), "{method} {path}: {answer}");
    serde_json::from_str(body).unwrap()
}

/// An HTTP service of one test's own.
pub struct Slot {
    number: u64,
    /// `127.0.0.1:PORT`.
    pub address: String,
}

impl Slot {
    /// A new one, with what it answers: `{"GET /health": ANSWER, …}`.
    #[track_caller]
    pub fn new(routes: &Value) -> Self {
        let made = control("POST", "/slots", &Value::Null);
        let slot = Self { number: made["slot"].as_u64().unwrap(), address: made["address"].as_str().unwrap().to_owned() };
        control("PUT", &format!("/slots/{}", slot.number), &json!({ "routes": routes }));
        slot
    }

    /// The requests that it got.
    #[track_caller]
    pub fn requests(&self) -> Vec<Value> {
        control("GET", &format!("/slots/{}/requests", self.number), &Value::Null).as_array().cloned().unwrap_or_default()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            control("DELETE", &format!("/slots/{}", self.number), &Value::Null);
        }
    }
}

/// The receiver of webhooks below a path of one test's own.
pub struct Hook {
    path: String,
    /// The URL to post to.
    pub url: String,
}

impl Hook {
    /// The receiver below a path of this name and process, with what it answers.
    #[track_caller]
    pub fn new(name: &str, answer: &Value) -> Self {
        let file: Value = serde_json::from_str(&fs::read_to_string(variable("RUNBOOK_TEST_STANDIN_FILE")).unwrap()).unwrap();
        let path = format!("/{name}-{}", std::process::id());
        control("PUT", &format!("/hooks/config?path={path}"), answer);
        Self { url: format!("http://{}{path}", file["hooks"].as_str().unwrap()), path }
    }

    /// Waits until so many messages have come.
    #[track_caller]
    pub fn until(&self, count: usize) {
        let started = Instant::now();
        while self.received().len() < count {
            assert!(started.elapsed() < Duration::from_secs(20), "{count} messages never came: {:?}", self.received());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// The messages that came.
    #[track_caller]
    pub fn received(&self) -> Vec<Value> {
        control("GET", &format!("/hooks?path={}", self.path), &Value::Null).as_array().cloned().unwrap_or_default()
    }
}

/// A proxy in front of one of the systems.
pub struct Proxy {
    number: u64,
    /// `127.0.0.1:PORT`.
    pub address: String,
}

impl Proxy {
    /// A proxy of plain connections, `{"mode": …}`.
    #[track_caller]
    pub fn new(to: &str, setting: &Value) -> Self {
        Self::made(to, setting, false)
    }

    /// A proxy that speaks TLS to both sides, and so sees the text of `when`.
    #[track_caller]
    pub fn tls(to: &str, setting: &Value) -> Self {
        Self::made(to, setting, true)
    }

    #[track_caller]
    fn made(to: &str, setting: &Value, tls: bool) -> Self {
        let mut wanted = setting.clone();
        wanted["to"] = to.into();
        wanted["tls"] = tls.into();
        let made = control("POST", "/proxies", &wanted);
        Self { number: made["id"].as_u64().unwrap(), address: made["address"].as_str().unwrap().to_owned() }
    }

    /// Another mode, for open connections too.
    #[track_caller]
    pub fn set(&self, setting: &Value) {
        control("PUT", &format!("/proxies/{}", self.number), setting);
    }

    /// Its counts.
    #[track_caller]
    pub fn counts(&self) -> Value {
        control("GET", &format!("/proxies/{}", self.number), &Value::Null)
    }

    /// Waits until a count is above nothing.
    #[track_caller]
    pub fn until(&self, count: &str) {
        let started = Instant::now();
        while self.counts()[count].as_u64().unwrap() == 0 {
            assert!(started.elapsed() < Duration::from_secs(20), "{count} stayed 0: {}", self.counts());
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            control("DELETE", &format!("/proxies/{}", self.number), &Value::Null);
        }
    }
}
