//! The signal that stops what is under way, for blocking and for asynchronous waiters.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

/// A signal that is set once and reaches every waiter at once. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    set: AtomicBool,
    lock: Mutex<()>,
    blocking: Condvar,
    waiting: Notify,
}

impl Cancel {
    /// Sets the signal.
    pub fn set(&self) {
        self.0.set.store(true, Ordering::SeqCst);
        // The lock orders this against a sleeper between its look and its wait.
        let _guard = self.0.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.blocking.notify_all();
        self.0.waiting.notify_waiters();
    }

    /// Takes the signal back, so that rollbacks can run after a cancellation.
    pub fn clear(&self) {
        self.0.set.store(false, Ordering::SeqCst);
    }

    /// Whether the signal is set.
    pub fn is_set(&self) -> bool {
        self.0.set.load(Ordering::Relaxed)
    }

    /// Blocks for a while; true if the signal came first.
    pub fn sleep(&self, duration: Duration) -> bool {
        let guard = self.0.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = self.0.blocking.wait_timeout_while(guard, duration, |_| !self.is_set());
        self.is_set()
    }

    /// Waits until the signal is set.
    pub async fn wait(&self) {
        loop {
            let notified = self.0.waiting.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            if self.is_set() {
                return;
            }
            notified.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleeper_wakes_when_the_signal_is_set() {
        let cancel = Cancel::default();
        let other = cancel.clone();
        let sleeper = std::thread::spawn(move || other.sleep(Duration::from_secs(60)));
        cancel.set();
        assert!(sleeper.join().unwrap());
        cancel.clear();
        assert!(!cancel.sleep(Duration::from_millis(1)));
    }
}
