//! What a failed run offers to take back.

use std::sync::PoisonError;

use rhai::Engine;

use crate::call::ui::{Event, Question, ROLLBACK};
use crate::engine::Shared;
use crate::engine::step::Rollback;
use crate::model::Failure;

/// Offers the rollbacks of the failed steps and of the finished ones, newest first, and runs them if a person says yes.
///
/// They are listed before they run, and the first that fails ends it: what it left must be looked at by a person.
pub fn offer(engine: &Engine, shared: &Shared) -> Result<(), Failure> {
    let mut steps = std::mem::take(&mut *shared.rollbacks.lock().unwrap_or_else(PoisonError::into_inner));
    let changed: Vec<u32> = shared.pipeline.ledger().inverses.iter().filter_map(|inverse| Some(inverse.step.as_ref()?.number)).collect();
    steps.retain(|step| !step.step.never && (step.block.is_some() || changed.contains(&step.step.number)));
    // A stable sort keeps the order in time within each half.
    steps.sort_by_key(|step| step.failed);
    steps.reverse();
    if steps.is_empty() {
        return Ok(());
    }
    // A question is no question while the run is to stop.
    shared.pipeline.latch.reopen()?;
    let details = steps.iter().map(|step| describe(shared, step)).collect();
    let question = Question {
        environment: shared.pipeline.platform.environment().name.clone(),
        text: "roll back?".to_owned(),
        details,
        choices: "[y]es [n]o".to_owned(),
    };
    let given = shared.pipeline.answers.get(ROLLBACK).map(str::to_owned);
    let Some(answer) = given.or_else(|| shared.pipeline.ui.ask(&question)) else {
        let note = "nothing was taken back, since nobody is there to answer: `--answer rollback=yes` says yes beforehand";
        shared.pipeline.ui.event(&Event::Note(note));
        return Ok(());
    };
    if !matches!(answer.trim(), "y" | "yes") {
        return Ok(());
    }
    steps.iter().try_for_each(|step| shared.roll_back(engine, step))
}

fn describe(shared: &Shared, step: &Rollback) -> String {
    let state = if step.failed { "failed" } else { "finished" };
    let how = match &step.block {
        Some(_) => "its rollback block".to_owned(),
        None => {
            let ledger = shared.pipeline.ledger();
            let own = ledger.inverses.iter().filter(|inverse| inverse.step.as_ref().is_some_and(|own| own.number == step.step.number));
            let targets: Vec<String> = own.map(|inverse| inverse.target.clone()).collect();
            format!("the recorded inverses of {}", targets.join(", "))
        }
    };
    format!("{} ({state}): {how}", step.step.title)
}
