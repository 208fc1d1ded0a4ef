//! World files: a simulated platform as people write it down. The same data describes the real systems' fixtures.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use crate::model::{Value, duration};

/// Reads YAML 1.2: `no`, `on` and `n` are texts, as people mean them in rows and log lines.
pub fn yaml<'de, T: Deserialize<'de>>(text: &'de str) -> Result<T, serde_saphyr::Error> {
    serde_saphyr::from_str_with_options(text, serde_saphyr::options! { strict_booleans: true })
}

/// A world file. Every key is optional; what is not said is as `runbook.toml` has it, and well.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorldFile {
    /// What the world shows, in a sentence.
    pub about: String,
    /// When the world begins, such as `"2026-01-01T03:00:00Z"`.
    pub start: Option<Timestamp>,
    /// The nodes by name; none for three ordinary ones and one with a GPU.
    pub nodes: Option<BTreeMap<String, NodeFile>>,
    /// Workloads by `kind/name`; `"*"` stands for every workload of the configuration.
    pub workloads: BTreeMap<String, WorkloadFile>,
    /// Services of the configuration by name.
    pub services: BTreeMap<String, ServiceFile>,
    /// What answers at URLs beyond the services, by URL prefix.
    pub urls: BTreeMap<String, ServiceFile>,
    /// Databases of the environment by name.
    pub databases: BTreeMap<String, DatabaseFile>,
    /// Answers of commands in containers.
    pub exec: Vec<RunFile>,
    /// Answers of commands on this machine.
    pub commands: Vec<RunFile>,
    /// Channels of the environment by name.
    pub channels: BTreeMap<String, ChannelFile>,
    /// Environment variables by name: what `env` answers instead of those of the machine.
    pub environment: BTreeMap<String, String>,
    /// What is wrong with the ways to services and databases, by name, where they are reached by port-forward.
    pub tunnels: BTreeMap<String, TunnelFile>,
    /// Further Kubernetes objects, as manifests.
    pub objects: Vec<Value>,
}

/// What is wrong with a port-forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TunnelFile {
    /// It opens, and breaks once something was sent: reads are `unavailable`, writes are in doubt.
    Broken,
    /// The context's user may not open it.
    Forbidden,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NodeFile {
    /// Labels beyond its host name.
    pub labels: BTreeMap<String, String>,
    /// Whether it is Ready.
    pub ready: bool,
    /// Its CPUs as a Kubernetes quantity.
    pub cpu: Quantity,
    /// Its memory as a Kubernetes quantity.
    pub memory: Quantity,
    /// Whether it is cordoned.
    pub unschedulable: bool,
}

impl Default for NodeFile {
    fn default() -> Self {
        let quantity = |text: &str| Quantity(text.to_owned());
        Self { labels: BTreeMap::new(), ready: true, cpu: quantity("8"), memory: quantity("32Gi"), unschedulable: false }
    }
}

/// A Deployment or StatefulSet.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorkloadFile {
    /// How many pods it wants; none for the configuration's number.
    pub replicas: Option<u32>,
    /// How long a new pod needs to become Ready; none for three seconds.
    pub ready_after: Option<Span>,
    /// Labels of the workload and its pods beyond `app`.
    pub labels: BTreeMap<String, String>,
    /// The image of its container.
    pub image: Option<String>,
    /// The CPU that one pod uses; none for `50m`.
    pub cpu: Option<Quantity>,
    /// The memory that one pod uses; none for `128Mi`.
    pub memory: Option<Quantity>,
    /// What each of its pods logs.
    pub logs: Option<Vec<LogLine>>,
    /// The labels that nodes must have for its pods.
    pub node_selector: BTreeMap<String, String>,
    /// Whether its pods crash and never become Ready.
    pub crash: Option<bool>,
    /// Whether a HorizontalPodAutoscaler owns its number of replicas.
    pub autoscaled: Option<bool>,
    /// Says that the configuration rightly knows nothing of it.
    pub extra: bool,
}

/// A line of a pod's log.
#[derive(Clone, Debug, PartialEq)]
pub struct LogLine {
    /// When, counted from the pod's (or the world's, if later) beginning; none for at once.
    pub after: Option<Duration>,
    /// The line.
    pub line: String,
}

