//! `runbook log`: which runs there were, what one of them did, whether its record is as it was written.

mod show;

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use clap_complete::engine::ArgValueCandidates;
use comfy_table::{Table, presets};
use jiff::Timestamp;
use serde_json::json;

use super::complete;
use crate::journal::{self, Mine, State, Summary, Verification};
use crate::model::{Failure, Kind, duration, text};

/// The exit code of a record that is not as it was written.
const TAMPERED: i32 = 8;

/// Look at recorded runs.
#[derive(Args, Clone, Debug)]
pub struct LogArgs {
    /// What to do; without it, `list`.
    #[command(subcommand)]
    pub command: Option<LogCommand>,
    /// The form of the answer.
    #[arg(short = 'o', long = "output", value_enum, default_value = "table", global = true)]
    pub output: Output,
}

/// What `runbook log` does.
#[derive(Subcommand, Clone, Debug)]
pub enum LogCommand {
    /// List the runs, newest first.
    List {
        /// How many; 0 for all.
        #[arg(short = 'n', long, default_value_t = 20)]
        limit: usize,
    },
    /// Show what a run did.
    Show {
        /// An id, the beginning of one, or `last`.
        #[arg(add = ArgValueCandidates::new(complete::runs))]
        run: String,
    },
    /// Verify that a run's record is as it was written.
    Verify {
        /// An id, the beginning of one, or `last`.
        #[arg(add = ArgValueCandidates::new(complete::runs))]
        run: String,
    },
}

/// The form of an answer.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Output {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
}

/// Where the journals are, who looks, and on what.
#[derive(Clone, Copy, Debug)]
pub struct Viewer<'a> {
    /// The folder of journals.
    pub folder: &'a Path,
    /// Whose run `last` is.
    pub mine: Mine<'a>,
    /// Whether the output may be coloured.
    pub color: bool,
    /// The columns of the terminal that reads it; none where a program does.
    pub width: Option<usize>,
}

/// Runs `runbook log`; answers the exit code: 0, or 8 if a record that was to be verified is not as it was written.
pub fn run(args: &LogArgs, viewer: &Viewer<'_>, out: &mut dyn Write) -> Result<i32, Failure> {
    let find = |run: &str| journal::find(viewer.folder, run, &viewer.mine);
    let json = args.output == Output::Json;
    let (written, code) = match args.command.as_ref().unwrap_or(&LogCommand::List { limit: 20 }) {
        LogCommand::List { limit } => {
            let runs = journal::runs(viewer.folder)?;
            let shown = &runs[..if *limit == 0 { runs.len() } else { runs.len().min(*limit) }];
            (if json { print_json(out, &json!(shown)) } else { list(out, shown, runs.len(), viewer) }, 0)
        }
        LogCommand::Show { run } => {
            let journal = journal::read(&find(run)?)?;
            (if json { print_json(out, &show::as_json(&journal)) } else { show::print(out, &journal, Paint(viewer.color)) }, 0)
        }
        LogCommand::Verify { run } => {
            let found = journal::verify(&find(run)?)?;
            let code = if found.is_sound() { 0 } else { TAMPERED };
            (if json { print_json(out, &verification_json(&found)) } else { verification(out, &found, Paint(viewer.color)) }, code)
        }
    };
    match written {
        // Whoever reads has seen enough (`| head`).
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(code),
        Err(e) => Err(Failure::new(Kind::Failed, format!("the output cannot be written: {e}"))),
        Ok(()) => Ok(code),
    }
}

/// Prints a run for people, as `runbook log show` does.
pub(crate) fn print_run(out: &mut dyn Write, journal: &journal::Journal, color: bool) -> io::Result<()> {
    show::print(out, journal, Paint(color))
}

fn print_json(out: &mut dyn Write, value: &serde_json::Value) -> io::Result<()> {
    writeln!(out, "{value:#}")
}

/// Colours, where they may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint(pub(crate) bool);

impl Paint {
    fn with(self, code: &str, text: impl std::fmt::Display) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }
    pub(crate) fn bold(self, text: impl std::fmt::Display) -> String {
        self.with("1", text)
    }
    pub(crate) fn dim(self, text: impl std::fmt::Display) -> String {
        self.with("2", text)
    }
    pub(crate) fn good(self, text: impl std::fmt::Display) -> String {
        self.with("32", text)
    }
    pub(crate) fn warn(self, text: impl std::fmt::Display) -> String {
        self.with("33", text)
    }
    pub(crate) fn bad(self, text: impl std::fmt::Display) -> String {
        self.with("1;31", text)
    }
    pub(crate) fn status(self, status: &str) -> String {
        let shown = text::short(status, 40);
        match status {
            "ok" => self.good(shown),
            "running" => self.bold(shown),
            "unfinished" | "cancelled" | "denied" => self.warn(shown),
            _ => self.bad(shown),
        }
    }
}

/// Milliseconds as a person reads them.
pub(crate) fn took(ms: f64) -> String {
    duration::show(Duration::try_from_secs_f64(ms / 1e3).unwrap_or_default())
}

