//! Commands on this machine: words without a shell, an environment of few variables, a process group of its own.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Child;

use super::open;
use crate::config::secrets::child_environment;
use crate::model::operation::Command;
use crate::model::{Failure, Kind, Value};
use crate::platform::clock::cancelled;
use crate::platform::invocation::{self, Output, Stream};
use crate::platform::{Cx, failures};

/// So long a program may take to end when it is asked to, before it is killed.
const GRACE: Duration = Duration::from_secs(2);
/// So long what a program has left running may go on writing to its output when it has ended itself.
const AFTERWARDS: Duration = Duration::from_secs(1);

/// Whether a run may have changed something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// It may: what becomes of one that is stopped is in doubt.
    Changes,
    /// It is known not to.
    OnlyReads,
}

/// The program that the first word names: a path is taken from the command's folder, a name looked for on this process's PATH.
pub(super) fn program(command: &Command) -> Result<PathBuf, Failure> {
    let word = command.run.argv.first().map(String::as_str).unwrap_or_default();
    let runs = |path: &Path| path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0);
    if word.contains('/') {
        let path = command.cwd.join(word);
        return if runs(&path) { Ok(path) } else { Err(invocation::no_program(&command.run.argv, "that can be run")) };
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Relative entries would find what the project's folder happens to hold.
    let mut places = std::env::split_paths(&path).filter(|folder| folder.is_absolute()).map(|folder| folder.join(word));
    places.find(|path| runs(path)).ok_or_else(|| invocation::no_program(&command.run.argv, invocation::ON_PATH))
}

/// Runs a command to its end: `#{ exit_code, stdout, stderr, program }`. When its time is over or the run is cancelled it is
/// stopped, with its children.
pub(super) async fn run(command: &Command, doubt: Doubt, cx: &Cx<'_>) -> Result<Value, Failure> {
    let what = invocation::of_command(command);
    let program = program(command)?;
    let input = command.run.stdin.as_ref().map(open::body).transpose()?;
    let mut output = Output::begin(command.run.save.as_ref())?;
    let child = spawn(command, &program)?;
    let mut group = Group(child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)));
    let limit = command.run.timeout;
    let ended = {
        let ending = to_its_end(child, input, &mut output);
        tokio::pin!(ending);
        let stopped = tokio::select! {
            biased;
            status = &mut ending => Some(status),
            () = cx.cancel.wait() => None,
            () = tokio::time::sleep(limit) => None,
        };
        match stopped {
            Some(status) => Some(status),
            None => {
                group.signal(Signal::TERM);
                let _ = tokio::time::timeout(GRACE, &mut ending).await;
                None
            }
        }
    };
    let Some(status) = ended else {
        group.end();
        return Err(match (cx.cancel.is_set(), doubt) {
            (true, Doubt::OnlyReads) => cancelled(),
            (true, Doubt::Changes) => invocation::lost(&what, "it was stopped when the run was cancelled"),
            (false, Doubt::OnlyReads) => failures::late(&what, limit),
            (false, Doubt::Changes) => invocation::stopped(&what, limit),
        });
    };
    group.0 = None;
    let status = status.map_err(|error| invocation::lost(&what, &error.kind().to_string()))?;
    let shown = program.to_string_lossy().into_owned();
    output.ended(&what, &command.run, exit_code(status), [("program", shown.into())], cx.mask)
}

fn spawn(command: &Command, program: &Path) -> Result<Child, Failure> {
    #[allow(clippy::disallowed_methods)] // The connector to this machine.
    let mut child = tokio::process::Command::new(program);
    let words = command.run.argv.iter().map(|word| OsString::from(word.as_str()));
    child.arg0(words.clone().next().unwrap_or_default()).args(words.skip(1)).current_dir(&command.cwd);
    child.env_clear().envs(child_environment()).process_group(0);
    for (name, value) in &command.env {
        child.env(name, open::body(value)?);
    }
    let stdin = if command.run.stdin.is_some() { Stdio::piped() } else { Stdio::null() };
    child.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
    child.spawn().map_err(|error| {
        let failure = Failure::new(Kind::Failed, format!("{} cannot be started: {error}", program.display()));
        if error.raw_os_error() == Some(7) { failure.hint("its words are too many: pass them by `stdin`") } else { failure }
    })
}

