//! Clocks: the machine's, and virtual ones that cost no waiting.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::Cancel;
use crate::model::{Failure, Kind};

/// What tells the time and lets it pass.
pub trait Clock: Send + Sync {
    /// The time of day.
    fn now(&self) -> Timestamp;

    /// The time since the clock was made; never goes back but by [`Clock::jump`].
    fn elapsed(&self) -> Duration;

    /// Lets time pass. Fails with `cancelled` if the run is stopped meanwhile.
    fn sleep(&self, duration: Duration, cancel: &Cancel) -> Result<(), Failure>;

    /// Sets the time since the clock was made, where time is virtual: the branches of a `parallel` that run
    /// one after the other each start at the fork's time. The machine's clock takes no notice.
    fn jump(&self, elapsed: Duration);

    /// Whether waiting costs nothing.
    fn is_virtual(&self) -> bool;
}

/// The machine's clock.
#[derive(Debug)]
pub struct MachineClock(Instant);

impl Default for MachineClock {
    #[allow(clippy::disallowed_methods)] // The one place where the machine's clock is read.
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Clock for MachineClock {
    #[allow(clippy::disallowed_methods)]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, duration: Duration, cancel: &Cancel) -> Result<(), Failure> {
        if cancel.sleep(duration) { Err(cancelled()) } else { Ok(()) }
    }

    fn jump(&self, _: Duration) {}

    fn is_virtual(&self) -> bool {
        false
    }
}

/// A clock that starts at a given time and moves only when somebody sleeps on it.
#[derive(Debug)]
pub struct VirtualClock {
    start: Timestamp,
    micros: AtomicI64,
}

impl VirtualClock {
    /// A clock that reads `start` until somebody sleeps.
    pub fn new(start: Timestamp) -> Self {
        Self { start, micros: AtomicI64::new(0) }
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        let passed = jiff::SignedDuration::from_micros(self.micros.load(Ordering::Relaxed));
        self.start.checked_add(passed).unwrap_or(Timestamp::MAX)
    }

    fn elapsed(&self) -> Duration {
        Duration::from_micros(self.micros.load(Ordering::Relaxed).unsigned_abs())
    }

    fn sleep(&self, duration: Duration, cancel: &Cancel) -> Result<(), Failure> {
        if cancel.is_set() {
            return Err(cancelled());
        }
        self.micros.fetch_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX / 4), Ordering::Relaxed);
        Ok(())
    }

    fn jump(&self, elapsed: Duration) {
        self.micros.store(i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX / 4), Ordering::Relaxed);
    }

    fn is_virtual(&self) -> bool {
        true
    }
}

/// The failure of everything that was stopped.
pub fn cancelled() -> Failure {
    Failure::new(Kind::Cancelled, "the run was cancelled")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_virtual_clock_moves_only_by_sleeping() {
        let clock = VirtualClock::new(Timestamp::UNIX_EPOCH);
        clock.sleep(Duration::from_secs(90), &Cancel::default()).unwrap();
        assert_eq!(clock.now().to_string(), "1970-01-01T00:01:30Z");
        clock.jump(Duration::from_secs(30));
        assert_eq!(clock.elapsed(), Duration::from_secs(30));
        let cancel = Cancel::default();
        cancel.set();
        assert_eq!(clock.sleep(Duration::from_secs(1), &cancel).unwrap_err().kind, Kind::Cancelled);
    }
}
