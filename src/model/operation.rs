//! Operations: the primitive reads and writes that every call lowers to.

use std::borrow::Cow;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;

use super::{Failure, Map, ObjectRef, Provenance, ResourceKind, Tier, Value};

/// A primitive look at a system.
#[derive(Clone, Debug, PartialEq)]
pub enum Read {
    /// One object, as the API server returns it. Fails with `not_found`.
    Object(ObjectRef),
    /// Objects of a kind: a list of maps, ordered by namespace and name.
    Objects(Selection),
    /// Log lines of pods, as [`LogAnswer`] says.
    Logs(LogQuery),
    /// CPU and memory of pods (`metrics.k8s.io`): a list of `#{ pod, namespace, containers: [#{ name, cpu_millicores, memory_bytes }] }`.
    PodMetrics(Selection),
    /// CPU and memory of nodes (`metrics.k8s.io`): a list of `#{ node, cpu_millicores, memory_bytes }`.
    NodeMetrics(Selection),
    /// The server's version and address: `#{ version, server, uid }` (`uid` of `kube-system`).
    ClusterInfo,
    /// One command in a container that is known to change nothing: as [`Write::Exec`].
    Exec(Exec),
    /// One command on this machine that is known to change nothing: as [`Write::Command`].
    Command(Command),
    /// One HTTP request that only reads: `#{ status, headers, body, latency_ms, timings }`; any status is an answer.
    Http(HttpRequest),
    /// One health check over HTTP. An unhealthy or unreachable service is an answer, not a failure:
    /// `#{ ok, status, latency_ms, error, timings }`; `latency_ms` is the time until the answer or the failure.
    Health(HttpRequest),
    /// Samples of an exposition in Prometheus' text format or OpenMetrics: a list of
    /// `#{ name, labels, value, type, help?, timestamp_ms? }`, in their order there.
    Metrics(MetricsQuery),
    /// One TCP connection, made and closed. One that cannot be made is an answer, not a failure:
    /// `#{ ok, latency_ms, address, error }`.
    Tcp(TcpCheck),
    /// One SQL statement that only reads: `#{ columns: […], rows: [#{…}] }`, or `#{ path, bytes, sha256, rows }` of a file.
    Sql(Statement),
    /// One MongoDB command document that only reads: the server's reply.
    Mongo {
        /// The configured database's name.
        database: String,
        /// The command, its name the first key. Ordered pairs, since MongoDB's commands depend on the order.
        command: Vec<(String, Value)>,
        /// The file that the documents go to: `#{ path, bytes, sha256, documents }`.
        save: Option<Save>,
        /// The longest wait.
        timeout: Duration,
    },
    /// One Redis command that only reads: its reply.
    Redis {
        /// The configured database's name.
        database: String,
        /// The command and its arguments.
        command: Vec<String>,
        /// The longest wait.
        timeout: Duration,
    },
    /// An environment variable of this process: a secret, or text where it is public. Fails with `not_found`.
    Variable {
        /// Its name.
        name: String,
        /// Whether the configuration says that it is no secret.
        public: bool,
    },
    /// A file beneath the project's root: its text, or a secret. Fails with `not_found`.
    File(FileQuery),
}

/// A primitive change, or a message to people.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// A patch of an object, of the object itself or of a subresource of it.
    Patch {
        /// The object.
        object: ObjectRef,
        /// `scale`, or none for the object itself.
        subresource: Option<&'static str>,
        /// The patch: a map, or for a JSON patch an array of operations.
        patch: Value,
        /// How the patch is to be read.
        kind: PatchKind,
        /// How kubectl says the same.
        verb: PatchVerb,
        /// The longest wait.
        timeout: Duration,
    },
    /// An object is made.
    Create {
        /// The object.
        object: ObjectRef,
        /// The object as it is to be.
        manifest: Value,
        /// The longest wait.
        timeout: Duration,
    },
    /// An object is deleted, and in the background what it owns.
    Delete {
        /// The object.
        object: ObjectRef,
        /// The UID that it must still have: another object of its name is left alone. Preparing fills it in.
        uid: Option<String>,
        /// How long its containers have to end; none for as long as it says itself.
        grace: Option<Duration>,
        /// Whether a controller makes it anew. Preparing finds out.
        controlled: bool,
        /// The longest wait.
        timeout: Duration,
    },
    /// A pod is evicted, as far as disruption budgets let it go.
    Evict {
        /// The pod.
        object: ObjectRef,
        /// The UID that it must still have. Preparing fills it in.
        uid: Option<String>,
        /// How long its containers have to end; none for as long as it says itself.
        grace: Option<Duration>,
        /// Whether a controller makes it anew. Preparing finds out.
        controlled: bool,
        /// Pods that are waited for, once this one is evicted, until they are gone.
        then_gone: Vec<ObjectRef>,
        /// The longest wait, for a budget that allows it and for pods to be gone.
        timeout: Duration,
    },
    /// One HTTP request that may change something: `#{ status, headers, body, latency_ms, timings }`; any status is an answer.
    Http(HttpRequest),
    /// One command in a container: `#{ exit_code, stdout, stderr, pod, container }`; `saved` instead of `stdout` where it is saved.
    Exec(Exec),
    /// One command on this machine: `#{ exit_code, stdout, stderr, program }`; `saved` instead of `stdout` where it is saved.
    Command(Command),
    /// One SQL statement that may change something: `#{ rows_affected, columns: […], rows: [#{…}] }`.
    Sql(SqlChange),
    /// One MongoDB command document that may change something: the server's reply.
    Mongo(MongoChange),
    /// One Redis command that may change something: its reply.
    Redis(RedisChange),
    /// A message to a channel.
    Send(Message),
}

