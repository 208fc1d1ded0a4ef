//! A disk that may not answer (a network's, a failing one): what is done with it is waited for no longer than a limit, and then
//! the journal is lost, so that nothing more is changed.

use std::io;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// The longest wait. Disks of the cloud stall for seconds, and still answer.
const LIMIT: Duration = Duration::from_secs(30);

type Work = Box<dyn FnOnce() + Send>;

/// Where work with the disk is done.
#[derive(Debug)]
pub(super) enum Disk {
    /// By who asks for it. For worlds, where nothing real depends on it.
    Here,
    /// By a thread of its own, which a disk that hangs may keep; it ends with this.
    Beside(mpsc::Sender<Work>),
}

impl Disk {
    /// Starts the thread.
    pub(super) fn beside() -> io::Result<Self> {
        let (ask, asked) = mpsc::channel::<Work>();
        thread::Builder::new().name("runbook-journal".into()).spawn(move || asked.into_iter().for_each(|work| work()))?;
        Ok(Self::Beside(ask))
    }

    /// Does something and waits for its end. Fails with `TimedOut` where that does not come.
    pub(super) fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
        self.within(LIMIT, work)
    }

    fn within<T: Send + 'static>(&self, limit: Duration, work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
        let Self::Beside(ask) = self else { return Ok(work()) };
        let (done, ended) = mpsc::sync_channel(1);
        let work = Box::new(move || drop(done.send(work())));
        ask.send(work).map_err(|_| io::Error::other("its thread is gone"))?;
        ended.recv_timeout(limit).map_err(|error| match error {
            mpsc::RecvTimeoutError::Timeout => {
                io::Error::new(io::ErrorKind::TimedOut, format!("the disk has not answered within {} s", limit.as_secs_f64()))
            }
            mpsc::RecvTimeoutError::Disconnected => io::Error::other("its thread is gone"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_done_in_order_and_given_up_when_it_takes_too_long() {
        let disk = Disk::beside().unwrap();
        let here = thread::current().id();
        assert_ne!(disk.run(|| thread::current().id()).unwrap(), here);
        assert_eq!(Disk::Here.run(|| thread::current().id()).unwrap(), here);
        let hangs = disk.within(Duration::from_millis(20), || thread::sleep(Duration::from_millis(200))).unwrap_err();
        assert_eq!((hangs.kind(), hangs.to_string().as_str()), (io::ErrorKind::TimedOut, "the disk has not answered within 0.02 s"));
        assert_eq!(disk.run(|| 7).unwrap(), 7, "it waits its turn");
        assert_eq!(disk.run(|| panic!("a defect")).map(|(): ()| ()).unwrap_err().to_string(), "its thread is gone");
        assert_eq!(disk.run(|| 7).unwrap_err().to_string(), "its thread is gone");
    }
}
