//! The header: that there is one, that it can be read, that its names and dates hold.

use jiff::civil::Date;
use rhai::{Position, Stmt};

use super::{Cx, codes};
use crate::config::Environment;
use crate::engine::Diagnostic;
use crate::host::http::request;
use crate::host::people::notify::severity_of;
use crate::model::Failure;

/// Checks the header, of which all is told that cannot be read.
pub(super) fn check(cx: &mut Cx<'_>, wrong: Vec<Diagnostic>) {
    if cx.header.is_none() && wrong.is_empty() {
        return missing(cx);
    }
    // What parameters there are is not known then.
    if let (false, Some(header)) = (wrong.is_empty(), &mut cx.header) {
        header.variable = None;
    }
    for diagnostic in wrong {
        let at = Position::new(u16::try_from(diagnostic.at.line).unwrap_or(1).max(1), u16::try_from(diagnostic.at.column).unwrap_or(0));
        cx.report(codes::HEADER, diagnostic.failure, at);
    }
    names(cx);
    dates(cx);
}

/// A script that does something begins with a header; a module only has functions for others.
fn missing(cx: &mut Cx<'_>) {
    let does = |statement: &&Stmt| !matches!(statement, Stmt::Import(..) | Stmt::Export(..) | Stmt::Var(..) | Stmt::Noop(_));
    let is_module = !cx.source.tree.functions.is_empty()
        || cx.sources.all.iter().any(|other| other.imports.values().any(|i| i.as_ref() == Ok(&cx.number)));
    let first = cx.source.tree.statements.iter().find(does).map(Stmt::position);
    if is_module && first.is_none() {
        return;
    }
    let at = cx.source.tree.statements.first().map_or(Position::START, Stmt::position);
    let failure = Failure::bad_argument("the script has no header");
    cx.report(codes::MISSING_HEADER, failure.hint("begin with `runbook(#{ title: \"…\" });`"), at);
}

fn text<'c>(cx: &'c Cx<'_>, field: &str) -> Option<(&'c str, Position)> {
    let header = cx.header.as_ref()?;
    Some((header.header.fields.get(field)?.as_str()?, header.place(&[field])))
}

fn names(cx: &mut Cx<'_>) {
    if !cx.rules.knows_names() {
        return;
    }
    if let Some((severity, at)) = text(cx, "severity")
        && let Err(failure) = severity_of(cx.rules.config, severity)
    {
        cx.report(codes::UNKNOWN_SEVERITY, failure, at);
    }
    if let Some((service, at)) = text(cx, "service") {
        let known = |environment: &Environment| request::known(environment, service).map(drop);
        let failures: Vec<Failure> = cx.rules.environments.iter().filter_map(|environment| known(environment).err()).collect();
        if failures.len() == cx.rules.environments.len()
            && let Some(failure) = failures.into_iter().next()
        {
            cx.report(codes::UNKNOWN_SERVICE, Failure { target: None, ..failure }, at);
        }
    }
}

fn dates(cx: &mut Cx<'_>) {
    let Some(place) = cx.header.as_ref().map(|header| header.place(&["title"])) else { return };
    let today = cx.rules.today;
    let tested = date(cx, "last_tested");
    if let Some((Some(day), at)) = tested
        && day > today
    {
        let failure = Failure::bad_argument(format!("`last_tested` is in the future: {day}"));
        cx.report(codes::BAD_DATE, failure.hint("write the day on which it was tested last"), at);
    }
    if let Some(within) = cx.rules.config.policy.tested_within {
        let days = i64::try_from(within.as_secs() / 86_400).unwrap_or(i64::MAX);
        match tested {
            // What is tried out elsewhere need not be tested regularly.
            None if cx.source.is_runbook => {
                let failure = Failure::bad_argument(format!(
                    "the header does not say when the runbook was tested; [policy] wants that within {days}"
                ));
                cx.report(codes::STALE_TEST, failure.hint("test it, and add `last_tested: \"YYYY-MM-DD\"`"), place);
            }
            Some((Some(day), at)) if i64::from((today - day).get_days()) > days => {
                let ago = (today - day).get_days();
                let failure =
                    Failure::bad_argument(format!("the runbook was tested {ago} days ago, and [policy] wants that within {days}"));
                cx.report(codes::STALE_TEST, failure.hint("run it in a world or a drill, then set `last_tested`"), at);
            }
            _ => {}
        }
    }
    if let Some((Some(day), at)) = date(cx, "next_drill")
        && day < today
    {
        let failure = Failure::bad_argument(format!("the next drill was due on {day}"));
        cx.report(codes::OVERDUE_DRILL, failure.hint("hold it, then set `last_tested` and `next_drill`"), at);
    }
}

/// The date in a field, if the field is there; one that is none is noted.
fn date(cx: &mut Cx<'_>, field: &str) -> Option<(Option<Date>, Position)> {
    let (text, at) = text(cx, field)?;
    match text.parse::<Date>().ok().filter(|_| text.len() == 10) {
        Some(date) => Some((Some(date), at)),
        None => {
            let failure = Failure::bad_argument(format!("`{field}` is no date: {text:?}"));
            cx.report(codes::BAD_DATE, failure.hint("write it as \"2026-03-31\""), at);
            Some((None, at))
        }
    }
}
