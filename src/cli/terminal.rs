//! The person's side of a run: live progress on a terminal, plain lines without one, questions.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, BufRead, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::render;
use crate::call::ledger::Found;
use crate::call::ui::{Event, Question, Started, Ui};
use crate::journal::entry::StepState;
use crate::model::{Call, CallId, Effect, Value, duration, text};
use crate::platform::Cancel;

/// How to look.
#[derive(Clone, Debug)]
pub struct Look {
    /// Whether messages are coloured.
    pub colour: bool,
    /// Whether one line at the bottom is redrawn.
    pub live: bool,
    /// Whether somebody is there to answer.
    pub asks: bool,
    /// Where `show` goes.
    pub data: Data,
    /// Ends an open question.
    pub cancel: Cancel,
}

/// Where `show` goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data {
    /// To standard output.
    ToOutput,
    /// To standard error, because standard output holds the summary alone.
    ToMessages,
}

/// A terminal, or what stands in its place.
pub struct Terminal {
    look: Look,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What is being waited for, by call.
    waiting: BTreeMap<CallId, String>,
    /// When each wait was last said, where lines are not redrawn.
    said: HashMap<CallId, Duration>,
    /// Whether a live line is on the screen.
    drawn: bool,
    failure_shown: bool,
    /// How many changes and messages were made or simulated.
    changes: usize,
}

/// Without a terminal a wait is said this often.
const SAID_EVERY: Duration = Duration::from_secs(10);

const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";
const CYAN: &str = "36";

