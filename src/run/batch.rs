//! A script, run once from its beginning to its end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, PoisonError};

use super::{Loaded, Passed, Problem, Request, Stage, Summary, exit, rollback, setup};
use crate::call::ledger::Found;
use crate::call::{Latch, Mode, Ui};
use crate::config::Config;
use crate::engine::{self, Diagnostic, Script, Shared, header, steps};
use crate::journal::entry::End;
use crate::model::{Effect, Failure, Kind};

/// Reads the configuration and the script. Nothing is trusted, opened or begun.
pub fn load(request: &Request) -> Result<Loaded, Diagnostic> {
    let plain = |failure: Failure| Diagnostic::at(failure, Default::default());
    let given = Path::new(&request.script);
    let own = given.is_file().then_some(given);
    let config = Config::load(&request.folder, own, &request.dirs).map_err(|error| plain(error.into()))?;
    let path = engine::script::locate(&config.root, &request.script).map_err(plain)?;
    let parser = engine::parser();
    let script = Script::load(&parser, &config.root, &path)?;
    Ok(Loaded { config, script, parser })
}

/// A run that ended, whatever it ended in.
pub struct Finished {
    /// What it came to.
    pub summary: Summary,
    /// How it failed.
    pub diagnostic: Option<Diagnostic>,
}

/// Runs a script. The error is what kept the run from beginning: then nothing was done, and there is no journal.
pub fn run(request: &Request, loaded: Loaded, ui: Arc<dyn Ui>, latch: Arc<Latch>) -> Result<Finished, Failure> {
    let Loaded { config, script, parser } = loaded;
    if request.dry_run && matches!(request.stage, Stage::Replay(_)) {
        return Err(Failure::bad_argument("a replay changes nothing by itself; --dry-run has no meaning with it"));
    }
    let config = Arc::new(config);
    let gate = gate(request, &script)?;
    let mut staged = setup::stage(request, &config, &latch)?;
    let gate = staged.steps.take().map_or(gate, steps::Gate::recorded);
    let given = header::parameters(script.header.as_ref(), &request.params);
    // A replay takes the recorded parameters unless others are given.
    let params = match (&staged.params, request.params.is_empty()) {
        (Some(recorded), true) => recorded.clone(),
        _ => given?,
    };
    let root = config.root.clone();
    let pipeline = setup::pipeline(request, config, staged, Some(&script), &params, ui, latch)?;
    // What comes in by the command line is masked like what comes from a system.
    let params = pipeline.masker.value(params);
    let shared = Shared::gated(pipeline, params, gate);
    shared.pipeline.ui.event(&crate::call::ui::Event::Run(&started(&shared, &script)));
    let engine = engine::build(parser, &shared, &root);
    let result = unless_panicked(&script, || engine::run(&engine, &shared, &script).map(|_| ()));
    let result = match result {
        Ok(()) => all_replayed(&shared, &script).and_then(|()| begun(request, &shared, &script)),
        Err(diagnostic) => Err(failed_early(&shared, diagnostic)),
    };
    let mut diagnostic = result.err();
    if let Some(diagnostic) = &mut diagnostic {
        let masker = &shared.pipeline.masker;
        diagnostic.failure = masker.failure(diagnostic.failure.clone());
        let text = |name: &str| script.source(name);
        // The script's own line may hold a secret too.
        shared.pipeline.ui.event(&crate::call::ui::Event::Failed(&|colour| masker.text(diagnostic.render(&text, colour))));
        if shared.pipeline.mode == Mode::Apply
            && !matches!(request.stage, Stage::Replay(_))
            && let Err(failure) = rollback::offer(&engine, &shared)
        {
            shared.pipeline.ui.event(&crate::call::ui::Event::Note(&format!("the rollback failed: {}", failure.message)));
        }
    }
    // A run that failed may not have come to its questions; what is nearly another question's name is a mistake all the same.
    for strange in shared.pipeline.answers.unasked().into_iter().filter(|strange| diagnostic.is_none() || strange.contains("did you mean"))
    {
        shared.pipeline.ui.event(&crate::call::ui::Event::Note(&shared.pipeline.masker.text(strange)));
    }
    Ok(finish(&shared, Some(&script), diagnostic))
}

