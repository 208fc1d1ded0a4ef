use clap::Parser;

use super::*;
use crate::journal::testing::{at, closed_folder, decision, end, finding, intent, outcome, read, step, whole, writer};
use crate::journal::{Durability, entry::StepState};

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    log: LogArgs,
}

fn log(folder: &Path, args: &[&str], color: bool) -> (String, Result<i32, Failure>) {
    within(folder, args, color, None)
}

fn within(folder: &Path, args: &[&str], color: bool, width: Option<usize>) -> (String, Result<i32, Failure>) {
    let args = Cli::parse_from([&["log"], args].concat()).log;
    let mut out = Vec::new();
    let code = run(&args, &Viewer { folder, mine: Mine { user: "anna", project: "/srv/ops" }, color, width }, &mut out);
    (String::from_utf8(out).unwrap(), code)
}

#[test]
fn list_is_a_plain_table() {
    let folder = closed_folder();
    assert!(log(folder.path(), &[], false).0.starts_with("no runs in "));
    whole(folder.path(), "20261123-230741-k3f9");
    drop(writer(folder.path(), "20261123-230742-aaaa", Durability::EachLine));
    let (table, code) = log(folder.path(), &[], false);
    assert_eq!(code.unwrap(), 0);
    insta::assert_snapshot!(table, @r"
    RUN                   STATUS      STARTED (UTC)        TOOK  CHANGES  SCRIPT          WHERE       USER
    20261123-230742-aaaa  unfinished  2026-11-23 23:07:41  0ms            scripts/a.rhai  prod, real  anna
    20261123-230741-k3f9  ok          2026-11-23 23:07:41  4s    1        scripts/a.rhai  prod, real  anna
    ");
    insta::assert_snapshot!(within(folder.path(), &[], false, Some(80)).0, @r"
    RUN                   STATUS      TOOK  CHANGES  SCRIPT          WHERE
    20261123-230742-aaaa  unfinished  0ms            scripts/a.rhai  prod, real
    20261123-230741-k3f9  ok          4s    1        scripts/a.rhai  prod, real
    ");
    let (one, _) = log(folder.path(), &["list", "-n", "1"], false);
    assert!(one.ends_with("… 1 older ones; `runbook log list -n 0` shows all\n"), "{one}");
    let (json, _) = log(folder.path(), &["list", "-o", "json"], false);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json[0]["status"], &json[1]["changes"]), (&"unfinished".into(), &1.into()));
    assert!(log(folder.path(), &[], true).0.contains("\x1b[32mok\x1b[0m"));
}

