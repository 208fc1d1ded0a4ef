//! Secrets by their sources, each opened once.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::kubernetes::Kubernetes;
use crate::config::{Environment, SecretSource, secrets};
use crate::model::{Failure, Secret};

/// What was opened so far.
pub(super) struct Sources {
    root: PathBuf,
    opened: Mutex<Vec<(SecretSource, Secret)>>,
}

/// Every source that an environment names: of databases, their readers and channels.
pub(super) fn of(environment: &Environment) -> impl Iterator<Item = &SecretSource> {
    let databases = environment.databases.values();
    let passwords = databases.clone().filter_map(|database| database.password.as_ref());
    let readers = databases.filter_map(|database| database.reader.as_ref()?.password.as_ref());
    let channels = environment.channels.values().flat_map(|channel| [channel.webhook.as_ref(), channel.signing.as_ref()]);
    passwords.chain(readers).chain(channels.flatten())
}

impl Sources {
    /// Nothing opened; relative files are beneath `root`.
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root, opened: Mutex::default() }
    }

    fn list(&self) -> MutexGuard<'_, Vec<(SecretSource, Secret)>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a source was opened.
    pub(super) fn has(&self, source: &SecretSource) -> bool {
        self.list().iter().any(|(known, _)| known == source)
    }

    /// All that was opened.
    pub(super) fn opened(&self) -> Vec<Secret> {
        self.list().iter().map(|(_, secret)| secret.clone()).collect()
    }

    /// How many were opened.
    pub(super) fn count(&self) -> usize {
        self.list().len()
    }

    /// Opens a source, or answers what it held when it was opened first.
    pub(super) async fn open(&self, source: &SecretSource, kubernetes: &Kubernetes) -> Result<Secret, Failure> {
        if let Some((_, secret)) = self.list().iter().find(|(known, _)| known == source) {
            return Ok(secret.clone());
        }
        let secret = match source {
            SecretSource::Kubernetes(path) => kubernetes.secret(path).await?,
            here => {
                let (here, root) = (here.clone(), self.root.clone());
                // Files can be on a slow disk, and commands wait for people.
                let opened = tokio::task::spawn_blocking(move || secrets::resolve(&here, &root)).await;
                opened.map_err(|_| Failure::new(crate::model::Kind::Failed, "opening a secret's source failed"))??
            }
        };
        let mut list = self.list();
        if let Some((_, first)) = list.iter().find(|(known, _)| known == source) {
            return Ok(first.clone());
        }
        list.push((source.clone(), secret.clone()));
        Ok(secret)
    }
}
