//! Faults of runbook itself: what a panic prints.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{self, Location};

/// Has panics print where they were and the words that stand in the program for them; with RUST_BACKTRACE set, how it came there.
pub(super) fn tell() {
    panic::set_hook(Box::new(|fault| {
        let trace = Backtrace::capture();
        let trace = if trace.status() == BacktraceStatus::Captured { format!("{trace}\n") } else { String::new() };
        eprint!("{}\n{trace}", said(fault.payload(), fault.location()));
    }));
}

/// A text that was made when it happened may hold anything, a secret too, and is left out.
fn said(payload: &dyn Any, at: Option<&Location<'_>>) -> String {
    let words = payload.downcast_ref::<&'static str>().copied().unwrap_or("its message may hold data and is not shown");
    let at = at.map(|at| format!(" at {}:{}", at.file(), at.line())).unwrap_or_default();
    format!("fault: runbook itself failed{at}: {words}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_says_where_it_was_and_nothing_that_was_made_then() {
        let at = Location::caller();
        let place = format!("fault: runbook itself failed at {}:{}: ", file!(), at.line());
        assert_eq!(said(&"an index is out of bounds", Some(at)), format!("{place}an index is out of bounds"));
        let made = "byte index 3 is not a char boundary; it is inside 'ü' of `hunter2hunter2`".to_owned();
        assert_eq!(said(&made, Some(at)), format!("{place}its message may hold data and is not shown"));
    }
}
