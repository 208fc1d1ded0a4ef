//! Whatever is done to a journal, the first line that it was done to is named.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::entry::{Entry, StepState};
use super::testing::{at, closed_folder, decision, end, finding, intent, outcome, read, step, whole, writer};
use super::{Anchoring, Durability, Hash, Payloads, State, Verification, verify};
use crate::map;
use crate::model::Kind;

fn broken(path: &Path) -> (u64, String) {
    match verify(path).unwrap().state {
        State::Broken { line, reason } => (line, reason),
        state => panic!("{state:?}"),
    }
}

#[test]
fn a_journal_says_who_vouches_for_its_end() {
    let folder = closed_folder();
    let first = whole(folder.path(), "r1");
    let sound = verify(&first).unwrap();
    assert_eq!(
        sound,
        Verification {
            run: "r1".into(),
            lines: 10,
            state: State::Intact { ended: true },
            running: false,
            payloads: Payloads { sound: 1, ..Payloads::default() },
            anchoring: Anchoring::Anchored { run: None },
            doubted: Vec::new(),
        }
    );
    let second = writer(folder.path(), "r2", Durability::EachLine);
    assert_eq!(verify(&first).unwrap().anchoring, Anchoring::Anchored { run: Some("r2".into()) });
    second.append(at(1), &read("1", 1.into())).unwrap();
    let running = verify(second.path()).unwrap();
    assert_eq!((running.state, running.running), (State::Intact { ended: false }, true));
    assert_eq!(running.anchoring, Anchoring::UpTo { line: 1, run: None });
    let second_path = second.path().to_owned();
    drop(second);
    let cut = verify(&second_path).unwrap();
    assert_eq!((cut.state, cut.running), (State::Intact { ended: false }, false));

    fs::remove_file(folder.path().join("last")).unwrap();
    let unanchored = verify(&second_path).unwrap();
    assert_eq!(unanchored.anchoring, Anchoring::Unanchored);
    assert!(unanchored.anchoring.explain().starts_with("unanchored: no later run has recorded how this one ended, so a change"));
}

