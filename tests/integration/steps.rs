//! Listing steps, beginning with one, and what is on record of those that were left out.

use serde_json::json;

use crate::support::{Project, Ran};

const SCRIPT: &str = r#"let before = rollout_status("api").replicas;
step "First" { scale("api", before + 1); } rollback { scale("api", before); }
step "Second" { scale("web", 5); }
step "Third" { note("third"); }
"#;

fn project() -> Project {
    Project::new().script("x.rhai", SCRIPT)
}

#[test]
fn steps_are_listed_and_nothing_is_run() {
    let list = "  1  First  (x.rhai:2, with a rollback)\n  2  Second  (x.rhai:3)\n  3  Third  (x.rhai:4)\n";
    let ran = project().run(["run", "x.rhai", "--list-steps"]).status(0).stdout(list).no_journal();
    let json = ran.project.run(["run", "x.rhai", "--list-steps", "-o", "json"]).status(0).json();
    assert_eq!(json[0], json!({ "title": "First", "line": 2, "rollback": true }));
}

#[test]
fn a_run_begins_with_a_step_and_its_replay_with_the_same() {
    let project = project();
    for from in ["Second", "2"] {
        let ran = project.run(["run", "x.rhai", "--world", "--from", from]).status(0).recorded("ok", 0);
        let ran = ran.stderr_has("- First (skipped)").stderr_has("▸ Second").stderr_has("note: third");
        assert_eq!(ran.outcomes(), ["deployment/web changed"]);
        let skipped: Vec<_> = ran.journaled("step").into_iter().filter(|line| line["state"] == "skipped").collect();
        assert_eq!((skipped.len(), &skipped[0]["step"], &skipped[0]["by"]), (1, &json!("First"), &json!("--from")));
        project.run(["run", "x.rhai", "--replay", "last"]).status(0).stderr_has("- First (skipped)");
        project.run(["log", "show", "last"]).status(0).stdout_has("skipped by recording");
    }
}

#[test]
fn an_unknown_or_unreached_step_is_said() {
    let project = project();
    project
        .run(["run", "x.rhai", "--world", "--from", "Secnd"])
        .status(2)
        .stderr_has("no step \"Secnd\"")
        .stderr_has("did you mean `Second`?")
        .no_journal();
    let never = project.script("y.rhai", "if false { step \"Never\" { } }\nstep \"Always\" { restart(\"api\"); }\n");
    let ran = never.run(["run", "y.rhai", "--world", "--from", "Never"]).status(1).recorded("failed", 1);
    assert_eq!(ran.stderr_has("never came to the step \"Never\"").outcomes(), [""; 0]);
    let asked = never.run(["run", "y.rhai", "--world", "--interactive"]).status(2);
    asked.stderr_has("--interactive needs a terminal").stderr_has("--from STEP");
}

fn steps(ran: &Ran, state: &str) -> Vec<String> {
    let lines = ran.journaled("step").into_iter().filter(|line| line["state"] == state);
    lines.map(|line| line["step"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn steps_of_one_title_are_taken_back_each_by_its_own_changes() {
    let script = "for n in [4, 6, 5] { step \"Scale\" { scale(\"api\", n); } }\n\
                  step \"Scale\" #{ rollback: \"never\" } { scale(\"web\", 9); }\nthrow \"x\";\n";
    let project = Project::new().script("x.rhai", script);
    let ran = project.run(["run", "x.rhai", "--world", "--answer", "rollback=yes"]).status(1);
    assert_eq!(steps(&ran, "rolled_back"), ["Scale"; 3], "{ran}");
    let changes: Vec<_> = ran.journaled("intent").iter().map(|line| (line["before"].clone(), line["after"].clone())).collect();
    let replicas = |n: i64| json!({ "spec.replicas": n });
    let first = changes[0].0["spec.replicas"].as_i64().unwrap();
    let back: Vec<_> = changes[4..].to_vec();
    assert_eq!(back, [(replicas(5), replicas(6)), (replicas(6), replicas(4)), (replicas(4), replicas(first))]);
    assert!(ran.outcomes().iter().filter(|outcome| outcome.starts_with("deployment/web")).count() == 1, "{ran}");
}

#[test]
fn a_step_within_one_that_is_never_taken_back_stays_too() {
    let script = "step \"Outer\" #{ rollback: \"never\" } { step \"Inner\" { scale(\"api\", 7); } }\nthrow \"x\";\n";
    let ran = Project::new().script("x.rhai", script).run(["run", "x.rhai", "--world", "--answer", "rollback=yes"]).status(1);
    assert_eq!((ran.outcomes(), steps(&ran, "rolling_back")), (vec!["deployment/api changed".to_owned()], vec![]));
}
