//! The complete outage in its world: rehearsed, recovered, replayed, verified.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn runbook(state: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_runbook"))
        .args(args)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", state)
        .env("XDG_CONFIG_HOME", state.join("config"))
        .env("XDG_STATE_HOME", state.join("state"))
        .output()
        .unwrap()
}

fn summary(state: &Path, more: &[&str]) -> Value {
    let args: Vec<&str> = ["run", "emergency/system-outage", "-o", "json"].into_iter().chain(more.iter().copied()).collect();
    let output = runbook(state, &args);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What a change says, without what became of it.
fn plans(summary: &Value) -> Vec<Value> {
    let strip = |change: &Value| {
        let keys = ["function", "target", "before", "after", "tier", "equivalent", "file", "line"];
        keys.iter().map(|key| change[key].clone()).collect::<Vec<_>>().into()
    };
    summary["changes"].as_array().unwrap().iter().map(strip).collect()
}

const WORLD: [&str; 2] = ["--world", "examples/worlds/outage.yaml"];

#[test]
fn the_rehearsal_plans_what_the_recovery_does_and_the_replay_repeats_it() {
    let state = tempfile::tempdir().unwrap();
    let rehearsal = summary(state.path(), &[WORLD[0], WORLD[1], "--dry-run"]);
    assert_eq!(rehearsal["changes"].as_array().unwrap().len(), 21);
    assert!(rehearsal["changes"].as_array().unwrap().iter().all(|change| change["status"] == "would_change"));
    let recovery = summary(state.path(), &WORLD);
    assert!(recovery["changes"].as_array().unwrap().iter().all(|change| change["status"] == "changed"));
    assert_eq!(plans(&rehearsal), plans(&recovery));
    let replay = summary(state.path(), &["--replay", "last"]);
    assert_eq!(plans(&replay), plans(&recovery));
}

#[test]
fn a_changed_byte_of_the_record_is_named() {
    let state = tempfile::tempdir().unwrap();
    let recovery = summary(state.path(), &WORLD);
    let path = recovery["journal"].as_str().unwrap();
    assert!(runbook(state.path(), &["log", "verify", "last"]).status.success());
    let text = fs::read_to_string(path).unwrap();
    fs::write(path, text.replacen("\"spec.replicas\":3", "\"spec.replicas\":4", 1)).unwrap();
    let line = text.lines().position(|line| line.contains("\"spec.replicas\":3")).unwrap() + 1;
    let output = runbook(state.path(), &["log", "verify", "last"]);
    assert_eq!(output.status.code(), Some(8));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains(&format!("line {line}")), "line {line} is not named:\n{said}");
}
