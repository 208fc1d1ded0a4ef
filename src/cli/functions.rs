//! `runbook functions`.

use std::io::Write;

use clap::Args;
use clap_complete::engine::ArgValueCandidates;

use super::complete;
use crate::call::Function;
use crate::host;
use crate::model::spec::Group;
use crate::model::{Failure, Tier};
use crate::run::exit;

/// Say what functions there are, or how one is called.
#[derive(Args, Debug)]
pub struct FunctionsArgs {
    /// A function's name; all functions without it.
    #[arg(add = ArgValueCandidates::new(complete::functions))]
    name: Option<String>,
}

/// Lists the functions, or describes one.
pub fn run(args: &FunctionsArgs, out: &mut dyn Write) -> Result<i32, Failure> {
    let text = match &args.name {
        None => list(),
        Some(name) => describe(
            host::find(name)
                .ok_or_else(|| Failure::unknown("function", name, host::FUNCTIONS.iter().map(|function| function.spec.name)))?,
        ),
    };
    super::written(out.write_all(text.as_bytes())).map(|_| exit::OK)
}

pub(super) fn list() -> String {
    let mut text = String::new();
    for group in Group::ALL {
        let own: Vec<_> = host::FUNCTIONS.iter().filter(|function| function.spec.group == group).collect();
        if own.is_empty() {
            continue;
        }
        text.push_str(&format!("{}\n", group.name()));
        for function in own {
            text.push_str(&format!("  {:<44} {:<7} {}\n", function.spec.signature(), function.effect().name(), function.spec.summary));
        }
        text.push('\n');
    }
    text.push_str("`runbook functions NAME` describes one.\n");
    text
}

pub(super) fn describe(function: &Function) -> String {
    let spec = &function.spec;
    let mut text = format!("{}\n\n{}\n\neffect: {}", spec.signature(), spec.summary, function.effect().name());
    if spec.tier > Tier::Mild {
        text.push_str(&format!(" ({})", spec.tier.name()));
    }
    text.push_str("\n\n");
    for param in spec.params {
        let optional = if param.required { "" } else { ", optional" };
        text.push_str(&format!("  {:<12} {}{optional}: {}\n", param.name, param.ty.name(), param.help));
    }
    if !spec.options.is_empty() {
        text.push_str("\noptions\n");
        for option in spec.options {
            let default = if option.default.is_empty() { String::new() } else { format!(" [{}]", option.default) };
            text.push_str(&format!("  {:<12} {}{default}: {}\n", option.name, option.ty.name(), option.help));
        }
    }
    text.push_str(&format!("\nanswers {}\n", spec.returns));
    if !spec.errors.is_empty() {
        let kinds: Vec<&str> = spec.errors.iter().map(|kind| kind.name()).collect();
        text.push_str(&format!("\nerrors: {}\n", kinds.join(", ")));
    }
    for example in spec.examples {
        text.push_str(&format!("\n// {}\n{}\n", example.title, example.code));
    }
    text
}