#[test]
fn a_change_of_the_last_line_shows_by_its_anchor_and_else_is_called_unanchored() {
    let folder = closed_folder();
    let path = whole(folder.path(), "r1");
    let text = fs::read_to_string(&path).unwrap();
    let forged = text.replace("\"status\":\"ok\",\"exit\":0", "\"status\":\"ok\",\"exit\":1");
    assert_ne!(text, forged);
    fs::write(&path, &forged).unwrap();
    assert_eq!(broken(&path).0, 10);
    assert!(broken(&path).1.contains("the folder's pointer has another hash of it"));
    let _later = writer(folder.path(), "r2", Durability::EachLine);
    assert!(broken(&path).1.contains("run r2 has another hash of it"));
    // Without the footer: the anchor knows that there was one.
    fs::write(&path, text.lines().take(9).map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    assert_eq!(broken(&path), (10, "it is missing: run r2 saw this journal with 10 lines".into()));
    // All anchors gone: never "anchored".
    fs::remove_file(folder.path().join("last")).unwrap();
    fs::remove_file(folder.path().join("r2.jsonl")).unwrap();
    fs::write(&path, &forged).unwrap();
    let found = verify(&path).unwrap();
    assert_eq!((found.state, found.anchoring), (State::Intact { ended: true }, Anchoring::Unanchored));
}

#[test]
fn a_run_whose_own_record_is_broken_is_no_witness() {
    let folder = closed_folder();
    let path = whole(folder.path(), "r1");
    let witness = writer(folder.path(), "r2", Durability::EachLine);
    witness.append(at(1), &read("1", 1.into())).unwrap();
    witness.append(at(2), &read("2", 2.into())).unwrap();
    let later = witness.path().to_owned();
    drop(witness);
    let written = fs::read_to_string(&later).unwrap();
    let found = |content: &str| {
        fs::write(&later, content).unwrap();
        let found = verify(&path).unwrap();
        (found.state, found.anchoring, found.doubted)
    };
    let intact = State::Intact { ended: true };
    let anchored = Anchoring::Anchored { run: Some("r2".into()) };
    assert_eq!(found(&written), (intact.clone(), anchored.clone(), vec![]));
    // A crash leaves the beginning of a line, which takes nothing from the header.
    assert_eq!(found(&written[..written.len() - 9]), (intact.clone(), anchored, vec![]));
    // Its header was changed, to vouch for another end or to deny this one, or any other line of it was.
    let hash = Hash::of(fs::read_to_string(&path).unwrap().lines().last().unwrap().as_bytes()).to_string();
    let denying = written.replace(&hash, &"1".repeat(64));
    assert_ne!(denying, written);
    for forged in [denying, written.replace("\"user\":\"anna\"", "\"user\":\"ben\""), written.replace("\"line\":12", "\"line\":13")] {
        assert_eq!(found(&forged), (intact.clone(), Anchoring::Unanchored, vec!["r2".into()]));
    }
    // Nor is a run a witness under another one's name.
    fs::remove_file(&later).unwrap();
    fs::write(folder.path().join("20261123-230741-k3f9.jsonl"), &written).unwrap();
    assert_eq!(verify(&path).unwrap().doubted, ["r2"]);
}

#[test]
fn a_chain_that_was_computed_anew_shows_by_its_anchor() {
    let folder = closed_folder();
    let path = whole(folder.path(), "r1");
    let text = fs::read_to_string(&path).unwrap().replace("\"user\":\"anna\"", "\"user\":\"ben\"");
    let mut prev = Hash::ZERO.to_string();
    let mut forged = String::new();
    for line in text.lines() {
        let start = line.find("\"prev\":\"").unwrap() + 8;
        let line = format!("{}{prev}{}", &line[..start], &line[start + 64..]);
        prev = Hash::of(line.as_bytes()).to_string();
        forged.push_str(&line);
        forged.push('\n');
    }
    fs::write(&path, forged).unwrap();
    assert_eq!(broken(&path).0, 10);
    assert!(broken(&path).1.contains("the whole chain was computed anew"));
}

#[test]
fn what_is_no_chain_is_said_with_its_line() {
    let folder = closed_folder();
    let path = whole(folder.path(), "20261123-230741-k3f9");
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let with = |content: String| {
        fs::write(&path, content).unwrap();
        broken(&path)
    };
    assert_eq!(with(String::new()), (1, "the file is empty".into()));
    assert_eq!(with(format!("{text}\n")), (11, "it stands after the run's end".into()));
    assert_eq!(with(format!("{text}x")), (11, "it stands after the run's end".into()));
    assert_eq!(with(format!("{text}{}\n", lines[9])), (11, "it stands after the run's end".into()));
    let ones = "1".repeat(64);
    assert_eq!(with(text.replacen(&"0".repeat(64), &ones, 1)), (1, "it says that a line stood before it".into()));
    assert_eq!(with(text.replacen("\",\"prev\"", "\", \"prev\"", 1)).0, 1, "white space is a change too");
    assert_eq!(with(text.replacen("\"line\":12", "\"line\":13", 1)).0, 3);
    assert_eq!(with(text.replace("\"line\":12", "\"line\":13")).0, 3, "the first of many");
    // An earlier line, forged with the right number and hash, before the one of that number.
    let forged = lines[2].replace("\"line\":12", "\"line\":99");
    let (line, reason) = with(text.replacen(lines[2], &format!("{forged}\n{}", lines[2]), 1));
    assert_eq!((line, reason.contains("inserted")), (3, true), "{reason}");
    let other = folder.path().join("20261123-230741-zzzz.jsonl");
    fs::write(&other, &text).unwrap();
    assert_eq!(broken(&other), (1, "it is the header of the run 20261123-230741-k3f9".into()));
}

#[test]
fn a_torn_tail_is_read_around_and_named() {
    let folder = closed_folder();
    let writer = writer(folder.path(), "r1", Durability::EachLine);
    writer.append(at(1), &read("1", 1.into())).unwrap();
    let path = writer.path().to_owned();
    drop(writer);
    let whole = fs::read(&path).unwrap();
    let second = whole.iter().position(|c| *c == b'\n').unwrap() + 1;
    for cut in second + 1..whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        let journal = super::read(&path).unwrap();
        assert_eq!((journal.lines.len(), journal.torn), (1, true));
        assert_eq!(broken(&path), (2, "it is torn: cut off while it was written".into()));
    }
    for cut in 1..second {
        fs::write(&path, &whole[..cut]).unwrap();
        assert_eq!(super::read(&path).unwrap_err().kind, Kind::Failed);
        assert_eq!(broken(&path).0, 1);
    }
}

#[test]
fn payloads_are_compared_with_their_hashes() {
    let folder = closed_folder();
    let path = whole(folder.path(), "r1");
    let journal = super::read(&path).unwrap();
    let call = &journal.calls().unwrap()[0];
    assert_eq!(journal.answer_of(call).unwrap().unwrap().to_string(), "[{\"row\":1}]");
    let sha256 = call.payload.as_ref().unwrap().sha256;
    let payload = folder.path().join(format!("r1.payloads/{sha256}.json"));
    for forged in ["[{\"row\":2}]", "[{\"row\":1}] "] {
        fs::write(&payload, forged).unwrap();
        let found = verify(&path).unwrap();
        assert_eq!((found.payloads.corrupt.as_slice(), found.is_sound()), ([sha256].as_slice(), false));
        assert!(journal.answer_of(call).unwrap_err().message.ends_with("has been changed since the run"));
    }
    fs::remove_file(&payload).unwrap();
    let found = verify(&path).unwrap();
    assert_eq!((found.payloads.missing.as_slice(), found.is_sound()), ([sha256].as_slice(), true), "payloads are kept for a shorter time");
    assert_eq!(journal.answer_of(call).unwrap_err().kind, Kind::NotFound);
}