/// How a patch is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchKind {
    /// A merge patch (RFC 7386).
    Merge,
    /// A strategic merge patch, as Kubernetes defines it: lists are merged by their elements' keys.
    Strategic,
    /// A JSON patch (RFC 6902).
    Json,
}

impl PatchKind {
    /// The name that scripts, kubectl and the journal use.
    pub fn name(self) -> &'static str {
        match self {
            PatchKind::Merge => "merge",
            PatchKind::Strategic => "strategic",
            PatchKind::Json => "json",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<PatchKind> {
        [PatchKind::Merge, PatchKind::Strategic, PatchKind::Json].into_iter().find(|kind| kind.name() == name)
    }
}

/// Which kubectl command says the same as a patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchVerb {
    /// `kubectl scale`.
    Scale,
    /// `kubectl rollout restart`.
    Restart,
    /// `kubectl patch`.
    Patch,
    /// `kubectl label`.
    Label,
    /// `kubectl annotate`.
    Annotate,
    /// `kubectl rollout undo`, to that revision.
    Undo(i64),
    /// `kubectl cordon`.
    Cordon,
    /// `kubectl uncordon`.
    Uncordon,
}

impl PatchVerb {
    /// The name that the journal uses.
    pub fn name(self) -> &'static str {
        match self {
            PatchVerb::Scale => "scale",
            PatchVerb::Restart => "restart",
            PatchVerb::Patch => "patch",
            PatchVerb::Label => "label",
            PatchVerb::Annotate => "annotate",
            PatchVerb::Undo(_) => "rollout_undo",
            PatchVerb::Cordon => "cordon",
            PatchVerb::Uncordon => "uncordon",
        }
    }
}

/// A file of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileQuery {
    /// Its path beneath the project's root, as the script has it.
    pub path: String,
    /// The most bytes of it; more is `too_large`.
    pub limit: u64,
    /// What is done with bytes that are no UTF-8.
    pub encoding: Encoding,
    /// Whether its content is a secret.
    pub secret: bool,
}

/// What is done with bytes that are no UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// They are an error.
    Strict,
    /// They are replaced with U+FFFD.
    Lossy,
}

/// Objects of a kind, chosen by namespace and labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// The kind.
    pub kind: &'static ResourceKind,
    /// The namespace; none for all, and for cluster-wide kinds.
    pub namespace: Option<String>,
    /// A label selector such as `app=api,tier!=x`; none for all.
    pub selector: Option<String>,
    /// Fields that must have these values, such as `spec.nodeName` of pods; those that the API server indexes.
    pub fields: Vec<(&'static str, String)>,
    /// How new it must be.
    pub freshness: Freshness,
    /// The longest wait.
    pub timeout: Duration,
}

/// How new a list must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Freshness {
    /// As it is now. After changes of other kinds an API server may take 100 ms to be sure of that.
    #[default]
    Now,
    /// As the API server has it at hand: a moment old perhaps. For hints and remarks, on which nothing is decided.
    AtHand,
}

/// Which log lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogQuery {
    /// The containers whose logs are read.
    pub sources: Vec<LogSource>,
    /// The last lines of each container; none for all.
    pub tail: Option<u64>,
    /// Only lines from then on.
    pub since: Option<Since>,
    /// The log of the container's previous instance.
    pub previous: bool,
    /// Which lines count, applied while streaming.
    pub grep: Option<Grep>,
    /// What is made of the lines.
    pub answer: LogAnswer,
    /// The longest wait.
    pub timeout: Duration,
}

