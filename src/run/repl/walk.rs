//! `:run SCRIPT`: a runbook stepped through, part by part, with a person deciding what runs.

use std::path::Path;
use std::sync::PoisonError;

use rhai::Dynamic;

use super::Session;
use super::guarded;
use super::items::{self, Item, Sort};
use super::save::Became;
use super::scan::{Kind, Scan};
use crate::call::ui::Question;
use crate::engine::{self, Diagnostic, Script, header};
use crate::journal::entry::StepState;
use crate::model::{Failure, Kind as FailureKind, Position};

/// How a script ended that was stepped through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Walked {
    /// It came to its end; so many of its parts were skipped.
    Through(usize),
    /// A person, or a failure without anybody there, stopped it.
    Stopped,
}

enum Choice {
    Run,
    All,
    Skip,
    Stop,
}

impl Session {
    /// Steps through a script. Its steps, and what else may change something, run when the person says so; without
    /// anybody there it runs like a batch and stops at the first failure.
    pub fn walk(&mut self, script: &str, params: &[(String, String)]) -> Result<Walked, Diagnostic> {
        let plain = |failure: Failure| Diagnostic::at(failure, Default::default());
        self.inputs += 1;
        let root = self.config.root.clone();
        let path = engine::script::locate(&root, script).map_err(plain)?;
        let script = Script::load(&engine::parser(), &root, Path::new(&path))?;
        let given = header::parameters(script.header.as_ref(), params).map_err(plain)?;
        let line = params.iter().fold(format!(":run {}", script.name), |line, (name, value)| format!("{line} {name}={value}"));
        self.record_with(&line, script.hashes.clone()).map_err(plain)?;
        // What comes in by a command is masked like what comes from a system.
        let given = self.shared.pipeline.masker.value(given);
        *self.shared.params.lock().unwrap_or_else(PoisonError::into_inner) = given;
        self.shared.rollbacks.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.shared.pipeline.policy.forget();
        self.shared.loaded(&script);
        self.state.add_source(&script.name, &script.text);
        script.modules.iter().for_each(|(name, module)| self.state.add_source(name, &module.text));
        self.state.add_functions(&script.ast);
        let walked = self.parts(&script);
        self.names.outdated();
        let _ = self.shared.pipeline.journal.flush();
        Ok(walked)
    }

    fn parts(&mut self, script: &Script) -> Walked {
        let all = items::items(&script.text);
        let (functions, parts): (Vec<Item>, Vec<Item>) = all.into_iter().partition(|item| item.sort == Sort::Function);
        for item in &functions {
            self.remember(&script.text[item.range.clone()], Became::Done);
        }
        // Where the scanner cuts otherwise than the parser, the whole is one part.
        let parts = if parts.len() == script.ast.statements().len() {
            parts.into_iter().enumerate().map(|(number, item)| (number..number + 1, item)).collect()
        } else {
            vec![(0..script.ast.statements().len(), Item { sort: Sort::Other, range: 0..script.text.len() })]
        };
        let own: Vec<String> = script.ast.iter_functions().map(|function| function.name.to_owned()).collect();
        let own = |name: &str| own.iter().any(|known| known == name);
        let of = parts.len();
        let (mut all, mut skipped) = (!self.somebody, 0);
        for (number, (statements, item)) in parts.into_iter().enumerate() {
            let text = &script.text[item.range.clone()];
            let asks = item.sort == Sort::Step || items::may_change(text, &own);
            if asks && !all {
                match self.choose(script, &item, number, of) {
                    Choice::Run => {}
                    Choice::All => all = true,
                    Choice::Skip => {
                        skipped += 1;
                        self.record_skip(script, &item);
                        continue;
                    }
                    Choice::Stop => return self.stopped(),
                }
            }
            loop {
                let rollbacks = self.rollbacks();
                let result = self.evaluate_part(script, &statements);
                let failure = match result {
                    Ok(true) => {
                        self.remember(text, Became::Done);
                        break;
                    }
                    // `return` ended the script.
                    Ok(false) => return Walked::Through(skipped),
                    Err(diagnostic) => self.fail_without_offer(diagnostic),
                };
                if !self.somebody || self.latch.reopen().is_err() || failure.kind == FailureKind::Denied {
                    return self.stopped();
                }
                match self.choose_again(&failure) {
                    Choice::Run | Choice::All => {
                        // The failed attempt's rollback is the new attempt's.
                        self.shared.rollbacks.lock().unwrap_or_else(PoisonError::into_inner).truncate(rollbacks);
                    }
                    Choice::Skip => {
                        skipped += 1;
                        break;
                    }
                    Choice::Stop => return self.stopped(),
                }
            }
        }
        Walked::Through(skipped)
    }

