//! The real systems: one connector a system, opened on first use and kept.

mod address;
mod channels;
mod handover;
mod http;
mod kubernetes;
mod mongo;
mod open;
mod postgres;
mod programs;
mod redis;
mod resolve;
mod runtime;
mod sources;
pub mod survey;
mod tcp;
mod tls;
mod tunnel;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::StreamExt;

use super::clock::{MachineClock, cancelled};
use super::egress::{Egress, shown};
use super::rows::RowWriter;
use super::{Clock, Cx, Observe, Platform, Validation, failures, invocation, local};
use crate::config::{Config, Environment};
use crate::model::operation::{Command, FileQuery, MetricsQuery};
use crate::model::{Answer, Failure, Kind, ObjectRef, Prepared, Read, Secret, Value, Write};
use programs::Doubt;
use runtime::{Departure, Runtime};

/// The largest answer that a script may hold, in bytes.
pub const MOST_BYTES: usize = 8 * 1024 * 1024;
/// The longest refusal in a server's own words that a failure carries, in bytes; they are cut where they are shown, after masking.
pub(super) const MOST_SAID: usize = 64 * 1024;
/// What servers are told of who asks.
const AGENT: &str = concat!("runbook/", env!("CARGO_PKG_VERSION"));
/// So many reads of one call are under way at once.
const CONCURRENT: usize = 64;
/// The least wait for the answer to an eviction.
const LEAST: Duration = Duration::from_secs(5);
/// The pause before a disruption budget is asked again, and between two looks at pods that are to be gone.
const BETWEEN: Duration = Duration::from_secs(1);
/// The wait for a secret's source that is a system.
const SOURCE_TIMEOUT: Duration = Duration::from_secs(10);

/// The systems of one environment.
pub struct Real {
    environment: Environment,
    /// The project's root.
    root: PathBuf,
    clock: MachineClock,
    sources: sources::Sources,
    /// How many opened secrets the pipeline has been told of.
    told: AtomicUsize,
    kubernetes: Arc<kubernetes::Kubernetes>,
    /// The ways into the cluster, where its own names are reached through it.
    tunnels: Option<Arc<tunnel::Tunnels>>,
    http: http::Http,
    postgres: postgres::Postgres,
    mongo: mongo::Mongo,
    redis: redis::Redis,
    // Last, so that it outlives the clients while they are dropped.
    runtime: Runtime,
}

impl Real {
    /// The systems of an environment. Opens nothing: each system is connected to by the first call that needs it.
    pub fn new(config: Arc<Config>, environment: Environment) -> Result<Real, Failure> {
        let egress = Arc::new(Egress::new(&environment));
        let kubernetes = Arc::new(kubernetes::Kubernetes::new(&environment));
        let tunnels = tunnel::Tunnels::new(&environment, &kubernetes);
        Ok(Real {
            root: config.root.clone(),
            clock: MachineClock::default(),
            sources: sources::Sources::new(config.root.clone(), &environment),
            told: AtomicUsize::new(0),
            kubernetes,
            http: http::Http::new(egress, tunnels.clone()),
            tunnels,
            postgres: postgres::Postgres::default(),
            mongo: mongo::Mongo::default(),
            redis: redis::Redis::default(),
            runtime: Runtime::default(),
            environment,
        })
    }

    /// Opens every source of a secret that the environment names and answers what could be opened, each source once.
    ///
    /// A source that cannot be opened is left out, since what this process does not know it cannot show: the call
    /// that needs it fails with `auth`. It is tried again by the next call of this function and by whoever needs it,
    /// so [`Real::secrets_opened`] tells when there are more. Fails only where the run must stop: `cancelled`, `denied`.
    pub fn secrets(&self, cx: &Cx<'_>) -> Result<Vec<Secret>, Failure> {
        for source in self.environment.secrets() {
            if self.sources.has(source) {
                continue;
            }
            let what = || "a secret's source".to_owned();
            match self.runtime.block(cx, SOURCE_TIMEOUT, what, self.sources.open(source, &self.kubernetes)) {
                Err(failure) if failure.kind.latches() => return Err(failure),
                Ok(_) | Err(_) => {}
            }
        }
        Ok(self.sources.opened())
    }

    /// The UID of the cluster's `kube-system` namespace, if it has been read or checked by now.
    pub fn cluster_uid(&self) -> Option<String> {
        self.kubernetes.uid()
    }

