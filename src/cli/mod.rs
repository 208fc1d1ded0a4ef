//! Arguments and terminal: one file a subcommand.

pub mod check;
pub mod complete;
pub mod diagnostics;
pub mod doctor;
mod fault;
pub mod functions;
pub mod log;
pub mod reference;
pub mod render;
pub mod repl;
pub mod run;
pub mod summary;
pub mod terminal;
pub mod trust;
pub mod view;

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory, Parser, Subcommand};

use crate::config::{Config, Dirs, repository};
use crate::engine::{Diagnostic, STACK_BYTES};
use crate::journal::Mine;
use crate::model::{Failure, Kind, suggest};
use crate::run::exit;

/// Operations runbooks as scripts: rehearsed, recorded, resumable.
///
/// A runbook is a Rhai script whose functions reach the real systems. Run it against an environment of runbook.toml,
/// rehearse it with --dry-run, or try it on the simulated platform with --world: that needs no network and no set-up.
#[derive(Parser, Debug)]
#[command(name = "runbook", version, max_term_width = 100, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  runbook run emergency/system-outage --world --dry-run   rehearse on the healthy simulated platform
  runbook run emergency/system-outage --env prod --dry-run  rehearse against prod: reads are real, nothing is changed
  runbook log show last                                   what the last run did
  runbook functions scale                                 how a function is called";

#[derive(Subcommand, Debug)]
enum Command {
    /// Run a runbook: for real, as a rehearsal, in a world, or from its recording.
    Run(Box<run::RunArgs>),
    /// Type functions at a prompt; every call is recorded as in a run.
    Repl(Box<repl::ReplArgs>),
    /// Check scripts without running anything: for editors, pre-commit hooks and CI.
    Check(check::CheckArgs),
    View(view::ViewArgs),
    /// Look at recorded runs.
    Log(LogCommand),
    /// Say what functions there are, or how one is called.
    Functions(functions::FunctionsArgs),
    Doctor(doctor::DoctorArgs),
    /// Allow this project's runbook.toml to act on real systems.
    Trust(trust::Args),
    /// Write the reference of all functions, or of the codes of `check`, as Markdown to standard output.
    #[command(hide = true)]
    Reference {
        /// Of what.
        #[arg(value_enum, default_value = "functions")]
        of: Reference,
    },
    /// Write the script that completes this command in a shell: scripts, runs and environments too.
    Completions {
        /// The shell.
        shell: complete::Shell,
    },
    /// Write the manual pages into a folder; without one the main page to standard output.
    Man {
        /// The folder, such as ~/.local/share/man/man1.
        dir: Option<PathBuf>,
    },
}

/// What a reference is about.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Reference {
    /// The functions.
    Functions,
    /// The codes of `check`.
    Diagnostics,
}

#[derive(clap::Args, Debug)]
struct LogCommand {
    #[command(flatten)]
    log: log::LogArgs,
    /// The folder of journals, instead of the operator's.
    #[arg(long, value_name = "DIR", global = true)]
    journal: Option<PathBuf>,
}

/// The whole command: parses, runs, answers the exit code.
pub fn main() -> ExitCode {
    fault::tell();
    complete::answer(Cli::command);
    let cli = Cli::try_parse().unwrap_or_else(|error| nearest(error).exit());
    // The main thread's stack belongs to the shell's limits; scripts are evaluated on one of a known size.
    let code = match std::thread::Builder::new().stack_size(STACK_BYTES).spawn(move || dispatch(cli.command)) {
        Ok(worker) => worker.join().unwrap_or(exit::FAILED),
        Err(error) => {
            eprintln!("error[failed]: the program cannot begin: {error}");
            exit::FAILED
        }
    };
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

/// An error of usage that names the nearest subcommand, also where a slip is more than clap takes for one (`rnu`).
fn nearest(mut error: clap::Error) -> clap::Error {
    if let (Some(ContextValue::String(name)), None) =
        (error.get(ContextKind::InvalidSubcommand), error.get(ContextKind::SuggestedSubcommand))
    {
        let command = Cli::command();
        let known = command.get_subcommands().filter(|known| !known.is_hide_set()).map(clap::Command::get_name);
        if let Some(near) = suggest::nearest(name, known) {
            error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(vec![near.to_owned()]));
        }
    }
    error
}

