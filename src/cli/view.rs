//! `runbook view`.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use clap_complete::engine::{ArgValueCandidates, ArgValueCompleter};

use super::{colour, complete, here, written};
use crate::config::{Config, Dirs};
use crate::engine::{self, Script};
use crate::model::Failure;
use crate::report::view;
use crate::run::{exit, trace};

/// Write a runbook as a page of Markdown, for the wiki and for people without this tool
///
/// Shows header, parameters and steps, what each call does, the command that says the same, and how it is taken back. The
/// runbook is rehearsed in the healthy world for it: no network, no trust, nothing is changed.
#[derive(clap::Args, Debug)]
pub struct ViewArgs {
    /// A path, or a name under scripts/ such as emergency/system-outage.
    #[arg(add = ArgValueCompleter::new(complete::scripts))]
    script: String,
    /// The environment whose context, namespace and addresses stand in the commands.
    #[arg(short, long, value_name = "NAME", env = "RUNBOOK_ENV", add = ArgValueCandidates::new(complete::environments))]
    env: Option<String>,
}

/// Writes the page; answers the exit code.
pub fn run(args: &ViewArgs, out: &mut dyn Write) -> Result<i32, Failure> {
    let given = Path::new(&args.script);
    let config = Arc::new(Config::load(&here()?, given.is_file().then_some(given), &Dirs::from_env()?)?);
    let path = engine::script::locate(&config.root, &args.script)?;
    let script = match Script::load(&engine::parser(), &config.root, &path) {
        Ok(script) => script,
        Err(diagnostic) => {
            let source = |name: &str| std::fs::read_to_string(name).ok();
            let _ = writeln!(io::stderr(), "{}", diagnostic.render(&source, colour(&io::stderr())));
            return Ok(exit::USAGE);
        }
    };
    let environment = config.world_environment(args.env.as_deref())?;
    let trace = trace::rehearse(&config, &environment, &script)?;
    written(out.write_all(view::markdown(&script, &args.script, &trace, &environment).as_bytes()))
}
