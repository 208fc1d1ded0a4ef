//! `:word`: what is said to the sitting itself.

use super::Repl;
use super::hint::effect;
use crate::cli::{functions, log};
use crate::host;
use crate::journal;
use crate::model::{Failure, Kind, Value, suggest, text};
use crate::run::exit;
use crate::run::repl::walk::Walked;

/// A command.
pub(super) struct Command {
    /// The word, with its colon.
    pub(super) word: &'static str,
    /// What follows it.
    pub(super) arguments: &'static str,
    /// What it does.
    pub(super) help: &'static str,
}

/// All commands, in the order of `:help`.
pub(super) const COMMANDS: [Command; 11] = [
    Command { word: ":help", arguments: "[FUNCTION]", help: "this help, or how a function is called" },
    Command { word: ":functions", arguments: "[WORD]", help: "what functions there are, or which are about a word" },
    Command { word: ":more", arguments: "", help: "all of the last value" },
    Command { word: ":run", arguments: "SCRIPT [NAME=VALUE]…", help: "step through a runbook: run, skip, retry, stop" },
    Command { word: ":undo", arguments: "", help: "take the last change back; it is shown first" },
    Command { word: ":timeline", arguments: "", help: "what this run has done until now" },
    Command { word: ":journal", arguments: "", help: "where this run's record is" },
    Command { word: ":save", arguments: "FILE", help: "write what was done here as a runbook" },
    Command { word: ":dry-run", arguments: "on|off", help: "rehearse, or not: a fresh scope, its own run" },
    Command { word: ":env", arguments: "NAME", help: "another environment: a fresh scope, its own run" },
    Command { word: ":quit", arguments: "", help: "end the sitting; so does Ctrl-D" },
];

/// What follows an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// The next one.
    On,
    /// The next one, if somebody is there to see that this one failed.
    Failed,
    /// The end.
    End,
}

/// Runs a command.
pub(super) fn run(repl: &mut Repl, line: &str) -> Flow {
    let mut words = line.split_whitespace();
    let word = words.next().unwrap_or_default();
    let arguments: Vec<&str> = words.collect();
    let done = match (word, arguments.as_slice()) {
        (":quit" | ":q" | ":exit", []) => return Flow::End,
        (":help" | ":h" | ":?", []) => page(repl, &help(repl)),
        (":help" | ":h" | ":?", [name]) => describe(repl, name),
        (":functions", []) => page(repl, &functions::list()),
        (":functions", [word]) => matching(repl, word),
        (":more", []) => {
            let last = repl.session.borrow().last();
            repl.elsewhere(|repl| repl.printer.all(&last));
            Ok(())
        }
        (":journal", []) => where_it_is(repl),
        (":timeline", []) => timeline(repl),
        (":undo", []) => return undo(repl),
        (":save", [file]) => save(repl, file),
        (":run", [script, params @ ..]) => return walk(repl, script, params),
        (":env", [name]) => switch(repl, Some((*name).to_owned()), None),
        (":dry-run", ["on"]) => switch(repl, None, Some(true)),
        (":dry-run", ["off"]) => switch(repl, None, Some(false)),
        (word, _) => Err(wrong(word)),
    };
    match done {
        Ok(()) => Flow::On,
        Err(failure) => {
            repl.session.borrow_mut().failed(&failure);
            Flow::Failed
        }
    }
}

fn wrong(word: &str) -> Failure {
    if let Some(command) = COMMANDS.iter().find(|command| command.word == word) {
        return Failure::bad_argument(format!("`{word}` is not said like this")).hint(format!("it reads `{} {}`", word, command.arguments));
    }
    let failure = Failure::bad_argument(format!("there is no command {:?}", text::short(word, 40)));
    match suggest::nearest(word, COMMANDS.iter().map(|command| command.word)) {
        Some(near) => failure.hint(format!("did you mean `{near}`?")),
        None => failure.hint("`:help` lists what there is"),
    }
}

fn page(repl: &Repl, text: &str) -> Result<(), Failure> {
    repl.elsewhere(|repl| repl.printer.page(text));
    Ok(())
}

fn help(repl: &Repl) -> String {
    let place = repl.session.borrow().place();
    let mut text = match (place.guarded, place.dry_run, place.world_time.is_some()) {
        (true, ..) => {
            "Changes are REAL here. The environment is protected: moderate changes ask,\nsevere ones ask for the target's name.\n\n"
        }
        (_, true, _) => "A rehearsal: reads are real, changes are predicted, nothing is written and\nnobody is notified.\n\n",
        (_, _, true) => "A world: nothing real can change, and waits take no time.\n\n",
        _ => "Changes are REAL here, and the environment is not protected: nothing asks.\n\n",
    }
    .to_owned();
    for command in &COMMANDS {
        text.push_str(&format!("  {:<26} {}\n", format!("{} {}", command.word, command.arguments), command.help));
    }
    text.push_str(
        "\n  scale(\"api\", 3)            functions and expressions are typed as they are\n  \
         _                          the last result; after a `;` none is shown\n\n\
         Tab completes, Ctrl-R searches what was typed, Ctrl-C stops a call or clears the\n\
         line, Ctrl-D ends. An open block goes on; an empty line ends anything else.\n",
    );
    text
}

fn describe(repl: &Repl, name: &str) -> Result<(), Failure> {
    let name = name.trim_end_matches(['(', ')']);
    if let Some(command) = COMMANDS.iter().find(|command| command.word.trim_start_matches(':') == name.trim_start_matches(':')) {
        repl.printer.line(&format!("{} {}\n\n{}", command.word, command.arguments, command.help));
        return Ok(());
    }
    let known = host::FUNCTIONS.iter().map(|function| function.spec.name);
    let function = host::find(name).ok_or_else(|| Failure::unknown("function", name, known))?;
    page(repl, &functions::describe(function))
}

