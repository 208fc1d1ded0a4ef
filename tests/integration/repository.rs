//! What the repository itself promises: scripts and examples run, the reference is current.

use std::path::Path;
use std::process::Command;

fn runbook(state: &Path, args: &[&str]) -> std::process::Output {
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

#[test]
fn every_script_and_example_runs_and_is_rehearsed_in_the_healthy_world() {
    let state = tempfile::tempdir().unwrap();
    let scripts = [
        "emergency/system-outage",
        "api-gateway/high-response-times",
        "examples/01-look.rhai",
        "examples/02-scale.rhai",
        "examples/03-parallel.rhai",
        "examples/everything.rhai",
    ];
    for script in scripts {
        for mode in [&["--world"][..], &["--world", "--dry-run"]] {
            let args: Vec<&str> = ["run", script].into_iter().chain(mode.iter().copied()).collect();
            let output = runbook(state.path(), &args);
            assert!(output.status.success(), "{args:?}\n{}", String::from_utf8_lossy(&output.stderr));
        }
    }
}

#[test]
fn the_reference_is_current() {
    let state = tempfile::tempdir().unwrap();
    let output = runbook(state.path(), &["reference"]);
    let file = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/functions.md")).unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), file, "cargo run -- reference > docs/functions.md");
}

#[test]
fn the_examples_of_every_function_run_and_answer_what_they_say() {
    let state = tempfile::tempdir().unwrap();
    for function in runbook::host::FUNCTIONS {
        for example in function.spec.examples {
            // The last line is the expression whose value is stated, in JSON.
            let (before, last) = example.code.rsplit_once('\n').unwrap_or(("", example.code));
            let stated = example.result.replace('{', "#{").replace("null", "()");
            let compared = if stated.is_empty() { "true".to_owned() } else { format!("it == {stated}") };
            let script = format!("{before}\nlet it = {};\nif !({compared}) {{ throw `answered ${{it}}`; }}\n", last.trim_end_matches(';'));
            let file = state.path().join("example.rhai");
            std::fs::write(&file, script.trim_start()).unwrap();
            let output = runbook(state.path(), &["run", file.to_str().unwrap(), "--world"]);
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{}: {}\n{said}", function.spec.name, example.title);
        }
    }
}
