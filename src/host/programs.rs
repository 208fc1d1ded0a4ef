//! What `exec` and `command` share: a program's words, its input, its exit codes, and when it is known to change nothing.

use std::time::Duration;

use crate::call::{Cx, Done};
use crate::host::saves;
use crate::model::operation::Invocation;
use crate::model::spec::{Args, Opt, Type};
use crate::model::{Failure, Value};

/// The option of the input.
pub const STDIN: Opt = Opt {
    name: "stdin",
    ty: Type::Body,
    default: "",
    help: "what it reads: text or a secret as it is, a map or an array as JSON; nothing without it",
};

/// The option of exit codes.
pub const OK_EXIT: Opt = Opt { name: "ok_exit", ty: Type::Ints, default: "[0]", help: "exit codes that are no failure" };

/// The option of the author's word.
pub const EFFECT: Opt = Opt {
    name: "effect",
    ty: Type::Choice(&["read"]),
    default: "",
    help: "says that it changes nothing; that holds where `[policy] reads` in runbook.toml lists exactly these words, and nothing else is passed to it",
};

/// The option of an answer that is assumed.
pub const ASSUME: Opt =
    Opt { name: "assume", ty: Type::Map, default: "", help: "what a rehearsal goes on with as the answer, beside its exit code" };

/// The option of a tier.
pub const TIER: Opt =
    Opt { name: "tier", ty: Type::Choice(&["severe"]), default: "", help: "raises the tier; commands are moderate by themselves" };

/// The longest wait where nothing says another.
pub const WAIT: Duration = Duration::from_secs(60);

/// The program's run that the words at a position and the options ask for.
pub fn invocation(args: &Args, argv: usize, cx: &Cx<'_>) -> Result<Invocation, Failure> {
    Ok(Invocation {
        argv: args.strs(argv).into_iter().map(str::to_owned).collect(),
        stdin: args.option("stdin").cloned(),
        ok_exit: args.option_ints("ok_exit").filter(|codes| !codes.is_empty()).unwrap_or_else(|| vec![0]),
        save: saves::of(args, cx)?,
        timeout: args.option_duration("timeout").unwrap_or(WAIT),
    })
}

/// Whether the author says that these words only read, and the configuration says so too. Whatever else a program is given could
/// make something else of them.
pub fn only_reads(args: &Args, argv: usize, cx: &Cx<'_>, more: &[&str]) -> bool {
    let words = args.strs(argv);
    let listed = || cx.config().policy.reads.iter().any(|listed| *listed == words);
    let given = || more.iter().chain(&["stdin"]).any(|option| args.option(option).is_some());
    args.option_str("effect").is_some() && listed() && !given()
}

/// What the program has answered.
pub fn shape(_: &Args, done: &[Done]) -> Value {
    done.first().and_then(|done| done.answer.as_ref()).map(|answer| answer.value.clone()).unwrap_or_default()
}
