//! Where in the run a call stands: which branch, which step, which number.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::model::{CallId, InStep};

/// One line of execution: the run itself, or a branch of a `parallel`. Ids are given out in the script's order
/// within it, so they do not depend on timing.
#[derive(Debug, Default)]
pub struct Frame {
    prefix: CallId,
    last: AtomicU32,
    step: Mutex<Option<InStep>>,
}

impl Frame {
    /// The id of the next call.
    pub fn next_id(&self) -> CallId {
        self.prefix.child(self.last.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// The id of the last call that was begun; what is no call itself is said with it.
    pub fn last_id(&self) -> CallId {
        self.prefix.child(self.last.load(Ordering::Relaxed))
    }

    /// The frame of a branch (from 1) of the `parallel` that has this id; it stands in the same step.
    pub fn branch(&self, parallel: &CallId, branch: u32) -> Frame {
        Frame { prefix: parallel.child(branch), last: AtomicU32::new(0), step: Mutex::new(self.step()) }
    }

    /// The step that the frame stands in.
    pub fn step(&self) -> Option<InStep> {
        self.step.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Enters or leaves a step; answers the one before.
    pub fn set_step(&self, step: Option<InStep>) -> Option<InStep> {
        std::mem::replace(&mut *self.step.lock().unwrap_or_else(PoisonError::into_inner), step)
    }
}
