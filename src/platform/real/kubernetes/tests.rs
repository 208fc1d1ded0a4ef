use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex as Lock};
use std::time::Duration;

use super::*;
use crate::model::operation::{Freshness, PatchKind, PatchVerb, Selection, Write};
use crate::model::{ObjectRef, Sent};
use crate::platform::quantity;

#[test]
fn quantities_are_kubernetes_own() {
    for (text, value) in [
        ("250m", 0.25),
        ("1.5", 1.5),
        ("0", 0.0),
        ("61255n", 0.000_061_255),
        ("100u", 0.000_1),
        ("128974848", 128_974_848.0),
        ("129e6", 129e6),
        ("129M", 129e6),
        ("123Mi", 128_974_848.0),
        ("1Ki", 1024.0),
        ("2E", 2e18),
        ("1E3", 1000.0),
        ("+1", 1.0),
    ] {
        let found = quantity(text).unwrap();
        assert!((found - value).abs() <= value.abs() * 1e-12, "{text}: {found}");
    }
    for text in ["", "m", "Mi", "1x", "1 Mi", "inf", "nan", "1Mi2"] {
        assert_eq!(quantity(text), None, "{text}");
    }
}

#[test]
fn paths_are_the_api_servers_and_cannot_climb() {
    let kind = |name| ResourceKind::named(name).unwrap();
    assert_eq!(
        path(kind("deployment"), Some("p"), Some("api"), Some("scale")).unwrap(),
        "/apis/apps/v1/namespaces/p/deployments/api/scale"
    );
    assert_eq!(path(kind("pod"), None, None, None).unwrap(), "/api/v1/pods");
    assert_eq!(path(kind("node"), Some("p"), Some("n"), None).unwrap(), "/api/v1/nodes/n");
    assert_eq!(path(kind("pod"), Some("a/b?c"), Some("x y"), None).unwrap(), "/api/v1/namespaces/a%2Fb%3Fc/pods/x%20y");
    for name in ["..", ".", ""] {
        assert!(path(kind("pod"), Some("p"), Some(name), None).is_err(), "{name:?}");
    }
    assert_eq!(with_query("/x".into(), [("labelSelector", "a in (b,c)".into())]), "/x?labelSelector=a+in+%28b%2Cc%29");
}

/// An API server that notes each request's line and answers by a closure: status and body, or nothing, and the connection ends.
struct Stub {
    requests: Arc<Lock<Vec<String>>>,
    kubernetes: Kubernetes,
    _kubeconfig: tempfile::NamedTempFile,
}

fn stub(cluster_uid: Option<&str>, user: &str, answer: fn(&str) -> Option<(u16, &'static str)>) -> Stub {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    let requests: Arc<Lock<Vec<String>>> = Arc::default();
    let noted = Arc::clone(&requests);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let noted = Arc::clone(&noted);
            std::thread::spawn(move || serve(stream.unwrap(), &noted, answer));
        }
    });
    let mut kubeconfig = tempfile::NamedTempFile::new().unwrap();
    write!(
        kubeconfig,
        "clusters: [{{name: c, cluster: {{server: '{server}'}}}}]\nusers: [{{name: u, user: {{{user}}}}}]\ncontexts: [{{name: stub, context: {{cluster: c, user: u}}}}]\n"
    )
    .unwrap();
    let environment = Environment {
        name: "prod".into(),
        context: Some("stub".into()),
        cluster_uid: cluster_uid.map(str::to_owned),
        namespace: "p".into(),
        ..Environment::default()
    };
    let files = vec!["/nonexistent/kubeconfig".into(), kubeconfig.path().to_owned()];
    Stub { requests, kubernetes: Kubernetes { files, ..Kubernetes::new(&environment) }, _kubeconfig: kubeconfig }
}

fn serve(mut stream: TcpStream, noted: &Lock<Vec<String>>, answer: fn(&str) -> Option<(u16, &'static str)>) {
    let mut request = Vec::new();
    let mut block = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let lower = head.to_lowercase();
            let length = lower.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok()).unwrap_or(0);
            if body.len() >= length {
                let line = head.lines().next().unwrap().trim_end_matches(" HTTP/1.1").to_owned();
                noted.lock().unwrap().push(line.clone());
                let Some((status, body)) = answer(&line) else { return };
                write!(stream, "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len())
                    .unwrap();
                request.clear();
            }
        }
        match stream.read(&mut block) {
            Ok(n) if n > 0 => request.extend_from_slice(&block[..n]),
            _ => return,
        }
    }
}

const NAMESPACE: &str = r#"{"metadata":{"uid":"uid-1"}}"#;

impl Stub {
    async fn patch(&self, mode: Mode) -> Result<Value, Failure> {
        let object = ObjectRef::new(ResourceKind::named("deployment").unwrap(), "p", "api");
        let patch = map! { "spec" => map! { "replicas" => 3 } };
        let (kind, verb, timeout) = (PatchKind::Merge, PatchVerb::Patch, Duration::from_secs(5));
        self.kubernetes.change(&Write::Patch { object, subresource: None, patch, kind, verb, timeout }, mode, &Departure::default()).await
    }

