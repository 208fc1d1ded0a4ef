//! Commands in containers, over the API server's websocket (`v5.channel.k8s.io`, and `v4` where nothing is to be read).
//!
//! The channels are those of `k8s.io/apimachinery/pkg/util/remotecommand`: a message's first byte says which. How the command
//! ended is on the status channel and nowhere else: a connection that ends without it leaves the end unknown.

use std::time::Duration;

use ::http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE, USER_AGENT,
};
use ::http::{Request, Response, StatusCode};
use futures::{Sink, SinkExt, StreamExt};
use http_body_util::BodyExt;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use kube::client::Body;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::{client::generate_key, derive_accept_key};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::{Call, Kubernetes, Session, error, path, with_query};
use crate::model::operation::Exec;
use crate::model::{Failure, Kind, ResourceKind, Sent, Value};
use crate::platform::Cx;
use crate::platform::invocation::{self, Output, Stream};
use crate::platform::real::open;
use crate::platform::real::runtime::Departure;

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const STATUS: u8 = 3;
/// Says that a channel is at its end (v5 only).
const CLOSE: u8 = 255;
const V5: &str = "v5.channel.k8s.io";
const V4: &str = "v4.channel.k8s.io";
/// So much of the input stands in one message.
const PIECE: usize = 32 << 10;
/// Larger messages than this are nobody's output.
const MOST_MESSAGE: usize = 16 << 20;
/// A connection on which nothing is said this long is kept awake.
const PING: Duration = Duration::from_secs(30);
/// What the server still has to say when it has told the status comes within this.
const AFTERWARDS: Duration = Duration::from_secs(2);

/// What the status channel says.
#[derive(Debug, PartialEq)]
enum Status {
    /// The command has ended with this exit code.
    Ended(i64),
    /// It was never started: why.
    NotStarted(Failure),
    /// Something else: in the server's words.
    Other(String),
}

impl Kubernetes {
    /// Runs a command in a container to its end: `#{ exit_code, stdout, stderr, pod, container }`.
    pub(in super::super) async fn exec(&self, exec: &Exec, cx: &Cx<'_>, departure: Option<&Departure>) -> Result<Value, Failure> {
        let what = invocation::of_exec(exec);
        let input = exec.run.stdin.as_ref().map(open::body).transpose()?;
        let mut output = Output::begin(exec.run.save.as_ref())?;
        let mut socket = self.attach(exec, departure).await?;
        let status = converse(&mut socket, input.unwrap_or_default().as_bytes(), exec.run.stdin.is_some(), &mut output).await;
        let lost = |why: &str| match departure {
            Some(_) => invocation::lost(&what, why),
            None => Failure::new(Kind::Unavailable, format!("{what}: how it ended is not known: {why}")),
        };
        match status.map_err(|why| lost(&why))?.map(|status| read_status(&status, exec)) {
            Some(Status::Ended(code)) => {
                let fields = [("pod", exec.pod.as_str().into()), ("container", exec.container.as_str().into())];
                output.ended(&what, &exec.run, code, fields, cx.mask)
            }
            Some(Status::NotStarted(failure)) => Err(failure),
            Some(Status::Other(said)) => Err(lost(&format!("the cluster says: {said}"))),
            None => Err(lost("the connection ended without its exit code")),
        }
    }

    /// Opens the connection; where it is refused, nothing was started.
    async fn attach(&self, exec: &Exec, departure: Option<&Departure>) -> Result<WebSocketStream<TokioIo<Upgraded>>, Failure> {
        let target = format!("pod/{}", exec.pod);
        let kind = ResourceKind::named("pod")?;
        let pairs = [("container", exec.container.clone()), ("stdout", "true".to_owned()), ("stderr", "true".to_owned())];
        let reads = exec.run.stdin.is_some();
        let pairs = pairs.into_iter().chain(reads.then(|| ("stdin", "true".to_owned())));
        let pairs = pairs.chain(exec.run.argv.iter().map(|word| ("command", word.clone())));
        let path = with_query(path(kind, Some(&exec.namespace), Some(&exec.pod), Some("exec"))?, pairs);
        let call = Call { departure, ..Call::get(path, &target) };
        let session = self.session().await?;
        let opened = upgraded(&session, &call, reads).await;
        if opened.as_ref().is_err_and(|failure| failure.kind == Kind::Auth) {
            self.forget().await;
        }
        opened
    }
}

