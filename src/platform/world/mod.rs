//! A simulated platform: objects, pods, services, databases and channels in a file, on a clock that costs no waiting.
//!
//! The same file gives the same answers, always. What is read is a function of the changes made and of the clock, so
//! that a clock that is set back, as the branches of a `parallel` do, shows what was then.

mod build;
mod changes;
mod check;
mod cluster;
mod entity;
mod events;
pub mod file;
mod http;
mod life;
mod logs;
mod mongo;
mod names;
mod programs;
mod redis;
mod render;
mod revisions;
mod source;
mod sql;
mod taints;
mod tcp;
mod tunnels;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use self::cluster::{Cluster, Mode};
use self::http::{Reply, Sites, millis};
use self::programs::Played;
use self::source::Source;
use super::clock::{VirtualClock, cancelled};
use super::{Clock, Cx, Observe, Platform, Validation, failures, invocation, local, rows};
use crate::config::{Config, Database, DatabaseKind, Environment};
use crate::map;
use crate::model::operation::{Command, Exec, HttpRequest, Message, MongoChange, RedisChange, SqlChange, Statement};
use crate::model::{Answer, Failure, Kind, ObjectRef, Prepared, Read, ResourceKind, Value, Write};

use file::TunnelFile;
pub use file::WorldFile;

/// The version of Kubernetes that a world says it is.
const VERSION: &str = "v1.36.0";
/// The pause before a disruption budget is asked again.
const BETWEEN: Duration = Duration::from_secs(1);
/// How long a channel takes to answer.
const SENDING: Duration = Duration::from_millis(20);

/// A simulated platform.
pub struct World {
    file: WorldFile,
    source: Source,
    environment: Environment,
    /// The project's root: what a script reads of it is the same everywhere.
    root: PathBuf,
    clock: VirtualClock,
    sites: Sites,
    sql: BTreeMap<String, sql::Answers>,
    programs: programs::Programs,
    state: Mutex<State>,
}

struct State {
    cluster: Cluster,
    sent: Vec<Message>,
    /// What databases hold, by name. A change holds from then on, whatever the clock says.
    redis: BTreeMap<String, redis::Store>,
    mongo: BTreeMap<String, mongo::Store>,
    sql: BTreeMap<String, sql::Marks>,
}

impl World {
    /// The platform that the configuration describes, everything well. `start` is when it begins.
    pub fn healthy(config: Arc<Config>, environment: Environment, start: Timestamp) -> Result<World, Failure> {
        Self::build(Source::none(), WorldFile::default(), &config, environment, start)
    }

    /// The platform that a world file describes. The file's `start` comes before the one given.
    /// Errors are `not_found` without the file, else `bad_argument` with `file:line:column`.
    pub fn load(path: &Path, config: Arc<Config>, environment: Environment, start: Timestamp) -> Result<World, Failure> {
        let source = Source::open(path)?;
        let file = source.parse()?;
        Self::build(source, file, &config, environment, start)
    }

    fn build(source: Source, file: WorldFile, config: &Config, environment: Environment, start: Timestamp) -> Result<World, Failure> {
        build::check_names(&source, &file, config, &environment)?;
        let start = file.start.unwrap_or(start);
        let cluster = build::cluster(&source, &file, config, &environment, start)?;
        let programs = programs::Programs::new(&source, &file, &cluster, build::namespace(&environment))?;
        let sites = Sites::new(&file, config, &environment);
        let mut sql = BTreeMap::new();
        for (name, written) in &file.databases {
            sql.insert(name.clone(), sql::Answers::new(&source, name, written)?);
        }
        let redis = file.databases.iter().map(|(name, written)| (name.clone(), redis::Store::new(written))).collect();
        let mongo = file.databases.iter().map(|(name, written)| (name.clone(), mongo::Store::new(written))).collect();
        let state = Mutex::new(State { cluster, sent: Vec::new(), redis, mongo, sql: BTreeMap::new() });
        Ok(World { file, source, environment, root: config.root.clone(), clock: VirtualClock::new(start), sites, sql, programs, state })
    }

