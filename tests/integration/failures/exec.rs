//! Commands in containers and on this machine that end badly, or of which nobody knows how they end.

use std::fs;
use std::time::Duration;

use super::failed;
use crate::support::{Kubelet, Project, Real};

fn project(kubelet: &Kubelet) -> Project {
    Real::new("default").kubeconfig(&kubelet.kubeconfig()).project()
}

fn exec(words: &str, options: &str) -> String {
    format!("show(exec(\"pod/db-0\", [{words}], #{{ {options} }}));")
}

#[test]
fn how_a_command_ended_only_its_status_tells() {
    let kubelet = Kubelet::new();
    let project = project(&kubelet);
    let doubt = "look at the target before doing it again: it may have happened";
    for (word, kind, message, hint) in [
        ("three", "failed", "three in pod/db-0 ended with exit code 3: first | no such table", "pass `ok_exit: [3]`"),
        ("seven", "failed", "seven in pod/db-0 ended with exit code 7", "pass `ok_exit: [7]`"),
        ("silent", "in_doubt", "how it ended is not known: the connection ended without its exit code", doubt),
        ("drops", "in_doubt", "how it ended is not known: ", doubt),
        ("vanishes", "in_doubt", "was sent, and no answer came: ", doubt),
        ("internal", "in_doubt", "the cluster says: Internal error occurred: error sending request: unexpected EOF", doubt),
        ("garbled", "in_doubt", "the cluster says: something that is no status", doubt),
        ("babbles", "in_doubt", "the server does not keep to the protocol", doubt),
        ("channel", "in_doubt", "the server does not keep to the protocol", doubt),
        ("noise", "in_doubt", "the connection broke off: what came is no websocket message", doubt),
        ("hang", "in_doubt", "it has not ended within 300ms", "nothing stops it in its container: it may still be running"),
        // Of these it is known that nothing was run.
        ("nothing", "not_found", "there is no program \"nothing\" in the container db of pod/db-0", "is its name right"),
        ("unreachable", "unavailable", "nothing can be run in pod/db-0: error dialing backend", "does its container run?"),
        ("forbidden", "forbidden", "cannot create resource \"pods/exec\"", "lacks the right"),
        ("broken", "unavailable", "the cluster cannot answer now", "how is the API server?"),
    ] {
        let ran = failed(project.really(&exec(&format!("{word:?}"), "timeout: \"300ms\"")), kind, message, hint);
        let status = if kind == "in_doubt" { "in_doubt" } else { "failed" };
        assert_eq!(ran.outcomes(), [format!("pod/db-0 {status}")], "{ran}");
        assert_eq!(kubelet.asked().len(), 1 + kubelet.asked().iter().rposition(|path| path.contains(word)).unwrap(), "it was repeated");
    }
    let asked = kubelet.asked();
    assert_eq!(asked.len(), 15, "one request each: {asked:?}");
}

#[test]
fn output_and_input_pass_as_they_are() {
    let kubelet = Kubelet::new();
    let project = project(&kubelet).file("evidence/.keep", "");
    let ran = project.really(&format!(
        "{}\n{}\nlet text = \"\"; for number in 0..20000 {{ text += \"0123456789\\n\"; }}\ncheck(exec(\"pod/db-0\", [\"cat\"], #{{ stdin: text }}).stdout == text, \"something is lost\");\n{}",
        exec("\"hello\", \"a b\", \"c&d=e\"", ""),
        exec("\"bytes\"", ""),
        exec("\"bytes\"", "save: \"evidence/bytes\"")
    ));
    let ran = ran.status(0).stdout_has("out\\n").stdout_has("err\\n").stdout_has("\\u{0}\u{fffd}\u{fffd}");
    assert_eq!(fs::read(project.root().join("evidence/bytes")).unwrap(), b"\x00\xff\xfe\r\n", "{ran}");
    assert!(kubelet.asked()[0].ends_with("container=db&stdout=true&stderr=true&command=hello&command=a+b&command=c%26d%3De"), "{ran}");
    assert!(ran.stdout_has("sha256").journal_path().exists());
    // A server of the older protocol cannot say that the input is at its end, and is asked for nothing that reads.
    project.really(&exec("\"old\"", "")).status(0).stdout_has("out\\n");
    let ran = project.really(&exec("\"old\"", "stdin: \"x\""));
    failed(ran, "failed", "the cluster does not speak v5.channel.k8s.io", "Kubernetes 1.30 and later do");
}

