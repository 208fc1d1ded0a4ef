//! The language between two inputs: variables, constants, imports and functions that stay.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rhai::{AST, Caches, Dynamic, Engine, EvalAltResult, Expr, GlobalRuntimeState, Module, Scope, Stmt, Token};

use super::items::{self, LAST};
use crate::call::Frame;
use crate::engine::{self, Diagnostic, Shared, modules, script, syntax};

/// What stays between inputs.
pub(super) struct State {
    engine: Engine,
    /// Where `_` is the last value in what is being compiled, and not the last arm of a `switch`: line and column.
    last_values: Arc<Mutex<Vec<(usize, usize)>>>,
    global: GlobalRuntimeState,
    scope: Scope<'static>,
    sources: BTreeMap<String, String>,
    root: PathBuf,
}

/// How much there was before an input.
pub(super) struct Mark {
    variables: usize,
    imports: usize,
    libraries: usize,
}

impl State {
    /// A fresh one for a run.
    pub(super) fn new(shared: &Arc<Shared>, root: &Path) -> State {
        let mut engine = engine::build(engine::parser(), shared, root);
        // Earlier imports and variables are not known to the parser of a later input.
        engine.set_strict_variables(false);
        let last_values: Arc<Mutex<Vec<(usize, usize)>>> = Arc::default();
        let places = last_values.clone();
        #[allow(deprecated)] // Volatile, not deprecated: the version is pinned.
        engine.on_parse_token(move |token, at, _| match token {
            Token::Underscore => {
                let here = (at.line().unwrap_or(0), at.position().unwrap_or(0));
                let last = places.lock().unwrap_or_else(PoisonError::into_inner).contains(&here);
                if last { Token::Identifier(Box::new(LAST.into())) } else { token }
            }
            other => engine::token_of_ours(other),
        });
        let mut global = engine.new_global_runtime_state();
        // Closures find their function in the first library alone, if it is there, and then without its source.
        global.lib.push(Arc::new(Module::new()));
        let mut scope = Scope::new();
        scope.push_dynamic(LAST, Dynamic::UNIT);
        State { engine, last_values, global, scope, sources: BTreeMap::new(), root: root.to_owned() }
    }

    /// The engine, for rollbacks.
    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Parses an input; its name stands for it in positions.
    pub(super) fn compile(&mut self, name: &str, text: &str) -> Result<AST, Diagnostic> {
        self.sources.insert(name.to_owned(), text.to_owned());
        let mut ast = self.parse(text).map_err(|error| syntax::diagnose(&error, name, text))?;
        ast.set_source(name);
        script::shadowing(&ast, name, text)?;
        Ok(ast)
    }

    /// Parses a text and keeps nothing of it.
    pub(super) fn parse(&self, text: &str) -> Result<AST, rhai::ParseError> {
        let lock = || self.last_values.lock().unwrap_or_else(PoisonError::into_inner);
        *lock() = last_places(text);
        let parsed = self.engine.compile(text);
        // Modules are compiled by the same engine later on.
        lock().clear();
        parsed
    }

    /// Adds a script's texts, for diagnostics.
    pub(super) fn add_source(&mut self, name: &str, text: &str) {
        self.sources.insert(name.to_owned(), text.to_owned());
    }

    /// Makes a syntax tree's functions known. The newest of a name and number of parameters counts.
    pub(super) fn add_functions(&mut self, ast: &AST) {
        if !ast.shared_lib().is_empty() {
            self.global.lib.push(ast.shared_lib().clone());
        }
    }

    /// Runs statements of a syntax tree among what stays.
    pub(super) fn run(&mut self, ast: &AST, statements: &[Stmt]) -> Result<Dynamic, Box<EvalAltResult>> {
        self.global.source = ast.source().map(Into::into);
        self.global.num_operations = Default::default();
        // Variables of earlier inputs, and those of statements that were skipped, are not where the parser counts them.
        self.global.always_search_scope = true;
        let mut caches = Caches::new();
        #[allow(deprecated)] // Internal, not deprecated: there is no other way to keep imports and constants.
        let result = self.engine.eval_statements_raw(&mut self.global, &mut caches, &mut self.scope, statements);
        result.map(Dynamic::flatten)
    }

