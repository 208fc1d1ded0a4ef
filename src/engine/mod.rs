//! Rhai with the host functions: build, limits, binding, modules, steps, diagnostics.

pub mod bind;
pub mod bounds;
pub mod calls;
pub mod check;
pub mod convert;
pub mod diagnostic;
pub mod failure;
pub mod flow;
pub mod header;
mod memory;
pub mod modules;
pub mod names;
pub mod opaque;
pub mod scopes;
pub mod script;
pub mod span;
pub mod step;
pub mod steps;
pub mod syntax;
pub mod tree;
pub mod walk;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex};

use rhai::{Dynamic, Engine, EvalAltResult, OptimizationLevel, Scope, Token};

use crate::call::Pipeline;
use crate::model::{Failure, Kind, Value};

pub use diagnostic::Diagnostic;
pub use script::Script;

/// The stack of the thread that evaluates: the deepest permitted script needs far less. Rhai copies, shows and drops a
/// value by recursion and has no limit on how deep an array may nest; only what is used of it takes memory.
pub const STACK_BYTES: usize = 256 << 20;

/// The stack of a branch of `parallel`, of which there may be many.
const BRANCH_STACK_BYTES: usize = 64 << 20;

/// The deepest nesting of script functions; the same in debug and release builds.
const CALL_LEVELS: usize = 64;

/// A script that runs this many operations is taken to have no end.
const OPERATIONS: u64 = 500_000_000;

/// What the engine's functions share.
pub struct Shared {
    /// The calls.
    pub pipeline: Pipeline,
    /// The run's parameters, for `runbook(…)`; a sitting has those of the script that it steps through.
    pub params: Mutex<Value>,
    /// What can take the run's steps back, oldest first.
    pub rollbacks: Mutex<Vec<step::Rollback>>,
    /// The texts of the script and its modules by name, as they were read and hashed: these are what imports run.
    pub texts: Mutex<BTreeMap<String, String>>,
    /// How many steps have begun.
    pub steps: AtomicU32,
    /// Which steps run.
    pub gate: steps::Gate,
    /// Failures of steps that said `on_error: "continue"`.
    pub passed_failures: Mutex<Vec<(String, Failure)>>,
}

