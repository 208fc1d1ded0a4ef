//! Requests that change: sent once whatever becomes of the answer, never led elsewhere, and asked about where it matters.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;

use super::failed;
use crate::support::{Project, Proxy, Real, Slot};

/// A server that reads a request's head and then does what it likes with the connection.
pub(super) struct Raw {
    pub(super) address: String,
    requests: Arc<AtomicUsize>,
}

impl Raw {
    pub(super) fn new(serve: impl Fn(&mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, requests) = (listener.local_addr().unwrap().to_string(), Arc::new(AtomicUsize::new(0)));
        let (serve, count) = (Arc::new(serve), requests.clone());
        // It ends with the tests' process.
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let (serve, count) = (serve.clone(), count.clone());
                std::thread::spawn(move || {
                    while head(&mut stream) {
                        count.fetch_add(1, Ordering::SeqCst);
                        serve(&mut stream);
                    }
                });
            }
        });
        Self { address, requests }
    }

    /// One that answers every request with these bytes, and hangs up.
    pub(super) fn ending(bytes: &'static [u8]) -> Self {
        Self::new(move |stream| {
            let _ = stream.write_all(bytes);
            hang_up(stream);
        })
    }

    fn asked(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

/// An answer that ends before it should, and one in pieces that are none.
pub(super) const HALF: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of ";
pub(super) const BROKEN_CHUNKS: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n";

/// Reads a request's head; false at the end of the connection. What comes behind it stays unread.
fn head(stream: &mut TcpStream) -> bool {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return false,
        }
    }
    true
}

fn hang_up(stream: &TcpStream) {
    let _ = stream.shutdown(std::net::Shutdown::Both);
}

/// What changes: each method.
const CHANGES: [&str; 4] = [
    "http_post(\"api/items\", \"\", #{ timeout: \"1s\", idempotency_key: true })",
    "http_put(\"api/items\", \"\", #{ timeout: \"1s\" })",
    "http_patch(\"api/items\", \"\", #{ timeout: \"1s\" })",
    "http_delete(\"api/items\", #{ timeout: \"1s\" })",
];

fn project(address: &str) -> Project {
    Real::new("default").service("api", address).project()
}

#[test]
fn a_change_without_a_whole_answer_is_in_doubt_and_sent_once() {
    let [garbage, breaks_off, broken_chunks] = [b"what?\r\n\r\n", HALF, BROKEN_CHUNKS].map(Raw::ending);
    let closes = Raw::new(|stream| hang_up(stream));
    let hangs = Raw::new(|_| std::thread::sleep(Duration::from_secs(5)));
    for (server, says) in [
        (&garbage, "/items was sent, and no answer came: "),
        (&closes, "/items was sent, and no answer came: the connection was closed before an answer"),
        (&hangs, "/items was sent, and no answer came within 1s"),
        (&breaks_off, "/items was answered with HTTP 200, and the answer broke off: "),
        (&broken_chunks, "/items was answered with HTTP 200, and the answer broke off: "),
    ] {
        let project = project(&server.address);
        for change in CHANGES {
            let before = server.asked();
            let script = format!("retry(|| {change}, #{{ times: 3, delay: \"10ms\", any: true }});\nnote(\"went on\");");
            let ran = failed(project.really(&script), "in_doubt", says, "look at the target before doing it again: it may have happened");
            let ran = ran.has_not("note: went on").stdout_has("In doubt: api/items").stdout_has("curl -sS -X ");
            assert_eq!(ran.outcomes(), ["api/items in_doubt"], "{ran}");
            assert_eq!(server.asked(), before + 1, "{change}\n{ran}");
        }
    }
}

#[test]
fn a_reply_lost_after_the_server_has_done_it_is_in_doubt_and_not_repeated() {
    let slot = Slot::new(&json!({ "POST /items": { "status": 201 }, "PUT /items": { "status": 200 } }));
    for (method, call) in [("POST", CHANGES[0]), ("PUT", CHANGES[1])] {
        let proxy = Proxy::new(&slot.address, &json!({ "mode": "drop-replies" }));
        let ran = project(&proxy.address).really(&format!("{call};")).status(9).stderr_has("error[in_doubt]: ").recorded("in_doubt", 9);
        let done = slot.requests().iter().filter(|request| request["method"] == method).count();
        assert_eq!(done, 1, "{:?}\n{ran}", slot.requests());
    }
    // The key by which the server would know it again is the run's and the call's own.
    let requests = slot.requests();
    let key = requests[0]["headers"]["idempotency-key"].as_str().unwrap();
    assert!(key.ends_with("-1") && key.len() > 10, "{key}");
    assert_eq!(requests[1]["headers"].get("idempotency-key"), None);
}

