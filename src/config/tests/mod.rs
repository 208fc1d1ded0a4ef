//! The configuration as a whole: mistakes and their messages, the operator's part, trust, the project's own file.

mod mistakes;
mod platform;
mod trust;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::*;

/// A project and an operator in folders of their own.
pub(super) struct Place {
    _temp: tempfile::TempDir,
    pub(super) project: PathBuf,
    pub(super) dirs: Dirs,
}

impl Place {
    pub(super) fn new(project_file: &str) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let top = temp.path().canonicalize().unwrap();
        let place = Self { _temp: temp, project: top.join("project"), dirs: Dirs { config: top.join("config"), state: top.join("state") } };
        for folder in [&place.project, &place.dirs.config] {
            fs::create_dir(folder).unwrap();
            fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
        }
        fs::create_dir(place.project.join(".git")).unwrap();
        place.write(project_file);
        place
    }

    pub(super) fn file(&self) -> PathBuf {
        self.project.join(FILE_NAME)
    }

    pub(super) fn write(&self, text: &str) {
        fs::write(self.file(), text).unwrap();
        fs::set_permissions(self.file(), fs::Permissions::from_mode(0o644)).unwrap();
    }

    pub(super) fn operator(&self, text: &str) {
        fs::write(self.dirs.config.join("config.toml"), text).unwrap();
        fs::set_permissions(self.dirs.config.join("config.toml"), fs::Permissions::from_mode(0o600)).unwrap();
    }

    pub(super) fn load(&self) -> Result<Config, ConfigError> {
        Config::load(&self.project, None, &self.dirs)
    }
}

#[test]
fn services_are_shared_and_environments_override_them() {
    let place = Place::new(
        r#"
        [services.api]
        workload = "deploy/api"
        url = "http://api:8090/"
        tier = 3
        replicas = 5
        [environments.prod]
        context = "prod-eu"
        cluster_uid = "6F1C9A52-2C1B-4C0E-9A0B-0C2D7E1F5A33"
        namespace = "platform"
        allow = ["https://status.example.com"]
        [environments.staging]
        protected = false
        [environments.staging.services.api]
        url = "https://api.staging.example.com"
        replicas = 1
        [environments.staging.databases.postgres]
        url = "postgres://ops@postgres:5432/app"
        password = { env = "PGPASSWORD" }
        reader = { user = "reader", password = { file = "/run/secrets/reader" } }
        workload = "statefulset/postgres"
        replicas = 3
        ca = "certs/ca.pem"
        [environments.staging.channels.incidents]
        kind = "slack"
        webhook = { command = ["op", "read", "slack"] }
        [severities.P0]
        respond = "5m"
        notify = ["incidents"]
        [policy]
        reads = [["cat", "/proc/meminfo"]]
        [environment]
        public = ["REGION"]
        "#,
    );
    let config = place.load().unwrap();
    assert_eq!(config.hash, sha256_hex(&fs::read(place.file()).unwrap()));
    let (prod, staging) = (&config.environments["prod"], &config.environments["staging"]);
    assert_eq!(prod.services["api"], config.services["api"]);
    assert_eq!(prod.services["api"].workload.as_deref(), Some("deployment/api"));
    assert_eq!(prod.services["api"].url.as_deref(), Some("http://api:8090"));
    assert_eq!(prod.services["api"].health, "/health");
    assert_eq!(prod.cluster_uid.as_deref(), Some("6f1c9a52-2c1b-4c0e-9a0b-0c2d7e1f5a33"));
    assert_eq!(prod.allow, ["https://status.example.com/"]);
    assert!(prod.protected && !staging.protected);
    let api = &staging.services["api"];
    assert_eq!((api.url.as_deref(), api.replicas, api.tier), (Some("https://api.staging.example.com"), 1, Some(3)));
    let postgres = &staging.databases["postgres"];
    assert_eq!(postgres.kind, DatabaseKind::Postgres);
    assert_eq!(postgres.password, Some(SecretSource::Env("PGPASSWORD".into())));
    assert_eq!(postgres.reader.as_ref().unwrap().password, Some(SecretSource::File("/run/secrets/reader".into())));
    assert_eq!(postgres.ca, Some(place.project.join("certs/ca.pem")));
    assert_eq!(config.severities["P0"].respond, Some(Duration::from_secs(300)));
    assert_eq!(config.policy.reads, [["cat", "/proc/meminfo"]]);
    assert_eq!(config.public_env, ["REGION"]);
}

#[test]
fn a_project_only_tightens_what_the_operator_says() {
    let place = Place::new(
        "[environments.prod]\nprotected = false\n[environments.staging]\nprotected = false\n[environments.dev]\nprotected = false",
    );
    assert_eq!(place.load().unwrap().journal_folder(), place.dirs.state.join("journal"));
    place.operator("journal = \"/srv/journal\"\nprotected = [\"prod\"]\n[environments.staging]\nprotected = true\n[environments.dev]\nprotected = false");
    let config = place.load().unwrap();
    let protected: Vec<bool> = config.environments.values().map(|environment| environment.protected).collect();
    assert_eq!(config.environments.keys().collect::<Vec<_>>(), ["dev", "prod", "staging"]);
    assert_eq!(protected, [false, true, true]);
    assert_eq!(config.journal_folder(), PathBuf::from("/srv/journal"));
}

#[test]
fn the_operators_mistakes_are_named_as_well() {
    let place = Place::new("");
    place.operator("jurnal = \"/x\"");
    let path = place.dirs.config.join("config.toml");
    let error = place.load().unwrap_err();
    assert_eq!(error.to_string(), format!("{}:1:1: unknown key `jurnal`; did you mean `journal`?", path.display()));
    place.operator("journal = \"here\"");
    assert!(place.load().unwrap_err().to_string().ends_with(":1:11: the journal's folder must be an absolute path"));
}

#[test]
fn without_a_file_there_is_an_empty_configuration() {
    let place = Place::new("");
    fs::remove_file(place.file()).unwrap();
    fs::write(place.project.join("..").join(FILE_NAME), "planted = true").unwrap();
    let config = place.load().unwrap();
    assert_eq!((&config.root, &config.file, config.hash.as_str()), (&place.project, &None, ""));
    config.check_trust().unwrap();
}

#[test]
fn files_that_are_none_are_refused_at_once() {
    let place = Place::new("");
    fs::write(place.file(), vec![b'#'; (1 << 20) + 1]).unwrap();
    assert_eq!(place.load().unwrap_err().to_string(), "runbook.toml: the file is larger than 1 MiB");
    fs::write(place.file(), b"a = 1\nb = \"\xff\"").unwrap();
    assert_eq!(place.load().unwrap_err().to_string(), "runbook.toml: line 2 is not UTF-8");
    fs::remove_file(place.file()).unwrap();
    std::os::unix::net::UnixListener::bind(place.file()).unwrap();
    assert_eq!(place.load().unwrap_err().to_string(), "runbook.toml: this is no file");
}
