//! A script that has been read and parsed, with its header and the hashes of all its sources.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rhai::{AST, ASTNode, Engine, Expr, Position as At, Stmt};
use sha2::{Digest, Sha256};

use super::diagnostic::{self, Diagnostic};
use super::header::{self, Header};
use super::tree::Tree;
use super::{modules, names, syntax};
use crate::model::{Failure, Kind, Position, suggest};

/// No script of people's making is larger, in bytes.
const LARGEST: u64 = 1 << 20;

/// A parsed script.
pub struct Script {
    /// Its name in messages and journals: relative to the project where it can be.
    pub name: String,
    /// Its text.
    pub text: String,
    /// Its syntax tree, not optimised: the optimiser would drop a `try` around an import.
    pub ast: AST,
    /// Its header.
    pub header: Option<Header>,
    /// SHA-256 of the script and of every module that it imports by a literal path, by name.
    pub hashes: BTreeMap<String, String>,
    /// The modules, by name.
    pub modules: BTreeMap<String, Imported>,
}

/// A module that a script imports.
pub struct Imported {
    /// Its text, for diagnostics.
    pub text: String,
    /// Its syntax tree.
    pub ast: AST,
}

/// The file of a script: a path, or a name under `scripts/`.
pub fn locate(root: &Path, script: &str) -> Result<PathBuf, Failure> {
    let named = root.join("scripts").join(format!("{script}.rhai"));
    let candidates = [PathBuf::from(script), named];
    if let Some(found) = candidates.into_iter().find(|path| path.is_file()) {
        return Ok(found);
    }
    let known = names(root);
    let mut failure = Failure::new(Kind::NotFound, format!("there is no script {script:?}"));
    failure.hint =
        suggest::hint(script, known.iter().map(String::as_str)).or_else(|| Some("pass a path, or a name under scripts/".to_owned()));
    Err(failure)
}

/// The bytes of a script: a regular file of a sensible size.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    // A named pipe lets the opening wait for ever unless it is told not to.
    let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = File::options().read(true).custom_flags(nonblocking).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file"));
    }
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 1 MiB"));
    }
    Ok(bytes)
}

/// The text of a script.
pub fn read_text(path: &Path) -> io::Result<String> {
    String::from_utf8(read(path)?).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "stream did not contain valid UTF-8"))
}

/// The names of all scripts under `scripts/`, sorted. Links are not followed: they may lead out of it, or round for ever.
pub fn names(root: &Path) -> Vec<String> {
    fn walk(folder: &Path, prefix: &str, names: &mut Vec<String>) {
        let Ok(entries) = std::fs::read_dir(folder) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() {
                walk(&entry.path(), &format!("{prefix}{name}/"), names);
            } else if let Some(stem) = name.strip_suffix(".rhai").filter(|_| kind.is_file()) {
                names.push(format!("{prefix}{stem}"));
            }
        }
    }
    let mut names = Vec::new();
    walk(&root.join("scripts"), "", &mut names);
    names.sort();
    names
}

impl Script {
    /// Reads and parses a file.
    pub fn load(engine: &Engine, root: &Path, path: &Path) -> Result<Self, Diagnostic> {
        let name = relative(root, path);
        let unreadable = |error: io::Error| {
            let failure = Failure::new(Kind::NotFound, format!("the script {} cannot be read: {error}", path.display()));
            Diagnostic::at(failure, Position { file: name.as_str().into(), line: 0, column: 0 })
        };
        let text = read_text(path).map_err(unreadable)?;
        Self::parse(engine, root, &name, &text)
    }

    /// Parses a script's text.
    pub fn parse(engine: &Engine, root: &Path, name: &str, text: &str) -> Result<Self, Diagnostic> {
        let parsed = syntax::without_interpreter(text);
        let mut ast = engine.compile(&parsed).map_err(|error| syntax::diagnose(&error, name, &parsed))?;
        ast.set_source(name);
        shadowing(&ast, name, &parsed)?;
        let header = header::read(&ast, name)?;
        let mut script =
            Self { name: name.to_owned(), text: text.to_owned(), ast, header, hashes: BTreeMap::new(), modules: BTreeMap::new() };
        script.hashes.insert(name.to_owned(), sha256(text));
        let imports = imports(&script.ast);
        script.collect(engine, root, name, imports, 1)?;
        Ok(script)
    }

