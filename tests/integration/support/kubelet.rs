//! A stand-in for an API server and a kubelet that run commands in pods as told, over websockets, and badly where that is asked for.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Message, WebSocket, accept_hdr};

const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const STATUS: u8 = 3;
const CLOSE: u8 = 255;
const SUCCESS: &str = r#"{"metadata":{},"status":"Success"}"#;

/// The stand-in. Each command's first word says what becomes of it (`play`).
pub struct Kubelet {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Kubelet {
    /// One that serves until the tests end.
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, asked) = (listener.local_addr().unwrap().to_string(), Arc::new(Mutex::new(Vec::new())));
        let log = asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let log = log.clone();
                // A client that goes away ends its thread.
                std::thread::spawn(move || serve(stream, &log));
            }
        });
        Self { address, asked }
    }

    /// The kubeconfig that leads to it.
    pub fn kubeconfig(&self) -> String {
        format!(
            "apiVersion: v1\nkind: Config\nclusters: [{{name: c, cluster: {{server: \"http://{}\"}}}}]\n\
             users: [{{name: u, user: {{token: t}}}}]\ncontexts: [{{name: test, context: {{cluster: c, user: u}}}}]\n",
            self.address
        )
    }

    /// The paths, with queries, of the commands that it was asked to run.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, log: &Mutex<Vec<String>>) -> Option<()> {
    let mut head = vec![0; 16 << 10];
    let length = loop {
        let seen = stream.peek(&mut head).ok().filter(|seen| *seen > 0)?;
        if head[..seen].windows(4).any(|end| end == b"\r\n\r\n") {
            break seen;
        }
    };
    let head = String::from_utf8_lossy(&head[..length]).into_owned();
    let path = head.split(' ').nth(1)?.to_owned();
    let (bare, query) = path.split_once('?').unwrap_or((&path, ""));
    if !bare.ends_with("/exec") {
        let pod = json!({ "kind": "Pod", "apiVersion": "v1", "metadata": { "name": "db-0", "namespace": bare.split('/').nth(4)? },
            "spec": { "containers": [{ "name": "db" }] }, "status": { "phase": "Running" } });
        return answer(&mut stream, &head, "200 OK", &pod);
    }
    log.lock().unwrap().push(path.clone());
    let words: Vec<String> =
        url::form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == "command").map(|(_, word)| word.into_owned()).collect();
    match words.first().map(String::as_str)? {
        "forbidden" => {
            let said = json!({ "kind": "Status", "status": "Failure", "reason": "Forbidden", "code": 403,
                "message": "pods \"db-0\" is forbidden: User \"u\" cannot create resource \"pods/exec\"" });
            return answer(&mut stream, &head, "403 Forbidden", &said);
        }
        "broken" => return answer(&mut stream, &head, "500 Internal Server Error", &json!("no kubelet")),
        "vanishes" => return None,
        _ => {}
    }
    let old = words[0] == "old";
    let offered = head.lines().find_map(|line| line.to_lowercase().strip_prefix("sec-websocket-protocol:").map(str::to_owned))?;
    let protocol = if old { "v4.channel.k8s.io" } else { "v5.channel.k8s.io" };
    if !offered.contains(protocol) {
        return answer(
            &mut stream,
            &head,
            "400 Bad Request",
            &json!({ "kind": "Status", "status": "Failure", "code": 400,
            "message": "requested protocol(s) are not supported" }),
        );
    }
    #[allow(clippy::result_large_err)] // As the crate has it.
    let accept = |_: &Request, mut response: Response| {
        response.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static(protocol));
        Ok(response)
    };
    let mut socket = accept_hdr(stream, accept).ok()?;
    play(&mut socket, &words)
}

fn answer(stream: &mut TcpStream, head: &str, status: &str, body: &Value) -> Option<()> {
    let mut read = vec![0; head.len()];
    stream.read_exact(&mut read).ok()?;
    let body = body.to_string();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .ok()
}

fn say(socket: &mut WebSocket<TcpStream>, channel: u8, data: &[u8]) -> Option<()> {
    socket.send(Message::binary([&[channel], data].concat())).ok()
}

/// What becomes of a command, by its first word.
fn play(socket: &mut WebSocket<TcpStream>, words: &[String]) -> Option<()> {
    for channel in [STDOUT, STDERR, STATUS] {
        say(socket, channel, b"")?;
    }
    let internal = |message: &str| json!({ "status": "Failure", "reason": "InternalError", "message": message }).to_string();
    let mut end = SUCCESS.to_owned();
    match words[0].as_str() {
        "hello" | "old" => {
            say(socket, STDOUT, b"out\n")?;
            say(socket, STDERR, b"err\n")?;
        }
        "three" => {
            say(socket, STDERR, b"first\nno such table\n")?;
            end = json!({ "status": "Failure", "reason": "NonZeroExitCode", "message": "command terminated with non-zero exit code",
                "details": { "causes": [{ "reason": "ExitCode", "message": "3" }] } })
            .to_string();
        }
        "seven" => end = internal("Internal error occurred: error executing command in container: exit status 7"),
        "internal" => end = internal("Internal error occurred: error sending request: unexpected EOF"),
        "unreachable" => end = internal("error dialing backend: dial tcp 10.0.0.1:10250: connect: connection refused"),
        "garbled" => end = "{\"status\": Succ".to_owned(),
        "silent" => {
            say(socket, STDOUT, b"half")?;
            let _ = socket.close(None);
            return None;
        }
        "drops" => {
            say(socket, STDOUT, b"half")?;
            return socket.get_mut().shutdown(std::net::Shutdown::Both).ok();
        }
        "babbles" => {
            socket.send(Message::text("hello there")).ok()?;
            return wait(socket);
        }
        "noise" => {
            socket.get_mut().write_all(&[0xff; 64]).ok()?;
            return wait(socket);
        }
        "channel" => {
            say(socket, 9, b"what is this")?;
            return wait(socket);
        }
        "hang" => return wait(socket),
        "bytes" => say(socket, STDOUT, b"\x00\xff\xfe\r\n")?,
        "much" => {
            let block = vec![b'x'; 1 << 20];
            for _ in 0..words[1].parse().ok()? {
                say(socket, STDOUT, &block)?;
            }
        }
        "cat" => loop {
            match socket.read().ok()? {
                Message::Binary(data) if data[..] == [CLOSE, 0] => break,
                Message::Binary(data) => say(socket, STDOUT, &data[1..])?,
                _ => {}
            }
        },
        other => end = internal(&format!("exec: {other:?}: executable file not found in $PATH")),
    }
    say(socket, STATUS, end.as_bytes())?;
    let _ = socket.close(None);
    wait(socket)
}

/// Waits until the client goes.
fn wait(socket: &mut WebSocket<TcpStream>) -> Option<()> {
    while socket.read().is_ok() {}
    None
}
