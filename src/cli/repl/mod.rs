//! `runbook repl`: a sitting at the prompt, or its inputs from a pipe.

mod commands;
mod complete;
mod context;
mod helper;
mod highlight;
mod hint;
mod known;
mod print;
mod prompt;
mod signals;

use std::cell::{Cell, RefCell};
use std::fs::DirBuilder;
use std::io::{self, BufRead, IsTerminal};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use clap::Args;
use clap_complete::engine::{ArgValueCandidates, ArgValueCompleter};
use rustyline::error::ReadlineError;
use rustyline::history::DefaultHistory;
use rustyline::{Behavior, ColorMode, CompletionType, Config as EditorConfig, Editor};

use super::{colour, here, terminal};
use crate::call::{Latch, Ui};
use crate::config::{Config, Dirs};
use crate::model::{Failure, Kind};
use crate::run::repl::{Outcome, Session, items};
use crate::run::{Request, Stage, exit};

use commands::Flow;
use helper::Typing;
use print::Printer;
use signals::{Doing, Watch};

/// Type functions at a prompt; every call is recorded as in a run.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct ReplArgs {
    /// A runbook to step through at the beginning: a path, or a name under scripts/.
    #[arg(add = ArgValueCompleter::new(super::complete::scripts))]
    script: Option<String>,
    /// Set a parameter of that runbook; may be repeated.
    #[arg(short = 'p', long = "param", value_name = "NAME=VALUE", value_parser = super::run::pair, requires = "script")]
    params: Vec<(String, String)>,
    /// The environment of runbook.toml.
    #[arg(short, long, value_name = "NAME", env = "RUNBOOK_ENV", add = ArgValueCandidates::new(super::complete::environments))]
    env: Option<String>,
    /// Rehearse: reads are real, changes are validated and predicted, nothing is written and nobody is notified.
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Use a simulated platform: a world file, or without one the healthy platform that runbook.toml describes.
    #[arg(short, long, value_name = "FILE", num_args = 0..=1)]
    world: Option<Option<PathBuf>>,
    /// The folder of journals, instead of the operator's.
    #[arg(long, value_name = "DIR")]
    journal: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Without a terminal on standard input the inputs are read from there; the first that fails ends it, with exit code 1.

Examples:
  runbook repl --env prod --dry-run
  runbook repl --world examples/worlds/outage.yaml
  runbook repl emergency/system-outage --world
  echo 'pods(\"app=api-gateway\")' | runbook repl --world";

/// A sitting with its screen.
struct Repl {
    session: Rc<RefCell<Session>>,
    printer: Printer,
    ui: Arc<terminal::Terminal>,
    watch: Watch,
    somebody: bool,
}

/// Runs a sitting; answers the exit code.
pub fn run(args: &ReplArgs) -> Result<i32, Failure> {
    let dirs = Dirs::from_env()?;
    let somebody = io::stdin().is_terminal();
    let request = Request {
        script: String::new(),
        folder: here()?,
        dirs: dirs.clone(),
        params: Vec::new(),
        from: None,
        interactive: false,
        environment: args.env.clone(),
        stage: match &args.world {
            Some(None) => Stage::HealthyWorld,
            Some(Some(file)) => Stage::World(file.clone()),
            None => Stage::Real,
        },
        dry_run: args.dry_run,
        yes: false,
        confirm: Vec::new(),
        answers: Default::default(),
        journal: args.journal.clone(),
    };
    let config = Arc::new(Config::load(&request.folder, None, &dirs)?);
    let latch = Arc::new(Latch::default());
    let ui = Arc::new(terminal::Terminal::new(terminal::Look {
        colour: colour(&io::stderr()),
        live: io::stderr().is_terminal(),
        asks: somebody && io::stderr().is_terminal(),
        data: terminal::Data::ToOutput,
        cancel: latch.cancel().clone(),
    }));
    let watch = Watch::start(&latch, &ui)?;
    let session = Session::begin(request, config, ui.clone() as Arc<dyn Ui>, latch, somebody)?;
    watch.guards(session.shared());
    let mut repl = Repl { session: Rc::new(RefCell::new(session)), printer: Printer::new(), ui, watch, somebody };
    if somebody {
        banner(&repl);
    }
    let begun = match &args.script {
        Some(script) => {
            repl.input(&args.params.iter().fold(format!(":run {script}"), |line, (name, value)| format!("{line} {name}={value}")))
        }
        None => Flow::On,
    };
    let flow = match begun {
        Flow::Failed if !somebody => Flow::Failed,
        _ if somebody => repl.interactive(&dirs.state.join("history"))?,
        _ => repl.piped(&mut io::stdin().lock())?,
    };
    repl.watch.doing(Doing::Running(0));
    repl.ui.clear();
    let summary = if flow == Flow::Failed { repl.session.borrow_mut().end_failed() } else { repl.session.borrow_mut().end() };
    commands::farewell(&repl, &summary);
    Ok(if repl.watch.is_ending() { exit::INTERRUPTED } else { summary.exit })
}

