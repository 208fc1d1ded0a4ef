//! Functions that reach no cluster: values, this machine, people, samples over time.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::pty::{CTRL_C, ENTER};
use crate::support::{PLATFORM, Project, Ran};

const CANARY: &str = "canary-of-this-machine-1";

const WORLD: &str = r#"
environment: { API_TOKEN: canary-of-the-world-2, REGION: eu }
workloads:
  deployment/api: { memory: 100Mi, logs: ["ERROR oom killed", "INFO ok", "error oom", "INFO Memory low"] }
databases:
  postgres:
    statements:
      - { sql: DELETE FROM people, rows_affected: 2, rows: [{ name: Ada Lovelace }] }
      - { sql: SELECT * FROM people, rows: [{ name: Ada Lovelace, visits: 3 }, { name: Alan Turing, visits: 1 }] }
services:
  api:
    routes:
      GET /metrics: { body: "confidence_optimization 0.9\nresponse_time 12\n" }
objects:
  - { kind: Secret, metadata: { name: login }, data: { password: aHVudGVyMmh1bnRlcjI= } }
"#;

fn project() -> Project {
    Project::new().config(&format!("{PLATFORM}\n[environment]\npublic = [\"REGION\"]\n")).world("w.yaml", WORLD)
}

#[track_caller]
fn ran(script: &str) -> Ran {
    project().script("x.rhai", script).run(["run", "x.rhai", "--world", "w.yaml"])
}

