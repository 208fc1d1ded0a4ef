//! Opening the places where secrets are. Only for real systems: worlds, `check` and help open none.

use std::ffi::OsString;
use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use zeroize::Zeroizing;

use super::SecretSource;
use crate::model::text::short;
use crate::model::{Failure, Kind, Secret};

/// The longest secret, in bytes.
const LONGEST: u64 = 64 << 10;
/// How long a secret's command may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Opens a source that is on this machine; relative files are beneath `root`, and commands run there.
///
/// Errors are `auth` or `timeout` and never hold what was read. Kubernetes' secrets are the platform's to open: `failed`.
pub fn resolve(source: &SecretSource, root: &Path) -> Result<Secret, Failure> {
    match source {
        SecretSource::Env(name) => {
            let content = std::env::var_os(name)
                .ok_or_else(|| wrong(format!("the environment variable {name} is not set")).hint(format!("export {name} and run again")))?;
            let content = Zeroizing::new(content.into_encoded_bytes());
            secret(format!("env:{name}"), &format!("the environment variable {name}"), &content)
        }
        SecretSource::File(path) => {
            let what = format!("the secret file {}", path.display());
            let content = read_file(&root.join(path)).map_err(|e| wrong(format!("{what} cannot be read: {e}")))?;
            secret(format!("file:{}", path.display()), &what, &content)
        }
        SecretSource::Command(words) => {
            let program = words.first().map_or("", String::as_str);
            let what = format!("the output of the secret command {}", short(&format!("{program:?}"), 80));
            secret(format!("command:{program}"), &what, &run(words, root, TIMEOUT)?)
        }
        SecretSource::Kubernetes(key) => {
            Err(Failure::new(Kind::Failed, format!("{key} is opened by the cluster's connection, not on this machine")))
        }
    }
}

/// The environment that child processes get: enough to find programs, homes, kubeconfigs and agents, and no other secrets.
pub fn child_environment() -> Vec<(OsString, OsString)> {
    const NAMES: [&str; 8] = ["PATH", "HOME", "USER", "LANG", "TZ", "KUBECONFIG", "SSH_AUTH_SOCK", "TMPDIR"];
    let allowed = |name: &str| NAMES.contains(&name) || name.starts_with("LC_") || name.starts_with("XDG_");
    std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(allowed)).collect()
}

fn wrong(message: String) -> Failure {
    Failure::new(Kind::Auth, message)
}

/// Checks what a source held and drops the newline at its end.
fn secret(name: String, what: &str, content: &[u8]) -> Result<Secret, Failure> {
    if content.len() as u64 > LONGEST {
        return Err(wrong(format!("{what} is longer than 64 KiB")));
    }
    let text = std::str::from_utf8(content).map_err(|_| wrong(format!("{what} is not UTF-8")))?.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err(wrong(format!("{what} is empty")));
    }
    Ok(Secret::new(name, text))
}

fn read_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let said = |e: std::io::Error| e.kind().to_string();
    // A named pipe would let the opening wait for ever.
    if !path.metadata().map_err(said)?.is_file() {
        return Err("it is no file".to_owned());
    }
    read_some(std::fs::File::open(path).map_err(said)?).map_err(said)
}

fn read_some(source: impl Read) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let mut content = Zeroizing::new(Vec::with_capacity(4096));
    source.take(LONGEST + 1).read_to_end(&mut content)?;
    Ok(content)
}

/// Runs a secret's command in a process group of its own, so that a timeout ends its children too.
fn run(words: &[String], root: &Path, timeout: Duration) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let (program, arguments) = words.split_first().ok_or_else(|| wrong("the secret command is empty".to_owned()))?;
    let named = format!("the secret command {}", short(&format!("{program:?}"), 80));
    #[allow(clippy::disallowed_methods)] // A configured secret's source, run before the first call and after trust.
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root).env_clear().envs(child_environment()).process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|e| wrong(format!("{named} cannot be started: {}", e.kind())))?;
    let output = reading(child.stdout.take());
    let status = wait(&mut child, timeout);
    // Whatever it left behind ends with it, and closes the pipes that are still read.
    let _ = rustix::process::kill_process_group(rustix::process::Pid::from_child(&child), rustix::process::Signal::KILL);
    let Some(status) = status else {
        let _ = child.wait();
        return Err(Failure::new(Kind::Timeout, format!("{named} did not end within {} s", timeout.as_secs_f32())));
    };
    if status.success() {
        return Ok(output.recv_timeout(Duration::from_secs(2)).unwrap_or_default());
    }
    // What it says is not repeated: it can hold the secret, which nobody knows yet and so nobody masks.
    Err(wrong(format!("{named} failed: {status}")).hint("run it by hand to see what it says"))
}