/// What a person must know before the first line.
fn banner(repl: &Repl) {
    let session = repl.session.borrow();
    let place = session.place();
    let run = session.shared().pipeline.journal.run_id().to_owned();
    let what = match (place.guarded, place.dry_run, place.world_time.is_some()) {
        (true, ..) => "changes are REAL, the environment is protected: they ask",
        (_, true, true) => "a rehearsal in a world",
        (_, true, _) => "a rehearsal: nothing is changed, nobody is notified",
        (_, _, true) => "a world: nothing real can change",
        _ => "changes are REAL, and nothing asks",
    };
    repl.printer.line(&format!("{}: {what}", place.name));
    repl.printer.remark(&format!("run {run} · Tab completes · :help · Ctrl-D ends"));
}

impl Repl {
    /// Handles one input.
    fn input(&mut self, line: &str) -> Flow {
        self.watch.doing(Doing::Running(0));
        let said = line.trim();
        let flow = match said {
            "exit" | "quit" => Flow::End,
            "help" if self.session.borrow().variables().iter().all(|name| name != "help") => commands::run(self, ":help"),
            _ if said.starts_with(':') => commands::run(self, said),
            _ if items::items(line).is_empty() => Flow::On,
            _ => self.evaluate(line),
        };
        if self.watch.is_ending() { Flow::End } else { flow }
    }

    fn evaluate(&mut self, text: &str) -> Flow {
        let outcome = self.session.borrow_mut().input(text);
        self.ui.clear();
        match outcome {
            Outcome::Value { shown, hidden } => {
                // `;` at the end keeps a result from being shown, and it is `_` all the same.
                if !commands::is_told(&shown) && !text.trim_end().ends_with(';') {
                    self.printer.result(&shown, hidden);
                }
                Flow::On
            }
            Outcome::Nothing => Flow::On,
            Outcome::Failed(_) => Flow::Failed,
        }
    }

    /// Lets somebody else have the screen, and Ctrl-C with it.
    fn elsewhere(&self, show: impl FnOnce(&Repl)) {
        self.watch.doing(Doing::Elsewhere);
        show(self);
        self.watch.doing(Doing::Running(0));
    }

    fn interactive(&mut self, history: &Path) -> Result<Flow, Failure> {
        let mut editor = self.editor(history)?;
        loop {
            self.ui.clear();
            self.watch.doing(Doing::Typing);
            self.session.borrow_mut().calm();
            let (plain, styled) = prompt::of(&self.session.borrow().place(), self.printer.colour);
            if let Some(typing) = editor.helper() {
                typing.prompt.set(plain.chars().count());
            }
            let read = editor.readline(&(plain.as_str(), styled.as_str()));
            self.watch.doing(Doing::Running(0));
            match read {
                Ok(line) if line.trim().is_empty() => {}
                Ok(line) => {
                    self.remember(&mut editor, history, &line);
                    if self.input(&line) == Flow::End {
                        return Ok(Flow::End);
                    }
                }
                // Ctrl-C: the line is gone, the next one comes.
                Err(ReadlineError::Interrupted) => {}
                Err(ReadlineError::Eof) => return Ok(Flow::End),
                Err(error) => {
                    self.session.borrow_mut().failed(&Failure::new(Kind::Failed, format!("the terminal cannot be read: {error}")));
                    return Ok(Flow::Failed);
                }
            }
        }
    }

