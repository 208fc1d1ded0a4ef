//! Opening the places where secrets are.

use std::path::Path;

use super::SecretSource;
use crate::model::{Failure, Kind, Secret};

/// Opens a source that is on this machine; relative files are beneath `root`.
///
/// Errors are `auth` and never hold what was read. Kubernetes' secrets are the platform's to open: `failed`.
pub fn resolve(source: &SecretSource, root: &Path) -> Result<Secret, Failure> {
    match source {
        SecretSource::Env(name) => std::env::var(name).map(|content| Secret::new(format!("env:{name}"), content)).map_err(|_| {
            Failure::new(Kind::Auth, format!("the environment variable {name} is not set")).hint(format!("export {name} and run again"))
        }),
        SecretSource::File(path) => {
            let content = std::fs::read_to_string(root.join(path))
                .map_err(|e| Failure::new(Kind::Auth, format!("the secret file {} cannot be read: {}", path.display(), e.kind())))?;
            Ok(Secret::new(format!("file:{}", path.display()), content.trim_end_matches(['\r', '\n'])))
        }
        SecretSource::Command(_) | SecretSource::Kubernetes(_) => Err(Failure::new(Kind::Failed, "this source cannot be opened here")),
    }
}