/// One container's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSource {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// The container.
    pub container: String,
}

/// From when on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// So long ago.
    Ago(Duration),
    /// From a time on.
    Time(Timestamp),
}

/// Lines that match a regular expression, or all but those.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grep {
    /// The regular expression.
    pub pattern: String,
    /// Whether the lines count that do not match.
    pub invert: bool,
}

/// What is made of log lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogAnswer {
    /// A list of `#{ time, pod, container, line }`, merged by time, oldest first; the last so many of all, where a limit is given.
    Lines(Option<u64>),
    /// A list of `#{ pod, container, lines }`, how many there were.
    Count,
    /// All of them in a file, merged by time, masked line by line: `#{ path, bytes, sha256, lines }`.
    Save(Save),
}

/// One run of a program: words only, no shell.
#[derive(Clone, Debug, PartialEq)]
pub struct Invocation {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// What it reads: text as it is, anything else as JSON; secrets are opened by the connector. Nothing without it.
    pub stdin: Option<Value>,
    /// Exit codes that are no failure.
    pub ok_exit: Vec<i64>,
    /// The file that its standard output is streamed to.
    pub save: Option<Save>,
    /// The longest wait for its end.
    pub timeout: Duration,
}

impl Invocation {
    /// What can be said of an answer that cannot be predicted: the script would have ended with another exit code.
    fn assumed(&self) -> Map {
        let code = if self.ok_exit.contains(&0) { 0 } else { self.ok_exit.first().copied().unwrap_or_default() };
        Map::from_iter([("exit_code", code.into())])
    }
}

/// One command in a container.
#[derive(Clone, Debug, PartialEq)]
pub struct Exec {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// The container.
    pub container: String,
    /// What is run there.
    pub run: Invocation,
}

/// One command on this machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// What is run.
    pub run: Invocation,
    /// Variables of its environment beyond those that every child gets; secrets are opened by the connector.
    pub env: Vec<(String, Value)>,
    /// Where it runs: absolute, links resolved.
    pub cwd: PathBuf,
    /// How the script says that; none for the project's root.
    pub shown_cwd: Option<String>,
    /// The services and databases that it is given tunnels to.
    pub tunnels: Vec<String>,
}

/// A new file that an answer is streamed to instead of being held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Save {
    /// Where it will be: absolute, links resolved, in a folder that exists.
    pub path: PathBuf,
    /// How the script says it.
    pub shown: String,
    /// Whether it is written at all; in a rehearsal it is only counted.
    pub keep: bool,
}

/// One HTTP request.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpRequest {
    /// The configured service that it goes to; none where the URL was given whole.
    pub service: Option<String>,
    /// `GET`, `POST` …
    pub method: &'static str,
    /// The absolute URL.
    pub url: String,
    /// Header names and values; secrets are opened by the connector.
    pub headers: Vec<(String, Value)>,
    /// The body, if any: text as it is, anything else as JSON; secrets are opened by the connector.
    pub body: Option<Value>,
    /// Statuses that are no failure; none for 200 to 299. Where the request only reads, others are an answer too.
    pub ok_status: Option<Vec<i64>>,
    /// JSON pointers (RFC 6901) into the answer's body: what stands there becomes a secret before anybody sees it.
    pub seal: Vec<String>,
    /// The file that the body of an answer whose status is fine is streamed to, if any.
    pub save: Option<Save>,
    /// The longest wait, connecting and reading included.
    pub timeout: Duration,
}

impl HttpRequest {
    /// What it is about, in the script's words: the service with its path, or the URL without its query.
    pub fn target(&self) -> String {
        let (address, _) = self.url.split_once(['?', '#']).unwrap_or((&self.url, ""));
        let (scheme, rest) = address.split_once("://").unwrap_or(("http", address));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
        match &self.service {
            Some(service) if path.is_empty() => service.clone(),
            Some(service) => format!("{service}/{path}"),
            None => format!("{scheme}://{place}/{path}"),
        }
    }
}

/// Which samples of an exposition.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricsQuery {
    /// The request for the exposition.
    pub request: HttpRequest,
    /// A family's name or a sample's own; none for all.
    pub name: Option<String>,
    /// Labels that the samples have, with these values.
    pub labels: Vec<(String, String)>,
    /// At most so many samples; more is `too_large`.
    pub limit: u64,
}