#[test]
fn what_has_not_left_is_no_doubt() {
    let gone = Raw::new(|_| ());
    let address = gone.address.rsplit_once(':').map(|_| "127.0.0.1:1").unwrap();
    for change in CHANGES {
        let ran =
            project(address).really(&format!("{change};")).status(1).stderr_has("error[unavailable]: ").stderr_has("connection refused");
        assert_eq!(ran.outcomes(), ["api/items failed"], "{ran}");
    }
}

#[test]
fn an_answer_of_100_mb_to_a_change_is_too_large_and_done() {
    let slot = Slot::new(&json!({ "POST /items": { "body_bytes": 100 << 20 } }));
    let project = project(&slot.address).script("x.rhai", "http_post(\"api/items\", \"\");");
    let ran = project.start(project.shell("export MALLOC_ARENA_MAX=1; ulimit -v 434000", ["run", "x.rhai"])).wait();
    let ran = ran
        .status(1)
        .stderr_has("error[too_large]: ")
        .stderr_has("the body is larger than 8 MiB; what was asked for is done")
        .recorded("failed", 1);
    assert_eq!((ran.outcomes(), slot.requests().len()), (vec!["api/items changed".to_owned()], 1));
}

#[test]
fn metrics_of_100_mb_are_filtered_in_bounded_memory() {
    let exposition = Raw::new(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n");
        let block = "http_requests_total{path=\"/a/rather/long/path\",code=\"200\"} 1027\n".repeat(16_000);
        for number in 0..100 {
            if stream.write_all(format!("{block}wanted{{block=\"{number}\"}} {number}\n").as_bytes()).is_err() {
                return;
            }
        }
        hang_up(stream);
    });
    let script = "let all = metrics(\"api\", #{ name: \"wanted\", timeout: \"1m\" });\nthrow `${all.len()} ${all[99].value}`;";
    let project = project(&exposition.address).script("x.rhai", script);
    let ran = project.start(project.shell("export MALLOC_ARENA_MAX=1; ulimit -v 434000", ["run", "x.rhai"])).wait();
    ran.status(1).stderr_has("100 99.0");
    // Without the filter it ends early, and nothing of it is kept.
    let ran = project.really("metrics(\"api\");").status(1).stderr_has("error[too_large]: api/metrics has more than 1000 such samples");
    assert!(!ran.journal_path().with_extension("payloads").exists(), "{ran}");
    let broken = Raw::new(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\na 1\nb ");
        hang_up(stream);
    });
    let garbage = Slot::new(&json!({ "GET /metrics": { "body": "a 1\n<html>\u{1b}[2J</html>\n" } }));
    let project = self::project(&broken.address);
    failed(project.really("metrics(\"api\");"), "unavailable", "/metrics: connection closed", "does it run");
    let project = self::project(&garbage.address);
    let ran = project
        .really("metrics(\"api\");")
        .status(1)
        .stderr_has("api/metrics: line 2 cannot be read: it has no value: <html>\\u{1b}[2J</html>");
    assert!(!ran.err.contains('\u{1b}'), "{ran}");
}

#[test]
fn redirects_of_changes_are_the_answer() {
    let other = Slot::new(&json!({ "POST /*": { "body": "got it" }, "GET /*": { "body": "got it" } }));
    let away = format!("http://{}/taken?token=abc", other.address);
    let slot = Slot::new(&json!({
        "POST /items": { "redirect": &away }, "PUT /items": { "redirect": "/end" },
        "PATCH /items": { "redirect": "http://169.254.169.254/latest" }, "DELETE /items": { "redirect": "/items" },
    }));
    let project = Real::new("default").service("api", &slot.address).service("other", &other.address).project();
    for change in CHANGES {
        let ran = project.really(&format!("{change};")).status(1).stderr_has("api/items answered HTTP 302, a redirect to ");
        assert_eq!(ran.has_not("token=abc").outcomes(), ["api/items failed"]);
    }
    assert_eq!((slot.requests().len(), other.requests().len()), (4, 0), "{:?}", slot.requests());
}

