use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::super::testing::{at, closed_folder, end, header, intent, read, step, whole, writer};
use super::super::{Hash, is_running, read as read_journal};
use super::*;
use crate::journal::entry::StepState;
use crate::map;
use crate::model::Secret;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn lines(path: &Path) -> usize {
    fs::read(path).unwrap().iter().filter(|c| **c == b'\n').count()
}

#[test]
fn lines_are_as_the_format_says_and_sha256sum_can_follow_them() {
    let folder = closed_folder();
    let path = whole(folder.path(), "20261123-230741-k3f9");
    assert_eq!(path.file_name().unwrap(), "20261123-230741-k3f9.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let mut prev = "0".repeat(64);
    for (i, line) in text.lines().enumerate() {
        let begin = format!("{{\"n\":{},\"t\":\"2026-11-2", i + 1);
        assert!(line.starts_with(&begin), "{line}");
        assert!(line.contains(&format!("Z\",\"prev\":\"{prev}\",\"type\":\"")), "{line}");
        prev = Hash::of(line.as_bytes()).to_string();
    }
    assert_eq!(text.lines().count(), 10);
    let pointer = fs::read_to_string(folder.path().join("last")).unwrap();
    assert_eq!(pointer, format!("{{\"run\":\"20261123-230741-k3f9\",\"line\":10,\"sha256\":\"{prev}\",\"ended\":true}}"));
}

#[test]
fn files_are_for_their_owner_only() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("journal");
    let path = whole(&folder, "r1");
    assert_eq!((mode(&folder), mode(&path), mode(&folder.join("last")), mode(&folder.join("r1.payloads"))), (0o700, 0o600, 0o600, 0o700));
    for payload in fs::read_dir(folder.join("r1.payloads")).unwrap() {
        assert_eq!(mode(&payload.unwrap().path()), 0o600);
    }
}

#[test]
fn an_id_that_is_taken_gets_another_suffix() {
    let folder = closed_folder();
    let mut ids: Vec<String> = Vec::new();
    for _ in 0..4 {
        let mut header = header("20261123-230741-k3f9");
        let writer = Writer::create(folder.path(), &mut header, at(0), Durability::Buffered).unwrap();
        assert_eq!(writer.run_id(), header.run);
        assert_eq!(read_journal(writer.path()).unwrap().header.run, header.run);
        ids.push(header.run);
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4);
    assert!(ids.iter().all(|id| id.starts_with("20261123-230741-")));
    let refused = Writer::create(folder.path(), &mut header("../evil"), at(0), Durability::Buffered).unwrap_err();
    assert_eq!(refused.kind, Kind::BadArgument);
}

#[test]
fn each_line_is_in_the_file_at_once_and_buffered_ones_when_a_change_is_near() {
    let folder = closed_folder();
    let each = writer(folder.path(), "each", Durability::EachLine);
    each.append(at(1), &read("1", 1.into())).unwrap();
    assert_eq!(lines(each.path()), 2);

    let buffered = writer(folder.path(), "buffered", Durability::Buffered);
    assert_eq!(lines(buffered.path()), 1, "the header is there for `log list`");
    buffered.append(at(1), &read("1", 1.into())).unwrap();
    buffered.append(at(1), &intent("2", 0, 1, "rehearse")).unwrap();
    assert_eq!(lines(buffered.path()), 1);
    buffered.append(at(1), &intent("3", 0, 1, "apply")).unwrap();
    assert_eq!(lines(buffered.path()), 4);
    buffered.append(at(1), &read("4", 1.into())).unwrap();
    buffered.sync().unwrap();
    assert_eq!(lines(buffered.path()), 5);
    for i in 5..2_000 {
        buffered.append(at(1), &read(&i.to_string(), 1.into())).unwrap();
    }
    assert!(fs::metadata(buffered.path()).unwrap().len() > 500_000);
    let path = buffered.path().to_owned();
    drop(buffered);
    let journal = read_journal(&path).unwrap();
    assert_eq!((journal.lines.len(), journal.torn, journal.end()), (2_000, false, None));
}

#[test]
fn the_first_failure_ends_the_journal_for_good() {
    let folder = closed_folder();
    let writer = writer(folder.path(), "r1", Durability::EachLine);
    let kept = std::mem::replace(&mut writer.inner.lock().unwrap().file, Arc::new(File::options().write(true).open("/dev/full").unwrap()));
    let lost = writer.append(at(1), &read("1", 1.into())).unwrap_err();
    assert_eq!(lost.kind, Kind::JournalLost);
    assert_eq!(lost.message, format!("the journal {} cannot be written: the disk is full", writer.path().display()));
    assert!(lost.hint.as_deref().unwrap().contains("--journal DIR"));
    // The disk has room again, and still nothing goes on.
    writer.inner.lock().unwrap().file = kept;
    assert_eq!(writer.append(at(2), &read("2", 1.into())).unwrap_err(), lost);
    assert_eq!(writer.sync().unwrap_err(), lost);
    assert_eq!(writer.payload(&1.into()).unwrap_err(), lost);
    assert_eq!(writer.finish(at(3), end("ok")).unwrap_err(), lost);
    let path = writer.path().to_owned();
    drop(writer);
    assert_eq!(lines(&path), 1);
}

