//! The runs of a folder, from the first and last lines of their journals.

use std::cmp::Ordering;
use std::fs::File;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;

use super::entry::{End, Entry, Header};
use super::folder::{self, cause};
use super::{FORMAT, anchor, line};
use crate::model::{Failure, Kind, suggest, text};

/// A run in a few words.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// The run's id, which is its file's name.
    pub id: String,
    /// The journal.
    pub path: PathBuf,
    /// `ok`, `failed` and the like from the footer; `running`; `unfinished` if it was cut off; `unreadable`.
    pub status: String,
    /// Why it is unreadable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// When it began, on the platform's clock.
    pub started: Option<Timestamp>,
    /// The script's path; empty for a sitting.
    pub script: String,
    /// The script's title.
    pub title: String,
    /// The environment's name.
    pub environment: String,
    /// `real`, `world:FILE` or `replay:RUN`.
    pub platform: String,
    /// Whether nothing was written.
    pub dry_run: bool,
    /// The user's name.
    pub user: String,
    /// The project's root.
    pub project: String,
    /// How many changes and messages; unknown without a footer.
    pub changes: Option<u64>,
    /// Milliseconds, until the last line if there is no footer.
    pub ms: Option<f64>,
}

/// Whose runs `last` chooses from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mine<'a> {
    /// The user's name, as headers have it.
    pub user: &'a str,
    /// The project's root, as headers have it.
    pub project: &'a str,
}

/// The runs of a folder, newest first; none if there is no folder. Files that are no journals are listed as unreadable.
pub fn runs(folder: &Path) -> Result<Vec<Summary>, Failure> {
    let mut runs: Vec<Summary> = journals(folder)?.iter().map(|path| summary(path)).collect();
    // By the machine's time, which ids begin with; a simulated clock may start at any time.
    runs.sort_by(|a, b| newest_first(folder, &a.id, &b.id).then_with(|| b.started.cmp(&a.started)));
    Ok(runs)
}

/// The order of ids, the newest first. They begin with a second and end by chance: within one second the file's time decides.
fn newest_first(folder: &Path, a: &str, b: &str) -> Ordering {
    let second = |id: &str| (folder::is_run_id(id), id.get(..15).unwrap_or(id).to_owned());
    let written = |id: &str| folder::journal_path(folder, id).metadata().and_then(|found| found.modified()).ok();
    second(b).cmp(&second(a)).then_with(|| written(b).cmp(&written(a))).then_with(|| b.cmp(a))
}

fn journals(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    anchor::journals(folder)
        .map_err(|e| Failure::new(Kind::Failed, format!("the journal's folder {} cannot be read: {}", folder.display(), cause(&e))))
}

fn id_of(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

fn summary(path: &Path) -> Summary {
    let mut found = Summary {
        id: id_of(path),
        path: path.to_owned(),
        status: "unreadable".into(),
        problem: None,
        started: None,
        script: String::new(),
        title: String::new(),
        environment: String::new(),
        platform: String::new(),
        dry_run: false,
        user: String::new(),
        project: String::new(),
        changes: None,
        ms: None,
    };
    match ends(path) {
        Err(problem) => found.problem = Some(problem),
        Ok((header, started, last, end)) => {
            found.started = Some(started);
            found.script = header.script;
            found.title = header.title;
            found.environment = header.environment;
            found.platform = header.platform;
            found.dry_run = header.dry_run;
            found.user = header.user;
            found.project = header.project;
            found.changes = end.as_ref().map(|end| end.changes);
            found.ms = Some(end.as_ref().map_or(last.duration_since(started).as_millis_f64(), |end| end.ms));
            found.status = match end {
                Some(end) => end.status,
                None if folder::is_running(path) => "running".into(),
                None => "unfinished".into(),
            };
        }
    }
    found
}

/// The header with its time, the last line's time, and the footer if that is what the last line is.
fn ends(path: &Path) -> Result<(Header, Timestamp, Timestamp, Option<End>), String> {
    let first = anchor::first_line(path).map_err(|e| cause(&e))?;
    let (Some(begin), Some(header)) = (line::parse(&first), anchor::header(&first)) else {
        return Err("it is not a journal".into());
    };
    if header.format > FORMAT {
        return Err(format!("a newer runbook wrote it ({})", text::short(&header.version, 20)));
    }
    let (tail, torn) = File::open(path).and_then(|file| line::last(&file)).map_err(|e| cause(&e))?;
    let last = line::parse(&tail).map_or(begin.time, |prefix| prefix.time);
    let end = match serde_json::from_slice(&tail) {
        Ok(Entry::End(end)) if !torn => Some(end),
        _ => None,
    };
    Ok((header, begin.time, last, end))
}

/// The journal of a run: an id, the beginning of one, its last four characters, or `last`, which is the newest of mine.
/// Fails with `not_found`, naming the nearest id, or with `bad_argument` if several are meant.
pub fn find(folder: &Path, wanted: &str, mine: &Mine<'_>) -> Result<PathBuf, Failure> {
    let mut ids: Vec<String> = journals(folder)?.iter().map(|path| id_of(path)).collect();
    ids.sort_by(|a, b| newest_first(folder, a, b));
    let none = || Failure::new(Kind::NotFound, format!("there is no run in {} yet", folder.display()));
    if ids.is_empty() {
        return Err(none().hint("`runbook run SCRIPT --dry-run --world` makes one without touching anything"));
    }
    let path = |id: &str| folder::journal_path(folder, id);
    if wanted == "last" {
        let is_mine = |id: &&String| {
            let header = anchor::first_line(&path(id)).ok().and_then(|line| anchor::header(&line));
            header.is_some_and(|header| header.user == mine.user && header.project == mine.project)
        };
        return ids.iter().find(is_mine).map(|id| path(id)).ok_or_else(|| {
            Failure::new(Kind::NotFound, format!("{} has no run of {} in this project", folder.display(), text::short(mine.user, 40)))
                .hint("`runbook log list` shows everybody's")
        });
    }
    if ids.iter().any(|id| id == wanted) {
        return Ok(path(wanted));
    }
    let meant =
        |id: &&String| !wanted.is_empty() && (id.starts_with(wanted) || folder::is_run_id(id) && id.rsplit('-').next() == Some(wanted));
    let found: Vec<&String> = ids.iter().filter(meant).collect();
    match found[..] {
        [id] => Ok(path(id)),
        [] => {
            let failure = Failure::new(Kind::NotFound, format!("there is no run {:?}", text::short(wanted, 64)));
            Err(match suggest::nearest(wanted, ids.iter().map(String::as_str)) {
                Some(near) => failure.hint(format!("did you mean `{}`?", text::short(near, 64))),
                None => failure.hint(format!("`runbook log list` shows them; the newest is {}", text::short(&ids[0], 64))),
            })
        }
        _ => {
            const SHOWN: usize = 8;
            let mut shown: Vec<String> = found.iter().take(SHOWN).map(|id| text::short(id, 64)).collect();
            if found.len() > SHOWN {
                shown.push(format!("… {} more", found.len() - SHOWN));
            }
            let message = format!("{} runs are meant by {:?}", found.len(), text::short(wanted, 64));
            Err(Failure::bad_argument(message).hint(format!("one of {}", shown.join(", "))))
        }
    }
}

#[cfg(test)]
#[path = "list_tests.rs"]
mod tests;