#[test]
fn nothing_can_be_slipped_into_a_request() {
    let slot = Slot::new(&json!({ "POST /*": { "body": "" }, "GET /*": { "body": "" } }));
    let project = project(&slot.address);
    let headers = [
        "\"X-A\": \"b\\r\\nX-Evil: 1\"",
        "\"X-A\": \"b\\nX-Evil: 1\"",
        "\"X-A\\r\\nX-Evil\": \"1\"",
        "\"X-A: b\\r\\nX-Evil\": \"1\"",
        "\"X-A\": [\"b\", \"\\r\\nX-Evil: 1\"]",
        "Host: \"evil.example\"",
        "\"content-length\": \"1\"",
        "\"TRANSFER-ENCODING\": \"chunked\"",
        "Connection: \"upgrade\"",
    ];
    for header in headers {
        for call in [
            format!("http_post(\"api/items\", \"x\", #{{ headers: #{{ {header} }} }});"),
            format!("http_get(\"api/items\", #{{ headers: #{{ {header} }} }});"),
        ] {
            let ran = project.really(&call).status(1).stderr_has("error[bad_argument]: ");
            assert!(slot.requests().is_empty(), "{:?}\n{ran}", slot.requests());
        }
    }
    for target in ["api/a b\\r\\nX-Evil: 1\\r\\n\\r\\nGET /other HTTP/1.1", "api/../../x?y=\\r\\nX-Evil: 1", "api/\\u{0}x"] {
        let _ = project.really(&format!("attempt(|| http_get(\"{target}\")); attempt(|| http_post(\"{target}\", \"x\"));"));
    }
    let requests = slot.requests();
    assert!(!requests.is_empty() && requests.iter().all(|request| request["headers"].get("x-evil").is_none()), "{requests:?}");
    assert!(requests.iter().all(|request| request["path"] != "/other"), "{requests:?}");
}

#[test]
fn nothing_leaves_for_a_place_that_is_not_declared_by_whatever_function() {
    let (slot, elsewhere) = (Slot::new(&json!({})), Slot::new(&json!({})));
    let port = elsewhere.address.rsplit(':').next().unwrap();
    let allow = "allow = [\"http://169.254.169.254/\", \"http://metadata.internal/\"]";
    let project = Real::new("default").line(allow).service("api", &slot.address).project();
    let proxy = format!("http://{}", elsewhere.address);
    let project = ["http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
        .iter()
        .fold(project, |project, name| project.env(name, &proxy));
    let urls = [
        format!("http://{}/steal?token=abc", elsewhere.address),
        format!("http://localhost:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        "http://169.254.169.254/latest".to_owned(),
        "http://2852039166/latest".to_owned(),
        "http://[::ffff:a9fe:a9fe]/".to_owned(),
        "http://169.254.1.1/".to_owned(),
    ];
    for url in &urls {
        for call in [
            format!("http_post({url:?}, \"\")"),
            format!("http_put({url:?}, \"\")"),
            format!("http_patch({url:?}, \"\")"),
            format!("http_delete({url:?})"),
            format!("metrics({url:?})"),
        ] {
            let script = format!("try {{ {call}; }} catch {{ note(\"went on\"); }}");
            project.really(&script).status(6).stderr_has("error[denied]: ").has_not("note: went on").recorded("denied", 6);
            project.rehearsed_really(&script).status(6).stderr_has("error[denied]: ").has_not("note: went on");
        }
    }
    for target in
        ["localhost:80", "169.254.169.254:80", "2852039166:80", "[::ffff:a9fe:a9fe]:80", "elsewhere.example:443", "http://169.254.1.1/"]
    {
        let script = format!("try {{ tcp_check({target:?}, #{{ port: {port} }}); }} catch {{ note(\"went on\"); }}");
        for ran in [project.really(&script), project.rehearsed_really(&script)] {
            ran.status(6).stderr_has("error[denied]: ").has_not("note: went on");
        }
    }
    assert!(elsewhere.requests().is_empty(), "{:?}", elsewhere.requests());
    // What is declared is reached directly all the same.
    project.really("http_post(\"api/x\", \"\", #{ ok_status: [404] });").status(0);
    assert_eq!((slot.requests().len(), elsewhere.requests().len()), (1, 0));
}

#[test]
fn a_protected_environment_asks_with_method_target_and_the_body_s_shape() {
    let slot = Slot::new(&json!({ "POST /items": { "status": 201 }, "DELETE /items/3": { "status": 204 } }));
    let project = Real::new("default").line("protected = true").service("api", &slot.address).project();
    let project = project.script(
        "x.rhai",
        "http_post(\"api/items\", #{ name: \"Ann\" + \" Smith\", n: 1 });\nhttp_delete(\"api/items/3\", #{ tier: \"severe\" });",
    );
    project.run(["run", "x.rhai"]).status(6).stderr_has("error[not_confirmed]: ").has_not("Ann Smith");
    assert!(slot.requests().is_empty());
    // The last part of a path confirms nothing.
    project.run(["run", "x.rhai", "--yes", "--confirm", "3"]).status(6).stderr_has("pass --confirm api/items/3");
    project.run(["run", "x.rhai", "--yes", "--confirm", "api/items/3"]).status(0);
    assert_eq!(slot.requests().len(), 3);
    let mut screen = project.on_terminal(["run", "x.rhai"], 200, 40);
    screen.asked().has("http_post api/items").has("method: POST").has("body: map of 2 keys").has("curl -sS -X POST").has_not("Ann Smith");
    screen.send("y\r").asked().has("type api/items/3 to go ahead").send("api/items/3\r");
    assert_eq!(screen.ended(), Some(0));
    assert_eq!(slot.requests().len(), 5);
}
