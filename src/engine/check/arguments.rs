//! Numbers and types of arguments, keys and values of options, as far as the text says them.

use rhai::{Expr, FnCallExpr};

use super::codes::{self, Code};
use super::{Cx, data, fields, targets};
use crate::call::Function;
use crate::engine::calls::{Call, literal};
use crate::engine::convert::NO_CLOSURE;
use crate::engine::header::ParamType;
use crate::engine::scopes::Scopes;
use crate::engine::walk::Step;
use crate::engine::{flow, step};
use crate::host;
use crate::model::spec::{Opt, SWAPPED, Type};
use crate::model::{Failure, Value};

/// What is known of an argument.
#[derive(Clone)]
pub(super) enum Given {
    /// Its value.
    Value(Value),
    /// Its type, and how to call it.
    Kind(&'static str, String),
    /// That it is what a host function answers, and no closure.
    Answer(&'static str),
    /// That it is an array with such an answer in it.
    Answers(&'static str),
    /// Nothing.
    Nothing,
}

impl Given {
    fn value(&self) -> Option<Value> {
        match self {
            Given::Value(value) => Some(value.clone()),
            // Any of a type stands for all of them.
            Given::Kind("bool", _) => Some(Value::Bool(true)),
            Given::Kind("map", _) => Some(Value::Map(Default::default())),
            _ => None,
        }
    }

    fn is_map(&self) -> bool {
        matches!(self, Given::Value(Value::Map(_)) | Given::Kind("map", _))
    }
}

/// Checks a call of a host function.
pub(super) fn check<'a>(cx: &mut Cx<'a>, call: &Call<'a>, scopes: &Scopes<'a>) {
    let Some(function) = call.host() else { return };
    let spec = &function.spec;
    let args = call.arguments();
    let given: Vec<Given> = args.iter().map(|arg| arg.map_or(Given::Nothing, |arg| self::given(cx, arg, scopes))).collect();
    let surplus = args.len() > spec.params.len();
    let options = given.last().is_some_and(|last| match last {
        Given::Nothing | Given::Answer(_) | Given::Answers(_) => surplus && !spec.options.is_empty(),
        last => last.is_map() && (surplus || spec.last_is_options(args.len())),
    });
    let count = args.len() - usize::from(options);
    let required = spec.params.iter().filter(|param| param.required).count();
    if count < required || count > spec.params.len() {
        // Where no function of that many arguments is bound, Rhai counts the options too.
        let told = if crate::engine::bind::arities(function).contains(&args.len()) { count } else { args.len() };
        return cx.report(codes::ARGUMENT_COUNT, spec.wrong_count(told), call.at);
    }
    let before = cx.found.len();
    let swapped =
        |cx: &Cx<'_>| cx.found[before..].iter().any(|one| one.failure.hint.as_ref().is_some_and(|hint| hint.starts_with(SWAPPED)));
    for (number, (param, own)) in spec.params.iter().zip(&given[..count]).enumerate() {
        let Some(arg) = args[number] else { continue };
        match wrong(function, &param.ty, &format!("`{}`", param.name), own) {
            Some((code, failure)) => {
                let failure = spec.swapped(failure, number, &|n| given.get(n)?.value());
                cx.report(code, failure, arg.start_position());
            }
            None => {
                let others = || (0..count).filter(|other| *other != number).filter_map(|other| given[other].value());
                targets::check(cx, function, &param.ty, arg, own.value(), others);
            }
        }
        // The other one of the two is right, in its place.
        if swapped(cx) {
            break;
        }
    }
    if options && let Some(Some(Expr::Map(map, _))) = args.last() {
        for (key, value) in &map.0 {
            match spec.option(&key.name) {
                Ok(option) => self::option(cx, Some(function), option, value, scopes),
                Err(failure) => cx.report(codes::UNKNOWN_OPTION, failure, key.pos),
            }
        }
    }
    if !swapped(cx) {
        data::check(cx, spec.name, &args);
    }
}

/// Checks a step's title and options.
pub(super) fn check_step<'a>(cx: &mut Cx<'a>, step: &Step<'a>, scopes: &Scopes<'a>) {
    match given(cx, step.title, scopes) {
        Given::Value(Value::Str(_)) | Given::Kind("string", _) | Given::Nothing | Given::Answer(_) | Given::Answers(_) => {}
        Given::Value(value) => cx.report(codes::ARGUMENT_TYPE, step::wrong_title(value.type_name()), step.title.start_position()),
        Given::Kind(_, described) => cx.report(codes::ARGUMENT_TYPE, step::wrong_title(&described), step.title.start_position()),
    }
    let Some(Expr::Map(map, _)) = step.options else { return };
    for (key, value) in &map.0 {
        match step::option(&key.name) {
            Ok(option) => self::option(cx, None, option, value, scopes),
            Err(failure) => cx.report(codes::UNKNOWN_OPTION, failure, key.pos),
        }
    }
}

fn option<'a>(cx: &mut Cx<'a>, function: Option<&'static Function>, option: &Opt, value: &'a Expr, scopes: &Scopes<'a>) {
    let what = format!("option `{}`", option.name);
    let given = given(cx, value, scopes);
    let wrong = match function {
        Some(function) => wrong(function, &option.ty, &what, &given),
        None => wrong_value(&option.ty, &what, &given),
    };
    match (wrong, function) {
        (Some((code, failure)), _) => cx.report(code, failure, value.start_position()),
        (None, Some(function)) => targets::check(cx, function, &option.ty, value, given.value(), std::iter::empty),
        (None, None) => {}
    }
}