    /// Runs some statements of a script; false if it returned in them.
    pub(super) fn run_part(&mut self, ast: &AST, part: std::ops::Range<usize>) -> Result<bool, Box<EvalAltResult>> {
        // A `return` ends an evaluation like its last statement does; the end of this one is its own value.
        const END: &str = "\u{1}end";
        let mut statements: Vec<Stmt> = ast.statements().get(part).unwrap_or_default().to_vec();
        statements.push(Stmt::Expr(Box::new(Expr::StringConstant(END.into(), rhai::Position::NONE))));
        self.run(ast, &statements).map(|value| value.into_immutable_string().is_ok_and(|text| text == END))
    }

    /// The line of execution that calls are numbered in.
    pub(super) fn frame(&self) -> Arc<Frame> {
        self.global.tag.read_lock::<Arc<Frame>>().map(|frame| frame.clone()).unwrap_or_default()
    }

    /// How much there is now.
    pub(super) fn mark(&self) -> Mark {
        Mark { variables: self.scope.len(), imports: self.global.num_imports(), libraries: self.global.lib.len() }
    }

    /// Takes back what an input that failed has declared.
    pub(super) fn rewind(&mut self, mark: &Mark) {
        self.scope.rewind(mark.variables);
        self.global.truncate_imports(mark.imports);
        self.global.lib.truncate(mark.libraries);
    }

    /// Sets the last value.
    pub(super) fn set_last(&mut self, value: Dynamic) {
        self.scope.set_value(LAST, value);
    }

    /// The last value.
    pub(super) fn last(&self) -> Dynamic {
        self.scope.get(LAST).cloned().unwrap_or_default()
    }

    /// The names of variables and constants, each once.
    pub(super) fn variables(&self) -> Vec<String> {
        let mut names: Vec<String> = self.scope.iter_raw().map(|(name, ..)| name.to_owned()).filter(|name| name != LAST).collect();
        names.sort();
        names.dedup();
        names
    }

    /// The keys of the map at a path such as `before.spec`.
    pub(super) fn keys(&self, path: &[&str]) -> Vec<String> {
        fn walk(value: &Dynamic, path: &[&str]) -> Vec<String> {
            let Some(map) = value.read_lock::<rhai::Map>() else { return Vec::new() };
            match path {
                [] => map.keys().map(ToString::to_string).collect(),
                [key, rest @ ..] => map.get(*key).map(|value| walk(value, rest)).unwrap_or_default(),
            }
        }
        let Some((variable, rest)) = path.split_first() else { return Vec::new() };
        self.scope.get(variable).map(|value| walk(value, rest)).unwrap_or_default()
    }

    /// The functions of the sitting's own, as they are called.
    pub(super) fn functions(&self) -> Vec<String> {
        let all = self.global.lib.iter().flat_map(|lib| lib.iter_script_fn_info());
        let named = all.map(|(.., function)| function).filter(|function| !function.name.starts_with("anon$"));
        let mut found: Vec<String> = named.map(|function| format!("{}({})", function.name, function.params.join(", "))).collect();
        found.sort();
        found.dedup();
        found
    }

    /// The aliases of imports, and the functions of each.
    pub(super) fn imports(&self) -> Vec<(String, Vec<String>)> {
        let imports = self.global.iter_imports().map(|(alias, module)| {
            let functions = module.iter_script_fn_info().map(|(.., function)| function.name.to_string());
            (alias.to_owned(), functions.collect())
        });
        imports.collect()
    }

    /// A text by its name in positions.
    pub(super) fn source(&self, name: &str) -> Option<String> {
        let module = || modules::source(&self.root, name.strip_suffix(".rhai").unwrap_or(name)).ok().map(|(_, text)| text);
        self.sources.get(name).cloned().or_else(module)
    }
}

/// Where `_` means the last value, by line and column.
fn last_places(text: &str) -> Vec<(usize, usize)> {
    let place = |range: std::ops::Range<usize>| {
        let before = &text[..range.start];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (line, column)
    };
    items::last_values(text).into_iter().map(place).collect()
}
