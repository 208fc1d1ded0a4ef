//! The calls in a script's text: of host functions, of its own, of modules'.

use rhai::{Expr, Ident, Position};

use super::convert::to_value;
use super::scopes::Scopes;
use super::tree::Tree;
use super::walk::{Node, Place, walk};
use crate::call::Function;
use crate::host;
use crate::model::Value;

/// One call.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// The function's name.
    pub name: &'a str,
    /// The module's alias: `health` in `health::down(…)`.
    pub module: Option<&'a Ident>,
    /// Where the name stands.
    pub at: Position,
    /// What stands before the dot.
    pub receiver: Receiver<'a>,
    /// What stands in the parentheses.
    pub args: &'a [Expr],
}

/// What a call is made on.
#[derive(Clone, Copy)]
pub enum Receiver<'a> {
    /// Nothing: `scale("api", 3)`.
    None,
    /// An expression: `"api".scale(3)`.
    Value(&'a Expr),
    /// The middle of a chain: `a.b.scale(3)`.
    Chain,
}

/// Rhai's own functions on maps and arrays that host functions share their names with.
const RHAIS: [&str; 2] = ["get", "sort_by"];

impl<'a> Call<'a> {
    /// Its arguments, what stands before the dot as the first of them; none for what is no single expression.
    pub fn arguments(&self) -> Vec<Option<&'a Expr>> {
        let first = match self.receiver {
            Receiver::None => None,
            Receiver::Value(expr) => Some(Some(expr)),
            Receiver::Chain => Some(None),
        };
        first.into_iter().chain(self.args.iter().map(Some)).collect()
    }

    /// The value of an argument, from 0, where it is written out.
    pub fn literal(&self, number: usize) -> Option<Value> {
        literal((*self.arguments().get(number)?)?)
    }

    /// The host function that it calls.
    pub fn host(&self) -> Option<&'static Function> {
        let function = host::find(self.name).filter(|_| self.module.is_none())?;
        let ours = match (RHAIS.contains(&self.name), self.receiver, self.args) {
            (false, ..) => true,
            (true, Receiver::None, [_]) => true,
            // `get(x, "key")` is Rhai's, `get("deployment/x", #{ … })` is ours.
            (true, Receiver::None, [first, second]) => matches!(first, Expr::StringConstant(..)) || matches!(second, Expr::Map(..)),
            (true, ..) => matches!(self.receiver, Receiver::Value(Expr::StringConstant(..))),
        };
        Some(function).filter(|_| ours)
    }
}

/// The value of an expression that is written out.
pub fn literal(expr: &Expr) -> Option<Value> {
    expr.get_literal_value(None).and_then(|value| to_value(&value).ok())
}

/// Meets every call of a tree, with where it stands and what is known there.
pub fn each<'a>(tree: &'a Tree, mut meet: impl FnMut(&Call<'a>, &Place<'a>, &Scopes<'a>)) {
    walk(tree, &mut |node, place, scopes| {
        if let Node::Call(call) = node {
            meet(call, place, scopes);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(text: &str) -> Vec<String> {
        let tree = Tree::new(&crate::engine::parser().compile(text).unwrap());
        let mut met = Vec::new();
        each(&tree, |call, place, _| {
            let at = format!("{}:{}", call.at.line().unwrap(), call.at.position().unwrap());
            let literals: Vec<String> =
                (0..call.arguments().len()).map(|n| call.literal(n).map_or("?".to_owned(), |value| value.to_string())).collect();
            let step = place.step.map_or(String::new(), |step| format!(" in {}", literal(step.title).unwrap().as_str().unwrap()));
            let rollback = if place.rollback { " rollback" } else { "" };
            let function = place.function.map_or(String::new(), |function| format!(" of {}", function.name));
            let module = call.module.map_or(String::new(), |module| format!("{}::", module.name));
            met.push(format!("{at} {module}{}({}){step}{rollback}{function}", call.name, literals.join(", ")));
        });
        met
    }

    #[test]
    fn every_shape_is_met_wherever_it_stands() {
        assert_eq!(
            calls("scale(\"a\", 1); let x = scale(\"b\", 2); \"c\".scale(3);"),
            ["1:1 scale(\"a\", 1)", "1:24 scale(\"b\", 2)", "1:43 scale(\"c\", 3)"]
        );
        assert_eq!(
            calls(
                "let n = 1;\nstep \"s\" #{ on_error: \"stop\" } { parallel([|| scale(\"a\", n), || { note(`${now()}`) }]); } rollback { undo(n); }"
            ),
            ["2:34 parallel(?) in s", "2:47 scale(\"a\", ?) in s", "2:67 note(?) in s", "2:75 now() in s", "2:102 undo(?) in s rollback",]
        );
        assert_eq!(
            calls("import \"std/health\" as health;\nfn f(x) { step \"in\" { if x { health::down(x.y(1)); } } }"),
            ["2:38 health::down(?) in in of f", "2:45 y(?, 1) in in of f"]
        );
        let everywhere =
            "if a() { b() } else { c() } switch d() { 1 => e(), 2 if f() => g(), _ => h() } while i() { break j(); } do { k() } until l();
            for x in m() { n() } try { o() } catch { p() } #{ q: r() }; [s()]; t()[u()].v(w()); x() && y() || z(); return aa() ?? bb();";
        let names: Vec<String> = calls(&format!("let x = 1; fn a() {{}} {everywhere}"))
            .iter()
            .map(|call| call.split(['(', ' ']).nth(1).unwrap().to_owned())
            .collect();
        assert_eq!(names.join(" "), "a b c d e f g h i j k l m n o p r s t u v w x y z aa bb");
    }

    #[test]
    fn rhais_own_functions_are_told_from_ours() {
        let ours = |text: &str| {
            let tree = Tree::new(&crate::engine::parser().compile(text).unwrap());
            let mut found = Vec::new();
            each(&tree, |call, _, _| found.push(call.host().is_some()));
            found
        };
        assert_eq!(ours("let m = #{}; let t = \"x\"; get(t); get(\"x\", m); get(t, #{ namespace: t });"), [true, true, true]);
        assert_eq!(ours("let m = #{}; m.get(\"k\"); get(m, \"k\"); m.a.get(\"k\");"), [false, false, false]);
        assert_eq!(ours("import \"x\" as m; m::scale(\"x\", 1);"), [false]);
    }
}
