//! `runbook check`.

mod forms;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use clap_complete::engine::{ArgValueCandidates, ArgValueCompleter, CompletionCandidate};
use jiff::civil::Date;

use super::{colour, complete, here};
use crate::config::{Config, Dirs};
use crate::engine::check::codes::{self, Code, Severity};
use crate::engine::check::{self, Checked, Rules};
use crate::engine::script;
use crate::model::{Failure, Kind};
use crate::platform::clock::{Clock, MachineClock};
use crate::run::exit;

/// Check scripts without running anything: no network, no trust, no secret.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct CheckArgs {
    /// Scripts, folders of them, or names under scripts/; all of scripts/ without any.
    #[arg(value_name = "PATH", add = ArgValueCompleter::new(complete::scripts))]
    paths: Vec<PathBuf>,
    /// The environment whose databases and channels may be named; any of runbook.toml without it.
    #[arg(short, long, value_name = "NAME", env = "RUNBOOK_ENV", add = ArgValueCandidates::new(complete::environments))]
    env: Option<String>,
    /// The form of what is found, on standard output.
    #[arg(short, long, value_enum, default_value = "text")]
    output: Output,
    /// Fail for warnings too.
    #[arg(long)]
    deny_warnings: bool,
    /// Judge the dates of headers by this day instead of today.
    #[arg(long, value_name = "YYYY-MM-DD")]
    as_of: Option<Date>,
    /// Say what a code means, with an example and its remedy.
    #[arg(long, value_name = "CODE", conflicts_with = "paths", add = ArgValueCandidates::new(codes))]
    explain: Option<String>,
}

/// The form of findings.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Output {
    /// For people: the source lines, marked.
    Text,
    /// For programs: one JSON array.
    Json,
    /// For code scanning: SARIF 2.1.0.
    Sarif,
    /// For GitHub Actions: workflow commands that annotate the change.
    Github,
}

const EXAMPLES: &str = "\
Exit codes: 0 nothing was found, or warnings alone; 1 something was found; 2 usage.

A comment `// allow(RB034): reason` silences a code on the next line, or on its own.

Examples:
  runbook check                                 all of scripts/
  runbook check --explain RB034                 what a code means
  runbook check scripts --as-of 2026-12-31      what will be overdue by then
  runbook check scripts -o github               in a workflow";

/// All codes, for shells.
fn codes() -> Vec<CompletionCandidate> {
    let candidate = |code: &&Code| CompletionCandidate::new(code.id).help(Some(code.name.into()));
    codes::CODES.iter().map(candidate).collect()
}

/// Checks, and tells what was found.
pub fn run(args: &CheckArgs, out: &mut dyn Write) -> Result<i32, Failure> {
    if let Some(wanted) = &args.explain {
        let code = codes::find(wanted)
            .ok_or_else(|| Failure::unknown("code", wanted, codes::CODES.iter().flat_map(|code| [code.id, code.name])))?;
        return super::written(out.write_all(explanation(code).as_bytes()));
    }
    let folder = here()?;
    let config = config(&folder, args.paths.first().map(PathBuf::as_path))?;
    let rules = Rules::new(&config, args.env.as_deref().filter(|name| !name.is_empty()), args.as_of.unwrap_or_else(today))?;
    let checked = check::check(&files(&folder, &config.root, &args.paths)?, &folder, &rules);
    let text = match args.output {
        Output::Text => forms::text(&checked, colour(&io::stdout())),
        Output::Json => forms::json(&checked),
        Output::Sarif => forms::sarif(&checked),
        Output::Github => forms::github(&checked),
    };
    super::written(out.write_all(text.as_bytes()))?;
    if args.output == Output::Text {
        let _ = writeln!(io::stderr(), "{}", summary(&checked));
    }
    let (errors, warnings) = counts(&checked);
    let failed = errors > 0 || (warnings > 0 && args.deny_warnings);
    Ok(if failed { exit::FAILED } else { exit::OK })
}

/// The configuration of the project that the first path belongs to.
fn config(folder: &Path, first: Option<&Path>) -> Result<Config, Failure> {
    let own = match first {
        Some(path) if folder.join(path).is_dir() => Some(path.join(crate::config::FILE_NAME)),
        Some(path) if folder.join(path).is_file() => Some(path.to_owned()),
        _ => None,
    };
    Config::load(folder, own.as_deref(), &Dirs::from_env()?).map_err(Failure::from)
}

fn today() -> Date {
    jiff::tz::Offset::UTC.to_datetime(MachineClock::default().now()).date()
}

/// The scripts that paths stand for, each folder's in order.
fn files(folder: &Path, root: &Path, paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    if paths.is_empty() {
        let scripts = root.join("scripts");
        if !scripts.is_dir() {
            let failure = Failure::new(Kind::NotFound, format!("there is no folder {}", scripts.display()));
            return Err(failure.hint("name the scripts to check: `runbook check PATH…`"));
        }
        beneath(&scripts, &mut files)?;
    }
    for path in paths {
        match folder.join(path) {
            full if full.is_dir() => beneath(path, &mut files)?,
            full if full.is_file() => files.push(path.clone()),
            _ => files.push(script::locate(root, &path.to_string_lossy())?),
        }
    }
    Ok(files)
}

/// The scripts in a folder and its folders; hidden ones and links to folders are passed over.
fn beneath(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::new(Kind::NotFound, format!("{} cannot be read: {error}", folder.display()));
    let mut entries = std::fs::read_dir(folder).map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let (path, kind) = (entry.path(), entry.file_type().map_err(failed)?);
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if kind.is_dir() {
            beneath(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rhai") && path.is_file() {
            files.push(path);
        }
    }
    Ok(())
}

/// How many errors and warnings there are.
fn counts(checked: &Checked) -> (usize, usize) {
    let of = |severity: Severity| checked.findings.iter().filter(|finding| finding.code.severity == severity).count();
    (of(Severity::Error), of(Severity::Warning))
}

fn summary(checked: &Checked) -> String {
    let plural = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let files = plural(checked.files, "file");
    match counts(checked) {
        (0, 0) => format!("{files}: nothing found"),
        (errors, warnings) => format!("{files}: {}, {}", plural(errors, "error"), plural(warnings, "warning")),
    }
}

fn explanation(code: &Code) -> String {
    let indented = |script: &str| script.lines().map(|line| format!("    {line}\n")).collect::<String>();
    format!(
        "{} {} ({})\n\n{}\n\nThis has it:\n\n{}\nThis has not:\n\n{}",
        code.id,
        code.name,
        code.severity.name(),
        code.summary,
        indented(code.example),
        indented(code.remedy)
    )
}
