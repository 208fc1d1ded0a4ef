//! What a shell is offered, and what `man` is given.

use crate::support::Project;

/// What bash would offer for these words, the last being typed.
fn offered(project: &Project, words: &[&str]) -> Vec<String> {
    let project =
        project.clone().env("RUNBOOK_COMPLETE", "bash").env("_CLAP_IFS", "\n").env("_CLAP_COMPLETE_INDEX", &(words.len() - 1).to_string());
    let args: Vec<&str> = ["--"].into_iter().chain(words.iter().copied()).collect();
    project.run(args).status(0).stderr("").out.lines().map(str::to_owned).collect()
}

#[test]
fn scripts_environments_runs_and_functions_are_offered() {
    let project = Project::new().script("scripts/emergency/outage.rhai", "note(\"x\");").script("scripts/api/slow.rhai", "");
    assert_eq!(offered(&project, &["runbook", "run", "em"]), ["emergency/outage"]);
    assert_eq!(offered(&project, &["runbook", "view", "ap"]), ["api/slow"]);
    assert!(offered(&project, &["runbook", "run", "scripts/a"]).contains(&"scripts/api/".to_owned()));
    assert_eq!(offered(&project, &["runbook", "run", "x", "--env", ""]), ["test"]);
    assert_eq!(offered(&project, &["runbook", "doctor", "--env", "t"]), ["test"]);
    assert!(offered(&project, &["runbook", "functions", "rollout"]).contains(&"rollout_status".to_owned()));
    let run = project.run(["run", "emergency/outage", "--world", "-o", "json"]).status(0).json()["run"].as_str().unwrap().to_owned();
    for words in [&["runbook", "log", "show", ""][..], &["runbook", "log", "verify", ""], &["runbook", "run", "x", "--replay", ""]] {
        let offered = offered(&project, words);
        assert!(offered.contains(&"last".to_owned()) && offered.contains(&run), "{words:?}: {offered:?}");
    }
}

#[test]
fn a_broken_project_offers_nothing_and_says_nothing() {
    let project = Project::bare().config("[services");
    assert!(offered(&project, &["runbook", "run", "x", "--env", ""]).is_empty());
}

#[test]
fn each_shell_gets_a_script_that_asks_this_binary() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        Project::bare().run(["completions", shell]).status(0).stdout_has("RUNBOOK_COMPLETE").stdout_has("runbook");
    }
    Project::bare().run(["completions", "bsh"]).status(2).stderr_has("'bash'");
}

#[test]
fn an_unknown_subcommand_or_flag_is_answered_with_the_nearest() {
    Project::bare().run(["rnu"]).status(2).stderr_has("similar subcommand").stderr_has("'run'");
    Project::bare().run(["run", "x", "--wrold"]).status(2).stderr_has("--world");
}

#[test]
fn each_subcommand_has_a_page() {
    let project = Project::bare();
    project.run(["man"]).status(0).stdout_has(".TH runbook 1");
    project.run(["man", "pages/man1"]).status(0).stdout("");
    let page = |name: &str| std::fs::read_to_string(project.root().join("pages/man1").join(name)).unwrap();
    assert!(page("runbook.1").contains("runbook\\-doctor(1)") && page("runbook-run.1").contains("dry\\-run"));
    project.file("file", "").run(["man", "file"]).status(1).stderr_has("cannot be written to file");
}
