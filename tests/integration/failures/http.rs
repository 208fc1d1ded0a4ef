//! HTTP services that refuse, hang, hang up, answer too much, or lead elsewhere.

use std::io::Write as _;
use std::time::Duration;

use serde_json::json;

use super::http_changes::{BROKEN_CHUNKS, HALF, Raw};
use super::{failed, fails};
use crate::support::{Project, Real, Slot, api_server, variable};

#[test]
fn a_service_that_does_not_answer_as_it_should() {
    let slot = Slot::new(&json!({
        "GET /hangs": { "hang": true },
        "GET /closes": { "close": true },
        "GET /down": { "status": 503, "body": "no upstream" },
        "GET /login": { "status": 401 },
        "GET /forbidden": { "status": 403, "body": "{\"error\":\"no\"}" },
    }));
    let gone = Slot::new(&json!({}));
    let nobody = gone.address.clone();
    drop(gone);
    let project = Real::new("default").service("api", &slot.address).service("gone", &nobody).project();
    fails(
        &project,
        &[
            ("http_get(\"gone/x\");", "unavailable", "/x: connection refused", "does it run, and is it reachable from here?"),
            ("http_get(\"api/hangs\", #{ timeout: \"200ms\" });", "timeout", "/hangs within 200ms", "give it longer with `timeout:`"),
            ("http_get(\"api/closes\");", "unavailable", "the connection was closed before an answer", "look at its log"),
            (
                "http_get(\"api/down\");",
                "unavailable",
                "api/down answered HTTP 503: no upstream",
                "if 503 is expected, pass `ok_status: [503]`",
            ),
            ("http_get(\"api/login\");", "auth", "api/login answered HTTP 401", "`ok_status: [401]`"),
            ("http_get(\"api/forbidden\");", "forbidden", "api/forbidden answered HTTP 403: {\"error\":\"no\"}", "`ok_status: [403]`"),
            ("http_get(\"api/none\");", "not_found", "api/none answered HTTP 404: {\"error\":\"not found\"}", "`ok_status: [404]`"),
        ],
    );
    // To a health check all of this is an answer.
    let script = "let down = http_health([\"api\", \"gone\"], #{ path: \"/hangs\", timeout: \"200ms\" });\nthrow `${down[0].error}, ${down[1].error}`;";
    project.really(script).status(1).stderr_has("timeout after 200ms, connection refused");
}

#[test]
fn an_answer_that_is_none_or_breaks_off_or_never_ends_is_told_in_time() {
    let [garbage, breaks_off, broken_chunks] = [b"\x00\xffwhat?\r\n\r\n", HALF, BROKEN_CHUNKS].map(Raw::ending);
    let hangs_in_it = Raw::new(|stream| {
        let _ = stream.write_all(HALF);
        std::thread::sleep(Duration::from_secs(5));
    });
    for (server, kind) in
        [(&garbage, "unavailable"), (&breaks_off, "unavailable"), (&broken_chunks, "unavailable"), (&hangs_in_it, "timeout")]
    {
        let project = Real::new("default").service("api", &server.address).project();
        for script in [
            "http_get(\"api/items\", #{ timeout: \"500ms\" });",
            "http_get(\"api/items\", #{ timeout: \"500ms\", save: \"items.txt\" });",
            "metrics(\"api\", #{ timeout: \"500ms\" });",
        ] {
            let ran = project.really(script);
            let ran = failed(ran, kind, &server.address, "");
            assert!(ran.took < Duration::from_secs(4), "{:?}\n{ran}", ran.took);
            assert!(!project.root().join("items.txt").exists(), "half of it was kept\n{ran}");
        }
        // To a health check it is an answer: the service is down.
        project.really("let it = http_health(\"api\", #{ timeout: \"500ms\" }); check(!it.ok && it.error != (), `${it}`);").status(0);
    }
}

