//! Trust: a project's file acts on real systems only after a person has seen what it allows and recorded its hash.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{DirBuilder, File, Permissions};
use std::io::{BufRead as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Config, SecretSource};
use crate::model::{Failure, Kind};

/// What a project's file can make happen on real systems, in words. Empty without a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Allowed {
    /// Kubeconfig contexts, with the cluster's UID and the namespace.
    pub contexts: BTreeSet<String>,
    /// Environments whose changes ask nobody.
    pub unprotected: BTreeSet<String>,
    /// Local commands that are run for their secrets, as JSON arrays, with the hashes of the project's programs in them.
    pub commands: BTreeSet<String>,
    /// Where other secrets are read from: `env:NAME`, `file:PATH`, `secret/NAME/KEY`.
    pub secrets: BTreeSet<String>,
    /// Where requests and credentials go.
    pub destinations: BTreeSet<String>,
    /// What is taken for a read: commands, and paths whose POST only reads.
    pub reads: BTreeSet<String>,
    /// Environment variables that scripts see in plain text.
    pub public: BTreeSet<String>,
}

impl Allowed {
    /// The groups with their titles, in the order in which they are shown.
    pub fn groups(&self) -> [(&'static str, &BTreeSet<String>); 7] {
        [
            ("clusters", &self.contexts),
            ("environments without confirmation", &self.unprotected),
            ("commands run for secrets", &self.commands),
            ("secrets opened", &self.secrets),
            ("destinations", &self.destinations),
            ("taken for reads", &self.reads),
            ("variables shown in plain text", &self.public),
        ]
    }
}

/// A file as somebody trusted it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trusted {
    /// SHA-256 of its bytes in hex.
    pub sha256: String,
    /// When that was.
    pub when: Timestamp,
    /// What it allowed.
    pub allowed: Allowed,
}

/// Programs that run the file which they are given, whatever its mode; their names without a version.
const INTERPRETERS: [&str; 12] = ["sh", "bash", "dash", "ksh", "zsh", "fish", "python", "perl", "ruby", "node", "php", "env"];

/// `trust.json`: files by their canonical path.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Store {
    files: BTreeMap<String, Trusted>,
}

/// What the project's file allows, of all its environments.
pub fn summary(config: &Config) -> Allowed {
    let mut allowed = Allowed::default();
    for environment in config.environments.values() {
        let name = &environment.name;
        if let Some(context) = &environment.context {
            let uid = environment.cluster_uid.as_deref().unwrap_or("any UID");
            allowed.contexts.insert(format!("{name}: context {context}, cluster {uid}, namespace {}", environment.namespace));
        }
        if !environment.protected {
            allowed.unprotected.insert(name.clone());
        }
        let mut secret = |what: &str, source: Option<&SecretSource>| match source {
            Some(SecretSource::Command(words)) => {
                allowed.commands.insert(format!("{name}: {} (for {what}){}", serde_json::json!(words), programs(&config.root, words)));
            }
            Some(SecretSource::Env(variable)) => drop(allowed.secrets.insert(format!("{name}: env:{variable} (for {what})"))),
            Some(SecretSource::File(path)) => drop(allowed.secrets.insert(format!("{name}: file:{} (for {what})", path.display()))),
            Some(SecretSource::Kubernetes(key)) => drop(allowed.secrets.insert(format!("{name}: {key} (for {what})"))),
            None => {}
        };
        for (database, settings) in &environment.databases {
            secret(database, settings.password.as_ref());
            secret(database, settings.reader.as_ref().and_then(|reader| reader.password.as_ref()));
            if !settings.url.is_empty() {
                // Who holds the authorities' file could answer in the database's place.
                let signed = |ca: &PathBuf| format!(", signed by {}: {}", ca.strip_prefix(&config.root).unwrap_or(ca).display(), state(ca));
                let signed = settings.ca.as_ref().map(signed).unwrap_or_default();
                allowed.destinations.insert(format!("{name}: {database} at {}{signed}", settings.url));
            }
        }
        for (channel, settings) in &environment.channels {
            secret(channel, settings.webhook.as_ref());
            secret(channel, settings.signing.as_ref());
            if let Some(url) = &settings.url {
                allowed.destinations.insert(format!("{name}: {channel} at {url}"));
            }
        }
        allowed.destinations.extend(environment.allow.iter().map(|url| format!("{name}: {url}")));
        for (service, settings) in &environment.services {
            // What all environments share is said once.
            let place = if config.services.get(service).is_some_and(|shared| shared.url == settings.url) { "all" } else { name };
            allowed.destinations.extend(settings.url.iter().map(|url| format!("{place}: {service} at {url}")));
            settings.secrets().for_each(|source| secret(service, Some(source)));
            let reads = settings.reads.iter().map(|path| format!("POST {path} at {service}"));
            allowed.reads.extend(reads);
        }
    }
    let read = |words: &Vec<String>| format!("{}{}", serde_json::json!(words), programs(&config.root, words));
    allowed.reads.extend(config.policy.reads.iter().map(read));
    allowed.public = config.public_env.iter().cloned().collect();
    allowed
}

