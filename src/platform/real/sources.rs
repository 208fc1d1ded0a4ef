//! Secrets by their sources, each opened once.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::kubernetes::Kubernetes;
use crate::config::{Auth, Environment, SecretSource, secrets};
use crate::model::{Failure, Secret};

/// What was opened so far.
pub(super) struct Sources {
    root: PathBuf,
    /// The users whose passwords are sent together with their names.
    users: Vec<(String, SecretSource)>,
    opened: Mutex<Vec<(SecretSource, Secret)>>,
}

impl Sources {
    /// Nothing opened; relative files are beneath `root`.
    pub(super) fn new(root: PathBuf, environment: &Environment) -> Self {
        let users = environment.services.values().filter_map(|service| match &service.auth {
            Some(Auth::Basic { user, password }) => Some((user.clone(), password.clone())),
            _ => None,
        });
        Self { root, users: users.collect(), opened: Mutex::default() }
    }

    fn list(&self) -> MutexGuard<'_, Vec<(SecretSource, Secret)>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a source was opened.
    pub(super) fn has(&self, source: &SecretSource) -> bool {
        self.list().iter().any(|(known, _)| known == source)
    }

    /// All that was opened, and what passwords read like together with their users.
    pub(super) fn opened(&self) -> Vec<Secret> {
        let list = self.list();
        let together = list.iter().flat_map(|(source, secret)| {
            let users = self.users.iter().filter(move |(_, password)| password == source);
            users.map(|(user, _)| Secret::new(secret.name(), format!("{user}:{}", secret.expose())))
        });
        list.iter().map(|(_, secret)| secret.clone()).chain(together).collect()
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