/// Feeds a program, takes its output and waits for its end, all at the same time.
async fn to_its_end(mut child: Child, input: Option<String>, output: &mut Output) -> std::io::Result<ExitStatus> {
    let (mut out, mut err) = (child.stdout.take(), child.stderr.take());
    let stdin = child.stdin.take();
    let feeding = async {
        if let (Some(mut stdin), Some(input)) = (stdin, input) {
            // A program that does not read to the end closes it: what counts is how it ends.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
    };
    let taking = async {
        let (mut from_out, mut from_err) = (vec![0; 64 << 10], vec![0; 16 << 10]);
        while out.is_some() || err.is_some() {
            tokio::select! {
                read = piece(&mut out, &mut from_out), if out.is_some() => output.push(Stream::Out, &from_out[..read]),
                read = piece(&mut err, &mut from_err), if err.is_some() => output.push(Stream::Err, &from_err[..read]),
            }
        }
    };
    tokio::pin!(feeding, taking);
    let (mut fed, mut taken) = (false, false);
    let status = loop {
        tokio::select! {
            status = child.wait() => break status,
            () = &mut feeding, if !fed => fed = true,
            () = &mut taking, if !taken => taken = true,
        }
    };
    if !taken {
        // Pipes stay open as long as anything that it has started has them.
        let _ = tokio::time::timeout(AFTERWARDS, taking).await;
    }
    status
}

/// Reads from a pipe; nothing more comes from one that is at its end.
async fn piece(pipe: &mut Option<impl AsyncRead + Unpin>, buffer: &mut [u8]) -> usize {
    let Some(open) = pipe else { return 0 };
    let read = open.read(buffer).await.unwrap_or(0);
    if read == 0 {
        *pipe = None;
    }
    read
}

/// The exit code as a shell tells it: 128 and the signal's number for a program that a signal ended.
fn exit_code(status: ExitStatus) -> i64 {
    use std::os::unix::process::ExitStatusExt as _;
    i64::from(status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1))
}

/// A process group that does not outlive its owner's interest in it.
struct Group(Option<Pid>);

