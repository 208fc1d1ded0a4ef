//! Who must say yes: tiers, protected environments, `--yes`, `--confirm`.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use super::ui::{Question, Ui};
use crate::model::{Call, Effect, Failure, Kind, Prepared, Tier, Write, difference, text};

/// What was decided about one write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes ahead.
    Go,
    /// It is left out, and the script goes on.
    Skip,
    /// It is refused, as an error that the script may handle.
    No,
    /// The run ends.
    Quit,
}

/// A verdict and who gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What was decided.
    pub verdict: Verdict,
    /// `policy`, `--yes`, `--confirm`, `person` or `no terminal`.
    pub by: &'static str,
    /// Whether a question stood for it just now.
    pub asked: bool,
}

/// More replicas than this, and three times as many as before, are asked about: a digit too many fills a cluster.
const MANY: i64 = 100;

/// The policy of one run.
#[derive(Debug, Default)]
pub struct Policy {
    /// Whether moderate and severe changes ask here. Never in a world or a rehearsal.
    pub asks: bool,
    /// The environment's name, for the question.
    pub environment: String,
    /// `--yes`: moderate changes are confirmed.
    pub yes: bool,
    /// `--confirm TARGET`: severe changes of these targets are confirmed.
    pub confirm: Vec<String>,
    said: Mutex<Said>,
}

/// What the person said for more than one change.
#[derive(Debug, Default)]
struct Said {
    all: bool,
    /// By number: another turn of a loop is another step.
    steps: HashSet<u32>,
}

impl Policy {
    /// A policy for an environment; `asks` is false wherever nothing real can change.
    pub fn new(asks: bool, environment: &str, yes: bool, confirm: Vec<String>) -> Self {
        Self { asks, environment: environment.to_owned(), yes, confirm, said: Mutex::default() }
    }

    /// Forgets what the person said for more than one change: at a prompt "all" means all of one input.
    pub fn forget(&self) {
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = Said::default();
    }

    /// How grave a write is: the function's tier, raised by what it does and by what the script says, never lowered.
    pub fn tier(stated: Tier, asked: Option<&str>, prepared: &Prepared) -> Tier {
        let found = match &prepared.write {
            Write::Patch { .. } => {
                let replicas = |value: &crate::model::Value| value.get("spec.replicas").and_then(crate::model::Value::as_int).unwrap_or(0);
                match (replicas(&prepared.before), replicas(&prepared.after)) {
                    (before, 0) if before > 0 => Tier::Severe,
                    (before, after) if after < before || after > MANY && after > 3 * before => Tier::Moderate,
                    _ => Tier::Mild,
                }
            }
            // What nothing makes anew is gone.
            Write::Delete { controlled: true, .. } | Write::Evict { controlled: true, .. } => Tier::Moderate,
            Write::Delete { .. } | Write::Evict { .. } => Tier::Severe,
            Write::Sql(change) => change.tier,
            Write::Mongo(change) => change.tier,
            Write::Redis(change) => change.tier,
            _ => Tier::Mild,
        };
        stated.max(found).max(asked.and_then(Tier::from_name).unwrap_or(Tier::Mild))
    }

    /// Decides about a prepared write, asking the person where it must.
    pub fn decide(&self, call: &Call, tier: Tier, prepared: &Prepared, ui: &dyn Ui) -> Decision {
        let go = |by| Decision { verdict: Verdict::Go, by, asked: false };
        if !self.asks || tier == Tier::Mild || call.effect == Effect::Notify {
            return go("policy");
        }
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        match tier {
            Tier::Severe if self.confirm.iter().any(|target| names(target, call, prepared)) => return go("--confirm"),
            Tier::Moderate if self.yes => return go("--yes"),
            Tier::Moderate if said.all || call.step.as_ref().is_some_and(|step| said.steps.contains(&step.number)) => return go("person"),
            _ => {}
        }
        let mut details = difference::lines(&prepared.before, &prepared.after);
        details.push(prepared.equivalent.clone());
        details.extend(prepared.remarks.iter().cloned());
        let bare = short(prepared);
        let question = Question {
            environment: self.environment.clone(),
            text: format!("{} {}", call.function, text::one_line(&prepared.target)),
            details,
            choices: match tier {
                Tier::Severe => format!("type {bare} to go ahead, s[k]ip, [q]uit"),
                _ => "[y]es [n]o [s]tep [a]ll s[k]ip [q]uit".to_owned(),
            },
        };
        let Some(answer) = ui.ask(&question) else {
            return Decision { verdict: Verdict::No, by: "no terminal", asked: false };
        };
        let answer = answer.trim();
        let verdict = match (tier, answer) {
            (_, "k" | "skip") => Verdict::Skip,
            (_, "q" | "quit") => Verdict::Quit,
            (Tier::Severe, name) if name == bare || name == prepared.target => Verdict::Go,
            (Tier::Severe, _) => Verdict::No,
            (_, "y" | "yes") => Verdict::Go,
            (_, "s" | "step") => {
                said.steps.extend(call.step.as_ref().map(|step| step.number));
                Verdict::Go
            }
            (_, "a" | "all") => {
                said.all = true;
                Verdict::Go
            }
            _ => Verdict::No,
        };
        Decision { verdict, by: "person", asked: true }
    }
}

