use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc;
use std::time::Duration;

use super::*;
use crate::config::{Config, Environment, SecretSource};
use crate::model::{Kind, Prepared, Sent, Write};
use crate::platform::{Cancel, Cx, Platform};

#[test]
fn the_signature_is_hmac_sha256() {
    // Computed with OpenSSL: printf 'v1:1700000000:{"a":1}' | openssl dgst -sha256 -hmac key
    assert_eq!(signature(b"key", "1700000000", "{\"a\":1}"), EXPECTED);
}
const EXPECTED: &str = "v1=d9557872749208eb6fd1b4949933064d21edc4f53ab77a187f5569f605c14ec1";

/// A receiver that answers one request with a text; hands over what it was sent.
fn receiver(reply: &'static str) -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook/T0KEN-IN-PATH", listener.local_addr().unwrap());
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        let mut block = [0; 4096];
        loop {
            let n = stream.read(&mut block).unwrap_or(0);
            request.extend_from_slice(&block[..n]);
            let text = String::from_utf8_lossy(&request).to_lowercase();
            let wanted = text.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse::<usize>().ok());
            let have = text.split_once("\r\n\r\n").map(|(_, body)| body.len());
            if n == 0 || (wanted.is_some() && wanted == have) {
                break;
            }
        }
        tell.send(String::from_utf8(request).unwrap()).unwrap();
        stream.write_all(reply.as_bytes()).unwrap();
        if reply.is_empty() {
            return;
        }
        if reply == "hang" {
            std::thread::sleep(Duration::from_secs(2));
        }
    });
    (url, told)
}

fn send_to(url: String, kind: ChannelKind, signing: Option<SecretSource>) -> Result<Value, Failure> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &url).unwrap();
    let channel = Channel { kind, webhook: Some(SecretSource::File(file.path().to_owned())), url: None, signing };
    let environment = Environment { channels: [("incidents".to_owned(), channel)].into(), ..Environment::default() };
    let real = Real::new(Arc::new(Config::default()), environment).unwrap();
    let message = Message {
        channel: "incidents".into(),
        text: "down".into(),
        severity: Some("P0".into()),
        fields: map! { "service" => "api" },
        key: "run-1:3".into(),
        timeout: Duration::from_millis(500),
    };
    let prepared = Prepared {
        write: Write::Send(message),
        target: "incidents".into(),
        before: Value::Null,
        after: Value::Null,
        inverse: None,
        probe: None,
        equivalent: String::new(),
        refusal: None,
        validated: None,
        remarks: vec![],
        provenance: Default::default(),
    };
    let cancel = Cancel::default();
    real.write(&prepared, &Cx::quiet(&cancel)).map(|answer| answer.value)
}

#[test]
fn a_webhook_gets_body_key_and_signature() {
    let (url, told) = receiver("HTTP/1.1 204 No Content\r\n\r\n");
    let key = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(key.path(), "signing-key\n").unwrap();
    let answer = send_to(url, ChannelKind::Webhook, Some(SecretSource::File(key.path().to_owned()))).unwrap();
    assert_eq!(answer.int_at(&["status"]), Some(204));
    let request = told.recv().unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let header =
        |name: &str| head.lines().find_map(|line| line.to_lowercase().strip_prefix(&format!("{name}: ")).map(str::to_owned)).unwrap();
    assert_eq!(header("idempotency-key"), "run-1:3");
    assert_eq!(header("x-runbook-signature"), signature(b"signing-key", &header("x-runbook-timestamp"), body));
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!((&body["text"], &body["fields"]["service"], &body["severity"]), (&json!("down"), &json!("api"), &json!("P0")));
}

#[test]
fn refusals_have_kinds_and_never_the_address() {
    for (reply, kind, sent) in [
        ("HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", Kind::Unavailable, Sent::No),
        ("HTTP/1.1 404 Gone\r\nContent-Length: 10\r\n\r\nno_service", Kind::Failed, Sent::Yes),
        ("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", Kind::Failed, Sent::Yes),
        ("", Kind::InDoubt, Sent::Unknown),
        ("hang", Kind::InDoubt, Sent::Unknown),
    ] {
        let (url, _told) = receiver(reply);
        let failure = send_to(url, ChannelKind::Slack, None).unwrap_err();
        assert_eq!((failure.kind, failure.sent), (kind, sent), "{reply:?}: {failure:?}");
        assert!(!format!("{failure:?}").contains("T0KEN"), "{failure:?}");
    }
    let refused = send_to("http://127.0.0.1:1/T0KEN".into(), ChannelKind::Slack, None).unwrap_err();
    assert_eq!((refused.kind, refused.sent), (Kind::Unavailable, Sent::No));
    assert!(!format!("{refused:?}").contains("T0KEN"), "{refused:?}");
    let link_local = send_to("http://169.254.169.254/T0KEN".into(), ChannelKind::Slack, None).unwrap_err();
    assert_eq!(link_local.kind, Kind::Denied);
    assert!(!format!("{link_local:?}").contains("T0KEN"), "{link_local:?}");
}