/// How a service answers.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServiceFile {
    /// How long its answers take; none for 5 ms.
    pub latency: Option<Span>,
    /// A slowness that more replicas cure.
    pub slow: Option<Slow>,
    /// The health check's status.
    pub status: u16,
    /// The health check's body: text, or data that is sent as JSON; none for `{"status":"healthy"}`.
    pub body: Value,
    /// Whether it answers 503 to everything.
    pub down: bool,
    /// Its other answers, by `"GET /path"`.
    pub routes: BTreeMap<String, Route>,
}

impl Default for ServiceFile {
    fn default() -> Self {
        Self { latency: None, slow: None, status: 200, body: Value::Null, down: false, routes: BTreeMap::new() }
    }
}

/// A latency that holds until the service's workload has enough ready pods.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slow {
    /// How long answers take meanwhile.
    pub latency: Span,
    /// How many ready pods cure it.
    pub until_replicas: u32,
}

/// One answer of a service.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Route {
    /// The status.
    pub status: u16,
    /// The body: text, or data that is sent as JSON.
    pub body: Value,
    /// Headers beyond the content type.
    pub headers: BTreeMap<String, String>,
    /// How long it takes; none for the service's latency.
    pub latency: Option<Span>,
}

impl Default for Route {
    fn default() -> Self {
        Self { status: 200, body: Value::Null, headers: BTreeMap::new(), latency: None }
    }
}

/// What a database holds. Which keys make sense depends on its kind.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseFile {
    /// PostgreSQL: statements that make the same state in a real database; a world ignores them.
    pub setup: String,
    /// PostgreSQL: answers to statements.
    pub statements: Vec<StatementFile>,
    /// MongoDB: documents by collection.
    pub collections: BTreeMap<String, Vec<Value>>,
    /// MongoDB: answers to commands.
    pub commands: Vec<CommandFile>,
    /// Redis: values by key; text, lists and hashes.
    pub keys: BTreeMap<String, Value>,
    /// Redis: what `INFO` answers.
    pub info: Option<String>,
}

/// An answer to a SQL statement.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StatementFile {
    /// The statement; white space and a final `;` do not matter.
    pub sql: Option<String>,
    /// Or a regular expression that the statement matches.
    #[serde(rename = "match")]
    pub pattern: Option<String>,
    /// The parameters it must have; none for any.
    pub params: Option<Vec<Value>>,
    /// The columns' names in order; none for the first row's keys.
    pub columns: Option<Vec<String>>,
    /// The rows.
    pub rows: Vec<Pairs>,
    /// How many rows it changes; none for as many as it answers. Such statements are for `sql_execute`.
    pub rows_affected: Option<u64>,
    /// Only while this mark is set. Such an answer comes before those without a condition.
    pub when: Option<String>,
    /// Marks that are set once it was executed; those with a `!` are taken away.
    pub then: Vec<String>,
    /// The server's error, instead of rows.
    pub error: Option<SqlError>,
}

/// An error of the SQL server.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SqlError {
    /// The SQLSTATE, such as `42P01`.
    pub code: String,
    /// The message.
    pub message: String,
}

/// An answer to a MongoDB command.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandFile {
    /// The command document.
    pub command: Pairs,
    /// The server's reply.
    #[serde(default)]
    pub reply: Value,
    /// The server's error, instead of a reply.
    #[serde(default)]
    pub error: Option<MongoError>,
}

/// An error of the MongoDB server.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MongoError {
    /// The error's code, such as 59.
    pub code: i32,
    /// The code's name, such as `CommandNotFound`.
    pub name: String,
    /// The message.
    pub message: String,
}

/// What a program answers.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunFile {
    /// In containers: the workload (`statefulset/postgres`) or pod (`pod/postgres-0`) that it is run in; none for any.
    pub on: Option<String>,
    /// In containers: the container; none for any.
    pub container: Option<String>,
    /// The program and its arguments.
    pub argv: Option<Vec<String>>,
    /// Or a regular expression that they match, joined by blanks.
    #[serde(rename = "match")]
    pub pattern: Option<String>,
    /// What it must be given to read; none for anything.
    pub stdin: Option<String>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
    /// Its exit code.
    pub exit_code: i64,
    /// Says that there is no such program.
    pub missing: bool,
    /// How long it takes; none for 50 ms.
    pub latency: Option<Span>,
    /// What it changes, in this order.
    pub then: Vec<EffectFile>,
}

/// A change of the world's objects.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EffectFile {
    /// The object: `deployment/api`, `configmap/settings`.
    pub patch: String,
    /// The merge patch.
    pub with: Value,
}

