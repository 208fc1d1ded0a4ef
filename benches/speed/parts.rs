//! The parts that every call passes: a world's answer, the masker, a journal's line.

use std::borrow::Cow;
use std::sync::Arc;

use criterion::{Criterion, Throughput};
use jiff::Timestamp;
use runbook::call::mask::Masker;
use runbook::config::Config;
use runbook::journal::entry::{CallHead, CallLine, Ending, Entry, Header};
use runbook::journal::{Durability, Writer};
use runbook::map;
use runbook::model::{CallId, Effect, ObjectRef, Provenance, Read, ResourceKind, Secret, Value};
use runbook::platform::world::World;
use runbook::platform::{Cancel, Cx, Observe};

use super::support::{Bench, repository};

pub(super) fn bench(criterion: &mut Criterion) {
    let bench = Bench::new("");
    let config = Arc::new(Config::load(repository(), None, &bench.request().dirs).unwrap());
    let world = World::healthy(config.clone(), config.world_environment(None).unwrap(), Timestamp::UNIX_EPOCH).unwrap();
    let object = Read::Object(ObjectRef::new(ResourceKind::find("deployment").unwrap(), &world.environment().namespace, "api-gateway"));
    let cancel = Cancel::default();
    let read = || world.read(&object, &Cx::quiet(&cancel)).unwrap().value;
    criterion.bench_function("part/read of a settled object", |bencher| bencher.iter(read));

    let deployment = read();
    criterion.bench_function("part/clone of that object", |bencher| bencher.iter(|| deployment.clone()));

    let masker = Masker::new(Default::default());
    masker.learn((0..20).map(|number| Secret::new("bench", format!("correct-horse-battery-{number}"))));
    let log = "2026-11-23T00:00:00Z ERROR upstream timed out after 5000 ms\n".repeat(1_000);
    let mut group = criterion.benchmark_group("part");
    group.throughput(Throughput::Bytes(log.len() as u64));
    group.bench_function("masking a log, 20 secrets", |bencher| bencher.iter_with_setup(|| log.clone(), |log| masker.text(log)));
    group.throughput(Throughput::Elements(1));

    let mut header = Header { run: "bench-0000".into(), ..Header::default() };
    let journal = Writer::create(&bench.folder().join("journal"), &mut header, Timestamp::UNIX_EPOCH, Durability::Buffered).unwrap();
    let args = Value::List(vec!["api-gateway".into()]);
    let answer = map! { "service" => "api-gateway", "ok" => true, "status" => 200, "latency_ms" => 4.2 };
    let line = Entry::Call(CallLine {
        call: CallHead {
            id: CallId(vec![12]),
            step: Some(Cow::Borrowed("Diagnose")),
            function: Cow::Borrowed("http_health"),
            target: Some(Cow::Borrowed("api-gateway")),
            effect: Effect::Read,
            args: Cow::Borrowed(&args),
            file: Cow::Borrowed("scripts/api-gateway/high-response-times.rhai"),
            line: 31,
        },
        end: Ending { ms: 4.2, provenance: Provenance::Live, answer: Some(Cow::Borrowed(&answer)), payload: None, failure: None },
    });
    group.bench_function("a line of the journal", |bencher| {
        bencher.iter(|| journal.append(Timestamp::UNIX_EPOCH, &line).unwrap());
    });
    group.finish();
}