fn matching(repl: &Repl, word: &str) -> Result<(), Failure> {
    let word = word.to_lowercase();
    let fits = |text: &str| text.to_lowercase().contains(&word);
    let found = host::FUNCTIONS.iter().filter(|function| {
        let spec = &function.spec;
        fits(spec.name) || fits(spec.summary) || fits(spec.group.name()) || spec.options.iter().any(|option| fits(option.name))
    });
    let lines: Vec<String> = found.map(|function| format!("  {:<44} {}", function.spec.signature(), effect(function))).collect();
    if lines.is_empty() {
        return Err(Failure::new(Kind::NotFound, format!("no function is about {word:?}")).hint("`:functions` lists all of them"));
    }
    page(repl, &lines.join("\n"))
}

fn where_it_is(repl: &Repl) -> Result<(), Failure> {
    let session = repl.session.borrow();
    let shared = session.shared();
    let (calls, changes) = {
        let ledger = shared.pipeline.ledger();
        (ledger.calls, ledger.changes.len())
    };
    let run = shared.pipeline.journal.run_id();
    repl.printer.line(&format!(
        "{}\nrun {run}: {calls} calls, {changes} changes and messages until now; `runbook log show {run}` tells it later",
        session.journal().display()
    ));
    Ok(())
}

fn timeline(repl: &Repl) -> Result<(), Failure> {
    let path = repl.session.borrow().journal();
    repl.session.borrow().shared().pipeline.journal.flush()?;
    let journal = journal::read(&path)?;
    let mut out = Vec::new();
    let written = log::print_run(&mut out, &journal, repl.printer.colour);
    written.map_err(|error| Failure::new(Kind::Failed, format!("the timeline cannot be written: {error}")))?;
    page(repl, &String::from_utf8_lossy(&out))
}

fn undo(repl: &Repl) -> Flow {
    let result = repl.session.borrow_mut().undo();
    match result {
        Ok(value) => {
            if value.str_at(&["status"]) == Some("unchanged") {
                repl.printer.line(&format!("{} is so already", value.str_at(&["target"]).unwrap_or_default()));
            }
            Flow::On
        }
        Err(failure) => {
            repl.session.borrow().show_failure(&failure);
            // What is there to be undone is a question, and "nothing" an answer.
            if failure.kind == Kind::NotFound { Flow::On } else { Flow::Failed }
        }
    }
}

fn save(repl: &Repl, file: &str) -> Result<(), Failure> {
    let saved = repl.session.borrow().save(file)?;
    let what = if saved.inputs == 1 { "1 input".to_owned() } else { format!("{} inputs", saved.inputs) };
    repl.printer.line(&format!("{what} saved in {}; read it, name its steps, give it parameters", saved.path.display()));
    if saved.masked {
        repl.printer.line("a secret in it is masked as ***: that must be read from its source instead");
    }
    Ok(())
}

fn walk(repl: &Repl, script: &str, params: &[&str]) -> Flow {
    let mut pairs = Vec::new();
    for param in params {
        match param.split_once('=') {
            Some((name, value)) if !name.is_empty() => pairs.push((name.to_owned(), value.to_owned())),
            _ => {
                let failure = Failure::bad_argument(format!("{param:?} is no parameter")).hint("it must read NAME=VALUE");
                repl.session.borrow_mut().failed(&failure);
                return Flow::Failed;
            }
        }
    }
    let walked = repl.session.borrow_mut().walk(script, &pairs);
    match walked {
        Ok(Walked::Through(0)) => {
            repl.printer.remark(&format!("{script} came to its end"));
            Flow::On
        }
        Ok(Walked::Through(skipped)) => {
            repl.printer.remark(&format!("{script} came to its end; parts skipped: {skipped}"));
            Flow::On
        }
        Ok(Walked::Stopped) => {
            repl.printer.remark(&format!("{script} was stopped"));
            Flow::Failed
        }
        Err(diagnostic) => {
            repl.session.borrow_mut().refused(diagnostic);
            Flow::Failed
        }
    }
}

fn switch(repl: &Repl, environment: Option<String>, dry_run: Option<bool>) -> Result<(), Failure> {
    let summary = repl.session.borrow_mut().switch(environment, dry_run)?;
    repl.watch.guards(repl.session.borrow().shared());
    repl.printer.remark(&format!("ended: run {} ({})", summary.run, summary.journal.display()));
    super::banner(repl);
    Ok(())
}

/// What a sitting came to, when it ends.
pub(super) fn farewell(repl: &Repl, summary: &crate::run::Summary) {
    for change in summary.changes.iter().filter(|change| change.status == "in_doubt") {
        eprintln!("in doubt: {}. Look before you repeat it; by hand it would be:\n  {}", change.target, change.equivalent);
    }
    let said = format!("journal: {}  (runbook log show {})", summary.journal.display(), summary.run);
    if summary.exit == exit::JOURNAL {
        eprintln!("the record ends early: {}", summary.error.as_ref().map(|error| error.failure.message.as_str()).unwrap_or_default());
    }
    if repl.somebody { repl.printer.remark(&said) } else { eprintln!("{said}") }
}

/// Whether a result says only what the line of its change has said already.
pub(super) fn is_told(value: &Value) -> bool {
    let Value::Map(map) = value else { return false };
    let status = map.get("status").and_then(Value::as_str);
    map.contains_key("target") && matches!(status, Some("changed" | "would_change" | "sent" | "would_send" | "refused"))
}
