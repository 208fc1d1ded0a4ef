//! Worlds as scripts meet them: changes, time, refusals. Here the setting and the verbs of the tests.

mod changes;
mod refusals;
mod systems;
mod workloads;

use std::io::Write as _;
use std::path::PathBuf;

use super::*;
use crate::config::{Channel, ChannelKind, Service};
use crate::model::Kind;
use crate::model::operation::{
    Freshness, Grep, HttpRequest, LogAnswer, LogQuery, LogSource, PatchKind, PatchVerb, Selection, Since, Statement,
};
use crate::platform::Cancel;

const WAIT: Duration = Duration::from_secs(10);

/// The names of the project's own configuration, each with its workload's usual number of replicas.
const SERVICES: [(&str, u32); 20] = [
    ("auth-rbac", 3),
    ("audit-logging", 3),
    ("content-safety", 2),
    ("emergency-access", 2),
    ("api-gateway", 5),
    ("chat-history", 3),
    ("search-service", 3),
    ("billing", 2),
    ("consent", 2),
    ("background-tasks", 2),
    ("relationship-mgmt", 2),
    ("user-subscription", 2),
    ("ai-gateway", 3),
    ("embedding-service", 2),
    ("generation-service", 2),
    ("bge-host", 2),
    ("qwen-host", 2),
    ("notification-service", 1),
    ("ingestion-pipeline", 1),
    ("data-router", 1),
];

fn setting() -> (Arc<Config>, Environment) {
    let service = |(name, replicas): (&str, u32)| {
        let url = Some(format!("http://{name}:8080"));
        let workload = Some(format!("deployment/{name}"));
        (name.to_owned(), Service { workload, url, health: "/health".into(), replicas, ..Service::default() })
    };
    let database = |name: &str, kind, url: &str, workload: &str| {
        let database =
            Database { url: url.into(), kind, password: None, reader: None, workload: Some(workload.into()), replicas: 3, ca: None };
        (name.to_owned(), database)
    };
    let environment = Environment {
        name: "prod".into(),
        namespace: "platform".into(),
        cluster_uid: Some("6f1c0000-0000-4000-8000-000000000001".into()),
        allow: vec!["https://status.example.com/".into()],
        databases: BTreeMap::from([
            database("postgres", DatabaseKind::Postgres, "postgres://ops@postgres:5432/ai", "statefulset/postgres"),
            database("mongodb", DatabaseKind::Mongo, "mongodb://ops@mongodb:27017/ai", "deployment/mongodb"),
            database("redis", DatabaseKind::Redis, "redis://redis:6379/0", "deployment/redis"),
            database("scylladb", DatabaseKind::Other, "scylla://scylladb:9042", "statefulset/scylladb"),
        ]),
        channels: BTreeMap::from([("incidents".into(), Channel { kind: ChannelKind::Slack, webhook: None, url: None, signing: None })]),
        ..Environment::default()
    };
    let services = SERVICES.into_iter().map(service).collect();
    (Arc::new(Config { services, ..Config::default() }), environment)
}

fn start() -> Timestamp {
    "2026-01-01T03:00:00Z".parse().unwrap()
}

fn try_load(yaml: &str) -> Result<World, Failure> {
    let mut file = tempfile::Builder::new().prefix("world-").suffix(".yaml").tempfile().unwrap();
    file.write_all(yaml.as_bytes()).unwrap();
    let (config, environment) = setting();
    World::load(file.path(), config, environment, start())
}

fn healthy() -> World {
    let (config, environment) = setting();
    World::healthy(config, environment, start()).unwrap()
}

fn example(name: &str) -> World {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "examples", "worlds", name].iter().collect();
    let (config, environment) = setting();
    World::load(&path, config, environment, start()).unwrap()
}

fn object(target: &str) -> ObjectRef {
    let (kind, name) = target.split_once('/').unwrap();
    ObjectRef::new(ResourceKind::named(kind).unwrap(), "platform", name)
}

