//! The complete outage on the real control plane: rehearsed, recovered, done by hand with the equivalents, replayed.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value;

use crate::services::{kubectl, runbook, trusted, variable};

static NAMESPACE: LazyLock<String> = LazyLock::new(|| crate::services::namespace("outage"));

/// The procedure's workloads and their replicas.
const WORKLOADS: [(&str, i64); 21] = [
    ("statefulset/postgres", 3),
    ("deployment/mongodb", 3),
    ("deployment/redis", 3),
    ("statefulset/scylladb", 3),
    ("deployment/auth-rbac", 3),
    ("deployment/audit-logging", 3),
    ("deployment/content-safety", 2),
    ("deployment/emergency-access", 2),
    ("deployment/api-gateway", 5),
    ("deployment/chat-history", 3),
    ("deployment/search-service", 3),
    ("deployment/billing", 2),
    ("deployment/consent", 2),
    ("deployment/background-tasks", 2),
    ("deployment/relationship-mgmt", 2),
    ("deployment/user-subscription", 2),
    ("deployment/ai-gateway", 3),
    ("deployment/embedding-service", 2),
    ("deployment/generation-service", 2),
    ("deployment/bge-host", 2),
    ("deployment/qwen-host", 2),
];

/// All workloads at no replicas, in a namespace of their own.
fn manifest() -> String {
    let namespace = &*NAMESPACE;
    let workload = |(target, _): &(&str, i64)| {
        let (kind, name) = target.split_once('/').unwrap();
        let (kind, more) =
            if kind == "deployment" { ("Deployment", String::new()) } else { ("StatefulSet", format!("  serviceName: {name}\n")) };
        format!(
            "---\napiVersion: apps/v1\nkind: {kind}\nmetadata: {{ name: {name}, namespace: {namespace}, labels: {{ app: {name} }} }}\nspec:\n  replicas: 0\n{more}  \
             selector: {{ matchLabels: {{ app: {name} }} }}\n  template:\n    metadata: {{ labels: {{ app: {name} }} }}\n    \
             spec: {{ containers: [ {{ name: {name}, image: \"registry.example/{name}:1\" }} ] }}\n"
        )
    };
    WORKLOADS.iter().map(workload).collect()
}

/// A configuration whose services, all on one of the stand-in's slots, and channels are the workloads' namespace's.
fn config(folder: &Path) -> String {
    let standin: Value = serde_json::from_str(&fs::read_to_string(variable("RUNBOOK_TEST_STANDIN_FILE")).unwrap()).unwrap();
    let slot = standin["slots"].as_array().unwrap().last().unwrap().as_str().unwrap().to_owned();
    let hooks = standin["hooks"].as_str().unwrap();
    let mut text = String::new();
    for (tier, (target, replicas)) in WORKLOADS.iter().enumerate().skip(4) {
        let name = target.split_once('/').unwrap().1;
        text.push_str(&format!(
            "[services.{name}]\nworkload = \"{target}\"\nurl = \"http://{slot}\"\ntier = {tier}\nreplicas = {replicas}\n"
        ));
    }
    text.push_str(&format!("[environments.test]\ncontext = \"test\"\nnamespace = \"{}\"\n", *NAMESPACE));
    let hook = folder.join("hook");
    fs::write(&hook, format!("http://{hooks}/outage")).unwrap();
    for channel in ["pager", "incidents"] {
        text.push_str(&format!(
            "[environments.test.channels.{channel}]\nkind = \"slack\"\nwebhook = {{ file = {:?} }}\n",
            hook.display().to_string()
        ));
    }
    text.push_str("[severities.P0]\nnotify = [\"pager\"]\n");
    text
}

/// The writes that the run's user has made in the namespace, as the API server's audit log has them.
fn writes() -> Vec<(String, String)> {
    let text = fs::read_to_string(variable("RUNBOOK_TEST_AUDIT_LOG")).unwrap();
    let events = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let own = events.filter(|event| {
        event["user"]["username"] == "oncall"
            && event["objectRef"]["namespace"] == NAMESPACE.as_str()
            && event["stage"] == "ResponseComplete"
            && event["userAgent"].as_str().is_some_and(|agent| agent.starts_with("runbook/"))
            && matches!(event["verb"].as_str(), Some("create" | "update" | "patch" | "delete" | "deletecollection"))
    });
    own.map(|event| (event["verb"].as_str().unwrap().to_owned(), event["requestURI"].as_str().unwrap().to_owned())).collect()
}

