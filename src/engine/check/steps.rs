//! Changes and steps: what stands outside of every step, and what cannot be taken back.

use std::collections::BTreeMap;

use rhai::Expr;

use super::sources::{Source, Sources};
use super::{Cx, codes};
use crate::engine::calls::{Call, each, literal};
use crate::engine::scopes::Scopes;
use crate::engine::walk::{Node, Place, Step};
use crate::model::{Effect, Failure};

/// Changes that are recorded with an inverse; what the others do cannot be taken back by itself. A test keeps it true.
pub const WITH_INVERSE: [&str; 7] = ["annotate", "cordon", "label", "patch", "rollout_undo", "scale", "uncordon"];

/// What a call comes to, over all that it calls.
#[derive(Clone, Copy, Default, PartialEq)]
struct Comes {
    /// A host function that changes something.
    to_change: Option<&'static str>,
    /// One whose change cannot be taken back by itself.
    for_good: Option<&'static str>,
}

impl Comes {
    fn or(self, other: Self) -> Self {
        Self { to_change: self.to_change.or(other.to_change), for_good: self.for_good.or(other.for_good) }
    }
}

/// What the functions of all sources come to, by source and name, their own steps apart.
pub(super) struct Effects<'a>(BTreeMap<(usize, &'a str), Comes>);

impl<'a> Effects<'a> {
    /// Follows all calls of all functions.
    pub(super) fn of(sources: &'a Sources) -> Self {
        let mut effects = Self(BTreeMap::new());
        loop {
            let before = effects.0.clone();
            for (number, source) in sources.all.iter().enumerate() {
                each(&source.tree, |call, place, scopes| {
                    if let (Some(function), None) = (place.function, place.step) {
                        let comes = effects.comes(sources, number, call, scopes);
                        let own = effects.0.entry((number, function.name.as_str())).or_default();
                        *own = own.or(comes);
                    }
                });
            }
            if effects.0 == before {
                return effects;
            }
        }
    }

    fn comes(&self, sources: &Sources, number: usize, call: &Call<'_>, scopes: &Scopes<'_>) -> Comes {
        if let Some(function) = call.host() {
            let name = Some(function.spec.name).filter(|_| function.effect() == Effect::Change);
            return Comes { to_change: name, for_good: name.filter(|name| !WITH_INVERSE.contains(name)) };
        }
        let source: &Source = &sources.all[number];
        let callee = match call.module {
            None => Some(number),
            Some(alias) => match scopes.module(&alias.name) {
                Some(Expr::StringConstant(path, _)) => source.imports.get(path.as_str()).and_then(|found| found.clone().ok()),
                _ => None,
            },
        };
        callee.and_then(|callee| self.0.get(&(callee, call.name))).copied().unwrap_or_default()
    }
}

pub(super) fn check<'a>(cx: &mut Cx<'a>, node: &Node<'a>, place: &Place<'a>, scopes: &Scopes<'a>) {
    let Node::Call(call) = node else { return };
    if place.rollback {
        return;
    }
    let comes = cx.effects.comes(cx.sources, cx.number, call, scopes);
    let by = |change: &str| if change == call.name { String::new() } else { format!(" (by `{change}`)") };
    match place.step {
        // A function's changes belong to the step that calls it.
        None if place.function.is_none() => {
            if let Some(change) = comes.to_change {
                let failure = Failure::bad_argument(format!("`{}` changes something{} outside of every step", call.name, by(change)));
                cx.report(codes::OUTSIDE_STEP, failure.hint("put it into one: `step \"…\" { … }`"), call.at);
            }
        }
        Some(step) if !step.rollback && !never(&step) => {
            if let Some(change) = comes.for_good
                && cx.told.insert(step.at)
            {
                let what = format!("what `{}` does{} cannot be taken back by itself", call.name, by(change));
                let hint = "add `rollback { … }` behind the step, or `#{ rollback: \"never\" }` before its body";
                cx.report(codes::NO_WAY_BACK, Failure::bad_argument(what).hint(hint), call.at);
            }
        }
        _ => {}
    }
}

/// Whether a step says that nothing of it is taken back.
fn never(step: &Step<'_>) -> bool {
    let options = step.options.and_then(literal);
    options.is_some_and(|options| options.str_at(&["rollback"]) == Some("never"))
}
