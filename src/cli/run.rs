//! `runbook run`.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use clap::{Args, ValueEnum};

use clap_complete::engine::{ArgValueCandidates, ArgValueCompleter};

use super::{colour, complete, here, summary, terminal};
use crate::call::{Latch, Ui};
use crate::config::Dirs;
use crate::engine::{Script, steps};
use crate::model::{Failure, Kind, text};
use crate::run::{self, Request, Stage, batch, exit};

/// Run a runbook.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct RunArgs {
    /// A path, or a name under scripts/ such as emergency/system-outage.
    #[arg(add = ArgValueCompleter::new(complete::scripts))]
    script: String,
    /// Set a parameter of the runbook; may be repeated.
    #[arg(short = 'p', long = "param", value_name = "NAME=VALUE", value_parser = pair)]
    params: Vec<(String, String)>,
    /// The environment of runbook.toml.
    #[arg(short, long, value_name = "NAME", env = "RUNBOOK_ENV", add = ArgValueCandidates::new(complete::environments))]
    env: Option<String>,
    /// Rehearse: reads are real, changes are validated and predicted, nothing is written and nobody is notified.
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Use a simulated platform: a world file, or without one the healthy platform that runbook.toml describes.
    #[arg(short, long, value_name = "FILE", num_args = 0..=1, conflicts_with = "replay")]
    world: Option<Option<PathBuf>>,
    /// Let a recorded run answer: an id, the beginning of one, or `last`. The script must make the same calls.
    #[arg(long, value_name = "RUN", conflicts_with = "dry_run", add = ArgValueCandidates::new(complete::runs))]
    replay: Option<String>,
    /// List the steps, with their numbers, and run nothing.
    #[arg(long)]
    list_steps: bool,
    /// Begin with a step, by its title or its number: those before it are skipped. What stands outside of steps runs.
    #[arg(long, value_name = "STEP", conflicts_with = "replay")]
    from: Option<String>,
    /// Ask before each step: run it, skip it, or quit.
    #[arg(short, long, conflicts_with = "replay")]
    interactive: bool,
    /// Confirm moderate changes beforehand.
    #[arg(short, long)]
    yes: bool,
    /// Confirm severe changes of a target beforehand; may be repeated.
    #[arg(long, value_name = "TARGET")]
    confirm: Vec<String>,
    /// Answer a question of the script beforehand; `rollback=yes` rolls back after a failure. May be repeated.
    #[arg(long = "answer", value_name = "ID=VALUE", value_parser = pair)]
    answers: Vec<(String, String)>,
    /// The folder of journals, instead of the operator's.
    #[arg(long, value_name = "DIR")]
    journal: Option<PathBuf>,
    /// The form of the summary on standard output.
    #[arg(short, long, value_enum, default_value = "table")]
    output: Output,
}

/// The form of a summary.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Output {
    /// For people.
    Table,
    /// For programs: one JSON object.
    Json,
}

const EXAMPLES: &str = "\
Exit codes: 0 ok, 1 a step failed, 2 usage, 4 authentication, 6 denied or not confirmed, 7 replay diverged,
8 journal cannot be written, 9 a change is in doubt, 124 timeout, 130 interrupted.

Examples:
  runbook run emergency/system-outage --world examples/worlds/outage.yaml
  runbook run api-gateway/high-response-times --env staging --param replicas=6
  runbook run emergency/system-outage --env prod --dry-run -o json | jq '.changes[].equivalent'
  runbook run emergency/system-outage --env prod --from \"Restore the core services\"
  runbook run emergency/system-outage --replay last";

/// So long a line about a signal may take to reach the terminal.
const SAYING: Duration = Duration::from_millis(50);

pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("it must read NAME=VALUE".to_owned()),
    }
}

impl RunArgs {
    fn request(&self) -> Result<Request, Failure> {
        let stage = match (&self.world, &self.replay) {
            (Some(None), _) => Stage::HealthyWorld,
            (Some(Some(file)), _) => Stage::World(file.clone()),
            (None, Some(run)) => Stage::Replay(run.clone()),
            (None, None) => Stage::Real,
        };
        Ok(Request {
            script: self.script.clone(),
            folder: here()?,
            dirs: Dirs::from_env()?,
            params: self.params.clone(),
            environment: self.env.clone(),
            stage,
            dry_run: self.dry_run,
            yes: self.yes,
            confirm: self.confirm.clone(),
            answers: self.answers.iter().cloned().collect::<BTreeMap<_, _>>(),
            journal: self.journal.clone(),
            from: self.from.clone(),
            interactive: self.interactive,
        })
    }
}

