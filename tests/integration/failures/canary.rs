//! Every host function meets the canaries at once: each gets them in whatever it takes and finds them in whatever it reads, and
//! they are in nothing that the run shows, keeps and sends.

use std::collections::BTreeSet;
use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use runbook::host::FUNCTIONS;
use serde_json::json;

use super::secrets::{KEY, TOKEN, all_forms, forms, nowhere, project, talkative_pod};
use crate::support::{Hook, Slot, namespace};

/// What each function is given: `raw` is a secret's text that the script itself holds, `secret` the secrets of the cluster, `said` what a
/// service has printed, which is masked by then. Where a function takes no text, its errors name what it was given.
const ROWS: &[(&str, &str)] = &[
    ("abort", "attempt(|| abort()).error"),
    ("annotate", r#"annotate("configmap/leaky", #{ "example.com/key": raw })"#),
    ("ask", r#"ask("ask", raw, #{ choices: [raw, "no"] })"#),
    ("attempt", "attempt(|| throw raw)"),
    ("check", "check(false, raw)"),
    ("cluster_info", "cluster_info(raw)"),
    (
        "command",
        r#"command(["sh", "-c", "cat; echo $KEY; printf %s \"$KEY\" | base64; echo $KEY >&2"], #{ stdin: secret.token, env: #{ KEY: secret.key } })"#,
    ),
    ("command", r#"command(["sh", "-c", "cat >&2; exit 3"], #{ stdin: secret.token })"#),
    ("command", r#"command(["echo", raw])"#),
    ("command", "command([raw])"),
    ("http_post", r#"http_post("api/" + raw, "")"#),
    (
        "command",
        r#"command(["sh", "-c", "cat | base64 --wrap 8; echo $KEY | fold -w 5; echo $KEY | od -An -v -tx1 -w4 | tr -d ' '"], #{ stdin: secret.token, env: #{ KEY: secret.key } })"#,
    ),
    ("configmap", r#"configmap("leaky")"#),
    ("confirm", r#"confirm("confirm", raw)"#),
    ("confirm", r#"confirm("unanswered", raw)"#),
    ("cordon", "cordon(raw)"),
    ("delete", r#"delete("configmap/" + raw)"#),
    ("describe", r#"describe("configmap/leaky")"#),
    ("describe", r#"describe("secret/creds")"#),
    ("describe", r#"describe("pod/runner")"#),
    ("diff", "diff(raw, raw + said)"),
    ("drain", "drain(raw)"),
    ("env", r#"env("CANARY_KEY")"#),
    ("environment", "environment(raw)"),
    ("events", r#"events("pod/runner")"#),
    ("exec", r#"exec("pod/runner", ["head", "-c", "28"], #{ stdin: secret.token })"#),
    ("exec", r#"exec("pod/runner", ["sh", "-c", "head -c 28 >&2; exit 3"], #{ stdin: secret.token })"#),
    ("exec", r#"exec("pod/runner", ["echo", raw])"#),
    ("get", r#"get("configmap/leaky")"#),
    ("get", r#"get("secret/creds")"#),
    ("get", r#"get("pod/runner")"#),
    ("grep", r#"grep([raw, said], "anary")"#),
    ("group_by", "group_by([#{ a: raw }], \"a\")"),
    ("http_delete", r#"http_delete("api/echo", #{ headers: #{ Authorization: secret.token } })"#),
    ("http_get", r#"http_get("api/echo", #{ headers: #{ Authorization: secret.token } })"#),
    ("http_get", r#"http_get("api/fails?key=" + raw)"#),
    ("http_health", r#"http_health("api", #{ path: "/fails" })"#),
    ("http_patch", r#"http_patch("api/echo", #{ key: secret.key, raw: raw })"#),
    ("http_post", r#"http_post("api/echo", #{ key: secret.key, raw: raw }, #{ headers: #{ Authorization: secret.token } })"#),
    ("http_post", r#"http_post("api/fails", secret.key)"#),
    ("http_put", r#"http_put("api/echo?key=" + raw, secret.key)"#),
    ("label", r#"label("configmap/leaky", #{ key: raw })"#),
    ("logs", r#"logs("pod/runner")"#),
    ("logs", r#"logs("pod/runner", #{ grep: raw })"#),
    ("manual", r#"manual("manual", raw, #{ details: [raw] })"#),
    ("metrics", r#"metrics("api/metrics")"#),
    ("mongo_execute", r#"mongo_execute("mongodb", #{ insert: table, documents: [#{ raw: raw, key: secret.key }] })"#),
    ("mongo", r#"mongo("mongodb", #{ find: table })"#),
    ("mongo", r#"mongo("mongodb", #{ find: table, filter: #{ raw: raw, other: #{ "$no": raw } } })"#),
    ("nodes", "nodes(raw)"),
    ("note", "note(`${raw} ${said}`)"),
    ("notify", r#"notify(["signed", "chat"], `${raw} ${said}`, #{ fields: #{ said: raw } })"#),
    ("now", "now(raw)"),
    ("parallel", "parallel([|| raw, || throw raw])"),
    ("parse_json", "parse_json(to_json(raw))"),
    ("parse_json", "parse_json(raw)"),
    ("parse_yaml", "parse_yaml(`[${to_json(raw)}]`)"),
    ("parse_yaml", "parse_yaml(`{${raw}`)"),
    ("patch", r#"patch("configmap/leaky", #{ data: #{ raw: raw } })"#),
    ("patch", r#"patch("secret/creds", #{ stringData: #{ more: raw } })"#),
    ("percentile", "percentile([raw], 50)"),
    ("pods", "pods(raw)"),
    ("read_file", r#"read_file("leaky.txt")"#),
    ("redis_execute", r#"redis_execute("redis", ["SET", table, raw])"#),
    ("redis_execute", r#"redis_execute("redis", ["SET", table, secret.key])"#),
    ("redis_execute", r#"redis_execute("redis", ["LPUSH", table, secret.key])"#),
    ("redis", r#"redis("redis", ["GET", table])"#),
    ("redis", r#"redis("redis", [raw])"#),
    ("restart", "restart(raw)"),
    ("retry", "retry(|| throw raw, #{ times: 1, any: true, assume: #{ a: raw } })"),
    ("retry", "retry(|| throw raw, #{ times: 2, delay: \"1ms\" })"),
    ("rollout_status", "rollout_status(raw)"),
    ("rollout_undo", "rollout_undo(raw)"),
    ("runbook", r#"runbook(#{ title: raw })"#),
    ("scale", "scale(raw, 2)"),
    ("secret", r#"secret("creds")"#),
    ("services", "services(#{ tier: raw })"),
    ("show", "show([raw, said, secret], #{ title: raw })"),
    ("sleep", "sleep(raw)"),
    ("sort_by", "sort_by([#{ a: raw }, #{ a: said }], \"a\")"),
    ("sql_execute", r#"sql_execute("postgres", `CREATE TABLE ${table} (t text)`)"#),
    ("sql_execute", r#"sql_execute("postgres", `INSERT INTO ${table} VALUES ($1), ($2)`, #{ params: [secret.key, raw] })"#),
    (
        "sql_execute",
        r#"sql_execute("postgres", `UPDATE ${table} SET t = (SELECT t::int FROM ${table} WHERE t = $1 LIMIT 1)`, #{ params: [raw] })"#,
    ),
    ("sql", r#"let rows = sql("postgres", `SELECT t FROM ${table}`); show(rows, #{ reveal: true }); rows"#),
    ("sql", r#"sql("postgres", `SELECT t FROM ${table}`, #{ save: `rows-${environment().run}.csv` })"#),
    ("sql", r#"sql("postgres", `SELECT t::int FROM ${table}`)"#),
    ("sql", r#"sql("postgres", "SELECT '" + raw + "' AS " + raw)"#),
    ("table", "table([#{ a: raw, b: said }])"),
    ("tcp_check", "tcp_check(raw)"),
    ("to_json", "to_json(#{ raw: raw, said: said })"),
    ("top_nodes", "top_nodes(raw)"),
    ("top_pods", "top_pods(raw)"),
    ("uncordon", "uncordon(raw)"),
    ("uuid", "uuid(raw)"),
    ("wait_ready", "wait_ready(raw)"),
    ("wait_until", "wait_until(|| throw raw, #{ timeout: \"20ms\", interval: \"5ms\" })"),
    ("wait_until", "wait_until(|| false, #{ message: raw, timeout: \"20ms\", interval: \"5ms\" })"),
    ("watch", "watch(|| [#{ name: raw, n: 1 }], #{ times: 1 })"),
    ("watch", "watch(|| throw raw, #{ times: 1 })"),
];

/// A service that answers whatever it is sent with what it should not know.
fn service() -> Slot {
    let leaked = all_forms();
    let echo = json!({ "body": leaked, "headers": { "X-Token": TOKEN } });
    let label = leaked.replace('\\', "\\\\").replace('"', "\\\"");
    let mut routes = json!({
        "GET /text": { "body": leaked },
        "GET /fails": { "status": 500, "body": leaked },
        "POST /fails": { "status": 400, "body": leaked },
        "GET /metrics": { "body": format!("# HELP up {TOKEN}\n# TYPE up gauge\nup{{leaked=\"{label}\"}} 1\n") },
    });
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
        routes[format!("{method} /echo")] = echo.clone();
    }
    Slot::new(&routes)
}

/// The same systems in a world, which say as much.
fn world(namespace: &str, table: &str) -> String {
    let leaked = all_forms();
    let said = json!({ "body": leaked, "headers": { "x-token": TOKEN } });
    let mut routes = json!({ "GET /text": said, "GET /fails": { "status": 500, "body": leaked }, "POST /fails": { "status": 400, "body": leaked },
        "GET /metrics": { "body": format!("# TYPE up gauge\nup{{leaked=\"{TOKEN}\"}} 1\n") } });
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
        routes[format!("{method} /echo")] = said.clone();
    }
    let object = |kind: &str, name: &str, key: &str, data: serde_json::Value| json!({ "apiVersion": "v1", "kind": kind, "metadata": { "name": name, "namespace": namespace }, key: data });
    let program = json!([{ "match": "exit 3", "stdout": leaked, "stderr": leaked, "exit_code": 3 }, { "match": ".", "stdout": leaked, "stderr": leaked }]);
    let pod = json!({ "containers": [{ "name": "runner", "image": "registry.example/runner:1" }] });
    let told = json!({ "apiVersion": "v1", "kind": "Event", "metadata": { "name": "told", "namespace": namespace }, "type": "Warning", "reason": "Told",
        "message": leaked, "involvedObject": { "kind": "Pod", "name": "runner", "namespace": namespace } });
    json!({
        "services": { "api": { "routes": routes } },
        "databases": {
            "postgres": { "statements": [
                { "match": "::int", "error": { "code": "22P02", "message": format!("invalid input syntax for type integer: \"{KEY}\"") } },
                { "match": "(?i)^select", "rows": [{ "t": KEY }, { "t": leaked }] },
                { "match": ".", "rows_affected": 1 },
            ] },
            "mongodb": { "collections": { table: [{ "_id": 1, "raw": KEY, "all": leaked }] } },
            "redis": { "keys": { table: leaked } },
        },
        "exec": program, "commands": program, "environment": { "CANARY_KEY": KEY },
        "objects": [
            object("ConfigMap", "leaky", "data", json!({ "copied": leaked })),
            object("Secret", "creds", "data", json!({ "token": STANDARD.encode(TOKEN), "key": STANDARD.encode(KEY) })),
            object("Pod", "runner", "spec", pod), told,
        ],
    })
    .to_string()
}

#[test]
fn every_function_meets_the_canaries_and_shows_keeps_and_sends_none() {
    let known: BTreeSet<&str> = FUNCTIONS.iter().map(|function| function.spec.name).collect();
    let rows: BTreeSet<&str> = ROWS.iter().map(|(function, _)| *function).collect();
    assert_eq!(known, rows, "each function has a row");
    let (slot, hook) = (service(), Hook::new("canary-all", &json!({})));
    let project = project("canary-all", &slot, &hook).file("leaky.txt", &all_forms());
    talkative_pod(&project, "canary-all");
    let (namespace, table) = (namespace("canary-all"), format!("canary_{}", std::process::id()));
    project.apply(&format!(
        "apiVersion: v1\nkind: Event\nmetadata: {{ name: told, namespace: {namespace} }}\nreason: Told\ntype: Warning\nmessage: {}\n\
         involvedObject: {{ apiVersion: v1, kind: Pod, name: runner, namespace: {namespace} }}\n",
        serde_json::to_string(&format!("{KEY} {TOKEN}")).unwrap()
    ));
    let mut script = format!(
        "let raw = {KEY:?}; let table = {table:?};\nlet secret = get(\"secret/creds\").data;\nlet said = http_get(\"api/text\").body;\n\
         step {KEY:?} {{ note(\"in a step\"); }}\n"
    );
    // A failure is shown in all its fields; what a rehearsal cannot know may not be interpolated.
    for (function, code) in ROWS {
        script.push_str(&format!(
            "try {{ let it = {{ {code} }}; show(it); if !environment().dry_run {{ print(`{function}: ${{it}}`); }} }}\n\
             catch (failure) {{ show(failure); note(`{function}: ${{failure}}`); }}\n"
        ));
    }
    script.push_str("step \"Goes on\" #{ on_error: \"continue\" } { throw raw; }\nabort(raw);\n");
    let project = project.script("x.rhai", &script);
    let answers = [format!("ask={KEY}"), "confirm=yes".to_owned(), format!("manual=yes {KEY}")];
    let answers: Vec<&str> = answers.iter().flat_map(|answer| ["--answer", answer]).collect();
    let project = project.file("canary.yaml", &world(&namespace, &table));
    let simulated = ["--world", "canary.yaml"];
    let modes: [&[&str]; 5] = [&[], &["-o", "json"], &["--dry-run"], &["--dry-run", "-o", "json"], &simulated];
    for more in modes {
        let ran = project.run([&["run", "x.rhai"][..], more, &answers].concat()).status(1);
        nowhere(&ran, &hook);
        let ended = ran.journal();
        assert!(ended.last().unwrap()["failure"]["message"].as_str().unwrap().starts_with("aborted: ***"), "it came to its end\n{ran}");
        let called: BTreeSet<String> = ended.iter().filter_map(|line| Some(line["function"].as_str()?.to_owned())).collect();
        for function in ["sql_execute", "mongo", "redis_execute", "exec", "command", "http_post", "patch", "notify", "metrics", "events"] {
            assert!(called.contains(function), "{function} was not reached\n{ran}");
        }
        for file in fs::read_dir(project.root()).unwrap().flatten().filter(|file| file.file_name().to_string_lossy().starts_with("rows-")) {
            let saved = fs::read_to_string(file.path()).unwrap();
            assert!(forms(KEY).iter().all(|form| !saved.contains(form)) && saved.contains("***"), "{saved}");
        }
        crate::services_data::psql(&format!("DROP TABLE IF EXISTS {table}"));
    }
    crate::services_data::redis_cli(&["DEL", &table]);
    project.really(&format!("mongo_execute(\"mongodb\", #{{ drop: {table:?} }});")).status(0);
}
