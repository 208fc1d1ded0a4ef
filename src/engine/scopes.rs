//! The variables and modules that a place in a script sees.

use rhai::Expr;

/// Scopes, the innermost last.
#[derive(Default)]
pub struct Scopes<'a> {
    scopes: Vec<Scope<'a>>,
}

struct Scope<'a> {
    border: Border,
    variables: Vec<Binding<'a>>,
    modules: Vec<Alias<'a>>,
}

/// What a scope's border is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Border {
    /// Braces.
    Block,
    /// A closure, which captures what it uses.
    Closure,
    /// A closure of `parallel`: it gets copies.
    Branch,
}

/// A variable.
#[derive(Clone, Copy)]
pub struct Binding<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it is declared with, where that is known.
    pub value: Option<&'a Expr>,
}

/// The name of an imported module.
#[derive(Clone, Copy)]
pub struct Alias<'a> {
    /// The name.
    pub name: &'a str,
    /// What is imported.
    pub path: &'a Expr,
}

impl<'a> Scopes<'a> {
    pub(super) fn of_function(imports: &[Alias<'a>], params: &'a [String]) -> Self {
        let variables = params.iter().map(|name| Binding { name, value: None }).collect();
        Self { scopes: vec![Scope { border: Border::Block, variables, modules: imports.to_vec() }] }
    }

    pub(super) fn enter(&mut self, border: Border) {
        self.scopes.push(Scope { border, variables: Vec::new(), modules: Vec::new() });
    }

    pub(super) fn leave(&mut self) {
        self.scopes.pop();
    }

    pub(super) fn declare(&mut self, binding: Binding<'a>) {
        self.scopes.last_mut().into_iter().for_each(|scope| scope.variables.push(binding));
    }

    pub(super) fn import(&mut self, name: &'a str, path: &'a Expr) {
        self.scopes.last_mut().into_iter().for_each(|scope| scope.modules.push(Alias { name, path }));
    }

    pub(super) fn imports(&self) -> Vec<Alias<'a>> {
        self.scopes.iter().flat_map(|scope| scope.modules.iter().copied()).collect()
    }

    /// The variable of a name.
    pub fn find(&self, name: &str) -> Option<Binding<'a>> {
        self.variables().find(|binding| binding.name == name)
    }

    /// All variables, the innermost first.
    pub fn variables(&self) -> impl Iterator<Item = Binding<'a>> {
        self.scopes.iter().rev().flat_map(|scope| scope.variables.iter().rev().copied())
    }

    /// The module of an alias.
    pub fn module(&self, name: &str) -> Option<&'a Expr> {
        self.modules().find(|alias| alias.name == name).map(|alias| alias.path)
    }

    /// All imported modules, the innermost first.
    pub fn modules(&self) -> impl Iterator<Item = Alias<'a>> {
        self.scopes.iter().rev().flat_map(|scope| scope.modules.iter().rev().copied())
    }

    /// Whether what is written to a variable here stays in a branch of `parallel`, since the variable is outside of it.
    pub fn is_lost(&self, name: &str) -> bool {
        for scope in self.scopes.iter().rev() {
            if scope.variables.iter().any(|binding| binding.name == name) {
                return false;
            }
            if scope.border == Border::Branch {
                return self.find(name).is_some();
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::tree::Tree;
    use crate::engine::walk::{Node, walk};

    fn met(text: &str) -> (Vec<String>, Vec<String>) {
        let mut engine = crate::engine::parser();
        engine.set_strict_variables(false);
        let tree = Tree::new(&engine.compile(text).unwrap());
        let (mut unknown, mut lost) = (Vec::new(), Vec::new());
        walk(&tree, &mut |node, _, scopes| match node {
            Node::Read(name, None, _) if scopes.find(name).is_none() => unknown.push((*name).to_owned()),
            Node::Write(name, _) if scopes.is_lost(name) => lost.push((*name).to_owned()),
            _ => {}
        });
        (unknown, lost)
    }

    #[test]
    fn a_variable_is_seen_from_its_declaration_to_the_end_of_its_block() {
        let (unknown, _) =
            met("a; let a = a; { let b = a; b } b; for (i, n) in 0..a { i + n; } i; try { } catch (e) { e } e; a.map(|x| x + a + y); x;");
        assert_eq!(unknown, ["a", "a", "b", "i", "e", "y", "x"]);
        let (unknown, _) = met("let a = 1; fn f(p) { let q = p; a + q }");
        assert_eq!(unknown, ["a"]);
    }

    #[test]
    fn what_a_branch_writes_outside_of_itself_is_lost() {
        let (_, lost) =
            met("let a = 1; let l = []; parallel([|| a = 2, || { let b = 1; b = 2; l.push(b); l.map(|x| a += x) }]); a = 3; [|| a = 4];");
        assert_eq!(lost, ["a", "l", "a"]);
        let (_, lost) = met(
            "let m = #{}; let fs = []; for n in 0..3 { fs.push(|| m.x[n] = 1); } let gs = [|| { m.y = 1; m = 2; }]; parallel(fs); parallel(gs);",
        );
        assert_eq!(lost, ["m", "m", "m"]);
    }
}