impl Terminal {
    /// A terminal that looks like this.
    pub fn new(look: Look) -> Self {
        Self { look, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the live line away.
    pub fn clear(&self) {
        let mut state = self.state();
        state.waiting.clear();
        erase(&mut state);
    }

    /// Whether the failure that ended the run has been shown already.
    pub fn has_shown_failure(&self) -> bool {
        self.state().failure_shown
    }

    /// Says one line.
    pub fn say(&self, line: &str) {
        self.line(&mut self.state(), line);
    }

    fn line(&self, state: &mut State, line: &str) {
        erase(state);
        let _ = writeln!(io::stderr(), "{line}");
        self.draw(state);
    }

    fn draw(&self, state: &mut State) {
        if !self.look.live {
            return;
        }
        let Some((_, latest)) = state.waiting.iter().next_back() else { return };
        let more = if state.waiting.len() > 1 { format!(" (and {} more)", state.waiting.len() - 1) } else { String::new() };
        let width = render::width().saturating_sub(1);
        let line = text::short(&format!("  … {latest}{more}"), width);
        let _ = write!(io::stderr(), "{}", self.paint(DIM, &line));
        let _ = io::stderr().flush();
        state.drawn = true;
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.look.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn started(&self, state: &mut State, started: &Started) {
        let title = if started.title.is_empty() { &started.script } else { &started.title };
        let environment = if started.environment.is_empty() { String::new() } else { format!("{} · ", started.environment) };
        let mode = if started.dry_run { " · dry-run: nothing is changed" } else { "" };
        let line = format!(
            "{}  {}",
            self.paint(BOLD, &text::one_line(title)),
            self.paint(DIM, &format!("{environment}{}{mode} · run {}", started.platform, started.run))
        );
        self.line(state, &line);
    }

    fn step(&self, state: &mut State, title: &str, step: StepState, elapsed: Option<Duration>) {
        let title = text::one_line(title);
        let took = elapsed.map(|elapsed| self.paint(DIM, &format!(" {}", duration::show(elapsed)))).unwrap_or_default();
        let line = match step {
            StepState::Started => format!("{} {}", self.paint(CYAN, "▸"), self.paint(BOLD, &title)),
            StepState::Skipped => self.paint(DIM, &format!("- {title} (skipped)")),
            StepState::Finished => format!("{} {title}{took}", self.paint(GREEN, "✓")),
            StepState::Failed => format!("{} {title}{took}", self.paint(RED, "✗")),
            StepState::RollingBack => format!("{} rolling back: {title}", self.paint(YELLOW, "↶")),
            StepState::RolledBack => format!("{} rolled back: {title}", self.paint(GREEN, "✓")),
            StepState::RollbackFailed => format!("{} rollback failed: {title}", self.paint(RED, "✗")),
        };
        self.line(state, &line);
    }

    /// Shows data.
    fn data(&self, shown: &str) {
        let state = &mut *self.state();
        erase(state);
        match self.look.data {
            Data::ToOutput => {
                let _ = writeln!(io::stdout().lock(), "{shown}");
            }
            Data::ToMessages => {
                let _ = writeln!(io::stderr(), "{shown}");
            }
        }
        self.draw(state);
    }

    fn waits(&self, state: &mut State, call: &Call, what: &str, waited: Duration) {
        // What is cut off where the terminal is narrow is what is waited for, never how long.
        let changes = if state.changes > 0 { format!(" · {} so far", text::count(state.changes, "change")) } else { String::new() };
        let line = format!("{}{changes} · {}: {}", duration::show(waited), call.function, text::one_line(what));
        if self.look.live {
            state.waiting.insert(call.id.clone(), line);
            erase(state);
            self.draw(state);
        } else if state.said.get(&call.id).is_none_or(|said| waited.saturating_sub(*said) >= SAID_EVERY) {
            state.said.insert(call.id.clone(), waited);
            self.line(state, &format!("  … {line}"));
        }
    }
}

/// Waits until a line is there to be read; false if the run is stopped meanwhile.
fn answered(cancel: &Cancel) -> bool {
    let tick = rustix::event::Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
    while !cancel.is_set() {
        let stdin = io::stdin();
        let mut fds = [rustix::event::PollFd::new(&stdin, rustix::event::PollFlags::IN)];
        match rustix::event::poll(&mut fds, Some(&tick)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => return true,
            Err(_) => return false,
        }
    }
    false
}

fn erase(state: &mut State) {
    if state.drawn {
        let _ = write!(io::stderr(), "\r\x1b[2K");
        state.drawn = false;
    }
}

impl Ui for Terminal {
    fn event(&self, event: &Event<'_>) {
        let state = &mut *self.state();
        match event {
            Event::Run(started) => self.started(state, started),
            Event::Failed(render) => {
                state.waiting.clear();
                state.failure_shown = true;
                let text = render(self.look.colour);
                self.line(state, &text);
            }
            Event::Step(title, step, elapsed) => self.step(state, title, *step, *elapsed),
            Event::CallStarted(call) => {
                // A person sees at once what is being done, also where the answer takes its time.
                if self.look.live && matches!(call.effect, Effect::Read | Effect::Change | Effect::Notify) {
                    let target = call.target.as_deref().map(|target| format!(" {}", text::one_line(target))).unwrap_or_default();
                    state.waiting.insert(call.id.clone(), format!("{}{target}", call.function));
                    erase(state);
                    self.draw(state);
                }
            }
            Event::Waiting(call, what, waited) => self.waits(state, call, what, *waited),
            Event::CallEnded(call, ..) => {
                state.said.remove(&call.id);
                if state.waiting.remove(&call.id).is_some() {
                    erase(state);
                    self.draw(state);
                }
            }
            Event::Change(change) => {
                state.changes += 1;
                let colour = match change.status.as_str() {
                    "failed" | "in_doubt" | "refused" => RED,
                    "would_change" | "would_send" => YELLOW,
                    _ => GREEN,
                };
                let difference = render::difference(change);
                let line = format!(
                    "  {} {} {difference}  {}",
                    change.function,
                    text::one_line(&change.target),
                    self.paint(colour, &change.status)
                );
                self.line(state, &line);
            }
            Event::Unchanged(function, target) => {
                self.line(state, &format!("  {function} {}  unchanged", text::one_line(target)));
            }
            Event::Finding(finding) => {
                let word = match finding.finding {
                    Found::Refused => "refused",
                    Found::Unproven => "unproven",
                    Found::StaleDecision => "stale",
                    Found::Remark => "remark",
                };
                let line = format!("  {} {}", self.paint(YELLOW, &format!("{word}:")), text::one_line(&finding.message));
                self.line(state, &line);
            }
            Event::Note(note) => {
                let line = format!("  {} {}", self.paint(CYAN, "note:"), text::one_line(note));
                self.line(state, &line);
            }
        }
    }

    fn show(&self, value: &Value, title: Option<&str>) {
        self.data(&render::value(value, title, render::width()));
    }

    fn table(&self, rows: &[Value], columns: &[&str], title: Option<&str>) {
        self.data(&render::rows(rows, columns, title, render::width()));
    }

    fn ask(&self, question: &Question) -> Option<String> {
        let state = &mut *self.state();
        erase(state);
        let environment = if question.environment.is_empty() {
            String::new()
        } else {
            format!("{}: ", self.paint(BOLD, &text::one_line(&question.environment)))
        };
        let mut lines = vec![format!("{environment}{}", text::one_line(&question.text))];
        lines.extend(question.details.iter().map(|detail| format!("    {}", text::one_line(detail))));
        let _ = writeln!(io::stderr(), "{}", lines.join("\n"));
        if !self.look.asks {
            return None;
        }
        // What was typed before the question was asked is no answer to it.
        let _ = rustix::termios::tcflush(io::stdin(), rustix::termios::QueueSelector::IFlush);
        let _ = write!(io::stderr(), "  {} ", question.choices);
        let _ = io::stderr().flush();
        if !answered(&self.look.cancel) {
            let _ = writeln!(io::stderr());
            return None;
        }
        let mut answer = String::new();
        match io::stdin().lock().read_line(&mut answer) {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(answer.trim().to_owned()),
        }
    }
}
