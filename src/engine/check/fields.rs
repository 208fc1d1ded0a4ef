//! Fields that an answer has not, and parameters that the header has not.

use rhai::Expr;

use super::{Cx, codes};
use crate::call::Function;
use crate::engine::calls::{Call, Receiver, literal};
use crate::engine::header::ParamType;
use crate::engine::scopes::Scopes;
use crate::engine::walk::Node;
use crate::model::{Failure, Value, suggest};

pub(super) fn check<'a>(cx: &mut Cx<'a>, node: &Node<'a>, scopes: &Scopes<'a>) {
    let Node::Field(of, name, at) = node else { return };
    if let Some(header) = parameters(cx, of, scopes) {
        if !header.params.contains_key(*name) {
            let failure = Failure::unknown("parameter", name, header.params.keys().map(String::as_str));
            let failure = if header.params.is_empty() { failure.hint("this runbook takes no parameters") } else { failure };
            cx.report(codes::UNKNOWN_PARAMETER, failure, *at);
        }
        return;
    }
    let Some((function, known)) = answer(cx, of, scopes).and_then(|(function, call)| Some((function, fields(function, call)?))) else {
        return;
    };
    if !known.contains(name) {
        let mut failure = Failure::bad_argument(format!("the answer of `{}` has no `{name}`", function.spec.name));
        failure.hint = suggest::hint(name, known.iter().copied());
        cx.report(codes::UNKNOWN_FIELD, failure, *at);
    }
}

/// The header, if an expression is the variable that holds its parameters.
fn parameters<'c, 'a>(cx: &'c Cx<'a>, of: &Expr, scopes: &Scopes<'a>) -> Option<&'c crate::engine::header::Header> {
    let Expr::Variable(variable, ..) = of else { return None };
    let header = cx.header.as_ref().filter(|header| header.variable == Some(variable.1.as_str()))?;
    // A parameter or a loop's variable of that name is another one.
    let called = |value: &Expr| matches!(value, Expr::FnCall(call, _) if call.name == "runbook");
    scopes.find(&variable.1)?.value.is_some_and(called).then_some(&header.header)
}

/// The type of a parameter of the runbook.
pub(super) fn parameter<'a>(cx: &Cx<'a>, expr: &'a Expr, scopes: &Scopes<'a>) -> Option<(&'a str, ParamType)> {
    let Expr::Dot(parts, ..) = expr else { return None };
    let Expr::Property(property, _) = &parts.rhs else { return None };
    let header = parameters(cx, &parts.lhs, scopes)?;
    Some((property.2.as_str(), header.params.get(property.2.as_str())?.ty))
}

/// The host function whose answer an expression is: a call, or a variable that holds its answer and nothing else ever.
fn answer<'a>(cx: &Cx<'a>, of: &'a Expr, scopes: &Scopes<'a>) -> Option<(&'static Function, Call<'a>)> {
    let expr = match of {
        Expr::Variable(variable, ..) if !cx.written.contains(variable.1.as_str()) => scopes.find(&variable.1)?.value?,
        other => other,
    };
    let Expr::FnCall(inner, at) = expr else { return None };
    if inner.is_operator_call() || inner.is_qualified() {
        return None;
    }
    let call = Call { name: &inner.name, module: None, at: *at, receiver: Receiver::None, args: &inner.args };
    Some((call.host()?, call))
}

/// The fields of a function's answer, as its specification tells them; none where the answer may be something else.
fn fields(function: &Function, call: Call<'_>) -> Option<Vec<&'static str>> {
    let returns = function.spec.returns;
    let several = returns.contains("or an array of them");
    if several && !call.args.first().and_then(literal).is_some_and(|first| matches!(first, Value::Str(_))) {
        return None;
    }
    let inner = returns.strip_prefix("`#{")?;
    let (mut depth, mut names, mut start) = (0, Vec::new(), 0);
    for (at, c) in inner.char_indices() {
        match c {
            ',' | '}' if depth == 0 => {
                names.push(inner[start..at].split(':').next().unwrap_or_default().trim());
                start = at + 1;
                if c == '}' {
                    return Some(names);
                }
            }
            '{' | '[' | '(' => depth += 1,
            '}' | ']' | ')' => depth -= 1,
            _ => {}
        }
    }
    None
}
