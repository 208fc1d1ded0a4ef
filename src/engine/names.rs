//! The names that a script may use: variables, functions, modules. The messages about those that it may not are the same
//! before and during a run.

use std::collections::{BTreeMap, BTreeSet};

use rhai::{Engine, Expr, Position, Stmt};

use super::calls::{Call, Receiver};
use super::diagnostic::{self, Diagnostic};
use super::scopes::Scopes;
use super::tree::{Function, Tree};
use super::walk::{Node, walk};
use super::{span, syntax};
use crate::host;
use crate::model::{Failure, suggest};

/// Functions that Rhai's evaluator knows by itself.
const EVALUATORS: [&str; 8] = ["type_of", "Fn", "call", "curry", "is_shared", "is_def_var", "is_def_fn", "eval"];

/// Functions that come with Rhai, with the numbers of arguments that they take; what stands before a dot counts.
pub type Builtins = BTreeMap<String, Vec<usize>>;

/// The names of the functions that a module has for others.
pub fn public(tree: &Tree) -> Vec<String> {
    tree.functions.iter().filter(|function| !function.private).map(|function| function.name.clone()).collect()
}

/// The functions that come with an engine.
pub fn builtins(engine: &Engine) -> Builtins {
    let mut all = Builtins::new();
    engine
        .collect_fn_metadata(None, |info| Some((info.metadata.name.to_string(), info.metadata.num_params)), true)
        .into_iter()
        .filter(|(name, _)| rhai::is_valid_identifier(name))
        .for_each(|(name, count)| all.entry(name).or_default().push(count));
    for counts in all.values_mut() {
        counts.sort_unstable();
        counts.dedup();
    }
    all
}

/// What a script is told that calls a function of Rhai's that runbooks do not have.
pub fn refused(name: &str) -> Option<Failure> {
    let (why, instead) = match name {
        "timestamp" => ("it could not be replayed", "use `now(#{ format: \"unix_ms\" })`"),
        "exit" => ("it could not say how the run ended", "`return` ends the script, `abort(reason)` ends the run as failed"),
        _ => return None,
    };
    Some(Failure::bad_argument(format!("`{name}` is not there: {why}")).hint(instead))
}

/// The names of one script.
pub struct Known<'a> {
    /// Its tree.
    pub tree: &'a Tree,
    /// What comes with Rhai.
    pub builtins: &'a Builtins,
    /// Its modules' aliases, with the functions of each.
    pub modules: BTreeMap<String, Vec<String>>,
    /// Keys and fields of its maps: a closure under one of them is called like a method.
    keys: BTreeSet<String>,
}

impl<'a> Known<'a> {
    /// Gathers the names of a script; `functions` are those of a module, by its path.
    pub fn new(tree: &'a Tree, builtins: &'a Builtins, functions: &dyn Fn(&str) -> Vec<String>) -> Self {
        let (mut keys, mut modules) = (BTreeSet::new(), BTreeMap::new());
        walk(tree, &mut |node, _, _| match node {
            Node::Map(Expr::Map(map, _)) => keys.extend(map.0.iter().map(|(key, _)| key.name.to_string())),
            Node::Field(_, name, _) => drop(keys.insert((*name).to_owned())),
            Node::Import(Expr::StringConstant(path, _), alias) => drop(modules.insert((*alias).to_owned(), functions(path))),
            _ => {}
        });
        Self { tree, builtins, modules, keys }
    }

    /// Whether there is a function of that name, whatever it takes.
    pub fn has(&self, name: &str) -> bool {
        host::find(name).is_some()
            || self.tree.named(name).next().is_some()
            || self.builtins.contains_key(name)
            || EVALUATORS.contains(&name)
    }

    /// What is wrong with a call's name or its number of arguments, if it is no call of a host function or of a module's.
    pub fn call(&self, call: &Call<'_>) -> Option<Failure> {
        let method = !matches!(call.receiver, Receiver::None);
        let count = call.arguments().len();
        let own: Vec<&Function> = self.tree.named(call.name).collect();
        if !own.is_empty() {
            // Called as a method, a script's function has what stands before the dot as `this`.
            let fits = own.iter().any(|function| function.params.len() == count || (method && function.params.len() + 1 == count));
            return (!fits).then(|| wrong_count(call.name, count, &own));
        }
        if self.builtins.contains_key(call.name) {
            return self.wrong_builtin_count(call.name, count);
        }
        let held = method && self.keys.iter().any(|key| key == call.name);
        (!held && !EVALUATORS.contains(&call.name)).then(|| self.unknown_function(call.name))
    }

    /// The error of a number of arguments that a function of Rhai's does not take.
    pub fn wrong_builtin_count(&self, name: &str, count: usize) -> Option<Failure> {
        let counts = self.builtins.get(name).filter(|counts| !counts.contains(&count))?;
        let plural = if counts[..] == [1] { "" } else { "s" };
        let (least, most) = (counts.first()?, counts.last()?);
        let range = if least == most { least.to_string() } else { format!("{least} to {most}") };
        Some(given(name, count).hint(format!("it takes {range} argument{plural}, what stands before a dot included")))
    }