/// A panic fails the run like anything else: what was changed is still told, recorded and offered to be taken back.
fn unless_panicked(script: &Script, run: impl FnOnce() -> Result<(), Diagnostic>) -> Result<(), Diagnostic> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
        let failure = Failure::new(Kind::Failed, "the run panicked; this is a fault of runbook itself");
        let at = crate::model::Position { file: script.name.as_str().into(), ..Default::default() };
        Err(Diagnostic::at(failure.hint("what the script did last stands in the journal"), at))
    })
}

/// Which steps are to run.
fn gate(request: &Request, script: &Script) -> Result<steps::Gate, Failure> {
    let listed = steps::list(&script.ast);
    let from = request.from.as_deref().map(|wanted| steps::find(&listed, wanted)).transpose()?;
    Ok(steps::Gate::new(&script.name, from, request.interactive))
}

/// A run that never came to the step that it was to begin with has done nothing of what was asked.
fn begun(request: &Request, shared: &Shared, script: &Script) -> Result<(), Diagnostic> {
    if !shared.gate.is_waiting() {
        return Ok(());
    }
    let wanted = request.from.as_deref().unwrap_or_default();
    let failure = Failure::new(Kind::Failed, format!("the script ended and never came to the step {wanted:?}: no step was run"));
    Err(Diagnostic::at(failure, crate::model::Position { file: script.name.as_str().into(), ..Default::default() }))
}

fn started(shared: &Shared, script: &Script) -> crate::call::ui::Started {
    let pipeline = &shared.pipeline;
    crate::call::ui::Started {
        run: pipeline.journal.run_id().to_owned(),
        script: script.name.clone(),
        title: script.title().unwrap_or_default().to_owned(),
        environment: pipeline.platform.environment().name.clone(),
        platform: pipeline.platform_name.clone(),
        dry_run: pipeline.mode == Mode::Rehearse,
    }
}

/// A replay whose script ended before the recording did has diverged too.
fn all_replayed(shared: &Shared, script: &Script) -> Result<(), Diagnostic> {
    match shared.pipeline.history.left() {
        0 => Ok(()),
        left => {
            let failure = Failure::new(Kind::Diverged, format!("the script ended, and {left} recorded calls were not made"));
            Err(Diagnostic::at(failure, crate::model::Position { file: script.name.as_str().into(), ..Default::default() }))
        }
    }
}

/// A replay whose script failed before the recording ended has diverged, unless the recorded run failed like it: what was
/// recorded after that took it back.
fn failed_early(shared: &Shared, mut diagnostic: Diagnostic) -> Diagnostic {
    let (history, failure) = (&shared.pipeline.history, &diagnostic.failure);
    let alike = history.failure().is_some_and(|recorded| recorded.kind == failure.kind && recorded.message == failure.message);
    let left = history.left();
    if left > 0 && !alike && !failure.kind.latches() {
        let calls = if left == 1 { "1 recorded call was" } else { &format!("{left} recorded calls were") };
        diagnostic.failure = Failure::new(Kind::Diverged, format!("the script failed, and {calls} not made: {}", failure.message))
            .hint("the recorded run did not fail there");
    }
    diagnostic
}

