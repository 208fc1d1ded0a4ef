//! A recorded run as history.

use std::collections::HashMap;

use crate::call::Change;
use crate::call::history::{Recorded, Replay, revived};
use crate::journal::entry::{Entry, StepState};
use crate::journal::{Journal, RecordedCall};
use crate::model::{Effect, Failure, Value};

/// The history that replays a whole run. Calls that were cut off are not in it: the replay stops there by name.
pub fn replay(journal: &Journal) -> Result<Replay, Failure> {
    let mut calls = HashMap::new();
    for call in journal.calls()? {
        if !call.ended {
            continue;
        }
        let result = match &call.failure {
            Some(failure) => Err(failure.clone()),
            None => Ok(revived(journal.answer_of(&call)?.unwrap_or(Value::Null))),
        };
        let recorded = Recorded {
            function: call.function.clone(),
            target: call.target.clone(),
            args: call.args.clone(),
            place: format!("{}:{}", call.file, call.line),
            result,
            changes: changes(&call),
        };
        calls.insert(call.id, recorded);
    }
    let failure = journal.lines.iter().rev().find_map(|line| match &line.entry {
        Entry::End(end) => Some(end.failure.clone()),
        _ => None,
    });
    Ok(Replay::new(journal.header.run.clone(), calls, failure.flatten()))
}

/// The steps that were begun or skipped, in their order: title, line, whether it was skipped.
pub fn steps(journal: &Journal) -> Vec<(String, u32, bool)> {
    let begun = journal.lines.iter().filter_map(|line| match &line.entry {
        Entry::Step(step) if matches!(step.state, StepState::Started | StepState::Skipped) => Some(step),
        _ => None,
    });
    begun.map(|step| (step.step.clone().into_owned(), step.at.line, step.state == StepState::Skipped)).collect()
}

/// A recorded call's changes, as the ledger has them.
fn changes(call: &RecordedCall) -> Vec<Change> {
    let done = call.writes.iter().filter_map(|write| Some((&write.intent, write.outcome.as_ref()?)));
    done.map(|(intent, outcome)| Change {
        id: call.id.clone(),
        step: call.step.clone(),
        function: call.function.clone(),
        target: intent.object.clone().into_owned(),
        status: outcome.status.clone().into_owned(),
        before: intent.before.clone().into_owned(),
        after: intent.after.clone().into_owned(),
        tier: intent.tier,
        effect: if call.effect == Effect::Notify { Effect::Notify } else { Effect::Change },
        equivalent: intent.equivalent.clone().into_owned(),
        validated: None,
        refusal: None,
        remarks: Vec::new(),
        file: call.file.clone(),
        line: call.line,
    })
    .collect()
}
