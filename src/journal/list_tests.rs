use std::fs;

use super::super::testing::{at, closed_folder, end, header, whole, writer};
use super::super::{Durability, Writer};
use super::*;

const ANNA: Mine<'static> = Mine { user: "anna", project: "/srv/ops" };

fn run_by(folder: &Path, run: &str, user: &str, project: &str) {
    let mut header = header(run);
    header.user = user.into();
    header.project = project.into();
    Writer::create(folder, &mut header, at(0), Durability::Buffered).unwrap().finish(at(1), end("ok")).unwrap();
}

#[test]
fn lists_newest_first_whatever_stands_in_the_folder() {
    let folder = closed_folder();
    assert_eq!(runs(&folder.path().join("missing")).unwrap(), []);
    whole(folder.path(), "20261123-230741-k3f9");
    let cut = writer(folder.path(), "20261123-230742-aaaa", Durability::EachLine);
    cut.append(at(30), &super::super::testing::read("1", 1.into())).unwrap();
    drop(cut);
    let alive = writer(folder.path(), "20261124-000000-bbbb", Durability::EachLine);
    fs::write(folder.path().join("notes.jsonl"), "{\"hello\": 1}\n").unwrap();
    fs::write(folder.path().join("20261122-000000-cccc.jsonl"), "").unwrap();
    fs::write(folder.path().join("README"), "not ours").unwrap();

    let runs = runs(folder.path()).unwrap();
    let shown: Vec<(&str, &str)> = runs.iter().map(|run| (run.id.as_str(), run.status.as_str())).collect();
    assert_eq!(
        shown,
        [
            ("20261124-000000-bbbb", "running"),
            ("20261123-230742-aaaa", "unfinished"),
            ("20261123-230741-k3f9", "ok"),
            ("20261122-000000-cccc", "unreadable"),
            ("notes", "unreadable"),
        ]
    );
    assert_eq!((runs[2].changes, runs[2].ms, runs[2].user.as_str()), (Some(1), Some(4_000.0), "anna"));
    assert_eq!((runs[1].changes, runs[1].ms), (None, Some(30_000.0)));
    assert_eq!(runs[4].problem.as_deref(), Some("it is not a journal"));
    drop(alive);
}

#[test]
fn of_one_second_the_run_that_ended_last_is_the_last() {
    let folder = closed_folder();
    for run in ["20261123-230741-zzzz", "20261123-230741-aaaa", "20261123-230741-mmmm"] {
        run_by(folder.path(), run, "anna", "/srv/ops");
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert_eq!(id_of(&find(folder.path(), "last", &ANNA).unwrap()), run);
        assert_eq!(runs(folder.path()).unwrap()[0].id, run);
    }
}

#[test]
fn finds_by_id_prefix_suffix_and_last() {
    let folder = closed_folder();
    let none = find(folder.path(), "last", &ANNA).unwrap_err();
    assert_eq!(none.kind, Kind::NotFound);
    run_by(folder.path(), "20261123-230741-k3f9", "anna", "/srv/ops");
    run_by(folder.path(), "20261123-230800-zzzz", "ben", "/srv/ops");
    run_by(folder.path(), "20261124-000000-bbbb", "anna", "/srv/other");
    let id = |wanted| find(folder.path(), wanted, &ANNA).map(|path| id_of(&path));
    assert_eq!(id("last").unwrap(), "20261123-230741-k3f9", "mine, in this project");
    assert_eq!(id("20261123-230800-zzzz").unwrap(), "20261123-230800-zzzz");
    assert_eq!(id("20261124").unwrap(), "20261124-000000-bbbb");
    assert_eq!(id("zzzz").unwrap(), "20261123-230800-zzzz");

    let several = id("20261123").unwrap_err();
    assert_eq!(several.message, "2 runs are meant by \"20261123\"");
    assert_eq!(several.hint.as_deref(), Some("one of 20261123-230800-zzzz, 20261123-230741-k3f9"));
    assert_eq!(id("20261123-230741-k3f8").unwrap_err().hint.as_deref(), Some("did you mean `20261123-230741-k3f9`?"));
    for wanted in ["../../etc/passwd", "", "nothing like it"] {
        assert!(id(wanted).is_err(), "{wanted}");
    }
    let nobody = find(folder.path(), "last", &Mine { user: "carl", project: "/srv/ops" }).unwrap_err();
    assert_eq!(nobody.hint.as_deref(), Some("`runbook log list` shows everybody's"));
}