fn versions() -> String {
    let path = "jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.resourceVersion} {.spec.replicas}{\"\\n\"}{end}";
    kubectl(&["-n", &NAMESPACE, "get", "deployments,statefulsets", "-o", path])
}

/// The versions, once the controllers have seen every workload and have nothing more to say of any: other tests keep them busy too.
fn at_rest() -> String {
    let path = "jsonpath={range .items[?(@.kind==\"Deployment\")]}{.status.conditions[?(@.reason==\"NewReplicaSetAvailable\")].status}{end}\
                {range .items[?(@.kind==\"StatefulSet\")]}{.status.observedGeneration}{end}";
    let mut before = String::new();
    for _ in 0..100 {
        let seen = kubectl(&["-n", &NAMESPACE, "get", "deployments,statefulsets", "-o", path]);
        let now = versions();
        let deployments = WORKLOADS.iter().filter(|(target, _)| target.starts_with("deployment/")).count();
        let all = seen.matches("True").count() == deployments && seen.matches('1').count() == WORKLOADS.len() - deployments;
        if all && now == before {
            return now;
        }
        before = now;
        std::thread::sleep(std::time::Duration::from_millis(300));
    }
    panic!("the controllers do not come to rest:\n{before}");
}

/// Each workload's ready replicas.
fn ready() -> Vec<(String, i64)> {
    let of = |(target, _): &(&str, i64)| {
        let text = kubectl(&["-n", &NAMESPACE, "get", target, "-o", "jsonpath={.status.readyReplicas}"]);
        ((*target).to_owned(), text.parse().unwrap_or(0))
    };
    WORKLOADS.iter().map(of).collect()
}

