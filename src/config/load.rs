//! Reading the files, once each: what is parsed is what was hashed.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::problem::{Source, unreadable};
use super::shape::ProjectFile;
use super::{Config, ConfigError, Dirs, build, find, operator};

/// No configuration of people's making is larger, in bytes.
const LARGEST: u64 = 1 << 20;

impl Config {
    /// Loads the project's configuration and the operator's, without acting on either: no secret is opened and
    /// nothing is trusted yet. The project is that of `script` if it has one of its own, else that of `start`.
    pub fn load(start: &Path, script: Option<&Path>, dirs: &Dirs) -> Result<Config, ConfigError> {
        let operator = operator::load(dirs)?;
        let place = find::place(start, script);
        let mut config = Config { root: place.root, operator, dirs: dirs.clone(), ..Config::default() };
        let Some(file) = place.file else { return Ok(config) };
        let name = shown(&file, start);
        let text = read(&file, &name)?;
        config.hash = sha256_hex(text.as_bytes());
        config.file = Some(file);
        config.parse(&name, &text)?;
        Ok(config)
    }

    /// The operator's configuration alone, for what must work while a project's file is broken: looking at the record.
    pub fn without_project(start: &Path, dirs: &Dirs) -> Result<Config, ConfigError> {
        let operator = operator::load(dirs)?;
        Ok(Config { root: find::place(start, None).root, operator, dirs: dirs.clone(), ..Config::default() })
    }

    /// Fills in what a project's file says.
    pub(super) fn parse(&mut self, name: &str, text: &str) -> Result<(), ConfigError> {
        let mut source = Source::new(name, text);
        let Some(file) = source.parse::<ProjectFile>() else { return Err(source.error()) };
        build::project(self, file, &mut source);
        source.finish(())
    }
}

/// SHA-256 in lower-case hex, as `sha256sum` prints it.
pub fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The whole text of a regular file of a sensible size.
pub(super) fn read(path: &Path, name: &str) -> Result<String, ConfigError> {
    let failed = |e: std::io::Error| unreadable(name, format!("the file cannot be read: {}", e.kind()));
    // A named pipe would let the opening wait for ever.
    if !path.metadata().map_err(failed)?.is_file() {
        return Err(unreadable(name, "this is no file"));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes)).map_err(failed)?;
    if bytes.len() as u64 > LARGEST {
        return Err(unreadable(name, "the file is larger than 1 MiB"));
    }
    String::from_utf8(bytes).map_err(|e| {
        let line = e.as_bytes()[..e.utf8_error().valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
        unreadable(name, format!("line {line} is not UTF-8"))
    })
}

/// The file as somebody in `start` would name it.
fn shown(file: &Path, start: &Path) -> String {
    let start = start.canonicalize().unwrap_or_else(|_| start.to_owned());
    file.strip_prefix(&start).unwrap_or(file).display().to_string()
}
