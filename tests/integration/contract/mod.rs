//! One contract suite: the same world files and the same cases for worlds and for the real systems.
//!
//! `worlds/contract.yaml` is loaded as a world, and applied to a fresh namespace, fresh databases and fresh addresses of the real
//! systems (`fixture.rs`). The cases of `cases/*.rhai` must come to the same on both (`case.rs`); `coverage.rs` sees to it that
//! every function, option and kind of error has one.

mod case;
mod channels;
mod cluster;
mod coverage;
mod data;
mod expect;
mod fixture;
mod objects;
mod rehearsal;
mod services;

use std::time::{Duration, Instant};

use case::Case;
use fixture::{Fixture, Side};

const PLATFORM: &str = include_str!("worlds/platform.toml");
const WORLD: &str = include_str!("worlds/contract.yaml");

/// The files whose cases run together, in one script a side.
const TOGETHER: &[&str] = &[
    include_str!("cases/workloads.rhai"),
    include_str!("cases/programs.rhai"),
    include_str!("cases/nodes.rhai"),
    include_str!("cases/http.rhai"),
    concat!(include_str!("cases/data.rhai"), "\n", include_str!("cases/data_changes.rhai")),
    include_str!("cases/people.rhai"),
    include_str!("cases/flow.rhai"),
    include_str!("cases/changes.rhai"),
    include_str!("cases/objects.rhai"),
    include_str!("cases/drain.rhai"),
    include_str!("cases/values.rhai"),
    include_str!("cases/machine.rhai"),
];
/// Cases that end the run.
const ALONE: &str = include_str!("cases/alone.rhai");
/// Cases about figures that the real systems have only after a while.
const METRICS: &str = include_str!("cases/metrics.rhai");
/// A script that is rehearsed.
const REHEARSAL: &str = include_str!("rehearsal.rhai");
/// A script whose failure takes its changes back.
const ROLLBACK: &str = r#"
step "Scale" { scale("deployment/undone", 4); wait_ready("deployment/undone"); }
step "Look" { check(get("deployment/undone").status.readyReplicas == 2, "it has changed"); } rollback { note(`back from ${get("deployment/undone").spec.replicas}`); }
"#;
/// A script that shows a table, a tree, rows by their shape and in full, and texts.
const SHOWN: &str = r#"
show(rollout_status("shop"), #{ title: "The shop" });
show(pods("shop").map(|pod| #{ workload: pod.workload, phase: pod.phase, ready: pod.ready, restarts: pod.restarts }));
show(sql("postgres", "SELECT * FROM shop.orders ORDER BY id"));
show(sql("postgres", "SELECT * FROM shop.orders ORDER BY id"), #{ reveal: true });
show(mongo("mongodb", #{ find: "sessions" }), #{ reveal: true });
show(logs("pod/postgres-0", #{ tail: 1 }).len());
show(http_get("api/text").body);
show([]);
show(());
"#;
/// The repository's own platform, and its worlds with the runbooks that they are for.
const REPOSITORY: &str = include_str!("../../../runbook.toml");
const EXAMPLES: [(&str, &str); 2] = [
    (include_str!("../../../examples/worlds/outage.yaml"), include_str!("../../../scripts/emergency/system-outage.rhai")),
    (include_str!("../../../examples/worlds/slow-gateway.yaml"), include_str!("../../../scripts/api-gateway/high-response-times.rhai")),
];
/// The longest wait for those figures.
const FIGURES: Duration = Duration::from_secs(60);

const ANSWERS: [&str; 12] = [
    "--answer",
    "go=yes",
    "--answer",
    "stop=no",
    "--answer",
    "cause=LEAK",
    "--answer",
    "slip=laod",
    "--answer",
    "call=yes, left a message",
    "--answer",
    "busy=no nobody answers",
];

#[test]
fn worlds_and_real_systems_answer_alike() {
    let begun = Instant::now();
    let fixture = Fixture::new(PLATFORM, WORLD);
    let cases = |text: &str| case::parse(&fixture.spoken(text));
    let together: Vec<Vec<Case>> = TOGETHER.iter().map(|text| cases(text)).collect();
    let (alone, metrics) = (cases(ALONE), cases(METRICS));
    let before = fixture.generations();
    let (mut wrong, rehearsal) = rehearsal::alike(&fixture, &fixture.spoken(REHEARSAL), &["--dry-run"]);
    assert_eq!(fixture.generations(), before, "the rehearsal has changed something");
    rehearsal.says(&[("provenance", "simulated"), ("provenance", "stale"), ("finding", "unproven"), ("finding", "stale_decision")]);
    wrong.extend(objects::beyond(&fixture));
    let (differences, rollback) = rehearsal::alike(&fixture, ROLLBACK, &["--answer", "rollback=yes"]);
    wrong.extend(differences);
    rollback.says(&[("function", "rollback"), ("state", "rolled_back")]);
    let shown = Side::BOTH.map(|side| fixture.shown(side, SHOWN));
    if shown[0] != shown[1] || shown[0].lines().count() < 10 {
        wrong.push(format!("shown otherwise:\n{}\n\n{}", shown[0], shown[1]));
    }
    for side in Side::BOTH {
        // Most of what a script does on the real systems is waiting.
        std::thread::scope(|scope| {
            let fixture = &fixture;
            let runs = together.iter().map(|cases| scope.spawn(move || case::run_together(fixture, side, cases, &ANSWERS)));
            let runs: Vec<_> = runs.collect();
            wrong.extend(case::run_alone(fixture, side, &alone));
            wrong.extend(runs.into_iter().flat_map(|run| run.join().unwrap()));
        });
    }
    for (world, script) in EXAMPLES {
        let fixture = Fixture::new(REPOSITORY, world);
        wrong.extend(rehearsal::alike(&fixture, script, &["--dry-run"]).0);
    }
    wrong.extend(case::run_together(&fixture, Side::World, &metrics, &[]));
    let figures = loop {
        let wrong = case::run_together(&fixture, Side::Real, &metrics, &[]);
        if wrong.is_empty() || begun.elapsed() > FIGURES {
            break wrong;
        }
        std::thread::sleep(Duration::from_secs(1));
    };
    wrong.extend(figures);
    assert!(wrong.is_empty(), "{} cases differ:\n\n{}", wrong.len(), wrong.join("\n\n"));
}