/// A TCP connection that is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpCheck {
    /// What the script names.
    pub target: String,
    /// A name, or an address; IPv6 without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The longest wait.
    pub timeout: Duration,
    /// The container that it is tried from, by a program there; from here without one.
    pub from: Option<Container>,
}

/// A container of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// The container's name.
    pub name: String,
}

/// One SQL statement.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// The configured database's name.
    pub database: String,
    /// The statement's text, one statement.
    pub text: String,
    /// The bound parameters, `$1` first.
    pub params: Vec<Value>,
    /// At most so many rows; more is `too_large`.
    pub limit: u64,
    /// The file that the rows go to.
    pub save: Option<Save>,
    /// The longest wait.
    pub timeout: Duration,
}

/// One SQL statement that may change something, with what its text tells of it.
#[derive(Clone, Debug, PartialEq)]
pub struct SqlChange {
    /// The statement; secrets among its parameters are opened by the connector.
    pub statement: Statement,
    /// The word that says what it does, such as `DELETE`.
    pub verb: String,
    /// How grave it is.
    pub tier: Tier,
    /// Whether it stands in a transaction.
    pub scope: Scope,
    /// Whether a rehearsal asks the server for its plan: it is exactly one INSERT, UPDATE, DELETE or MERGE.
    pub explain: bool,
    /// Counts the rows that it is about.
    pub counted: Option<Box<Statement>>,
}

/// Whether a statement stands in a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Between `START TRANSACTION` and `COMMIT`.
    Transaction,
    /// As it is: VACUUM, CREATE INDEX CONCURRENTLY and the like.
    Alone,
}

/// One MongoDB command that may change something, with what its document tells of it.
#[derive(Clone, Debug, PartialEq)]
pub struct MongoChange {
    /// The configured database's name.
    pub database: String,
    /// The command, its name the first key; secrets are opened by the connector.
    pub command: Vec<(String, Value)>,
    /// How grave it is.
    pub tier: Tier,
    /// Counts the documents that it is about.
    pub counted: Option<Vec<(String, Value)>>,
    /// The longest wait.
    pub timeout: Duration,
}

/// One Redis command that may change something.
#[derive(Clone, Debug, PartialEq)]
pub struct RedisChange {
    /// The configured database's name.
    pub database: String,
    /// The command and its arguments: texts, and secrets, which are opened by the connector.
    pub command: Vec<Value>,
    /// How grave it is.
    pub tier: Tier,
    /// The longest wait.
    pub timeout: Duration,
}

impl RedisChange {
    /// The command's words, none for a secret.
    pub fn words(&self) -> Vec<Option<&str>> {
        self.command.iter().map(Value::as_str).collect()
    }
}

/// A message to a configured channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The channel's name.
    pub channel: String,
    /// The text.
    pub text: String,
    /// `P0` … where the message belongs to an incident.
    pub severity: Option<String>,
    /// Further fields, for structured channels.
    pub fields: Value,
    /// Makes repeats harmless where the channel can tell: the run and the call.
    pub key: String,
    /// The longest wait.
    pub timeout: Duration,
}

/// What a platform answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The value.
    pub value: Value,
    /// Where it came from.
    pub provenance: Provenance,
}

impl Answer {
    /// An answer from the platform itself.
    pub fn live(value: impl Into<Value>) -> Self {
        Self { value: value.into(), provenance: Provenance::Live }
    }
}

/// A write with everything that must be on record before it leaves.
#[derive(Clone, Debug, PartialEq)]
pub struct Prepared {
    /// The write.
    pub write: Write,
    /// What it changes, in the script's words: `deployment/api-gateway`.
    pub target: String,
    /// The fields that it changes, as they are: `#{ "spec.replicas": 3 }`.
    pub before: Value,
    /// The same fields, as they will be.
    pub after: Value,
    /// The write that takes it back, where there is one.
    pub inverse: Option<Write>,
    /// The read that tells whether it happened: `after`'s fields against the object.
    pub probe: Option<Read>,
    /// The command line that says the same.
    pub equivalent: String,
    /// What the server said against it when it was asked to validate (dry-run only).
    pub refusal: Option<Failure>,
    /// Whether the server validated it; `None` where nothing can.
    pub validated: Option<bool>,
    /// What a person should know: an autoscaler owns the number, and the like.
    pub remarks: Vec<String>,
    /// Where `before` came from.
    pub provenance: Provenance,
}

impl Read {
    /// Whether fields of the answer become secrets.
    pub fn seals(&self) -> bool {
        matches!(self, Read::Http(request) if !request.seal.is_empty())
    }