impl Group {
    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.0 {
            let _ = kill_process_group(pid, signal);
        }
    }

    fn end(&mut self) {
        self.signal(Signal::KILL);
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::operation::{Invocation, Save};
    use crate::model::{Secret, Sent};
    use crate::platform::Cancel;
    use crate::platform::real::runtime::Runtime;

    fn command(folder: &Path, argv: &[&str]) -> Command {
        let argv = argv.iter().map(|word| (*word).to_owned()).collect();
        let run = Invocation { argv, stdin: None, ok_exit: vec![0], save: None, timeout: Duration::from_secs(20) };
        Command { run, env: Vec::new(), cwd: folder.to_owned(), shown_cwd: None, tunnels: Vec::new() }
    }

    fn ended(command: &Command, doubt: Doubt, cancel: &Cancel) -> Result<Value, Failure> {
        Runtime::default().block_until_done(run(command, doubt, &Cx::quiet(cancel)))
    }

    fn done(command: &Command) -> Result<Value, Failure> {
        ended(command, Doubt::Changes, &Cancel::default())
    }

    #[test]
    fn words_are_no_shells_and_the_path_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let answer = done(&command(folder.path(), &["echo", "$HOME; `ls`", "a b", "*"])).unwrap();
        assert_eq!((answer.str_at(&["stdout"]), answer.int_at(&["exit_code"])), (Some("$HOME; `ls` a b *\n"), Some(0)));
        assert!(answer.str_at(&["program"]).unwrap().ends_with("/echo"));
        let failure = done(&command(folder.path(), &["no-such-program"])).unwrap_err();
        assert_eq!((failure.kind, failure.sent), (Kind::NotFound, Sent::No));
        // What lies in the folder is found by its path only, and only if it can be run.
        std::fs::write(folder.path().join("tool"), "#!/bin/sh\necho tool $0\n").unwrap();
        assert_eq!(done(&command(folder.path(), &["./tool"])).unwrap_err().kind, Kind::NotFound);
        std::fs::set_permissions(folder.path().join("tool"), std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(done(&command(folder.path(), &["tool"])).unwrap_err().kind, Kind::NotFound);
        assert!(done(&command(folder.path(), &["./tool"])).unwrap().str_at(&["stdout"]).unwrap().starts_with("tool "));
    }

    #[test]
    fn input_environment_and_both_outputs_pass_at_the_same_time() {
        let folder = tempfile::tempdir().unwrap();
        // More than a pipe holds, in all three directions at once.
        let text = "0123456789abcdef".repeat(32 << 10);
        let mut both = command(folder.path(), &["sh", "-c", "tee /dev/stderr"]);
        both.run.stdin = Some(Value::Secret(Secret::new("env:T", text.clone())));
        let answer = done(&both).unwrap();
        assert!(answer.str_at(&["stdout"]) == Some(&text) && answer.str_at(&["stderr"]) == Some(&text));
        let mut env = command(folder.path(), &["sh", "-c", "echo $TOKEN $N; env | cut -d= -f1; pwd; cat"]);
        env.env = vec![("TOKEN".into(), Value::Secret(Secret::new("env:T", "hunter2hunter2"))), ("N".into(), 7.into())];
        let said = done(&env).unwrap().str_at(&["stdout"]).unwrap().to_owned();
        assert!(said.starts_with("hunter2hunter2 7\n") && said.contains("\nPATH\n") && !said.contains("CARGO"), "{said}");
        assert!(said.contains(folder.path().canonicalize().unwrap().to_str().unwrap()), "{said}");
        // One that reads nothing of what it is given ends as it ends.
        let mut deaf = command(folder.path(), &["true"]);
        deaf.run.stdin = Some(text.into());
        assert_eq!(done(&deaf).unwrap().int_at(&["exit_code"]), Some(0));
    }

    #[test]
    fn exit_codes_and_signals_are_told_with_the_last_words() {
        let folder = tempfile::tempdir().unwrap();
        let mut three = command(folder.path(), &["sh", "-c", "echo one >&2; echo no such table >&2; exit 3"]);
        let failure = done(&three).unwrap_err();
        assert_eq!((failure.kind, failure.sent), (Kind::Failed, Sent::Yes));
        assert!(failure.message.ends_with("ended with exit code 3: one | no such table"), "{}", failure.message);
        three.run.ok_exit = vec![0, 3];
        assert_eq!(done(&three).unwrap().int_at(&["exit_code"]), Some(3));
        let failure = done(&command(folder.path(), &["sh", "-c", "kill -9 $$"])).unwrap_err();
        assert!(failure.message.ends_with("ended with exit code 137"), "{}", failure.message);
    }

    #[test]
    fn a_gigabyte_is_counted_or_saved_and_never_held() {
        let folder = tempfile::tempdir().unwrap();
        let mut much = command(folder.path(), &["head", "-c", "1000000000", "/dev/zero"]);
        let failure = done(&much).unwrap_err();
        assert_eq!(failure.kind, Kind::TooLarge);
        assert!(failure.message.contains("exit code 0, but its output of 1000000000 bytes"), "{}", failure.message);
        much.run.save = Some(Save { path: folder.path().join("zeros"), shown: "zeros".into(), keep: false });
        // Hashing is slow without optimisation.
        much.run.argv[2] = "64000000".into();
        let answer = done(&much).unwrap();
        assert_eq!(answer.int_at(&["saved", "bytes"]), Some(64_000_000));
    }

    /// A shell that goes on for ever, with a child that does so too; both say their ids.
    fn endless(folder: &Path, trap: &str) -> Command {
        let script = format!("{trap} sleep 60 & echo $! > child; echo $$ > self; while :; do sleep 0.1; done");
        command(folder, &["sh", "-c", &script])
    }

    fn is_gone(folder: &Path, name: &str) -> bool {
        let stat = format!("/proc/{}/stat", std::fs::read_to_string(folder.join(name)).unwrap().trim());
        // The kernel takes a moment to bury it.
        (0..200).any(|_| {
            std::thread::sleep(Duration::from_millis(10));
            !std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z "))
        })
    }

    #[test]
    fn what_takes_too_long_is_stopped_with_its_children() {
        for (trap, doubt, kind) in
            [("", Doubt::Changes, Kind::InDoubt), ("trap '' TERM;", Doubt::Changes, Kind::InDoubt), ("", Doubt::OnlyReads, Kind::Timeout)]
        {
            let folder = tempfile::tempdir().unwrap();
            let mut endless = endless(folder.path(), trap);
            endless.run.timeout = Duration::from_millis(500);
            let failure = ended(&endless, doubt, &Cancel::default()).unwrap_err();
            assert_eq!(failure.kind, kind, "{}", failure.message);
            assert!(is_gone(folder.path(), "self") && is_gone(folder.path(), "child"), "{trap:?}: something is still there");
        }
    }

    #[test]
    fn a_cancelled_run_stops_what_it_has_started() {
        for (doubt, kind) in [(Doubt::Changes, Kind::InDoubt), (Doubt::OnlyReads, Kind::Cancelled)] {
            let folder = tempfile::tempdir().unwrap();
            let cancel = Cancel::default();
            let (other, place) = (cancel.clone(), folder.path().to_owned());
            let setter = std::thread::spawn(move || {
                while !place.join("self").metadata().is_ok_and(|meta| meta.len() > 0) {
                    std::thread::sleep(Duration::from_millis(5));
                }
                other.set();
            });
            let failure = ended(&endless(folder.path(), ""), doubt, &cancel).unwrap_err();
            setter.join().unwrap();
            assert_eq!(failure.kind, kind, "{}", failure.message);
            assert!(is_gone(folder.path(), "self") && is_gone(folder.path(), "child"), "something is still there");
        }
    }

    #[test]
    fn what_it_leaves_running_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let answer = done(&command(folder.path(), &["sh", "-c", "sleep 5 & echo $! > child; echo begun"])).unwrap();
        assert_eq!(answer.str_at(&["stdout"]), Some("begun\n"));
        let pid = std::fs::read_to_string(folder.path().join("child")).unwrap().trim().parse().unwrap();
        assert!(rustix::process::kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).is_ok(), "it was stopped");
    }
}
