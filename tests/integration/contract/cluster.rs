//! A world's nodes, workloads and objects, in a namespace of the real control plane whose kubelets kwok plays.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use runbook::platform::world::WorldFile;
use runbook::platform::world::file::{LogLine, NodeFile, Quantity, WorkloadFile};
use serde_json::{Value, json};

use super::fixture::Platform;
use crate::services::{kubectl, variable};

/// The nodes that the tests' cluster has from its start.
const NODES: [&str; 4] = ["node-1", "node-2", "node-3", "gpu-1"];
/// The workloads have come to rest after this long, or something is wrong.
const REST: Duration = Duration::from_secs(40);

/// What is to run in the namespace.
pub(super) struct Cluster {
    namespace: String,
    workloads: Vec<Workload>,
    /// All that is created, namespaces first.
    manifests: Vec<Value>,
}

struct Workload {
    /// `deployment` or `statefulset`.
    kind: String,
    name: String,
    replicas: u32,
    crash: bool,
    logs: Vec<LogLine>,
}

/// Creates objects, each of which says its namespace.
fn create(manifests: &[Value]) {
    if manifests.is_empty() {
        return;
    }
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": manifests });
    let mut kubectl = Command::new(variable("RUNBOOK_TEST_KUBECTL"))
        .args(["--kubeconfig", &variable("RUNBOOK_TEST_KUBECONFIG"), "--context", "test", "create", "-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    kubectl.stdin.take().unwrap().write_all(list.to_string().as_bytes()).unwrap();
    let output = kubectl.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

impl Cluster {
    pub(super) fn new(platform: &Platform, world: &WorldFile) -> Self {
        let namespace = platform.namespace();
        let mut cluster = Self { namespace: namespace.clone(), workloads: Vec::new(), manifests: Vec::new() };
        let mut namespaces = vec![namespace.as_str()];
        namespaces.extend(world.objects.iter().filter_map(|object| object.str_at(&["metadata", "namespace"])));
        namespaces.sort_unstable();
        namespaces.dedup();
        for name in namespaces {
            cluster.manifests.push(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } }));
        }
        let nodes = world.nodes.iter().flatten().filter(|(name, _)| !NODES.contains(&name.as_str()));
        cluster.manifests.extend(nodes.map(|(name, node)| node_manifest(name, node)));
        let everywhere = world.workloads.get("*");
        let mut wanted: BTreeMap<String, u32> = BTreeMap::new();
        for named in platform.services().values().chain(platform.of_environment("databases").values()) {
            let Some(workload) = named.get("workload").and_then(toml::Value::as_str) else { continue };
            let replicas = named.get("replicas").and_then(toml::Value::as_integer).unwrap_or(1);
            let most = wanted.entry(workload.to_owned()).or_default();
            *most = u32::try_from(replicas).unwrap().max(*most);
        }
        for (name, _) in world.workloads.iter().filter(|(name, written)| *name != "*" && written.extra) {
            wanted.insert(name.clone(), 1);
        }
        for (name, replicas) in wanted {
            let own = world.workloads.get(&name);
            let general = everywhere.filter(|_| own.is_none_or(|own| !own.extra));
            cluster.workload(&name, replicas, &own.into_iter().chain(general).collect::<Vec<_>>());
        }
        for object in &world.objects {
            let mut manifest: Value = serde_json::from_str(&object.to_string()).unwrap();
            let kind = runbook::model::ResourceKind::find(manifest["kind"].as_str().unwrap()).unwrap();
            manifest["apiVersion"] = kind.api_version().into();
            if kind.namespaced && manifest["metadata"].get("namespace").is_none() {
                manifest["metadata"]["namespace"] = namespace.as_str().into();
            }
            cluster.manifests.push(manifest);
        }
        cluster
    }

    /// Whether a workload has pods that become Ready.
    pub(super) fn runs(&self, workload: &str) -> bool {
        let found = self.workloads.iter().find(|known| format!("{}/{}", known.kind, known.name) == workload);
        found.is_some_and(|known| known.replicas > 0 && !known.crash)
    }

    /// Adds a workload as the first of the file's entries that says so has it, each thing for itself.
    fn workload(&mut self, target: &str, replicas: u32, written: &[&WorkloadFile]) {
        let (kind, name) = target.split_once('/').unwrap();
        let replicas = written.iter().find_map(|one| one.replicas).unwrap_or(replicas);
        let crash = written.iter().find_map(|one| one.crash).unwrap_or(false);
        let image = written.iter().find_map(|one| one.image.clone()).unwrap_or_else(|| format!("registry.example/{name}:1.0.0"));
        let mut labels = json!({ "app": name });
        for (key, value) in written.iter().rev().flat_map(|one| &one.labels) {
            labels[key.as_str()] = value.as_str().into();
        }
        let quantity = |quantity: Option<&Quantity>, default: &str| quantity.map_or(default.to_owned(), |known| known.text().to_owned());
        let mut annotations = json!({
            "kwok.x-k8s.io/usage-cpu": quantity(written.iter().find_map(|one| one.cpu.as_ref()), "50m"),
            "kwok.x-k8s.io/usage-memory": quantity(written.iter().find_map(|one| one.memory.as_ref()), "128Mi"),
        });
        if let Some(ready_after) = written.iter().find_map(|one| one.ready_after) {
            annotations["pod-ready.stage.kwok.x-k8s.io/delay"] = format!("{}ms", ready_after.0.as_millis()).into();
        }
        if crash {
            annotations["runbook.test/crash-loop"] = "".into();
        }
        let mut manifest = json!({
            "apiVersion": "apps/v1",
            "kind": match kind { "statefulset" => "StatefulSet", "daemonset" => "DaemonSet", _ => "Deployment" },
            "metadata": { "name": name, "namespace": self.namespace, "labels": labels },
            "spec": {
                "replicas": replicas,
                "selector": { "matchLabels": { "app": name } },
                "template": {
                    "metadata": { "labels": labels, "annotations": annotations },
                    "spec": { "containers": [{ "name": name, "image": image }] },
                },
            },
        });
        if let Some(wish) = written.iter().map(|one| &one.node_selector).find(|wish| !wish.is_empty()) {
            manifest["spec"]["template"]["spec"]["nodeSelector"] = json!(wish);
            manifest["spec"]["template"]["spec"]["tolerations"] = json!([{ "key": "use", "operator": "Exists" }]);
        }
        if kind == "statefulset" {
            manifest["spec"]["serviceName"] = name.into();
        } else if kind == "daemonset" {
            manifest["spec"].as_object_mut().unwrap().remove("replicas");
        } else if crash {
            // A world's workload has crashed for a day already when the world begins.
            manifest["spec"]["progressDeadlineSeconds"] = 1.into();
        }
        if written.iter().find_map(|one| one.autoscaled).unwrap_or(false) {
            self.manifests.push(autoscaler(&manifest));
        }
        self.manifests.push(manifest);
        let logs = written.iter().find_map(|one| one.logs.clone()).unwrap_or_default();
        self.workloads.push(Workload { kind: kind.to_owned(), name: name.to_owned(), replicas, crash, logs });
    }

    /// How many pods a workload wants.
    pub(super) fn replicas(&self, workload: &str) -> u32 {
        self.workloads.iter().find(|known| format!("{}/{}", known.kind, known.name) == workload).map_or(0, |known| known.replicas)
    }

    /// Takes away what the namespace does not hold, and the namespaces; nothing is waited for.
    pub(super) fn remove(&self) {
        for kind in ["Node", "Namespace"] {
            let of_kind = self.manifests.iter().filter(|manifest| manifest["kind"] == kind);
            let names: Vec<&str> = of_kind.map(|manifest| manifest["metadata"]["name"].as_str().unwrap()).collect();
            if !names.is_empty() {
                kubectl(&[&["delete", kind, "--wait=false"], names.as_slice()].concat());
            }
        }
    }

    /// Makes everything; nothing is waited for.
    pub(super) fn create(&self) {
        create(&self.manifests);
    }

    /// Waits until all pods are as they are when the world begins, and gives them their logs, which stand in files of a folder.
    pub(super) fn settle(&self, folder: &Path) {
        let until = Instant::now() + REST;
        while let Some(missing) = self.missing() {
            assert!(Instant::now() < until, "{missing}");
            std::thread::sleep(Duration::from_millis(100));
        }
        let pods: Value = serde_json::from_str(&kubectl(&["-n", &self.namespace, "get", "pods", "-o", "json"])).unwrap();
        let mut manifests = Vec::new();
        let begun = Timestamp::now();
        for pod in pods["items"].as_array().unwrap() {
            let (name, app) = (pod["metadata"]["name"].as_str().unwrap(), pod["metadata"]["labels"]["app"].as_str().unwrap());
            let kind = pod["metadata"]["ownerReferences"][0]["kind"].as_str().unwrap_or_default();
            let kind = match kind {
                "StatefulSet" => "statefulset",
                "DaemonSet" => "daemonset",
                _ => "deployment",
            };
            // Pods by themselves, and those of jobs, have none of their own.
            let Some(workload) = self.workloads.iter().find(|workload| workload.kind == kind && workload.name == app) else { continue };
            let file = folder.join(format!("{name}.log"));
            write_log(&file, begun, &workload.logs);
            let mut logs = json!({ "logsFile": file });
            if workload.crash {
                logs["previousLogsFile"] = json!(file);
            }
            manifests.push(json!({
                "apiVersion": "kwok.x-k8s.io/v1alpha1",
                "kind": "Logs",
                "metadata": { "name": name, "namespace": self.namespace },
                "spec": { "logs": [logs] },
            }));
        }
        create(&manifests);
    }

    /// What is not yet at rest.
    fn missing(&self) -> Option<String> {
        let found: Value =
            serde_json::from_str(&kubectl(&["-n", &self.namespace, "get", "deployments,statefulsets,daemonsets", "-o", "json"])).unwrap();
        let items = found["items"].as_array().unwrap();
        self.workloads.iter().find_map(|workload| {
            let Workload { kind, name, replicas, crash, .. } = workload;
            let is = |item: &&Value| item["metadata"]["name"] == name.as_str() && item["kind"].as_str().unwrap().to_lowercase() == *kind;
            let status = &items.iter().find(is)?["status"];
            let settled = if *crash {
                let stuck = |condition: &Value| condition["reason"] == "ProgressDeadlineExceeded";
                status["replicas"].as_u64().is_some_and(|made| made > 0)
                    && (kind == "statefulset" || status["conditions"].as_array().is_some_and(|all| all.iter().any(stuck)))
            } else if kind == "daemonset" {
                let number = |key: &str| status[key].as_u64();
                status["observedGeneration"] == 1
                    && number("numberReady").is_some_and(|ready| ready > 0 && Some(ready) == number("desiredNumberScheduled"))
            } else {
                status["observedGeneration"] == 1 && status["readyReplicas"].as_u64().unwrap_or(0) == u64::from(*replicas)
            };
            (!settled).then(|| format!("{kind}/{name} is not at rest: {status}"))
        })
    }
}

