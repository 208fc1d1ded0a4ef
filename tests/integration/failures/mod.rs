//! What goes wrong around a script: each failure is made on the real systems, ends with its exit code, says what, where and
//! what to do next, and leaves a journal that tells the truth.

mod canary;
mod changes;
mod cluster;
mod databases;
mod doubt;
mod exec;
mod http;
mod http_bodies;
mod http_changes;
mod journal;
mod secrets;
mod signals;
mod trust;

use crate::support::{Project, Ran};

/// A script, the kind it ends in, its message, its hint.
type Row<'a> = (&'a str, &'a str, &'a str, &'a str);

/// A run's exit code and status by the kind of its failure.
fn ending(kind: &str) -> (i32, &'static str) {
    match kind {
        "auth" => (4, "failed"),
        "denied" | "not_confirmed" => (6, "denied"),
        "journal_lost" => (8, "journal_lost"),
        "in_doubt" => (9, "in_doubt"),
        "timeout" => (124, "timeout"),
        "cancelled" => (130, "cancelled"),
        _ => (1, "failed"),
    }
}

/// Checks that each script fails as its row says, at its last line, without having changed anything.
#[track_caller]
fn fails(project: &Project, rows: &[Row<'_>]) {
    for (script, kind, message, hint) in rows {
        let ran = failed(project.really(script), kind, message, hint);
        assert!(ran.journaled("intent").is_empty(), "{script} changed something\n{ran}");
    }
}

/// Checks a failed run: exit code, message with its place and its remedy, and a journal that says the same.
#[track_caller]
fn failed(ran: Ran, kind: &str, message: &str, hint: &str) -> Ran {
    let (exit, status) = ending(kind);
    let ran = ran.status(exit).stderr_has(&format!("error[{kind}]: ")).stderr_has(message).stderr_has(" --> x.rhai:");
    let ran = ran.stderr_has("\n  = help: ").stderr_has(hint).recorded(status, exit);
    let failure =
        |line: &serde_json::Value| line["failure"]["kind"] == *kind && line["failure"]["message"].as_str().unwrap().contains(message);
    let lines = ran.journal();
    assert!(failure(lines.last().unwrap()), "the journal's last line has another failure\n{ran}");
    let told = lines.iter().any(|line| (line["type"] == "call" || line["type"] == "outcome") && failure(line));
    assert!(told, "no call's line has the failure\n{ran}");
    ran
}
