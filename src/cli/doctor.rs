//! `runbook doctor`.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use clap_complete::engine::ArgValueCandidates;

use super::log::{Output, Paint};
use super::{colour, complete, here, written};
use crate::config::Dirs;
use crate::model::{Failure, Kind, text};
use crate::platform::Cancel;
use crate::run::doctor::{Finding, Health, Request, examine};
use crate::run::exit;

/// Find out whether everything that runs will need is there
///
/// Configuration and trust, the journal's folder, kubeconfig and cluster, each permission that the project's scripts need,
/// each secret, service, database and channel. Nothing is changed and nobody is notified. Exit code 0 if nothing failed
/// (warnings may remain), 1 if something did.
#[derive(Args, Debug)]
pub struct DoctorArgs {
    /// The environment of runbook.toml.
    #[arg(short, long, value_name = "NAME", env = "RUNBOOK_ENV", add = ArgValueCandidates::new(complete::environments))]
    env: Option<String>,
    /// The folder of journals, instead of the operator's.
    #[arg(long, value_name = "DIR")]
    journal: Option<PathBuf>,
    /// The form of the answer.
    #[arg(short, long, value_enum, default_value = "table")]
    output: Output,
}

/// Examines and tells; answers the exit code.
pub fn run(args: &DoctorArgs, out: &mut dyn Write) -> Result<i32, Failure> {
    let request = Request { folder: here()?, dirs: Dirs::from_env()?, environment: args.env.clone(), journal: args.journal.clone() };
    let paint = Paint(colour(&io::stdout()));
    let (mut all, mut broken) = (Vec::new(), Ok(exit::OK));
    examine(&request, &Cancel::default(), &mut |finding| {
        if args.output == Output::Table && broken.is_ok() {
            broken = written(writeln!(out, "{}", line(&finding, paint)).and_then(|()| out.flush()));
        }
        all.push(finding);
    });
    broken?;
    if args.output == Output::Json {
        let text = serde_json::to_string_pretty(&all).map_err(|error| Failure::new(Kind::Failed, error.to_string()))?;
        written(writeln!(out, "{text}"))?;
    } else {
        let count = |health| all.iter().filter(|finding| finding.health == health).count();
        let (failed, warnings) = (count(Health::Failed), count(Health::Warning));
        let verdict = match (failed, warnings) {
            (0, 0) => paint.good("everything is there"),
            (0, warnings) => paint.warn(format!("everything works, with {}", text::count(warnings, "warning"))),
            (failed, _) => paint.bad(format!("{} would make runs fail", text::count(failed, "thing"))),
        };
        written(writeln!(out, "\n{verdict}"))?;
    }
    Ok(if all.iter().any(|finding| finding.health == Health::Failed) { exit::FAILED } else { exit::OK })
}

/// A finding on one line, its remedy on the next.
fn line(finding: &Finding, paint: Paint) -> String {
    let mark = match finding.health {
        Health::Ok => paint.good("✓"),
        Health::Warning => paint.warn("!"),
        Health::Failed => paint.bad("✗"),
    };
    let remedy = finding.remedy.as_ref().map(|remedy| format!("\n{:18}{}", "", paint.dim(format!("→ {remedy}")))).unwrap_or_default();
    format!("{mark} {:<15} {}{remedy}", finding.area, finding.message)
}