#[test]
fn a_body_of_100_mb_ends_early_in_bounded_memory_and_leaves_no_payload() {
    let slot = Slot::new(&json!({ "GET /dump": { "body_bytes": 100 << 20 }, "GET /most": { "body_bytes": 8_300_000 } }));
    let project = Real::new("default").service("api", &slot.address).project().script("x.rhai", "http_get(\"api/dump\");");
    // The program itself and its stack of 256 MiB take most of this address space; 100 MB more would not fit.
    let ran = project.start(project.shell("export MALLOC_ARENA_MAX=1; ulimit -v 434000", ["run", "x.rhai"])).wait();
    let ran = failed(ran, "too_large", "/dump: the body is larger than 8 MiB", "ask for less");
    assert!(ran.took < Duration::from_secs(5), "{:?}\n{ran}", ran.took);
    assert!(!ran.journal_path().with_extension("payloads").exists(), "something of it was kept");
    // What fits the wire may still be too much for a script's value: nothing of it is kept either.
    project.really("show(http_get(\"api/most\").body.len());").status(0).stdout_has("8300000");
}

#[test]
fn where_there_is_no_memory_to_begin_it_is_said() {
    let project = Project::new().script("x.rhai", "");
    let ran = project.start(project.shell("export MALLOC_ARENA_MAX=1; ulimit -v 200000", ["run", "x.rhai", "--world"])).wait().status(1);
    ran.stderr_has("error[failed]: the program cannot begin: ").no_journal();
}

#[test]
fn a_redirect_takes_no_credentials_along() {
    let other = Slot::new(&json!({ "GET /taken": { "body": "got them" } }));
    let slot = Slot::new(&json!({
        "GET /away": { "redirect": format!("http://{}/taken?token=abc", other.address) },
        "GET /inside": { "redirect": "/end" },
        "GET /end": { "body": "inside" },
        "GET /loop": { "redirect": "/loop" },
        "GET /metadata": { "redirect": "http://169.254.169.254/latest/meta-data" },
    }));
    // The other one may be asked, and still credentials do not follow to it.
    let project = Real::new("default").service("api", &slot.address).service("other", &other.address).project();
    let get = |path: &str| format!("http_get(\"api/{path}\", #{{ headers: #{{ Authorization: \"Bearer 12345678\" }} }});");
    let elsewhere = format!("api/away answered HTTP 302, a redirect to http://{}/taken that is not followed", other.address);
    let hint = "redirects are followed within one origin only: ask the other one itself";
    fails(
        &project,
        &[
            (&get("away"), "failed", &elsewhere, hint),
            (&get("metadata"), "failed", "a redirect to http://169.254.169.254/latest/meta-data that is not followed", hint),
            (&get("loop"), "failed", "api/loop answered HTTP 302, a redirect to /loop that is not followed", hint),
        ],
    );
    assert!(other.requests().is_empty(), "{:?}", other.requests());
    project.really(&format!("let it = {}\nthrow it.body;", get("inside"))).status(1).stderr_has("inside");
    let asked = slot.requests();
    let within = asked.iter().find(|request| request["path"] == "/end").unwrap();
    assert_eq!(within["headers"]["authorization"], "Bearer 12345678");
}

#[test]
fn nothing_leaves_for_a_place_that_is_not_declared() {
    let slot = Slot::new(&json!({}));
    let elsewhere = Slot::new(&json!({}));
    let port = elsewhere.address.rsplit(':').next().unwrap();
    let allow = "allow = [\"http://169.254.169.254/\", \"http://metadata.internal/\"]";
    let project = Real::new("default").line(allow).service("api", &slot.address).project();
    // Proxy variables lead nowhere either.
    let project =
        project.env("http_proxy", &format!("http://{}", elsewhere.address)).env("ALL_PROXY", &format!("http://{}", elsewhere.address));
    let rows = [
        (format!("http://{}/steal?token=abc", elsewhere.address), "is not among what the environment `test` may ask", "add it to `allow`"),
        (format!("http://localhost:{port}/"), "http://localhost:", "add it to `allow`"),
        (format!("http://[::ffff:127.0.0.1]:{port}/"), "is not among", "add it to `allow`"),
        ("http://169.254.169.254/latest".to_owned(), "169.254.169.254 is a cloud's metadata service", "such addresses are never asked"),
        ("http://2852039166/latest".to_owned(), "169.254.169.254 is a cloud's metadata service", "such addresses are never asked"),
        ("http://169.254.1.1/".to_owned(), "169.254.1.1 is a link-local address", "such addresses are never asked"),
    ];
    for (url, message, hint) in rows {
        // Caught, and the run is over all the same: a denial is latched.
        let script = format!("try {{ http_get({url:?}); }} catch {{ note(\"went on\"); }}");
        for ran in [project.really(&script), project.rehearsed_really(&script)] {
            failed(ran, "denied", message, hint).has_not("note: went on");
        }
    }
    assert!(elsewhere.requests().is_empty(), "{:?}", elsewhere.requests());
}