/// Writes the footer and sums up; a sitting has no script.
pub fn finish(shared: &Shared, script: Option<&Script>, mut diagnostic: Option<Diagnostic>) -> Finished {
    let pipeline = &shared.pipeline;
    let passed: Vec<Passed> = shared
        .passed_failures
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .drain(..)
        .map(|(step, failure)| Passed { step, failure })
        .collect();
    let mut ledger = std::mem::take(&mut *pipeline.ledger());
    ledger.changes.sort_by(|a, b| a.id.cmp(&b.id));
    ledger.findings.sort_by(|a, b| a.id.cmp(&b.id));
    let (mut status, mut exit) = match &diagnostic {
        Some(diagnostic) => exit::of(diagnostic.failure.kind),
        None if !passed.is_empty() => ("failed", exit::FAILED),
        None => ("ok", exit::OK),
    };
    // A write that nobody knows the end of outweighs how the script took it.
    if ledger.changes.iter().any(|change| change.status == "in_doubt") && exit != exit::JOURNAL {
        (status, exit) = exit::of(Kind::InDoubt);
    }
    let elapsed = pipeline.platform.clock().elapsed();
    let duration_ms = (elapsed.as_secs_f64() * 1e6).round() / 1e3;
    let footer = End {
        status: status.to_owned(),
        exit,
        ms: duration_ms,
        calls: ledger.calls,
        changes: ledger.changes.iter().filter(|change| change.is_made()).count() as u64,
        failure: diagnostic.as_ref().map(|diagnostic| diagnostic.failure.clone()),
    };
    if let Err(failure) = pipeline.journal.finish(pipeline.platform.clock().now(), footer)
        && exit != exit::JOURNAL
    {
        (status, exit) = exit::of(failure.kind);
        diagnostic = Some(Diagnostic::at(failure, Default::default()));
    }
    // A refused change is found, not failed: the rehearsal went through, and says what would not.
    if exit == exit::OK && ledger.findings.iter().any(|finding| finding.finding == Found::Refused) {
        (status, exit) = ("failed", exit::FAILED);
    }
    let environment = pipeline.platform.environment().name.clone();
    let (changes, messages) = ledger.changes.into_iter().partition(|change| change.effect == Effect::Change);
    let summary = Summary {
        run: pipeline.journal.run_id().to_owned(),
        script: script.map(|script| script.name.clone()).unwrap_or_default(),
        title: script.and_then(Script::title).unwrap_or_default().to_owned(),
        environment,
        platform: pipeline.platform_name.clone(),
        dry_run: pipeline.mode == Mode::Rehearse,
        params: shared.params(),
        status,
        exit,
        duration_ms,
        calls: ledger.calls,
        changes,
        messages,
        findings: ledger.findings,
        passed,
        error: diagnostic.as_ref().map(|diagnostic| Problem {
            failure: diagnostic.failure.clone(),
            file: diagnostic.at.file.to_string(),
            line: diagnostic.at.line,
            column: diagnostic.at.column,
        }),
        journal: pipeline.journal.path().to_owned(),
    };
    Finished { summary, diagnostic }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_failure_of_the_run() {
        let script = Script::parse(&engine::parser(), Path::new("."), "x.rhai", "1").unwrap_or_else(|error| panic!("{error:?}"));
        let failed = unless_panicked(&script, || panic!("capacity overflow")).unwrap_err();
        assert_eq!((failed.failure.kind, &*failed.at.file), (Kind::Failed, "x.rhai"));
        assert!(failed.failure.message.contains("a fault of runbook itself"));
        assert_eq!(unless_panicked(&script, || Ok(())), Ok(()));
    }

    /// A terminal that breaks down at the script's note, and remembers what it is asked.
    #[derive(Default)]
    struct Breaking(std::sync::Mutex<Vec<String>>);

    impl Ui for Breaking {
        fn event(&self, event: &crate::call::ui::Event<'_>) {
            assert!(!matches!(event, crate::call::ui::Event::Note("x")), "broken");
        }
        fn show(&self, _: &crate::model::Value, _: Option<&str>) {}
        fn ask(&self, question: &crate::call::ui::Question) -> Option<String> {
            self.0.lock().unwrap().extend(question.details.iter().cloned());
            None
        }
    }

    #[test]
    fn a_step_that_panicked_is_offered_as_failed() {
        let folder = crate::journal::testing::closed_folder();
        let text = "step \"One\" { scale(\"a\", 2); } step \"Two\" { scale(\"a\", 3); note(\"x\"); }";
        std::fs::write(folder.path().join("x.rhai"), text).unwrap();
        let dirs = crate::config::Dirs { config: folder.path().join("config"), state: folder.path().join("state") };
        std::fs::write(folder.path().join("runbook.toml"), "[services.a]\nworkload = \"deployment/a\"\n").unwrap();
        let (script, folder) = (folder.path().join("x.rhai").display().to_string(), folder.path().to_owned());
        let request = Request { script, folder, dirs, stage: Stage::HealthyWorld, ..Request::default() };
        let ui = Arc::new(Breaking::default());
        let loaded = load(&request).map_err(|diagnostic| diagnostic.failure).unwrap();
        let finished = run(&request, loaded, ui.clone(), Arc::new(Latch::default())).unwrap();
        assert!(finished.diagnostic.unwrap().failure.message.contains("the run panicked"));
        let asked = ui.0.lock().unwrap().clone();
        let inverses = "the recorded inverses of deployment/a";
        assert_eq!(asked, [format!("Two (failed): {inverses}"), format!("One (finished): {inverses}")]);
    }
}
