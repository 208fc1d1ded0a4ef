//! The real systems that `tests/run` starts: their addresses, kubectl, and projects whose environment they are.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::Project;
use super::standin::{Hook, Proxy, Slot};

/// A variable that `tests/services/up` sets.
#[track_caller]
pub fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: this test needs the real systems, run tests/run"))
}

/// What kubectl answers as the tests' own user.
#[track_caller]
pub fn kubectl(args: &[&str]) -> String {
    let output = Command::new(variable("RUNBOOK_TEST_KUBECTL"))
        .args(["--kubeconfig", &variable("RUNBOOK_TEST_KUBECONFIG"), "--context", "test"])
        .args(args)
        .output()
        .unwrap();
    assert!(output.status.success(), "{args:?}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A namespace of this run of the tests alone, so that they can run again on the same systems.
pub fn namespace(name: &str) -> String {
    format!("{name}-{}", std::process::id())
}

/// The generation and the replicas of the deployment `api` in a test's namespace: the same text means that nobody changed it.
#[track_caller]
pub fn state_of_api(name: &str) -> String {
    kubectl(&["-n", &namespace(name), "get", "deployment", "api", "-o", "jsonpath={.metadata.generation} {.spec.replicas}"])
}

/// Keeps the pods of other tests off a node of one's own.
pub const NO_PODS: &str = "spec: { taints: [ { key: own, value: x, effect: NoSchedule } ] }\n";

/// The environment `test` of a `runbook.toml`, on the real systems. Nothing is made before [`Real::project`].
pub struct Real {
    namespace: String,
    context: String,
    lines: String,
    tables: String,
    kubeconfig: String,
}

impl Real {
    /// The environment in the [`namespace`] of that name, unprotected, with the context `test`.
    pub fn new(name: &str) -> Self {
        Self {
            namespace: namespace(name),
            context: "test".to_owned(),
            lines: String::new(),
            tables: String::new(),
            kubeconfig: fs::read_to_string(variable("RUNBOOK_TEST_KUBECONFIG")).unwrap(),
        }
    }

    /// The environment in a namespace of exactly that name, for a cluster of the test's own.
    pub fn in_namespace(namespace: &str) -> Self {
        Self { namespace: namespace.to_owned(), ..Self::new("default") }
    }

    /// Another context of the kubeconfig.
    pub fn context(mut self, context: &str) -> Self {
        self.context = context.to_owned();
        self
    }

    /// A further line of the environment's own table.
    pub fn line(mut self, line: &str) -> Self {
        self.lines.push_str(line);
        self.lines.push('\n');
        self
    }

    /// A table below the environment's, such as `databases.postgres`.
    pub fn table(mut self, name: &str, lines: &str) -> Self {
        self.tables.push_str(&format!("[environments.test.{name}]\n{lines}\n"));
        self
    }

    /// A service at an address of the stand-in; its workload is the deployment of its name.
    pub fn service(self, name: &str, address: &str) -> Self {
        self.service_with(name, address, "")
    }

    /// Such a service with more lines in its table.
    pub fn service_with(mut self, name: &str, address: &str, lines: &str) -> Self {
        self.tables.push_str(&format!("[services.{name}]\nworkload = \"deployment/{name}\"\nurl = \"http://{address}\"\n{lines}\n"));
        self
    }

    /// PostgreSQL at an address, as the database `postgres`; its password is the variable `OPS_PASSWORD`.
    pub fn postgres(self, address: &str) -> Self {
        let url = format!("url = \"postgres://ops@{address}/therapeutic_ai\"\npassword = {{ env = \"OPS_PASSWORD\" }}");
        self.table("databases.postgres", &url)
    }

    /// Redis at an address, as the database `redis`; its password is the variable `REDIS_PASSWORD`.
    pub fn redis(self, address: &str) -> Self {
        self.table("databases.redis", &format!("url = \"redis://{address}\"\npassword = {{ env = \"REDIS_PASSWORD\" }}"))
    }

    /// MongoDB's stand-in at an address, as the database `mongodb`.
    pub fn mongo(self, address: &str) -> Self {
        self.table("databases.mongodb", &format!("url = \"mongodb://{address}/test\""))
    }

    /// The stand-in's receiver of webhooks, as the channel `hook`.
    pub fn hook(self, hook: &Hook) -> Self {
        self.table("channels.hook", &format!("kind = \"webhook\"\nurl = \"{}\"\nsigning = {{ env = \"OPS_PASSWORD\" }}", hook.url))
    }

    /// Reaches the API server through a proxy.
    pub fn through(mut self, proxy: &Proxy) -> Self {
        self.kubeconfig = self.kubeconfig.replace(&api_server(), &proxy.address);
        self
    }

    /// Writes another kubeconfig.
    pub fn kubeconfig(mut self, text: &str) -> Self {
        self.kubeconfig = text.to_owned();
        self
    }

    /// Has the stand-in play the API server.
    pub fn played_by(self, slot: &Slot) -> Self {
        self.kubeconfig(&format!(
            "apiVersion: v1\nkind: Config\nclusters: [{{name: c, cluster: {{server: \"http://{}\"}}}}]\n\
             users: [{{name: u, user: {{token: t}}}}]\ncontexts: [{{name: test, context: {{cluster: c, user: u}}}}]\n",
            slot.address
        ))
    }

    /// The project, trusted.
    #[track_caller]
    pub fn project(self) -> Project {
        let project = self.untrusted();
        project.run(["trust", "--yes"]).status(0);
        project
    }

    /// The project, not trusted yet.
    pub fn untrusted(self) -> Project {
        let head = format!("[environments.test]\ncontext = \"{}\"\nnamespace = \"{}\"\n", self.context, self.namespace);
        let protected = if self.lines.contains("protected") { "" } else { "protected = false\n" };
        let project = Project::bare().config(&format!("{head}{protected}{}{}", self.lines, self.tables));
        let kubeconfig = project.outside().join("kubeconfig");
        fs::write(&kubeconfig, self.kubeconfig).unwrap();
        project
            .env("KUBECONFIG", kubeconfig.to_str().unwrap())
            .env("OPS_PASSWORD", &variable("RUNBOOK_TEST_POSTGRES_OPS_PASSWORD"))
            .env("REDIS_PASSWORD", &variable("RUNBOOK_TEST_REDIS_PASSWORD"))
    }

    /// The project, trusted, and in its new namespace the deployment `api` of one replica.
    #[track_caller]
    pub fn deployed(self) -> Project {
        let namespace = self.namespace.clone();
        let manifest = format!(
            "apiVersion: v1\nkind: Namespace\nmetadata: {{ name: {namespace} }}\n---\napiVersion: apps/v1\nkind: Deployment\n\
             metadata: {{ name: api, namespace: {namespace}, labels: {{ app: api }} }}\nspec:\n  replicas: 1\n  \
             selector: {{ matchLabels: {{ app: api }} }}\n  template:\n    metadata: {{ labels: {{ app: api }} }}\n    \
             spec: {{ containers: [ {{ name: api, image: \"registry.example/api:1\" }} ] }}\n"
        );
        let project = self.project();
        project.apply(&manifest);
        project
    }
}

impl Project {
    /// Gives a manifest to the API server.
    #[track_caller]
    pub fn apply(&self, manifest: &str) {
        let path = self.outside().join("manifest.yaml");
        fs::write(&path, manifest).unwrap();
        kubectl(&["apply", "-f", path.to_str().unwrap()]);
    }

    /// Writes a script and runs it on the real systems.
    #[track_caller]
    pub fn really(&self, script: &str) -> super::Ran {
        self.clone().script("x.rhai", script).run(["run", "x.rhai"])
    }

    /// Writes a script and rehearses it on the real systems.
    #[track_caller]
    pub fn rehearsed_really(&self, script: &str) -> super::Ran {
        self.clone().script("x.rhai", script).run(["run", "x.rhai", "--dry-run"])
    }
}

/// The API server's address, as the kubeconfig has it.
pub fn api_server() -> String {
    let text = fs::read_to_string(variable("RUNBOOK_TEST_KUBECONFIG")).unwrap();
    let (_, rest) = text.split_once("name: test, cluster: {server: \"https://").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

/// What runbook has asked to be changed in a test's namespace, as the API server has recorded it: `patch URI`.
pub fn changes_in(name: &str) -> Vec<String> {
    let namespace = namespace(name);
    let text = fs::read_to_string(Path::new(&variable("RUNBOOK_TEST_AUDIT_LOG"))).unwrap();
    let events = text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let own = events.filter(|event| {
        event["objectRef"]["namespace"] == namespace.as_str()
            && event["stage"] == "ResponseComplete"
            && event["userAgent"].as_str().is_some_and(|agent| agent.starts_with("runbook/"))
            && matches!(event["verb"].as_str(), Some("create" | "update" | "patch" | "delete" | "deletecollection"))
    });
    own.map(|event| format!("{} {}", event["verb"].as_str().unwrap(), event["requestURI"].as_str().unwrap())).collect()
}
