//! What is on this machine: configuration and trust, the journal's folder, the project's scripts.

use std::collections::{BTreeMap, BTreeSet};

use super::{Examiner, Request};
use crate::config::Environment;
use crate::engine::{self, Script};
use crate::journal;
use crate::model::Kind;
use crate::model::text::count;
use crate::platform::noted::Operation;
use crate::platform::real::survey::Access;
use crate::run::trace;

/// The rights that scripts need, with the scripts that need them.
pub(super) type Needed = BTreeMap<Access, BTreeSet<String>>;

/// Whether the project's file is there and trusted.
pub(super) fn configuration(examiner: &mut Examiner<'_>) -> bool {
    let config = examiner.config.clone();
    let Some(file) = &config.file else {
        let remedy = format!("write a runbook.toml at {}; worlds (--world) need none", config.root.display());
        examiner.say("configuration", super::Health::Failed, "there is no runbook.toml", Some(remedy));
        return false;
    };
    let counts = [count(config.services.len(), "service"), count(config.environments.len(), "environment")].join(", ");
    match config.check_trust() {
        Ok(()) => {
            examiner.ok("configuration", format!("{}: {counts}, trusted as it is", file.display()));
            true
        }
        Err(failure) => {
            examiner.fail("configuration", "", &failure);
            false
        }
    }
}

/// Whether a run could keep its record.
pub(super) fn journal(examiner: &mut Examiner<'_>, request: &Request) {
    let folder = request.journal.clone().unwrap_or_else(|| examiner.config.journal_folder());
    match journal::probe(&folder) {
        Ok(()) => {
            let runs = journal::runs(&folder).map_or(0, |runs| runs.len());
            examiner.ok("journal", format!("{}: takes durable writes, {} in it", folder.display(), count(runs, "run")));
        }
        Err(failure) => examiner.fail("journal", "", &failure),
    }
}

/// Whether the project's scripts parse; what they need of the cluster, found by rehearsing each in the healthy world.
pub(super) fn scripts(examiner: &mut Examiner<'_>, environment: &Environment) -> Needed {
    let config = examiner.config.clone();
    let mut needed = Needed::new();
    let names = engine::script::names(&config.root);
    let mut sound = 0;
    for name in &names {
        let path = config.root.join("scripts").join(format!("{name}.rhai"));
        let script = match Script::load(&engine::parser(), &config.root, &path) {
            Ok(script) => script,
            Err(diagnostic) => {
                examiner.fail("scripts", &diagnostic.at.to_string(), &diagnostic.failure);
                continue;
            }
        };
        let trace = match trace::rehearse(&config, environment, &script) {
            Ok(trace) => trace,
            Err(failure) => {
                examiner.fail("scripts", name, &failure);
                continue;
            }
        };
        sound += 1;
        for operation in trace.calls.iter().flat_map(|call| &call.needed) {
            let access = match operation {
                Operation::Read(read) => Access::of_read(read),
                Operation::Write(write) => Access::of_write(write),
            };
            if let Some(access) = access {
                needed.entry(access).or_default().insert(name.clone());
            }
        }
        if let Some(failure) = trace.stopped.filter(|failure| failure.kind == Kind::BadArgument) {
            examiner.warn(
                "scripts",
                format!("{name} stops in the healthy world: {}", failure.message),
                failure.hint.unwrap_or_else(|| format!("runbook run {name} --world --dry-run")),
            );
        }
    }
    if sound > 0 {
        examiner.ok("scripts", format!("{sound} of {} under scripts/ can be run", names.len()));
    } else if names.is_empty() {
        examiner.warn("scripts", "there is no script under scripts/", "the permissions that runs need cannot be derived");
    }
    needed
}
