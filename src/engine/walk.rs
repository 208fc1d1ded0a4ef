//! Walks a script in the order of its text, closures where they stand, and knows on the way what its variables are.

use rhai::{ASTFlags, BinaryExpr, CustomExpr, Expr, FnCallExpr, Ident, Position, Stmt};

use super::calls::{Call, Receiver};
use super::scopes::{Binding, Border, Scopes};
use super::tree::{Function, Tree};

/// What a walk meets.
pub enum Node<'a> {
    /// A call, operators apart.
    Call(Call<'a>),
    /// A step, before its body.
    Step(Step<'a>),
    /// An import, before its name is known.
    Import(&'a Expr, &'a str),
    /// A variable that is read; of a module, if that has an alias.
    Read(&'a str, Option<&'a Ident>, Position),
    /// A variable that is assigned to, or something within it.
    Write(&'a str, Position),
    /// A map, before its values.
    Map(&'a Expr),
    /// A field, as in `params.replicas`: of what, its name, where that stands.
    Field(&'a Expr, &'a str, Position),
}

/// A `step` of a script.
#[derive(Clone, Copy)]
pub struct Step<'a> {
    /// Its title.
    pub title: &'a Expr,
    /// Its options.
    pub options: Option<&'a Expr>,
    /// Whether it has a rollback block.
    pub rollback: bool,
    /// Where it stands.
    pub at: Position,
}

/// Where a walk is.
#[derive(Clone, Copy, Default)]
pub struct Place<'a> {
    /// The innermost step.
    pub step: Option<Step<'a>>,
    /// Whether this is a step's rollback block.
    pub rollback: bool,
    /// The script's function that this belongs to.
    pub function: Option<&'a Function>,
}

/// Called with each node, where it stands, and the variables of that place.
pub type Visit<'a, 'v> = dyn FnMut(&Node<'a>, &Place<'a>, &Scopes<'a>) + 'v;

/// Walks the statements, then each function.
pub fn walk<'a>(tree: &'a Tree, visit: &mut Visit<'a, '_>) {
    // Closures that reach `parallel` in a variable are its branches as well.
    let mut carriers = Vec::new();
    Walker {
        tree,
        place: Place::default(),
        scopes: Scopes::default(),
        carriers: &[],
        visit: &mut |node, _, _| {
            if let Node::Call(Call { name: "parallel", module: None, args: [Expr::Variable(variable, ..)], .. }) = node {
                carriers.push(variable.1.to_string());
            }
        },
    }
    .all();
    Walker { tree, place: Place::default(), scopes: Scopes::default(), carriers: &carriers, visit }.all();
}

struct Walker<'a, 'v> {
    tree: &'a Tree,
    place: Place<'a>,
    scopes: Scopes<'a>,
    carriers: &'v [String],
    visit: &'v mut Visit<'a, 'v>,
}

impl<'a> Walker<'a, '_> {
    fn all(&mut self) {
        self.scopes.enter(Border::Block);
        self.statements(&self.tree.statements);
        // Functions see none of the script's variables, but its imports.
        let imports = self.scopes.imports();
        for function in &self.tree.functions {
            self.place = Place { function: Some(function), ..Place::default() };
            self.scopes = Scopes::of_function(&imports, &function.params);
            self.statements(&function.body);
        }
    }

    fn meet(&mut self, node: Node<'a>) {
        (self.visit)(&node, &self.place, &self.scopes);
    }

    fn scope(&mut self, border: Border, within: impl FnOnce(&mut Self)) {
        self.scopes.enter(border);
        within(self);
        self.scopes.leave();
    }

    fn statements(&mut self, statements: impl IntoIterator<Item = &'a Stmt>) {
        statements.into_iter().for_each(|statement| self.statement(statement));
    }

    fn block(&mut self, statements: impl IntoIterator<Item = &'a Stmt>) {
        self.scope(Border::Block, |walker| walker.statements(statements));
    }

    fn declare(&mut self, ident: &'a Ident, value: Option<&'a Expr>) {
        self.scopes.declare(Binding { name: &ident.name, value });
    }

    fn statement(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Var(var, ..) => {
                self.carried(&var.0.name, &var.1);
                self.declare(&var.0, Some(&var.1));
            }
            Stmt::If(flow, _) => {
                self.expr(&flow.expr);
                self.block(flow.body.iter());
                self.block(flow.branch.iter());
            }
            Stmt::Switch(switch, _) => {
                self.expr(&switch.0);
                for arm in &switch.1.expressions {
                    self.expr(&arm.lhs);
                    self.expr(&arm.rhs);
                }
            }
            Stmt::While(flow, _) => {
                self.expr(&flow.expr);
                self.block(flow.body.iter());
            }
            Stmt::Do(flow, ..) => {
                self.block(flow.body.iter());
                self.expr(&flow.expr);
            }
            Stmt::For(parts, _) => {
                let (item, count, flow) = &**parts;
                self.expr(&flow.expr);
                self.scope(Border::Block, |walker| {
                    walker.declare(item, None);
                    count.iter().for_each(|count| walker.declare(count, None));
                    walker.statements(flow.body.iter());
                });
            }
            Stmt::TryCatch(flow, _) => {
                self.block(flow.body.iter());
                self.scope(Border::Block, |walker| {
                    if let Expr::Variable(caught, ..) = &flow.expr {
                        walker.scopes.declare(Binding { name: &caught.1, value: None });
                    }
                    walker.statements(flow.branch.iter());
                });
            }
            Stmt::Assignment(parts) => {
                self.expr(&parts.1.rhs);
                self.expr(&parts.1.lhs);
                self.written(&parts.1.lhs);
            }
            Stmt::FnCall(call, at) => self.call(call, *at, Receiver::None),
            Stmt::Block(block) => self.block(block.iter()),
            Stmt::Expr(expr) => self.expr(expr),
            Stmt::BreakLoop(Some(expr), ..) | Stmt::Return(Some(expr), ..) => self.expr(expr),
            Stmt::Import(import, _) => {
                self.expr(&import.0);
                self.meet(Node::Import(&import.0, &import.1.name));
                self.scopes.import(&import.1.name, &import.0);
            }
            Stmt::Export(names, _) => self.meet(Node::Read(&names.0.name, None, names.0.pos)),
            _ => {}
        }
    }

    /// The variable at the root of what is written.
    fn written(&mut self, target: &'a Expr) {
        match target {
            Expr::Variable(variable, _, at) if variable.2.is_empty() => self.meet(Node::Write(&variable.1, *at)),
            Expr::Dot(parts, ..) | Expr::Index(parts, ..) => self.written(&parts.lhs),
            _ => {}
        }
    }

    fn expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::DynamicConstant(..) => self.closure(expr, 0, Border::Closure),
            Expr::Variable(variable, _, at) => {
                let module = variable.2.path.first();
                self.meet(Node::Read(&variable.1, module, *at));
            }
            Expr::InterpolatedString(parts, _) | Expr::Array(parts, _) => parts.iter().for_each(|part| self.expr(part)),
            Expr::Map(map, _) => {
                self.meet(Node::Map(expr));
                map.0.iter().for_each(|(_, value)| self.expr(value));
            }
            Expr::And(parts, _) | Expr::Or(parts, _) | Expr::Coalesce(parts, _) => parts.iter().for_each(|part| self.expr(part)),
            Expr::Stmt(block) => self.block(block.iter()),
            Expr::FnCall(call, at) => self.call(call, *at, Receiver::None),
            Expr::Dot(parts, ..) => {
                self.expr(&parts.lhs);
                self.link(&parts.rhs, Receiver::Value(&parts.lhs));
            }
            Expr::Index(parts, flags, _) => {
                self.expr(&parts.lhs);
                if let Expr::StringConstant(key, at) = first(parts, *flags) {
                    self.meet(Node::Field(&parts.lhs, key, *at));
                }
                self.index(parts, *flags);
            }
            Expr::Custom(custom, at) => self.step(custom, *at),
            _ => {}
        }
    }

    /// One link of a chain: `a.b.c(1).d` is `a` and then links to the right.
    fn link(&mut self, expr: &'a Expr, of: Receiver<'a>) {
        match expr {
            Expr::Property(property, at) => {
                if let Receiver::Value(of) = of {
                    self.meet(Node::Field(of, &property.2, *at));
                }
            }
            Expr::MethodCall(call, at) => self.call(call, *at, of),
            Expr::Dot(parts, ..) => {
                self.link(&parts.lhs, of);
                self.link(&parts.rhs, Receiver::Chain);
            }
            Expr::Index(parts, flags, _) => {
                self.link(&parts.lhs, of);
                self.index(parts, *flags);
            }
            other => self.expr(other),
        }
    }

    /// What stands in the brackets, and the links behind them.
    fn index(&mut self, parts: &'a BinaryExpr, flags: ASTFlags) {
        match &parts.rhs {
            Expr::Dot(rest, ..) if !flags.contains(ASTFlags::BREAK) => {
                self.expr(&rest.lhs);
                self.link(&rest.rhs, Receiver::Chain);
            }
            Expr::Index(rest, flags, _) if !flags.contains(ASTFlags::BREAK) => {
                self.expr(&rest.lhs);
                self.index(rest, *flags);
            }
            index => self.expr(index),
        }
    }

    fn call(&mut self, call: &'a FnCallExpr, at: Position, receiver: Receiver<'a>) {
        // A closure that captures something is a closure with its captures bound.
        if let (true, Some(closure)) = (call.name == "curry", call.args.first())
            && self.tree.closure(closure).is_some()
        {
            return self.closure(closure, call.args.len() - 1, Border::Closure);
        }
        if call.is_operator_call() {
            return call.args.iter().for_each(|arg| self.expr(arg));
        }
        let module = call.namespace.path.first();
        self.meet(Node::Call(Call { name: &call.name, module, at, receiver, args: &call.args }));
        let changes = MUTATORS.contains(&call.name.as_str());
        match (receiver, call.args.first()) {
            (Receiver::Value(of), _) if changes => self.written(of),
            (Receiver::None, Some(of)) if changes && module.is_none() => self.written(of),
            _ => {}
        }
        let branches = match receiver {
            Receiver::None => call.name == "parallel" && module.is_none(),
            Receiver::Value(Expr::Variable(variable, ..)) => self.carriers.iter().any(|name| *name == *variable.1),
            _ => false,
        };
        for arg in &call.args {
            if branches { self.branches(arg) } else { self.expr(arg) }
        }
    }

    fn carried(&mut self, name: &str, value: &'a Expr) {
        if self.carriers.iter().any(|carrier| carrier == name) { self.branches(value) } else { self.expr(value) }
    }

    /// Closures that run at the same time as others.
    fn branches(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Array(items, _) => items.iter().for_each(|item| self.branches(item)),
            Expr::DynamicConstant(..) => self.closure(expr, 0, Border::Branch),
            Expr::Stmt(block) => match block.statements() {
                [Stmt::Share(_), Stmt::Expr(curry)] => match &**curry {
                    Expr::FnCall(call, _) if call.name == "curry" && !call.args.is_empty() => {
                        self.closure(&call.args[0], call.args.len() - 1, Border::Branch);
                    }
                    other => self.expr(other),
                },
                _ => self.expr(expr),
            },
            other => self.expr(other),
        }
    }

    fn closure(&mut self, expr: &'a Expr, captured: usize, border: Border) {
        let Some(closure) = self.tree.closure(expr) else { return };
        self.scope(border, |walker| {
            for name in closure.params.iter().skip(captured) {
                walker.scopes.declare(Binding { name, value: None });
            }
            walker.statements(&closure.body);
        });
    }

    fn step(&mut self, custom: &'a CustomExpr, at: Position) {
        let flags = custom.state.as_int().unwrap_or(0);
        let (has_options, rollback) = (flags & 1 != 0, flags & 2 != 0);
        let Some(title) = custom.inputs.first() else { return };
        let options = custom.inputs.get(1).filter(|_| has_options);
        let body = custom.inputs.get(1 + usize::from(has_options));
        let step = Step { title, options, rollback, at };
        self.expr(title);
        options.into_iter().for_each(|options| self.expr(options));
        self.meet(Node::Step(step));
        let outer = self.place;
        self.place.step = Some(step);
        body.into_iter().for_each(|body| self.expr(body));
        if rollback && let Some(block) = custom.inputs.last() {
            self.place.rollback = true;
            self.expr(block);
        }
        self.place = outer;
    }
}

/// The expression in the brackets themselves.
fn first(parts: &BinaryExpr, flags: ASTFlags) -> &Expr {
    match &parts.rhs {
        Expr::Dot(rest, ..) | Expr::Index(rest, ..) if !flags.contains(ASTFlags::BREAK) => &rest.lhs,
        index => index,
    }
}

/// Rhai's functions that change the value that they are called on.
#[rustfmt::skip]
const MUTATORS: [&str; 26] = [
    "append", "chop", "clear", "crop", "dedup", "drain", "fill_with", "insert", "make_lower", "make_upper", "mixin", "order",
    "order_by", "order_desc", "pad", "pop", "push", "remove", "replace", "retain", "reverse", "set", "shift", "sort", "splice",
    "truncate",
];
