//! The files that are checked, and the modules that they import.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rhai::{AST, Engine, Expr, Position};

use crate::engine::tree::Tree;
use crate::engine::walk::{Node, walk};
use crate::engine::{modules, names, script, syntax};
use crate::model::{Failure, text};

/// One file.
pub(super) struct Source {
    /// Its path as people read it.
    pub(super) name: String,
    /// Its text.
    pub(super) text: String,
    /// Its tree; empty if it does not parse.
    pub(super) tree: Tree,
    /// Rhai's own tree, if it parses.
    pub(super) ast: Option<AST>,
    /// Why it does not parse, and where.
    pub(super) broken: Option<(Failure, Position)>,
    /// Whether it stands beneath the project's `scripts/`, where its runbooks are.
    pub(super) is_runbook: bool,
    /// Whether it comes with the tool.
    pub(super) embedded: bool,
    /// The modules that it imports, by path: which source that is, or why it cannot be read.
    pub(super) imports: BTreeMap<String, Result<usize, Failure>>,
}

/// All of them, those that were asked for first.
pub(super) struct Sources {
    /// The files.
    pub(super) all: Vec<Source>,
}

impl Sources {
    /// Reads files, and what they import.
    pub(super) fn load(engine: &Engine, files: &[PathBuf], folder: &Path, root: &Path) -> Self {
        let mut places: Vec<PathBuf> = Vec::new();
        let mut all = Vec::new();
        for file in files {
            let real = folder.join(file).canonicalize().unwrap_or_else(|_| file.clone());
            if !places.contains(&real) {
                let is_runbook = root.join("scripts").canonicalize().is_ok_and(|scripts| real.starts_with(scripts));
                all.push(Source { is_runbook, ..read(engine, &shown(file, folder), script::read(&real)) });
                places.push(real);
            }
        }
        let mut next = 0;
        while next < all.len() {
            for path in imported(&all[next].tree) {
                let found = modules::source(root, &path).map(|(name, text)| {
                    let embedded = modules::STD.iter().any(|(std, _)| *std == name);
                    let file = if embedded { PathBuf::from(&name) } else { root.join(&name) };
                    let real = file.canonicalize().unwrap_or_else(|_| file.clone());
                    places.iter().position(|place| *place == real).unwrap_or_else(|| {
                        let name = if embedded { name } else { shown(&file, folder) };
                        all.push(Source { embedded, ..read(engine, &name, Ok(text.into_bytes())) });
                        places.push(real);
                        all.len() - 1
                    })
                });
                all[next].imports.insert(path, found);
            }
            next += 1;
        }
        Self { all }
    }

    /// The source of a module that another one imports.
    pub(super) fn module(&self, of: &Source, path: &Expr) -> Option<&Source> {
        let Expr::StringConstant(path, _) = path else { return None };
        self.all.get(*of.imports.get(path.as_str())?.as_ref().ok()?)
    }

    /// The names of the functions that a module has for others.
    pub(super) fn functions_of(&self, of: &Source, path: &str) -> Vec<String> {
        let module = of.imports.get(path).and_then(|found| self.all.get(*found.as_ref().ok()?));
        module.map(|module| names::public(&module.tree)).unwrap_or_default()
    }

    /// Whether one source imports another, over others perhaps.
    pub(super) fn reaches(&self, from: usize, to: usize) -> bool {
        let (mut seen, mut open) = (vec![false; self.all.len()], vec![from]);
        while let Some(here) = open.pop() {
            if here == to {
                return true;
            }
            if !std::mem::replace(&mut seen[here], true) {
                open.extend(self.all[here].imports.values().filter_map(|found| found.as_ref().ok()));
            }
        }
        false
    }
}

fn read(engine: &Engine, name: &str, bytes: std::io::Result<Vec<u8>>) -> Source {
    let start = Position::START;
    let (text, unreadable) = match bytes.map(String::from_utf8) {
        Ok(Ok(text)) => (text, None),
        Ok(Err(error)) => {
            let line = error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
            (String::new(), Some(Failure::bad_argument(format!("line {line} is not UTF-8"))))
        }
        Err(error) => (String::new(), Some(Failure::bad_argument(format!("the script {name} cannot be read: {error}")))),
    };
    let parsed = syntax::without_interpreter(&text);
    let compiled = engine.compile(&parsed);
    let broken = unreadable.map(|failure| (failure, start)).or_else(|| {
        let error = compiled.as_ref().err()?;
        Some((syntax::failure(error, &parsed), error.position()))
    });
    let ast = compiled.ok().filter(|_| broken.is_none());
    let tree = ast.as_ref().map(Tree::new).unwrap_or_default();
    Source { name: name.to_owned(), text, tree, ast, broken, is_runbook: false, embedded: false, imports: BTreeMap::new() }
}

fn imported(tree: &Tree) -> Vec<String> {
    let mut paths = Vec::new();
    walk(tree, &mut |node, _, _| {
        if let Node::Import(Expr::StringConstant(path, _), _) = node {
            paths.push(path.to_string());
        }
    });
    paths
}

/// A path as somebody in the folder would write it.
fn shown(file: &Path, folder: &Path) -> String {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let (full, folder) = (real(&folder.join(file)), real(folder));
    let path = full.strip_prefix(&folder).unwrap_or(file);
    // A file's name may hold what moves a cursor.
    text::one_line(&path.to_string_lossy()).into_owned()
}
