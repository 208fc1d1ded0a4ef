//! Programs on the real systems: what is pasted does the same, what was lost is in doubt, what is forbidden is refused.

use std::fs;
use std::process::Command;

use serde_json::json;

use crate::support::{Project, Proxy, Ran, Real, api_server, kubectl, namespace, variable};

/// A project with the pod `runner` in its namespace.
fn with_pod(real: Real, name: &str) -> Project {
    let (project, namespace) = (real.project(), namespace(name));
    project.apply(&format!(
        "apiVersion: v1\nkind: Namespace\nmetadata: {{ name: {namespace} }}\n---\napiVersion: v1\nkind: Pod\n\
         metadata: {{ name: runner, namespace: {namespace} }}\nspec: {{ containers: [ {{ name: runner, image: \"registry.example/runner:1\" }} ] }}\n"
    ));
    kubectl(&["-n", &namespace, "wait", "--for=condition=Ready", "pod/runner", "--timeout=30s"]);
    project
}

/// What a shell in the project's root answers to the only change's equivalent.
fn pasted(ran: &Ran) -> String {
    let intents = ran.journaled("intent");
    let kubectl = variable("RUNBOOK_TEST_KUBECTL");
    let folder = std::path::Path::new(&kubectl).parent().unwrap().display().to_string();
    let output = Command::new("bash")
        .args(["-c", intents[0]["equivalent"].as_str().unwrap()])
        .current_dir(ran.project.root())
        .env_clear()
        .env("PATH", format!("{folder}:/usr/bin:/bin"))
        .env("HOME", ran.project.outside())
        .env("KUBECONFIG", ran.project.outside().join("kubeconfig"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}\n{}", intents[0]["equivalent"], String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn what_is_pasted_does_the_same() {
    let project = with_pod(Real::new("pasted"), "pasted").file("infra/.keep", "");
    for call in [
        r#"exec("pod/runner", ["printf", "%s|", "a  b", "it's", "$HOME", "x\ny\t\u001b", "ü"])"#,
        r#"exec("pod/runner", ["head", "-n", "2"], #{ stdin: "it's\nin\n" })"#,
        r#"command(["printf", "%s|", "a  b", "it's", "$HOME", "x\ny\t\u001b", "ü", "-e", "\\n"])"#,
        r#"command(["sh", "-c", "cat; echo $ONE $TWO; pwd"], #{ stdin: #{ a: ["it's\n"] }, env: #{ ONE: "1  1", TWO: 2 }, cwd: "infra" })"#,
    ] {
        let ran = project.really(&format!("throw {call}.stdout;")).status(1);
        let failure = ran.journal().pop().unwrap()["failure"]["message"].as_str().unwrap().to_owned();
        let said = ran.journaled("outcome")[0]["payload"]["sha256"].as_str().unwrap().to_owned();
        let kept = fs::read_dir(ran.journal_path().with_extension("payloads")).unwrap().flatten();
        let kept = kept.map(|file| file.path()).find(|path| path.to_string_lossy().contains(&said)).unwrap();
        let kept: serde_json::Value = serde_json::from_slice(&fs::read(kept).unwrap()).unwrap();
        assert_eq!(kept["stdout"].as_str().unwrap(), pasted(&ran), "{call}: {failure}\n{ran}");
        // The rehearsal says the same line.
        let rehearsed = project.rehearsed_really(&format!("{call};")).status(0);
        let line = |ran: &Ran| {
            // What is read stands beside each run's own journal.
            let run = ran.journal_path().file_stem().unwrap().to_str().unwrap().to_owned();
            ran.journaled("intent")[0]["equivalent"].as_str().unwrap().replace(&run, "RUN")
        };
        assert_eq!(line(&rehearsed), line(&ran));
        let shown = rehearsed.out.lines().find(|line| ["printf", "head", ".payloads/"].iter().any(|word| line.contains(word)));
        assert!(shown.is_some_and(|line| !line.contains(['\u{1b}', '\t'])), "{rehearsed}");
    }
}

#[test]
fn a_reply_lost_after_the_command_began_is_in_doubt_and_not_repeated() {
    let proxy = Proxy::tls(&api_server(), &json!({ "mode": "drop-replies", "when": "/exec?" }));
    let project = with_pod(Real::new("lost-exec").through(&proxy), "lost-exec");
    let ran = project.outside().join("ran");
    let script = format!(
        "retry(|| exec(\"pod/runner\", [\"sh\", \"-c\", \"echo x >> {}\"]), #{{ times: 3, delay: \"10ms\", any: true }});\nnote(\"went on\");",
        ran.display()
    );
    let run = project.really(&script).status(9).stderr_has("error[in_doubt]: ").has_not("note: went on");
    assert_eq!(run.outcomes(), ["pod/runner in_doubt"], "{run}");
    let began = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        ran.exists()
    });
    assert!(began, "it was never run\n{run}");
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(fs::read_to_string(&ran).unwrap(), "x\n", "it was run again");
}