/// Reads a pipe to its limit in the background.
fn reading(pipe: Option<impl Read + Send + 'static>) -> Receiver<Zeroizing<Vec<u8>>> {
    let (sender, receiver) = channel();
    if let Some(mut pipe) = pipe {
        std::thread::spawn(move || {
            let _ = sender.send(read_some(&mut pipe).unwrap_or_default());
            // A child that says more must not stand still.
            let _ = std::io::copy(&mut pipe, &mut std::io::sink());
        });
    }
    receiver
}

/// Waits for the end; nothing if it does not come in time. Sleeps are counted, since clocks belong to the platform.
fn wait(child: &mut Child, timeout: Duration) -> Option<ExitStatus> {
    let (mut waited, mut pause) = (Duration::ZERO, Duration::from_millis(1));
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        if waited >= timeout {
            return None;
        }
        std::thread::sleep(pause);
        waited += pause;
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> SecretSource {
        SecretSource::Command(["sh", "-c", script].map(String::from).to_vec())
    }

    fn open(source: &SecretSource) -> Result<Secret, Failure> {
        resolve(source, Path::new("/"))
    }

    #[test]
    fn a_commands_output_is_the_secret_without_its_newline() {
        let secret = open(&sh("echo hunter2hunter2")).unwrap();
        assert_eq!((secret.expose(), secret.name()), ("hunter2hunter2", "command:sh"));
    }

    #[test]
    fn a_failing_command_says_its_status_and_nothing_that_it_wrote() {
        let failure = open(&sh("echo hunter2hunter2; echo 'vault: hunter3hunter3' >&2; exit 3")).unwrap_err();
        assert_eq!(failure.kind, Kind::Auth);
        assert_eq!(failure.message, "the secret command \"sh\" failed: exit status: 3");
        assert_eq!(failure.hint.as_deref(), Some("run it by hand to see what it says"));
        assert!(!format!("{failure:?}").contains("hunter"), "{failure:?}");
        assert_eq!(open(&SecretSource::Command(vec!["/does/not/exist".into()])).unwrap_err().kind, Kind::Auth);
    }

    #[test]
    fn a_command_that_hangs_is_killed_with_its_children() {
        let folder = tempfile::tempdir().unwrap();
        let pid = folder.path().join("pid");
        let script = format!("sleep 60 & echo $! > {}; wait", pid.display());
        let words = ["sh", "-c", &script].map(String::from);
        let failure = run(&words, folder.path(), Duration::from_millis(300)).unwrap_err();
        assert_eq!(failure.kind, Kind::Timeout);
        let stat = format!("/proc/{}/stat", std::fs::read_to_string(pid).unwrap().trim());
        // The kernel takes a moment to bury it.
        let alive = || std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z "));
        let gone = (0..200).any(|_| {
            std::thread::sleep(Duration::from_millis(10));
            !alive()
        });
        assert!(gone, "the command's child is still there");
    }

    #[test]
    fn a_commands_environment_is_allow_listed_and_its_input_empty() {
        // Cargo itself sets variables that no child should see.
        assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
        let names = open(&sh("cat; env | cut -d= -f1 | sort | tr '\\n' ' '")).unwrap();
        assert!(names.expose().contains("PATH") && !names.expose().contains("CARGO"), "{}", names.expose());
    }

    #[test]
    fn size_and_emptiness_are_checked() {
        assert!(open(&sh("head -c 70000 /dev/zero | tr '\\0' x")).unwrap_err().message.ends_with("is longer than 64 KiB"));
        assert!(open(&sh("echo")).unwrap_err().message.ends_with("is empty"));
        assert!(open(&sh("printf '\\377\\377'")).unwrap_err().message.ends_with("is not UTF-8"));
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("key"), "canary-canary\r\n").unwrap();
        let file = |name: &str| resolve(&SecretSource::File(name.into()), folder.path());
        assert_eq!(file("key").unwrap().expose(), "canary-canary");
        assert_eq!(file("none").unwrap_err().message, "the secret file none cannot be read: entity not found");
        assert!(file(".").unwrap_err().message.ends_with("it is no file"));
        let unset = open(&SecretSource::Env("RUNBOOK_TEST_NOT_SET".into())).unwrap_err();
        assert_eq!(unset.hint.as_deref(), Some("export RUNBOOK_TEST_NOT_SET and run again"));
    }
}
