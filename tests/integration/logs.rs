//! Logs as an API server sends them: much, many at once, of any bytes, and not yet.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Project, Proxy, Real, Slot};

const PODS: &str = "/api/v1/namespaces/logs/pods";

fn pod(name: &str, status: &Value) -> Value {
    json!({ "kind": "Pod", "metadata": { "name": name, "namespace": "logs" },
        "spec": { "initContainers": [{ "name": "setup" }], "containers": [{ "name": "main" }] }, "status": status })
}

fn running() -> Value {
    json!({ "phase": "Running", "containerStatuses": [{ "name": "main", "restartCount": 0, "state": { "running": {} } }] })
}

fn waiting(reason: &str) -> Value {
    json!({ "phase": "Pending", "containerStatuses": [{ "name": "main", "restartCount": 0, "state": { "waiting": { "reason": reason } } }] })
}

/// A project whose cluster is the stand-in, with these pods and the answers to their logs.
fn project(pods: &[(&str, Value, Value)]) -> (Project, Slot) {
    let mut routes = json!({});
    let answer = |body: &Value| json!({ "body": body.to_string() });
    let all: Vec<Value> = pods.iter().map(|(name, status, _)| pod(name, status)).collect();
    routes[format!("GET {PODS}")] = answer(&json!({ "kind": "PodList", "items": all }));
    for (each, (name, _, log)) in all.iter().zip(pods) {
        routes[format!("GET {PODS}/{name}")] = answer(each);
        routes[format!("GET {PODS}/{name}/log")] = log.clone();
    }
    let slot = Slot::new(&routes);
    (Real::in_namespace("logs").played_by(&slot).project().timeout(Duration::from_secs(120)), slot)
}

fn log(lines: u64, offset_ms: u64) -> Value {
    json!({ "log": { "lines": lines, "bytes": 100, "first": format!("2026-01-01T00:00:00.{offset_ms:03}Z"), "every_ms": 100 } })
}

#[test]
fn much_is_grepped_counted_and_saved_in_bounded_memory() {
    let (project, _slot) = project(&[("one", running(), log(1_500_000, 0))]);
    let script = "let found = logs(\"pod/one\", #{ since: \"2020-01-01T00:00:00Z\", grep: \"^ERROR\" });\n\
                  check(found.len() == 1500 && found[1].time == \"2026-01-01T00:00:00.300000000Z\", `${found.len()}: ${found[1]}`);\n\
                  check(logs(\"pod/one\", #{ grep: \"ERROR\", count: true })[0].lines == 1500, \"count\");\n\
                  check(logs(\"pod/one\", #{ grep: \"^ERROR\" }).len() == 1500, \"no tail before grep\");\n\
                  check(logs(\"pod/one\", #{ limit: 3 }).len() == 3, \"limit\");\n\
                  check(attempt(|| logs(\"pod/one\", #{ since: \"2020-01-01T00:00:00Z\" })).error.kind == \"too_large\", \"too large\");\n";
    let project = project.script("x.rhai", script);
    // The program itself and its stack of 256 MiB take most of this address space; the log has 200 MB.
    project.start(project.shell("export MALLOC_ARENA_MAX=1; ulimit -v 434000", ["run", "x.rhai"])).wait().status(0);
}

#[test]
fn twenty_logs_are_one_in_the_order_of_time() {
    let names: Vec<String> = (10..30).map(|number| format!("many-{number}")).collect();
    let pods: Vec<_> = (0..).zip(&names).map(|(number, name)| (name.as_str(), running(), log(5_000, number))).collect();
    let (project, _slot) = project(&pods);
    let script = "let saved = logs(\"app=many\", #{ save: \"merged.log\" });\ncheck(saved.lines == 100000, `${saved}`);\n\
                  let last = logs(\"app=many\", #{ limit: 2 });\ncheck(last[1].pod == \"many-29\" && last[0].time == last[1].time, `${last}`);\n\
                  check(logs(\"app=many\", #{ count: true }).map(|pod| pod.lines).reduce(|sum, lines| sum + lines, 0) == 100000, \"count\");";
    project.clone().script("x.rhai", script).run(["run", "x.rhai"]).status(0);
    let merged = fs::read_to_string(project.root().join("merged.log")).unwrap();
    let times: Vec<&str> = merged.lines().map(|line| line.split(' ').nth(1).unwrap()).collect();
    assert!(times.len() == 100_000 && times.is_sorted());
    assert!(merged.starts_with("[pod/many-10/main] 2026-01-01T00:00:00.000000000Z INFO  request "), "{}", &merged[..200]);
}

