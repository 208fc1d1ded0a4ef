//! Listing steps, beginning with one, and what is on record of those that were left out.

use serde_json::json;

use crate::support::Project;

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