    /// The world's description, as it was read; tests apply the same to real systems.
    pub fn file(&self) -> &WorldFile {
        &self.file
    }

    /// The messages that were sent, in their order.
    pub fn sent(&self) -> Vec<Message> {
        self.lock().sent.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves the state whole: it is changed by single assignments only.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Microseconds since the world began.
    fn at(&self) -> i64 {
        i64::try_from(self.clock.elapsed().as_micros()).unwrap_or(i64::MAX / 4)
    }

    /// A read's answer, and the time that it takes.
    fn look(&self, op: &Read, cx: &Cx<'_>) -> (Result<Value, Failure>, Duration) {
        let at = self.at();
        let quick = |answer| (answer, Duration::ZERO);
        match op {
            Read::Object(object) => quick(self.lock().cluster.get(object, at)),
            Read::Objects(selection) => quick(self.lock().cluster.list(selection, at).map(Value::List)),
            Read::Logs(query) => quick(logs::answer(&mut self.lock().cluster, query, at, cx.mask)),
            Read::PodMetrics(selection) => quick(logs::metrics(&mut self.lock().cluster, selection, at).map(Value::List)),
            Read::NodeMetrics(selection) => quick(logs::node_metrics(&mut self.lock().cluster, selection, at).map(Value::List)),
            Read::ClusterInfo => quick(self.cluster_info(at)),
            Read::Exec(exec) => self.looked(self.exec(exec, at), op, cx),
            Read::Command(command) => self.looked(self.program(command), op, cx),
            Read::Http(request) => self.request(request, at, |reply| reply.into_answer(request, cx)),
            Read::Health(request) => self.request(request, at, |reply| Ok(reply.into_health(request))),
            Read::Metrics(query) => self.request(&query.request, at, |reply| reply.into_metrics(query, cx)),
            Read::Tcp(check) => tcp::check(&self.environment, check, |workload| {
                build::workload_ref(workload, build::namespace(&self.environment))
                    .is_ok_and(|workload| self.lock().cluster.ready_pods(&workload, at) > 0)
            }),
            Read::Sql(statement) => quick(self.sql(statement, sql::For::Reading, at)),
            Read::Mongo { database, command, .. } => quick(self.database(database, DatabaseKind::Mongo, at).and_then(|known| {
                let name = Address::of(&known.url).name;
                let mut state = self.lock();
                mongo::answer(state.mongo.entry(database.clone()).or_default(), database, name, command, &self.source.name)
            })),
            Read::Redis { database, command, .. } => quick(self.database(database, DatabaseKind::Redis, at).and_then(|_| {
                let (mut state, now) = (self.lock(), self.clock.now().as_millisecond());
                redis::answer(state.redis.entry(database.clone()).or_default(), database, command, now, &self.source.name)
            })),
            Read::Variable { name, public } => quick(match self.file.environment.get(name) {
                Some(text) => Ok(local::opened(name, text.clone(), *public)),
                None => Err(local::unset(name).hint(format!("add {name} to `environment` in {}, or give a `default`", self.source.name))),
            }),
            Read::File(query) => quick(local::file(&self.root, query)),
        }
    }

    /// A statement's answer, and the marks that it sets where it changes something.
    fn sql(&self, statement: &Statement, purpose: sql::For, at: i64) -> Result<Value, Failure> {
        let known = self.database(&statement.database, DatabaseKind::Postgres, at)?;
        let none = sql::Answers::default();
        let answers = self.sql.get(&statement.database).unwrap_or(&none);
        let mut state = self.lock();
        let marks = state.sql.entry(statement.database.clone()).or_default();
        let (answer, then) = answers.answer(statement, marks, purpose, &Address::of(&known.url), &self.source.name)?;
        if purpose == sql::For::Changing {
            sql::mark(marks, then);
        }
        Ok(answer)
    }

    /// Performs a statement; of a secret no rows are answered.
    fn change_rows(&self, change: &SqlChange) -> Result<Value, Failure> {
        // Looked at first: a statement that is refused sets no marks.
        let seen = self.sql(&change.statement, sql::For::Reading, self.at());
        if seen.is_ok_and(|answer| answer.get("columns").and_then(Value::as_list).is_some_and(|columns| !columns.is_empty())) {
            failures::no_rows_of_secrets(&change.statement)?;
        }
        self.sql(&change.statement, sql::For::Changing, self.at()).map_err(|failure| match failure.kind {
            Kind::TooLarge => failures::rolled_back(failure),
            _ => failure,
        })
    }

    fn change_documents(&self, change: &MongoChange) -> Result<Value, Failure> {
        let known = self.database(&change.database, DatabaseKind::Mongo, self.at())?;
        let name = Address::of(&known.url).name;
        let mut state = self.lock();
        mongo::change::perform(
            state.mongo.entry(change.database.clone()).or_default(),
            &change.database,
            name,
            &change.command,
            &self.source.name,
        )
    }

    fn change_keys(&self, change: &RedisChange) -> Result<Value, Failure> {
        self.database(&change.database, DatabaseKind::Redis, self.at())?;
        let (mut state, now) = (self.lock(), self.clock.now().as_millisecond());
        redis::change::perform(
            state.redis.entry(change.database.clone()).or_default(),
            &change.database,
            &change.command,
            now,
            &self.source.name,
        )
    }

    fn request(
        &self,
        request: &HttpRequest,
        at: i64,
        shape: impl FnOnce(Reply) -> Result<Value, Failure>,
    ) -> (Result<Value, Failure>, Duration) {
        match self.sites.ask(request, &self.lock().cluster, at, &self.source.name) {
            Ok(reply) => {
                let latency = reply.latency;
                (shape(reply), latency)
            }
            Err(failure) => (Err(failure), Duration::ZERO),
        }
    }

    /// What a command in a container does.
    /// What becomes of a change of a database: where its tunnel breaks, nobody knows.
    fn through(&self, database: &str, result: Result<Value, Failure>) -> Result<Value, Failure> {
        match self.file.tunnels.get(database) {
            Some(TunnelFile::Broken) => result.map_err(|failure| failures::in_doubt(failure.message).on(database)),
            _ => result,
        }
    }

    /// What a command on this machine does; its tunnels are opened before it, and fail as they would.
    fn program<'a>(&'a self, command: &'a Command) -> Result<Played<'a>, Failure> {
        for name in &command.tunnels {
            if let Some(TunnelFile::Forbidden) = self.file.tunnels.get(name) {
                return Err(tunnels::forbidden(name, build::namespace(&self.environment)).on(name.as_str()));
            }
        }
        self.programs.command(command, &self.source.name)
    }

    fn exec<'a>(&'a self, exec: &'a Exec, at: i64) -> Result<Played<'a>, Failure> {
        let workload = {
            let cluster = &mut self.lock().cluster;
            cluster.get(&ObjectRef::new(ResourceKind::named("pod")?, &exec.namespace, &exec.pod), at)?;
            cluster.workload_of(&exec.namespace, &exec.pod, at)
        };
        self.programs.exec(exec, workload.as_deref(), &self.source.name)
    }

    /// The answer of a program that is known to change nothing, and the time that it takes.
    fn looked(&self, played: Result<Played<'_>, Failure>, op: &Read, cx: &Cx<'_>) -> (Result<Value, Failure>, Duration) {
        match played {
            Ok(played) if played.latency > op.timeout() => (Err(failures::late(&played.what, op.timeout())), op.timeout()),
            Ok(played) => {
                let latency = played.latency;
                (played.ended(cx.mask), latency)
            }
            Err(failure) => (Err(failure), Duration::ZERO),
        }
    }

    /// Lets a program act, and answers what it answers; `lost` is the failure of one that takes too long.
    fn act(&self, played: Played<'_>, limit: Duration, lost: fn(&str, Duration) -> Failure, cx: &Cx<'_>) -> Result<Value, Failure> {
        let late = played.latency > limit;
        self.clock.sleep(played.latency.min(limit), cx.cancel)?;
        if late {
            return Err(lost(&played.what, limit));
        }
        let at = self.at();
        played.act(&mut self.lock().cluster, at)?;
        played.ended(cx.mask)
    }

    fn cluster_info(&self, at: i64) -> Result<Value, Failure> {
        let system = ObjectRef::new(ResourceKind::named("namespace")?, "", "kube-system");
        let system = self.lock().cluster.get(&system, at)?;
        let uid = system.str_at(&["metadata", "uid"]).unwrap_or_default();
        Ok(map! { "version" => VERSION, "server" => format!("world: {}", self.source.name), "uid" => uid })
    }

    /// The database, if it is known, of that kind, and has a pod that is Ready.
    fn database(&self, name: &str, kind: DatabaseKind, at: i64) -> Result<&Database, Failure> {
        let databases = &self.environment.databases;
        let Some(database) = databases.get(name) else {
            return Err(Failure::unknown("database", name, databases.keys().map(String::as_str)));
        };
        if database.kind != kind {
            let shown = |kind: DatabaseKind| format!("{kind:?}").to_lowercase();
            return Err(Failure::bad_argument(format!("{name:?} is {}, not {}", shown(database.kind), shown(kind))).on(name));
        }
        if let Some(tunnel) = self.file.tunnels.get(name) {
            return Err(tunnels::database(*tunnel, name, Address::of(&database.url).place, build::namespace(&self.environment)));
        }
        let workload = database.workload.as_deref().and_then(|text| build::workload_ref(text, build::namespace(&self.environment)).ok());
        if workload.is_some_and(|workload| self.lock().cluster.ready_pods(&workload, at) == 0) {
            return Err(failures::unreachable(name, Address::of(&database.url).place, "connection refused"));
        }
        Ok(database)
    }

    /// Evicts a pod as soon as its disruption budgets let it go. It is gone at once.
    fn evict(&self, write: &Write, timeout: Duration, cx: &Cx<'_>) -> Result<Value, Failure> {
        let begun = self.clock.elapsed();
        loop {
            let waited = self.clock.elapsed().saturating_sub(begun);
            match self.lock().cluster.change(write, self.at(), Mode::Do) {
                Ok(_) => return Ok(map! { "remaining" => Vec::new() }),
                Err(failure) if !failures::is_budget(&failure) => return Err(failure),
                Err(failure) if waited >= timeout => return Err(failures::held(failure, timeout)),
                Err(_) => {}
            }
            self.clock.sleep(BETWEEN.min(timeout - waited), cx.cancel)?;
        }
    }

    fn channel(&self, message: &Message) -> Result<(), Failure> {
        let channels = &self.environment.channels;
        if channels.contains_key(&message.channel) {
            return Ok(());
        }
        Err(Failure::unknown("channel", &message.channel, channels.keys().map(String::as_str)))
    }

    fn send(&self, message: &Message, cx: &Cx<'_>) -> Result<Value, Failure> {
        self.channel(message)?;
        let written = self.file.channels.get(&message.channel).cloned().unwrap_or_default();
        let latency = written.latency.map_or(SENDING, |span| span.0);
        let name = message.channel.as_str();
        if latency > message.timeout {
            self.clock.sleep(message.timeout, cx.cancel)?;
            return Err(failures::unanswered(&format!("the message to {name}"), message.timeout).on(name));
        }
        self.clock.sleep(latency, cx.cancel)?;
        if !(200..300).contains(&written.status) {
            return Err(failures::not_taken(name, written.status, "", None));
        }
        self.lock().sent.push(message.clone());
        Ok(map! { "status" => i32::from(written.status), "latency_ms" => millis(latency) })
    }
}

/// The parts of a database's URL.
struct Address<'a> {
    user: &'a str,
    /// Host and port.
    place: &'a str,
    /// The database's own name.
    name: &'a str,
}