fn autoscaler(workload: &Value) -> Value {
    let (name, replicas) = (&workload["metadata"]["name"], workload["spec"]["replicas"].as_u64().unwrap());
    json!({
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": { "name": name, "namespace": workload["metadata"]["namespace"] },
        "spec": {
            "scaleTargetRef": { "apiVersion": "apps/v1", "kind": workload["kind"], "name": name },
            "minReplicas": 1,
            "maxReplicas": (replicas * 2).max(10),
        },
    })
}

fn node_manifest(name: &str, node: &NodeFile) -> Value {
    assert!(node.ready, "kwok keeps every node ready; {name} cannot be otherwise");
    let mut labels = json!({ "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64" });
    for (key, value) in &node.labels {
        labels[key.as_str()] = value.as_str().into();
    }
    // A node that has a use takes no pods but those that are made for it: other tests use the cluster too.
    let taints: Vec<Value> =
        node.labels.get("use").map(|value| json!({ "key": "use", "value": value, "effect": "NoSchedule" })).into_iter().collect();
    let room = json!({ "cpu": node.cpu.text(), "memory": node.memory.text(), "pods": "110" });
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": { "name": name, "labels": labels },
        "spec": { "unschedulable": node.unschedulable, "taints": taints },
        "status": { "capacity": room, "allocatable": room },
    })
}

/// Writes a pod's log as a container runtime does: untimed lines just before the world begins, timed ones when they are due.
fn write_log(file: &Path, begun: Timestamp, lines: &[LogLine]) {
    let line = |at: Timestamp, text: &str| format!("{} stdout F {text}\n", at.strftime("%Y-%m-%dT%H:%M:%S.%9fZ"));
    let untimed: Vec<&LogLine> = lines.iter().filter(|line| line.after.is_none()).collect();
    let mut text = String::new();
    for (number, written) in (0i64..).zip(&untimed) {
        let before = SignedDuration::from_millis(number - untimed.len() as i64);
        text.push_str(&line(begun + before, &written.line));
    }
    fs::write(file, text).unwrap();
    for timed in lines.iter().filter(|line| line.after.is_some()).cloned() {
        let file = PathBuf::from(file);
        std::thread::spawn(move || {
            std::thread::sleep(timed.after.unwrap());
            let text = line(Timestamp::now(), &timed.line);
            // The fixture may be gone by then.
            if let Ok(mut file) = fs::OpenOptions::new().append(true).open(file) {
                let _ = file.write_all(text.as_bytes());
            }
        });
    }
}