#[test]
fn a_line_of_ten_megabytes_is_cut_for_a_script_and_whole_in_a_file() {
    let long = "y".repeat(10 << 20);
    let body = format!("2026-01-01T00:00:00.000000001Z short\n2026-01-01T00:00:01Z {long}\n2026-01-01T00:00:02.5Z last");
    let (project, _slot) = project(&[("one", running(), json!({ "body": body }))]);
    let script = "let lines = logs(\"pod/one\");\ncheck(lines.len() == 3 && lines[1].line.len() == 65537 && lines[2].line == \"last\", `${lines.len()}`);\n\
                  check(lines[0].time == \"2026-01-01T00:00:00.000000001Z\", lines[0].time);\nlogs(\"pod/one\", #{ save: \"one.log\" });";
    project.clone().script("x.rhai", script).run(["run", "x.rhai"]).status(0);
    let saved = fs::read_to_string(project.root().join("one.log")).unwrap();
    assert_eq!(saved.lines().map(str::len).collect::<Vec<_>>(), [51, (10 << 20) + 46, 50]);
}

#[test]
fn what_has_not_started_has_no_log_and_says_so_where_it_is_alone() {
    let late = json!({ "status": 400, "body": json!({ "kind": "Status", "status": "Failure", "reason": "BadRequest", "code": 400,
        "message": "container \"main\" in pod \"late\" is waiting to start: ContainerCreating" }).to_string() });
    let (project, slot) = project(&[
        ("new", waiting("ContainerCreating"), json!({ "status": 500 })),
        ("late", running(), late),
        ("one", running(), log(3, 0)),
        ("gone", running(), json!({ "close": true })),
    ]);
    for (script, message) in [
        ("logs(\"pod/new\");", "error[unavailable]: the container main of pod/new has logged nothing yet: ContainerCreating"),
        ("logs(\"pod/late\");", "error[unavailable]: container \"main\" in pod \"late\" is waiting to start: ContainerCreating"),
        ("logs(\"pod/gone\");", "error[unavailable]: "),
        ("logs(\"pod/one\", #{ container: \"mian\" });", "error[bad_argument]: container mian is not valid for pod one"),
    ] {
        project.really(script).status(1).stderr_has(message);
    }
    project.really("check(logs(\"pod/one\", #{ container: \"setup\" }).len() == 3, \"no lines\");").status(0);
    assert!(slot.requests().iter().any(|request| request["query"].as_str().is_some_and(|query| query.contains("container=setup"))));
    // What broke off leaves no file.
    project.really("logs(\"app=x\", #{ save: \"half.log\" });").status(1);
    let left: Vec<_> = fs::read_dir(project.root()).unwrap().flatten().map(|file| file.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("half") || name.to_string_lossy().starts_with(".saving")), "{left:?}");
}

#[test]
fn a_log_that_breaks_off_or_hangs_is_no_log_that_ended() {
    let line = "2026-01-01T00:00:00.000000000Z a line\n".repeat(50);
    let broken = json!({ "headers": { "Content-Length": "100000" }, "body": line });
    let (project, slot) = project(&[("one", running(), broken)]);
    for call in [
        "logs(\"pod/one\")",
        "logs(\"pod/one\", #{ grep: \"a\" })",
        "logs(\"pod/one\", #{ count: true })",
        "logs(\"pod/one\", #{ save: \"one.log\" })",
    ] {
        let ran = project.really(&format!("{call};")).status(1).stderr_has("error[unavailable]: ").recorded("failed", 1);
        assert!(!project.root().join("one.log").exists(), "half of it was kept\n{ran}");
    }
    let hung = Proxy::new(&slot.address, &json!({ "mode": "hang", "when": "one/log" }));
    let project = project.clone();
    let kubeconfig = project.outside().join("kubeconfig");
    let text = fs::read_to_string(&kubeconfig).unwrap().replace(&slot.address, &hung.address);
    fs::write(&kubeconfig, text).unwrap();
    let ran = project.really("logs(\"pod/one\", #{ timeout: \"500ms\" });").status(124);
    assert!(ran.took < Duration::from_secs(4), "{:?}", ran.took);
    ran.stderr_has("error[timeout]: ").recorded("timeout", 124);
}