impl Config {
    /// Whether the project's file may act on real systems: seen by a person, unchanged since, and nobody else's to write.
    /// `denied` otherwise; without a file there is nothing to trust.
    pub fn check_trust(&self) -> Result<(), Failure> {
        let Some(file) = &self.file else { return Ok(()) };
        self.check_writers()?;
        let denied = |message: String| Err(Failure::new(Kind::Denied, message).hint("see what it allows: `runbook trust`"));
        match self.trusted()? {
            None => denied(format!("{} has never been trusted", file.display())),
            Some(trusted) if trusted.sha256 != self.hash => {
                denied(format!("{} has changed since it was trusted on {}", file.display(), trusted.when.strftime("%Y-%m-%d %H:%M UTC")))
            }
            // The project's own programs and authorities change without the file.
            Some(trusted) if !self.is_as_trusted(&trusted) => denied(format!(
                "a program that {} runs for a secret or takes for a read, or an authority that it believes, has changed since it was trusted on {}",
                file.display(),
                trusted.when.strftime("%Y-%m-%d %H:%M UTC")
            )),
            Some(_) => Ok(()),
        }
    }

    /// Whether the file that was loaded is the one that was trusted, and the other files that it leads to are as they were.
    pub fn is_as_trusted(&self, trusted: &Trusted) -> bool {
        let now = summary(self);
        trusted.sha256 == self.hash
            && trusted.allowed.commands == now.commands
            && trusted.allowed.destinations == now.destinations
            && trusted.allowed.reads == now.reads
    }

    /// Refuses a link, and files that others than the user and root could have written: the project's, with its folder,
    /// and the operator's.
    pub fn check_writers(&self) -> Result<(), Failure> {
        if let Some(file) = &self.file {
            if file.is_symlink() {
                // What it leads to may be trusted for another folder, whose programs and certificates are not this one's.
                let message = format!("{} is a symbolic link: it would be trusted for one folder and act in another", file.display());
                return Err(Failure::new(Kind::Denied, message)
                    .hint("put a copy in its place and trust that, or run in the folder that it leads to"));
            }
            owned_alone(&canonical(file)?)?;
            owned_alone(&self.root)?;
        }
        let operators = self.dirs.config.join("config.toml");
        if operators.exists() { owned_alone(&operators) } else { Ok(()) }
    }

    /// The project's file as it was trusted last, if it ever was.
    pub fn trusted(&self) -> Result<Option<Trusted>, Failure> {
        let Some(file) = &self.file else { return Ok(None) };
        Ok(self.store()?.files.remove(&key(file)?))
    }

    /// Records the file that was loaded, by the hash of what was read then, as trusted.
    pub fn trust(&self, now: Timestamp) -> Result<(), Failure> {
        let Some(file) = &self.file else { return Err(Failure::new(Kind::NotFound, "there is no runbook.toml to trust")) };
        self.check_writers()?;
        let mut store = self.store()?;
        store.files.insert(key(file)?, Trusted { sha256: self.hash.clone(), when: now, allowed: summary(self) });
        let path = self.store_path();
        replace(&path, &store).map_err(|e| Failure::new(Kind::Failed, format!("{} cannot be written: {e}", path.display())))
    }

    fn store_path(&self) -> PathBuf {
        self.dirs.state.join("trust.json")
    }

