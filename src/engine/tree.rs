//! A script's syntax tree, with the bodies of its functions and closures beside it: Rhai keeps those apart, and its own
//! walk does not say whose statements it is in.

use std::collections::BTreeMap;

use rhai::{AST, ASTNode, Dynamic, Expr, FnAccess, FnPtr, Position, Stmt};

/// A tree, and what its function pointers lead to.
#[derive(Default)]
pub struct Tree {
    /// The script's own statements.
    pub statements: Vec<Stmt>,
    /// Its named functions, in the order of the text.
    pub functions: Vec<Function>,
    closures: BTreeMap<String, Function>,
}

/// A function of a script, or a closure.
pub struct Function {
    /// Its name; closures have one that nobody wrote.
    pub name: String,
    /// Its parameters; those of a closure begin with what it captures.
    pub params: Vec<String>,
    /// Its body.
    pub body: Vec<Stmt>,
    /// Where its body begins.
    pub at: Position,
    /// Whether only its own file may call it.
    pub private: bool,
}

impl Tree {
    /// Takes a tree apart.
    pub fn new(ast: &AST) -> Self {
        let (mut functions, mut closures) = (Vec::new(), BTreeMap::new());
        for (.., definition) in ast.shared_lib().iter_script_fn_info() {
            let function = Function {
                name: definition.name.to_string(),
                params: definition.params.iter().map(ToString::to_string).collect(),
                body: body(ast, &definition.name, definition.params.len()),
                at: definition.body.start_position(),
                private: definition.access == FnAccess::Private,
            };
            match function.is_closure() {
                true => drop(closures.insert(function.name.clone(), function)),
                false => functions.push(function),
            }
        }
        functions.sort_by_key(|function| function.at);
        Self { statements: ast.statements().to_vec(), functions, closures }
    }

    /// The closure that an expression is, and what it captures.
    pub fn closure<'a>(&'a self, expr: &Expr) -> Option<&'a Function> {
        let Expr::DynamicConstant(value, _) = expr else { return None };
        self.pointed(value)
    }

    fn pointed(&self, value: &Dynamic) -> Option<&Function> {
        let pointer = value.read_lock::<FnPtr>()?;
        self.closures.get(pointer.fn_name())
    }

    /// The functions of a name, which differ in how many parameters they take.
    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Function> {
        self.functions.iter().filter(move |function| function.name == name)
    }
}

impl Function {
    fn is_closure(&self) -> bool {
        self.name.starts_with("anon$")
    }

    /// `down(list, timeout)`.
    pub fn signature(&self) -> String {
        format!("{}({})", self.name, self.params.join(", "))
    }
}

/// A function's statements: those that a walk over it alone meets first.
///
/// Rhai's `clone_functions_only_filtered` clones all functions into an empty tree, whatever the filter says.
fn body(ast: &AST, name: &str, count: usize) -> Vec<Stmt> {
    let mut alone = ast.clone_functions_only();
    alone.retain_functions(|_, _, other, params| other == name && params == count);
    let mut statements = Vec::new();
    alone.walk(&mut |path| {
        if let [ASTNode::Stmt(statement)] = path {
            statements.push((*statement).clone());
        }
        true
    });
    statements
}