    /// A step that a person leaves out is on record as such.
    fn record_skip(&self, script: &Script, item: &Item) {
        let text = &script.text[item.range.clone()];
        let scan = Scan::new(text);
        if item.sort != Sort::Step || scan.tokens.get(1).is_none_or(|title| title.kind != Kind::Text) {
            return;
        }
        let line = script.text[..item.range.start].matches('\n').count() + 1;
        let at = Position { file: script.name.as_str().into(), line: u32::try_from(line).unwrap_or(0), column: 1 };
        let title = scan.text(text, 1).trim_matches('"');
        let _ = self.shared.step_line(title, StepState::Skipped, &at, None, Some("person"));
    }

    fn rollbacks(&self) -> usize {
        self.shared.rollbacks.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn evaluate_part(&mut self, script: &Script, statements: &std::ops::Range<usize>) -> Result<bool, Diagnostic> {
        let state = &mut self.state;
        let result = guarded(|| state.run_part(&script.ast, statements.clone()));
        let through = result.as_ref().is_ok_and(|through| *through);
        let engine = self.state.engine();
        engine::settled(&self.shared, result.map(|_| Dynamic::UNIT), &|error| engine::explained(engine, script, error)).map(|_| through)
    }

    fn choose(&self, script: &Script, item: &Item, number: usize, of: usize) -> Choice {
        let text = &script.text[item.range.clone()];
        let line = script.text[..item.range.start].matches('\n').count() + 1;
        let mut lines = text.lines();
        let first = lines.next().unwrap_or_default().trim_end_matches('{').trim_end().to_owned();
        const SHOWN: usize = 12;
        let rest: Vec<&str> = lines.collect();
        let mut details = vec![format!("{}:{line} ({} of {of})", script.name, number + 1)];
        details.extend(rest.iter().take(SHOWN).map(|line| (*line).to_owned()));
        if rest.len() > SHOWN {
            details.push(format!("… {} more lines", rest.len() - SHOWN));
        }
        self.ask(&first, details, "[r]un [s]kip [a]ll [q]uit", |answer| match answer {
            "r" | "run" | "y" | "yes" => Some(Choice::Run),
            "a" | "all" => Some(Choice::All),
            "s" | "skip" | "k" => Some(Choice::Skip),
            "q" | "quit" | "stop" => Some(Choice::Stop),
            _ => None,
        })
    }

    fn choose_again(&self, failure: &Failure) -> Choice {
        let text = format!("it failed ({}); what now?", failure.kind);
        self.ask(&text, Vec::new(), "[r]etry [s]kip [q]uit", |answer| match answer {
            "r" | "retry" => Some(Choice::Run),
            "s" | "skip" | "k" => Some(Choice::Skip),
            "q" | "quit" | "stop" => Some(Choice::Stop),
            _ => None,
        })
    }

    fn ask(&self, text: &str, details: Vec<String>, choices: &str, read: impl Fn(&str) -> Option<Choice>) -> Choice {
        let environment = self.place().name;
        let masker = &self.shared.pipeline.masker;
        let (text, details) = (masker.text(text.to_owned()), details.into_iter().map(|line| masker.text(line)).collect());
        let mut question = Question { environment, text, details, choices: choices.to_owned() };
        loop {
            let Some(answer) = self.ui.ask(&question) else { return Choice::Stop };
            if let Some(choice) = read(answer.trim()) {
                return choice;
            }
            question.details.clear();
        }
    }

    /// Offers what the script's steps can take back.
    fn stopped(&mut self) -> Walked {
        self.offer_rollbacks();
        Walked::Stopped
    }
}