fn summary(folder: &Path, more: &[&str]) -> Value {
    let args: Vec<&str> = ["run", "emergency/system-outage", "-o", "json"].into_iter().chain(more.iter().copied()).collect();
    let output = runbook(folder, &args);
    assert!(output.status.success(), "{more:?}\n{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn plans(summary: &Value) -> Vec<Value> {
    let keys = ["function", "target", "before", "after", "tier", "equivalent", "file", "line"];
    let strip = |change: &Value| keys.iter().map(|key| change[key].clone()).collect::<Vec<_>>().into();
    summary["changes"].as_array().unwrap().iter().map(strip).collect()
}

#[test]
fn the_outage_is_rehearsed_recovered_repeated_by_hand_and_replayed() {
    let project = tempfile::tempdir().unwrap();
    let folder = project.path();
    fs::create_dir_all(folder.join("scripts/emergency")).unwrap();
    fs::create_dir(folder.join(".git")).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/emergency/system-outage.rhai");
    fs::copy(script, folder.join("scripts/emergency/system-outage.rhai")).unwrap();
    fs::write(folder.join("runbook.toml"), config(folder)).unwrap();
    fs::write(folder.join("workloads.yaml"), manifest()).unwrap();
    let manifest = folder.join("workloads.yaml").display().to_string();
    kubectl(&["create", "namespace", &NAMESPACE]);
    kubectl(&["apply", "-f", &manifest]);
    trusted(folder);
    let before = at_rest();

    let rehearsal = summary(folder, &["--dry-run"]);
    assert_eq!(rehearsal["changes"].as_array().unwrap().len(), 21);
    assert_eq!(versions(), before);
    let asked = writes();
    assert_eq!(asked.len(), 21, "{asked:?}");
    assert!(asked.iter().all(|(_, uri)| uri.contains("dryRun=All")), "{asked:?}");

    let recovery = summary(folder, &["--yes"]);
    let expected: Vec<(String, i64)> = WORKLOADS.iter().map(|(target, replicas)| ((*target).to_owned(), *replicas)).collect();
    assert_eq!(ready(), expected);
    assert_eq!(plans(&rehearsal), plans(&recovery));
    let made: Vec<_> = writes().into_iter().filter(|(_, uri)| !uri.contains("dryRun")).collect();
    assert_eq!(made.len(), 21, "{made:?}");
    assert!(made.iter().all(|(verb, uri)| verb == "patch" && uri.contains("/scale")), "{made:?}");

    // By hand: from nothing again, with the lines that the rehearsal printed.
    kubectl(&["apply", "-f", &manifest]);
    kubectl(&["-n", &NAMESPACE, "scale", "deployment", "--all", "--replicas=0"]);
    kubectl(&["-n", &NAMESPACE, "scale", "statefulset", "--all", "--replicas=0"]);
    let bin = folder.join("bin");
    fs::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink(variable("RUNBOOK_TEST_KUBECTL"), bin.join("kubectl")).unwrap();
    for change in rehearsal["changes"].as_array().unwrap() {
        let line = change["equivalent"].as_str().unwrap();
        let path = format!("{}:/usr/bin:/bin", bin.display());
        let status =
            Command::new("bash").args(["-c", line]).env("PATH", path).env("KUBECONFIG", variable("RUNBOOK_TEST_KUBECONFIG")).status();
        assert!(status.unwrap().success(), "{line}");
    }
    let asked_for =
        |(target, _): &(&str, i64)| kubectl(&["-n", &NAMESPACE, "get", target, "-o", "jsonpath={.spec.replicas}"]).parse().unwrap();
    let replicas: Vec<i64> = WORKLOADS.iter().map(asked_for).collect();
    assert_eq!(replicas, WORKLOADS.map(|(_, replicas)| replicas));

    let count = writes().len();
    let replay = summary(folder, &["--replay", recovery["run"].as_str().unwrap()]);
    assert_eq!(plans(&replay), plans(&recovery));
    assert_eq!(writes().len(), count);
    let verified = runbook(folder, &["log", "verify", recovery["run"].as_str().unwrap()]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    from_a_laptop(folder, &expected);
}

/// The same from nothing once more, where no service's name resolves: through the API server's port-forward.
fn from_a_laptop(folder: &Path, expected: &[(String, i64)]) {
    let namespace = &*NAMESPACE;
    let direct = fs::read_to_string(folder.join("runbook.toml")).unwrap();
    let (mut config, mut services) = (String::new(), String::new());
    let mut name = "";
    for line in direct.lines() {
        name = line.strip_prefix("[services.").map_or(name, |rest| rest.trim_end_matches(']'));
        if line.starts_with("url = ") {
            config.push_str(&format!("url = \"http://{name}:8080\"\n"));
            // This port of every pod leads to the stand-in's last slot.
            services.push_str(&format!(
                "---\napiVersion: v1\nkind: Service\nmetadata: {{ name: {name}, namespace: {namespace} }}\n\
                 spec: {{ selector: {{ app: {name} }}, ports: [ {{ port: 8080, targetPort: 18023 }} ] }}\n"
            ));
        } else {
            config.push_str(&format!("{line}\n"));
            if line == "[environments.test]" {
                config.push_str("reach = \"port-forward\"\n");
            }
        }
    }
    fs::write(folder.join("runbook.toml"), config).unwrap();
    fs::write(folder.join("services.yaml"), services).unwrap();
    kubectl(&["apply", "-f", &folder.join("services.yaml").display().to_string()]);
    kubectl(&["-n", namespace, "scale", "deployment", "--all", "--replicas=0"]);
    kubectl(&["-n", namespace, "scale", "statefulset", "--all", "--replicas=0"]);
    trusted(folder);
    let recovery = summary(folder, &["--yes"]);
    assert_eq!(recovery["changes"].as_array().unwrap().len(), 21, "{recovery}");
    assert_eq!(ready(), expected);
    let audit = fs::read_to_string(variable("RUNBOOK_TEST_AUDIT_LOG")).unwrap();
    let forwarded = audit.lines().filter(|line| line.contains("/portforward?") && line.contains(&format!("/namespaces/{namespace}/")));
    assert!(forwarded.count() >= 17, "each service was asked through a tunnel");
}
