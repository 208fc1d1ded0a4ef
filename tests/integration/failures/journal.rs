//! Journals that cannot be written: without a record no change and no message leaves.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use rustix::process::{Resource, Rlimit};
use serde_json::json;

use crate::support::{Hook, Project, Real, Slot};

const ELSEWHERE: &str = "= help: nothing is changed while there is no record; name a writable folder with --journal DIR";

/// A project with a channel, and in it a folder `j`, 0700, for journals.
fn project(hook: &Hook) -> Project {
    let project = Real::new("default").hook(hook).project();
    let folder = project.root().join("j");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
    project
}

const RUN: [&str; 4] = ["run", "x.rhai", "--journal", "j"];

#[test]
fn where_no_journal_can_be_begun_nothing_begins() {
    let hook = Hook::new("no-journal", &json!({}));
    let project = project(&hook).script("x.rhai", "note(\"begun\");\nnotify(\"hook\", \"sent\");");
    for (mounts, message) in [
        (
            "mount -t tmpfs -o size=64k,mode=700 test j; mount -o remount,ro j; exec \"$@\"",
            "cannot be written: the file system is read-only",
        ),
        (
            "mount -t tmpfs -o size=64k,mode=700 test j; ! cp /dev/zero j/full 2>/dev/null; exec \"$@\"",
            "cannot be written: the disk is full",
        ),
    ] {
        let ran = project.start(project.mounting(mounts, RUN)).wait().status(8).stdout("");
        ran.stderr_has("error[journal_lost]: the journal").stderr_has(message).stderr_has(ELSEWHERE).has_not("begun");
    }
    fs::set_permissions(project.root().join("j"), fs::Permissions::from_mode(0o755)).unwrap();
    let ran = project.run(RUN).status(8).stderr_has("error[journal_lost]: the journal's folder j is open to other users (mode 0755)");
    ran.stderr_has("= help: chmod 700 j, or name a folder of its own with --journal DIR").has_not("begun");
    let ran = project.run(["run", "x.rhai", "--journal", "x.rhai"]).status(8).stderr_has("the journal's folder x.rhai is not a folder");
    ran.stderr_has(ELSEWHERE).has_not("begun");
    // Also a rehearsal and a world are on record or not at all.
    project.run(["run", "x.rhai", "--dry-run", "--journal", "x.rhai"]).status(8).has_not("begun");
    project.run(["run", "x.rhai", "--world", "--journal", "x.rhai"]).status(8).has_not("begun");
    assert_eq!(hook.received(), [] as [serde_json::Value; 0]);
}

#[test]
fn a_script_has_no_say_in_where_its_record_is() {
    let project = Project::new().script("x.rhai", "runbook(#{ name: \"x\", journal: \"elsewhere\" });");
    project.run(["run", "x.rhai", "--world"]).status(2).stderr_has("journal").no_journal();
    // Nor can it write there.
    let folder = project.outside().join("state/runbook/journal");
    let save = format!("http_get(\"api/x\", #{{ save: {:?} }});", folder.join("last").display().to_string());
    let ran = project.script("x.rhai", &save).run(["run", "x.rhai", "--world"]).status(1);
    ran.stderr_has("error[bad_argument]: ").stderr_has("files are saved beneath the project's root");
}

#[test]
fn when_the_disk_fills_nothing_more_leaves_and_the_record_before_stands() {
    let hook = Hook::new("disk-fills", &json!({}));
    let script = "notify(\"hook\", \"first\");
        for i in 0..10000 { try { sleep(\"0ms\"); } catch { } }
        try { notify(\"hook\", \"second\"); } catch { }
        note(\"came to its end\");";
    let project = project(&hook).script("x.rhai", script);
    let mounts = "mount -t tmpfs -o size=64k,mode=700 test j; status=0; \"$@\" || status=$?; cp -r j saved; chmod 700 saved; exit $status";
    let ran = project.start(project.mounting(mounts, RUN)).wait().status(8);
    let ran = ran
        .stderr_has("error[journal_lost]: the journal j/")
        .stderr_has(".jsonl cannot be written: the disk is full")
        .stderr_has(ELSEWHERE);
    // It says where it was, though the script went on; and what was done before.
    let ran = ran.stderr_has(" --> x.rhai:2:").has_not("came to its end").stdout_has("journal_lost: 0 changes made, 1 message sent");
    let received = hook.received();
    assert_eq!(received.len(), 1, "{received:?}\n{ran}");
    assert!(received[0]["body"].as_str().unwrap().contains("first"));
    project.run(["log", "show", "last", "--journal", "saved"]).status(0).stdout_has("notify hook").stdout_has("sent").has_not("IN DOUBT");
    project.run(["log", "verify", "last", "--journal", "saved"]).status(0).stdout_has("the run was cut off");
}

#[test]
fn what_was_done_is_told_though_its_outcome_cannot_be_recorded() {
    let hook = Hook::new("no-outcome", &json!({ "latency_ms": 700 }));
    let project = Real::new("default").hook(&hook).project();
    let project = project.script("x.rhai", "notify(\"hook\", \"first\");\nnotify(\"hook\", \"second\");");
    let mut running = project.start(project.shell("trap '' XFSZ", ["run", "x.rhai"]));
    hook.until(1);
    // From now on the file may not grow: as if the disk were full, to the byte.
    let size = Some(fs::metadata(running.until_journaled("intent")).unwrap().len());
    rustix::process::prlimit(Some(running.pid()), Resource::Fsize, Rlimit { current: size, maximum: size }).unwrap();
    let ran = running.wait().status(8).stderr_has("notify hook \"first\"  sent").stderr_has("error[journal_lost]: ").stderr_has(ELSEWHERE);
    let ran = ran.stderr_has(" --> x.rhai:1:1").stdout_has("journal_lost: 0 changes made, 1 message sent");
    assert_eq!(hook.received().len(), 1, "{ran}");
    project
        .run(["log", "show", "last"])
        .status(0)
        .stdout_has("1 write is IN DOUBT")
        .stdout_has("!! IN DOUBT: nobody knows whether the message reached hook");
}

#[test]
fn a_journal_that_somebody_removes_ends_the_run_before_the_next_change() {
    let hook = Hook::new("removed-journal", &json!({}));
    let slot = Slot::new(&json!({ "GET /slow": { "latency_ms": 600 } }));
    let script = "notify(\"hook\", \"first\");\nhttp_get(\"api/slow\");\nnotify(\"hook\", \"second\");";
    let project = Real::new("default").hook(&hook).service("api", &slot.address).project().script("x.rhai", script);
    let mut running = project.start(project.command(["run", "x.rhai"]));
    fs::remove_file(running.until_journaled("outcome")).unwrap();
    let ran = running
        .wait()
        .status(8)
        .stderr_has("cannot be written: somebody has removed it")
        .stderr_has(" --> x.rhai:3:1")
        .stderr_has(ELSEWHERE);
    assert_eq!(hook.received().len(), 1, "{ran}");
}

#[test]
fn journals_and_payloads_are_closed_to_others() {
    let slot = Slot::new(&json!({ "GET /data": { "body": "of people" } }));
    let project = Real::new("default").service("api", &slot.address).project().script("x.rhai", "http_get(\"api/data\");");
    let ran = project.start(project.shell("umask 000", ["run", "x.rhai"])).wait().status(0);
    let payloads = ran.journal_path().with_extension("payloads");
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let payload = fs::read_dir(&payloads).unwrap().flatten().next().unwrap().path();
    assert_eq!([mode(&ran.journal_path()), mode(&payload), mode(&payloads), mode(&project.journals())], [0o600, 0o600, 0o700, 0o700]);
}