impl Shared {
    /// The run's parameters.
    pub fn params(&self) -> Value {
        self.params.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Lets imports run what was loaded with a script.
    pub fn loaded(&self, script: &Script) {
        *self.texts.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = script.texts();
    }

    /// What a run's functions share.
    pub fn new(pipeline: Pipeline, params: Value) -> Arc<Self> {
        Self::gated(pipeline, params, steps::Gate::default())
    }

    /// What a run's functions share, where not every step runs.
    pub fn gated(pipeline: Pipeline, params: Value, gate: steps::Gate) -> Arc<Self> {
        Arc::new(Self {
            pipeline,
            params: Mutex::new(params),
            texts: Mutex::default(),
            steps: AtomicU32::new(0),
            gate,
            rollbacks: Mutex::default(),
            passed_failures: Mutex::default(),
        })
    }
}

/// An engine that parses: syntax and limits, no host functions.
pub fn parser() -> Engine {
    let mut engine = Engine::new();
    limits(&mut engine);
    engine.register_custom_syntax_with_state_raw("step", step::parse, false, |_, _, _| Ok(Dynamic::UNIT));
    engine
}

/// Makes an engine that parses into one that runs scripts.
pub fn build(mut engine: Engine, shared: &Arc<Shared>, root: &Path) -> Engine {
    engine.set_module_resolver(modules::Modules::new(root, shared));
    engine.set_default_tag(flow::root_tag());
    opaque::register(&mut engine, &shared.pipeline.latch);
    step::register(&mut engine, shared);
    bind::register(&mut engine, shared);
    bounds::register(&mut engine);
    let (printing, debugging) = (shared.clone(), shared.clone());
    engine.on_print(move |text| print(&printing.pipeline, text));
    engine.on_debug(move |text, _, _| print(&debugging.pipeline, text));
    let (latch, cancel) = (shared.pipeline.latch.clone(), shared.pipeline.latch.cancel().clone());
    let memory = memory::Watch::over(&latch);
    // Called for every operation: the usual case is two comparisons.
    engine.on_progress(move |operations| {
        // It lasts as long as the engine.
        let _ = &memory;
        if operations <= OPERATIONS && !cancel.is_set() {
            return None;
        }
        if operations > OPERATIONS {
            let message = format!("the script ran {} million operations without coming to an end", OPERATIONS / 1_000_000);
            latch.trip(Failure::new(Kind::Failed, message).hint("does a loop never end? heavy work belongs into host functions"));
        }
        Some(Dynamic::UNIT)
    });
    engine
}

/// What Rhai's own `print` and `debug` say, which makes no call.
fn print(pipeline: &Pipeline, text: &str) {
    pipeline.ui.show(&pipeline.masker.text(text.to_owned()).into(), None);
}

/// Every limit is explicit, so that tests and releases agree. `Full` optimisation would call host functions at compile time.
fn limits(engine: &mut Engine) {
    engine.set_optimization_level(OptimizationLevel::None);
    engine.set_max_call_levels(CALL_LEVELS);
    engine.set_max_expr_depths(64, 32);
    // A limit of any size has Rhai measure an array whole at each `push`.
    engine.set_max_string_size(0);
    engine.set_max_map_size(0);
    engine.set_max_array_size(0);
    engine.set_max_functions(1000);
    engine.set_max_modules(100);
    engine.set_max_variables(10_000);
    engine.set_strict_variables(true);
    engine.set_fail_on_invalid_map_property(true);
    engine.disable_symbol("eval");
    // Rhai reserves `default` and does nothing with it; a parameter's default should be called that.
    #[allow(deprecated)] // Volatile, not deprecated: the version is pinned.
    engine.on_parse_token(|token, _, _| token_of_ours(token));
}

/// A token of the language as runbooks have it.
pub fn token_of_ours(token: Token) -> Token {
    match token {
        Token::Reserved(word) if *word == "default" => Token::Identifier(word),
        other => other,
    }
}

/// Runs a script to its end.
///
/// A script that swallowed a denial, a cancellation or a lost journal has failed with it all the same.
pub fn run(engine: &Engine, shared: &Shared, script: &Script) -> Result<Dynamic, Diagnostic> {
    let mut scope = Scope::new();
    shared.loaded(script);
    settled(shared, engine.eval_ast_with_scope::<Dynamic>(&mut scope, &script.ast), &|error| explained(engine, script, error))
}

/// What an evaluation came to: the latch's failure outweighs what the script made of it.
pub fn settled(
    shared: &Shared,
    result: Result<Dynamic, Box<EvalAltResult>>,
    explain: &dyn Fn(&EvalAltResult) -> Diagnostic,
) -> Result<Dynamic, Diagnostic> {
    let latched = shared.pipeline.latch.check().err();
    match (result, latched) {
        (Ok(value), None) => Ok(value),
        (Err(error), None) => Err(explain(&error)),
        (Ok(_), Some(failure)) => Err(Diagnostic::at(failure, shared.pipeline.latch.placed().unwrap_or_default())),
        (Err(error), Some(failure)) => {
            let mut diagnostic = explain(&error);
            diagnostic.failure = failure;
            // The script may have swallowed the error, and come to its end elsewhere.
            if let Some(at) = shared.pipeline.latch.placed()
                && at != diagnostic.at
            {
                (diagnostic.at, diagnostic.stack) = (at, Vec::new());
            }
            Err(diagnostic)
        }
    }
}

/// An error with the names that may have been meant.
pub fn explained(engine: &Engine, script: &Script, error: &EvalAltResult) -> Diagnostic {
    let (tree, builtins) = (tree::Tree::new(&script.ast), names::builtins(engine));
    let known = names::Known::new(&tree, &builtins, &|path| script.functions_of(path));
    Diagnostic::explained(error, &script.name, Some(&known))
}
