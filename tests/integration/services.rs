//! The real control plane, started by `tests/run`.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

pub(crate) use crate::support::{kubectl, namespace, variable};

pub(crate) fn runbook(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_runbook"))
        .args(args)
        .current_dir(folder)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", folder)
        .env("XDG_CONFIG_HOME", folder.join("config"))
        .env("XDG_STATE_HOME", folder.join("state"))
        .env("KUBECONFIG", variable("RUNBOOK_TEST_KUBECONFIG"))
        .env("OPS_PASSWORD", variable("RUNBOOK_TEST_POSTGRES_OPS_PASSWORD"))
        .env("REDIS_PASSWORD", variable("RUNBOOK_TEST_REDIS_PASSWORD"))
        .output()
        .unwrap()
}

/// A project whose environment is the real systems, in a namespace of its own with one deployment of one replica.
fn project(namespace: &str, context: &str, protected: bool) -> tempfile::TempDir {
    let (folder, namespace) = (tempfile::tempdir().unwrap(), &self::namespace(namespace));
    fs::create_dir(folder.path().join(".git")).unwrap();
    let text = format!(
        "[services.api]\nworkload = \"deployment/api\"\nurl = \"http://127.0.0.1:9\"\n\
         [environments.test]\ncontext = \"{context}\"\nnamespace = \"{namespace}\"\nprotected = {protected}\n\
         [environments.test.databases.postgres]\nurl = \"postgres://ops@{}/therapeutic_ai\"\npassword = {{ env = \"OPS_PASSWORD\" }}\n\
         [environments.test.databases.redis]\nurl = \"redis://{}\"\npassword = {{ env = \"REDIS_PASSWORD\" }}\n\
         [environments.test.databases.mongodb]\nurl = \"mongodb://{}/test\"\n",
        variable("RUNBOOK_TEST_POSTGRES"),
        variable("RUNBOOK_TEST_REDIS"),
        variable("RUNBOOK_TEST_MONGO"),
    );
    fs::write(folder.path().join("runbook.toml"), text).unwrap();
    kubectl(&["create", "namespace", namespace]);
    kubectl(&["-n", namespace, "create", "deployment", "api", "--image=registry.example/api:1", "--replicas=1"]);
    folder
}

