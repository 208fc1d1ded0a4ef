//! What a rehearsal knows, and what it says that nobody can know.

use serde_json::Value;

use crate::support::{Project, Ran};

fn provenances(ran: &Ran) -> Vec<String> {
    let word = |line: &Value, key: &str| line[key].as_str().unwrap_or_default().to_owned();
    ran.journaled("call").iter().map(|line| format!("{} {}", word(line, "function"), word(line, "provenance"))).collect()
}

fn findings(ran: &Ran) -> Vec<String> {
    ran.journaled("finding")
        .iter()
        .map(|line| format!("{}: {}", line["finding"].as_str().unwrap(), line["message"].as_str().unwrap()))
        .collect()
}

#[test]
fn later_reads_see_earlier_changes_and_say_where_they_are_from() {
    let ran = Project::new().rehearsed(
        "check(get(\"deployment/api\").spec.replicas == 3, \"before\");\n\
         scale(\"api\", 6);\n\
         check(get(\"deployment/api\").spec.replicas == 6, \"the object\");\n\
         check(wait_ready(\"api\").ready_replicas == 6, \"the wait\");\n\
         check(rollout_status(\"deployment/api\").available == 6, \"the rollout\");\n\
         check(scale(\"api\", 6).status == \"unchanged\", \"again\");\n\
         scale(\"api\", 2);\n\
         check(get(\"deployment/api\").spec.replicas == 2, \"twice\");\n\
         check(get(\"deployment/web\").spec.replicas == 2, \"the other one\");\n\
         check(http_health(\"api\").ok, \"health\");\n",
    );
    let ran = ran.status(0).recorded("ok", 0);
    let reads: Vec<String> = provenances(&ran).into_iter().filter(|line| !line.starts_with("check")).collect();
    let expected = [
        "get live",
        "get simulated",
        "wait_ready simulated",
        "rollout_status simulated",
        "scale simulated",
        "get simulated",
        "get live",
        "http_health stale",
    ];
    assert_eq!(reads, expected, "{ran}");
    assert_eq!(ran.outcomes(), ["deployment/api would_change", "deployment/api would_change"]);
    assert_eq!(findings(&ran), ["stale_decision: a check held on what was read before the simulated changes: health"]);
}

#[test]
fn what_does_not_hold_after_a_change_is_unproven_and_before_one_a_failure() {
    let down = "services: { api: { down: true } }\n";
    let project = Project::new().world("down.yaml", down);
    let rehearsed = |script: &str| project.clone().script("x.rhai", script).run(["run", "x.rhai", "--world", "down.yaml", "--dry-run"]);
    let check = "check(http_health(\"api\").ok, \"the api is down\");\n";
    rehearsed(check).status(1).stderr_has("the api is down").recorded("failed", 1);
    let ran = rehearsed(&format!(
        "restart(\"api\");\n{check}\
         wait_until(|| http_health(\"api\").ok, #{{ message: \"a healthy api\" }});\n\
         let got = retry(|| http_get(\"api\"), #{{ times: 3, delay: \"1h\" }});\n\
         note(retry(|| http_get(\"api\"), #{{ assume: #{{ status: 200 }} }}).status.to_string());\n\
         note(\"to the end\");\n"
    ));
    let ran = ran.status(0).stderr_has("note: 200").stderr_has("note: to the end").stdout_has("Unproven");
    assert!(ran.took.as_secs() < 10, "a rehearsal does not wait\n{ran}");
    let found = findings(&ran);
    assert_eq!(found.len(), 4, "{found:?}");
    assert!(found.iter().all(|finding| finding.starts_with("unproven: ")), "{found:?}");
    assert!(found[1].contains("a healthy api") && found[2].contains("HTTP 503"), "{found:?}");
    // What a passed retry would have answered nobody knows.
    let ran =
        rehearsed("restart(\"api\");\nlet got = retry(|| http_get(\"api\"));\nnote(\"passed\");\nif got.status == 200 { note(\"no\"); }\n");
    ran.status(1)
        .stderr_has("note: passed")
        .stderr_has("the answer of `retry`")
        .stderr_has("`retry(…, #{ assume: #{ … } })`")
        .has_not("note: no");
    // Without any change before it a retry that fails is a failure.
    rehearsed("retry(|| http_get(\"api\"), #{ times: 2 });").status(1).stderr_has("HTTP 503");
}

#[test]
fn messages_are_rendered_and_not_sent() {
    let ran = Project::new().rehearsed("let sent = notify(\"chat\", \"hello\");\nshow(sent);\nnote(\"shown\");\n").status(0);
    let ran = ran.stderr_has("note: shown").stdout_has("<not sent: notify>").stdout_has("\"$CHAT_URL\"");
    assert_eq!(ran.outcomes(), ["chat would_send"]);
    let assumed = "check(notify(\"chat\", \"hello\", #{ assume: #{ sent: [1] } }).sent.len() == 1, \"assumed\");";
    Project::new().rehearsed(assumed).status(0).recorded("ok", 0);
}