/// Whether `--confirm` names this target: as the platform names it, or, within the environment's own namespace, as the script
/// wrote it or by its bare name.
fn names(confirmed: &str, call: &Call, prepared: &Prepared) -> bool {
    let scripts = || call.target.as_deref() == Some(confirmed) || short(prepared) == confirmed;
    confirmed == prepared.target || !elsewhere(prepared) && scripts()
}

/// Whether it changes something outside the environment's namespace, which its target then starts with.
fn elsewhere(prepared: &Prepared) -> bool {
    (prepared.write.object().is_some() || matches!(prepared.write, Write::Exec(_))) && prepared.target.matches('/').count() > 1
}

/// What a person types to confirm a severe change: an object's bare name, or all of it outside the environment's namespace; of
/// anything else all of it, since the last part of a path says little.
fn short(prepared: &Prepared) -> &str {
    match prepared.write {
        Write::Http(_) => &prepared.target,
        _ if elsewhere(prepared) => &prepared.target,
        _ => prepared.target.rsplit('/').next().unwrap_or_default(),
    }
}

/// The failure of a write that was not confirmed; a person's "quit" ends the run.
pub fn refused(decision: Decision, tier: Tier, prepared: &Prepared) -> Failure {
    let target = &prepared.target;
    if decision.verdict == Verdict::Quit {
        return Failure::new(Kind::Denied, format!("a person stopped the run at {target}")).on(target.clone());
    }
    let flag = if tier == Tier::Severe { format!("--confirm {target}") } else { "--yes".to_owned() };
    let failure =
        Failure::new(Kind::NotConfirmed, format!("the change of {target} was not confirmed ({})", decision.by)).on(target.clone());
    // A person who said no knows how to say yes.
    if decision.by == "person" { failure } else { failure.hint(format!("answer the question on a terminal, or pass {flag}")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::ui::Event;
    use crate::map;
    use crate::model::operation::{PatchKind, PatchVerb};
    use crate::model::{CallId, InStep, Position, Value};

    struct Says(&'static str);
    impl Ui for Says {
        fn event(&self, _: &Event<'_>) {}
        fn show(&self, _: &Value, _: Option<&str>) {}
        fn ask(&self, _: &Question) -> Option<String> {
            (!self.0.is_empty()).then(|| self.0.to_owned())
        }
    }

    fn scale(before: i64, after: i64) -> Prepared {
        let object = crate::model::ObjectRef::new(crate::model::ResourceKind::find("deploy").unwrap(), "platform", "api");
        let patch = map! { "spec" => map! { "replicas" => after } };
        let timeout = std::time::Duration::from_secs(1);
        Prepared {
            write: Write::Patch { object, subresource: Some("scale"), patch, kind: PatchKind::Merge, verb: PatchVerb::Scale, timeout },
            target: "deployment/api".into(),
            before: map! { "spec.replicas" => before },
            after: map! { "spec.replicas" => after },
            inverse: None,
            probe: None,
            equivalent: String::new(),
            refusal: None,
            validated: None,
            remarks: vec![],
            provenance: Default::default(),
        }
    }

    fn in_step(number: u32) -> Option<InStep> {
        Some(InStep { title: "Scale".into(), number, never: false })
    }

    fn call() -> Call {
        Call {
            id: CallId(vec![1]),
            step: in_step(1),
            function: "scale",
            target: Some("api".into()),
            effect: Effect::Change,
            args: Value::Null,
            at: Position::default(),
        }
    }

    #[test]
    fn a_script_raises_a_tier_and_never_lowers_it() {
        assert_eq!(Policy::tier(Tier::Mild, None, &scale(3, 7)), Tier::Mild);
        assert_eq!(Policy::tier(Tier::Mild, None, &scale(7, 3)), Tier::Moderate);
        assert_eq!(Policy::tier(Tier::Mild, None, &scale(7, 0)), Tier::Severe);
        assert_eq!(Policy::tier(Tier::Mild, None, &scale(40, 120)), Tier::Mild);
        assert_eq!(Policy::tier(Tier::Mild, None, &scale(7, 700)), Tier::Moderate);
        assert_eq!(Policy::tier(Tier::Mild, Some("severe"), &scale(3, 7)), Tier::Severe);
        assert_eq!(Policy::tier(Tier::Severe, Some("moderate"), &scale(3, 7)), Tier::Severe);
    }

    #[test]
    fn who_may_say_yes() {
        let decide = |policy: &Policy, tier, says| {
            let decision = policy.decide(&call(), tier, &scale(7, 3), &Says(says));
            (decision.verdict, decision.by)
        };
        let open = Policy::new(false, "staging", false, vec![]);
        assert_eq!(decide(&open, Tier::Severe, ""), (Verdict::Go, "policy"));
        let asks = || Policy::new(true, "prod", false, vec![]);
        assert_eq!(decide(&asks(), Tier::Mild, ""), (Verdict::Go, "policy"));
        assert_eq!(decide(&asks(), Tier::Moderate, ""), (Verdict::No, "no terminal"));
        assert_eq!(decide(&asks(), Tier::Moderate, "k"), (Verdict::Skip, "person"));
        assert_eq!(decide(&asks(), Tier::Moderate, "q"), (Verdict::Quit, "person"));
        assert_eq!(decide(&asks(), Tier::Moderate, "whatever"), (Verdict::No, "person"));
        assert_eq!(decide(&asks(), Tier::Severe, "y"), (Verdict::No, "person"));
        assert_eq!(decide(&asks(), Tier::Severe, "api"), (Verdict::Go, "person"));
        let yes = Policy::new(true, "prod", true, vec![]);
        assert_eq!(decide(&yes, Tier::Moderate, ""), (Verdict::Go, "--yes"));
        assert_eq!(decide(&yes, Tier::Severe, ""), (Verdict::No, "no terminal"));
        let named = Policy::new(true, "prod", false, vec!["api".into()]);
        assert_eq!(decide(&named, Tier::Severe, ""), (Verdict::Go, "--confirm"));
        // What stands in another namespace is confirmed by all of its name.
        let other = Prepared { target: "other/deployment/api".into(), ..scale(7, 0) };
        assert_eq!(named.decide(&call(), Tier::Severe, &other, &Says("api")).verdict, Verdict::No);
        let whole = Policy::new(true, "prod", false, vec![other.target.clone()]);
        assert_eq!(whole.decide(&call(), Tier::Severe, &other, &Says("")).by, "--confirm");
        assert_eq!(asks().decide(&call(), Tier::Severe, &other, &Says("other/deployment/api")).verdict, Verdict::Go);
    }

    #[test]
    fn all_and_step_are_remembered_for_moderate_changes_only() {
        let policy = Policy::new(true, "prod", false, vec![]);
        assert_eq!(policy.decide(&call(), Tier::Moderate, &scale(7, 3), &Says("s")).verdict, Verdict::Go);
        assert_eq!(policy.decide(&call(), Tier::Moderate, &scale(7, 3), &Says("")).verdict, Verdict::Go);
        let elsewhere = Call { step: in_step(2), ..call() };
        assert_eq!(policy.decide(&elsewhere, Tier::Moderate, &scale(7, 3), &Says("")).verdict, Verdict::No);
        assert_eq!(policy.decide(&elsewhere, Tier::Moderate, &scale(7, 3), &Says("a")).verdict, Verdict::Go);
        assert_eq!(policy.decide(&elsewhere, Tier::Severe, &scale(7, 0), &Says("")).verdict, Verdict::No);
        policy.forget();
        assert_eq!(policy.decide(&elsewhere, Tier::Moderate, &scale(7, 3), &Says("")).verdict, Verdict::No);
    }
}