    fn lines(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

const PATCH: &str = "PATCH /apis/apps/v1/namespaces/p/deployments/api?fieldManager=runbook&fieldValidation=Strict";

#[tokio::test]
async fn the_cluster_is_checked_before_anything_else_is_sent() {
    let right = stub(Some("uid-1"), "token: t", |_| Some((200, NAMESPACE)));
    right.patch(Mode::DryRun).await.unwrap();
    assert_eq!(right.lines(), ["GET /api/v1/namespaces/kube-system".to_owned(), format!("{PATCH}&dryRun=All")]);
    let wrong = stub(Some("uid-2"), "token: t", |_| Some((200, NAMESPACE)));
    for _ in 0..2 {
        let failure = wrong.patch(Mode::Apply).await.unwrap_err();
        assert_eq!(failure.kind, Kind::Denied);
        assert!(failure.message.contains("uid-1") && failure.message.contains("uid-2"), "{failure}");
    }
    assert!(wrong.lines().iter().all(|line| line == "GET /api/v1/namespaces/kube-system"), "{:?}", wrong.lines());
}

#[tokio::test]
async fn a_change_is_sent_once_whatever_the_answer() {
    fn on_patch(line: &str, answer: Option<(u16, &'static str)>) -> Option<(u16, &'static str)> {
        if line.starts_with("PATCH") { answer } else { Some((200, NAMESPACE)) }
    }
    type Case = (fn(&str) -> Option<(u16, &'static str)>, Kind, Sent);
    let cases: [Case; 9] = [
        (|line| on_patch(line, None), Kind::InDoubt, Sent::Unknown),
        (|line| on_patch(line, Some((504, r#"{"reason":"Timeout","message":"timeout"}"#))), Kind::InDoubt, Sent::Unknown),
        (|line| on_patch(line, Some((500, r#"{"message":"etcdserver: request timed out"}"#))), Kind::InDoubt, Sent::Unknown),
        (|line| on_patch(line, Some((500, r#"{"message":"failed calling webhook \"x\""}"#))), Kind::Unavailable, Sent::No),
        (|line| on_patch(line, Some((429, r#"{"message":"too many requests"}"#))), Kind::Unavailable, Sent::No),
        (|line| on_patch(line, Some((503, "busy"))), Kind::Unavailable, Sent::No),
        (|line| on_patch(line, Some((409, r#"{"reason":"Conflict","message":"changed"}"#))), Kind::Conflict, Sent::No),
        (|line| on_patch(line, Some((401, r#"{"reason":"Unauthorized","message":"Unauthorized"}"#))), Kind::Auth, Sent::No),
        (
            |line| on_patch(line, Some((404, r#"{"reason":"NotFound","details":{"name":"api"},"message":"gone"}"#))),
            Kind::NotFound,
            Sent::No,
        ),
    ];
    for (answer, kind, sent) in cases {
        let stub = stub(Some("uid-1"), "token: t", answer);
        let failure = stub.patch(Mode::Apply).await.unwrap_err();
        assert_eq!((failure.kind, failure.sent), (kind, sent), "{failure:?}");
        assert_eq!(stub.lines().iter().filter(|line| line.starts_with("PATCH")).count(), 1, "{failure:?}");
    }
}

#[tokio::test]
async fn a_webhook_that_cannot_take_part_is_no_refusal() {
    let stub =
        stub(None, "token: t", |_| Some((400, r#"{"reason":"BadRequest","message":"admission webhook \"x\" does not support dry run"}"#)));
    assert!(cannot_dry_run(&stub.patch(Mode::DryRun).await.unwrap_err()));
}

#[tokio::test]
async fn lists_are_read_page_by_page_and_ordered() {
    let stub = stub(None, "token: t", |line| {
        Some((
            200,
            if line.contains("continue=more") {
                r#"{"metadata":{},"items":[{"metadata":{"namespace":"a","name":"z"}}]}"#
            } else {
                r#"{"metadata":{"continue":"more"},"items":[{"metadata":{"namespace":"b","name":"a","managedFields":[]}}]}"#
            },
        ))
    });
    let selection = Selection {
        kind: ResourceKind::named("pod").unwrap(),
        namespace: None,
        selector: Some("app=a".into()),
        fields: Vec::new(),
        freshness: Freshness::Now,
        timeout: std::time::Duration::from_secs(5),
    };
    let list = stub.kubernetes.objects(&selection).await.unwrap();
    let pod = |namespace: &str, name: &str| map! { "apiVersion" => "v1", "kind" => "Pod", "metadata" => map! { "namespace" => namespace, "name" => name } };
    assert_eq!(list, Value::List(vec![pod("a", "z"), pod("b", "a")]));
    assert_eq!(stub.lines()[0], "GET /api/v1/pods?limit=500&labelSelector=app%3Da");
    // What the server has at hand is asked for with the first page only: with a page's token it would be refused. And once.
    let at_hand = Selection { freshness: Freshness::AtHand, ..selection };
    let (first, second) = tokio::join!(stub.kubernetes.objects(&at_hand), stub.kubernetes.objects(&at_hand));
    assert_eq!((first.unwrap(), second.unwrap()), (list.clone(), list));
    let expected = [
        "GET /api/v1/pods?limit=500&labelSelector=app%3Da&resourceVersion=0",
        "GET /api/v1/pods?limit=500&labelSelector=app%3Da&continue=more",
    ];
    assert_eq!(stub.lines()[2..], expected);
}

#[tokio::test]
async fn a_login_that_fails_says_so_and_nothing_that_it_printed() {
    let user =
        "exec: {apiVersion: client.authentication.k8s.io/v1, command: sh, args: [-c, 'echo hunter2; exit 3'], interactiveMode: Never}";
    let stub = stub(Some("uid-1"), user, |_| Some((200, NAMESPACE)));
    let failure = stub.patch(Mode::Apply).await.unwrap_err();
    assert_eq!(
        (failure.kind, failure.message.as_str()),
        (Kind::Auth, "logging in to the context `stub` failed: sh failed (exit status: 3)")
    );
    assert!(!format!("{failure:?}").contains("hunter2") && stub.lines().is_empty());
}