    /// Performs a read without regard to its timeout.
    async fn perform(&self, op: &Read, cx: &Cx<'_>) -> Result<Value, Failure> {
        match op {
            Read::Object(object) => self.kubernetes.object(object).await,
            Read::Objects(selection) => self.kubernetes.objects(selection).await,
            Read::Logs(query) => self.kubernetes.logs(query, cx).await,
            Read::PodMetrics(selection) => self.kubernetes.pod_metrics(selection).await,
            Read::NodeMetrics(selection) => self.kubernetes.node_metrics(selection).await,
            Read::ClusterInfo => self.kubernetes.info().await,
            Read::Exec(exec) => self.kubernetes.exec(exec, cx, None).await,
            Read::Command(command) => self.command(command, Doubt::OnlyReads, cx).await,
            Read::Http(request) => {
                let request = http::credentials::with(self, request).await?;
                self.http.request(&request, cx.mask).await
            }
            Read::Health(request) => match http::credentials::with(self, request).await {
                Ok(request) => self.http.health(&request).await,
                Err(failure) if failure.kind.latches() => Err(failure),
                Err(failure) => Ok(http::ill(&failure.message)),
            },
            Read::Metrics(query) => {
                let request = http::credentials::with(self, &query.request).await?;
                self.http.metrics(&request, query).await
            }
            Read::Tcp(check) => match &check.from {
                None => tcp::check(&self.environment, self.tunnels.as_ref(), check).await,
                Some(from) => tcp::check_from(&self.environment, &self.kubernetes, from, check, cx).await,
            },
            Read::Sql(statement) => self.postgres.read(self, statement, cx).await,
            Read::Mongo { database, command, save, timeout } => {
                let saved = save.as_ref().map(|save| RowWriter::begin(save, cx)).transpose()?;
                self.mongo.read(self, database, command, saved, *timeout).await
            }
            Read::Redis { database, command, timeout } => self.redis.read(self, database, command, *timeout).await,
            Read::Variable { name, public } => local::variable(name, *public),
            Read::File(query) => self.file(query).await,
        }
    }

    /// A file of the project, which can be on a slow disk.
    async fn file(&self, query: &FileQuery) -> Result<Value, Failure> {
        let (root, query) = (self.root.clone(), query.clone());
        let read = tokio::task::spawn_blocking(move || local::file(&root, &query)).await;
        read.map_err(|_| Failure::new(Kind::Failed, "reading the file failed"))?
    }

    /// Runs a command, with the tunnels that it was promised.
    async fn command(&self, command: &Command, doubt: Doubt, cx: &Cx<'_>) -> Result<Value, Failure> {
        if command.tunnels.is_empty() {
            return programs::run(command, doubt, cx).await;
        }
        let what = || format!("the tunnels of {}", command.run.argv.first().map_or("", String::as_str));
        let handed = tokio::select! {
            biased;
            () = cx.cancel.wait() => return Err(cancelled()),
            handed = runtime::within(command.run.timeout, what, self.hand(&command.tunnels)) => handed?,
        };
        let mut command = command.clone();
        // What the script says itself stands.
        let own: Vec<_> = handed.variables.iter().filter(|(name, _)| command.env.iter().all(|(own, _)| own != name)).cloned().collect();
        command.env.extend(own);
        programs::run(&command, doubt, cx).await
    }

    /// The wait that is enforced around a read; health checks and connections report their own timeout as an answer.
    fn limit(op: &Read, cx: &Cx<'_>) -> Duration {
        match op {
            Read::Health(_) | Read::Tcp(_) => op.timeout().saturating_add(Duration::from_secs(5)),
            // It ends by itself, and takes its children along.
            Read::Command(command) => command.run.timeout.saturating_add(Duration::from_secs(10)),
            _ => op.timeout().min(cx.patience),
        }
    }
}

impl Observe for Real {
    fn read(&self, op: &Read, cx: &Cx<'_>) -> Result<Answer, Failure> {
        if let Read::Command(command) = op {
            return self.runtime.block_until_done(self.command(command, Doubt::OnlyReads, cx)).map(Answer::live);
        }
        self.runtime.block(cx, Self::limit(op, cx), || what(op), self.perform(op, cx)).map(Answer::live)
    }