fn with_cx<T>(then: impl FnOnce(&Cx<'_>) -> T) -> T {
    then(&Cx::quiet(&Cancel::default()))
}

impl World {
    fn ask(&self, op: &Read) -> Result<Value, Failure> {
        with_cx(|cx| self.read(op, cx)).map(|answer| answer.value)
    }

    fn get(&self, target: &str) -> Value {
        self.ask(&Read::Object(object(target))).unwrap()
    }

    fn patch_with(&self, target: &str, subresource: Option<&'static str>, patch: Value) -> Result<Value, Failure> {
        let write =
            Write::Patch { object: object(target), subresource, patch, kind: PatchKind::Merge, verb: PatchVerb::Patch, timeout: WAIT };
        let target = write.target();
        let prepared = Prepared {
            write,
            target,
            before: Value::Null,
            after: Value::Null,
            inverse: None,
            probe: None,
            equivalent: String::new(),
            refusal: None,
            validated: None,
            remarks: Vec::new(),
            provenance: Default::default(),
        };
        with_cx(|cx| self.write(&prepared, cx)).map(|answer| answer.value)
    }

    /// Prepares a write and does it.
    fn change(&self, write: Write) -> Result<Value, Failure> {
        with_cx(|cx| self.prepare(write, cx).and_then(|prepared| self.write(&prepared, cx))).map(|answer| answer.value)
    }

    fn delete(&self, target: &str) -> Result<Value, Failure> {
        self.change(Write::Delete { object: object(target), uid: None, grace: None, controlled: false, timeout: WAIT })
    }

    fn evict_within(&self, pod: &str, timeout: Duration) -> Result<Value, Failure> {
        let object = object(&format!("pod/{pod}"));
        self.change(Write::Evict { object, uid: None, grace: None, controlled: false, then_gone: Vec::new(), timeout })
    }

    fn patch(&self, target: &str, json: &str) -> Result<Value, Failure> {
        self.patch_with(target, None, serde_json::from_str(json).unwrap())
    }

    fn scale(&self, target: &str, replicas: i64) -> Value {
        self.patch_with(target, Some("scale"), map! { "spec" => map! { "replicas" => replicas } }).unwrap()
    }

    fn sleep(&self, seconds: u64) {
        self.clock().sleep(Duration::from_secs(seconds), &Cancel::default()).unwrap();
    }

    fn select(&self, kind: &str, selector: &str) -> Vec<Value> {
        let selection = Selection {
            kind: ResourceKind::named(kind).unwrap(),
            namespace: Some("platform".into()),
            selector: Some(selector.into()),
            fields: Vec::new(),
            freshness: Freshness::Now,
            timeout: WAIT,
        };
        self.ask(&Read::Objects(selection)).unwrap().as_list().unwrap().to_vec()
    }

    /// `name phase ready` of the pods of an app.
    fn pods(&self, app: &str) -> Vec<String> {
        let pods = self.select("pod", &format!("app={app}"));
        let shown = |pod: &Value| {
            let conditions = pod.at(&["status", "conditions"]).and_then(Value::as_list).unwrap();
            let ready = conditions.iter().find(|one| one.str_at(&["type"]) == Some("Ready")).and_then(|one| one.str_at(&["status"]));
            let (name, phase) = (pod.str_at(&["metadata", "name"]).unwrap(), pod.str_at(&["status", "phase"]).unwrap());
            format!("{name} {phase} {}", ready.unwrap())
        };
        pods.iter().map(shown).collect()
    }

    /// `replicas/updated/ready` of a workload's status.
    fn status(&self, target: &str) -> String {
        let object = self.get(target);
        let count = |key| object.int_at(&["status", key]).unwrap_or(0);
        format!("{}/{}/{}", count("replicas"), count("updatedReplicas"), count("readyReplicas"))
    }

    fn health(&self, service: &str) -> Value {
        self.ask(&Read::Health(request(service, &format!("http://{service}:8080/health")))).unwrap()
    }
}

fn request(service: &str, url: &str) -> HttpRequest {
    let service = (!service.is_empty()).then(|| service.to_owned());
    HttpRequest {
        service,
        method: "GET",
        url: url.into(),
        headers: Vec::new(),
        body: None,
        ok_status: None,
        seal: Vec::new(),
        save: None,
        timeout: WAIT,
    }
}

fn restart(at: &str) -> String {
    format!(r#"{{"spec":{{"template":{{"metadata":{{"annotations":{{"kubectl.kubernetes.io/restartedAt":"{at}"}}}}}}}}}}"#)
}
