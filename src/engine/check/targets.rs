//! Names of the configuration in arguments: workloads, services, databases, channels, severities.

use rhai::{Expr, Position};

use super::Cx;
use super::codes::{self, Code};
use crate::call::Function;
use crate::config::Environment;
use crate::engine::calls::literal;
use crate::host::data::{of_kind, protocol};
use crate::host::http::request;
use crate::host::people::notify::{channel_of, severity_of};
use crate::host::targets::suits;
use crate::host::workloads::{restart::restartable, rollout_undo::undoable, scale::scalable};
use crate::model::resource::Target;
use crate::model::spec::{SWAPPED, Type};
use crate::model::{Failure, Value, suggest};
use crate::platform;

/// Checks the names in an argument whose type is right; `others` are the other arguments, of which one may be meant.
pub(super) fn check<'a, O: Iterator<Item = Value>>(
    cx: &mut Cx<'a>,
    function: &'static Function,
    ty: &Type,
    expr: &'a Expr,
    value: Option<Value>,
    others: impl Fn() -> O,
) {
    for (text, at) in texts(expr, value) {
        let Some((code, mut failure)) = wrong(cx, function, ty, &text) else { continue };
        let meant = |other: Value| other.as_str().is_some_and(|other| wrong(cx, function, ty, other).is_none());
        if code != codes::UNDECLARED_WORKLOAD && others().any(meant) {
            failure = failure.hint(format!("{SWAPPED}: it reads {}", function.spec.signature()));
        }
        failure.target = None;
        cx.report(code, failure, at);
    }
}

/// The texts of an argument, each with its place.
fn texts(expr: &Expr, value: Option<Value>) -> Vec<(String, Position)> {
    match (expr, value) {
        (Expr::Array(items, _), _) => {
            let texts = items.iter().filter_map(|item| Some((literal(item)?.as_str()?.to_owned(), item.position())));
            texts.collect()
        }
        (_, Some(Value::Str(text))) => vec![(text, expr.start_position())],
        (_, Some(Value::List(items))) => items.iter().filter_map(|item| Some((item.as_str()?.to_owned(), expr.start_position()))).collect(),
        _ => Vec::new(),
    }
}

fn wrong(cx: &Cx<'_>, function: &Function, ty: &Type, text: &str) -> Option<(&'static Code, Failure)> {
    if let Err(failure) = suits(ty, text).and_then(|()| peculiar(function, text)) {
        let code = if Target::parse(text).is_err() { codes::BAD_TARGET } else { codes::WRONG_KIND };
        return Some((code, failure));
    }
    if !cx.rules.knows_names() {
        return None;
    }
    let everywhere = |test: &dyn Fn(&Environment) -> Result<(), Failure>| nowhere(&cx.rules.environments, test);
    match ty {
        Type::Workload | Type::Workloads | Type::Pods | Type::Target | Type::Targets => {
            undeclared(&cx.rules.environments, text).map(|failure| (codes::UNDECLARED_WORKLOAD, failure))
        }
        Type::Services => everywhere(&|environment| request::known(environment, text).map(drop)).map(|f| (codes::UNKNOWN_SERVICE, f)),
        Type::Address if request::is_url(text) => {
            everywhere(&|environment| platform::may_ask(environment, text)).map(|failure| (codes::UNDECLARED_URL, failure))
        }
        Type::Address => {
            let name = text.split('/').next().unwrap_or_default();
            everywhere(&|environment| request::known(environment, name).map(drop)).map(|f| (codes::UNKNOWN_SERVICE, f))
        }
        Type::Database => {
            let kind = protocol(function.spec.name);
            let failure = everywhere(&|environment| match kind {
                Some(kind) => of_kind(environment, text, kind),
                None => Ok(()),
            })?;
            let known = cx.rules.environments.iter().any(|environment| environment.databases.contains_key(text));
            Some((if known { codes::WRONG_PROTOCOL } else { codes::UNKNOWN_DATABASE }, failure))
        }
        Type::Channels => everywhere(&|environment| channel_of(environment, text).map(drop)).map(|f| (codes::UNKNOWN_CHANNEL, f)),
        Type::Severity => severity_of(cx.rules.config, text).err().map(|failure| (codes::UNKNOWN_SEVERITY, failure)),
        _ => None,
    }
}

/// What single functions refuse beyond their parameter's type.
fn peculiar(function: &Function, text: &str) -> Result<(), Failure> {
    match (function.spec.name, Target::parse(text)) {
        ("scale", Ok(Target::Object(kind, _))) => scalable(kind, text),
        ("restart", Ok(Target::Object(kind, _))) => restartable(kind, text),
        ("rollout_undo", Ok(Target::Object(kind, _))) => undoable(kind, text),
        _ => Ok(()),
    }
}

/// The failure of a name that no environment has: the first one's.
fn nowhere(environments: &[Environment], test: &dyn Fn(&Environment) -> Result<(), Failure>) -> Option<Failure> {
    let mut first = None;
    for environment in environments {
        match test(environment) {
            Ok(()) => return None,
            Err(failure) => drop(first.get_or_insert(failure)),
        }
    }
    first
}

/// A workload that is nearly one of the configuration's. Others may be the cluster's own, which nobody can know here.
fn undeclared(environments: &[Environment], text: &str) -> Option<Failure> {
    let each = |environment: &Environment| -> Vec<(String, Option<String>)> {
        let services = environment.services.iter().map(|(name, service)| (name.clone(), service.workload.clone()));
        let databases = environment.databases.iter().map(|(name, database)| (name.clone(), database.workload.clone()));
        services.chain(databases).collect()
    };
    let known: Vec<(String, Option<String>)> = environments.iter().flat_map(each).collect();
    match Target::parse(text).ok()? {
        Target::Bare(name) => {
            let names = || known.iter().map(|(name, _)| name.as_str());
            let near = suggest::nearest(&name, names()).filter(|near| *near != name)?;
            let failure = Failure::bad_argument(format!("{name:?} is no service or database of runbook.toml"));
            Some(failure.hint(format!("did you mean `{near}`?")))
        }
        Target::Object(kind, name) if kind.is_workload() => {
            let workloads = || known.iter().filter_map(|(_, workload)| workload.as_deref());
            let full = format!("{}/{name}", kind.singular);
            if workloads().any(|workload| workload == full) {
                return None;
            }
            let own = |workload: &str| workload.split_once('/').map(|(_, own)| own.to_owned());
            let letters = |text: &str| text.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-').to_owned();
            // One more or one less in a row of numbered ones is no slip.
            let near = |own: &str| {
                own == name || (strsim::damerau_levenshtein(own, &name) <= 2 && letters(own) != letters(&name) && name.len() > 3)
            };
            let near = workloads().find(|workload| own(workload).is_some_and(|own| near(&own)))?;
            let failure = Failure::bad_argument(format!("{text:?} is the workload of no service or database of runbook.toml"));
            Some(failure.hint(format!("did you mean `{near}`?")))
        }
        _ => None,
    }
}
