//! A Unix socket that leads into tunnels, for drivers and programs that take no stream. Nobody else can use it: it lies in a
//! folder of mode 0700, and who connects must be this process's own user.

use std::collections::VecDeque;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;

use crate::model::{Failure, Kind};

/// A stream into a pod, perhaps encrypted.
pub(in super::super) trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Io for S {}

/// Opens one more stream for whoever has connected.
pub(in super::super) trait Opener: Send + Sync + 'static {
    /// The stream.
    fn open(&self) -> impl Future<Output = Result<Box<dyn Io>, Failure>> + Send;
}

/// The socket; closed and removed when it is dropped.
pub(in super::super) struct Socket {
    path: PathBuf,
    ready: Arc<Mutex<VecDeque<Box<dyn Io>>>>,
    serving: JoinHandle<()>,
    _folder: TempDir,
}

impl Socket {
    /// Listens under a file name in a new folder; each connection gets a stream of its own.
    pub(in super::super) fn serve<O: Opener>(file: &str, opener: O) -> Result<Self, Failure> {
        let wrong = |error: std::io::Error| Failure::new(Kind::Failed, format!("no socket can be made for the tunnel: {error}"));
        let folder = folder().map_err(wrong)?;
        let path = folder.path().join(file);
        let listener = UnixListener::bind(&path).map_err(wrong)?;
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).map_err(wrong)?;
        let ready: Arc<Mutex<VecDeque<Box<dyn Io>>>> = Arc::default();
        let serving = tokio::spawn(serve(listener, Arc::new(opener), Arc::clone(&ready)));
        Ok(Self { path, ready, serving, _folder: folder })
    }

    /// Where it is.
    pub(in super::super) fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps a stream that is open already for the next who connects.
    pub(in super::super) fn keep(&self, stream: Box<dyn Io>) {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner).push_back(stream);
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A new folder that nobody else can enter, where the session's own files are, else where temporary ones are.
fn folder() -> std::io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("runbook-").permissions(Permissions::from_mode(0o700));
    let session = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
    match session.map(|path| builder.tempdir_in(path)) {
        Some(Ok(folder)) => Ok(folder),
        _ => builder.tempdir(),
    }
}

async fn serve<O: Opener>(listener: UnixListener, opener: Arc<O>, ready: Arc<Mutex<VecDeque<Box<dyn Io>>>>) {
    while let Ok((stream, _)) = listener.accept().await {
        if !is_own(&stream) {
            continue;
        }
        let (opener, ready) = (Arc::clone(&opener), Arc::clone(&ready));
        tokio::spawn(async move {
            let kept = ready.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let opened = match kept {
                Some(kept) => Ok(kept),
                None => opener.open().await,
            };
            // What cannot be opened shows as an end to whoever has connected.
            if let Ok(tunnel) = opened {
                join(stream, tunnel).await;
            }
        });
    }
}

/// Carries bytes both ways until either side ends: a port-forward knows no half of a connection.
async fn join(near: UnixStream, far: Box<dyn Io>) {
    let (mut from_near, mut to_near) = near.into_split();
    let (mut from_far, mut to_far) = tokio::io::split(far);
    tokio::select! {
        _ = tokio::io::copy(&mut from_near, &mut to_far) => {}
        _ = tokio::io::copy(&mut from_far, &mut to_near) => {}
    }
}

/// Whether who has connected is this process's own user, by the kernel's word (`SO_PEERCRED`).
fn is_own(stream: &UnixStream) -> bool {
    stream.peer_cred().is_ok_and(|peer| peer.uid() == rustix::process::geteuid().as_raw())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;
    use std::os::unix::process::CommandExt as _;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// Leads to one who says everything again.
    struct Echo(Arc<AtomicUsize>);

    impl Opener for Echo {
        async fn open(&self) -> Result<Box<dyn Io>, Failure> {
            self.0.fetch_add(1, Ordering::SeqCst);
            let (near, far) = tokio::io::duplex(64);
            tokio::spawn(async move {
                let (mut read, mut write) = tokio::io::split(far);
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
            Ok(Box::new(near))
        }
    }

    async fn said_again(path: &Path) -> String {
        let mut stream = UnixStream::connect(path).await.unwrap();
        stream.write_all(b"hello").await.unwrap();
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).await.unwrap();
        String::from_utf8(answer.to_vec()).unwrap()
    }

    /// Whether another user gets anything out of a socket.
    #[allow(clippy::disallowed_methods)]
    async fn another_user_gets_in(path: &Path) -> bool {
        let mut curl = std::process::Command::new("curl");
        curl.args(["-s", "-m", "5", "--http0.9", "--unix-socket"]).arg(path).arg("http://x/").uid(65_534).gid(65_534).env_clear();
        let output = tokio::task::spawn_blocking(move || curl.output()).await.unwrap().unwrap();
        !output.stdout.is_empty()
    }

    #[tokio::test]
    async fn each_connection_has_a_stream_of_its_own_and_other_users_have_none() {
        let opened = Arc::new(AtomicUsize::new(0));
        let socket = Socket::serve("x.sock", Echo(Arc::clone(&opened))).unwrap();
        let path = socket.path().to_owned();
        let folder = path.parent().unwrap().to_owned();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&path)), (0o700, 0o600));
        assert_eq!(said_again(&path).await, "hello");
        let kept = Echo(Arc::default()).open().await.unwrap();
        socket.keep(kept);
        assert_eq!((said_again(&path).await.as_str(), opened.load(Ordering::SeqCst)), ("hello", 1), "the kept one was taken");
        // Only an administrator can act as another user.
        if rustix::process::geteuid().is_root() {
            assert!(!another_user_gets_in(&path).await);
            // Even where the folder was opened by mistake.
            for (path, mode) in [(&folder, 0o777), (&path, 0o777)] {
                std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
            }
            assert!(!another_user_gets_in(&path).await);
            assert_eq!(opened.load(Ordering::SeqCst), 1, "no tunnel was opened for them");
        }
        drop(socket);
        assert!(!folder.exists());
    }
}