#[test]
fn who_may_not_run_commands_is_told_so() {
    with_pod(Real::new("no-exec"), "no-exec");
    let viewer = Real::new("no-exec").context("viewer").project();
    let ran = viewer.really("exec(\"pod/runner\", [\"true\"]);").status(1);
    let ran = ran.stderr_has("error[forbidden]: ").stderr_has("User \"viewer\" cannot ").stderr_has("lacks the right");
    assert_eq!(ran.outcomes(), ["pod/runner failed"], "{ran}");
    let protected = Real::new("no-exec").line("protected = true").project();
    for script in ["exec(\"pod/runner\", [\"true\"]);", "command([\"touch\", \"made\"]);"] {
        protected.really(script).status(6).stderr_has("was not confirmed (no terminal)").stderr_has("pass --yes");
    }
    assert!(!protected.root().join("made").exists());
}

#[test]
fn an_interrupted_run_takes_its_commands_along_and_says_that_they_are_in_doubt() {
    let project = Project::new().config("[environments.test]\nprotected = false\n");
    project.run(["trust", "--yes"]).status(0);
    let project = project.script(
        "x.rhai",
        "step \"Long\" { command([\"sh\", \"-c\", \"echo $$ > pid; sleep 60 & echo $! > child; wait\"], #{ timeout: \"2m\" }); }",
    );
    let mut running = project.start(project.command(["run", "x.rhai"]));
    running.until_journaled("intent");
    let pid = |name: &str| fs::read_to_string(project.root().join(name)).ok()?.trim().parse::<u32>().ok();
    while pid("child").is_none() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    running.signal(rustix::process::Signal::INT);
    let ran = running.wait();
    assert_eq!(ran.outcomes(), ["sh in_doubt"], "{ran}");
    for name in ["pid", "child"] {
        // Nobody may have buried it yet.
        let stat = fs::read_to_string(format!("/proc/{}/stat", pid(name).unwrap()));
        assert!(stat.is_err() || stat.is_ok_and(|stat| stat.contains(") Z ")), "{name} is still there\n{ran}");
    }
}

#[test]
fn commands_are_recorded_with_the_program_that_was_run_and_replayed_without_it() {
    let project = Project::new().config("[environments.test]\nprotected = false\n");
    project.run(["trust", "--yes"]).status(0);
    let script = "let it = command([\"sh\", \"-c\", \"echo x >> made; echo done\"], #{ stdin: \"personal data\" });\nnote(it.stdout + it.exit_code);";
    let project = project.script("x.rhai", script);
    let ran = project.run(["run", "x.rhai"]).status(0).stderr_has("note: done\\n0");
    let intent = &ran.journaled("intent")[0];
    assert!(intent["after"]["program"].as_str().unwrap().ends_with("/sh"), "{intent}");
    assert_eq!((&intent["after"]["stdin"], intent["args"].to_string().contains("personal")), (&"13 bytes".into(), false), "{intent}");
    project.run(["run", "x.rhai", "--replay", "last"]).status(0).stderr_has("note: done\\n0");
    assert_eq!(fs::read_to_string(project.root().join("made")).unwrap(), "x\n");
}