    /// Reads the modules that are imported by literal paths, and theirs. One that cannot be read fails when it is imported.
    fn collect(&mut self, engine: &Engine, root: &Path, file: &str, imports: Vec<(String, At)>, depth: usize) -> Result<(), Diagnostic> {
        for (path, at) in imports {
            let Ok((name, text)) = modules::source(root, &path) else { continue };
            if depth > modules::DEEPEST && !self.hashes.contains_key(&name) {
                return Err(Diagnostic::at(modules::too_deep(&path), diagnostic::position(file, at)));
            }
            if self.hashes.contains_key(&name) {
                continue;
            }
            self.hashes.insert(name.clone(), sha256(&text));
            let ast = engine.compile(&text).map_err(|error| syntax::diagnose(&error, &name, &text))?;
            let imports = self::imports(&ast);
            shadowing(&ast, &name, &text)?;
            self.modules.insert(name.clone(), Imported { text, ast });
            self.collect(engine, root, &name, imports, depth + 1)?;
        }
        Ok(())
    }

    /// The title that its header states.
    pub fn title(&self) -> Option<&str> {
        self.header.as_ref().map(|header| header.title.as_str())
    }

    /// The text of the script or of a module of it, for diagnostics.
    pub fn source(&self, name: &str) -> Option<String> {
        if name == self.name { Some(self.text.clone()) } else { self.modules.get(name).map(|module| module.text.clone()) }
    }

    /// The texts of all its sources by name: what a run executes, whatever becomes of the files meanwhile.
    pub fn texts(&self) -> BTreeMap<String, String> {
        let modules = self.modules.iter().map(|(name, module)| (name.clone(), module.text.clone()));
        modules.chain([(self.name.clone(), self.text.clone())]).collect()
    }

    /// The names of the functions that a module has for others.
    pub fn functions_of(&self, path: &str) -> Vec<String> {
        let file = format!("{path}.rhai");
        let module = self.modules.get(path).or_else(|| self.modules.get(&file));
        module.map(|module| names::public(&Tree::new(&module.ast))).unwrap_or_default()
    }

    /// The trees of the script and of its modules, by name, the script's first.
    pub fn trees(&self) -> Vec<(&str, Tree)> {
        let modules = self.modules.iter().map(|(name, module)| (name.as_str(), Tree::new(&module.ast)));
        std::iter::once((self.name.as_str(), Tree::new(&self.ast))).chain(modules).collect()
    }
}

/// A path as people read it: relative to the project's root where it is beneath it.
fn relative(root: &Path, path: &Path) -> String {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let (root, full) = (real(root), real(path));
    full.strip_prefix(&root).unwrap_or(&full).display().to_string()
}

pub(super) fn sha256(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A script function that bears a host function's name would be called instead of it.
pub fn shadowing(ast: &AST, file: &str, text: &str) -> Result<(), Diagnostic> {
    match syntax::hidden(&Tree::new(ast), text).into_iter().next() {
        Some((failure, at)) => Err(Diagnostic::at(failure, diagnostic::position(file, at))),
        None => Ok(()),
    }
}

fn imports(ast: &AST) -> Vec<(String, At)> {
    let mut paths = Vec::new();
    ast.walk(&mut |nodes| {
        if let Some(ASTNode::Stmt(Stmt::Import(import, _))) = nodes.last()
            && let Expr::StringConstant(path, at) = &import.0
        {
            paths.push((path.to_string(), *at));
        }
        true
    });
    paths
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// Something that no reader must wait for: a named pipe that nobody writes to.
    fn pipe(path: &Path) {
        rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR, 0).unwrap();
    }

    #[test]
    fn links_and_pipes_are_no_scripts() {
        let folder = tempfile::tempdir().unwrap();
        let (root, scripts) = (folder.path(), folder.path().join("scripts"));
        std::fs::create_dir_all(scripts.join("deep")).unwrap();
        std::fs::write(scripts.join("deep/real.rhai"), "1").unwrap();
        symlink(".", scripts.join("round")).unwrap();
        symlink("deep/real.rhai", scripts.join("link.rhai")).unwrap();
        pipe(&scripts.join("pipe.rhai"));
        assert_eq!(names(root), ["deep/real"]);

        let refused = |path: &str, text: &str| {
            let diagnostic = Script::load(&crate::engine::parser(), root, &root.join(path)).err().unwrap();
            assert!(diagnostic.failure.message.ends_with(text), "{}", diagnostic.failure.message);
        };
        refused("scripts/pipe.rhai", "cannot be read: it is no file");
        std::fs::write(scripts.join("large.rhai"), " ".repeat(1 << 20 | 1)).unwrap();
        refused("scripts/large.rhai", "cannot be read: it is larger than 1 MiB");
        let failure = modules::source(root, "scripts/pipe").unwrap_err();
        assert_eq!(failure.message, "the module scripts/pipe.rhai cannot be read: it is no file");
    }
}
