//! What completion and hints know of: the sitting, the configuration, the platform.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::{modules, script};
use crate::run::repl::Session;
use crate::run::repl::names::Found;

/// The longest that a key may wait for a system's names; the next one finds them there.
const PATIENCE: Duration = Duration::from_millis(40);

/// Names for completion. Tests have their own.
pub(super) trait Known {
    /// Variables and constants.
    fn variables(&self) -> Vec<String>;
    /// The keys of the map at a path such as `before.spec`.
    fn keys(&self, path: &[&str]) -> Vec<String>;
    /// The sitting's own functions, as they are called.
    fn functions(&self) -> Vec<String>;
    /// The aliases of imports with their functions.
    fn imports(&self) -> Vec<(String, Vec<String>)>;
    /// Workloads, pods and nodes.
    fn found(&self) -> Arc<Found>;
    /// Services.
    fn services(&self) -> Vec<String>;
    /// Databases of the environment.
    fn databases(&self) -> Vec<String>;
    /// Channels of the environment.
    fn channels(&self) -> Vec<String>;
    /// Severities.
    fn severities(&self) -> Vec<String>;
    /// Environments.
    fn environments(&self) -> Vec<String>;
    /// Paths that can be imported.
    fn modules(&self) -> Vec<String>;
    /// Scripts by name.
    fn scripts(&self) -> Vec<String>;
}

impl Known for Session {
    fn variables(&self) -> Vec<String> {
        Session::variables(self)
    }
    fn keys(&self, path: &[&str]) -> Vec<String> {
        Session::keys(self, path)
    }
    fn functions(&self) -> Vec<String> {
        Session::functions(self)
    }
    fn imports(&self) -> Vec<(String, Vec<String>)> {
        Session::imports(self)
    }
    fn found(&self) -> Arc<Found> {
        self.names().get(PATIENCE)
    }
    fn services(&self) -> Vec<String> {
        self.shared().pipeline.platform.environment().services.keys().cloned().collect()
    }
    fn databases(&self) -> Vec<String> {
        self.shared().pipeline.platform.environment().databases.keys().cloned().collect()
    }
    fn channels(&self) -> Vec<String> {
        self.shared().pipeline.platform.environment().channels.keys().cloned().collect()
    }
    fn severities(&self) -> Vec<String> {
        self.config().severities.keys().cloned().collect()
    }
    fn environments(&self) -> Vec<String> {
        self.config().environments.keys().cloned().collect()
    }
    fn modules(&self) -> Vec<String> {
        let mut found: Vec<String> = modules::STD.iter().map(|(name, _)| (*name).to_owned()).collect();
        let mut left = 5_000;
        files(&self.config().root, "", 4, &mut left, &mut found);
        found.sort();
        found
    }
    fn scripts(&self) -> Vec<String> {
        script::names(&self.config().root)
    }
}

/// Modules beneath a folder. Scripts are for `:run`; hidden folders and build output hold none, and a large tree is not
/// looked through to its end.
fn files(folder: &Path, prefix: &str, depth: usize, left: &mut usize, found: &mut Vec<String>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        *left = left.saturating_sub(1);
        if *left == 0 {
            return;
        }
        let name = entry.file_name().to_string_lossy().into_owned();
        let skipped = name.starts_with('.') || prefix.is_empty() && matches!(name.as_str(), "scripts" | "target");
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            if depth > 0 && !skipped {
                files(&entry.path(), &format!("{prefix}{name}/"), depth - 1, left, found);
            }
        } else if let Some(stem) = name.strip_suffix(".rhai") {
            found.push(format!("{prefix}{stem}"));
        }
    }
}
