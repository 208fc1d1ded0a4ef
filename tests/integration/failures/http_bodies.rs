//! What is sent to services: personal data and secrets in it, who else may see them, and how a person goes on by hand.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Project, Ran, Real, Slot};

/// Somebody's name, which belongs beside the journal and nowhere else.
const NAME: &str = "Ann Mary Smith";
/// A token of the configuration, and a password.
const TOKEN: &str = "canary-bearer-token/1+";
const PASSWORD: &str = "canary\"pass$word'4";

fn service(slot: &Slot, more: &str) -> Project {
    Real::new("default").service_with("api", &slot.address, more).project().env("API_TOKEN", TOKEN).env("API_PASSWORD", PASSWORD)
}

/// The files beside the newest journal.
fn payloads(ran: &Ran) -> Vec<PathBuf> {
    let folder = ran.journal_path().with_extension("payloads");
    fs::read_dir(folder).map(|files| files.map(|file| file.unwrap().path()).collect()).unwrap_or_default()
}

/// Checks that a text stands in no output of a run and in no line of its journal.
#[track_caller]
fn not_told(ran: &Ran, text: &str) {
    let shown = ran.project.run(["log", "show", "last"]);
    let json = ran.project.run(["log", "show", "last", "-o", "json"]);
    let journal = fs::read_to_string(ran.journal_path()).unwrap();
    for (place, told) in
        [("output", &ran.out), ("messages", &ran.err), ("log", &shown.out), ("log as JSON", &json.out), ("journal", &journal)]
    {
        assert!(!told.contains(text), "{text:?} is in the {place}:\n{told}");
    }
}

#[test]
fn a_body_stands_beside_the_journal_and_a_replay_compares_it() {
    let slot = Slot::new(&json!({ "POST /patients": { "status": 201, "body": "ok" } }));
    let project = service(&slot, "reads = [\"/search\"]");
    // In two parts, since a failure shows the script's own line.
    let script = |name: &str| {
        let (first, last) = name.split_at(2);
        format!("http_post(\"api/patients\", #{{ name: {first:?} + {last:?}, tags: [1, 2.5] }});")
    };
    for args in [
        &["run", "x.rhai"][..],
        &["run", "x.rhai", "-o", "json"],
        &["run", "x.rhai", "--dry-run"],
        &["run", "x.rhai", "--dry-run", "-o", "json"],
    ] {
        let ran = project.clone().script("x.rhai", &script(NAME)).run(args).status(0).recorded("ok", 0);
        not_told(&ran, NAME);
        let sent = payloads(&ran).iter().map(|path| fs::read_to_string(path).unwrap()).find(|text| text.contains(NAME)).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&sent).unwrap(), json!({ "name": NAME, "tags": [1, 2.5] }));
        let intent = &ran.journaled("intent")[0];
        assert_eq!(intent["after"], json!({ "method": "POST", "body": "map of 2 keys" }));
        assert_eq!((&intent["args"][1], &intent["args"][1]["shape"]), (&intent["operation"]["body"], &"map of 2 keys".into()));
        let sha256 = intent["args"][1]["$body"].as_str().unwrap();
        assert!(payloads(&ran).iter().any(|path| path.file_stem().unwrap() == sha256), "{ran}");
    }
    // The verification knows of it.
    let ran = project.clone().script("x.rhai", &script(NAME)).run(["run", "x.rhai"]).status(0);
    let beside = payloads(&ran).into_iter().find(|path| fs::read_to_string(path).unwrap().contains(NAME)).unwrap();
    project.run(["log", "verify", "last"]).status(0).stdout_has("payloads: 2 as written");
    let id = ran.journal_path().file_stem().unwrap().to_str().unwrap().to_owned();
    // The same body is the same call, another is another, though it has the same shape.
    project.run(["run", "x.rhai", "--replay", &id]).status(0);
    let other = project.clone().script("x.rhai", &script("Bob")).run(["run", "x.rhai", "--replay", &id]);
    other.status(7).stderr_has("was recorded with").has_not(NAME).has_not("Bob");
    fs::write(&beside, fs::read_to_string(&beside).unwrap().replace("Ann", "Eve")).unwrap();
    project.run(["log", "verify", &id]).status(8).stdout_has("BROKEN  payload ");
    // What only reads sends personal data too.
    let search = format!("http_post(\"api/search\", #{{ name: {NAME:?} }}, #{{ effect: \"read\", ok_status: [200, 404] }});");
    let ran = project.really(&search).status(0);
    not_told(&ran, NAME);
    assert!(ran.journaled("intent").is_empty() && ran.journaled("call")[0]["effect"] == "read", "{ran}");
}