#[test]
fn show_tells_the_run_in_its_order() {
    let folder = closed_folder();
    whole(folder.path(), "20261123-230741-k3f9");
    let (shown, code) = log(folder.path(), &["show", "last"], false);
    assert_eq!(code.unwrap(), 0);
    insta::assert_snapshot!(shown, @r"
    20261123-230741-k3f9  ok
      script   scripts/a.rhai  A title
      who      anna (uid 1000) on laptop
      when     2026-11-23 23:07:41 to 2026-11-23 23:07:50 UTC
      where    prod, real
      params   replicas=7
      version  runbook 0.1.0

    Scale it
      23:07:42  1       get deployment/api                        array of 1 map (11 bytes)  12ms
      23:07:43  2       scale api                                 confirmed by --yes (moderate)
                        remark: an autoscaler owns the number  scripts/a.rhai:12
      23:07:45  2       scale api                                 changed  12ms
                        deployment/api  spec.replicas: 3 → 7
      23:07:47  3.1.2   get deployment/api                        map of 1 key  12ms
      23:07:48  finished after 1.5s

    ok after 4s (exit code 0): calls: 2, changes and messages made: 1
    ");
    let (json, _) = log(folder.path(), &["show", "k3f9", "-o", "json"], false);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((json["entries"].as_array().unwrap().len(), &json["end"]["status"]), (10, &"ok".into()));
    assert_eq!(json["run"]["user"], "anna");
}

#[test]
fn show_is_loud_about_doubt_and_calm_about_hostile_text() {
    let folder = closed_folder();
    let writer = writer(folder.path(), "20261123-230741-k3f9", Durability::EachLine);
    let mut hostile = finding("1");
    if let crate::journal::entry::Entry::Finding(finding) = &mut hostile {
        finding.message = "fine\n  23:07:41  2 forged\x1b[2J\u{202e}".into();
    }
    for entry in [
        step(StepState::Started),
        hostile,
        decision("1"),
        intent("1", 0, 2, "apply"),
        outcome("1", 0, "changed"),
        intent("1", 1, 2, "apply"),
    ] {
        writer.append(at(1), &entry).unwrap();
    }
    let running = log(folder.path(), &["show", "last"], false).0;
    assert!(running.contains("being written") && !running.contains("IN DOUBT"), "{running}");
    drop(writer);
    // A process that another test has just forked holds the lock until it becomes its program.
    let show = || log(folder.path(), &["show", "last"], false).0;
    let shown = (0..1000).map(|_| show()).find(|shown| !shown.contains("being written")).unwrap();
    insta::assert_snapshot!(shown, @r"
    20261123-230741-k3f9  unfinished
      script   scripts/a.rhai  A title
      who      anna (uid 1000) on laptop
      when     2026-11-23 23:07:41 to 2026-11-23 23:07:42 UTC
      where    prod, real
      params   replicas=7
      version  runbook 0.1.0

    1 write is IN DOUBT: sent, or about to be, and nobody knows if it happened. See !! below.

    Scale it
                        remark: fine\n  23:07:41  2 forged\u{1b}[2J\u{202e}  scripts/a.rhai:12
      23:07:42  1       scale api                                 confirmed by --yes (moderate)
      23:07:42  1       scale api                                 changed  12ms
                        write 1 of 2: deployment/api  spec.replicas: 3 → 7
      23:07:42  1       scale api                                 no outcome recorded
                        write 2 of 2: deployment/api  spec.replicas: 3 → 7
                        !! IN DOUBT: nobody knows whether deployment/api was changed
                        !! it was to do:  kubectl scale deployment/api --replicas=7
                        !! to check:      it happened if deployment/api now has spec.replicas = 7

    the record was cut off after line 7: the run did not end by itself
    ");
    let json: serde_json::Value = serde_json::from_str(&log(folder.path(), &["show", "last", "-o", "json"], false).0).unwrap();
    assert_eq!(json["in_doubt"][0]["write"], 1);
}

#[test]
fn verify_has_an_exit_code_for_what_was_changed() {
    let folder = closed_folder();
    let path = whole(folder.path(), "20261123-230741-k3f9");
    let (sound, code) = log(folder.path(), &["verify", "last"], false);
    assert_eq!(code.unwrap(), 0);
    assert_eq!(
        sound,
        "intact  20261123-230741-k3f9, 10 lines, to the run's end\n        anchored by the folder's pointer\n        payloads: 1 as written\n"
    );
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("\"line\":12", "\"line\":13")).unwrap();
    let (broken, code) = log(folder.path(), &["verify", "last"], false);
    assert_eq!(code.unwrap(), 8);
    assert!(broken.starts_with("BROKEN  20261123-230741-k3f9, line 3: it was changed: line 4 has another hash of it\n"), "{broken}");
    let (json, code) = log(folder.path(), &["verify", "last", "-o", "json"], false);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code.unwrap(), &json["state"]["broken"]["line"], &json["sound"]), (8, &3.into(), &false.into()));
    assert!(log(folder.path(), &["show", "last"], false).1.is_err(), "a changed record is not told as if it were true");
}

#[test]
fn a_witness_whose_own_record_is_broken_is_said_not_to_count() {
    let folder = closed_folder();
    let first = "20261123-230741-k3f9";
    whole(folder.path(), first);
    let later = whole(folder.path(), "20261123-230742-k3f9");
    let text = std::fs::read_to_string(&later).unwrap();
    std::fs::write(&later, text.replace("\"line\":12", "\"line\":13")).unwrap();
    let (shown, code) = log(folder.path(), &["verify", first], false);
    assert_eq!(code.unwrap(), 0);
    assert!(shown.contains("unanchored: no later run") && !shown.contains("anchored by"), "{shown}");
    assert!(shown.contains("named by run 20261123-230742-k3f9, whose record is broken: it does not count\n"), "{shown}");
    let (json, _) = log(folder.path(), &["verify", first, "-o", "json"], false);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["doubted"], serde_json::json!(["20261123-230742-k3f9"]));
}

#[test]
fn a_cut_run_and_an_unknown_one() {
    let folder = closed_folder();
    let writer = writer(folder.path(), "20261123-230741-k3f9", Durability::EachLine);
    writer.append(at(1), &read("1", 1.into())).unwrap();
    assert!(
        log(folder.path(), &["verify", "last"], false)
            .0
            .starts_with("intact  20261123-230741-k3f9, 2 lines so far; not ended: it is running\n")
    );
    drop(writer);
    let (cut, code) = log(folder.path(), &["verify", "last"], false);
    assert_eq!(code.unwrap(), 0);
    assert!(
        cut.contains("not ended: the run was cut off\n        anchored by the folder's pointer up to line 1, unanchored after it"),
        "{cut}"
    );
    let shown = log(folder.path(), &["show", "last"], false).0;
    assert!(shown.ends_with("the record was cut off after line 2: the run did not end by itself\n"), "{shown}");
    let unknown = log(folder.path(), &["show", "20261123-230741-k3f8"], false).1.unwrap_err();
    assert_eq!(unknown.hint.as_deref(), Some("did you mean `20261123-230741-k3f9`?"));
    assert!(end("ok").failure.is_none());
}