    fn read_all(&self, ops: &[Read], cx: &Cx<'_>) -> Vec<Result<Answer, Failure>> {
        let mut answers: Vec<Result<Answer, Failure>> = ops.iter().map(|_| Err(cancelled())).collect();
        let work = async {
            let mut reads = futures::stream::iter(ops.iter().enumerate())
                .map(async |(i, op)| (i, runtime::within(Self::limit(op, cx), || what(op), self.perform(op, cx)).await))
                .buffer_unordered(CONCURRENT);
            while let Some((i, answer)) = reads.next().await {
                answers[i] = answer.map(Answer::live);
            }
            Ok(())
        };
        // What was answered before a cancellation stays; the rest is `cancelled`.
        if let Err(failure) = self.runtime.block(cx, Duration::MAX, String::new, work)
            && failure.kind != Kind::Cancelled
        {
            return ops.iter().map(|_| Err(failure.clone())).collect();
        }
        answers
    }

    fn validate(&self, op: &Write, cx: &Cx<'_>) -> Result<Validation, Failure> {
        if let Write::Command(command) = op {
            // Where the program is not there, the rehearsal finds it.
            return programs::program(command).map(|_| Validation::NotValidated);
        }
        if let Write::Sql(change) = op
            && change.explain
        {
            let statement = &change.statement;
            let asked = self.postgres.plan(self, statement);
            let what = || format!("the validation of a statement on {}", statement.database);
            return self.runtime.block(cx, statement.timeout, what, asked).map(|rows| Validation::Accepted(rows.map(Value::Int)));
        }
        if op.object().is_none() {
            return Ok(Validation::NotValidated);
        }
        let departure = Departure::default();
        let asked = self.kubernetes.change(op, kubernetes::Mode::DryRun, &departure);
        match self.runtime.block(cx, op.timeout(), || format!("the validation of {}", said(op)), asked) {
            Ok(object) => Ok(Validation::Accepted(Some(object))),
            Err(failure) if kubernetes::cannot_dry_run(&failure) => Ok(Validation::NotValidated),
            Err(failure) => Err(failure),
        }
    }

    fn new_secrets(&self) -> Vec<Secret> {
        // One number is compared in the usual case; a source that is opened late is rare.
        let opened = self.sources.count();
        if self.told.swap(opened, Ordering::AcqRel) == opened { Vec::new() } else { self.sources.opened() }
    }

    fn clock(&self) -> &dyn Clock {
        &self.clock
    }

    fn environment(&self) -> &Environment {
        &self.environment
    }
}

impl Platform for Real {
    fn prepare(&self, op: Write, cx: &Cx<'_>) -> Result<Prepared, Failure> {
        let mut prepared = super::prepare::prepare(self, op, cx)?;
        if let Write::Command(command) = &prepared.write {
            // What the name stands for today is on record before it is run.
            let program = programs::program(command)?;
            prepared.after.set(&["program"], program.to_string_lossy().as_ref().into());
        }
        Ok(prepared)
    }

    fn write(&self, op: &Prepared, cx: &Cx<'_>) -> Result<Answer, Failure> {
        let departure = Departure::default();
        let limit = op.write.timeout();
        match &op.write {
            write @ Write::Evict { then_gone, .. } => self.evict(write, then_gone, cx),
            write @ (Write::Patch { .. } | Write::Create { .. } | Write::Delete { .. }) => {
                let sent = self.kubernetes.change(write, kubernetes::Mode::Apply, &departure);
                self.runtime.block_write(cx, limit, || said(write), &departure, sent)
            }
            Write::Http(request) => {
                let sent = async { self.http.change(&*http::credentials::with(self, request).await?, &departure, cx.mask).await };
                self.runtime.block_write(cx, limit, || format!("{} {}", request.method, shown(&request.url)), &departure, sent)
            }
            Write::Exec(exec) => {
                let what = || invocation::of_exec(exec);
                let late = || if departure.has_left() { invocation::left_running(&what(), limit) } else { failures::late(&what(), limit) };
                let ended = async {
                    let ended = tokio::time::timeout(limit, self.kubernetes.exec(exec, cx, Some(&departure))).await;
                    ended.unwrap_or_else(|_| Err(late()))
                };
                self.runtime.block_write(cx, Duration::MAX, what, &departure, ended)
            }
            Write::Command(command) => self.runtime.block_until_done(self.command(command, Doubt::Changes, cx)),
            Write::Sql(change) => {
                let sent = self.postgres.change(self, change, &departure);
                self.runtime.block_write(cx, limit, || format!("the {} on {}", change.verb, change.statement.database), &departure, sent)
            }
            Write::Mongo(change) => {
                let name = change.command.first().map(|(name, _)| name.as_str()).unwrap_or_default();
                let sent = self.mongo.change(self, change, &departure);
                self.runtime.block_write(cx, limit, || format!("the {name} on {}", change.database), &departure, sent)
            }
            Write::Redis(change) => {
                let name = change.command.first().and_then(Value::as_str).unwrap_or_default();
                let sent = self.redis.change(self, change, &departure);
                self.runtime.block_write(cx, limit, || format!("the {name} on {}", change.database), &departure, sent)
            }
            Write::Send(message) => {
                let sent = channels::send(self, message, &departure);
                self.runtime.block_write(cx, limit, || format!("the message to {}", message.channel), &departure, sent)
            }
        }
        .map(Answer::live)
    }
}

