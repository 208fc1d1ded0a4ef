//! A platform that notes what it is asked, for `view` and `doctor`: what a script would need is found by rehearsing it.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Clock, Cx, Observe, Platform, Validation};
use crate::config::Environment;
use crate::model::{Answer, Failure, Prepared, Read, Secret, Write};

/// One operation.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// A look.
    Read(Read),
    /// A change or a message.
    Write(Write),
}

/// What was asked so far; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Notes(Arc<Mutex<Vec<Operation>>>);

impl Notes {
    fn add(&self, operation: Operation) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(operation);
    }

    /// Takes what was asked since the last time.
    pub fn take(&self) -> Vec<Operation> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A platform wrapped so that its operations are noted.
pub struct Noted<P> {
    inner: P,
    notes: Notes,
}

impl<P: Observe> Noted<P> {
    /// Wraps a platform.
    pub fn new(inner: P, notes: Notes) -> Self {
        Self { inner, notes }
    }
}

impl<P: Observe> Observe for Noted<P> {
    fn read(&self, op: &Read, cx: &Cx<'_>) -> Result<Answer, Failure> {
        self.notes.add(Operation::Read(op.clone()));
        self.inner.read(op, cx)
    }

    fn read_all(&self, ops: &[Read], cx: &Cx<'_>) -> Vec<Result<Answer, Failure>> {
        ops.iter().for_each(|op| self.notes.add(Operation::Read(op.clone())));
        self.inner.read_all(ops, cx)
    }

    fn validate(&self, op: &Write, cx: &Cx<'_>) -> Result<Validation, Failure> {
        self.notes.add(Operation::Write(op.clone()));
        self.inner.validate(op, cx)
    }

    fn new_secrets(&self) -> Vec<Secret> {
        self.inner.new_secrets()
    }

    fn clock(&self) -> &dyn Clock {
        self.inner.clock()
    }

    fn environment(&self) -> &Environment {
        self.inner.environment()
    }
}

impl<P: Platform> Platform for Noted<P> {
    fn prepare(&self, op: Write, cx: &Cx<'_>) -> Result<Prepared, Failure> {
        self.notes.add(Operation::Write(op.clone()));
        self.inner.prepare(op, cx)
    }

    fn write(&self, op: &Prepared, cx: &Cx<'_>) -> Result<Answer, Failure> {
        self.inner.write(op, cx)
    }
}