    fn store(&self) -> Result<Store, Failure> {
        let path = self.store_path();
        if !path.is_absolute() {
            // A relative one could stand in the project, and the project would trust itself.
            return Err(Failure::new(Kind::Denied, "the folder of the trust records is unknown"));
        }
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Store::default()),
            Err(e) => return Err(Failure::new(Kind::Denied, format!("{} cannot be read: {}", path.display(), e.kind()))),
        };
        owned_alone(&self.dirs.state)?;
        owned_alone(&path)?;
        serde_json::from_str(&text).map_err(|e| {
            let message = format!("{} is damaged at line {}", path.display(), e.line());
            Failure::new(Kind::Denied, message).hint(format!("remove it and trust the projects again: rm {}", quoted(&path)))
        })
    }
}

/// The project's own programs in a command, with the hashes of what they are now: they change without the file.
fn programs(root: &Path, words: &[String]) -> String {
    let Some((program, arguments)) = words.split_first() else { return String::new() };
    let named = Path::new(program).file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let interprets =
        INTERPRETERS.iter().any(|interpreter| named.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.') == *interpreter);
    let beneath = |word: &&String| Path::new(word.as_str()).is_relative() && root.join(word).is_file();
    let runs = |word: &&String| interprets || root.join(word).metadata().is_ok_and(|meta| meta.mode() & 0o111 != 0);
    let own = Some(program).filter(|program| program.contains('/') && Path::new(program).is_relative());
    own.into_iter().chain(arguments.iter().filter(beneath).filter(runs)).fold(String::new(), |mut text, word| {
        text.push_str(&format!(", {word}: {}", state(&root.join(word))));
        text
    })
}

/// The hash of a file, or why it has none.
fn state(path: &Path) -> String {
    match path.metadata() {
        // Only a regular file: a named pipe would let the opening wait for ever.
        Ok(meta) if meta.is_file() => sha256_of(path).map_or_else(|e| e.kind().to_string(), |hash| format!("SHA-256 {hash}")),
        Ok(_) => "no file".to_owned(),
        Err(e) => e.kind().to_string(),
    }
}

fn sha256_of(path: &Path) -> std::io::Result<String> {
    let mut input = std::io::BufReader::with_capacity(64 << 10, File::open(path)?);
    let mut hash = Sha256::new();
    loop {
        let bytes = input.fill_buf()?;
        if bytes.is_empty() {
            break;
        }
        hash.update(bytes);
        let read = bytes.len();
        input.consume(read);
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Fails unless only root and this process's user can write here.
fn owned_alone(path: &Path) -> Result<(), Failure> {
    let denied = |message: String| Failure::new(Kind::Denied, message);
    let meta = path.metadata().map_err(|e| denied(format!("{} cannot be looked at: {}", path.display(), e.kind())))?;
    let me = rustix::process::geteuid().as_raw();
    if meta.uid() != me && meta.uid() != 0 {
        return Err(denied(format!("{} belongs to another user (uid {})", path.display(), meta.uid()))
            .hint(format!("sudo chown {me} {}, if it is yours", quoted(path))));
    }
    if meta.mode() & 0o022 != 0 {
        let who = if meta.mode() & 0o002 != 0 { "everybody" } else { "its group" };
        return Err(denied(format!("{} can be written by {who} (mode {:04o})", path.display(), meta.mode() & 0o7777))
            .hint(format!("chmod go-w {}", quoted(path))));
    }
    Ok(())
}

fn canonical(file: &Path) -> Result<PathBuf, Failure> {
    file.canonicalize().map_err(|e| Failure::new(Kind::Denied, format!("{} cannot be looked at: {}", file.display(), e.kind())))
}

fn key(file: &Path) -> Result<String, Failure> {
    let unspeakable =
        |path: PathBuf| Failure::new(Kind::Denied, format!("the path {} is not UTF-8, so it cannot be trusted", path.display()));
    canonical(file)?.into_os_string().into_string().map_err(|path| unspeakable(path.into()))
}

/// Writes the whole store beside the old one, then takes its place; nobody else ever sees it (0600 in 0700).
fn replace(path: &Path, store: &Store) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    std::fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    let mut file = tempfile::Builder::new().prefix(".trust").permissions(Permissions::from_mode(0o600)).tempfile_in(folder)?;
    serde_json::to_writer_pretty(&mut file, store)?;
    file.write_all(b"\n")?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|e| e.error)?;
    File::open(folder)?.sync_all()
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