impl<'a> Address<'a> {
    fn of(url: &'a str) -> Self {
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let rest = rest.split_once('?').map_or(rest, |(rest, _)| rest);
        let (authority, name) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, place) = authority.rsplit_once('@').unwrap_or(("", authority));
        Self { user, place, name: if name.is_empty() { "test" } else { name } }
    }
}

impl Observe for World {
    fn read(&self, op: &Read, cx: &Cx<'_>) -> Result<Answer, Failure> {
        if cx.cancel.is_set() {
            return Err(cancelled());
        }
        let (answer, latency) = self.look(op, cx);
        if !latency.is_zero() {
            self.clock.sleep(latency, cx.cancel)?;
        }
        answer.and_then(|answer| rows::kept(op, answer, cx)).map(Answer::live)
    }

    /// All reads see the world at the same time, and take as long as the slowest.
    fn read_all(&self, ops: &[Read], cx: &Cx<'_>) -> Vec<Result<Answer, Failure>> {
        if cx.cancel.is_set() {
            return ops.iter().map(|_| Err(cancelled())).collect();
        }
        let (answers, latencies): (Vec<_>, Vec<Duration>) = ops.iter().map(|op| self.look(op, cx)).unzip();
        let slowest = latencies.into_iter().max().unwrap_or_default();
        if !slowest.is_zero()
            && let Err(stopped) = self.clock.sleep(slowest, cx.cancel)
        {
            return ops.iter().map(|_| Err(stopped.clone())).collect();
        }
        let kept = |(op, answer): (&Read, Result<Value, Failure>)| answer.and_then(|answer| rows::kept(op, answer, cx)).map(Answer::live);
        ops.iter().zip(answers).map(kept).collect()
    }

