//! What a run left behind: its output, its exit code, its journal.

use std::fmt;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use serde_json::Value;

use super::Project;

/// A run that ended. Every check answers the run again, so that checks can be chained.
pub struct Ran {
    /// Where it ran.
    pub project: Project,
    /// The exit code; none after a signal.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
    /// How long it took.
    pub took: Duration,
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit {:?}, signal {:?}\n--- stdout\n{}\n--- stderr\n{}", self.code, self.signal, self.out, self.err)
    }
}

impl Ran {
    pub(super) fn new(project: Project, status: ExitStatus, out: Vec<u8>, err: Vec<u8>, took: Duration) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
        Self { project, code: status.code(), signal: status.signal(), out: text(out), err: text(err), took }
    }

    /// Checks the exit code.
    #[track_caller]
    pub fn status(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// Checks the whole of standard output.
    #[track_caller]
    pub fn stdout(self, text: &str) -> Self {
        assert_eq!(self.out, text, "{self}");
        self
    }

    /// Checks that standard output has a text in it.
    #[track_caller]
    pub fn stdout_has(self, text: &str) -> Self {
        assert!(self.out.contains(text), "no {text:?} in standard output\n{self}");
        self
    }

    /// Checks the whole of standard error.
    #[track_caller]
    pub fn stderr(self, text: &str) -> Self {
        assert_eq!(self.err, text, "{self}");
        self
    }

    /// Checks that standard error has a text in it.
    #[track_caller]
    pub fn stderr_has(self, text: &str) -> Self {
        assert!(self.err.contains(text), "no {text:?} in standard error\n{self}");
        self
    }

    /// Checks that neither output has a text in it.
    #[track_caller]
    pub fn has_not(self, text: &str) -> Self {
        assert!(!self.out.contains(text) && !self.err.contains(text), "{text:?} is in the output\n{self}");
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("standard output is no JSON: {error}\n{self}"))
    }

    /// The newest journal's path.
    #[track_caller]
    pub fn journal_path(&self) -> PathBuf {
        newest(&self.project.journals()).unwrap_or_else(|| panic!("there is no journal\n{self}"))
    }

    /// The newest journal's lines.
    #[track_caller]
    pub fn journal(&self) -> Vec<Value> {
        lines_of(&self.journal_path())
    }

    /// The newest journal's lines of a type.
    #[track_caller]
    pub fn journaled(&self, kind: &str) -> Vec<Value> {
        self.journal().into_iter().filter(|line| line["type"] == kind).collect()
    }

    /// Checks that no run was begun.
    #[track_caller]
    pub fn no_journal(self) -> Self {
        assert!(newest(&self.project.journals()).is_none(), "there is a journal\n{self}");
        self
    }

    /// Checks that the newest journal verifies, ends, and says with which status and exit code.
    #[track_caller]
    pub fn recorded(self, status: &str, exit: i32) -> Self {
        self.project.run(["log", "verify", "last"]).status(0).stdout_has("intact").stdout_has("to the run's end");
        let lines = self.journal();
        let end = lines.last().unwrap();
        assert_eq!((&end["type"], &end["status"], &end["exit"]), (&"end".into(), &status.into(), &exit.into()), "{self}");
        self
    }

    /// The changes that the newest journal has outcomes of, as `target status`.
    #[track_caller]
    pub fn outcomes(&self) -> Vec<String> {
        let intents = self.journaled("intent");
        let outcomes = self.journaled("outcome");
        let object = |outcome: &Value| {
            let intent = intents.iter().find(|intent| intent["id"] == outcome["id"] && intent["write"] == outcome["write"]);
            intent.and_then(|intent| intent["object"].as_str()).expect("an outcome has an intent").to_owned()
        };
        outcomes.iter().map(|outcome| format!("{} {}", object(outcome), outcome["status"].as_str().unwrap())).collect()
    }
}

/// A journal's lines as JSON.
#[track_caller]
pub fn lines_of(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// The journal that was written last. Ids begin with the second, so that within one the file's time decides.
pub(super) fn newest(folder: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    let journals = entries.filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    journals.max_by_key(|path| fs::metadata(path).and_then(|found| found.modified()).ok())
}
