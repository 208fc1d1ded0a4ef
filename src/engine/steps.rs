//! Which steps a script has, and which of them run: all, those from one on, or those that a person says yes to.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use rhai::AST;
use serde::Serialize;

use super::calls::literal;
use super::tree::Tree;
use super::walk::{Node, Step, walk};
use crate::call::Ui;
use crate::call::ui::Question;
use crate::model::{Failure, Kind, Position, suggest, text};

/// A step as it stands in a script's text.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Listed {
    /// Its title; empty where it is computed.
    pub title: String,
    /// Its line, from 1.
    pub line: u32,
    /// Whether it has a rollback block of its own.
    pub rollback: bool,
    /// The line of the outermost step around it, or its own.
    #[serde(skip)]
    outermost: u32,
}

/// The steps of a script in the order of its text, imports left out.
pub fn list(ast: &AST) -> Vec<Listed> {
    let tree = Tree::new(ast);
    let mut steps: Vec<Listed> = Vec::new();
    walk(&tree, &mut |node, place, _| {
        let Node::Step(step) = node else { return };
        let line = line_of(step);
        let around = place.step.map(|outer| line_of(&outer));
        let outermost = steps.iter().find(|known| Some(known.line) == around).map_or(line, |outer| outer.outermost);
        let title = literal(step.title).and_then(|title| title.as_str().map(str::to_owned)).unwrap_or_default();
        steps.push(Listed { title, line, rollback: step.rollback, outermost });
    });
    steps
}

/// The line on which a step's title stands.
fn line_of(step: &Step<'_>) -> u32 {
    step.title.position().line().and_then(|line| u32::try_from(line).ok()).unwrap_or(0)
}

/// The step that `--from` means: a title, or a number of the list.
pub fn find<'a>(steps: &'a [Listed], wanted: &str) -> Result<&'a Listed, Failure> {
    let by_number = wanted.parse::<usize>().ok().and_then(|number| steps.get(number.checked_sub(1)?));
    let found = steps.iter().find(|step| step.title == wanted).or(by_number);
    found.ok_or_else(|| {
        let failure = Failure::new(Kind::NotFound, format!("the script has no step {wanted:?}"));
        match suggest::hint(wanted, steps.iter().map(|step| step.title.as_str())) {
            Some(hint) => failure.hint(hint),
            None => failure.hint("it has no steps at all"),
        }
    })
}

/// What becomes of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// It runs.
    Run,
    /// It is left out, by whose word.
    Skip(&'static str),
}

/// Whether steps ran, in order, by title and line.
type Recorded = HashMap<(String, u32), VecDeque<bool>>;

/// Decides about each step before it begins.
#[derive(Debug, Default)]
pub struct Gate {
    /// The line, in the main script, of the step from which on steps run, while it was not reached.
    from: Mutex<Option<u32>>,
    /// The main script's name.
    script: String,
    /// Whether a person is asked before each step.
    asks: bool,
    /// What became of the steps in a recorded run.
    recorded: Option<Mutex<Recorded>>,
}

impl Gate {
    /// A gate of a run: from a step on where one is given, and by a person's word where somebody is asked.
    pub fn new(script: &str, from: Option<&Listed>, asks: bool) -> Self {
        Self { from: Mutex::new(from.map(|step| step.outermost)), script: script.to_owned(), asks, recorded: None }
    }

    /// A gate that leaves out what a recorded run left out: title, line and whether it was skipped, in their order.
    pub fn recorded(steps: impl IntoIterator<Item = (String, u32, bool)>) -> Self {
        let mut recorded: HashMap<_, VecDeque<bool>> = HashMap::new();
        for (title, line, skipped) in steps {
            recorded.entry((title, line)).or_default().push_back(skipped);
        }
        Self { recorded: Some(Mutex::new(recorded)), ..Self::default() }
    }

    /// Decides about a step; a person's "stop" is `denied`.
    pub(super) fn pass(&self, title: &str, at: &Position, ui: &dyn Ui, environment: &str) -> Result<Choice, Failure> {
        if let Some(recorded) = &self.recorded {
            let mut recorded = recorded.lock().unwrap_or_else(PoisonError::into_inner);
            let skipped = recorded.get_mut(&(title.to_owned(), at.line)).and_then(VecDeque::pop_front).unwrap_or(false);
            return Ok(if skipped { Choice::Skip("recording") } else { Choice::Run });
        }
        {
            let mut from = self.from.lock().unwrap_or_else(PoisonError::into_inner);
            match *from {
                Some(line) if line == at.line && *at.file == self.script => *from = None,
                Some(_) => return Ok(Choice::Skip("--from")),
                None => {}
            }
        }
        if self.asks { ask(title, at, ui, environment) } else { Ok(Choice::Run) }
    }

