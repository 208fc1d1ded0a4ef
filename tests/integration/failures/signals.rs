//! Signals: reads are dropped, what was sent gets its answer or is in doubt, and the record says which.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::support::{Hook, Project, Real, Running, Slot};

const STOPPING: &str = "stopping: reads are dropped, a change that was sent gets five seconds (again to stop now)";

/// A run of two messages, when the first has arrived and is not answered yet.
fn sent(hook: &Hook) -> (Project, Running) {
    let script = "notify(\"hook\", \"first\", #{ timeout: \"1m\" });\nnotify(\"hook\", \"second\");";
    let project = Real::new("default").hook(hook).project().script("x.rhai", script);
    let running = project.start(project.command(["run", "x.rhai"]));
    hook.until(1);
    (project, running)
}

#[test]
fn a_read_that_waits_is_dropped_at_once() {
    let slot = Slot::new(&json!({ "GET /hangs": { "hang": true } }));
    let project = Real::new("default").service("api", &slot.address).project();
    let project = project.script("x.rhai", "try { http_get(\"api/hangs\", #{ timeout: \"1m\" }); } catch { }\nnote(\"went on\");");
    let running = project.start(project.command(["run", "x.rhai"]));
    while slot.requests().is_empty() {
        std::thread::sleep(Duration::from_millis(2));
    }
    let at = Instant::now();
    running.signal(Signal::TERM);
    let ran = running.wait().status(130).stderr_has(STOPPING).stderr_has("error[cancelled]: the run was interrupted\n --> x.rhai:1:7");
    assert!(at.elapsed() < Duration::from_secs(1), "{:?}\n{ran}", at.elapsed());
    let ran = ran.has_not("note: went on").stdout_has("cancelled: 0 changes made").recorded("cancelled", 130);
    assert_eq!(ran.journaled("call")[0]["failure"]["kind"], "cancelled");
}

#[test]
fn what_was_sent_is_waited_for_and_its_answer_counts() {
    let hook = Hook::new("signal-answered", &json!({ "latency_ms": 700 }));
    let (_, running) = sent(&hook);
    running.signal(Signal::INT);
    let ran =
        running.wait().status(130).stderr_has(STOPPING).stdout_has("cancelled: 0 changes made, 1 message sent").recorded("cancelled", 130);
    assert_eq!(ran.outcomes(), ["hook sent"], "{ran}");
    assert_eq!(hook.received().len(), 1, "the second message left too\n{ran}");
}

#[test]
fn what_was_sent_and_never_answered_is_in_doubt_after_five_seconds() {
    let hook = Hook::new("signal-unanswered", &json!({ "hang": true }));
    let (project, running) = sent(&hook);
    let at = Instant::now();
    running.signal(Signal::HUP);
    let ran = running.wait().status(9).stderr_has(STOPPING).stderr_has("waiting for the answer to what was already sent");
    assert!((Duration::from_millis(4900)..Duration::from_secs(7)).contains(&at.elapsed()), "{:?}\n{ran}", at.elapsed());
    let ran =
        ran.stdout_has("In doubt: hook at x.rhai:1. Look before you repeat it; by hand it would be:\n").stdout_has("  t=$(date +%s); b=");
    let ran = ran.stdout_has("in_doubt: 0 changes made, 0 messages sent, 1 in doubt").recorded("in_doubt", 9);
    assert_eq!(ran.outcomes(), ["hook in_doubt"], "{ran}");
    let failure = &ran.journaled("outcome")[0]["failure"];
    assert_eq!(failure["message"], "the message to hook was sent, and no answer came within 5s of the cancellation");
    assert_eq!(hook.received().len(), 1, "{ran}");
    project
        .run(["log", "show", "last"])
        .status(0)
        .stdout_has("1 write is IN DOUBT")
        .stdout_has("nobody knows whether the message reached hook");
}

#[test]
fn a_second_interrupt_stops_now_and_says_what_is_left_open() {
    let hook = Hook::new("signal-twice", &json!({ "hang": true }));
    let (project, mut running) = sent(&hook);
    let at = Instant::now();
    running.signal(Signal::INT);
    running.until_said(STOPPING);
    running.signal(Signal::INT);
    let ran = running.wait().status(130);
    assert!(at.elapsed() < Duration::from_secs(1), "{:?}\n{ran}", at.elapsed());
    let ran = ran.stderr_has("stopped; a change that was sent and not answered is in doubt: runbook log show last").stdout("");
    let last = ran.journal().pop().unwrap();
    assert_eq!((last["type"].as_str(), last["object"].as_str()), (Some("intent"), Some("hook")), "{ran}");
    cut_off(&project);
}

#[test]
fn a_kill_between_intent_and_outcome_leaves_the_doubt_on_record() {
    let hook = Hook::new("signal-kill", &json!({ "hang": true }));
    let (project, running) = sent(&hook);
    running.signal(Signal::KILL);
    let ran = running.wait();
    assert_eq!((ran.code, ran.signal), (None, Some(9)), "{ran}");
    assert_eq!(hook.received().len(), 1, "{ran}");
    cut_off(&project);
}

/// Checks what the record says of a run that ended after an intent.
#[track_caller]
fn cut_off(project: &Project) {
    let shown = project.run(["log", "show", "last"]).status(0).stdout_has("unfinished").stdout_has("1 write is IN DOUBT");
    let shown = shown.stdout_has("no outcome recorded").stdout_has("!! IN DOUBT: nobody knows whether the message reached hook");
    let shown = shown.stdout_has("!! it was to do:  t=$(date +%s); b=").stdout_has("!! to check:      nothing can read this back");
    shown.stdout_has("the record was cut off after line 2: the run did not end by itself");
    project.run(["log", "verify", "last"]).status(0).stdout_has("intact").stdout_has("not ended: the run was cut off");
    project.run(["log"]).status(0).stdout_has("unfinished");
}
