//! The asynchronous runtime behind the synchronous traits, and the ends that waiting has: answer, timeout, cancellation.

use std::pin::pin;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::super::clock::cancelled;
use super::super::failures::{in_doubt, late, unanswered};
use super::Cx;
use crate::model::{Failure, Kind, duration};

/// So long a write that was sent may still answer after the run was cancelled.
const GRACE: Duration = Duration::from_secs(5);

/// The runtime, started by the first call.
#[derive(Default)]
pub(super) struct Runtime(OnceLock<tokio::runtime::Runtime>);

/// Whether a write's request may have left this machine.
#[derive(Default)]
pub(super) struct Departure(AtomicBool);

impl Departure {
    /// Says that from here on nobody can tell whether the request has left.
    pub(super) fn leaves(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether that was said.
    pub(super) fn has_left(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

impl Runtime {
    fn get(&self) -> Result<&tokio::runtime::Runtime, Failure> {
        if let Some(runtime) = self.0.get() {
            return Ok(runtime);
        }
        let made = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("runbook-io")
            .enable_all()
            .build()
            .map_err(|e| Failure::new(Kind::Failed, format!("the I/O threads cannot be started: {e}")))?;
        // Another thread may have been quicker; its runtime is taken, and this one ends without waiting.
        if let Err(late) = self.0.set(made) {
            late.shutdown_background();
        }
        self.0.get().ok_or_else(|| Failure::new(Kind::Failed, "the I/O threads cannot be started"))
    }

    /// Runs a read to its end, its timeout or the run's cancellation.
    pub(super) fn block<T>(
        &self,
        cx: &Cx<'_>,
        limit: Duration,
        what: impl FnOnce() -> String,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        self.get()?.block_on(async {
            tokio::select! {
                biased;
                () = cx.cancel.wait() => Err(cancelled()),
                result = within(limit, what, work) => result,
            }
        })
    }

    /// Runs to its end what keeps to its own time and stops by itself when the run is cancelled.
    pub(super) fn block_until_done<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        self.get()?.block_on(work)
    }

    /// Runs a write to its end. Once it has left, a timeout or a lost cancellation's grace is `in_doubt`.
    pub(super) fn block_write<T>(
        &self,
        cx: &Cx<'_>,
        limit: Duration,
        what: impl Fn() -> String,
        departure: &Departure,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        self.get()?.block_on(async {
            let mut work = pin!(work);
            let stopped = tokio::select! {
                biased;
                () = cx.cancel.wait() => true,
                result = &mut work => return result,
                () = tokio::time::sleep(limit) => false,
            };
            if !departure.has_left() {
                return Err(if stopped { cancelled() } else { late(&what(), limit) });
            }
            if stopped {
                (cx.progress)("waiting for the answer to what was already sent");
                if let Ok(result) = tokio::time::timeout(GRACE, work).await {
                    return result;
                }
                return Err(in_doubt(format!(
                    "{} was sent, and no answer came within {} of the cancellation",
                    what(),
                    duration::show(GRACE)
                )));
            }
            Err(unanswered(&what(), limit))
        })
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        // A login command or a name look-up that hangs must not hold up the end of the run.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// A future's result, or `timeout`.
pub(super) async fn within<T>(
    limit: Duration,
    what: impl FnOnce() -> String,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(limit, work).await {
        Ok(result) => result,
        Err(_) => Err(late(&what(), limit)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::Cancel;
    use super::*;
    use crate::model::Sent;

    fn run<T>(
        cancel: &Cancel,
        limit: Duration,
        departure: &Departure,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let cx = Cx::quiet(cancel);
        Runtime::default().block_write(&cx, limit, || "the patch".to_owned(), departure, work)
    }

    #[test]
    fn a_read_that_takes_too_long_says_what_and_how_long() {
        let cancel = Cancel::default();
        let cx = Cx::quiet(&cancel);
        let work = std::future::pending::<Result<(), Failure>>();
        let failure = Runtime::default().block(&cx, Duration::from_millis(20), || "deployment/api".to_owned(), work).unwrap_err();
        assert_eq!((failure.kind, failure.message.as_str()), (Kind::Timeout, "no answer from deployment/api within 20ms"));
    }

    #[test]
    fn a_cancellation_ends_a_read_at_once() {
        let cancel = Cancel::default();
        let cx = Cx::quiet(&cancel);
        let other = cancel.clone();
        let setter = std::thread::spawn(move || other.set());
        let work = std::future::pending::<Result<(), Failure>>();
        let failure = Runtime::default().block(&cx, Duration::from_secs(60), String::new, work).unwrap_err();
        assert_eq!(failure.kind, Kind::Cancelled);
        setter.join().unwrap();
    }

    #[test]
    fn a_write_is_in_doubt_only_after_it_has_left() {
        let (cancel, limit) = (Cancel::default(), Duration::from_millis(20));
        let pending = std::future::pending::<Result<(), Failure>>;
        let before = run(&cancel, limit, &Departure::default(), pending()).unwrap_err();
        assert_eq!((before.kind, before.sent), (Kind::Timeout, Sent::No));
        let left = Departure::default();
        left.leaves();
        let after = run(&cancel, limit, &left, pending()).unwrap_err();
        assert_eq!((after.kind, after.sent), (Kind::InDoubt, Sent::Unknown));
        cancel.set();
        let never = run(&cancel, limit, &Departure::default(), pending()).unwrap_err();
        assert_eq!((never.kind, never.sent), (Kind::Cancelled, Sent::No));
        let answered = run(&cancel, limit, &left, async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Ok(7)
        });
        assert_eq!(answered, Ok(7), "an answer within the grace counts");
    }
}
