//! What services, databases, channels, logs and metrics answer.

use super::*;

#[test]
fn without_a_ready_pod_connections_are_refused() {
    let world = example("outage.yaml");
    let health = world.health("billing");
    assert_eq!((health.at(&["ok"]), health.int_at(&["status"])), (Some(&Value::Bool(false)), Some(0)));
    assert_eq!(health.str_at(&["error"]), Some("connection refused"));
    assert!(matches!(health.get("latency_ms"), Some(Value::Float(_))));
    let failure = world.ask(&Read::Http(request("billing", "http://billing:8080/x"))).unwrap_err();
    assert_eq!((failure.kind, failure.message.as_str()), (Kind::Unavailable, "GET http://billing:8080/x: connection refused"));
    let ping = Read::Redis { database: "redis".into(), command: vec!["PING".into()], timeout: WAIT };
    let failure = world.ask(&ping).unwrap_err();
    assert_eq!(
        (failure.kind, failure.message.as_str()),
        (Kind::Unavailable, "the database `redis` at redis:6379 cannot be reached: connection refused")
    );
    world.scale("deployment/redis", 3);
    world.sleep(3);
    assert_eq!(world.ask(&ping).unwrap_err().kind, Kind::Unavailable);
    world.sleep(1);
    assert_eq!(world.ask(&ping).unwrap(), "PONG".into());
}

#[test]
fn http_answers_by_route_and_takes_its_time() {
    let world = try_load(
        r#"
services:
  billing: { latency: 40ms, routes: { "GET /x": { status: 201, body: { a: 1 }, headers: { X-A: b } }, "GET /late": { latency: 1m } } }
  consent: { down: true }
  chat-history: { status: 500 }
urls: { "https://status.example.com/api": { latency: 300ms } }
"#,
    )
    .unwrap();
    let answer = world.ask(&Read::Http(request("", "http://billing:8080/x?q=1"))).unwrap();
    assert_eq!((answer.int_at(&["status"]), answer.int_at(&["body", "a"])), (Some(201), Some(1)));
    assert_eq!(answer.str_at(&["headers", "x-a"]), Some("b"));
    assert_eq!(answer.get("latency_ms"), Some(&40.0.into()));
    assert_eq!(world.clock().elapsed(), Duration::from_millis(40));
    let status = |service, url: &str| world.ask(&Read::Http(request(service, url))).map(|answer| answer.int_at(&["status"]).unwrap());
    assert_eq!(status("billing", "http://billing:8080/unknown").unwrap(), 404);
    assert_eq!(status("consent", "http://consent:8080/health").unwrap(), 503);
    assert_eq!(world.health("chat-history").str_at(&["error"]), Some("HTTP 500"));
    assert_eq!(status("billing", "http://billing:8080/late").unwrap_err().kind, Kind::Timeout);
    assert_eq!(status("", "https://status.example.com/api/health").unwrap(), 200);
    assert!(status("", "https://status.example.com/other").unwrap_err().hint.unwrap().contains("urls:"));
    assert_eq!(status("", "http://me:pw@billing:8080/x").unwrap_err().kind, Kind::BadArgument);
    for url in ["http://evil.example/", "http://billing:8081/", "http://billing.evil.example:8080/"] {
        let failure = status("", url).unwrap_err();
        assert_eq!(failure.kind, Kind::Denied, "{url}");
        assert!(failure.hint.unwrap().contains("allow"));
    }
}

#[test]
fn reads_at_once_take_as_long_as_the_slowest() {
    let world = example("slow-gateway.yaml");
    let ops: Vec<Read> = ["api-gateway", "ai-gateway", "billing"]
        .map(|name| Read::Health(request(name, &format!("http://{name}:8080/health"))))
        .into_iter()
        .collect();
    let answers = with_cx(|cx| world.read_all(&ops, cx));
    let latencies: Vec<Value> = answers.into_iter().map(|answer| answer.unwrap().value.get("latency_ms").cloned().unwrap()).collect();
    assert_eq!(latencies, [180.0.into(), 12.0.into(), 5.0.into()]);
    assert_eq!(world.clock().elapsed(), Duration::from_millis(180));
    world.scale("deployment/api-gateway", 7);
    world.sleep(4);
    assert_eq!(world.health("api-gateway").get("latency_ms"), Some(&20.0.into()));
}