async fn upgraded(session: &Session, call: &Call<'_>, reads: bool) -> Result<WebSocketStream<TokioIo<Upgraded>>, Failure> {
    let key = generate_key();
    // v4 cannot say that the input is at its end, and the command would wait for more for ever.
    let protocols = if reads { V5.to_owned() } else { format!("{V5}, {V4}") };
    let request = Request::get(&call.path)
        .header(USER_AGENT, crate::platform::real::AGENT)
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_VERSION, "13")
        .header(SEC_WEBSOCKET_KEY, &key)
        .header(SEC_WEBSOCKET_PROTOCOL, protocols)
        .body(Body::empty())
        .map_err(|_| Failure::bad_argument(format!("{} cannot be asked for", call.target)))?;
    if let Some(departure) = call.departure {
        departure.leaves();
    }
    let response = session.client.send(request).await.map_err(|error| error::transport(&error, session, call))?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(refused(response, session, call).await);
    }
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let (accepted, protocol) = (header(SEC_WEBSOCKET_ACCEPT), header(SEC_WEBSOCKET_PROTOCOL));
    if accepted != derive_accept_key(key.as_bytes()) || protocol != V5 && (reads || protocol != V4) {
        return Err(speechless(call));
    }
    let upgraded = hyper::upgrade::on(response).await.map_err(|_| {
        let lost = "the connection was closed before the command said anything";
        match call.departure {
            Some(_) => invocation::lost(&format!("a command in {}", call.target), lost),
            None => Failure::new(Kind::Unavailable, format!("{}: {lost}", call.target)),
        }
    })?;
    let config = WebSocketConfig::default().max_message_size(Some(MOST_MESSAGE)).max_frame_size(Some(MOST_MESSAGE));
    Ok(WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Client, Some(config)).await)
}

/// The failure of a connection that the server did not open: the command was not started.
async fn refused(response: Response<Body>, session: &Session, call: &Call<'_>) -> Failure {
    let status = response.status();
    let body = http_body_util::Limited::new(response.into_body(), 256 << 10).collect().await;
    let bytes = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let call = Call { departure: None, ..Call::get(call.path.clone(), call.target) };
    let failure = error::refused(status, &bytes, session, &call).sent(Sent::No);
    if failure.message.contains("requested protocol(s) are not supported") { speechless(&call) } else { failure }
}

/// The failure of a server that does not speak the protocol.
fn speechless(call: &Call<'_>) -> Failure {
    let message = format!("the cluster does not speak {V5}, by which commands in containers are run and given what they read");
    Failure::new(Kind::Failed, message).hint("Kubernetes 1.30 and later do; a proxy on the way may not").on(call.target)
}

/// Sends the input, takes the output, and answers what the status channel said; none where the connection ended before.
async fn converse<S>(socket: &mut S, input: &[u8], reads: bool, output: &mut Output) -> Result<Option<Vec<u8>>, String>
where
    S: futures::Stream<Item = Result<Message, Error>> + Sink<Message, Error = Error> + Unpin,
{
    let (mut sink, mut stream) = socket.split();
    let mut status = None;
    let feeding = async {
        for piece in input.chunks(PIECE) {
            sink.send(Message::binary([&[STDIN], piece].concat())).await?;
        }
        if reads {
            sink.send(Message::binary(vec![CLOSE, STDIN])).await?;
        }
        loop {
            tokio::time::sleep(PING).await;
            sink.send(Message::Ping(bytes::Bytes::new())).await?;
        }
    };
    let taking = async {
        loop {
            let next = match status {
                None => stream.next().await,
                // A server that says nothing more and does not close either has said all.
                Some(_) => tokio::time::timeout(AFTERWARDS, stream.next()).await.unwrap_or_default(),
            };
            match next {
                None | Some(Ok(Message::Close(_))) => return Ok(status),
                // Once the end is known nothing can be lost.
                Some(Err(_)) if status.is_some() => return Ok(status),
                Some(Err(error)) => return Err(format!("the connection broke off: {}", told(&error))),
                Some(Ok(Message::Binary(data))) => match data.split_first() {
                    Some((&STDOUT, data)) => output.push(Stream::Out, data),
                    Some((&STDERR, data)) => output.push(Stream::Err, data),
                    Some((&STATUS, said)) if !said.is_empty() => status = Some(said.to_vec()),
                    // The server opens its channels with empty messages, and closes them with one each.
                    Some((&(STDIN | STATUS | CLOSE), _)) => {}
                    _ => return Err("the server does not keep to the protocol".to_owned()),
                },
                Some(Ok(Message::Text(_))) => return Err("the server does not keep to the protocol".to_owned()),
                Some(Ok(_)) => {}
            }
        }
    };
    tokio::pin!(taking);
    tokio::select! {
        biased;
        taken = &mut taking => return taken,
        // A command that does not read its input to the end closes it: what counts is what it says.
        _ = async { let _: Result<(), Error> = feeding.await; } => {}
    }
    taking.await
}