fn dispatch(command: Command) -> i32 {
    // Not locked: branches of a `parallel` show values from threads of their own.
    let out = &mut io::stdout();
    let result = match command {
        Command::Run(args) => run::run(&args),
        Command::Check(args) => check::run(&args, out),
        Command::Repl(args) => repl::run(&args),
        Command::Functions(args) => functions::run(&args, out),
        Command::Log(args) => look(&args, out),
        Command::Trust(args) => {
            here().and_then(|folder| trust::run(&args, &folder, &mut io::stdin().lock(), io::stdin().is_terminal(), out))
        }
        Command::Doctor(args) => doctor::run(&args, out),
        Command::View(args) => view::run(&args, out),
        Command::Reference { of: Reference::Functions } => written(out.write_all(reference::markdown().as_bytes())),
        Command::Reference { of: Reference::Diagnostics } => written(out.write_all(diagnostics::markdown().as_bytes())),
        Command::Completions { shell } => written(complete::register(shell, out)),
        Command::Man { dir: None } => written(clap_mangen::Man::new(Cli::command()).render(out)),
        Command::Man { dir: Some(dir) } => man(&dir),
    };
    match result {
        Ok(code) => code,
        Err(failure) => {
            report(&failure);
            code_of(&failure)
        }
    }
}

/// Writes a page for the command and one for each of its subcommands.
fn man(dir: &Path) -> Result<i32, Failure> {
    let made = std::fs::create_dir_all(dir).and_then(|()| clap_mangen::generate_to(Cli::command(), dir));
    let failed = |error| Failure::new(Kind::Failed, format!("the manual pages cannot be written to {}: {error}", dir.display()));
    made.map(|()| exit::OK).map_err(failed)
}

/// The exit code of what kept a command from beginning: a wrong argument is a matter of usage.
fn code_of(failure: &Failure) -> i32 {
    match failure.kind {
        Kind::BadArgument | Kind::NotFound => exit::USAGE,
        kind => exit::of(kind).1,
    }
}

/// Shows a failure that belongs to no place in a script.
fn report(failure: &Failure) {
    let diagnostic = Diagnostic::at(failure.clone(), Default::default());
    let text = diagnostic.render(&|_| None, colour(&io::stderr()));
    let _ = writeln!(io::stderr(), "{text}");
}

fn written(result: io::Result<()>) -> Result<i32, Failure> {
    match result {
        Ok(()) => Ok(exit::OK),
        // The reader has seen enough: `runbook reference | head`.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(exit::OK),
        Err(error) => Err(Failure::new(Kind::Failed, format!("standard output cannot be written: {error}"))),
    }
}

fn look(args: &LogCommand, out: &mut dyn Write) -> Result<i32, Failure> {
    let (here, dirs) = (here()?, Dirs::from_env()?);
    let config = match Config::load(&here, None, &dirs) {
        Ok(config) => config,
        // The record is what one needs while something is broken.
        Err(error) => {
            let _ = writeln!(io::stderr(), "{}", error.render(&renderer(&io::stderr())));
            Config::without_project(&here, &dirs)?
        }
    };
    let folder = args.journal.clone().unwrap_or_else(|| config.journal_folder());
    let (user, project) = (repository::user().name, config.root.display().to_string());
    let viewer = log::Viewer {
        folder: &folder,
        mine: Mine { user: &user, project: &project },
        color: colour(&io::stdout()),
        width: render::output_width(),
    };
    log::run(&args.log, &viewer, out)
}

/// The working folder.
fn here() -> Result<PathBuf, Failure> {
    std::env::current_dir().map_err(|error| Failure::new(Kind::Failed, format!("the working folder cannot be found: {error}")))
}

/// What renders problems of the configuration for a stream.
fn renderer(stream: &impl IsTerminal) -> annotate_snippets::Renderer {
    if colour(stream) { annotate_snippets::Renderer::styled() } else { annotate_snippets::Renderer::plain() }
}

/// Colours only on a terminal, and never with NO_COLOR set.
fn colour(stream: &impl IsTerminal) -> bool {
    stream.is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}
