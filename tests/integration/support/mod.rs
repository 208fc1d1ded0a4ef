//! A project of its own for each test, and the real binary run in it with a cleared environment.

mod kubelet;
pub mod pty;
mod ran;
mod real;
mod standin;

use std::ffi::OsStr;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub use kubelet::Kubelet;
pub use ran::{Ran, lines_of};
pub use real::{NO_PODS, Real, api_server, changes_in, kubectl, namespace, state_of_api, variable};
pub use standin::{Hook, Proxy, Slot};

/// The platform of tests that say nothing else: two services with workloads, a database, two channels.
pub const PLATFORM: &str = r#"
[services.api]
workload = "deployment/api"
url = "http://api:8080"
tier = 2
replicas = 3

[services.web]
workload = "deployment/web"
url = "http://web:8080"
tier = 3
replicas = 2

[environments.test]
protected = false

[environments.test.databases.postgres]
url = "postgres://ops@postgres:5432/app"
workload = "statefulset/postgres"
replicas = 1

[environments.test.channels.chat]
kind = "slack"
webhook = { env = "CHAT_URL" }

[environments.test.channels.mail]
kind = "webhook"
url = "http://mail:8080/send"
signing = { env = "MAIL_KEY" }

[severities.P1]
description = "High"
notify = ["chat"]
"#;

/// The repository that is being tested.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A project in a folder of its own, with a home of its own.
#[derive(Clone)]
pub struct Project {
    temp: Arc<tempfile::TempDir>,
    env: Vec<(String, String)>,
    timeout: Duration,
    stdin: Option<String>,
}

impl Project {
    /// A project with [`PLATFORM`] as its `runbook.toml`.
    pub fn new() -> Self {
        Self::bare().config(PLATFORM)
    }

    /// A project with the repository's own `runbook.toml`.
    pub fn seed() -> Self {
        Self::bare().config(&fs::read_to_string(repository().join("runbook.toml")).unwrap())
    }

    /// A project without a `runbook.toml`.
    pub fn bare() -> Self {
        let temp = tempfile::tempdir().unwrap();
        for folder in ["home", "config", "state", "project", "project/.git"] {
            fs::DirBuilder::new().mode(0o700).create(temp.path().join(folder)).unwrap();
        }
        Self { temp: Arc::new(temp), env: Vec::new(), timeout: Duration::from_secs(60), stdin: None }
    }

    /// Writes `runbook.toml`.
    pub fn config(self, text: &str) -> Self {
        self.file("runbook.toml", text)
    }

    /// Writes a script or a module; the path is relative to the project's root.
    pub fn script(self, path: &str, text: &str) -> Self {
        self.file(path, text)
    }

    /// Writes a world file.
    pub fn world(self, path: &str, text: &str) -> Self {
        self.file(path, text)
    }

    /// Writes any file of the project, 0644.
    pub fn file(self, path: &str, text: &str) -> Self {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        self
    }

    /// Sets a file's mode.
    pub fn mode(self, path: &str, mode: u32) -> Self {
        fs::set_permissions(self.root().join(path), fs::Permissions::from_mode(mode)).unwrap();
        self
    }

    /// Makes a symbolic link in the project.
    pub fn link(self, path: &str, target: impl AsRef<Path>) -> Self {
        std::os::unix::fs::symlink(target, self.root().join(path)).unwrap();
        self
    }

    /// Sets a variable of the environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// What stands on standard input; nothing without it.
    pub fn stdin(mut self, text: &str) -> Self {
        self.stdin = Some(text.to_owned());
        self
    }

    /// The longest a run may take; one that takes longer is killed, and the test fails.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The project's root, as the binary names it.
    pub fn root(&self) -> PathBuf {
        self.outside().join("project")
    }

    /// The folder that holds the project's, and nothing of anybody else's.
    pub fn outside(&self) -> PathBuf {
        self.temp.path().canonicalize().unwrap()
    }

    /// The folder of journals.
    pub fn journals(&self) -> PathBuf {
        self.outside().join("state/runbook/journal")
    }

