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

/// What the documents say is answered beforehand.
const ANSWERED: [&str; 6] = ["--answer", "cause=leak", "--answer", "call-legal=yes, left a message", "--answer", "go-on=yes"];

#[test]
fn every_snippet_of_the_documents_runs() {
    let state = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (document, least) in [("README.md", 1), ("docs/runbooks.md", 5)] {
        let text = std::fs::read_to_string(root.join(document)).unwrap();
        let snippets: Vec<&str> = text.split("```rhai\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        assert!(snippets.len() >= least, "{document} has {} snippets", snippets.len());
        for (number, snippet) in snippets.iter().enumerate() {
            let file = state.path().join("snippet.rhai");
            std::fs::write(&file, snippet).unwrap();
            for mode in [&[&["--world"], &ANSWERED[..]].concat()[..], &["--world", "--dry-run"]] {
                let args = [&["run", file.to_str().unwrap()][..], mode].concat();
                let output = runbook(state.path(), &args);
                assert!(output.status.success(), "{document}, snippet {number}\n{}", String::from_utf8_lossy(&output.stderr));
            }
        }
    }
}

#[test]
fn the_world_of_the_documents_is_one() {
    let state = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/worlds.md")).unwrap();
    let yaml = text.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let (world, script) = (state.path().join("world.yaml"), state.path().join("look.rhai"));
    std::fs::write(&world, yaml).unwrap();
    std::fs::write(
        &script,
        "check(get(\"configmap/database-config\").data.max_connections == \"100\", \"the object\");\n\
        check(sql(\"postgres\", \"SELECT count(*) FROM t\")[0].count == 42, \"the statement\");\n\
        check(redis(\"redis\", [\"HGET\", \"user:1\", \"name\"]) == \"ann\", \"the key\");\n\
        check(http_health(\"consent\").status == 500 && !http_health(\"billing\").ok, \"the services\");\n",
    )
    .unwrap();
    let output = runbook(state.path(), &["run", script.to_str().unwrap(), "--world", world.to_str().unwrap()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