#[test]
fn the_data_of_secrets_never_shows() {
    let world = try_load("objects: [{ kind: Secret, metadata: { name: auth-secrets }, data: { key: aHVudGVyMmh1bnRlcjI= } }]").unwrap();
    let object = world.get("secret/auth-secrets");
    assert!(matches!(object.at(&["data", "key"]), Some(Value::Secret(secret)) if secret.expose() == "hunter2hunter2"));
    let answer = world.patch("secret/auth-secrets", r#"{"data":{"key":"bmV3c2VjcmV0MTIz"}}"#).unwrap();
    assert!(!format!("{answer} {answer:?}").contains("bmV3c2VjcmV0"));
    assert!(
        matches!(world.get("secret/auth-secrets").at(&["data", "key"]), Some(Value::Secret(secret)) if secret.expose() == "newsecret123")
    );
}

#[test]
fn logs_follow_the_pods_and_the_clock() {
    let world = try_load(
        r#"
workloads:
  deployment/billing: { replicas: 1, logs: ["INFO a", "ERROR b", { after: 10s, line: "ERROR c" }] }
  deployment/consent: { replicas: 1, crash: true, logs: ["panic: no database"] }
"#,
    )
    .unwrap();
    let pod = |app: &str| world.select("pod", &format!("app={app}"))[0].str_at(&["metadata", "name"]).unwrap().to_owned();
    let source = |app: &str| LogSource { namespace: "platform".into(), pod: pod(app), container: app.into() };
    let query = LogQuery {
        sources: vec![source("billing")],
        tail: None,
        since: None,
        previous: false,
        grep: None,
        answer: LogAnswer::Lines(None),
        timeout: WAIT,
    };
    let grep = |pattern: &str, invert| Some(Grep { pattern: pattern.into(), invert });
    let lines = |query: &LogQuery| {
        let answer = world.ask(&Read::Logs(query.clone())).map(|answer| answer.as_list().unwrap().to_vec())?;
        Ok::<_, Failure>(answer.iter().map(|line| line.str_at(&["line"]).unwrap().to_owned()).collect::<Vec<_>>())
    };
    assert_eq!(lines(&query).unwrap(), ["INFO a", "ERROR b"]);
    world.sleep(10);
    assert_eq!(lines(&query).unwrap(), ["INFO a", "ERROR b", "ERROR c"]);
    assert_eq!(lines(&LogQuery { tail: Some(2), grep: grep("b", false), ..query.clone() }).unwrap(), ["ERROR b"]);
    assert_eq!(lines(&LogQuery { grep: grep("ERROR", true), ..query.clone() }).unwrap(), ["INFO a"]);
    assert_eq!(lines(&LogQuery { answer: LogAnswer::Lines(Some(1)), ..query.clone() }).unwrap(), ["ERROR c"]);
    let counted = world.ask(&Read::Logs(LogQuery { answer: LogAnswer::Count, grep: grep("ERROR", false), ..query.clone() })).unwrap();
    assert_eq!(counted.as_list().unwrap()[0].int_at(&["lines"]), Some(2));
    for since in [Since::Ago(Duration::from_secs(5)), Since::Time("2026-01-01T03:00:05Z".parse().unwrap())] {
        assert_eq!(lines(&LogQuery { since: Some(since), ..query.clone() }).unwrap(), ["ERROR c"]);
    }
    let first = world.ask(&Read::Logs(query.clone())).unwrap().as_list().unwrap()[2].clone();
    assert_eq!((first.str_at(&["time"]), first.str_at(&["container"])), (Some("2026-01-01T03:00:10.000000000Z"), Some("billing")));

    let crashed = LogQuery { sources: vec![source("consent")], previous: true, ..query.clone() };
    assert_eq!(lines(&crashed).unwrap(), ["panic: no database"]);
    assert_eq!(world.status("deployment/consent"), "1/1/0");
    for (wrong, message) in [
        (LogQuery { previous: true, ..query.clone() }, "previous terminated container \"billing\""),
        (
            LogQuery { sources: vec![LogSource { container: "x".into(), ..source("billing") }], ..query.clone() },
            "container x is not valid for pod",
        ),
        (LogQuery { grep: grep("(", false), ..query.clone() }, "`grep`: \"(\" is no regular expression"),
        (
            LogQuery { sources: vec![LogSource { pod: "nothing".into(), ..source("billing") }], ..query.clone() },
            "pod/nothing does not exist",
        ),
    ] {
        let failure = lines(&wrong).unwrap_err();
        assert!(failure.message.starts_with(message), "{}", failure.message);
    }
}

#[test]
fn metrics_are_of_ready_pods() {
    let world = try_load("workloads: { deployment/billing: { replicas: 2, cpu: 120m, memory: 200Mi } }").unwrap();
    world.scale("deployment/billing", 3);
    let selection = Selection {
        kind: ResourceKind::named("pod").unwrap(),
        namespace: Some("platform".into()),
        selector: Some("app=billing".into()),
        fields: Vec::new(),
        freshness: Freshness::Now,
        timeout: WAIT,
    };
    let answer = world.ask(&Read::PodMetrics(selection)).unwrap();
    let pods = answer.as_list().unwrap();
    assert_eq!(pods.len(), 2);
    assert_eq!(pods[0].get("containers").unwrap().to_string(), r#"[{"cpu_millicores":120,"memory_bytes":209715200,"name":"billing"}]"#);
}

#[test]
fn messages_are_kept_and_the_cluster_says_who_it_is() {
    let world = healthy();
    let message = Message {
        channel: "incidents".into(),
        text: "down".into(),
        severity: None,
        fields: Value::Null,
        key: "run/1".into(),
        timeout: WAIT,
    };
    let answer = with_cx(|cx| world.send(&message, cx)).unwrap();
    assert_eq!(answer.to_string(), r#"{"latency_ms":20.0,"status":200}"#);
    assert_eq!(world.sent(), std::slice::from_ref(&message));
    let failure = with_cx(|cx| world.send(&Message { channel: "incident".into(), ..message }, cx)).unwrap_err();
    assert_eq!(failure.hint.as_deref(), Some("did you mean `incidents`?"));
    let info = world.ask(&Read::ClusterInfo).unwrap();
    assert_eq!(info.str_at(&["uid"]), Some("6f1c0000-0000-4000-8000-000000000001"));
}

#[test]
fn tunnels_that_break_or_are_forbidden_show_as_they_do_on_the_real_systems() {
    let (config, mut environment) = setting();
    let world = |environment: &Environment| {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"tunnels: { postgres: broken, redis: forbidden, billing: broken, consent: forbidden }\n").unwrap();
        World::load(file.path(), config.clone(), environment.clone(), Timestamp::UNIX_EPOCH)
    };
    let failure = world(&environment).err().unwrap();
    assert!(failure.message.contains(":1:48: the environment `prod` is reached without tunnels"), "{failure}");
    environment.reach = crate::config::Reach::PortForward;
    let world = world(&environment).unwrap();
    let text = "SELECT 1".to_owned();
    let sql = Read::Sql(Statement { database: "postgres".into(), text, params: vec![], limit: 1, save: None, timeout: WAIT });
    let failure = world.ask(&sql).unwrap_err();
    let lost = "the connection to the database `postgres` was lost: the tunnel broke";
    assert_eq!((failure.kind, failure.message.as_str()), (Kind::Unavailable, lost));
    let failure = world.ask(&Read::Redis { database: "redis".into(), command: vec!["PING".into()], timeout: WAIT }).unwrap_err();
    assert_eq!(failure.kind, Kind::Forbidden);
    assert!(failure.message.starts_with("no tunnel to redis:6379: ") && failure.hint.unwrap().contains("create and get pods/portforward"));
    assert_eq!(world.health("billing").str_at(&["error"]), Some("the tunnel broke"));
    let url = "http://billing:8080/x";
    assert_eq!(world.ask(&Read::Http(request("billing", url))).unwrap_err().kind, Kind::Unavailable);
    let write = with_cx(|cx| world.prepare(Write::Http(HttpRequest { method: "POST", ..request("billing", url) }), cx)).unwrap();
    let failure = with_cx(|cx| world.write(&write, cx)).unwrap_err();
    assert_eq!((failure.kind, failure.sent), (Kind::InDoubt, crate::model::Sent::Unknown));
    let health = Read::Health(request("consent", "http://consent:8080/health"));
    assert_eq!(world.ask(&health).unwrap_err().kind, Kind::Forbidden, "whether it is well nobody knows");
}
