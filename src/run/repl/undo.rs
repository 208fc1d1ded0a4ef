//! `:undo`: the last change taken back, shown first, asked, and made through all of the pipeline.

use super::Session;
use super::save::Became;
use crate::call::ui::{Event, Question};
use crate::engine::Diagnostic;
use crate::model::{Effect, Failure, Kind, Position, Tier, Value, difference};
use crate::platform::objects::same;

impl Session {
    /// Takes the last change back that has not been taken back yet. Fails with `not_found` where there is none.
    pub fn undo(&mut self) -> Result<Value, Failure> {
        self.inputs += 1;
        self.record(":undo")?;
        let result = self.take_back();
        self.names.outdated();
        let _ = self.shared.pipeline.journal.flush();
        if let Ok(value) = &result {
            let target = value.str_at(&["target"]).unwrap_or_default().to_owned();
            self.remember(&format!("here `:undo` took back the last change, of {target}"), Became::Remark);
        }
        if let Err(failure) = &result {
            self.failed = Some(failure.clone());
            let _ = self.latch.reopen();
        }
        result
    }

    fn take_back(&mut self) -> Result<Value, Failure> {
        let pipeline = &self.shared.pipeline;
        let (change, inverse) = {
            let mut ledger = pipeline.ledger();
            let last = ledger.changes.iter().rev().find(|change| {
                let made = matches!(change.status.as_str(), "changed" | "in_doubt");
                made && change.effect == Effect::Change && change.function != "rollback" && !ledger.reverted.contains(&change.id)
            });
            let Some(change) = last.cloned() else {
                let hint = if self.request.dry_run { "a rehearsal changes nothing" } else { "`:journal` says where the record is" };
                return Err(Failure::new(Kind::NotFound, "nothing was changed that could be taken back").hint(hint));
            };
            if change.status == "in_doubt" {
                let message = format!("nobody knows whether {} of {} happened", change.function, change.target);
                return Err(Failure::new(Kind::InDoubt, message).hint("look at it first, then set by hand what it should be"));
            }
            let inverse = ledger.inverses.iter().rev().find(|inverse| inverse.id == change.id && inverse.target == change.target);
            let Some(inverse) = inverse.cloned() else {
                // The next one is reached by asking again.
                ledger.reverted.insert(change.id.clone());
                let message = format!("{} of {} cannot be taken back", change.function, change.target);
                return Err(Failure::new(Kind::Failed, message).hint("`:undo` again takes back the change before it"));
            };
            (change, inverse)
        };
        let at = Position { file: format!("input {}", self.inputs).into(), line: 1, column: 1 };
        let policy_asks = pipeline.policy.asks;
        let (ui, safe, somebody, place) = (&self.ui, self.is_safe(), self.somebody, self.place().name);
        pipeline.take_back(inverse, &at, &self.state.frame(), &mut |prepared, tier| {
            if !same(&prepared.before, &change.after) {
                let since = difference::lines(&change.after, &prepared.before).join(", ");
                prepared.remarks.push(format!("somebody has changed it since: {since}"));
            }
            // Where the policy asks, it shows the same; nobody is asked twice.
            if policy_asks && tier > Tier::Mild {
                return Ok(());
            }
            let mut details = difference::lines(&prepared.before, &prepared.after);
            details.push(prepared.equivalent.clone());
            details.extend(prepared.remarks.iter().cloned());
            let text = format!("take back {} of {}?", change.function, change.target);
            if !somebody && safe {
                ui.event(&Event::Note(&format!("{text} {}", details.join("; "))));
                return Ok(());
            }
            let question = Question { environment: place.clone(), text, details, choices: "[y]es [n]o".into() };
            match ui.ask(&question).as_deref().map(str::trim) {
                Some("y" | "yes") => Ok(()),
                _ => Err(Failure::new(Kind::NotConfirmed, format!("{} stays as it is", change.target))),
            }
        })
    }

    /// Shows a failure of a command.
    pub fn show_failure(&self, failure: &Failure) {
        let diagnostic = Diagnostic::at(self.shared.pipeline.masker.failure(failure.clone()), Position::default());
        self.ui.event(&Event::Failed(&|colour| diagnostic.render(&|_| None, colour)));
    }
}
