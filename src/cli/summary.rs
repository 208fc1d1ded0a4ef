//! What a run came to, for people.

use std::io::{self, Write};
use std::time::Duration;

use super::render;
use crate::call::Change;
use crate::call::ledger::Found;
use crate::model::duration;
use crate::model::text::{self, count};
use crate::run::Summary;

/// Writes the summary. A rehearsal's says what would be done and how a person would do the same by hand.
pub fn write(summary: &Summary, colour: bool, out: &mut dyn Write) -> io::Result<()> {
    let paint = |code: &str, text: &str| if colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() };
    let made = |changes: &[Change]| changes.iter().filter(|change| change.is_made()).count();
    let (changes, messages) = (made(&summary.changes), made(&summary.messages));
    let all = || summary.changes.iter().chain(&summary.messages);
    writeln!(out)?;
    if summary.dry_run && changes + messages > 0 {
        writeln!(out, "{}", paint("1", &format!("Would change {changes}, would send {messages}. By hand that would be:")))?;
        for change in all().filter(|change| change.is_made()) {
            writeln!(out, "  {}", text::one_line(&change.equivalent))?;
            let what =
                format!("# {} · {} · {} · {}:{}", change.target, render::difference(change), change.tier.name(), change.file, change.line);
            writeln!(out, "    {}", paint("2", &text::one_line(&what)))?;
        }
        writeln!(out)?;
    }
    for (sort, heading) in [
        (Found::Refused, "Refused by the server"),
        (Found::Unproven, "Unproven: nobody can know before the changes are real"),
        (Found::StaleDecision, "Decided on what was read before the changes"),
        (Found::Remark, "Remarks"),
    ] {
        let found: Vec<_> = summary.findings.iter().filter(|finding| finding.finding == sort).collect();
        if found.is_empty() || (!summary.dry_run && sort == Found::Remark) {
            continue;
        }
        writeln!(out, "{}", paint("1", heading))?;
        for finding in found {
            writeln!(out, "  {}:{}  {}", finding.file, finding.line, text::one_line(&finding.message))?;
        }
        writeln!(out)?;
    }
    for passed in &summary.passed {
        writeln!(out, "{} {}: {}", paint("31", "failed:"), text::one_line(&passed.step), text::one_line(&passed.failure.message))?;
    }
    for change in all().filter(|change| change.status == "in_doubt") {
        writeln!(
            out,
            "{} {} at {}:{}. Look before you repeat it; by hand it would be:",
            paint("31", "In doubt:"),
            change.target,
            change.file,
            change.line
        )?;
        writeln!(out, "  {}", text::one_line(&change.equivalent))?;
    }
    let status = if summary.exit == 0 { paint("32", summary.status) } else { paint("31", summary.status) };
    let verb = if summary.dry_run { "planned" } else { "made" };
    let took = duration::show(Duration::from_secs_f64(summary.duration_ms.max(0.0) / 1e3));
    let simulated = if summary.platform.starts_with("world") { " (simulated time)" } else { "" };
    let with = |status: &str| all().filter(|change| change.status == status).count();
    let unproven = summary.findings.iter().filter(|finding| finding.finding == Found::Unproven).count();
    let others = [(with("failed"), "failed"), (with("in_doubt"), "in doubt"), (unproven, "unproven")];
    let others: String = others.iter().filter(|(number, _)| *number > 0).map(|(number, what)| format!("{number} {what}, ")).collect();
    writeln!(
        out,
        "{status}: {} {verb}, {} {}, {others}{} in {took}{simulated}",
        count(changes, "change"),
        count(messages, "message"),
        if summary.dry_run { "not sent" } else { "sent" },
        count(usize::try_from(summary.calls).unwrap_or(usize::MAX), "call")
    )?;
    writeln!(out, "{}", paint("2", &format!("journal: {}  (runbook log show {})", summary.journal.display(), summary.run)))
}
