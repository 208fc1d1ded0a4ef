use std::collections::BTreeMap;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::config::{Environment, Service};
use crate::model::Secret;

/// A server that hands each connection to a closure; answers its base URL.
async fn server<F, W>(serve: F) -> String
where
    F: Fn(TcpStream) -> W + Send + 'static,
    W: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    url
}

/// Reads one request's head.
async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).await.unwrap_or(0) == 1 {
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

async fn answer(stream: &mut TcpStream, text: &str) {
    let _ = stream.write_all(text.as_bytes()).await;
}

fn http(urls: &[&str]) -> Http {
    let services: BTreeMap<_, _> =
        urls.iter().enumerate().map(|(i, url)| (format!("s{i}"), Service { url: Some((*url).to_owned()), ..Service::default() })).collect();
    Http::new(Arc::new(Egress::new(&Environment { services, ..Environment::default() })), None)
}

fn get(url: &str) -> HttpRequest {
    HttpRequest {
        service: None,
        method: "GET",
        url: url.to_owned(),
        headers: vec![],
        body: None,
        ok_status: None,
        seal: Vec::new(),
        save: None,
        timeout: Duration::from_secs(5),
    }
}

#[tokio::test]
async fn json_is_parsed_and_other_bodies_are_text() {
    let url = server(async |mut stream| {
        while !head(&mut stream).await.is_empty() {
            answer(&mut stream, "HTTP/1.1 201 Created\r\nContent-Type: application/json; charset=utf-8\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: 7\r\n\r\n{\"a\":1}").await;
        }
    })
    .await;
    let http = http(&[&url]);
    let first = http.request(&get(&url), &|text| text).await.unwrap();
    assert_eq!(
        (first.int_at(&["status"]), first.int_at(&["body", "a"]), first.str_at(&["headers", "x-a"])),
        (Some(201), Some(1), Some("1, 2"))
    );
    assert!(matches!(first.at(&["timings", "connect_ms"]), Some(Value::Float(_))));
    let second = http.request(&get(&url), &|text| text).await.unwrap();
    assert_eq!(second.at(&["timings", "connect_ms"]), None, "the connection is kept");

    let url = server(async |mut stream| {
        head(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 500 Oops\r\nContent-Length: 3\r\n\r\na\xffb").await;
    })
    .await;
    let broken = super::tests::http(&[&url]).request(&get(&url), &|text| text).await.unwrap();
    assert_eq!((broken.int_at(&["status"]), broken.str_at(&["body"])), (Some(500), Some("a\u{fffd}b")));
}

#[tokio::test]
async fn redirects_stay_within_the_origin_and_take_no_credentials_along() {
    let other = server(async |mut stream| {
        let head = head(&mut stream).await;
        panic!("nothing may come here: {head}");
    })
    .await;
    let to = other.clone();
    let url = server(move |mut stream| {
        let to = to.clone();
        async move {
            loop {
                let head = head(&mut stream).await;
                let location = match head.split(' ').nth(1) {
                    None => return,
                    Some("/near") => "/end".to_owned(),
                    Some("/loop") => "/loop".to_owned(),
                    Some("/far") => to.clone(),
                    Some(_) => {
                        let told = head.to_lowercase().contains("authorization: bearer hunter2hunter2");
                        answer(&mut stream, &format!("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{told:5}")).await;
                        continue;
                    }
                };
                answer(&mut stream, &format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")).await;
            }
        }
    })
    .await;
    let http = http(&[&url, &other]);
    let with_token = |path: &str| HttpRequest {
        headers: vec![("Authorization".into(), Value::Secret(Secret::new("env:TOKEN", "Bearer hunter2hunter2")))],
        ..get(&format!("{url}{path}"))
    };
    let near = http.request(&with_token("/near"), &|text| text).await.unwrap();
    assert_eq!((near.int_at(&["status"]), near.str_at(&["body"])), (Some(200), Some("true ")));
    let far = http.request(&with_token("/far"), &|text| text).await.unwrap();
    assert_eq!((far.int_at(&["status"]), far.str_at(&["headers", "location"])), (Some(302), Some(other.as_str())));
    assert_eq!(http.request(&with_token("/loop"), &|text| text).await.unwrap().int_at(&["status"]), Some(302));
}

#[tokio::test]
async fn a_huge_body_is_refused_before_it_is_read() {
    let url = server(async |mut stream| {
        head(&mut stream).await;
        answer(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n").await;
        let block = vec![b'x'; 1 << 20];
        let mut sent = 0;
        while sent < 100 && stream.write_all(&block).await.is_ok() {
            sent += 1;
        }
        assert!(sent < 100, "the reader must stop early");
    })
    .await;
    let http = http(&[&url]);
    assert_eq!(http.request(&get(&url), &|text| text).await.unwrap_err().kind, Kind::TooLarge);
    assert_eq!(http.health(&get(&url)).await.unwrap().get("ok"), Some(&Value::Bool(true)), "a health check needs no whole body");
}

#[tokio::test]
async fn a_health_check_answers_whatever_happens() {
    let hang = server(async |mut stream| {
        head(&mut stream).await;
        std::future::pending::<()>().await;
    })
    .await;
    let close = server(async |mut stream| drop(head(&mut stream).await)).await;
    let garbage = server(async |mut stream| {
        head(&mut stream).await;
        answer(&mut stream, "what?\r\n\r\n").await;
    })
    .await;
    let sick = server(async |mut stream| {
        head(&mut stream).await;
        answer(&mut stream, "HTTP/1.1 503 Down\r\nContent-Length: 0\r\n\r\n").await;
    })
    .await;
    let refused = "http://127.0.0.1:1".to_owned();
    let unknown = "http://no-such-name.invalid:80".to_owned();
    let http = http(&[&hang, &close, &garbage, &sick, &refused, &unknown]);
    for (url, status, error) in [
        (&hang, 0, "timeout after 200ms"),
        (&close, 0, "the connection was closed before an answer"),
        (&garbage, 0, "invalid HTTP version parsed"),
        (&sick, 503, "HTTP 503"),
        (&refused, 0, "connection refused"),
        (&unknown, 0, "the name no-such-name.invalid does not resolve"),
    ] {
        let health = http.health(&HttpRequest { timeout: Duration::from_millis(200), ..get(url) }).await.unwrap();
        assert_eq!(health.get("ok"), Some(&Value::Bool(false)), "{url}");
        assert_eq!((health.int_at(&["status"]), health.str_at(&["error"])), (Some(status), Some(error)), "{url}");
        assert!(matches!(health.get("latency_ms"), Some(Value::Float(ms)) if *ms > 0.0 && *ms < 3_000.0), "{url}: {health}");
    }
    let denied = http.health(&get("http://169.254.169.254/latest/")).await.unwrap_err();
    assert_eq!(denied.kind, Kind::Denied);
}

#[tokio::test]
async fn requests_fail_by_kind_and_never_with_the_query() {
    let close = server(async |mut stream| drop(head(&mut stream).await)).await;
    let http = http(&[&close, "http://127.0.0.1:1"]);
    for url in [format!("{close}/a?token=hunter2"), "http://127.0.0.1:1/a?token=hunter2".to_owned()] {
        let failure = http.request(&get(&url), &|text| text).await.unwrap_err();
        assert_eq!(failure.kind, Kind::Unavailable, "{failure}");
        assert!(!failure.message.contains("hunter2") && failure.message.contains("/a"), "{failure}");
    }
}