    /// Whether the step from which on steps were to run was never reached.
    pub fn is_waiting(&self) -> bool {
        self.from.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}

fn ask(title: &str, at: &Position, ui: &dyn Ui, environment: &str) -> Result<Choice, Failure> {
    let question = Question {
        environment: environment.to_owned(),
        text: format!("step {:?}", text::one_line(title)),
        details: vec![at.to_string()],
        choices: "[r]un [s]kip [q]uit".to_owned(),
    };
    loop {
        let Some(answer) = ui.ask(&question) else {
            return Err(Failure::new(Kind::Denied, format!("nobody is there to say whether the step {title:?} is to run")));
        };
        match answer.trim() {
            "r" | "run" | "y" | "yes" => return Ok(Choice::Run),
            "s" | "k" | "skip" => return Ok(Choice::Skip("person")),
            "q" | "quit" | "stop" => return Err(Failure::new(Kind::Denied, format!("a person stopped the run before the step {title:?}"))),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: &str = "let n = 1;\nstep \"One\" { show(n); }\nstep `Two ${n}` #{ on_error: \"continue\" } {\n  step \"Inner\" { } rollback { show(1); }\n}\nfn f() {\n  step \"In a function\" { }\n}\n";

    fn listed() -> Vec<Listed> {
        list(&crate::engine::parser().compile(SCRIPT).unwrap())
    }

    #[test]
    fn steps_are_listed_wherever_they_stand() {
        let steps: Vec<_> = listed().into_iter().map(|step| (step.title, step.line, step.rollback, step.outermost)).collect();
        let expected = [("One", 2, false, 2), ("", 3, false, 3), ("Inner", 4, true, 3), ("In a function", 7, false, 7)];
        assert_eq!(steps, expected.map(|(title, line, rollback, outermost)| (title.to_owned(), line, rollback, outermost)));
    }

    /// A person who gives these answers, one after the other.
    struct Says(Mutex<VecDeque<&'static str>>);
    impl Ui for Says {
        fn event(&self, _: &crate::call::ui::Event<'_>) {}
        fn show(&self, _: &crate::model::Value, _: Option<&str>) {}
        fn ask(&self, _: &Question) -> Option<String> {
            self.0.lock().unwrap().pop_front().map(str::to_owned)
        }
    }

    fn passed(gate: &Gate, answers: &[&'static str], line: u32) -> Result<Choice, Kind> {
        let at = Position { file: "x.rhai".into(), line, column: 1 };
        gate.pass("A step", &at, &Says(Mutex::new(answers.iter().copied().collect())), "prod").map_err(|failure| failure.kind)
    }

    #[test]
    fn a_person_runs_skips_or_stops_and_is_asked_again_after_nonsense() {
        let gate = Gate::new("x.rhai", None, true);
        assert_eq!(passed(&gate, &["r"], 1), Ok(Choice::Run));
        assert_eq!(passed(&gate, &["", "what?", "skip"], 1), Ok(Choice::Skip("person")));
        assert_eq!(passed(&gate, &["q"], 1), Err(Kind::Denied));
        assert_eq!(passed(&gate, &[], 1), Err(Kind::Denied));
        assert_eq!(passed(&Gate::default(), &[], 1), Ok(Choice::Run));
    }

    #[test]
    fn steps_before_the_first_are_skipped_and_a_replay_skips_what_the_recording_skipped() {
        let steps = listed();
        let gate = Gate::new("x.rhai", Some(&steps[2]), false);
        assert_eq!((passed(&gate, &[], 2), gate.is_waiting()), (Ok(Choice::Skip("--from")), true));
        assert_eq!(passed(&gate, &[], 3), Ok(Choice::Run), "the step around it");
        assert_eq!((passed(&gate, &[], 4), gate.is_waiting()), (Ok(Choice::Run), false));
        let replay = Gate::recorded([("A step".to_owned(), 2, true), ("A step".to_owned(), 2, false)]);
        assert_eq!(passed(&replay, &[], 2), Ok(Choice::Skip("recording")));
        assert_eq!(passed(&replay, &[], 2), Ok(Choice::Run));
    }

    #[test]
    fn a_step_is_named_by_title_or_number() {
        let steps = listed();
        assert_eq!(find(&steps, "Inner").unwrap().line, 4);
        assert_eq!(find(&steps, "2").unwrap().line, 3);
        assert_eq!(find(&steps, "Iner").unwrap_err().hint.as_deref(), Some("did you mean `Inner`?"));
        assert!(find(&steps, "0").is_err() && find(&[], "1").unwrap_err().hint.unwrap().contains("no steps"));
    }
}
