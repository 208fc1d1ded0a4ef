//! Calls a second: whole rehearsals in the healthy world, from the configuration to the journal's footer.

use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput};
use runbook::call::Latch;
use runbook::call::ui::Silent;
use runbook::run::{self, batch};

use super::support::Bench;

/// Calls of one run.
const CALLS: u64 = 10_000;

/// What is called, and the calls of one turn.
const TURNS: [(&str, u64, &str); 5] = [
    ("now", 1, "now();"),
    ("get", 1, r#"get("deployment/api-gateway");"#),
    ("scale", 1, r#"scale("deployment/api-gateway", 3 + i % 5);"#),
    ("http_health", 1, r#"http_health("api-gateway");"#),
    // A runbook's daily bread, in about its proportions.
    (
        "mixed",
        5,
        r#"get("deployment/api-gateway"); scale("api-gateway", 3 + i % 5); wait_ready("api-gateway"); http_health("api-gateway"); check(true, "well");"#,
    ),
];

pub(super) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("calls");
    group.throughput(Throughput::Elements(CALLS)).sample_size(10);
    for (name, calls, turn) in TURNS {
        let script = format!("for i in 0..{} {{ {turn} }}", CALLS / calls);
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || Bench::new(&script),
                |bench| {
                    let request = bench.request();
                    let loaded = batch::load(&request).map_err(|diagnostic| diagnostic.failure).unwrap();
                    let finished = run::run(&request, loaded, Arc::new(Silent), Arc::new(Latch::default())).unwrap();
                    assert_eq!((finished.summary.exit, finished.summary.calls), (0, CALLS));
                    (bench, finished.summary)
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}
