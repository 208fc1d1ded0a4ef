//! Replays: the same answers, and a word about every way in which the script is no longer the recorded one.

use crate::support::{Project, Ran};

const WORLD: &str = r#"
services:
  api:
    routes:
      GET /odd: { body: { taken: { "$secret": x }, unsent: { "$unsent": "1", function: notify }, "$$secret": y, ms: 0.30000000000000004 } }
"#;

/// Records a script, and replays what may be another.
#[track_caller]
fn replayed(recorded: &str, code: i32, replayed: &str) -> Ran {
    let project = Project::new().world("w.yaml", WORLD).script("x.rhai", recorded);
    project.run(["run", "x.rhai", "--world", "w.yaml"]).status(code);
    project.script("x.rhai", replayed).run(["run", "x.rhai", "--replay", "last"])
}

#[test]
fn answers_come_back_as_they_were() {
    let script = r#"
        let it = http_get("api/odd").body;
        note(`${type_of(it.taken)} ${it.taken["$secret"]} ${it.unsent["function"]} ${it["$$secret"]} ${it.ms == 0.1 + 0.2}`);
        show(it.ms); note(`${it.ms}`);
    "#;
    replayed(script, 0, script).status(0).stderr_has("note: map x notify y true").recorded("ok", 0);
}

#[test]
fn a_wait_whose_look_fails_is_replayed_to_the_same_end() {
    let script = "let n = 0; wait_until(|| { n += 1; now(); if n == 2 { throw \"broken\"; } false });";
    replayed(script, 1, script).status(1).stderr_has("error[failed]: broken").recorded("failed", 1);
    let caught = "let it = attempt(|| wait_until(|| 5)); note(it.error.message); now();";
    replayed(caught, 0, caught).status(0).stderr_has("must answer a bool").recorded("ok", 0);
    let claims = "attempt(|| wait_until(|| throw #{ kind: \"denied\", message: \"so it says\" })); note(\"on\");";
    replayed(claims, 0, claims).status(0).stderr_has("note: on");
}

#[test]
fn a_script_that_fails_before_the_recording_ended_has_diverged() {
    let said = "error[diverged]: the script failed, and 2 recorded calls were not made: broken\n --> x.rhai:1:8";
    replayed("now(); now(); now();", 0, "now(); throw \"broken\";").status(7).stderr_has(said).recorded("diverged", 7);
    // It failed there too, and the calls that are left took it back.
    let fails = "step \"s\" { scale(\"api\", 5); throw \"broken\"; }";
    let project = Project::new().script("x.rhai", fails);
    project.run(["run", "x.rhai", "--world", "--answer", "rollback=yes"]).status(1).stderr_has("rolled back: s");
    project.run(["run", "x.rhai", "--replay", "last"]).status(1).stderr_has("error[failed]: broken").recorded("failed", 1);
}