#[test]
fn a_secret_in_a_body_is_nowhere_and_arrives() {
    let slot = Slot::new(&json!({
        "POST /login": { "headers": { "Content-Type": "application/json" }, "body": json!({ "token": "canary-minted-token" }).to_string() },
        "POST /echo": { "body": PASSWORD },
    }));
    let project = service(&slot, "auth = { basic = { user = \"ops\", password = { env = \"API_PASSWORD\" } } }");
    let script = "let it = http_post(\"api/login\", \"\", #{ seal: [\"/token\"] });\nshow(it);\n\
        show(http_post(\"api/echo\", #{ token: it.body.token, deep: [#{ again: it.body.token }] }).body);\n\
        show(http_post(\"api/echo\", it.body.token, #{ headers: #{ \"X-Token\": [\"T \", it.body.token] } }));\nthrow `${it.body.token}`;";
    let ran = project.really(script).status(1).stderr_has("***");
    for secret in ["canary-minted-token", PASSWORD, "canary-minted"] {
        not_told(&ran, secret);
        for path in payloads(&ran) {
            assert!(!fs::read_to_string(&path).unwrap().contains(secret), "{secret} is in {}", path.display());
        }
    }
    let bodies: Vec<String> = slot.requests().iter().map(|request| request["body"].as_str().unwrap().to_owned()).collect();
    assert_eq!(bodies, ["", r#"{"deep":[{"again":"canary-minted-token"}],"token":"canary-minted-token"}"#, "canary-minted-token"]);
    assert_eq!(slot.requests()[2]["headers"]["x-token"], "T canary-minted-token");
    let intents = ran.journaled("intent");
    assert!(intents[1]["equivalent"].as_str().unwrap().ends_with("  # first put in its secrets: api/login#/token"), "{}", intents[1]);
    // Base64 of the user with the password is not told either.
    let slot = Slot::new(&json!({ "GET /": { "body": "Basic b3BzOmNhbmFyeSJwYXNzJHdvcmQnNA==, b3BzOmNhbmFyeSJwYXNzJHdvcmQnNA==" } }));
    let project = service(&slot, "auth = { basic = { user = \"ops\", password = { env = \"API_PASSWORD\" } } }");
    project.really("show(http_get(\"api\").body);").status(0).stdout_has("Basic ***, ***");
    assert_eq!(slot.requests()[0]["headers"]["authorization"], "Basic b3BzOmNhbmFyeSJwYXNzJHdvcmQnNA==");
}

/// What of a request a person's command line must say too.
fn said(request: &Value) -> Value {
    let mut headers = request["headers"].as_object().unwrap().clone();
    // Each client has its own.
    for own in ["user-agent", "accept", "accept-encoding", "host", "connection"] {
        headers.remove(own);
    }
    json!([request["method"], request["path"], request["query"], headers, request["body"]])
}

#[test]
fn the_equivalent_in_a_shell_makes_the_same_request() {
    let odd = "first=1\nit's \"$HOME\" `id` \\ ü @file\n";
    let calls = [
        "http_post(\"api/items\", #{ name: \"it's \\\"$HOME\\\" `id` ü\", n: 2.5, none: (), deep: [#{ a: true }] }, #{ headers: #{ \"X-A\": \"b $HOME's\" } })".to_owned(),
        format!("http_put(\"api/items/3?a=1&b=c%20d\", {odd:?})"),
        "http_patch(\"api/items/3\", \"@not-a-file\", #{ headers: #{ \"Content-Type\": \"text/x-odd\" }, idempotency_key: true })".to_owned(),
        "http_delete(\"api/items/3\", #{ headers: #{ Authorization: \"Own mine\" } })".to_owned(),
        "http_post(\"api/items\", \"\")".to_owned(),
    ];
    for auth in [
        "",
        "auth = { bearer = { env = \"API_TOKEN\" } }",
        "auth = { basic = { user = \"o'p$s\", password = { env = \"API_PASSWORD\" } } }",
        "headers = { \"X-Api-Key\" = { env = \"API_TOKEN\" }, X-Other = { command = [\"echo\", \"a b\"] } }",
    ] {
        let slot = Slot::new(
            &json!({ "POST /*": { "body": "" }, "PUT /*": { "body": "" }, "PATCH /*": { "body": "" }, "DELETE /*": { "body": "" } }),
        );
        let project = service(&slot, auth);
        for call in &calls {
            let ran = project.clone().script("x.rhai", &format!("{call};")).run(["run", "x.rhai", "-o", "json"]).status(0);
            let line = ran.json()["changes"][0]["equivalent"].as_str().unwrap().to_owned();
            assert!(!line.contains("canary"), "{line}");
            let mut shell = Command::new("bash");
            shell.args(["-c", &line]).env("API_TOKEN", TOKEN).env("API_PASSWORD", PASSWORD).current_dir(project.root());
            let output = shell.output().unwrap();
            assert!(output.status.success(), "{line}\n{}", String::from_utf8_lossy(&output.stderr));
            let requests = slot.requests();
            let [.., by_runbook, by_hand] = requests.as_slice() else { panic!("{requests:?}") };
            assert_eq!(said(by_runbook), said(by_hand), "{line}");
        }
        assert_eq!(slot.requests().len(), 2 * calls.len());
    }
}

#[test]
fn credentials_go_to_their_service_s_origin_alone() {
    let other = Slot::new(&json!({ "GET /*": { "body": "other" }, "POST /*": { "body": "other" } }));
    let slot = Slot::new(&json!({
        "GET /away": { "redirect": format!("http://{}/taken", other.address) },
        "POST /away": { "redirect": format!("http://{}/taken", other.address) },
        "POST /inside": { "redirect": "/end" },
        "GET /inside": { "redirect": "/end" },
        "GET /end": { "body": "inside" },
        "GET /metrics": { "body": "up 1\n" },
        "POST /items": { "body": "" },
    }));
    let project = Real::new("default")
        .service_with("api", &slot.address, "auth = { bearer = { env = \"API_TOKEN\" } }\nheaders = { X-Key = { env = \"API_PASSWORD\" } }")
        .service("other", &other.address)
        .project()
        .env("API_TOKEN", TOKEN)
        .env("API_PASSWORD", "canary-key-4");
    let script = format!(
        "http_get(\"api/inside\"); http_post(\"api/items\", \"\"); http_health(\"api\"); metrics(\"api\");\n\
         http_get(\"api/away\", #{{ ok_status: [302] }}); http_post(\"api/away\", \"\", #{{ ok_status: [302] }}); http_post(\"api/inside\", \"\", #{{ ok_status: [302] }});\n\
         http_get(\"api/end\", #{{ headers: #{{ authorization: \"Own word\" }} }});\n\
         http_get(\"other/x\"); http_get(\"http://{}/end\");",
        slot.address
    );
    let ran = project.really(&script).status(0);
    let seen = |slot: &Slot| -> Vec<String> {
        let one = |request: &Value| {
            let header = |name: &str| request["headers"][name].as_str().unwrap_or("-").to_owned();
            format!(
                "{} {} {} {}",
                request["method"].as_str().unwrap(),
                request["path"].as_str().unwrap(),
                header("authorization"),
                header("x-key")
            )
        };
        slot.requests().iter().map(one).collect()
    };
    let own = |line: &str| format!("{line} Bearer {TOKEN} canary-key-4");
    assert_eq!(
        seen(&slot),
        [
            own("GET /inside"),
            own("GET /end"),
            own("POST /items"),
            own("GET /health"),
            own("GET /metrics"),
            own("GET /away"),
            own("POST /away"),
            own("POST /inside"),
            "GET /end Own word canary-key-4".to_owned(),
            // A URL is nobody's service.
            "GET /end - -".to_owned(),
        ]
    );
    assert_eq!(seen(&other), ["GET /x - -"]);
    not_told(&ran, TOKEN);
    // Without the secret nothing is sent; a health check says so.
    let project = service(&slot, "auth = { bearer = { env = \"NOT_SET\" } }");
    let before = slot.requests().len();
    project.really("http_post(\"api/items\", \"\");").status(4).stderr_has("the environment variable NOT_SET is not set");
    project.really("throw http_health(\"api\").error;").status(1).stderr_has("the environment variable NOT_SET is not set");
    assert_eq!(slot.requests().len(), before);
}

#[test]
fn what_a_rehearsal_does_not_send_it_does_not_know() {
    let slot = Slot::new(&json!({ "POST /items": { "status": 201 }, "POST /search": { "body": "found" } }));
    let project = service(&slot, "reads = [\"/search\"]");
    let sent = || slot.requests().iter().filter(|request| request["method"] != "GET").count();
    let script = "let it = http_post(\"api/items\", #{ a: 1 });\nhttp_put(\"api/items\", \"x\"); http_patch(\"api/items\", \"x\"); http_delete(\"api/items\");\n\
        show(it);\nhttp_health(\"api\");\nnote(\"to the end\");";
    let ran = project.rehearsed_really(script).status(0).stderr_has("note: to the end").recorded("ok", 0);
    let ran = ran
        .stdout_has("Would change 4")
        .stdout_has("curl -sS -X POST")
        .stdout_has("curl -sS -X DELETE")
        .stdout_has("api/items · body: map of 1 key, method: POST · moderate");
    assert_eq!(ran.outcomes(), ["api/items would_change"; 4]);
    let health = ran.journaled("call").into_iter().find(|line| line["function"] == "http_health").unwrap();
    assert_eq!(health["provenance"], "stale");
    assert_eq!(sent(), 0, "{:?}", slot.requests());
    for field in ["it.status", "it.body.id", "`${it}`", "it == 1"] {
        let script = format!(
            "let it = http_post(\"api/items\", \"\");\ntry {{ let x = {field}; note(\"went on\"); }} catch {{ note(\"went on\"); }}\nnote(\"went on\");"
        );
        let ran = project.rehearsed_really(&script);
        ran.status(1)
            .stderr_has("the answer of `http_post` (call 1)")
            .stderr_has("`http_post(…, #{ assume: #{ … } })`")
            .has_not("note: went on");
    }
    let assumed = "let it = http_post(\"api/items\", \"\", #{ assume: #{ status: 201, body: #{ id: 7 } } });\nthrow `${it.body.id}`;";
    project.rehearsed_really(assumed).status(1).stderr_has(": 7\n");
    // The author's word alone lowers nothing; the configuration's does.
    let ran = project.rehearsed_really("http_post(\"api/items\", \"\", #{ effect: \"read\" });").status(0);
    assert_eq!((ran.outcomes(), sent()), (vec!["api/items would_change".to_owned()], 0));
    let ran = project.rehearsed_really("throw http_post(\"api/search\", \"\", #{ effect: \"read\" }).body;").status(1).stderr_has("found");
    assert_eq!((ran.outcomes().len(), sent()), (0, 1));
    project.rehearsed_really("http_post(\"api/search\", \"\");").status(0);
    project
        .rehearsed_really(
            "http_post(\"api/search/x\", \"\", #{ effect: \"read\" }); http_post(\"api/search?all=1\", \"\", #{ effect: \"read\" });",
        )
        .status(0);
    assert_eq!(sent(), 2, "without the word it is a change; a path below is another path; a query is the same");
}

#[test]
fn what_is_saved_is_on_disk_whole_and_masked_and_never_in_a_rehearsal() {
    let line = format!("{TOKEN} and more\n");
    let slot = Slot::new(&json!({ "GET /dump": { "body": line.repeat(1000) }, "GET /big": { "body_bytes": 100 << 20 } }));
    let project = service(&slot, "auth = { bearer = { env = \"API_TOKEN\" } }");
    let script = "let it = http_get(\"api/dump\", #{ save: \"dump.txt\" });\nnote(`${it.saved.bytes} ${it.saved.sha256}`);";
    let rehearsed = project.rehearsed_really(script).status(0);
    assert!(!project.root().join("dump.txt").exists(), "{rehearsed}");
    let ran = project.really(script).status(0);
    let text = fs::read_to_string(project.root().join("dump.txt")).unwrap();
    assert_eq!(text, "*** and more\n".repeat(1000));
    let said = |ran: &Ran| ran.err.lines().find(|line| line.contains("13000")).map(str::to_owned);
    assert!(said(&ran).is_some() && said(&ran) == said(&rehearsed), "{ran}\n{rehearsed}");
    let project = project.script("x.rhai", "throw http_get(\"api/big\", #{ save: \"big\", timeout: \"1m\" }).saved.sha256;");
    let ran = project.start(project.shell("export MALLOC_ARENA_MAX=1; ulimit -v 434000", ["run", "x.rhai"])).wait().status(1);
    let sum = Command::new("sha256sum").arg(project.root().join("big")).output().unwrap();
    let sum = String::from_utf8(sum.stdout).unwrap();
    assert_eq!(fs::metadata(project.root().join("big")).unwrap().len(), 100 << 20);
    ran.stderr_has(sum.split(' ').next().unwrap());
}
