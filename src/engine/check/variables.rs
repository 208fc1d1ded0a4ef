//! Variables, modules and functions that there are not; writes that are lost.

use rhai::Expr;

use super::{Cx, codes};
use crate::engine::calls::{Call, literal};
use crate::engine::names;
use crate::engine::scopes::Scopes;
use crate::engine::walk::Node;
use crate::host;
use crate::model::{Failure, Value};

pub(super) fn check<'a>(cx: &mut Cx<'a>, node: &Node<'a>, scopes: &Scopes<'a>) {
    if let Some((at, failure)) = names::unknown(node, scopes, &cx.source.tree, &cx.source.text) {
        let code = if failure.message.starts_with("unknown module") { codes::UNKNOWN_MODULE } else { codes::UNKNOWN_VARIABLE };
        // What lacks its quotes looks like several variables and is one mistake.
        let bare = names::unquoted(names::from(&cx.source.text, at)).len();
        let within = cx.bare.is_some_and(|(line, end)| at.line() == Some(line) && at.position().is_some_and(|column| column < end));
        if bare > 0 {
            cx.bare = at.line().zip(at.position().map(|column| column + bare));
        }
        if !within {
            cx.report(code, failure, at);
        }
        return;
    }
    match node {
        Node::Write(name, at) if scopes.is_lost(name) => {
            let failure = Failure::bad_argument(format!("what a branch of `parallel` writes to `{name}` is lost"));
            cx.report(codes::LOST_WRITE, failure.hint("let the branches answer values: `let answers = parallel([|| …, || …]);`"), *at);
        }
        Node::Import(path, _) => import(cx, path),
        Node::Call(call) => function(cx, call, scopes),
        _ => {}
    }
}

fn import(cx: &mut Cx<'_>, path: &Expr) {
    let Expr::StringConstant(text, at) = path else { return };
    match cx.source.imports.get(text.as_str()) {
        Some(Err(failure)) => cx.report(codes::UNKNOWN_MODULE, failure.clone(), *at),
        Some(Ok(module)) if cx.sources.reaches(*module, cx.number) => {
            let failure = Failure::bad_argument(format!("the import of {:?} is a cycle", text.as_str()));
            cx.report(codes::IMPORT_CYCLE, failure.hint("move what both need into a module that imports neither"), *at);
        }
        _ => {}
    }
}

fn function<'a>(cx: &mut Cx<'a>, call: &Call<'a>, scopes: &Scopes<'a>) {
    if let Some(alias) = call.module {
        return of_module(cx, call, scopes, &alias.name);
    }
    if let Some(instead) = names::refused(call.name) {
        return cx.report(codes::REFUSED_FUNCTION, instead, call.at);
    }
    // `Fn("name")` names a function.
    if call.name == "Fn"
        && let [name] = call.args
        && let Some(Value::Str(text)) = literal(name)
        && !cx.known.has(&text)
    {
        return cx.report(codes::UNKNOWN_FUNCTION, cx.known.unknown_function(&text), name.position());
    }
    if call.host().is_some() || (host::find(call.name).is_some() && !cx.known.builtins.contains_key(call.name)) {
        return;
    }
    if let Some(failure) = cx.known.call(call) {
        let code = if cx.known.has(call.name) { codes::ARGUMENT_COUNT } else { codes::UNKNOWN_FUNCTION };
        cx.report(code, failure, call.at);
    }
}

fn of_module<'a>(cx: &mut Cx<'a>, call: &Call<'a>, scopes: &Scopes<'a>, alias: &str) {
    let Some(module) = scopes.module(alias).and_then(|path| cx.sources.module(cx.source, path)).filter(|module| module.broken.is_none())
    else {
        return;
    };
    let named: Vec<_> = module.tree.named(call.name).filter(|function| !function.private).collect();
    let name = format!("{alias}::{}", call.name);
    if named.is_empty() {
        cx.report(codes::UNKNOWN_FUNCTION, cx.known.unknown_function(&name), call.at);
    } else if named.iter().all(|function| function.params.len() != call.args.len()) {
        cx.report(codes::ARGUMENT_COUNT, names::wrong_count(&name, call.args.len(), &named), call.at);
    }
}
