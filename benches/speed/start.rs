//! From the start of the process to the end of its first host call, seen from outside: the first byte that `show` prints.

use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use criterion::Criterion;

use super::support::{Bench, in_turn, repository, took};

pub(super) fn bench(_: &mut Criterion) {
    let bench = Bench::new("show(\"first\");");
    let runbook = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_runbook"));
        command.arg("run").arg(bench.script()).args(["--world", "--journal"]).arg(bench.folder().join("journal"));
        first_byte(command)
    };
    // What any process costs, the measuring included.
    let echo = || {
        let mut command = Command::new("/bin/echo");
        command.arg("first");
        first_byte(command)
    };
    in_turn("start", ("to the first host call", runbook), ("to echo's first byte", echo));
}

fn first_byte(mut command: Command) -> Duration {
    let command = command.current_dir(repository()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = None;
    let took = took(|| {
        let started = child.insert(command.spawn().unwrap());
        started.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    });
    let mut child = child.unwrap();
    child.stdout.take().unwrap().read_to_end(&mut Vec::new()).unwrap();
    assert!(child.wait().unwrap().success());
    took
}
