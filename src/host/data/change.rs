//! What the functions share that may change something in a database.

use crate::call::Done;
use crate::model::spec::{Opt, Type};
use crate::model::{Failure, Value};

/// The option of an answer that is assumed.
pub(super) const ASSUME: Opt = Opt { name: "assume", ty: Type::Map, default: "", help: "what a rehearsal goes on with as the answer" };

/// The option of a tier.
pub(super) const TIER: Opt = Opt {
    name: "tier",
    ty: Type::Choice(&["severe"]),
    default: "",
    help: "raises the tier, which what is asked decides: moderate, or severe where much is lost or altered at once",
};

/// The server's answer; nothing where nothing was sent.
pub(super) fn answer(done: &[Done]) -> Option<Value> {
    done.first()?.answer.as_ref().map(|answer| answer.value.clone())
}

/// Whether a secret stands in a value.
pub(super) fn holds_secret(value: &Value) -> bool {
    value.find(&|item| matches!(item, Value::Secret(_))).is_some()
}

/// The failure of a secret where the server's answer is made of it.
pub(super) fn computed(function: &str, what: &str) -> Failure {
    Failure::bad_argument(format!("{what} of `{function}` is given a secret, and its answer is made of it"))
        .hint("what the server makes of a secret could not be masked: write it with a command that does not answer it")
}