    /// The binary in this project, its environment cleared; nothing is started.
    pub fn command<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        self.in_place(Command::new(env!("CARGO_BIN_EXE_runbook")), args)
    }

    /// A shell that becomes the binary after some commands: for resource limits and redirections.
    pub fn shell<A: AsRef<OsStr>>(&self, before: &str, args: impl IntoIterator<Item = A>) -> Command {
        let mut shell = Command::new("bash");
        shell.args(["-c", &format!("{before}\nexec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_runbook")]);
        self.in_place(shell, args)
    }

    /// A shell whose mounts nobody else sees and that end with it; `"$@"` in it is the binary with its arguments.
    pub fn mounting<A: AsRef<OsStr>>(&self, script: &str, args: impl IntoIterator<Item = A>) -> Command {
        let mut shell = Command::new("unshare");
        // Root needs no namespace of users, which some machines forbid.
        shell.arg(if rustix::process::geteuid().is_root() { "-m" } else { "-rm" });
        shell.args(["bash", "-ec", script, "bash", env!("CARGO_BIN_EXE_runbook")]);
        self.in_place(shell, args)
    }

    fn in_place<A: AsRef<OsStr>>(&self, mut command: Command, args: impl IntoIterator<Item = A>) -> Command {
        let top = self.outside();
        command.args(args).current_dir(self.root()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", top.join("home")).env("XDG_CONFIG_HOME", top.join("config")).env("XDG_STATE_HOME", top.join("state"));
        command.env("NO_COLOR", "1").env("LC_ALL", "C");
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs the binary to its end.
    #[track_caller]
    pub fn run<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Ran {
        self.start(self.command(args)).wait()
    }

    /// Writes a script and runs it in a healthy world.
    #[track_caller]
    pub fn in_world(&self, script: &str) -> Ran {
        self.clone().script("x.rhai", script).run(["run", "x.rhai", "--world"])
    }

    /// Writes a script and rehearses it in a healthy world.
    #[track_caller]
    pub fn rehearsed(&self, script: &str) -> Ran {
        self.clone().script("x.rhai", script).run(["run", "x.rhai", "--world", "--dry-run"])
    }

    /// Starts a command of this project.
    #[track_caller]
    pub fn start(&self, mut command: Command) -> Running {
        let stdin = if self.stdin.is_some() { Stdio::piped() } else { Stdio::null() };
        let mut child = command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        if let (Some(text), Some(mut input)) = (&self.stdin, child.stdin.take()) {
            input.write_all(text.as_bytes()).unwrap();
        }
        let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let out = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            out.read_to_end(&mut bytes).unwrap();
            bytes
        });
        let said = Arc::new(Mutex::new(Vec::new()));
        let heard = said.clone();
        let err = std::thread::spawn(move || {
            let mut part = [0; 4096];
            while let Ok(read @ 1..) = err.read(&mut part) {
                heard.lock().unwrap().extend_from_slice(&part[..read]);
            }
        });
        Running { child, out, err, said, project: self.clone(), started: Instant::now() }
    }
}

/// A process that has been started.
pub struct Running {
    child: Child,
    out: JoinHandle<Vec<u8>>,
    err: JoinHandle<()>,
    said: Arc<Mutex<Vec<u8>>>,
    project: Project,
    started: Instant,
}

impl Running {
    /// Sends a signal to this process and to no other.
    #[track_caller]
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Its process, which must not have been waited for.
    pub fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.child)
    }

    /// Waits until the journal has a line of a type.
    #[track_caller]
    pub fn until_journaled(&mut self, kind: &str) -> PathBuf {
        let wanted = format!("\"type\":\"{kind}\"");
        loop {
            let path = ran::newest(&self.project.journals());
            if let Some(path) = path.filter(|path| fs::read_to_string(path).is_ok_and(|text| text.contains(&wanted))) {
                return path;
            }
            assert!(self.child.try_wait().unwrap().is_none(), "it ended without a line of type {kind}");
            assert!(self.started.elapsed() < self.project.timeout, "the journal never had a line of type {kind}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits until standard error has a text in it.
    #[track_caller]
    pub fn until_said(&mut self, what: &str) {
        loop {
            let ended = self.child.try_wait().unwrap().is_some();
            let said = String::from_utf8_lossy(&self.said.lock().unwrap()).into_owned();
            if said.contains(what) {
                return;
            }
            assert!(!ended, "it ended before it said {what:?}:\n{said}");
            assert!(self.started.elapsed() < self.project.timeout, "it never said {what:?}:\n{said}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits for the end; kills it when its time is over.
    #[track_caller]
    pub fn wait(mut self) -> Ran {
        let mut late = false;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if self.started.elapsed() > self.project.timeout {
                late = true;
                self.child.kill().unwrap();
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        let out = self.out.join().unwrap();
        self.err.join().unwrap();
        let err = std::mem::take(&mut *self.said.lock().unwrap());
        let ran = Ran::new(self.project, status, out, err, self.started.elapsed());
        assert!(!late, "killed: it took longer than {:?}\n{ran}", ran.project.timeout);
        ran
    }
}
