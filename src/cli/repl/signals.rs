//! Ctrl-C and the other signals: what a call, the prompt and a pager each make of them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::signal::unix::{SignalKind, signal};

use crate::call::Latch;
use crate::cli::terminal::Terminal;
use crate::engine::{Diagnostic, Shared};
use crate::model::{Failure, Kind};
use crate::run::{batch, exit};

/// What the sitting is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    /// A line is typed: the editor sees Ctrl-C itself.
    Typing,
    /// Something runs, and Ctrl-C has been pressed so many times.
    Running(u32),
    /// Somebody else has the screen.
    Elsewhere,
}

/// Watches for signals.
#[derive(Clone)]
pub(super) struct Watch(Arc<Inner>);

struct Inner {
    latch: Arc<Latch>,
    ui: Arc<Terminal>,
    /// How the terminal was set before anything was typed.
    modes: Option<Termios>,
    state: Mutex<State>,
}

struct State {
    doing: Doing,
    ending: bool,
    shared: Option<Arc<Shared>>,
}

impl Watch {
    /// Begins to watch.
    pub(super) fn start(latch: &Arc<Latch>, ui: &Arc<Terminal>) -> Result<Watch, Failure> {
        let cannot = |error: std::io::Error| Failure::new(Kind::Failed, format!("signals cannot be handled: {error}"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(cannot)?;
        let guard = runtime.enter();
        let mut interrupts = signal(SignalKind::interrupt()).map_err(cannot)?;
        let mut terminations = signal(SignalKind::terminate()).map_err(cannot)?;
        let mut hangups = signal(SignalKind::hangup()).map_err(cannot)?;
        drop(guard);
        let state = State { doing: Doing::Running(0), ending: false, shared: None };
        let modes = tcgetattr(std::io::stdin()).ok();
        let watch = Watch(Arc::new(Inner { latch: latch.clone(), ui: ui.clone(), modes, state: Mutex::new(state) }));
        let watching = watch.clone();
        let work = move || {
            runtime.block_on(async {
                loop {
                    tokio::select! {
                        _ = interrupts.recv() => watching.interrupted(),
                        _ = terminations.recv() => watching.terminated(),
                        _ = hangups.recv() => watching.terminated(),
                    }
                }
            });
        };
        std::thread::Builder::new().name("runbook-signals".into()).spawn(work).map_err(cannot)?;
        Ok(watch)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says what the sitting does from now on.
    pub(super) fn doing(&self, doing: Doing) {
        self.state().doing = doing;
    }

    /// Says whose record must be ended if the process is.
    pub(super) fn guards(&self, shared: &Arc<Shared>) {
        self.state().shared = Some(shared.clone());
    }

    /// Whether the process is to end.
    pub(super) fn is_ending(&self) -> bool {
        self.state().ending
    }

    fn interrupted(&self) {
        let mut state = self.state();
        match state.doing {
            Doing::Running(0) => {
                state.doing = Doing::Running(1);
                self.0.latch.trip(Failure::new(Kind::Cancelled, "interrupted"));
                // The prompt waits for this lock, so that nothing is said into a line that is being typed. A question holds the
                // screen until it sees the latch.
                self.0.ui.say("stopping: a change that was sent gets five seconds (again to leave at once)");
            }
            Doing::Running(_) => self.leave(state.shared.as_ref(), false),
            Doing::Typing | Doing::Elsewhere => {}
        }
    }

    fn terminated(&self) {
        let mut state = self.state();
        if state.ending || state.doing == Doing::Typing {
            return self.leave(state.shared.as_ref(), state.doing == Doing::Typing);
        }
        state.ending = true;
        self.0.latch.trip(Failure::new(Kind::Cancelled, "the sitting was ended by a signal"));
    }

    /// Ends the process. What is under way keeps its intent on record without an outcome.
    fn leave(&self, shared: Option<&Arc<Shared>>, idle: bool) {
        if let Some(shared) = shared {
            if idle {
                let failure = Failure::new(Kind::Cancelled, "the sitting was ended by a signal");
                batch::finish(shared, None, Some(Diagnostic::at(failure, Default::default())));
            } else {
                let _ = shared.pipeline.journal.flush();
            }
        }
        if let Some(modes) = &self.0.modes {
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, modes);
        }
        std::process::exit(exit::INTERRUPTED);
    }
}