#[test]
fn a_sync_that_fails_is_not_tried_again() {
    let folder = closed_folder();
    let writer = writer(folder.path(), "r1", Durability::EachLine);
    writer.append(at(1), &intent("1", 0, 1, "apply")).unwrap();
    // A pipe cannot be synced.
    let (_reader, pipe) = std::io::pipe().unwrap();
    let kept = std::mem::replace(&mut writer.inner.lock().unwrap().file, Arc::new(File::from(std::os::fd::OwnedFd::from(pipe))));
    // Its link count is 1, so it is the sync itself that fails.
    let lost = writer.sync().unwrap_err();
    assert_eq!(lost.kind, Kind::JournalLost);
    assert!(lost.message.contains("invalid argument"), "{lost}");
    writer.inner.lock().unwrap().file = kept;
    assert_eq!(writer.sync().unwrap_err(), lost);
}

#[test]
fn a_journal_that_was_removed_is_lost_before_the_next_change() {
    let folder = closed_folder();
    let writer = writer(folder.path(), "r1", Durability::EachLine);
    fs::remove_file(writer.path()).unwrap();
    let lost = writer.sync().unwrap_err();
    assert!(lost.message.ends_with("cannot be written: somebody has removed it"), "{lost}");
}

#[test]
fn a_payload_that_cannot_be_put_ends_the_journal() {
    let folder = closed_folder();
    let writer = writer(folder.path(), "r1", Durability::EachLine);
    fs::write(folder.path().join("r1.payloads"), "in the way").unwrap();
    let lost = writer.payload(&"x".into()).unwrap_err();
    assert_eq!(lost.kind, Kind::JournalLost);
    assert_eq!(writer.append(at(1), &read("1", 1.into())).unwrap_err(), lost);
}

#[test]
fn payloads_are_put_once_and_hold_no_secret() {
    let folder = closed_folder();
    let writer = writer(folder.path(), "r1", Durability::EachLine);
    let value = map! { "token" => Value::Secret(Secret::new("env:TOKEN", "hunter2hunter2")) };
    let first = writer.payload(&value).unwrap();
    assert_eq!(writer.payload(&value).unwrap(), first);
    writer.sync().unwrap();
    let files: Vec<_> = fs::read_dir(folder.path().join("r1.payloads")).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(files.len(), 1);
    assert_eq!(fs::read_to_string(&files[0]).unwrap(), r#"{"token":{"$secret":"env:TOKEN"}}"#);
    assert_eq!((first.bytes, first.shape.as_str()), (33, "map of 1 key"));
}

#[test]
fn nothing_follows_the_end() {
    let folder = closed_folder();
    let writer = writer(folder.path(), "r1", Durability::Buffered);
    writer.finish(at(1), end("ok")).unwrap();
    assert!(writer.append(at(2), &step(StepState::Started)).unwrap_err().message.ends_with("it has ended"));
    let path = writer.path().to_owned();
    drop(writer);
    assert!(read_journal(&path).unwrap().end().is_some());
}

#[test]
fn a_journal_is_running_as_long_as_its_writer_lives() {
    let folder = closed_folder();
    let writer = writer(folder.path(), "r1", Durability::EachLine);
    let path = writer.path().to_owned();
    assert!(is_running(&path));
    assert!(folder::lock(&File::open(&path).unwrap()).is_err(), "one journal has one writer");
    drop(writer);
    assert!(!is_running(&path));
}

#[test]
fn each_run_records_where_the_one_before_stood() {
    let folder = closed_folder();
    let run = |run: &str| {
        let mut header = header(run);
        (Writer::create(folder.path(), &mut header, at(0), Durability::EachLine).unwrap(), header.previous_run)
    };
    let seen = |line: &LineRef| (line.run.clone(), line.line);
    let (first, before) = run("r1");
    assert_eq!(before, None);
    first.append(at(1), &read("1", 1.into())).unwrap();
    drop(first); // killed
    let (second, before) = run("r2");
    assert_eq!(seen(&before.unwrap()), ("r1".into(), 2), "up to the last line that it wrote");
    second.finish(at(2), end("ok")).unwrap();
    let (_third, before) = run("r3");
    let before = before.unwrap();
    assert_eq!(seen(&before), ("r2".into(), 2));
    assert_eq!(before.sha256, read_journal(&folder.path().join("r2.jsonl")).unwrap().lines[1].hash);
    fs::write(folder.path().join("last"), "garbage").unwrap();
    assert_eq!(run("r4").1, None, "a pointer that cannot be read is none");
}

#[test]
fn threads_share_a_writer() {
    let folder = closed_folder();
    let writer = writer(folder.path(), "r1", Durability::Buffered);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let writer = &writer;
            scope.spawn(move || (0..100).for_each(|i| writer.append(at(1), &read(&format!("{thread}.{i}"), 1.into())).unwrap()));
        }
    });
    writer.finish(at(2), end("ok")).unwrap();
    assert_eq!(read_journal(writer.path()).unwrap().calls().unwrap().len(), 400);
}
