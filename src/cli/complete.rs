//! Completion in shells: the shell asks this binary, so that it knows scripts, runs and environments.

use std::ffi::OsStr;
use std::io::{self, Write};

use clap::{Command, ValueEnum};
use clap_complete::engine::{CompletionCandidate, PathCompleter, ValueCompleter};
use clap_complete::env::{CompleteEnv, Shells};

use super::here;
use crate::config::{Config, Dirs};
use crate::{engine, host, journal};

/// The variable by which a shell asks; only the script that `completions` writes sets it.
const VARIABLE: &str = "RUNBOOK_COMPLETE";

/// The shells that can ask.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shell {
    /// `source <(runbook completions bash)`
    Bash,
    /// `runbook completions elvish | slurp | eval`
    Elvish,
    /// `runbook completions fish | source`
    Fish,
    /// `runbook completions powershell | Out-String | Invoke-Expression`
    Powershell,
    /// `source <(runbook completions zsh)`
    Zsh,
}

/// Answers a shell that asks, and ends the process then.
pub fn answer(command: fn() -> Command) {
    CompleteEnv::with_factory(command).var(VARIABLE).complete();
}

/// Writes the script that lets a shell ask.
pub fn register(shell: Shell, out: &mut dyn Write) -> io::Result<()> {
    let name = shell.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    match Shells::builtins().completer(&name) {
        Some(completer) => completer.write_registration(VARIABLE, "runbook", "runbook", "runbook", out),
        None => Err(io::Error::other(format!("completion for {name} is not built in"))),
    }
}

fn config() -> Option<Config> {
    Config::load(&here().ok()?, None, &Dirs::from_env().ok()?).ok()
}

/// Names of scripts, and paths.
pub fn scripts(current: &OsStr) -> Vec<CompletionCandidate> {
    let names = config().map(|config| engine::script::names(&config.root)).unwrap_or_default();
    let typed = current.to_string_lossy();
    let mut found: Vec<CompletionCandidate> =
        names.into_iter().filter(|name| name.starts_with(&*typed)).map(CompletionCandidate::new).collect();
    let paths = PathCompleter::any().filter(|path| path.is_dir() || path.extension().is_some_and(|extension| extension == "rhai"));
    found.extend(paths.complete(current));
    found
}

/// Names of environments.
pub fn environments() -> Vec<CompletionCandidate> {
    let config = config().unwrap_or_default();
    config.environments.into_keys().map(CompletionCandidate::new).collect()
}

/// The newest runs, with what each was.
pub fn runs() -> Vec<CompletionCandidate> {
    let runs = config().and_then(|config| journal::runs(&config.journal_folder()).ok()).unwrap_or_default();
    let last = CompletionCandidate::new("last").help(Some("the newest of mine in this project".into()));
    let listed =
        runs.into_iter().take(20).map(|run| CompletionCandidate::new(run.id).help(Some(format!("{} {}", run.status, run.script).into())));
    [last].into_iter().chain(listed).collect()
}

/// Names of functions.
pub fn functions() -> Vec<CompletionCandidate> {
    host::FUNCTIONS.iter().map(|function| CompletionCandidate::new(function.spec.name).help(Some(function.spec.summary.into()))).collect()
}
