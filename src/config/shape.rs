//! The shape of the files as they are written, with the positions of what is checked later.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

/// What serde says it expected where a secret's source should stand.
pub(super) const SECRET: &str = "a secret's source";

pub(super) type Text = Spanned<String>;
pub(super) type Texts = Spanned<Vec<Text>>;
pub(super) type Named<T> = BTreeMap<Text, T>;

/// A project's `runbook.toml`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ProjectFile {
    pub(super) services: Named<ServiceTable>,
    pub(super) environments: Named<EnvironmentTable>,
    pub(super) severities: Named<SeverityTable>,
    pub(super) policy: PolicyTable,
    pub(super) environment: VariablesTable,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
pub(super) struct ServiceTable {
    pub(super) workload: Option<Text>,
    pub(super) url: Option<Text>,
    pub(super) health: Option<Text>,
    pub(super) tier: Option<Spanned<i64>>,
    pub(super) reads: Option<Vec<Text>>,
    pub(super) replicas: Option<Spanned<i64>>,
    pub(super) auth: Option<Spanned<AuthTable>>,
    pub(super) headers: Option<Named<Spanned<SecretTable>>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
pub(super) struct AuthTable {
    pub(super) bearer: Option<Spanned<SecretTable>>,
    pub(super) basic: Option<Spanned<BasicTable>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
pub(super) struct BasicTable {
    pub(super) user: Option<Text>,
    pub(super) password: Option<Spanned<SecretTable>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
pub(super) struct EnvironmentTable {
    pub(super) context: Option<Text>,
    pub(super) cluster_uid: Option<Text>,
    pub(super) namespace: Option<Text>,
    pub(super) protected: Option<bool>,
    pub(super) reach: Option<Text>,
    pub(super) allow: Vec<Text>,
    pub(super) services: Named<ServiceTable>,
    pub(super) databases: Named<DatabaseTable>,
    pub(super) channels: Named<ChannelTable>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
pub(super) struct DatabaseTable {
    pub(super) url: Option<Text>,
    pub(super) password: Option<Spanned<SecretTable>>,
    pub(super) reader: Option<Spanned<ReaderTable>>,
    pub(super) workload: Option<Text>,
    pub(super) replicas: Option<Spanned<i64>>,
    pub(super) ca: Option<Text>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
pub(super) struct ReaderTable {
    pub(super) user: Option<Text>,
    pub(super) password: Option<Spanned<SecretTable>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
pub(super) struct ChannelTable {
    pub(super) kind: Option<Text>,
    pub(super) webhook: Option<Spanned<SecretTable>>,
    pub(super) url: Option<Text>,
    pub(super) signing: Option<Spanned<SecretTable>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a secret's source")]
pub(super) struct SecretTable {
    pub(super) env: Option<Text>,
    pub(super) file: Option<Text>,
    pub(super) command: Option<Texts>,
    pub(super) kubernetes: Option<Text>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
pub(super) struct SeverityTable {
    pub(super) description: Option<String>,
    pub(super) respond: Option<Text>,
    pub(super) update: Option<Text>,
    pub(super) notify: Vec<Text>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
pub(super) struct PolicyTable {
    pub(super) reads: Vec<Texts>,
    pub(super) tested_within: Option<Text>,
}

/// `[environment]`: variables of the process, not to be taken for `[environments]`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
pub(super) struct VariablesTable {
    pub(super) public: Vec<Text>,
}

/// The operator's `config.toml`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct OperatorFile {
    pub(super) journal: Option<Text>,
    pub(super) protected: Vec<Text>,
    pub(super) environments: Named<OperatorEnvironment>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
pub(super) struct OperatorEnvironment {
    pub(super) protected: bool,
}
