//! Imports: the embedded `std/…`, then files beneath the project's root. Nothing else can be reached.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rhai::{AST, Engine, EvalAltResult, GlobalRuntimeState, Module, ModuleResolver, Position, Scope, Shared};

use super::diagnostic;
use super::failure::thrown;
use super::script::{self, sha256};
use crate::call::Frame;
use crate::model::{Failure, Kind, suggest};

/// The modules that come with the tool, by import path.
pub const STD: &[(&str, &str)] =
    &[("std/health", include_str!("../../stdlib/health.rhai")), ("std/rollout", include_str!("../../stdlib/rollout.rhai"))];

/// So many imports may lead to one another: each takes a part of the stack.
pub const DEEPEST: usize = 32;

/// The error of a longer chain of imports.
pub fn too_deep(path: &str) -> Failure {
    Failure::bad_argument(format!("the import of {path:?} is the end of a chain of more than {DEEPEST}"))
        .hint("import it in the script itself")
}

thread_local! {
    /// The imports that are being loaded on this thread, to refuse cycles (which would overflow the stack).
    static LOADING: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Resolves imports; every module is compiled once.
///
/// What a script imports by a literal path was read, hashed and checked with it, and that text is what runs. What is named only
/// while it runs is read then, checked in the same way, and put on record with its hash.
pub struct Modules {
    root: PathBuf,
    shared: Arc<super::Shared>,
    /// Modules by path, with their texts.
    loaded: Mutex<BTreeMap<String, (String, Shared<Module>)>>,
}

impl Modules {
    /// A resolver for a project.
    pub fn new(root: &Path, shared: &Arc<super::Shared>) -> Self {
        Self { root: root.to_owned(), shared: shared.clone(), loaded: Mutex::default() }
    }
}

impl Modules {
    /// Loads a module in the caller's line of execution: its calls are numbered among the caller's.
    fn load(&self, engine: &Engine, caller: &GlobalRuntimeState, path: &str, at: Position) -> Result<Shared<Module>, Box<EvalAltResult>> {
        let lock = || self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let name = name(path);
        let known = self.shared.texts.lock().unwrap_or_else(PoisonError::into_inner).get(&name).cloned();
        // In a sitting a script may have been loaded since, with another text.
        if let Some((text, module)) = lock().get(path)
            && known.as_ref().is_none_or(|known| known == text)
        {
            return Ok(module.clone());
        }
        let refused = |failure: Failure| {
            let mut error = thrown(&failure, None);
            error.set_position(at);
            error
        };
        let cyclic = LOADING.with_borrow(|loading| loading.iter().any(|other| other == path));
        if cyclic {
            return Err(refused(Failure::bad_argument(format!("the import of {path:?} is a cycle"))));
        }
        if LOADING.with_borrow(Vec::len) >= DEEPEST {
            return Err(refused(too_deep(path)));
        }
        let is_new = known.is_none();
        let text = match known {
            Some(text) => text,
            None => source(&self.root, path).map_err(refused)?.1,
        };
        let module = compile(engine, &name, &text);
        if is_new && let Ok(ast) = &module {
            script::shadowing(ast, &name, &text).map_err(|diagnostic| refused(diagnostic.failure))?;
            self.record(caller, &name, &text, at).map_err(refused)?;
        }
        let mut global = engine.new_global_runtime_state();
        (global.tag, global.level) = (caller.tag.clone(), caller.level);
        LOADING.with_borrow_mut(|loading| loading.push(path.to_owned()));
        let module = module.and_then(|ast| Module::eval_ast_as_new_raw(engine, &mut Scope::new(), &mut global, &ast));
        LOADING.with_borrow_mut(|loading| loading.pop());
        let module: Shared<Module> = Arc::new(module.map_err(|error| Box::new(EvalAltResult::ErrorInModule(name.clone(), error, at)))?);
        lock().insert(path.to_owned(), (text, module.clone()));
        Ok(module)
    }

    /// Puts a module that is not among the script's sources on record, before it runs. The header's version stands for those
    /// that come with the tool.
    fn record(&self, caller: &GlobalRuntimeState, name: &str, text: &str, at: Position) -> Result<(), Failure> {
        if name.starts_with("std/") {
            return Ok(());
        }
        let message = format!("the module {name} was read at its import and is not among the script's sources: SHA-256 {}", sha256(text));
        let frame = caller.tag.read_lock::<Arc<Frame>>().map(|frame| frame.clone()).unwrap_or_default();
        let pipeline = &self.shared.pipeline;
        pipeline.remark(&frame, &diagnostic::position(caller.source().unwrap_or_default(), at), message);
        pipeline.latch.check()
    }
}

impl ModuleResolver for Modules {
    fn resolve(&self, engine: &Engine, _: Option<&str>, path: &str, at: Position) -> Result<Shared<Module>, Box<EvalAltResult>> {
        self.load(engine, &engine.new_global_runtime_state(), path, at)
    }

    fn resolve_raw(
        &self,
        engine: &Engine,
        global: &mut GlobalRuntimeState,
        _: &mut Scope<'_>,
        path: &str,
        at: Position,
    ) -> Result<Shared<Module>, Box<EvalAltResult>> {
        self.load(engine, global, path, at)
    }
}

fn compile(engine: &Engine, name: &str, text: &str) -> Result<AST, Box<EvalAltResult>> {
    let mut ast = engine.compile(text).map_err(|error| Box::new(EvalAltResult::from(error)))?;
    ast.set_source(name);
    Ok(ast)
}

/// An import's name for messages and on record.
fn name(path: &str) -> String {
    if path.starts_with("std/") { path.to_owned() } else { format!("{path}.rhai") }
}

/// An import's name for messages, and its text.
pub fn source(root: &Path, path: &str) -> Result<(String, String), Failure> {
    if path.starts_with("std/") {
        let found = STD.iter().find(|(name, _)| *name == path);
        let (name, text) = found.ok_or_else(|| Failure::unknown("module", path, STD.iter().map(|(name, _)| *name)))?;
        return Ok(((*name).to_owned(), (*text).to_owned()));
    }
    let outside = || Failure::bad_argument(format!("the import {path:?} leaves the project")).hint(WHERE);
    if path.is_empty() || Path::new(path).is_absolute() || path.contains('\0') {
        return Err(outside());
    }
    let file = name(path);
    let missing = |error: std::io::Error| Failure {
        hint: beside(root, path),
        ..Failure::new(Kind::NotFound, format!("the module {file} cannot be read: {error}"))
    };
    let top = root.canonicalize().map_err(missing)?;
    let real = top.join(&file).canonicalize().map_err(missing)?;
    if !real.starts_with(&top) {
        return Err(outside());
    }
    let text = script::read_text(&real).map_err(missing)?;
    Ok((file, text))
}

/// What may have been meant: the nearest module in the same folder, or of those that come with the tool.
fn beside(root: &Path, path: &str) -> Option<String> {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let beneath = !folder.split('/').any(|part| part == "..");
    let entries = std::fs::read_dir(root.join(folder)).ok().filter(|_| beneath).into_iter().flatten().flatten();
    let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    let name = |entry: std::fs::DirEntry| Some(format!("{prefix}{}", entry.file_name().to_str()?.strip_suffix(".rhai")?));
    let modules: Vec<String> = entries.filter_map(name).chain(STD.iter().map(|(name, _)| (*name).to_owned())).collect();
    let near = suggest::nearest(path, modules.iter().map(String::as_str));
    Some(near.map_or_else(|| WHERE.to_owned(), |near| format!("did you mean `{near}`?")))
}

/// What an import may name.
const WHERE: &str = "imports are \"std/…\" or paths beneath the project's root, without the extension";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_stay_beneath_the_root() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("project");
        std::fs::create_dir_all(root.join("lib")).unwrap();
        std::fs::write(folder.path().join("outside.rhai"), "1").unwrap();
        std::fs::write(root.join("lib/inside.rhai"), "1").unwrap();
        std::fs::write(root.join("lib/a.b.rhai"), "1").unwrap();
        std::os::unix::fs::symlink(folder.path().join("outside.rhai"), root.join("link.rhai")).unwrap();
        assert_eq!(source(&root, "lib/inside").unwrap().0, "lib/inside.rhai");
        assert_eq!(source(&root, "lib/a.b").unwrap().0, "lib/a.b.rhai");
        let absolute = root.join("lib/inside").display().to_string();
        for path in ["../outside", "lib/../../outside", "link", absolute.as_str(), "", "std/no-such", "lib/missing"] {
            assert!(source(&root, path).is_err(), "{path}");
        }
        assert_eq!(source(&root, "std/helth").unwrap_err().hint.as_deref(), Some("did you mean `std/health`?"));
    }
}