/// Runs; answers the exit code.
pub fn run(args: &RunArgs) -> Result<i32, Failure> {
    let request = args.request()?;
    let json = args.output == Output::Json;
    let stderr_colour = colour(&io::stderr());
    let latch = Arc::new(Latch::default());
    let ui = Arc::new(terminal::Terminal::new(terminal::Look {
        colour: stderr_colour,
        live: io::stderr().is_terminal(),
        asks: io::stdin().is_terminal() && io::stderr().is_terminal(),
        // With -o json standard output holds nothing but the summary.
        data: if json { terminal::Data::ToMessages } else { terminal::Data::ToOutput },
        cancel: latch.cancel().clone(),
    }));
    let loaded = match batch::load(&request) {
        Ok(loaded) => loaded,
        Err(diagnostic) => {
            let source = |name: &str| std::fs::read_to_string(name).ok();
            let _ = writeln!(io::stderr(), "{}", diagnostic.render(&source, stderr_colour));
            return Ok(exit::USAGE);
        }
    };
    if args.list_steps {
        return list_steps(&loaded.script, json);
    }
    if args.interactive && !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return Err(
            Failure::bad_argument("--interactive needs a terminal to ask on").hint("`--from STEP` begins with a step without asking")
        );
    }
    on_signals(&latch, &ui)?;
    let finished = run::run(&request, loaded, ui.clone() as Arc<dyn Ui>, latch)?;
    ui.clear();
    if let Some(diagnostic) = &finished.diagnostic
        && !ui.has_shown_failure()
    {
        let _ = writeln!(io::stderr(), "{}", diagnostic.render(&|_| None, stderr_colour));
    }
    if json {
        let text = serde_json::to_string_pretty(&finished.summary).map_err(|error| Failure::new(Kind::Failed, error.to_string()))?;
        super::written(writeln!(io::stdout().lock(), "{text}"))?;
    } else {
        super::written(summary::write(&finished.summary, colour(&io::stdout()), &mut io::stdout().lock()))?;
    }
    Ok(finished.summary.exit)
}

/// Lists the steps of a script.
fn list_steps(script: &Script, json: bool) -> Result<i32, Failure> {
    let steps = steps::list(&script.ast);
    let text = if json {
        serde_json::to_string_pretty(&steps).map_err(|error| Failure::new(Kind::Failed, error.to_string()))?
    } else {
        let line = |(number, step): (usize, &steps::Listed)| {
            let title = if step.title.is_empty() { "(its title is computed)" } else { &step.title };
            let rollback = if step.rollback { ", with a rollback" } else { "" };
            format!("{number:>3}  {}  ({}:{}{rollback})", text::one_line(title), script.name, step.line)
        };
        (1..).zip(&steps).map(line).collect::<Vec<_>>().join("\n")
    };
    super::written(writeln!(io::stdout().lock(), "{text}"))
}

/// The first SIGINT, SIGTERM or SIGHUP stops cleanly and says so at once; the second stops now.
fn on_signals(latch: &Arc<Latch>, ui: &Arc<terminal::Terminal>) -> Result<(), Failure> {
    let (latch, ui) = (latch.clone(), ui.clone());
    let count = AtomicU32::new(0);
    // A terminal that takes no more text must neither hold up the end nor keep the next signal from being seen.
    let say = move |line: &'static str| {
        let (ui, (said, heard)) = (ui.clone(), std::sync::mpsc::channel());
        std::thread::spawn(move || {
            ui.say(line);
            let _ = said.send(());
        });
        let _ = heard.recv_timeout(SAYING);
    };
    let handler = move || {
        if count.fetch_add(1, Ordering::SeqCst) == 0 {
            say("stopping: reads are dropped, a change that was sent gets five seconds (again to stop now)");
            latch.trip(Failure::new(Kind::Cancelled, "the run was interrupted"));
        } else {
            say("stopped; a change that was sent and not answered is in doubt: runbook log show last");
            std::process::exit(exit::INTERRUPTED);
        }
    };
    ctrlc::set_handler(handler).map_err(|error| Failure::new(Kind::Failed, format!("signals cannot be handled: {error}")))
}