/// Records a script, and checks that its replay shows the same.
#[track_caller]
fn same_again(script: &str, more: &[&str]) -> (Ran, Ran) {
    let project = project().script("x.rhai", script);
    let first = project.run([&["run", "x.rhai", "--world", "w.yaml"], more].concat()).status(0);
    // What the record does not hold comes from nowhere else.
    let again = project.world("w.yaml", "environment: {}").run(["run", "x.rhai", "--replay", "last"]).status(0).recorded("ok", 0);
    let shown = |ran: &Ran| ran.out.lines().take_while(|line| !line.starts_with("ok: ")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(shown(&first), shown(&again), "{first}\n{again}");
    (first, again)
}

#[test]
fn an_answer_that_a_rehearsal_does_not_know_goes_into_nothing_that_computes() {
    for call in [
        "sort_by([sent], \"a\")",
        "group_by([sent], \"a\")",
        "grep([sent], \"a\")",
        "diff(sent, 1)",
        "diff(1, #{ a: [sent] })",
        "percentile([sent], 50)",
        "to_json(sent)",
        "to_json(#{ a: sent })",
        "#{ a: sent }.to_json()",
        "parse_json(sent)",
        "parse_yaml(sent)",
        "env(sent)",
        "ask(\"id\", sent)",
        "watch(|| sent)",
    ] {
        let script = format!("let sent = notify(\"chat\", \"hello\");\nattempt(|| {call});\nnote(\"went on\");");
        let ran = Project::new().rehearsed(&script).status(1).has_not("went on");
        ran.stderr_has("the answer of `notify` (call 1) was ").stderr_has("x.rhai:2:");
    }
    Project::new()
        .rehearsed("let sent = notify(\"chat\", \"hello\"); table(sent, #{ columns: [\"a\"] });")
        .status(0)
        .stdout_has("<not sent: notify>");
}

#[test]
fn what_is_computed_of_rows_is_shown_by_its_shape_until_it_is_revealed() {
    let read = "let rows = sql(\"postgres\", \"SELECT * FROM people\");";
    for shown in [
        "show(sort_by(rows, \"visits\"))",
        "show(group_by(rows, \"name\"))",
        "show(grep(rows, \"^A\"))",
        "show(diff(rows[0], rows[1]))",
        "show(to_json(rows))",
        "show(parse_json(to_json(rows))[0].name)",
        "table(sort_by(rows, \"visits\"), #{ columns: [\"name\"] })",
        "show(watch(|| rows, #{ times: 1 }).samples[0].value[0].name)",
    ] {
        let ran = ran(&format!("{read} {shown};")).status(0).has_not("Ada").has_not("Turing");
        let journal = std::fs::read_to_string(ran.journal_path()).unwrap();
        assert!(!journal.contains("Ada") && !journal.contains("Turing"), "{shown}: {journal}");
    }
    let table = "table(sort_by(rows, \"visits\", #{ descending: true }), #{ columns: [\"visits\", \"name\"], reveal: true });";
    ran(&format!("{read} {table}")).status(0).stdout_has(" VISITS  NAME\n 3       Ada Lovelace\n 1       Alan Turing\n");
}

#[test]
fn what_is_computed_stands_in_no_second_copy_and_is_computed_again() {
    let script = "let rows = sql(\"postgres\", \"SELECT * FROM people\");\nlet sorted = sort_by(rows, \"name\");\nshow(sorted, #{ reveal: true });\nshow(grep(\"a\\nb\", \"b\"));";
    let (first, again) = same_again(script, &[]);
    for ran in [first, again] {
        let sorted = ran.journaled("call").into_iter().find(|call| call["function"] == "sort_by").unwrap();
        assert_eq!((sorted.get("answer"), sorted.get("payload")), (None, None), "{sorted}");
        assert_eq!(sorted["args"], serde_json::json!(["array of 2 maps", "name"]));
    }
}

#[test]
fn rhai_s_own_json_functions_are_the_host_s() {
    let script = "let it = get(\"secret/login\").data; print(it.to_json()); print(to_json(it)); try { parse_json(\"{\") } catch (e) { print(e.kind); }\nprint(parse_json(\"[1, {\\\"a\\\": null}]\").to_json());";
    let ran = ran(script).status(0).stdout_has("{\"password\":\"***\"}\n{\"password\":\"***\"}\nfailed\n");
    let made: Vec<Value> = ran.journaled("call").iter().map(|call| call["function"].clone()).collect();
    assert_eq!(made, ["get", "to_json", "to_json", "parse_json", "parse_json", "to_json"], "{ran}");
}

#[test]
fn a_world_has_variables_of_its_own_and_none_of_the_machine() {
    let script = "note(`${env(\"REGION\")} ${env(\"API_TOKEN\")} ${env(\"ONLY_HERE\", #{ default: \"none\" })}`);\nenv(\"ONLY_HERE\");";
    let project = project().env("ONLY_HERE", CANARY).env("REGION", CANARY).env("API_TOKEN", CANARY).script("x.rhai", script);
    let ran = project.run(["run", "x.rhai", "--world", "w.yaml"]).status(1).has_not(CANARY).stderr_has("note: eu *** none");
    ran.stderr_has("error[not_found]: the environment variable ONLY_HERE is not set\n --> x.rhai:2:1")
        .stderr_has("add ONLY_HERE to `environment` in w.yaml");
    project.run(["run", "x.rhai", "--world"]).status(1).has_not(CANARY).stderr_has("the environment variable REGION is not set");
}

#[test]
fn a_variable_and_a_sealed_file_are_masked_in_every_output_and_on_record() {
    let script = r#"let token = env("API_TOKEN"); let file = read_file("token", #{ seal: true });
show(token); show(#{ a: [file] }); note(`${token} ${file}`); table([#{ a: token }], #{ columns: ["a"] });
show(parse_yaml("a: canary-of-the-world-2\nb: canary-of-this-machine-1")); show(read_file("copy"));
throw "it was canary-of-the-world-2 and canary-of-this-machine-1";"#;
    let project = project().file("token", &format!("{CANARY}\n")).file("copy", &format!("x {CANARY} y")).script("x.rhai", script);
    let ran = project.run(["run", "x.rhai", "--world", "w.yaml"]).status(1);
    // The script's own line is its author's.
    let said = format!("{}{}", ran.err.lines().filter(|line| !line.contains("throw")).collect::<String>(), ran.out);
    let mut sinks = vec![said, project.run(["log", "show", "last"]).out];
    for entry in walk(&project.outside().join("state")) {
        sinks.push(String::from_utf8_lossy(&std::fs::read(entry).unwrap()).into_owned());
    }
    for sink in sinks {
        assert!(!sink.contains(CANARY) && !sink.contains("canary-of-the-world-2"), "{sink}");
    }
    ran.stdout_has("x *** y");
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[test]
fn a_file_that_leads_out_of_the_project_ends_the_run_whatever_the_script_catches() {
    let project = project();
    std::fs::write(project.outside().join("outside"), CANARY).unwrap();
    let project = project.clone().link("link", project.outside().join("outside"));
    for path in ["link", "../outside", "/etc/hostname", "/proc/self/environ"] {
        let script = format!("attempt(|| read_file({path:?}));\nnote(\"went on\");");
        let ran =
            project.clone().script("x.rhai", &script).run(["run", "x.rhai", "--world"]).status(6).has_not(CANARY).has_not("note: went on");
        ran.stderr_has(&format!("error[denied]: {path:?} leaves the project\n --> x.rhai:1:12"));
    }
}

#[test]
fn a_replay_answers_what_was_answered() {
    let script = r#"
        show(uuid()); show([env("REGION"), `${env("API_TOKEN")}`, read_file("runbook.toml").len()]);
        show(ask("cause", "What is it?", #{ choices: ["load", "leak"] })); show(manual("call", "Call them."));
        confirm("go", "Shall we?");
        let n = 1;
        show(watch(|| { n *= 2; http_health("api").latency_ms; n }, #{ every: "7s", times: 50, stop_when: |now| now > 20 }));
        show(parallel([|| uuid(), || { sleep("3s"); uuid() }, || now(), || now()], #{ limit: 2 }));
        show(n);
    "#;
    let answers = ["--answer", "cause=leak", "--answer", "call=yes at once", "--answer", "go=yes"];
    let (first, _) = same_again(script, &answers);
    first.stdout_has("- ***\n").stdout_has("\n32\n").has_not("canary");
}

#[test]
fn a_watch_costs_no_time_in_a_world_and_takes_one_sample_in_a_rehearsal() {
    let script = "let seen = watch(|| top_pods(\"app=api\"), #{ every: \"10s\", duration: \"1h\" });\nnote(`${seen.samples.len()} ${seen.samples[360].at_ms} ${seen.series.len()} ${seen.series[0].growth}`);";
    let begun = Instant::now();
    ran(script).status(0).stderr_has("note: 361 3600000 6 0");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    let ran =
        Project::new().rehearsed("scale(\"api\", 4); note(`${watch(|| get(\"deployment/api\").spec.replicas, #{ times: 9 }).first}`);");
    ran.status(0).stderr_has("note: 4").stderr_has("one sample was taken: a rehearsal does not wait for more");
}

#[test]
fn a_failed_sample_ends_the_watch_and_its_replay_alike() {
    let script = "let n = 0; let it = attempt(|| watch(|| { n += 1; now(); if n == 3 { throw \"broken\"; } n }, #{ every: \"1s\", times: 9 }));\nshow([n, it.error.message]);";
    let (first, _) = same_again(script, &[]);
    first.stdout_has("- broken");
}

#[test]
fn the_branches_of_parallel_wait_for_a_lane_in_a_world_too() {
    let branches = "let begun = now(#{ format: \"unix_ms\" }); let at = parallel([3, 1, 1, 2].map(|n| || { let at = now(#{ format: \"unix_ms\" }); sleep(`${n}s`); at - begun }), #{ limit: 2 }); note(`${at} ${now(#{ format: \"unix_ms\" }) - begun}`);";
    ran(branches).status(0).stderr_has("note: [0, 0, 1000, 2000] 4000");
}

#[test]
fn who_answered_is_on_record() {
    let script = "ask(\"cause\", \"What is it?\"); manual(\"call\", \"Call them.\"); confirm(\"go\", \"Shall we?\");\nattempt(|| confirm(\"stop\", \"Shall we?\"));";
    let project = project().script("x.rhai", script);
    let answers = ["--answer", "cause=a leak", "--answer", "call=yes", "--answer", "go=y", "--answer", "stop=no"];
    let ran = project.run([&["run", "x.rhai", "--world"], &answers[..]].concat()).status(0);
    let header = ran.journal().remove(0);
    let decided: Vec<String> =
        ran.journaled("decision").iter().map(|line| format!("{} {} {}", line["target"], line["decision"], line["by"])).collect();
    let by = format!("\"{}@{}\"", header["user"].as_str().unwrap(), header["host"].as_str().unwrap()).replace('"', "");
    let expected = [("cause", "answered"), ("call", "confirmed"), ("go", "confirmed"), ("stop", "refused")]
        .map(|(id, word)| format!("{id:?} {word:?} \"{by} by --answer\""));
    assert_eq!(decided, expected, "{ran}");
    project.run(["log", "show", "last"]).status(0).stdout_has(&format!("answered by {by} by --answer"));
    // `--yes` answers none of them.
    project
        .clone()
        .script("y.rhai", "attempt(|| ask(\"a\", \"?\")); manual(\"b\", \"Do it.\");")
        .run(["run", "y.rhai", "--world", "--yes"])
        .status(6)
        .stderr_has("nobody is there to answer \"b\": Do it.")
        .stderr_has("--answer b=yes");
}

#[test]
fn a_person_is_asked_again_until_the_answer_fits() {
    let script = "note(`it is ${ask(\"cause\", \"What is it?\", #{ choices: [\"load\", \"leak\"], default: \"load\" })}`);\nlet done = manual(\"call\", \"Call them.\", #{ details: [\"the number is 117\"] });\nnote(`${done.note}; ${done.by.contains(\"@\")}`);\nnote(`then ${ask(\"more\", \"And now?\", #{ default: \"load\" })}`);";
    let project = project().script("x.rhai", script);
    let mut screen = project.on_terminal(["run", "x.rhai", "--world"], 100, 30);
    screen.asked().has("What is it?").has("[load|leak] (load):");
    screen.send(&format!("leek{ENTER}")).asked().has("unknown choice \"leek\"; did you mean `leak`?");
    screen.send(&format!("Leak{ENTER}")).until("it is leak").asked().has("Call them.").has("the number is 117");
    screen.send(&format!("perhaps{ENTER}")).asked().has("the answer begins with yes or no");
    screen.send(&format!("yes she calls back{ENTER}")).until("she calls back; true").asked();
    screen.send(ENTER).until("then load");
    assert_eq!(screen.ended(), Some(0));
}

#[test]
fn a_watch_has_a_live_line_and_ends_with_ctrl_c() {
    // A real clock needs no system: nothing is asked of one.
    let config = PLATFORM.replace("protected = false", "protected = false\ncontext = \"none\"");
    let project = Project::bare().config(&config).env("CHAT_URL", "http://127.0.0.1:1/x").env("MAIL_KEY", "0123456789");
    let project = project.script("x.rhai", "let n = 100;\nwatch(|| { n += 10; n }, #{ every: \"500ms\", duration: \"1h\" });");
    project.run(["trust", "--yes"]).status(0);
    let mut screen = project.on_terminal(["run", "x.rhai"], 100, 30);
    screen.until("watch: 130 ▁▅█ +18.2 %");
    screen.send(CTRL_C);
    assert_eq!(screen.ended(), Some(130), "{}", screen.text());
}

#[test]
fn the_seed_s_filters_are_sayable() {
    let script = r#"
        // kubectl get pods --all-namespaces | grep -v Running
        show(grep(pods(#{ namespace: "*" }), "Running", #{ field: "phase", invert: true }).len());
        // kubectl top pods --sort-by=memory | head -2
        table(sort_by(top_pods(), "memory_bytes", #{ descending: true }).extract(0, 2), #{ columns: ["memory_bytes"] });
        // kubectl logs POD | grep -i "memory\|oom"
        show(grep(logs("api", #{ tail: 4 }), "memory|oom", #{ ignore_case: true }).len());
        // curl …/metrics | grep response_time
        show(grep(http_get("api/metrics").body, "response_time"));
        // kubectl logs … | cut -d' ' -f1 | sort | uniq -c | sort -rn | head -1
        show(group_by(grep(logs("pod/" + pods("api")[0].name), ".").map(|row| row.line.split(" ")[0])).extract(0, 1).map(|group| `${group.count} ${group.key}`));
        // watch "kubectl top pod <pod-name>"
        show(watch(|| top_pods("api"), #{ every: "2s", times: 3 }).series.len());
        // kubectl get pods -o json | jq '.items[].metadata.labels.app' | sort -u
        show(group_by(get("app in (api,web)"), "metadata.labels.app").map(|group| group.key));
    "#;
    let ran = ran(script).status(0);
    let shown: Vec<&str> = ran.out.lines().take_while(|line| !line.is_empty()).collect();
    assert_eq!(
        shown,
        ["0", " MEMORY_BYTES", " 134217728", " 134217728", "9", "- response_time 12", "- 2 INFO", "6", "- api", "- web"],
        "{ran}"
    );
}

#[test]
fn what_comes_to_nothing_is_said() {
    let script = "delete(\"app=no-such\"); let n = get(\"deployment/api\").spec.replicas; scale(\"deployment/api\", n);";
    let ran = ran(script).status(0).stderr_has("delete app=no-such  unchanged").stderr_has("scale deployment/api  unchanged");
    ran.stdout_has("ok: 0 changes made");
}

#[test]
fn an_eviction_that_no_budget_allows_is_unproven_in_a_rehearsal() {
    let world = "workloads: { deployment/api: { replicas: 2 } }\nobjects:\n  - { kind: PodDisruptionBudget, metadata: { name: api }, spec: { minAvailable: 2, selector: { matchLabels: { app: api } } } }\n";
    let script = "for pod in pods(\"deployment/api\") { drain(pod.node, #{ force: true }); }";
    let project = Project::new().world("w.yaml", world).script("x.rhai", script);
    let ran = project.run(["run", "x.rhai", "--world", "w.yaml", "--dry-run"]).status(0);
    ran.stdout_has("Unproven")
        .stdout_has("a disruption budget holds ")
        .stdout_has("The disruption budget api needs 2 healthy pods and has 2 currently")
        .stdout_has(" unproven, ");
}

#[test]
fn an_answer_that_nothing_asked_for_is_told_and_so_is_a_question_that_nobody_answered() {
    let project = project().script("x.rhai", "step \"A\" { scale(\"deployment/api\", 4); throw \"no\"; }");
    let run = |more: &[&str]| project.run([&["run", "x.rhai", "--world", "w.yaml"], more].concat()).status(1);
    let lacks = "nothing was taken back, since nobody is there to answer: `--answer rollback=yes` says yes beforehand";
    run(&[]).stderr_has(lacks);
    let strange = run(&["--answer", "rolback=yes"]).stderr_has(lacks);
    strange.stderr_has("--answer: nothing asked this: unknown question \"rolback\"; did you mean `rollback`?");
    run(&["--answer", "rollback=no"]).has_not("nothing was taken back").has_not("--answer:");
}

#[test]
fn a_folder_for_what_is_saved_is_made() {
    let script = "show(sql(\"postgres\", \"SELECT * FROM people\", #{ save: \"evidence/2026/people.csv\" }));\n\
                  show(sql_execute(\"postgres\", \"DELETE FROM people\"));";
    let project = project().script("x.rhai", script);
    project.run(["run", "x.rhai", "--world", "w.yaml", "--dry-run"]).status(0);
    assert!(!project.root().join("evidence").exists(), "a rehearsal makes nothing");
    let ran = project.run(["run", "x.rhai", "--world", "w.yaml"]).status(0);
    let ran = ran.stdout_has("path: evidence/2026/people.csv").stdout_has("rows: 2").stdout_has("rows_affected: 2");
    ran.stdout_has("1 rows of #{ name: string }").has_not("Ada");
    let saved = std::fs::read_to_string(project.root().join("evidence/2026/people.csv")).unwrap();
    assert!(saved.contains("Ada Lovelace"), "{saved}");
}

#[test]
fn a_secret_of_a_world_s_cluster_is_changed_and_taken_back() {
    let was = "patch(\"secret/login\", #{ stringData: #{ password: \"hunter2hunter2\" } }).status";
    let new = "patch(\"secret/login\", #{ stringData: #{ password: \"an0ther-passw0rd\" } }).status";
    let script = format!(
        "check({new} == \"changed\", \"changed\"); check({new} == \"unchanged\", \"it was not changed\"); check({was} == \"changed\", \"it was not changed\");"
    );
    ran(&script).status(0);
    let project = project().stdin(&format!("{new}\n:undo\n{was}\n"));
    let ran = project.run(["repl", "--world", "w.yaml"]).status(0).has_not("somebody has changed it since");
    assert_eq!(ran.outcomes(), ["secret/login changed", "secret/login changed"], "the last one finds it as it was\n{ran}");
}
