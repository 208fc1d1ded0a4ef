//! The operator's own file, outside every repository.

use std::path::PathBuf;

use super::load::read;
use super::problem::Source;
use super::shape::OperatorFile;
use super::{ConfigError, Dirs, Operator};

/// Reads `config.toml` in the operator's folder; defaults where there is none.
pub(super) fn load(dirs: &Dirs) -> Result<Operator, ConfigError> {
    let path = dirs.config.join("config.toml");
    if dirs.config.as_os_str().is_empty() || path.symlink_metadata().is_err() {
        return Ok(Operator::default());
    }
    let name = path.display().to_string();
    let text = read(&path, &name)?;
    let mut source = Source::new(&name, &text);
    let Some(file) = source.parse::<OperatorFile>() else { return Err(source.error()) };
    let journal = file.journal.and_then(|folder| {
        let path = PathBuf::from(folder.get_ref());
        if !path.is_absolute() {
            source.wrong(folder.span(), "the journal's folder must be an absolute path", None);
            return None;
        }
        Some(path)
    });
    let mut protected: Vec<String> = file.protected.into_iter().map(|name| name.into_inner()).collect();
    // `protected = false` has nothing to do here: only the project knows what needs no question, and it may only tighten.
    protected.extend(file.environments.into_iter().filter(|(_, environment)| environment.protected).map(|(name, _)| name.into_inner()));
    protected.sort();
    protected.dedup();
    source.finish(Operator { journal, protected })
}