    fn editor(&self, history: &Path) -> Result<Editor<Typing, DefaultHistory>, Failure> {
        let cannot = |error: ReadlineError| Failure::new(Kind::Failed, format!("the terminal cannot be used: {error}"));
        let settings = EditorConfig::builder()
            .completion_type(CompletionType::List)
            .completion_show_all_if_ambiguous(true)
            .history_ignore_space(true)
            .max_history_size(10_000)
            .map_err(cannot)?
            // Hints are dim even without colours; what is coloured is decided here.
            .color_mode(ColorMode::Forced)
            .bracketed_paste(true)
            // Results may go to a file while somebody types.
            .behavior(if self.printer.screen { Behavior::Stdio } else { Behavior::PreferTerm })
            .build();
        let mut editor = Editor::with_config(settings).map_err(cannot)?;
        editor.set_helper(Some(Typing { session: self.session.clone(), colour: self.printer.colour, prompt: Cell::new(0) }));
        // One that is missing or damaged is no reason not to begin. Its folder is the journal's too, unless that is elsewhere.
        if let Some(folder) = history.parent() {
            let _ = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        }
        let _ = editor.load_history(history);
        self.purge(&mut editor, history);
        Ok(editor)
    }

    /// What became known as a secret since it was typed goes out of the history.
    fn purge(&self, editor: &mut Editor<Typing, DefaultHistory>, history: &Path) {
        let session = self.session.borrow();
        let all: Vec<String> = editor.history().iter().cloned().collect();
        if !all.iter().any(|line| session.holds_secret(line)) {
            return;
        }
        let kept = all.into_iter().filter(|line| !session.holds_secret(line));
        let _ = editor.clear_history();
        for line in kept {
            let _ = editor.add_history_entry(line);
        }
        let _ = editor.save_history(history);
    }

    /// Puts a line into the history at once, so that it is there whatever comes; never one that holds a known secret.
    fn remember(&self, editor: &mut Editor<Typing, DefaultHistory>, history: &Path, line: &str) {
        if self.session.borrow().holds_secret(line) {
            return;
        }
        if editor.add_history_entry(line).unwrap_or(false) {
            let _ = editor.append_history(history);
        }
    }

    /// Inputs from a pipe: blocks are put together, and the first that fails is the last that runs.
    fn piped(&mut self, lines: &mut dyn BufRead) -> Result<Flow, Failure> {
        let mut input = String::new();
        loop {
            let mut line = String::new();
            let read = lines.read_line(&mut line);
            let read = read.map_err(|error| Failure::new(Kind::Failed, format!("standard input cannot be read: {error}")))?;
            let ended = read == 0;
            if !input.is_empty() && (ended || !goes_on(&line) && !self.wants_more(&input)) {
                let flow = self.input(input.trim_end_matches('\n'));
                input.clear();
                if flow != Flow::On {
                    return Ok(flow);
                }
            }
            if ended {
                return Ok(Flow::On);
            }
            if !(input.is_empty() && line.trim().is_empty()) {
                input.push_str(&line);
            }
        }
    }

    fn wants_more(&self, input: &str) -> bool {
        !input.trim_start().starts_with(':') && self.session.borrow().wants_more(input.trim_end_matches('\n'))
    }
}

/// Whether a line goes on with the block before it. At a prompt nobody waits for that: there it stands in the same line.
fn goes_on(line: &str) -> bool {
    let line = line.trim_start();
    let word = |word: &str| line.strip_prefix(word).is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'));
    line.starts_with('.') || ["else", "catch", "rollback"].into_iter().any(word)
}
