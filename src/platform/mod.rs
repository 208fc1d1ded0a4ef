//! What answers operations: the real systems, a world, or a rehearsal around either.

pub mod absent;
pub mod cancel;
pub mod clock;
mod egress;
pub mod equivalent;
mod failures;
mod forwarded;
mod headers;
mod hostname;
mod invocation;
pub mod local;
mod masking;
mod metrics;
pub mod noted;
pub mod objects;
pub mod prepare;
mod quantity;
pub mod real;
pub mod rehearsal;
pub mod rows;
pub mod save;
mod seal;
pub mod slack;
pub mod status;
pub mod world;

use std::time::Duration;

use crate::config::Environment;
use crate::model::{Answer, Failure, Prepared, Read, Secret, Value, Write};

pub use cancel::Cancel;
pub use clock::Clock;
pub use egress::{endpoints, may_ask, may_connect};
pub use quantity::quantity;

/// What accompanies an operation: how it is cancelled, and where it says what it is doing.
#[derive(Clone, Copy)]
pub struct Cx<'a> {
    /// Set when the run is to stop.
    pub cancel: &'a Cancel,
    /// Says what a long operation is waiting for, such as `2 of 3 ready`.
    pub progress: &'a dyn Fn(&str),
    /// Masks the secrets in a text that goes to a file and not through the pipeline.
    pub mask: &'a dyn Fn(String) -> String,
    /// The longest wait that the call's own `timeout` leaves to each of its reads.
    pub patience: Duration,
}

impl<'a> Cx<'a> {
    /// An operation of nobody's run: it says nothing, and knows no secret.
    pub fn quiet(cancel: &'a Cancel) -> Self {
        Self { cancel, progress: &|_| {}, mask: &|text| text, patience: Duration::MAX }
    }
}

/// What a platform says of a write that it was asked to validate and not to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Validation {
    /// The server would do it; the object as it would be, where the server says.
    Accepted(Option<Value>),
    /// Nothing here can validate it.
    NotValidated,
}

/// Looks, and changes nothing.
pub trait Observe: Send + Sync {
    /// Performs one read within its timeout.
    fn read(&self, op: &Read, cx: &Cx<'_>) -> Result<Answer, Failure>;

    /// Performs many reads, at the same time where the platform can; answers in the order of the reads.
    fn read_all(&self, ops: &[Read], cx: &Cx<'_>) -> Vec<Result<Answer, Failure>> {
        ops.iter().map(|op| self.read(op, cx)).collect()
    }

    /// Asks whether a write would be accepted. Sends at most the server's own dry-run.
    fn validate(&self, op: &Write, cx: &Cx<'_>) -> Result<Validation, Failure>;

    /// Secrets that were opened since this was last asked: they must be masked before anything more is shown.
    fn new_secrets(&self) -> Vec<Secret> {
        Vec::new()
    }

    /// The clock that scripts, waits and the journal go by.
    fn clock(&self) -> &dyn Clock;

    /// The environment that the platform stands for.
    fn environment(&self) -> &Environment;
}

/// Looks and changes.
pub trait Platform: Observe {
    /// Finds out all that must be on record before a write leaves. Changes nothing.
    fn prepare(&self, op: Write, cx: &Cx<'_>) -> Result<Prepared, Failure>;

    /// Performs one prepared write, once. A write whose reply is lost is `in_doubt`.
    fn write(&self, op: &Prepared, cx: &Cx<'_>) -> Result<Answer, Failure>;
}