    fn validate(&self, op: &Write, cx: &Cx<'_>) -> Result<Validation, Failure> {
        if cx.cancel.is_set() {
            return Err(cancelled());
        }
        match op {
            Write::Patch { .. } => self.lock().cluster.change(op, self.at(), Mode::Try).map(|object| Validation::Accepted(Some(object))),
            Write::Create { .. } | Write::Delete { .. } | Write::Evict { .. } => {
                self.lock().cluster.change(op, self.at(), Mode::Try).map(|_| Validation::Accepted(None))
            }
            Write::Sql(change) if change.explain => {
                let answer = self.sql(&change.statement, sql::For::Planning, self.at());
                answer.map(|answer| Validation::Accepted(answer.get("rows_affected").cloned()))
            }
            Write::Http(_) | Write::Exec(_) | Write::Command(_) | Write::Sql(_) | Write::Mongo(_) | Write::Redis(_) => {
                Ok(Validation::NotValidated)
            }
            Write::Send(message) => self.channel(message).map(|()| Validation::NotValidated),
        }
    }

    fn clock(&self) -> &dyn Clock {
        &self.clock
    }

    fn environment(&self) -> &Environment {
        &self.environment
    }
}

impl Platform for World {
    fn prepare(&self, op: Write, cx: &Cx<'_>) -> Result<Prepared, Failure> {
        super::prepare::prepare(self, op, cx)
    }