    /// The error of a function that is not there.
    pub fn unknown_function(&self, name: &str) -> Failure {
        let hosts = host::FUNCTIONS.iter().map(|function| function.spec.name);
        let own = self.tree.functions.iter().map(|function| function.name.as_str());
        let qualified: Vec<String> =
            self.modules.iter().flat_map(|(alias, names)| names.iter().map(move |name| format!("{alias}::{name}"))).collect();
        let near = match name.contains("::") {
            true => suggest::nearest(name, qualified.iter().map(String::as_str)),
            false => suggest::nearest(name, hosts.chain(own).chain(self.builtins.keys().map(String::as_str))),
        };
        let failure = Failure::bad_argument(format!("unknown function `{name}`"));
        failure.hint(near.map_or_else(|| "`runbook functions` lists what there is".to_owned(), |near| format!("did you mean `{near}`?")))
    }
}

/// The error of a number of arguments that a script's function does not take.
pub fn wrong_count(name: &str, count: usize, own: &[&Function]) -> Failure {
    let signatures: Vec<String> = own.iter().map(|function| function.signature()).collect();
    given(name, count).hint(format!("it reads {}", signatures.join(" or ")))
}

fn given(name: &str, count: usize) -> Failure {
    let verb = if count == 1 { "1 argument was".to_owned() } else { format!("{count} arguments were") };
    Failure::bad_argument(format!("{verb} given to `{name}`"))
}

/// The error of a variable that is not there; `rest` is the text from where it stands.
pub fn unknown_variable(name: &str, at: Position, rest: &str, scopes: &Scopes<'_>, tree: &Tree) -> Failure {
    let failure = Failure::bad_argument(format!("unknown variable `{name}`"));
    let declared = tree.statements.iter().find_map(|statement| match statement {
        Stmt::Var(var, ..) if var.0.name == name => Some(var.0.pos),
        _ => None,
    });
    match declared {
        Some(place) if place > at => return failure.hint("it is declared further down"),
        Some(_) => return failure.hint("functions see none of the script's variables: make it a parameter"),
        None => {}
    }
    let bare = unquoted(rest);
    if bare.len() > name.len() {
        return failure.hint(format!("text stands in quotes: \"{bare}\""));
    }
    let functions = host::FUNCTIONS.iter().map(|function| function.spec.name);
    let functions: Vec<&str> = functions.chain(tree.functions.iter().map(|function| function.name.as_str())).collect();
    let parentheses = |near: &str| format!("the function `{near}` is called with parentheses");
    let hint = match functions.iter().find(|function| **function == name) {
        Some(exact) => Some(parentheses(exact)),
        None => {
            let near = suggest::nearest(name, scopes.variables().map(|binding| binding.name));
            near.map(|near| format!("did you mean `{near}`?")).or_else(|| suggest::nearest(name, functions).map(parentheses))
        }
    };
    Failure { hint, ..failure }
}

/// What looks like a name or a target that lacks its quotes: `api-gateway`, `deployment/x`, `app=x`.
pub fn unquoted(rest: &str) -> &str {
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"_-/=.".contains(c)).unwrap_or(rest.len());
    let bare = rest[..end].trim_end_matches(['-', '/', '=', '.']);
    if bare.contains(['-', '/', '=']) && !bare.contains("==") { bare } else { "" }
}

/// The error of a module that was not imported under that name.
pub fn unknown_alias(name: &str, scopes: &Scopes<'_>) -> Failure {
    let failure = Failure::bad_argument(format!("unknown module `{name}`"));
    let near = suggest::nearest(name, scopes.modules().map(|alias| alias.name));
    failure
        .hint(near.map_or_else(|| format!("import it first: `import \"std/{name}\" as {name};`"), |near| format!("did you mean `{near}`?")))
}

/// The first variable or module that a text uses and does not have; what does not parse even with it comes first.
pub fn first_unknown(file: &str, text: &str) -> Option<Diagnostic> {
    let mut engine = super::parser();
    engine.set_strict_variables(false);
    let tree = match engine.compile(text) {
        Ok(ast) => Tree::new(&ast),
        Err(error) => return Some(syntax::diagnose(&error, file, text)),
    };
    let mut first: Option<(Position, Failure)> = None;
    walk(&tree, &mut |node, _, scopes| {
        if let Some((at, failure)) = unknown(node, scopes, &tree, text)
            && first.as_ref().is_none_or(|(earliest, _)| at < *earliest)
        {
            first = Some((at, failure));
        }
    });
    first.map(|(at, failure)| Diagnostic::at(failure, diagnostic::position(file, at)))
}

/// What is wrong with the variable or the module that a node names.
pub fn unknown(node: &Node<'_>, scopes: &Scopes<'_>, tree: &Tree, text: &str) -> Option<(Position, Failure)> {
    match node {
        Node::Read(name, None, at) => {
            let known = scopes.find(name).is_some() || tree.named(name).next().is_some();
            (!known).then(|| (*at, unknown_variable(name, *at, from(text, *at), scopes, tree)))
        }
        Node::Read(_, Some(module), _) | Node::Call(Call { module: Some(module), .. }) => {
            let known = module.name == "global" || scopes.module(&module.name).is_some();
            (!known).then(|| (module.pos, unknown_alias(&module.name, scopes)))
        }
        _ => None,
    }
}

/// The text from a place on.
pub fn from(text: &str, at: Position) -> &str {
    let number = |n: Option<usize>| n.and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
    span::of(text, number(at.line()), number(at.position())).map_or("", |span| &text[span.start..])
}