/// A journal of some lines, ended, with a later run that anchors it.
fn some_journal(folder: &Path, kinds: &[u8]) -> PathBuf {
    let writer = writer(folder, "r1", Durability::Buffered);
    for (i, kind) in kinds.iter().enumerate() {
        let call = (i + 1).to_string();
        let entry: Entry<'static> = match kind % 8 {
            0 => step(StepState::Started),
            1 => read(&call, map! { "text" => "some  white space, \u{e9}\u{202e} and \"quotes\"" }),
            2 => intent(&call, 0, 1, "apply"),
            3 => outcome(&call, 0, "changed"),
            4 => decision(&call),
            5 => finding(&call),
            6 => read(&call, (i as i64).into()),
            _ => step(StepState::Finished),
        };
        writer.append(at(i as i64), &entry).unwrap();
    }
    writer.finish(at(99), end("ok")).unwrap();
    drop(super::testing::writer(folder, "r2", Durability::Buffered));
    writer.path().to_owned()
}

#[derive(Clone, Debug)]
enum Tampering {
    Flip { at: prop::sample::Index, with: u8 },
    Swap(prop::sample::Index, prop::sample::Index),
    Drop(prop::sample::Index),
    Insert(prop::sample::Index, String),
    Double(prop::sample::Index),
}

fn tampering() -> impl Strategy<Value = Tampering> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        4 => (at(), 1..=255u8).prop_map(|(at, with)| Tampering::Flip { at, with }),
        1 => (at(), at()).prop_map(|(a, b)| Tampering::Swap(a, b)),
        1 => at().prop_map(Tampering::Drop),
        1 => (at(), "[ -~]{0,40}").prop_map(|(at, text)| Tampering::Insert(at, text)),
        1 => at().prop_map(Tampering::Double),
    ]
}

/// Does it, and says which line is the first that is not as it was written; none if nothing changed.
fn tamper(bytes: &mut Vec<u8>, how: &Tampering) -> Option<u64> {
    let mut lines: Vec<Vec<u8>> = bytes.split_inclusive(|c| *c == b'\n').map(<[u8]>::to_vec).collect();
    let first = match how {
        Tampering::Flip { at, with } => {
            let at = at.index(bytes.len());
            let line = bytes[..at].iter().filter(|c| **c == b'\n').count();
            bytes[at] ^= with;
            return Some(line as u64 + 1);
        }
        Tampering::Swap(a, b) => {
            let (a, b) = (a.index(lines.len()), b.index(lines.len()));
            lines.swap(a, b);
            if a == b {
                return None;
            }
            a.min(b)
        }
        Tampering::Drop(at) => {
            let at = at.index(lines.len());
            lines.remove(at);
            at
        }
        Tampering::Insert(at, text) => {
            let at = at.index(lines.len() + 1);
            lines.insert(at, format!("{text}\n").into_bytes());
            at
        }
        Tampering::Double(at) => {
            let at = at.index(lines.len());
            lines.insert(at, lines[at].clone());
            at + 1
        }
    };
    *bytes = lines.concat();
    Some(first as u64 + 1)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_first_line_that_was_tampered_with_is_named(
        kinds in prop::collection::vec(any::<u8>(), 0..8),
        ways in prop::collection::vec(tampering(), 1..24),
    ) {
        let folder = closed_folder();
        let path = some_journal(folder.path(), &kinds);
        let written = fs::read(&path).unwrap();
        let sound = verify(&path).unwrap();
        prop_assert_eq!((&sound.state, &sound.anchoring), (&State::Intact { ended: true }, &Anchoring::Anchored { run: Some("r2".into()) }));
        for how in &ways {
            let mut bytes = written.clone();
            let Some(first) = tamper(&mut bytes, how) else { continue };
            fs::write(&path, &bytes).unwrap();
            match verify(&path).unwrap().state {
                State::Broken { line, reason } => prop_assert_eq!(line, first, "{:?}: {}", how, reason),
                state => prop_assert!(false, "{:?}: {:?}", how, state),
            }
            prop_assert!(super::read(&path).is_err() || first == kinds.len() as u64 + 2, "{:?}", how);
        }
    }
}
