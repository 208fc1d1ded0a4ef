//! A host function: what it states about itself, and how it lowers to operations.

use super::Cx;
use crate::model::spec::Args;
use crate::model::{Answer, Effect, Failure, Prepared, Spec, Value, Write};

/// One host function.
#[derive(Debug)]
pub struct Function {
    /// What it states about itself.
    pub spec: Spec,
    /// What it does; the variant is the effect.
    pub body: Body,
}

/// What a function does. There is no way to a system but through the variant that says so.
#[derive(Clone, Copy, Debug)]
pub enum Body {
    /// Computes.
    Pure(fn(&Args) -> Result<Value, Failure>),
    /// Asks this machine or its person: recorded, and answered by the recording in a replay.
    Local(fn(&Args, &Cx<'_>) -> Result<Value, Failure>),
    /// Tells this machine's person, or the record: done in a replay too.
    Output(fn(&Args, &Cx<'_>) -> Result<Value, Failure>),
    /// Looks at systems.
    Read(fn(&Args, &Cx<'_>) -> Result<Value, Failure>),
    /// Changes systems: the writes it lowers to (found by reads only), and the answer made of what became of them.
    Change(Plan, Shape),
    /// Changes systems, or only looks where what is asked is known to change nothing.
    Act(Reading, Plan, Shape),
    /// Tells people.
    Notify(Plan, Shape),
    /// Calls closures: the engine binds it by name.
    Flow,
}

/// The answer where what is asked is known to change nothing (the configuration lists it); none where it may change something.
pub type Reading = fn(&Args, &Cx<'_>) -> Result<Option<Value>, Failure>;

/// Lowers a call to writes, by reads only.
pub type Plan = fn(&Args, &Cx<'_>) -> Result<Vec<Write>, Failure>;

/// Makes a call's answer of what became of its writes.
pub type Shape = fn(&Args, &[Done]) -> Value;

/// One write and what became of it.
#[derive(Clone, Debug)]
pub struct Done {
    /// The write as it was prepared.
    pub prepared: Prepared,
    /// `changed`, `would_change`, `unchanged`, `skipped`, `sent`, `would_send` or `refused`.
    pub status: &'static str,
    /// What the platform answered; none where nothing was sent.
    pub answer: Option<Answer>,
}

impl Function {
    /// What a call of it does.
    pub fn effect(&self) -> Effect {
        match self.body {
            Body::Pure(_) => Effect::Pure,
            Body::Local(_) | Body::Output(_) | Body::Flow => Effect::Local,
            Body::Read(_) => Effect::Read,
            Body::Change(..) | Body::Act(..) => Effect::Change,
            Body::Notify(..) => Effect::Notify,
        }
    }
}
