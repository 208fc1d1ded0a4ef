//! What people read when a script is wrong, before and during a run: golden scripts under `diagnostics/`.
//!
//! Each expected diagnostic stands beneath the line that it is about, with its marks in place. A file's first line says how its cases
//! are run (`//! check`, `//! run --dry-run` …); `//---` begins the next case. `BLESS=1` writes down what comes out.

use std::path::Path;

use crate::support::{PLATFORM, Project, repository};

const MORE: &str = r#"
[environments.test.databases.mongodb]
url = "mongodb://ops@mongodb:27017/app"
workload = "deployment/mongodb"

[environments.test.databases.redis]
url = "redis://redis:6379/0"
workload = "deployment/redis"

[policy]
tested_within = "180d"
"#;

/// One diagnostic of an output.
#[derive(Debug, Default)]
struct Told {
    /// `error[RB003]: unknown function …`
    title: String,
    line: usize,
    column: usize,
    marks: usize,
    label: String,
    /// `help: …` and `note: …`, in order.
    more: Vec<String>,
}

#[test]
fn every_diagnostic_reads_as_it_stands_in_its_script() {
    let folder = repository().join("tests/integration/diagnostics");
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let (mut count, mut stale) = (0, Vec::new());
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "rhai")) {
        let golden = std::fs::read_to_string(file).unwrap();
        let (how, cases) = golden.split_once('\n').unwrap();
        let how = how.strip_prefix("//! ").unwrap_or_else(|| panic!("{}: the first line says how", file.display()));
        let annotated: Vec<String> = cases.split("//---\n").map(|case| annotated(how, &stripped(case), &mut count)).collect();
        let actual = format!("//! {how}\n{}", annotated.join("//---\n"));
        if actual != golden {
            stale.push(differing(file, &golden, &actual));
            if std::env::var_os("BLESS").is_some() {
                std::fs::write(file, actual).unwrap();
            }
        }
    }
    assert!(stale.is_empty(), "BLESS=1 writes down what came out:\n{}", stale.join("\n"));
    assert!(count >= 60, "{count} diagnostics");
}

fn differing(file: &Path, golden: &str, actual: &str) -> String {
    let diff: Vec<_> = actual.lines().filter(|line| !golden.lines().any(|other| other == *line)).collect();
    format!("{}\n{}", file.display(), diff.join("\n"))
}

/// A case without what is expected of it.
fn stripped(case: &str) -> String {
    let mut within = false;
    let kept = case.lines().filter(|line| {
        let comment = line.strip_prefix("//").map(|comment| comment.trim_start().trim_start_matches('^').trim_start());
        let begins = comment.is_some_and(|comment| comment.starts_with("error[") || comment.starts_with("warning["));
        within = begins || (within && comment.is_some_and(|comment| comment.starts_with("help: ") || comment.starts_with("note: ")));
        !within
    });
    kept.map(|line| format!("{line}\n")).collect()
}

/// A case with what is said of it.
fn annotated(how: &str, case: &str, count: &mut usize) -> String {
    let words: Vec<&str> = how.split(' ').collect();
    let project = Project::bare().config(&format!("{PLATFORM}{MORE}")).script("x.rhai", case);
    let (command, more) = words.split_first().unwrap();
    let args: Vec<&str> = match *command {
        "check" => ["check", "x.rhai", "--as-of", "2026-01-15"].into_iter().chain(more.iter().copied()).collect(),
        "run" => ["run", "x.rhai", "--world"].into_iter().chain(more.iter().copied()).collect(),
        other => panic!("nobody knows how to {other}"),
    };
    let ran = project.run(args);
    let told = told(if *command == "check" { &ran.out } else { &ran.err });
    assert!(!told.is_empty(), "nothing was said of\n{case}\n{ran}");
    assert_ne!(ran.code, Some(if *command == "run" { 0 } else { 2 }), "{ran}");
    *count += told.len();
    let mut text = String::new();
    for (number, line) in case.lines().enumerate() {
        text.push_str(&format!("{line}\n"));
        told.iter().filter(|told| told.line == number + 1).for_each(|told| text.push_str(&comment(told)));
    }
    told.iter().filter(|told| told.line == 0).for_each(|told| text.push_str(&comment(told)));
    text
}

fn comment(told: &Told) -> String {
    assert!(told.line == 0 || told.column > 2, "the marks do not fit beside the slashes: indent the line\n{told:?}");
    let before = " ".repeat(told.column.saturating_sub(3));
    let marks = if told.line == 0 { 0 } else { told.marks };
    let label = if told.label.is_empty() { String::new() } else { format!(" ({})", told.label) };
    let mut text = format!("//{before}{} {}{label}\n", "^".repeat(marks), told.title);
    for more in &told.more {
        text.push_str(&format!("//{before}{} {more}\n", " ".repeat(marks)));
    }
    text
}

/// The diagnostics of an output, which is drawn as rustc draws them.
fn told(output: &str) -> Vec<Told> {
    let mut all: Vec<Told> = Vec::new();
    for line in output.lines() {
        if line.starts_with("error[") || line.starts_with("warning[") {
            all.push(Told { title: line.to_owned(), ..Told::default() });
            continue;
        }
        let Some(told) = all.last_mut() else { continue };
        let drawn = line.trim_start();
        if let Some(place) = drawn.strip_prefix("--> ") {
            let numbers: Vec<usize> = place.rsplit(':').take(2).map(|number| number.parse().unwrap()).collect();
            (told.line, told.column) = (numbers[1], numbers[0]);
            // What stands in another file stands beneath the case.
            if !place.starts_with("x.rhai:") {
                (told.title, told.line, told.column) = (format!("{} at {place}", told.title), 0, 0);
            }
        } else if let Some(more) = drawn.strip_prefix("= ") {
            told.more.push(more.to_owned());
        } else if let Some(marks) = drawn.strip_prefix("| ").map(str::trim_start).filter(|marks| marks.starts_with('^')) {
            let label = marks.trim_start_matches('^');
            (told.marks, told.label) = (marks.len() - label.len(), label.trim().to_owned());
        }
    }
    all
}