/// What is wrong with an argument.
fn wrong(function: &Function, ty: &Type, what: &str, given: &Given) -> Option<(&'static Code, Failure)> {
    if !matches!(ty, Type::Closure | Type::Closures) {
        return wrong_value(ty, what, given);
    }
    let failure = match given {
        Given::Nothing => return None,
        Given::Kind("closure", _) if *ty == Type::Closure => return None,
        // The items of an array are closures as far as anybody can tell, unless one is not.
        Given::Kind("array", _) if *ty == Type::Closures => return None,
        Given::Value(Value::List(items)) if *ty == Type::Closures && items.is_empty() => return None,
        Given::Value(value) => flow::wants_closure(function, value.type_name()),
        Given::Kind(_, described) => flow::wants_closure(function, described),
        Given::Answer(name) => flow::wants_closure(function, &format!("the answer of `{name}`")).hint(format!("write `|| {name}(…)`")),
        Given::Answers(name) => {
            flow::wants_closure(function, &format!("an array with the answer of `{name}`")).hint(format!("write `|| {name}(…)`"))
        }
    };
    Some((codes::ARGUMENT_TYPE, failure))
}

fn wrong_value(ty: &Type, what: &str, given: &Given) -> Option<(&'static Code, Failure)> {
    match given {
        Given::Value(value) => ty.check(what, value).err().map(|failure| (code(ty, value), failure)),
        Given::Kind("closure", _) => Some((codes::ARGUMENT_TYPE, Failure::bad_argument(NO_CLOSURE))),
        Given::Answers(_) if !ty.takes("array") => Some((codes::ARGUMENT_TYPE, ty.mismatch(what, "array"))),
        Given::Kind(kind, described) if !ty.takes(kind) => {
            let unit = *ty == Type::Duration && *kind == "int";
            Some((if unit { codes::DURATION } else { codes::ARGUMENT_TYPE }, ty.mismatch(what, described)))
        }
        _ => None,
    }
}

/// The code of a value that a type refuses.
fn code(ty: &Type, value: &Value) -> &'static Code {
    match (ty, value) {
        (Type::Int(..), Value::Int(_)) => codes::OUT_OF_RANGE,
        (Type::Duration, Value::Str(_) | Value::Int(_)) => codes::DURATION,
        (Type::Regex, Value::Str(_)) => codes::REGEX,
        (Type::Choice(_), Value::Str(_)) => codes::CHOICE,
        _ => codes::ARGUMENT_TYPE,
    }
}

/// What the text says of an expression.
pub(super) fn given<'a>(cx: &Cx<'a>, expr: &'a Expr, scopes: &Scopes<'a>) -> Given {
    if let Some(value) = literal(expr) {
        return Given::Value(value);
    }
    let kind = |kind: &'static str| Given::Kind(kind, kind.to_owned());
    match expr {
        Expr::InterpolatedString(..) => kind("string"),
        Expr::Array(items, _) => {
            let answer = items.iter().find_map(|item| match given(cx, item, scopes) {
                Given::Answer(name) => Some(name),
                _ => None,
            });
            answer.map_or_else(|| kind("array"), Given::Answers)
        }
        Expr::Map(..) => kind("map"),
        Expr::And(..) | Expr::Or(..) => kind("bool"),
        _ if is_closure(cx, expr) => kind("closure"),
        Expr::FnCall(call, _) if compares(call) => kind("bool"),
        Expr::FnCall(call, _) if !call.is_qualified() && !call.is_operator_call() => {
            host::find(&call.name).map_or(Given::Nothing, |function| Given::Answer(function.spec.name))
        }
        // A variable that is declared with a value and keeps it.
        Expr::Variable(variable, ..) if variable.2.is_empty() && !cx.written.contains(variable.1.as_str()) => {
            let value = scopes.find(&variable.1).and_then(|binding| binding.value);
            value.and_then(literal).map_or(Given::Nothing, Given::Value)
        }
        _ => match fields::parameter(cx, expr, scopes) {
            Some((name, ty)) => {
                let kind = match ty {
                    ParamType::Int => "int",
                    ParamType::Float => "float",
                    ParamType::String | ParamType::Duration => "string",
                    ParamType::Bool => "bool",
                };
                Given::Kind(kind, format!("the {kind} parameter `{name}`"))
            }
            None => Given::Nothing,
        },
    }
}

fn is_closure(cx: &Cx<'_>, expr: &Expr) -> bool {
    match expr {
        Expr::DynamicConstant(..) => cx.source.tree.closure(expr).is_some(),
        // One that captures something.
        Expr::Stmt(block) => matches!(block.statements(), [rhai::Stmt::Share(_), rhai::Stmt::Expr(_)]),
        _ => false,
    }
}

fn compares(call: &FnCallExpr) -> bool {
    call.is_operator_call() && matches!(call.name.as_str(), "==" | "!=" | "<" | "<=" | ">" | ">=" | "!" | "in" | "!in")
}