pub(crate) fn trusted(folder: &Path) {
    let output = runbook(folder, &["trust", "--yes"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn version(namespace: &str) -> String {
    kubectl(&["-n", &self::namespace(namespace), "get", "deployment", "api", "-o", "jsonpath={.spec.replicas} {.metadata.generation}"])
}

const SCALE: &str = "scale(\"api\", 3);\nwait_ready(\"api\", #{ timeout: \"1m\" });\nshow(get(\"deployment/api\").status.readyReplicas);\n";

#[test]
fn a_dry_run_changes_nothing_and_the_run_after_it_scales_and_waits() {
    let project = project("scales", "test", false);
    let folder = project.path();
    fs::write(folder.join("scale.rhai"), SCALE).unwrap();
    let untrusted = runbook(folder, &["run", "scale.rhai"]);
    assert_eq!(untrusted.status.code(), Some(6), "{}", String::from_utf8_lossy(&untrusted.stderr));
    trusted(folder);
    let before = version("scales");
    let rehearsal = runbook(folder, &["run", "scale.rhai", "--dry-run"]);
    assert!(rehearsal.status.success(), "{}", String::from_utf8_lossy(&rehearsal.stderr));
    assert_eq!(version("scales"), before);
    let run = runbook(folder, &["run", "scale.rhai"]);
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    assert_eq!(kubectl(&["-n", &namespace("scales"), "get", "deployment", "api", "-o", "jsonpath={.status.readyReplicas}"]), "3");
    let replay = runbook(folder, &["run", "scale.rhai", "--replay", "last"]);
    assert!(replay.status.success(), "{}", String::from_utf8_lossy(&replay.stderr));
}

#[test]
fn a_protected_environment_refuses_without_a_yes_and_sends_nothing() {
    let project = project("guarded", "test", true);
    let folder = project.path();
    fs::write(folder.join("restart.rhai"), "restart(\"api\");\n").unwrap();
    trusted(folder);
    let before = version("guarded");
    let refused = runbook(folder, &["run", "restart.rhai"]);
    assert_eq!(refused.status.code(), Some(6), "{}", String::from_utf8_lossy(&refused.stderr));
    assert_eq!(version("guarded"), before);
    let confirmed = runbook(folder, &["run", "restart.rhai", "--yes"]);
    assert!(confirmed.status.success(), "{}", String::from_utf8_lossy(&confirmed.stderr));
    assert_ne!(version("guarded"), before);
}

#[test]
fn who_may_not_write_is_told_in_the_rehearsal() {
    let project = project("viewed", "viewer", false);
    let folder = project.path();
    fs::write(folder.join("scale.rhai"), SCALE).unwrap();
    trusted(folder);
    let rehearsal = runbook(folder, &["run", "scale.rhai", "--dry-run", "-o", "json"]);
    let summary: serde_json::Value = serde_json::from_slice(&rehearsal.stdout).unwrap();
    assert_eq!(summary["changes"][0]["status"], "refused", "{summary}");
    let run = runbook(folder, &["run", "scale.rhai"]);
    assert_eq!(run.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&run.stderr).contains("forbidden"));
}

#[test]
fn the_databases_answer() {
    let project = project("databases", "test", false);
    let folder = project.path();
    let script = "check(sql(\"postgres\", \"SELECT count(*) AS n FROM pg_stat_activity\")[0].n > 0, \"sql\");\n\
        check(redis(\"redis\", [\"PING\"]) == \"PONG\", \"redis\");\nmongo(\"mongodb\", #{ ping: 1 });\n";
    fs::write(folder.join("data.rhai"), script).unwrap();
    trusted(folder);
    let run = runbook(folder, &["run", "data.rhai"]);
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let password = variable("RUNBOOK_TEST_POSTGRES_OPS_PASSWORD");
    assert!(!String::from_utf8_lossy(&run.stderr).contains(&password) && !String::from_utf8_lossy(&run.stdout).contains(&password));
}

/// `scale`, `logs`, `sql`, `mongo`, `redis`, `http_health` and `notify`, each on its real system.
#[test]
fn the_example_of_all_seven_is_rehearsed_run_and_replayed() {
    let project = project("seven", "test", false);
    let folder = project.path();
    let standin: serde_json::Value = serde_json::from_str(&fs::read_to_string(variable("RUNBOOK_TEST_STANDIN_FILE")).unwrap()).unwrap();
    let path = format!("/{}", namespace("seven"));
    let hook = format!("http://{}{path}", standin["hooks"].as_str().unwrap());
    let config = fs::read_to_string(folder.join("runbook.toml")).unwrap().replace("services.api", "services.billing");
    let config = config
        .replace("deployment/api", "deployment/billing")
        .replace("127.0.0.1:9\"", &format!("{}\"", standin["slots"][0].as_str().unwrap()));
    let channel = "[environments.test.channels.incidents]\nkind = \"slack\"\nwebhook = { file = \"hook\" }\n";
    fs::write(folder.join("runbook.toml"), config + channel).unwrap();
    fs::write(folder.join("hook"), hook).unwrap();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/everything.rhai");
    fs::copy(example, folder.join("everything.rhai")).unwrap();
    let own = namespace("seven");
    kubectl(&["-n", &own, "create", "deployment", "billing", "--image=registry.example/billing:1", "--replicas=1"]);
    kubectl(&["-n", &own, "rollout", "status", "deployment/billing", "--timeout=30s"]);
    trusted(folder);
    let received = || {
        let url = format!("{}/hooks?path={path}", variable("RUNBOOK_TEST_STANDIN"));
        let output = Command::new("curl").args(["-sS", "--fail", &url]).output().unwrap();
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap().as_array().map_or(0, Vec::len)
    };
    let replicas = || kubectl(&["-n", &own, "get", "deployment", "billing", "-o", "jsonpath={.spec.replicas}"]);
    let run = |more: &[&str]| {
        let output = runbook(folder, &[&["run", "everything.rhai", "-o", "json"], more].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    let rehearsed = run(&["--dry-run"]);
    assert_eq!((rehearsed["changes"][0]["status"].as_str(), replicas().as_str(), received()), (Some("would_change"), "1", 0));
    let done = run(&[]);
    assert_eq!((done["changes"][0]["status"].as_str(), replicas().as_str(), received()), (Some("changed"), "2", 1));
    let replayed = run(&["--replay", "last"]);
    assert_eq!((&replayed["changes"], replayed["calls"].as_u64()), (&done["changes"], done["calls"].as_u64()));
    assert_eq!((replicas().as_str(), received()), ("2", 1));
}
