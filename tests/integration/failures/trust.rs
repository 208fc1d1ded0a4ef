//! Configuration that nobody trusted, that others can write, or that names nothing: nothing in it acts.

use std::fs;

use serde_json::json;

use crate::support::{Project, Ran, Real, Slot};

/// A project whose secret's command would leave a file, and whose service would be asked.
struct Planted {
    project: Project,
    slot: Slot,
}

impl Planted {
    fn new() -> Self {
        let slot = Slot::new(&json!({ "GET /x": {} }));
        let command = "url = \"redis://127.0.0.1:1\"\npassword = { command = [\"touch\", \"executed\"] }";
        let project = Real::new("default").service("api", &slot.address).table("databases.redis", command).untrusted();
        Self { project: project.script("x.rhai", "note(\"begun\");\nhttp_get(\"api/x\");"), slot }
    }

    /// Runs and rehearses; both are refused like this, and nothing is executed or asked.
    #[track_caller]
    fn refused(&self, message: &str, hint: &str) {
        for args in [&["run", "x.rhai"][..], &["run", "x.rhai", "--dry-run"]] {
            let ran = self.project.run(args).status(6).stdout("").stderr_has(&format!("error[denied]: {message}"));
            ran.stderr_has("= help: ").stderr_has(hint).has_not("begun").no_journal();
        }
        assert!(!self.project.root().join("executed").exists(), "the secret's command was executed");
        assert_eq!(self.slot.requests(), [] as [serde_json::Value; 0]);
    }

    fn file(&self) -> String {
        self.project.root().join("runbook.toml").display().to_string()
    }
}

#[test]
fn what_nobody_has_trusted_executes_and_asks_nothing() {
    let planted = Planted::new();
    planted.refused(&format!("{} has never been trusted", planted.file()), "see what it allows: `runbook trust`");
    // To look at it executes nothing either, and nobody is there to say yes.
    let looked = planted.project.run(["trust"]).status(6).stdout_has("+ test: [\"touch\",\"executed\"] (for redis)");
    looked.stderr_has("error[not_confirmed]: nobody is here to say yes").stderr_has("read the list above, then `runbook trust --yes`");
    planted.refused("", "see what it allows: `runbook trust`");
    planted.project.run(["trust", "--yes"]).status(0);
    planted.project.run(["run", "x.rhai"]).status(0).stderr_has("note: begun");
    assert_eq!(planted.slot.requests().len(), 1);
}

#[test]
fn what_has_changed_since_is_looked_at_again() {
    let planted = Planted::new();
    planted.project.run(["trust", "--yes"]).status(0);
    let text = fs::read_to_string(planted.file()).unwrap();
    let elsewhere = Slot::new(&json!({}));
    let text = text.replace(&planted.slot.address, &elsewhere.address);
    let planted = Planted { project: planted.project.clone().config(&text), slot: planted.slot };
    planted.refused(&format!("{} has changed since it was trusted on ", planted.file()), "see what it allows: `runbook trust`");
    assert_eq!(elsewhere.requests(), [] as [serde_json::Value; 0]);
    let shown = planted.project.run(["trust"]).status(6).stdout_has(&format!("- all: api at http://{}", planted.slot.address));
    shown.stdout_has(&format!("+ all: api at http://{}", elsewhere.address));
}

#[test]
fn what_others_can_write_is_refused_though_it_was_trusted() {
    let planted = Planted::new();
    planted.project.run(["trust", "--yes"]).status(0);
    for (path, mode, who) in [("runbook.toml", 0o646, "everybody"), ("runbook.toml", 0o664, "its group"), (".", 0o777, "everybody")] {
        let planted = Planted { project: planted.project.clone().mode(path, mode), slot: Slot::new(&json!({})) };
        let place = if path == "." { planted.project.root().display().to_string() } else { planted.file() };
        planted.refused(&format!("{place} can be written by {who} (mode 0{mode:o})"), &format!("chmod go-w {place}"));
        planted.project.mode(path, if path == "." { 0o700 } else { 0o644 });
    }
}

#[test]
fn a_file_above_the_repository_is_not_the_projects() {
    let project = Project::bare().script("x.rhai", "note(\"begun\");");
    fs::write(project.outside().join("runbook.toml"), "[environments.prod]\ncontext = \"test\"\n").unwrap();
    let ran = project.run(["run", "x.rhai"]).status(2).stderr_has("error[bad_argument]: no environment is configured");
    ran.stderr_has("= help: write a runbook.toml with [environments.prod] at the project's root, ").has_not("begun").no_journal();
}

#[test]
fn an_environment_is_named_or_there_is_one() {
    let project =
        Project::bare().config("[environments.prod]\n[environments.staging]\nprotected = false\n").script("x.rhai", "note(\"begun\");");
    project.run(["trust", "--yes"]).status(0);
    let refused = |ran: Ran, message: &str, hint: &str| {
        ran.status(2).stdout("").stderr_has(message).stderr_has(hint).has_not("begun").no_journal();
    };
    refused(
        project.run(["run", "x.rhai"]),
        "error[bad_argument]: several environments are configured, and none was chosen",
        "= help: --env NAME or RUNBOOK_ENV=NAME, one of: prod, staging",
    );
    refused(project.run(["run", "x.rhai", "--env", "prd"]), "unknown environment \"prd\"", "= help: did you mean `prod`?");
    refused(
        project.clone().env("RUNBOOK_ENV", "stagin").run(["run", "x.rhai"]),
        "unknown environment \"stagin\"",
        "did you mean `staging`?",
    );
}

#[test]
fn a_configuration_with_mistakes_names_the_place_and_no_password() {
    for (text, mistake, hint) in [
        (
            "[services.api]\nworkloud = \"deployment/api\"\n",
            "runbook.toml:2:1: unknown key `workloud` in [services.api]",
            "did you mean `workload`?",
        ),
        (
            "[environments.prod.databases.db]\nurl = \"postgres://ops:hunter2hunter2@db/x\"\n[environments.prod.databases.it]\n",
            "runbook.toml:2:7: `url`: the URL holds a password (and 1 more problem)",
            "take it out and say where it is: `password = { env = \"NAME\" }`",
        ),
        (
            "[environments.prod.databases.it]\nurl = \"redis://it\"\npassword = \"hunter2hunter2\"\n",
            "runbook.toml:3:12: expected a secret's source, found a string",
            "{ env = \"",
        ),
    ] {
        let project = Project::bare().config(text).script("x.rhai", "note(\"begun\");");
        for args in [&["run", "x.rhai"][..], &["run", "x.rhai", "--world"], &["trust", "--yes"]] {
            let ran = project.run(args).status(2).stdout("").has_not("hunter2").has_not("begun").no_journal();
            ran.stderr_has(&format!("error[bad_argument]: {mistake}")).stderr_has("= help: ").stderr_has(hint);
        }
    }
}
