//! A loop without host calls: Rhai with all that a run adds to it, and Rhai alone.

use criterion::Criterion;
use rhai::{Dynamic, Engine, OptimizationLevel, Scope};

use super::support::{Bench, in_turn, took};

const LOOPS: [(&str, &str); 2] = [
    ("numbers", "let sum = 0; for i in 0..100_000 { sum += i % 7; if sum > 1_000_000 { sum -= 1_000_000; } } sum"),
    (
        "maps and texts",
        r#"let rows = []; for i in 0..2_000 { rows.push(#{ name: `pod-${i}`, restarts: i % 9 }); }
           let worst = rows.filter(|row| row.restarts > 6).map(|row| row.name.to_upper()); worst.len()"#,
    ),
];

pub(super) fn bench(_: &mut Criterion) {
    for (name, text) in LOOPS {
        let mut bare = Engine::new();
        bare.set_optimization_level(OptimizationLevel::None);
        let ast = bare.compile(text).unwrap();
        let bench = Bench::new(text);
        let ready = bench.ready();
        let alone = || took(|| drop(bare.eval_ast_with_scope::<Dynamic>(&mut Scope::new(), &ast).unwrap()));
        in_turn(&format!("loop/{name}"), ("in a run", || took(|| ready.evaluate())), ("in Rhai alone", alone));
    }
}