    fn write(&self, op: &Prepared, cx: &Cx<'_>) -> Result<Answer, Failure> {
        if cx.cancel.is_set() {
            return Err(cancelled());
        }
        match &op.write {
            Write::Patch { .. } | Write::Create { .. } | Write::Delete { .. } => {
                self.lock().cluster.change(&op.write, self.at(), Mode::Do).map(Answer::live)
            }
            Write::Evict { timeout, .. } => self.evict(&op.write, *timeout, cx).map(Answer::live),
            Write::Http(request) => {
                let (answer, latency) = self.request(request, self.at(), |reply| reply.into_change(request, cx));
                self.clock.sleep(latency, cx.cancel)?;
                answer.map(Answer::live)
            }
            Write::Exec(exec) => {
                let played = self.exec(exec, self.at())?;
                self.act(played, exec.run.timeout, invocation::left_running, cx).map(Answer::live)
            }
            Write::Command(command) => {
                let played = self.program(command)?;
                self.act(played, command.run.timeout, invocation::stopped, cx).map(Answer::live)
            }
            Write::Sql(change) => self.through(&change.statement.database, self.change_rows(change)).map(Answer::live),
            Write::Mongo(change) => self.through(&change.database, self.change_documents(change)).map(Answer::live),
            Write::Redis(change) => self.through(&change.database, self.change_keys(change)).map(Answer::live),
            Write::Send(message) => self.send(message, cx).map(Answer::live),
        }
    }
}