/// How a channel answers.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChannelFile {
    /// The status.
    pub status: u16,
    /// How long it takes; none for 20 ms.
    pub latency: Option<Span>,
}

impl Default for ChannelFile {
    fn default() -> Self {
        Self { status: 200, latency: None }
    }
}

/// A duration with its unit, such as `180ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        duration::parse(&text).map(Span).map_err(|failure| match failure.hint {
            Some(hint) => D::Error::custom(format_args!("{}; {hint}", failure.message)),
            None => D::Error::custom(failure.message),
        })
    }
}

/// A Kubernetes quantity such as `120m` or `200Mi`, checked and kept as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quantity(String);

impl Quantity {
    /// The quantity as it was written.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The quantity in thousandths, rounded up, as Kubernetes rounds.
    pub fn milli(&self) -> i64 {
        Self::parse(&self.0).unwrap_or_default()
    }

    /// The quantity in units, rounded up.
    pub fn units(&self) -> i64 {
        Self::parse(&self.0).unwrap_or_default().saturating_add(999) / 1000
    }

    fn parse(text: &str) -> Option<i64> {
        const SUFFIXES: [(&str, f64); 12] = [
            ("Ki", 1024.0),
            ("Mi", 1_048_576.0),
            ("Gi", 1_073_741_824.0),
            ("Ti", 1_099_511_627_776.0),
            ("n", 1e-9),
            ("u", 1e-6),
            ("m", 1e-3),
            ("k", 1e3),
            ("M", 1e6),
            ("G", 1e9),
            ("T", 1e12),
            ("", 1.0),
        ];
        let (suffix, factor) = SUFFIXES.into_iter().find(|(suffix, _)| text.ends_with(suffix))?;
        let number = text.strip_suffix(suffix)?;
        let plain = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit() || c == '.');
        let thousandths = plain.then(|| number.parse::<f64>().ok()).flatten()? * factor * 1e3;
        // The margin keeps binary fractions such as 0.1 × 1000 from being rounded up once more.
        (thousandths < 9e15).then(|| (thousandths - 1e-6).ceil().max(0.0) as i64)
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match Value::deserialize(deserializer)? {
            Value::Str(text) => text,
            number @ (Value::Int(_) | Value::Float(_)) => number.to_string(),
            other => return Err(D::Error::custom(format_args!("a quantity such as 120m or 200Mi is expected, not {}", other.type_name()))),
        };
        match Self::parse(&text) {
            Some(_) => Ok(Self(text)),
            None => Err(D::Error::custom(format_args!("{text:?} is no quantity; quantities read 120m, 0.5, 200Mi, 32Gi"))),
        }
    }
}

/// A map whose order counts: a row's columns, a command's keys.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pairs(pub Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Ordered;
        impl<'de> Visitor<'de> for Ordered {
            type Value = Pairs;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a map")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = access.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Ordered)
    }
}

impl<'de> Deserialize<'de> for LogLine {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Timed {
            #[serde(default)]
            after: Option<Span>,
            line: String,
        }
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = LogLine;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a line, or { after: 10s, line: … }")
            }
            fn visit_str<E>(self, line: &str) -> Result<LogLine, E> {
                Ok(LogLine { after: None, line: line.to_owned() })
            }
            fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<LogLine, A::Error> {
                let timed = Timed::deserialize(MapAccessDeserializer::new(access))?;
                Ok(LogLine { after: timed.after.map(|span| span.0), line: timed.line })
            }
        }
        deserializer.deserialize_any(Either)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_no_truth_values() {
        let found: Value = yaml("[n, no, on, off, y, yes, true, false]").unwrap();
        assert_eq!(found.to_string(), r#"["n","no","on","off","y","yes",true,false]"#);
    }

    #[test]
    fn quantities_are_kubernetes() {
        for (text, milli) in [("120m", 120), ("8", 8_000), ("0.1", 100), ("200Mi", 209_715_200_000), ("1500u", 2), ("1k", 1_000_000)] {
            assert_eq!(Quantity::parse(text), Some(milli), "{text}");
        }
        for text in ["", "m", "1x", "-1", "1e3", "1.2.3", "Mi"] {
            assert_eq!(Quantity::parse(text), None, "{text}");
        }
        assert_eq!(Quantity("200Mi".into()).units(), 209_715_200);
    }
}