#[test]
fn a_command_that_writes_a_gigabyte_is_too_large_in_bounded_memory_and_can_be_saved() {
    let kubelet = Kubelet::new();
    let project = project(&kubelet).timeout(Duration::from_secs(180)).script("x.rhai", &exec("\"much\", \"1024\"", "timeout: \"2m\""));
    // The program itself and its stack of 256 MiB take most of this address space.
    let ran = project.start(project.shell("export MALLOC_ARENA_MAX=1; ulimit -v 434000", ["run", "x.rhai"])).wait();
    let message = "ended with exit code 0, but its output of 1073741824 bytes is larger than 8 MiB";
    failed(ran, "too_large", message, "stream it to a file: `save: ");
    let project = project.script("x.rhai", &exec("\"much\", \"100\"", "save: \"dump\", timeout: \"2m\""));
    let ran = project.start(project.shell("export MALLOC_ARENA_MAX=1; ulimit -v 434000", ["run", "x.rhai"])).wait().status(0);
    ran.stdout_has("5b05b298e974f3b9e40f0a1a8188f50984a4f18fb329e050324296632d3d9dfc");
    assert_eq!(fs::metadata(project.root().join("dump")).unwrap().len(), 100 << 20);
    // Of one that failed nothing is left.
    let half = exec("\"drops\"", "save: \"half\"");
    failed(project.really(&half), "in_doubt", "how it ended is not known", "");
    let left: Vec<_> = fs::read_dir(project.root()).unwrap().flatten().map(|file| file.file_name()).collect();
    assert!(!left.iter().any(|name| name == "half" || name.to_string_lossy().starts_with(".saving")), "{left:?}");
}

#[test]
fn the_authors_word_runs_nothing_in_a_rehearsal() {
    let kubelet = Kubelet::new();
    let project = Real::new("default").kubeconfig(&kubelet.kubeconfig()).project();
    let script = "let made = command([\"touch\", \"made\"], #{ effect: \"read\" });\nexec(\"pod/db-0\", [\"hello\"], #{ effect: \"read\" });\nnote(`${made.exit_code}`);";
    let ran = project.rehearsed_really(script).status(0).stderr_has("note: 0").stdout_has("2 changes planned").stdout_has("touch made");
    assert!(!project.root().join("made").exists() && kubelet.asked().is_empty(), "{ran}");
    // What is listed is run, as it is listed and not otherwise.
    let config = fs::read_to_string(project.root().join("runbook.toml")).unwrap();
    let project = project.config(&format!("{config}\n[policy]\nreads = [[\"cat\", \"runbook.toml\"], [\"hello\"], [\"sh\"]]\n"));
    project.run(["trust", "--yes"]).status(0);
    let script = "show(command([\"cat\", \"runbook.toml\"], #{ effect: \"read\" }).stdout.len() > 100);\nshow(exec(\"pod/db-0\", [\"hello\"], #{ effect: \"read\" }).stdout);";
    let ran = project.rehearsed_really(script).status(0).stdout_has("true").stdout_has("out\\n").stdout_has("0 changes planned");
    assert!(ran.journaled("intent").is_empty() && kubelet.asked().len() == 1, "{ran}");
    for given in [
        "[\"sh\"], #{ effect: \"read\", stdin: \"touch made\" }",
        "[\"sh\", \"-c\", \"touch made\"], #{ effect: \"read\" }",
        "[\"sh\"], #{ effect: \"read\", env: #{ ENV: \"x\" } }",
        "[\"sh\"], #{ effect: \"read\", cwd: \".\" }",
    ] {
        project.rehearsed_really(&format!("command({given});")).status(0).stdout_has("1 change planned");
    }
    assert!(!project.root().join("made").exists());
    // A program that is not there is found before it is needed.
    project.rehearsed_really("command([\"no-such-program\"]);").status(1).stdout_has("there is no program \"no-such-program\"");
}

#[test]
fn a_container_that_cannot_try_a_port_says_nothing_about_it() {
    let kubelet = Kubelet::new();
    let project = Real::new("default").kubeconfig(&kubelet.kubeconfig()).service("api", "127.0.0.1:9").project();
    // This kubelet knows no shell.
    let ran = project.really("show(tcp_check(\"api\", #{ from: \"pod/db-0\" }));");
    failed(ran, "unavailable", "the container db of pod/db-0 has nothing that tries a port", "try it from another pod");
    assert!(kubelet.asked()[0].contains("command=127.0.0.1&command=9&command=2"), "{:?}", kubelet.asked());
}
