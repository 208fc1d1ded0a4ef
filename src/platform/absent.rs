//! No platform at all: in a replay the recording answers, and whatever would reach past it has diverged.

use super::clock::VirtualClock;
use super::{Clock, Cx, Observe, Platform, Validation};
use crate::config::Environment;
use crate::model::{Answer, Failure, Kind, Prepared, Read, Write};

/// Stands where a platform would, with a clock of its own.
pub struct Absent {
    environment: Environment,
    clock: VirtualClock,
}

impl Absent {
    /// Nothing, in the environment of a recording, from when that began.
    pub fn new(environment: Environment, start: jiff::Timestamp) -> Self {
        Self { environment, clock: VirtualClock::new(start) }
    }
}

fn diverged() -> Failure {
    Failure::new(Kind::Diverged, "the recording does not answer this, and a replay reaches no system")
}

impl Observe for Absent {
    fn read(&self, _: &Read, _: &Cx<'_>) -> Result<Answer, Failure> {
        Err(diverged())
    }

    fn validate(&self, _: &Write, _: &Cx<'_>) -> Result<Validation, Failure> {
        Err(diverged())
    }

    fn clock(&self) -> &dyn Clock {
        &self.clock
    }

    fn environment(&self) -> &Environment {
        &self.environment
    }
}

impl Platform for Absent {
    fn prepare(&self, _: Write, _: &Cx<'_>) -> Result<Prepared, Failure> {
        Err(diverged())
    }

    fn write(&self, _: &Prepared, _: &Cx<'_>) -> Result<Answer, Failure> {
        Err(diverged())
    }
}
