//! From the start of the process to the end of its first host call, seen from outside: the first byte that `show` prints.

use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use criterion::Criterion;

use super::support::{Bench, repository};

pub(super) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("start");
    group.sample_size(50);
    let bench = Bench::new("show(\"first\");");
    group.bench_function("to the first host call", |bencher| {
        bencher.iter_custom(|times| {
            let command = || {
                let mut command = Command::new(env!("CARGO_BIN_EXE_runbook"));
                command.arg("run").arg(bench.script()).args(["--world", "--journal"]).arg(bench.folder().join("journal"));
                command
            };
            (0..times).map(|_| first_byte(command())).sum()
        });
    });
    // What any process costs, the measuring included.
    group.bench_function("of echo", |bencher| {
        bencher.iter_custom(|times| {
            (0..times)
                .map(|_| {
                    let mut echo = Command::new("/bin/echo");
                    echo.arg("first");
                    first_byte(echo)
                })
                .sum()
        });
    });
    group.finish();
}

fn first_byte(mut command: Command) -> Duration {
    let command = command.current_dir(repository()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    #[allow(clippy::disallowed_methods)]
    let start = Instant::now();
    let mut child = command.spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    out.read_exact(&mut [0]).unwrap();
    let took = start.elapsed();
    out.read_to_end(&mut Vec::new()).unwrap();
    assert!(child.wait().unwrap().success());
    took
}
