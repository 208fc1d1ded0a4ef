//! `runbook.toml`: services, environments, severities, policy; secrets' sources; trust.

mod build;
mod dirs;
mod environment;
mod find;
mod load;
mod operator;
mod problem;
pub mod repository;
pub mod secrets;
mod shape;
#[cfg(test)]
mod tests;
pub mod trust;
mod urls;

pub use dirs::Dirs;
pub use load::sha256_hex;
pub use problem::{ConfigError, Problem};

/// The name of a project's file.
pub const FILE_NAME: &str = "runbook.toml";

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// A project's configuration, merged with the operator's own.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The project's root: where `runbook.toml` stands, else the repository's root, else the working folder.
    pub root: PathBuf,
    /// The project's file, if there is one.
    pub file: Option<PathBuf>,
    /// SHA-256 of the file's bytes in hex; empty without a file.
    pub hash: String,
    /// Services by name.
    pub services: BTreeMap<String, Service>,
    /// Environments by name.
    pub environments: BTreeMap<String, Environment>,
    /// Severities by name.
    pub severities: BTreeMap<String, Severity>,
    /// What the policy allows beyond its defaults.
    pub policy: Policy,
    /// Environment variables that `env` answers as plain text.
    pub public_env: Vec<String>,
    /// The operator's own settings.
    pub operator: Operator,
    /// Where the operator's own files are.
    pub dirs: Dirs,
}

/// A service of the platform, shared by all environments.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Service {
    /// Its workload, such as `deployment/auth-rbac`.
    pub workload: Option<String>,
    /// Its base URL.
    pub url: Option<String>,
    /// The path of its health check.
    pub health: String,
    /// The order of restoration, 1 first.
    pub tier: Option<u32>,
    /// Paths whose POST only reads.
    pub reads: Vec<String>,
    /// The usual number of replicas.
    pub replicas: u32,
    /// Who asks, as far as the service knows.
    pub auth: Option<Auth>,
    /// Headers whose values are secrets, by their names in lower case.
    pub headers: BTreeMap<String, SecretSource>,
}

/// What a service's `Authorization` header is made of.
#[derive(Clone, Debug, PartialEq)]
pub enum Auth {
    /// A bearer token (RFC 6750).
    Bearer(SecretSource),
    /// A user with a password (RFC 7617).
    Basic {
        /// The user.
        user: String,
        /// Where the password is.
        password: SecretSource,
    },
}

impl Service {
    /// Where its secrets are: of its `auth` first.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretSource> {
        let auth = self.auth.as_ref().map(|(Auth::Bearer(source) | Auth::Basic { password: source, .. })| source);
        auth.into_iter().chain(self.headers.values())
    }
}

/// A named set of targets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Environment {
    /// Its name.
    pub name: String,
    /// The kubeconfig context; the current context is never used by itself.
    pub context: Option<String>,
    /// UID of the namespace `kube-system`, checked before the first call.
    pub cluster_uid: Option<String>,
    /// The namespace of everything that names none.
    pub namespace: String,
    /// Whether changes ask.
    pub protected: bool,
    /// How services and databases are reached.
    pub reach: Reach,
    /// URL prefixes that may be asked beyond the services.
    pub allow: Vec<String>,
    /// The services as this environment has them (shared ones with its own changes).
    pub services: BTreeMap<String, Service>,
    /// Databases by name.
    pub databases: BTreeMap<String, Database>,
    /// Channels by name.
    pub channels: BTreeMap<String, Channel>,
}

impl Environment {
    /// Where its secrets are: of services, databases, their readers and channels.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretSource> {
        let databases = self.databases.values();
        let passwords = databases.clone().filter_map(|database| database.password.as_ref());
        let readers = databases.filter_map(|database| database.reader.as_ref()?.password.as_ref());
        let channels = self.channels.values().flat_map(|channel| [channel.webhook.as_ref(), channel.signing.as_ref()]);
        self.services.values().flat_map(Service::secrets).chain(passwords).chain(readers).chain(channels.flatten())
    }
}

/// How services and databases are reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// By their own addresses.
    #[default]
    Direct,
    /// Through the API server's port-forward, where their hosts are Services of the cluster.
    PortForward,
}

/// A database of one environment.
#[derive(Clone, Debug, PartialEq)]
pub struct Database {
    /// Its address without the password, its scheme as written; empty where only the workload is known.
    pub url: String,
    /// What it is.
    pub kind: DatabaseKind,
    /// Where the password is.
    pub password: Option<SecretSource>,
    /// A role of its own for reads, where one is configured.
    pub reader: Option<Reader>,
    /// Its workload, such as `statefulset/postgres`.
    pub workload: Option<String>,
    /// The usual number of replicas.
    pub replicas: u32,
    /// A PEM file of the authority that signed its certificate, beyond the system's.
    pub ca: Option<PathBuf>,
}

/// A database role that may only read.
#[derive(Clone, Debug, PartialEq)]
pub struct Reader {
    /// The role's name.
    pub user: String,
    /// Where its password is.
    pub password: Option<SecretSource>,
}

/// The kinds of databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatabaseKind {
    /// PostgreSQL: `sql`.
    Postgres,
    /// MongoDB's wire protocol: `mongo`.
    Mongo,
    /// Redis: `redis`.
    Redis,
    /// Something that no function speaks to: only its workload and perhaps its address are known (`scylla`, `cassandra`).
    Other,
}

/// A channel to people.
#[derive(Clone, Debug, PartialEq)]
pub struct Channel {
    /// What it is.
    pub kind: ChannelKind,
    /// Where its address is; for Slack the address is the credential.
    pub webhook: Option<SecretSource>,
    /// A plain address, for channels whose address is no secret.
    pub url: Option<String>,
    /// Where the key for the signature is.
    pub signing: Option<SecretSource>,
}

/// The kinds of channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelKind {
    /// A Slack incoming webhook.
    Slack,
    /// A generic webhook, signed with HMAC-SHA256 over a timestamp and the body.
    Webhook,
}

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// An environment variable.
    Env(String),
    /// A file's content, without the final newline.
    File(PathBuf),
    /// The output of a command, without the final newline.
    Command(Vec<String>),
    /// A key of a Kubernetes secret: `secret/NAME/KEY`.
    Kubernetes(String),
}

/// What a severity asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Severity {
    /// What it means.
    pub description: String,
    /// The longest time until somebody responds.
    pub respond: Option<Duration>,
    /// The longest time between updates.
    pub update: Option<Duration>,
    /// The channels to notify.
    pub notify: Vec<String>,
}

/// What the policy knows beyond its defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Commands known to change nothing.
    pub reads: Vec<Vec<String>>,
    /// How long ago a runbook may have been tested; any time where it is not said.
    pub tested_within: Option<Duration>,
}

/// The operator's own settings, outside every repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Operator {
    /// Where journals go.
    pub journal: Option<PathBuf>,
    /// Environments that are protected whatever a project says.
    pub protected: Vec<String>,
}
