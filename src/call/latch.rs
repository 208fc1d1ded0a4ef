//! The latch: once the run is cancelled, denied, diverged or without its record, no script can go on.

use std::sync::{Mutex, PoisonError};

use crate::model::{Failure, Kind, Position};
use crate::platform::Cancel;

/// Holds the failure that ended the run. Checked at every call and, through [`Cancel`], at every operation of the
/// interpreter and inside every wait, because a script can swallow an error but not this.
#[derive(Debug, Default)]
pub struct Latch {
    cancel: Cancel,
    why: Mutex<Option<Failure>>,
    place: Mutex<Option<Position>>,
}

impl Latch {
    /// Ends the run with a failure; the first one stays.
    pub fn trip(&self, failure: Failure) {
        self.why.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
        self.cancel.set();
    }

    /// Notes where the run ended, once it has; the first place stays. What notices the end later stands elsewhere.
    pub fn place(&self, at: &Position) {
        if self.cancel.is_set() {
            self.place.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| at.clone());
        }
    }

    /// Where the run ended, where that is known.
    pub fn placed(&self) -> Option<Position> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The failure that ended the run, if it has ended.
    pub fn check(&self) -> Result<(), Failure> {
        if self.cancel.is_set() { Err(self.failure()) } else { Ok(()) }
    }

    /// The failure that ended the run; `cancelled` where only the signal came.
    pub fn failure(&self) -> Failure {
        let why = self.why.lock().unwrap_or_else(PoisonError::into_inner).clone();
        why.unwrap_or_else(|| Failure::new(Kind::Cancelled, "the run was cancelled"))
    }

    /// Opens the latch again, so that rollbacks can run after a cancellation; a lost journal stays lost.
    pub fn reopen(&self) -> Result<(), Failure> {
        let mut why = self.why.lock().unwrap_or_else(PoisonError::into_inner);
        match &*why {
            Some(failure) if failure.kind == Kind::JournalLost => Err(failure.clone()),
            _ => {
                *why = None;
                *self.place.lock().unwrap_or_else(PoisonError::into_inner) = None;
                self.cancel.clear();
                Ok(())
            }
        }
    }

    /// The signal that goes with the latch.
    pub fn cancel(&self) -> &Cancel {
        &self.cancel
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_stays_and_a_lost_journal_cannot_be_reopened() {
        let latch = Latch::default();
        latch.check().unwrap();
        latch.place(&Position { line: 1, ..Default::default() });
        assert_eq!(latch.placed(), None);
        latch.trip(Failure::new(Kind::JournalLost, "no space"));
        latch.place(&Position { line: 2, ..Default::default() });
        latch.place(&Position { line: 3, ..Default::default() });
        assert_eq!(latch.placed().unwrap().line, 2);
        latch.trip(Failure::new(Kind::Cancelled, "later"));
        assert_eq!(latch.check().unwrap_err().kind, Kind::JournalLost);
        assert!(latch.reopen().is_err());

        let latch = Latch::default();
        latch.cancel().set();
        assert_eq!(latch.check().unwrap_err().kind, Kind::Cancelled);
        latch.reopen().unwrap();
        latch.check().unwrap();
    }
}