/// A websocket's error without what the server sent.
fn told(error: &Error) -> String {
    match error {
        Error::Io(error) => super::super::http::io_text(error),
        Error::Capacity(_) => "a message is too large".to_owned(),
        Error::Protocol(_) | Error::Utf8(_) => "what came is no websocket message".to_owned(),
        _ => "it was closed".to_owned(),
    }
}

/// What a `Status` says of a command's end.
fn read_status(said: &[u8], exec: &Exec) -> Status {
    let Ok(status) = open::parse(said) else { return Status::Other("something that is no status".to_owned()) };
    let message = status.str_at(&["message"]).unwrap_or_default();
    if status.str_at(&["status"]) == Some("Success") {
        return Status::Ended(0);
    }
    if status.str_at(&["status"]) != Some("Failure") {
        return Status::Other("something that is no status".to_owned());
    }
    let causes = status.at(&["details", "causes"]).and_then(Value::as_list).unwrap_or_default();
    let code = causes.iter().find(|cause| cause.str_at(&["reason"]) == Some("ExitCode")).and_then(|cause| cause.str_at(&["message"]));
    if let Some(code) = code.and_then(|code| code.parse().ok()) {
        return Status::Ended(code);
    }
    // Some runtimes tell the exit code of a command as an internal error's last words.
    let number = |words: &str| message.rsplit_once(words).and_then(|(_, number)| number.trim().parse().ok());
    if let Some(code) = ["exit status ", "exit code "].iter().find_map(|words| number(words)) {
        return Status::Ended(code);
    }
    let says = |words: &[&str]| words.iter().any(|words| message.contains(words));
    let target = format!("pod/{}", exec.pod);
    if says(&["executable file not found", "fork/exec", "no such file or directory: unknown", "unable to start container process"]) {
        let failure = invocation::no_program(&exec.run.argv, &invocation::in_container(exec));
        let message = format!("{}: {message}", failure.message);
        return Status::NotStarted(Failure { message, ..failure }.on(target));
    }
    if says(&["unable to upgrade connection", "error dialing backend", "container not found", "container is not created or running"]) {
        let message = format!("nothing can be run in {target}: {message}");
        return Status::NotStarted(Failure::new(Kind::Unavailable, message).hint("does its container run?").on(target));
    }
    Status::Other(if message.is_empty() { "it failed".to_owned() } else { message.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::operation::Invocation;

    fn exec() -> Exec {
        let run = Invocation { argv: vec!["dump".into()], stdin: None, ok_exit: vec![0], save: None, timeout: Duration::from_secs(1) };
        Exec { namespace: "n".into(), pod: "db-0".into(), container: "db".into(), run }
    }

    #[test]
    fn only_a_status_says_how_a_command_ended() {
        let read = |said: &str| read_status(said.as_bytes(), &exec());
        let failed =
            |message: &str| read(&serde_json::json!({ "status": "Failure", "reason": "InternalError", "message": message }).to_string());
        assert_eq!(read(r#"{"metadata":{},"status":"Success"}"#), Status::Ended(0));
        let code = r#"{"status":"Failure","reason":"NonZeroExitCode","message":"command terminated with non-zero exit code",
            "details":{"causes":[{"reason":"ExitCode","message":"3"}]}}"#;
        assert_eq!(read(code), Status::Ended(3));
        assert_eq!(failed("Internal error occurred: error executing command in container: exit status 7"), Status::Ended(7));
        assert_eq!(failed("command terminated with exit code 126"), Status::Ended(126));
        for nothing in ["", "x", "[]", "{}", r#"{"status":"Maybe"}"#] {
            assert_eq!(read(nothing), Status::Other("something that is no status".into()), "{nothing:?}");
        }
        let says = "Internal error occurred: error sending request: unexpected EOF";
        assert_eq!(failed(says), Status::Other(says.into()));
        for (message, kind) in [
            ("error executing command in container: exec: \"dump\": executable file not found in $PATH", Kind::NotFound),
            ("OCI runtime exec failed: exec failed: unable to start container process: exec: \"dump\": permission denied", Kind::NotFound),
            ("unable to upgrade connection: container not found (\"db\")", Kind::Unavailable),
            ("error dialing backend: dial tcp 10.0.0.1:10250: connect: connection refused", Kind::Unavailable),
        ] {
            let Status::NotStarted(failure) = failed(message) else { panic!("{message}") };
            assert_eq!((failure.kind, failure.sent), (kind, Sent::No), "{message}");
        }
    }
}
