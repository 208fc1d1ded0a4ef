//! Runs for the benchmarks: scripts in the repository's own healthy world, with nobody watching.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rhai::Engine;
use runbook::call::Latch;
use runbook::call::ui::Silent;
use runbook::config::Dirs;
use runbook::engine::{self, Script, Shared};
use runbook::model::Value;
use runbook::run::{Loaded, Request, Stage, batch, setup};

/// The repository, whose `runbook.toml` describes the platform.
pub(super) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A script in a folder of its own, and where its journals go.
pub(super) struct Bench {
    folder: tempfile::TempDir,
    script: PathBuf,
}

impl Bench {
    /// Writes the script.
    pub(super) fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("bench.rhai");
        std::fs::write(&script, text).unwrap();
        Self { folder, script }
    }

    /// The script's file.
    pub(super) fn script(&self) -> &Path {
        &self.script
    }

    /// The folder that takes journals and everything else.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A rehearsal of the script in the healthy world.
    pub(super) fn request(&self) -> Request {
        Request {
            script: self.script.display().to_string(),
            folder: repository().to_owned(),
            dirs: Dirs { config: self.folder().join("config"), state: self.folder().join("state") },
            stage: Stage::HealthyWorld,
            dry_run: true,
            ..Request::default()
        }
    }

    /// Everything that a rehearsal needs, ready to evaluate.
    pub(super) fn ready(&self) -> Ready {
        let request = self.request();
        let Loaded { config, script, parser } = batch::load(&request).map_err(|diagnostic| diagnostic.failure).unwrap();
        let root = config.root.clone();
        let (config, latch) = (Arc::new(config), Arc::new(Latch::default()));
        let staged = setup::stage(&request, &config, &latch).unwrap();
        let params = Value::Null;
        let pipeline = setup::pipeline(&request, config, staged, Some(&script), &params, Arc::new(Silent), latch).unwrap();
        let shared = Shared::new(pipeline, params);
        Ready { engine: engine::build(parser, &shared, &root), shared, script }
    }
}

/// A run that has begun, before its script's first statement.
pub(super) struct Ready {
    pub(super) engine: Engine,
    pub(super) shared: Arc<Shared>,
    pub(super) script: Script,
}

impl Ready {
    /// Evaluates the script.
    pub(super) fn evaluate(&self) {
        let _ = engine::run(&self.engine, &self.shared, &self.script).map_err(|diagnostic| diagnostic.failure).unwrap();
    }
}

/// How long it takes.
pub(super) fn took(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// Times two things in turn, so that a busy moment of the machine meets both, and prints medians, minima and their ratios.
pub(super) fn in_turn(name: &str, own: (&str, impl Fn() -> Duration), other: (&str, impl Fn() -> Duration)) {
    const TURNS: usize = 101;
    // Each goes first as often as the other.
    let turn = |number: usize| {
        if number.is_multiple_of(2) {
            (own.1(), other.1())
        } else {
            let second = other.1();
            (own.1(), second)
        }
    };
    let (mut first, mut second): (Vec<_>, Vec<_>) = (0..TURNS).map(turn).unzip();
    first.sort();
    second.sort();
    println!("{name}");
    for (of, at) in [("median", TURNS / 2), ("minimum", 0)] {
        let (a, b) = (first[at], second[at]);
        println!("    {of:<8} {a:>12.1?} {}  {b:>12.1?} {}  ratio {:.3}", own.0, other.0, a.as_secs_f64() / b.as_secs_f64());
    }
}