/// Whatever a script does with an answer that nobody has, but showing it, ends the run, and no `try` holds it up.
#[test]
fn an_answer_that_was_not_sent_can_only_be_shown() {
    for usage in [
        "sent.sent",
        "sent[\"sent\"]",
        "sent[0]",
        "sent == 1",
        "1 == sent",
        "sent != ()",
        "sent < 1",
        "1 >= sent",
        "sent + 1",
        "\"text\" + sent",
        "sent - 1",
        "sent * 2",
        "!sent",
        "-sent",
        "1 in sent",
        "sent in [1, 2]",
        "sent in #{ a: 1 }",
        "`${sent}`",
        "sent.to_string()",
        "sent.len()",
        "sent.keys()",
        "sent.a = 1",
        "sent += 1",
        "[sent].contains(sent)",
        "[1].contains(sent)",
        "[sent] == [sent]",
        "#{ a: sent } == #{ a: sent }",
        "#{ a: sent }.to_json()",
        "[sent].to_string()",
        "sent.sent?.len()",
        "print(sent)",
        "note(sent)",
        "check(sent, \"x\")",
        "sleep(sent)",
        "scale(\"api\", sent)",
        "scale(sent, 1)",
        "get(sent)",
        "notify(\"chat\", \"x\", #{ fields: #{ a: sent } })",
        "notify(\"chat\", sent)",
        "http_health([sent])",
    ] {
        let script = format!("let sent = notify(\"chat\", \"hello\");\ntry {{\n{usage};\n}} catch {{ }}\nnote(\"went on\");\n");
        let ran = Project::new().rehearsed(&script);
        let ran = ran.status(1).has_not("note: went on").recorded("failed", 1);
        let ran = ran.stderr_has("the answer of `notify` (call 1)").stderr_has(" --> x.rhai:3:");
        ran.stderr_has("`notify(…, #{ assume: #{ … } })`");
    }
}

/// Only maps are ever unsent, so what depends on nothing but that goes as it will go when the call is made.
#[test]
fn what_any_map_does_an_unsent_one_does() {
    for usage in [
        "let x = sent; show(x)",
        "type_of(sent)",
        "sent.type_of()",
        "sent && true",
        "false || sent",
        "if sent { 1 } else { 2 }",
        "while sent { break; }",
        "for one in sent { }",
        "switch sent { 1 => 1, _ => 2 }",
        "type_of(sent ?? 1)",
        "throw sent",
        "[sent, sent].sort(); 1",
        "[sent].len()",
    ] {
        let script = |options: &str| {
            format!(
                "let sent = notify(\"chat\", \"hello\"{options});\nlet went = attempt(|| {{ {usage} }});\nnote(`${{went.ok}} ${{if went.ok {{ went.value }} else {{ \"\" }}}}`);\n"
            )
        };
        let noted = |ran: Ran| ran.status(0).err.lines().find(|line| line.contains("note: ")).unwrap().to_owned();
        let unsent = noted(Project::new().rehearsed(&script("")));
        assert_eq!(unsent, noted(Project::new().rehearsed(&script(", #{ assume: #{ sent: [] } }"))), "{usage}");
    }
}

#[test]
fn a_rehearsal_in_a_protected_environment_asks_nobody() {
    let config = crate::support::PLATFORM.replace("protected = false", "protected = true");
    let project = Project::bare().config(&config).script("x.rhai", "scale(\"api\", 0);\nrestart(\"web\");\n");
    let ran = project.run(["run", "x.rhai", "--world", "--dry-run", "-o", "json"]).status(0);
    let changes = ran.json()["changes"].clone();
    let tiers: Vec<&str> = changes.as_array().unwrap().iter().map(|change| change["tier"].as_str().unwrap()).collect();
    assert_eq!(tiers, ["severe", "moderate"]);
}

#[test]
fn what_is_to_be_done_by_hand_cannot_act_on_a_terminal() {
    let ran = Project::new().rehearsed("notify([\"chat\", \"mail\"], \"all \\u009b2J gone\\u202e\");").status(0);
    let ran = ran.stdout_has(r#"{"text":"all \u009b2J gone\u202e"}"#).stdout_has(r#""text":"all \u009b2J gone\u202e""#);
    ran.has_not("\u{9b}").has_not("\u{202e}");
}

#[test]
fn what_stays_as_it_is_is_no_news_of_a_change() {
    let ran = Project::seed().in_world("redis_execute(\"redis\", [\"SET\", \"k\", \"v\"]);").status(0);
    ran.stderr_has("redis_execute redis type none → string, value (none) → string of 1 byte  changed").has_not("expires (none)");
}