    /// The longest wait for the answer.
    pub fn timeout(&self) -> Duration {
        match self {
            Read::Object(_) | Read::ClusterInfo | Read::Variable { .. } | Read::File(_) => Duration::from_secs(30),
            Read::Objects(selection) | Read::PodMetrics(selection) | Read::NodeMetrics(selection) => selection.timeout,
            Read::Logs(query) => query.timeout,
            Read::Exec(exec) => exec.run.timeout,
            Read::Command(command) => command.run.timeout,
            Read::Http(request) | Read::Health(request) => request.timeout,
            Read::Metrics(query) => query.request.timeout,
            Read::Tcp(check) => check.timeout,
            Read::Sql(statement) => statement.timeout,
            Read::Mongo { timeout, .. } | Read::Redis { timeout, .. } => *timeout,
        }
    }
}

impl Write {
    /// The longest wait for the answer.
    pub fn timeout(&self) -> Duration {
        match self {
            Write::Patch { timeout, .. } | Write::Create { timeout, .. } | Write::Delete { timeout, .. } | Write::Evict { timeout, .. } => {
                *timeout
            }
            Write::Http(request) => request.timeout,
            Write::Exec(exec) => exec.run.timeout,
            Write::Command(command) => command.run.timeout,
            Write::Sql(change) => change.statement.timeout,
            Write::Mongo(change) => change.timeout,
            Write::Redis(change) => change.timeout,
            Write::Send(message) => message.timeout,
        }
    }

    /// The Kubernetes object that it changes; none where it changes none.
    pub fn object(&self) -> Option<&ObjectRef> {
        match self {
            Write::Patch { object, .. } | Write::Create { object, .. } | Write::Delete { object, .. } | Write::Evict { object, .. } => {
                Some(object)
            }
            _ => None,
        }
    }

    /// What it is about, in the script's words.
    pub fn target(&self) -> String {
        match self {
            Write::Patch { object, .. } | Write::Create { object, .. } | Write::Delete { object, .. } | Write::Evict { object, .. } => {
                object.to_string()
            }
            Write::Http(request) => request.target(),
            Write::Exec(exec) => format!("pod/{}", exec.pod),
            Write::Command(command) => command.run.argv.first().cloned().unwrap_or_default(),
            Write::Sql(change) => change.statement.database.clone(),
            Write::Mongo(MongoChange { database, .. }) | Write::Redis(RedisChange { database, .. }) => database.clone(),
            Write::Send(message) => message.channel.clone(),
        }
    }

    /// What of it may hold personal data: its content stands beside the journal, and lines and people get its shape.
    pub fn body(&self) -> Option<Cow<'_, Value>> {
        match self {
            Write::Http(request) => request.body.as_ref().map(Cow::Borrowed),
            Write::Exec(exec) => exec.run.stdin.as_ref().map(Cow::Borrowed),
            Write::Command(command) => command.run.stdin.as_ref().map(Cow::Borrowed),
            // Of what a database is given the line has the shape of each part.
            Write::Sql(_) | Write::Mongo(_) | Write::Redis(_) => None,
            Write::Patch { .. } | Write::Create { .. } | Write::Delete { .. } | Write::Evict { .. } | Write::Send(_) => None,
        }
    }

    /// Whether fields of the answer become secrets.
    pub fn seals(&self) -> bool {
        matches!(self, Write::Http(request) if !request.seal.is_empty())
    }

    /// Whether a rehearsal can tell what its answer would be.
    pub fn is_predictable(&self) -> bool {
        match self {
            Write::Patch { .. } | Write::Create { .. } | Write::Delete { .. } | Write::Evict { .. } => true,
            Write::Http(_) | Write::Exec(_) | Write::Command(_) | Write::Sql(_) | Write::Mongo(_) | Write::Redis(_) | Write::Send(_) => {
                false
            }
        }
    }

    /// What can be said of an answer that cannot be predicted.
    pub fn assumed(&self) -> Map {
        match self {
            Write::Exec(exec) => {
                let mut known = exec.run.assumed();
                known.extend([("pod", &exec.pod), ("container", &exec.container)].map(|(key, name)| (key.into(), name.as_str().into())));
                known
            }
            Write::Command(command) => command.run.assumed(),
            Write::Patch { .. } | Write::Create { .. } | Write::Delete { .. } | Write::Evict { .. } => Map::new(),
            Write::Http(_) | Write::Sql(_) | Write::Mongo(_) | Write::Redis(_) | Write::Send(_) => Map::new(),
        }
    }
}