/// A day and a time, UTC.
pub(crate) fn when(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

fn list(out: &mut dyn Write, runs: &[Summary], all: usize, viewer: &Viewer<'_>) -> io::Result<()> {
    if runs.is_empty() {
        return writeln!(out, "no runs in {}", viewer.folder.display());
    }
    let mut columns = vec![
        ("RUN", Vec::new()),
        ("STATUS", Vec::new()),
        ("STARTED (UTC)", Vec::new()),
        ("TOOK", Vec::new()),
        ("CHANGES", Vec::new()),
        ("SCRIPT", Vec::new()),
        ("WHERE", Vec::new()),
        ("USER", Vec::new()),
    ];
    for run in runs {
        let short = |text: &str| text::short(text, 48);
        let script = match (&run.problem, run.script.as_str()) {
            (Some(problem), _) => short(problem),
            (None, "") => "(a sitting)".into(),
            (None, script) => short(script),
        };
        let changes = match (run.changes, run.dry_run) {
            (None, _) => String::new(),
            (Some(n), true) => format!("{n} planned"),
            (Some(n), false) => n.to_string(),
        };
        let place = [run.environment.as_str(), run.platform.as_str(), if run.dry_run { "dry-run" } else { "" }];
        let place = place.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ");
        let cells = [
            short(&run.id),
            short(&run.status),
            run.started.map(when).unwrap_or_default(),
            run.ms.map(took).unwrap_or_default(),
            changes,
            script,
            short(&place),
            short(&run.user),
        ];
        columns.iter_mut().zip(cells).for_each(|((_, column), cell)| column.push(cell));
    }
    let mut lines = rows(&columns);
    // What the run's id or `log show` says as well goes first where the terminal is narrow.
    for spared in ["STARTED (UTC)", "USER", "TOOK", "WHERE", "CHANGES"] {
        if viewer.width.is_none_or(|width| lines.iter().all(|line| line.chars().count() <= width)) {
            break;
        }
        columns.retain(|(name, _)| *name != spared);
        lines = rows(&columns);
    }
    for (i, line) in lines.iter().enumerate() {
        // The table knows nothing of colours, which would count as width; the status is coloured in the finished line.
        let status = i.checked_sub(1).and_then(|i| runs.get(i)).map(|run| text::short(&run.status, 48));
        match status.filter(|_| viewer.color) {
            Some(status) => writeln!(out, "{}", line.replacen(&status, &Paint(true).status(&status), 1))?,
            None if i == 0 => writeln!(out, "{}", Paint(viewer.color).bold(line))?,
            None => writeln!(out, "{line}")?,
        }
    }
    if all > runs.len() {
        writeln!(out, "… {} older ones; `runbook log list -n 0` shows all", all - runs.len())?;
    }
    Ok(())
}

/// Columns as the lines of a table, its heading first.
fn rows(columns: &[(&str, Vec<String>)]) -> Vec<String> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(columns.iter().map(|(name, _)| *name));
    for row in 0..columns.first().map_or(0, |(_, cells)| cells.len()) {
        table.add_row(columns.iter().map(|(_, cells)| cells.get(row).map(String::as_str).unwrap_or_default()));
    }
    table.to_string().lines().map(|line| line.trim_end().to_owned()).collect()
}

fn verification(out: &mut dyn Write, found: &Verification, paint: Paint) -> io::Result<()> {
    let run = text::short(&found.run, 64);
    match &found.state {
        State::Broken { line, reason } => {
            writeln!(out, "{}  {run}, line {line}: {}", paint.bad("BROKEN"), text::short(reason, 300))?;
            writeln!(out, "        {} before it in order; do not rely on that line or on what follows", lines(line.saturating_sub(1)))?;
        }
        State::Intact { ended: true } => writeln!(out, "{}  {run}, {}, to the run's end", paint.good("intact"), lines(found.lines))?,
        State::Intact { ended: false } if found.running => {
            writeln!(out, "{}  {run}, {} so far; not ended: it is running", paint.good("intact"), lines(found.lines))?;
        }
        State::Intact { ended: false } => {
            writeln!(out, "{}  {run}, {}; {}: the run was cut off", paint.good("intact"), lines(found.lines), paint.warn("not ended"))?;
        }
    }
    if matches!(found.state, State::Intact { .. }) {
        writeln!(out, "        {}", found.anchoring.explain())?;
    }
    for run in &found.doubted {
        let run = text::short(run, 64);
        writeln!(out, "        named by run {run}, whose record is {}: it does not count", paint.bad("broken"))?;
    }
    let payloads = &found.payloads;
    if payloads.sound > 0 {
        writeln!(out, "        payloads: {} as written", payloads.sound)?;
    }
    for hash in &payloads.missing {
        writeln!(out, "        payload {hash} is {}: deleted, or kept elsewhere", paint.warn("missing"))?;
    }
    for hash in &payloads.corrupt {
        writeln!(out, "{}  payload {hash} is not what was recorded", paint.bad("BROKEN"))?;
    }
    Ok(())
}

fn lines(n: u64) -> String {
    if n == 1 { "1 line".into() } else { format!("{n} lines") }
}

fn verification_json(found: &Verification) -> serde_json::Value {
    let mut value = json!(found);
    value["sound"] = found.is_sound().into();
    value["explanation"] = match found.state {
        State::Intact { .. } => found.anchoring.explain().into(),
        State::Broken { .. } => serde_json::Value::Null,
    };
    value
}

#[cfg(test)]
#[path = "log/tests.rs"]
mod tests;