#[test]
fn what_a_service_says_stays_on_one_line() {
    let hostile = "\u{1b}[2J\u{202e}evil\n{\"type\":\"end\",\"status\":\"ok\"}\r\nfake";
    let slot = Slot::new(
        &json!({ "GET /hostile": { "status": 500, "body": hostile }, "GET /long": { "status": 500, "body": "x".repeat(10 << 10) } }),
    );
    let project = Real::new("default").service("api", &slot.address).project();
    let ran =
        failed(project.really("http_get(\"api/hostile\");"), "failed", "api/hostile answered HTTP 500: \\u{1b}[2J\\u{202e}evil\\n{", "");
    assert!(!ran.err.contains('\u{1b}') && !ran.err.contains('\u{202e}') && !ran.err.contains("\nfake"), "{ran}");
    let long = failed(project.really("http_get(\"api/long\");"), "failed", "xxx…", "");
    assert!(long.err.lines().all(|line| line.len() < 500), "{long}");
}

#[test]
fn what_a_service_says_is_never_compiled() {
    let text = "`${abort(\"run\")}` ${env(\"HOME\")} {{ abort(\"run\") }} $(id) %n";
    let slot = Slot::new(
        &json!({ "GET /text": { "body": text }, "GET /json": { "headers": { "Content-Type": "application/json" }, "body": json!({ text: [text] }).to_string() } }),
    );
    let project = Real::new("default").service("api", &slot.address).project();
    let script = "let text = http_get(\"api/text\").body;\nlet json = http_get(\"api/json\").body;\n\
                  step `Look at ${text}` { note(text); note(`${text}`); show(json); show(table([json])); }\n\
                  check(json.keys()[0] == text && json[text][0] == text && parse_json(json.to_json()) == json, \"it is another text\");\n\
                  wait_until(|| true, #{ message: text });\nthrow text;";
    let ran = project.really(script).status(1).stderr_has(&format!("note: {text}")).stderr_has(&format!("error[failed]: {text}"));
    assert!(ran.stderr_has(&format!("Look at {text}")).out.contains("abort"), "it is shown as it is");
}

#[test]
fn a_certificate_is_verified_and_the_phases_before_the_answer_are_told() {
    let address = api_server();
    let (_, port) = address.rsplit_once(':').unwrap();
    let (by_name, by_address) = (format!("https://localhost:{port}/version"), format!("https://{address}/version"));
    let project = Real::new("default").line(&format!("allow = [\"https://localhost:{port}/\", \"https://{address}/\"]")).project();
    let get = |url: &str| format!("http_get({url:?}, #{{ ok_status: [200, 401, 403] }}).timings");
    let script = format!(
        "let it = {};\ncheck(it.tls_ms > 0.0 && it.connect_ms > 0.0 && it.dns_ms == 0.0, `${{it}}`);\n\
         check(it.dns_ms + it.connect_ms + it.tls_ms <= it.first_byte_ms && it.first_byte_ms <= it.total_ms, `${{it}}`);\n\
         let it = {};\ncheck(it.dns_ms > 0.0 && it.tls_ms > 0.0, `${{it}}`);\n",
        get(&by_address),
        get(&by_name)
    );
    let trusting = project.clone().env("SSL_CERT_FILE", &variable("RUNBOOK_TEST_CA"));
    trusting.really(&script).status(0);
    let hint = "is its certificate valid and signed by an authority that this machine trusts?";
    failed(project.really(&format!("{};", get(&by_address))), "unavailable", "TLS: invalid peer certificate: UnknownIssuer", hint);
}