impl Real {
    /// Evicts a pod as soon as its disruption budgets let it go, and waits for pods to be gone. An eviction that a budget does
    /// not allow has not happened, so it may be asked for again; one without an answer is not.
    fn evict(&self, write: &Write, then_gone: &[ObjectRef], cx: &Cx<'_>) -> Result<Value, Failure> {
        let limit = write.timeout();
        let begun = self.clock.elapsed();
        let left = || limit.saturating_sub(self.clock.elapsed().saturating_sub(begun));
        loop {
            let departure = Departure::default();
            let sent = self.kubernetes.change(write, kubernetes::Mode::Apply, &departure);
            match self.runtime.block_write(cx, left().max(LEAST), || said(write), &departure, sent) {
                Ok(_) => break,
                Err(failure) if !failures::is_budget(&failure) => return Err(failure),
                Err(failure) if left().is_zero() => return Err(failures::held(failure, limit)),
                Err(failure) => {
                    (cx.progress)(&failure.message);
                    self.clock.sleep(BETWEEN.min(left()), cx.cancel)?;
                }
            }
        }
        // From here on nothing takes the eviction back: who is not gone in time is named in the answer.
        let mut remaining = then_gone.to_vec();
        while !remaining.is_empty() {
            let reads: Vec<Read> = remaining.iter().cloned().map(Read::Object).collect();
            let gone: Vec<bool> = self.read_all(&reads, cx).into_iter().map(|answer| is_gone(&answer)).collect();
            let mut gone = gone.into_iter();
            remaining.retain(|_| !gone.next().unwrap_or(false));
            if remaining.is_empty() || left().is_zero() {
                break;
            }
            (cx.progress)(&format!("{} evicted pods are still there", remaining.len()));
            if self.clock.sleep(BETWEEN.min(left()), cx.cancel).is_err() {
                break;
            }
        }
        Ok(crate::map! { "remaining" => remaining.iter().map(|pod| pod.to_string().into()).collect::<Vec<Value>>() })
    }
}

/// Whether an evicted pod is gone: it does not exist, or another one bears its name.
fn is_gone(answer: &Result<Answer, Failure>) -> bool {
    match answer {
        Ok(pod) => pod.value.at(&["metadata", "deletionTimestamp"]).is_none(),
        Err(failure) => failure.kind == Kind::NotFound,
    }
}

/// A write of an object, for messages.
fn said(write: &Write) -> String {
    let what = match write {
        Write::Create { .. } => "creation",
        Write::Delete { .. } => "deletion",
        Write::Evict { .. } => "eviction",
        _ => "patch",
    };
    format!("the {what} of {}", write.target())
}

/// What a read asks, for the message of a timeout.
fn what(op: &Read) -> String {
    match op {
        Read::Object(object) => object.to_string(),
        Read::Objects(selection) => format!("the list of {}", selection.kind.plural),
        Read::Logs(query) => match query.sources.as_slice() {
            [source] => format!("the log of pod/{}", source.pod),
            sources => format!("the logs of {} pods", sources.len()),
        },
        Read::Exec(exec) => invocation::of_exec(exec),
        Read::Command(command) => invocation::of_command(command),
        Read::PodMetrics(_) => "the pods' metrics".to_owned(),
        Read::NodeMetrics(_) => "the nodes' metrics".to_owned(),
        Read::ClusterInfo => "the cluster".to_owned(),
        Read::Http(request) | Read::Health(request) | Read::Metrics(MetricsQuery { request, .. }) => {
            format!("{} {}", request.method, shown(&request.url))
        }
        Read::Tcp(check) => check.target.clone(),
        Read::Sql(statement) => statement.database.clone(),
        Read::Mongo { database, .. } | Read::Redis { database, .. } => database.clone(),
        Read::Variable { name, .. } => name.clone(),
        Read::File(query) => query.path.clone(),
    }
}

impl std::fmt::Debug for Real {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Real").field("environment", &self.environment.name).finish_non_exhaustive()
    }
}
