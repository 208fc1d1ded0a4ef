//! What drives a connection: a task of its own, or for as long as a statement lasts the task that waits for its rows, which spares
//! the two a change of threads for every few rows.

use std::pin::{Pin, pin};

use tokio::sync::{mpsc, oneshot};

/// A connection at work, until its client is dropped or the server is gone.
type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where who wants a connection asks its task for it.
type Asked = mpsc::Receiver<oneshot::Sender<Held>>;

/// The way to a connection's task.
#[derive(Clone)]
pub(super) struct Driver(mpsc::Sender<oneshot::Sender<Held>>);

impl Driver {
    /// Drives a connection in a task of its own.
    pub(super) fn start(connection: impl Future<Output = Result<(), tokio_postgres::Error>> + Send + 'static) -> Self {
        let (ask, asked) = mpsc::channel(1);
        // The connection's end shows in the client.
        let work = Box::pin(async { drop(connection.await) });
        tokio::spawn(beside(work, asked));
        Self(ask)
    }

    /// Waits for something of the connection while driving it.
    pub(super) async fn drive<T>(&self, wanted: impl Future<Output = T>) -> T {
        let (give, given) = oneshot::channel();
        let held = if self.0.send(give).await.is_ok() { given.await.ok() } else { None };
        let mut wanted = pin!(wanted);
        if let Some(mut held) = held
            && let Some((work, _)) = &mut held.0
        {
            tokio::select! {
                biased;
                answer = &mut wanted => return answer,
                () = work => held.0 = None,
            }
        }
        wanted.await
    }
}

async fn beside(mut work: Work, mut asked: Asked) {
    tokio::select! {
        () = &mut work => {}
        Some(wants) = asked.recv() => drop(wants.send(Held(Some((work, asked))))),
    }
}

/// A connection that is driven elsewhere; its own task goes on with it in the end, whatever ends it.
struct Held(Option<(Work, Asked)>);

impl Drop for Held {
    fn drop(&mut self) {
        if let (Some((work, asked)), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(beside(work, asked));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_connection_goes_on_whoever_drives_it_and_however_that_ends() {
        let (ask, mut asked) = mpsc::unbounded_channel::<oneshot::Sender<tokio::task::Id>>();
        let driver = Driver::start(async move {
            while let Some(answer) = asked.recv().await {
                let _ = answer.send(tokio::task::id());
            }
            Ok(())
        });
        let question = |ask: mpsc::UnboundedSender<_>| async move {
            let (answer, answered) = oneshot::channel();
            ask.send(answer).unwrap();
            answered.await
        };
        let in_a_task = question(ask.clone()).await.unwrap();
        let wanted = question(ask.clone());
        let (own, driven) = tokio::spawn({
            let driver = driver.clone();
            async move { (tokio::task::id(), driver.drive(wanted).await.unwrap()) }
        })
        .await
        .unwrap();
        assert!(own == driven && own != in_a_task, "it is driven by who waits for it");
        assert!(question(ask.clone()).await.is_ok(), "then in a task again");
        let never = std::future::pending::<()>();
        tokio::time::timeout(Duration::from_millis(20), driver.drive(never)).await.unwrap_err();
        assert!(question(ask.clone()).await.is_ok(), "also where the waiting was given up");
        drop(ask);
        assert_eq!(driver.drive(async { 7 }).await, 7, "and what needs no connection is done without one");
    }
}
