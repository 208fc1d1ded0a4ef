//! The memory that a script may hold. Rhai's own limits would measure every array at each step, and a process that the
//! system ends for its memory leaves a record without an end, so the process's size is looked at from beside.

use std::io::Read as _;
use std::sync::Arc;
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

use crate::call::Latch;
use crate::model::{Failure, Kind};

/// The most memory of the process, in bytes.
const MOST: u64 = 1 << 30;
/// How often it is looked at: in this time a script can copy a few hundred MiB.
const INTERVAL: Duration = Duration::from_millis(25);

/// Looks after a run's memory until it is dropped.
pub(super) struct Watch {
    thread: Option<(Thread, JoinHandle<()>)>,
    alive: Option<Arc<()>>,
}

impl Watch {
    /// Trips the latch when the process grows beyond what it may hold. Where its size cannot be read nobody looks.
    pub(super) fn over(latch: &Arc<Latch>) -> Self {
        Self::started(latch, MOST, resident)
    }

    fn started(latch: &Arc<Latch>, most: u64, resident: impl Fn() -> Option<u64> + Send + 'static) -> Self {
        let (latch, alive) = (Arc::downgrade(latch), Arc::new(()));
        let watched = Arc::downgrade(&alive);
        let look = move || {
            // A sitting that has given up an input may keep what it held: only what grows is stopped.
            let mut before = most;
            while watched.strong_count() > 0 {
                std::thread::park_timeout(INTERVAL);
                let (Some(latch), Some(now)) = (latch.upgrade(), resident()) else { return };
                if now > before {
                    let message = format!("the script holds more than {} GiB", most >> 30);
                    latch.trip(Failure::new(Kind::TooLarge, message).hint("does a loop make a text or an array larger and larger?"));
                }
                before = now.max(most);
            }
        };
        let thread = std::thread::Builder::new().name("runbook-memory".to_owned()).spawn(look).ok();
        Self { thread: thread.map(|handle| (handle.thread().clone(), handle)), alive: Some(alive) }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.alive = None;
        if let Some((thread, handle)) = self.thread.take() {
            thread.unpark();
            let _ = handle.join();
        }
    }
}

/// The process's resident size in bytes, as Linux tells it (proc(5), `statm`).
fn resident() -> Option<u64> {
    // Nothing is allocated: the allocator would set a region aside for this thread.
    let mut text = [0; 128];
    let read = std::fs::File::open("/proc/self/statm").ok()?.read(&mut text).ok()?;
    let pages: u64 = std::str::from_utf8(text.get(..read)?).ok()?.split(' ').nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grows_beyond_the_limit_is_stopped_and_what_stays_there_is_not() {
        let latch = Arc::new(Latch::default());
        let sizes = std::sync::Mutex::new([1u64, 5, 5, 5].into_iter().cycle().take(4).chain(std::iter::repeat(5)));
        let watch = Watch::started(&latch, 3, move || sizes.lock().ok()?.next());
        while latch.check().is_ok() {
            std::thread::yield_now();
        }
        assert_eq!(latch.failure().kind, Kind::TooLarge);
        latch.reopen().unwrap();
        std::thread::sleep(INTERVAL * 4);
        assert!(latch.check().is_ok(), "it does not grow any more");
        drop(watch);
        if cfg!(target_os = "linux") {
            assert!(resident().unwrap() > 1 << 20);
        }
    }
}
