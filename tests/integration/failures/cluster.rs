//! Kubernetes: clusters that cannot be reached, are the wrong ones, refuse, or do not know what is asked.

use std::collections::BTreeSet;
use std::fs;

use serde_json::json;

use super::{failed, fails};
use crate::support::{NO_PODS, Proxy, Real, Slot, api_server, changes_in, kubectl, namespace, state_of_api, variable};

/// A kubeconfig whose only user logs in by a shell command.
fn login(command: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\nclusters: [{{name: c, cluster: {{server: \"https://127.0.0.1:1\"}}}}]\n\
         users: [{{name: u, user: {{exec: {{apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: sh, args: [-c, {command:?}]}}}}}}]\n\
         contexts: [{{name: test, context: {{cluster: c, user: u}}}}]\n"
    )
}

#[test]
fn a_cluster_that_cannot_be_logged_in_to() {
    let real = || Real::new("default");
    let nowhere = real().project().env("KUBECONFIG", "/nonexistent/kubeconfig");
    let log_in = "set KUBECONFIG, or log in to the cluster";
    fails(&nowhere, &[("pods();", "auth", "there is no kubeconfig at /nonexistent/kubeconfig", log_in)]);
    let home = nowhere.outside().join("home/.kube/config").display().to_string();
    fails(&nowhere.env("KUBECONFIG", ""), &[("pods();", "auth", &format!("there is no kubeconfig at {home}"), log_in)]);
    let expired = "the cluster does not accept the credentials of the context `expired`";
    fails(&real().context("expired").project(), &[("pods();", "auth", expired, "have they expired? log in again")]);
    let known = "known: test, viewer, expired, exec, unreachable";
    fails(&real().context("prod").project(), &[("pods();", "bad_argument", "the kubeconfig has no context `prod`", known)]);
    let again = "try `kubectl --context test version`, and log in again";
    for (kubeconfig, message, hint) in [
        (login("echo hunter2hunter2 >&2; exit 7"), "logging in to the context `test` failed: sh failed (exit status: 7)", again),
        (login("echo hunter2hunter2"), "logging in to the context `test` failed: sh printed no credential", again),
        ("users: [{name: u, user: {token: hunter2hunter2}".to_owned(), "kubeconfig is no valid YAML, or no kubeconfig", ""),
    ] {
        let project = real().kubeconfig(&kubeconfig).project().script("x.rhai", "pods();");
        let ran = project.run(["run", "x.rhai"]).status(4).stderr_has("error[auth]: ").stderr_has(message).stderr_has(hint);
        ran.has_not("hunter2").recorded("failed", 4);
    }
}

#[test]
fn a_cluster_that_does_not_answer() {
    let unreachable = Real::new("default").context("unreachable").project();
    fails(
        &unreachable,
        &[(
            "pods();",
            "unavailable",
            "the cluster at https://127.0.0.1:1 cannot be reached: connection refused",
            "is the API server of the context `unreachable` up, and reachable from here?",
        )],
    );
    let silent = Proxy::new(&api_server(), &json!({ "mode": "hang" }));
    let project = Real::new("default").through(&silent).project();
    let hint = "is it slow or unreachable? give it longer with `timeout:`";
    fails(
        &project,
        &[
            ("pods(#{ timeout: \"300ms\" });", "timeout", "no answer from the list of pods within 300ms", hint),
            ("top_pods(#{ timeout: \"300ms\" });", "timeout", "no answer from the pods' metrics within 300ms", hint),
        ],
    );
    let page = json!({ "status": 200, "body": "<html>log in</html>" });
    let base = "GET /api/v1/namespaces/default";
    let portal = Slot::new(&json!({ format!("{base}/pods"): page, format!("{base}/events"): page, format!("{base}/configmaps/x"): page }));
    let project = Real::in_namespace("default").played_by(&portal).project();
    for script in ["pods();", "events();", "get(\"configmap/x\");", "describe(\"configmap/x\");", "label(\"configmap/x\", #{ a: \"b\" });"]
    {
        fails(&project, &[(script, "unavailable", " is no JSON (line 1, column 1)", "a proxy on the way may have answered in its place")]);
    }
}

/// Calls of a cluster; `O` stands for their options.
const ASKING: &[&str] = &[
    r#"annotate("deployment/api", #{ a: "b" }, O)"#,
    r#"cordon("node-1", O)"#,
    r#"delete("configmap/x", O)"#,
    r#"describe("deployment/api", O)"#,
    r#"drain("node-1", O)"#,
    r#"events("deployment/api", O)"#,
    r#"exec("pod/x", ["true"], O)"#,
    r#"label("deployment/api", #{ a: "b" }, O)"#,
    r#"logs("deployment/api", O)"#,
    r#"nodes(O)"#,
    r#"patch("deployment/api", #{ a: "b" }, O)"#,
    r#"pods("api", O)"#,
    r#"restart("deployment/api", O)"#,
    r#"rollout_undo("deployment/api", O)"#,
    r#"scale("deployment/api", 2, O)"#,
    r#"top_nodes(O)"#,
    r#"top_pods(O)"#,
    r#"uncordon("node-1", O)"#,
    r#"wait_ready("deployment/api", O)"#,
];

#[test]
fn a_call_waits_for_a_silent_cluster_no_longer_than_it_says() {
    use runbook::model::spec::Group;
    let of_cluster = |group: Group| matches!(group, Group::Workloads | Group::Nodes | Group::Configuration);
    let specs = runbook::host::FUNCTIONS.iter().map(|function| &function.spec).filter(|spec| of_cluster(spec.group));
    let limited = specs.filter(|spec| spec.options.iter().any(|option| option.name == "timeout")).map(|spec| spec.name);
    let asked = ASKING.iter().map(|call| call.split('(').next().unwrap());
    assert_eq!(limited.collect::<BTreeSet<_>>(), asked.collect::<BTreeSet<_>>());
    let silent = Proxy::new(&api_server(), &json!({ "mode": "hang" }));
    let project = Real::new("default").through(&silent).project();
    let calls = ASKING.iter().map(|call| call.replace('O', "#{ timeout: \"200ms\" }"));
    let script: String = calls.map(|call| format!("try {{ {call}; }} catch (failure) {{ note(failure.kind); }}\n")).collect();
    let ran = project.really(&script).status(0);
    let lines: Vec<_> = ran.journaled("call").into_iter().filter(|line| line["function"] != "note").collect();
    assert_eq!(lines.len(), ASKING.len(), "{ran}");
    for line in lines {
        let (kind, ms) = (line["failure"]["kind"].as_str(), line["ms"].as_f64().unwrap());
        assert!(kind == Some("timeout") && ms < 2_000.0, "{line}");
    }
}

#[test]
fn the_wrong_cluster_is_left_alone() {
    let wrong = Real::new("wrong-cluster").line("cluster_uid = \"6f1c0000-0000-4000-8000-000000000000\"").deployed();
    let before = state_of_api("wrong-cluster");
    let found = variable("RUNBOOK_TEST_CLUSTER_UID");
    let message = format!(
        "wrong cluster: the context `test` leads to the cluster with the UID {found}, and the environment `test` expects 6f1c0000-0000-4000-8000-000000000000"
    );
    for script in ["scale(\"deployment/api\", 3);", "try { pods(); } catch { }\nscale(\"deployment/api\", 3);"] {
        for ran in [wrong.really(script), wrong.rehearsed_really(script)] {
            failed(ran, "denied", &message, "is the kubeconfig the right one?")
                .stderr_has(" --> x.rhai:1:")
                .stdout_has("denied: 0 changes");
        }
    }
    assert_eq!((state_of_api("wrong-cluster"), changes_in("wrong-cluster")), (before, vec![]));
    let right = Real::new("wrong-cluster").line(&format!("cluster_uid = \"{found}\"")).project();
    let ran = right.really("check(cluster_info().uid.len() == 36, \"no uid\");").status(0);
    assert_eq!(ran.journal()[0]["cluster_uid"], found.as_str());
}

#[test]
fn what_the_user_may_not_do_says_what_is_lacking() {
    let viewer = Real::new("may-not").context("viewer").deployed();
    let before = state_of_api("may-not");
    fails(
        &viewer,
        &[(
            "get(\"secret/x\");",
            "forbidden",
            "secrets \"x\" is forbidden: User \"viewer\" cannot get resource \"secrets\" in API group \"\" in the namespace \"may-not-",
            "the context's user lacks the right to read secrets",
        )],
    );
    let ran = failed(
        viewer.really("scale(\"api\", 3);"),
        "forbidden",
        "User \"viewer\" cannot patch resource \"deployments/scale\" in API group \"apps\"",
        "the context's user lacks the right to patch deployments",
    );
    let ran = ran.stdout_has("failed: 0 changes made, 0 messages sent, 1 failed, 1 call");
    assert_eq!((ran.outcomes(), &ran.journal().pop().unwrap()["changes"]), (vec!["deployment/api failed".to_owned()], &0.into()));
    // The rehearsal finds it beforehand, goes on, and promises nothing.
    let ran = viewer.rehearsed_really("scale(\"api\", 3);\nnote(\"went on\");").status(1).stderr_has("note: went on");
    let ran = ran
        .stdout_has("Refused by the server\n  x.rhai:1  deployment/api: deployments.apps \"api\" is forbidden")
        .stdout_has("0 changes planned");
    assert_eq!(ran.outcomes(), ["deployment/api refused"]);
    assert_eq!(state_of_api("may-not"), before);
}

#[test]
fn changes_of_objects_that_the_user_may_not_make_are_found_beforehand_and_refused() {
    let viewer = Real::new("may-not-change").context("viewer").deployed();
    let before = state_of_api("may-not-change");
    for (call, said) in [
        ("patch(\"deployment/api\", #{ metadata: #{ labels: #{ a: \"b\" } } })", "cannot patch resource \"deployments\""),
        ("label(\"deployment/api\", #{ a: \"b\" })", "cannot patch resource \"deployments\""),
        ("annotate(\"deployment/api\", #{ a: \"b\" })", "cannot patch resource \"deployments\""),
        ("delete(\"deployment/api\")", "cannot delete resource \"deployments\""),
        ("cordon(\"node-1\")", "cannot patch resource \"nodes\""),
    ] {
        let ran = failed(viewer.really(&format!("{call};")), "forbidden", said, "the context's user lacks the right to ");
        assert_eq!(ran.outcomes().len(), 1, "{ran}");
        let ran = viewer.rehearsed_really(&format!("{call};\nnote(\"went on\");")).status(1).stderr_has("note: went on");
        assert!(ran.stdout_has("Refused by the server").outcomes()[0].ends_with(" refused"));
    }
    assert_eq!((state_of_api("may-not-change"), changes_in("may-not-change").len()), (before, 8));
    let place = namespace("may-not-change");
    fails(
        &viewer,
        &[(
            "secret(\"x\");",
            "forbidden",
            &format!("cannot get resource \"secrets\" in API group \"\" in the namespace \"{place}\""),
            "the context's user lacks the right to read secrets",
        )],
    );
}

#[test]
fn what_nothing_makes_anew_is_deleted_only_by_its_name() {
    let project = Real::new("by-name").line("protected = true").deployed();
    let place = namespace("by-name");
    kubectl(&["-n", &place, "rollout", "status", "deployment/api", "--timeout=30s"]);
    let pod = kubectl(&["-n", &place, "get", "pods", "-o", "jsonpath={.items[0].metadata.name}"]);
    let run = |script: &str, flags: &[&str]| project.clone().script("x.rhai", script).run([&["run", "x.rhai"], flags].concat());
    let severe = "delete(\"deployment/api\");";
    for flags in [&[][..], &["--yes"], &["--yes", "--confirm", "web"]] {
        let hint = "answer the question on a terminal, or pass --confirm deployment/api";
        failed(run(severe, flags), "not_confirmed", "the change of deployment/api was not confirmed", hint);
    }
    // A pod that its workload makes anew is moderate.
    let moderate = format!("delete(\"pod/{pod}\");");
    failed(run(&moderate, &[]), "not_confirmed", "was not confirmed", "or pass --yes");
    run(&moderate, &["--yes"]).status(0);
    run(severe, &["--confirm", "deployment/api"]).status(0);
    assert_eq!(kubectl(&["-n", &place, "get", "deployments", "-o", "name"]), "");
}

#[test]
fn what_nobody_confirms_is_not_sent_and_the_refusal_is_on_record() {
    let project = Real::new("unconfirmed").line("protected = true").deployed();
    let (before, node) = (state_of_api("unconfirmed"), namespace("unconfirmed"));
    let (closed, target) = (format!("cordon({node:?});"), format!("node/{node}"));
    let drained = format!("drain({node:?});");
    project.apply(&format!("apiVersion: v1\nkind: Node\nmetadata: {{ name: {node} }}\n{NO_PODS}"));
    let (yes, name) =
        ("answer the question on a terminal, or pass --yes", "answer the question on a terminal, or pass --confirm deployment/api");
    for (target, script, flags, hint) in [
        ("deployment/api", "restart(\"api\");", &[][..], yes),
        ("deployment/api", "patch(\"deployment/api\", #{ spec: #{ minReadySeconds: 1 } });", &[], yes),
        ("deployment/api", "scale(\"api\", 0);", &["--yes"], name),
        ("deployment/api", "scale(\"api\", 0);", &["--yes", "--confirm", "web"], name),
        (&target, &closed, &[], yes),
        (&target, &drained, &[], yes),
    ] {
        let project = project.clone().script("x.rhai", script);
        let ran = project.run([&["run", "x.rhai"], flags].concat());
        let ran = failed(ran, "not_confirmed", &format!("the change of {target} was not confirmed (no terminal)"), hint);
        let decided = &ran.stdout_has("denied: 0 changes made").journaled("decision")[0];
        assert_eq!([&decided["target"], &decided["decision"], &decided["by"]], [target, "refused", "no terminal"]);
        project.run(["log", "show", "last"]).status(0).stdout_has("refused by no terminal");
    }
    assert_eq!((state_of_api("unconfirmed"), changes_in("unconfirmed")), (before, vec![]));
    assert_eq!(kubectl(&["get", "node", &node, "-o", "jsonpath={.spec.unschedulable}"]), "");
    kubectl(&["delete", "node", &node, "--wait=false"]);
}

#[test]
fn a_conflict_is_told_and_not_overcome() {
    let status = json!({ "kind": "Status", "status": "Failure", "reason": "Conflict", "code": 409,
        "message": "Operation cannot be fulfilled on it: the object has been modified" });
    let conflict = json!({ "status": 409, "body": status.to_string() });
    let object = |kind: &str, name: &str, spec: serde_json::Value| json!({ "body": json!({ "apiVersion": "v1", "kind": kind, "metadata": { "name": name, "namespace": "default", "uid": "1", "resourceVersion": "1" }, "spec": spec }).to_string() });
    let (deployment, node) = ("/apis/apps/v1/namespaces/default/deployments/api", "/api/v1/nodes/node-1");
    let template = json!({ "replicas": 1, "selector": { "matchLabels": { "app": "api" } }, "template": { "metadata": {}, "spec": { "containers": [{ "name": "api" }] } } });
    let api = Slot::new(&json!({
        format!("GET {deployment}"): object("Deployment", "api", template),
        format!("PATCH {deployment}"): conflict, format!("PATCH {deployment}/scale"): conflict, format!("DELETE {deployment}"): conflict,
        format!("GET {node}"): object("Node", "node-1", json!({})), format!("PATCH {node}"): conflict,
    }));
    let project = Real::in_namespace("default").played_by(&api).project();
    for (script, target) in [
        ("scale(\"deployment/api\", 3)", "deployment/api"),
        ("restart(\"deployment/api\")", "deployment/api"),
        ("label(\"deployment/api\", #{ a: \"b\" })", "deployment/api"),
        ("annotate(\"deployment/api\", #{ a: \"b\" })", "deployment/api"),
        ("delete(\"deployment/api\")", "deployment/api"),
        ("cordon(\"node-1\")", "node/node-1"),
    ] {
        let sent = || {
            api.requests().iter().filter(|request| request["method"] != "GET" && !request["query"].to_string().contains("dryRun")).count()
        };
        let before = sent();
        let ran = failed(project.really(&format!("{script};")), "conflict", "the object has been modified", "");
        assert_eq!((ran.outcomes(), sent() - before), (vec![format!("{target} failed")], 1), "{ran}");
    }
}

#[test]
fn an_admission_webhook_that_is_down_refuses_the_change_and_leaves_no_doubt() {
    let project = Real::new("webhook-down").deployed();
    let before = state_of_api("webhook-down");
    let (name, configuration) = (namespace("webhook-down"), format!("runbook-{}", namespace("webhook-down")));
    project.apply(&format!(
        "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingWebhookConfiguration\nmetadata: {{ name: {configuration} }}\nwebhooks:\n\
         - name: down.runbook.test\n  clientConfig: {{ url: \"https://127.0.0.1:1/\" }}\n  failurePolicy: Fail\n  sideEffects: None\n  \
         admissionReviewVersions: [v1]\n  namespaceSelector: {{ matchLabels: {{ kubernetes.io/metadata.name: {name} }} }}\n  \
         rules: [ {{ apiGroups: [apps], apiVersions: [v1], operations: [UPDATE], resources: [deployments/scale] }} ]\n",
    ));
    // The API server takes a moment to notice it.
    let ran = (0..50).find_map(|_| Some(project.really("scale(\"api\", 2);\nscale(\"api\", 1);")).filter(|ran| ran.code != Some(0)));
    kubectl(&["delete", "validatingwebhookconfiguration", &configuration]);
    let message = "failed calling webhook \"down.runbook.test\"";
    let hint = "nothing was changed; is that webhook's service up?";
    let ran = failed(ran.expect("the webhook was never asked"), "unavailable", message, hint).stdout_has("failed: 0 changes made");
    assert_eq!(ran.outcomes(), ["deployment/api failed"]);
    assert_eq!(state_of_api("webhook-down").split(' ').nth(1), before.split(' ').nth(1));
}

#[test]
fn what_does_not_exist_or_is_two_things_is_named() {
    let (project, name) = (Real::new("no-such").deployed(), namespace("no-such"));
    let both = |kind: &str, more: &str| {
        format!(
            "---\napiVersion: apps/v1\nkind: {kind}\nmetadata: {{ name: both, namespace: {name} }}\nspec:\n  replicas: 0\n{more}  \
             selector: {{ matchLabels: {{ app: both }} }}\n  template:\n    metadata: {{ labels: {{ app: both }} }}\n    \
             spec: {{ containers: [ {{ name: both, image: \"registry.example/both:1\" }} ] }}\n"
        )
    };
    project.apply(&[both("Deployment", ""), both("StatefulSet", "  serviceName: both\n")].concat());
    let elsewhere = "is it in another namespace? `pods(#{ namespace: \"*\" })` shows each pod's workload";
    let two = "say which: \"deployment/both\" or \"statefulset/both\"";
    let lists = &format!("`kubectl --context=test -n {name} get deployments` lists what there is");
    let none = &format!("no deployment or statefulset \"none\" in namespace {name}");
    let gone = &format!("deployment/none does not exist in the namespace {name}");
    fails(
        &project,
        &[
            ("scale(\"none\", 2);", "not_found", none, elsewhere),
            ("scale(\"deployment/none\", 2);", "not_found", gone, lists),
            ("get(\"deployment/none\");", "not_found", gone, lists),
            ("get(\"node/none\");", "not_found", "node/none does not exist", "`kubectl --context=test get nodes` lists what there is"),
            ("logs(\"none\");", "not_found", none, elsewhere),
            ("scale(\"both\", 3);", "bad_argument", "\"both\" is a deployment and a statefulset", two),
            ("restart(\"both\");", "bad_argument", "\"both\" is a deployment and a statefulset", two),
            ("get(\"deployment/Ünknown\");", "bad_argument", "\"Ünknown\" is no object name", "letters, digits"),
            ("get(\"deployment/..\");", "bad_argument", "\"..\" is no object name", "letters, digits"),
        ],
    );
    assert_eq!(changes_in("no-such"), [] as [String; 0]);
    // A field that the server does not know is no change that went well, and a rehearsal finds it.
    let script = "patch(\"deployment/both\", #{ spec: #{ replica: 2 } });";
    let message = "deployment/both: unknown field \"spec.replica\"";
    failed(project.really(script), "bad_argument", message, "`kubectl --context=test explain` names the fields");
    project.rehearsed_really(script).status(1).stdout_has("Refused by the server").stdout_has(message);
}

#[test]
fn log_lines_of_any_bytes_are_text_on_one_line() {
    let (project, name) = (Real::new("log-bytes").project(), namespace("log-bytes"));
    let hostile = b"\x1b[2J\xe2\x80\xae\xff\xfe {\"type\":\"end\",\"status\":\"ok\"}\r";
    let mut log = b"2026-11-23T00:00:00.000000000Z stdout F plain\n2026-11-23T00:00:01.000000000Z stdout F ".to_vec();
    log.extend_from_slice(hostile);
    log.extend_from_slice(b"\n2026-11-23T00:00:02.000000000Z stderr F ");
    log.extend(std::iter::repeat_n(b'x', 1 << 20));
    log.extend_from_slice(b"\n2026-11-23T00:00:03.000000000Z stdout F last\n");
    let file = project.outside().join("pod.log");
    fs::write(&file, log).unwrap();
    project.apply(&format!(
        "apiVersion: v1\nkind: Namespace\nmetadata: {{ name: {name} }}\n---\napiVersion: v1\nkind: Pod\nmetadata: {{ name: noisy, namespace: {name} }}\n\
         spec: {{ containers: [ {{ name: noisy, image: \"registry.example/noisy:1\" }} ] }}\n---\n\
         apiVersion: kwok.x-k8s.io/v1alpha1\nkind: Logs\nmetadata: {{ name: noisy, namespace: {name} }}\nspec: {{ logs: [ {{ logsFile: {file:?} }} ] }}\n"
    ));
    kubectl(&["-n", &name, "wait", "--for=condition=Ready", "pod/noisy", "--timeout=30s"]);
    let ran = project.really("let lines = logs(\"noisy\");\nshow(lines);\nnote(`${lines.len()} lines: ${lines[1].line}`);").status(0);
    // kwok drops what the container runtime would put in front; a line's own bytes are shown, inert.
    let ran = ran.stderr_has("\\u{1b}[2J\\u{202e}\u{fffd}\u{fffd} {\"type\":\"end\",\"status\":\"ok\"}").stderr_has("note: 4 lines: ");
    for text in [&ran.out, &ran.err] {
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}') && !text.contains('\r'), "{ran}");
        assert!(text.lines().all(|line| line.len() < 2000), "a line is too long\n{ran}");
    }
    let ran = ran.recorded("ok", 0);
    let payload = ran.journaled("call")[0]["payload"]["sha256"].as_str().unwrap().to_owned();
    let kept = fs::read_dir(ran.journal_path().with_extension("payloads"))
        .unwrap()
        .flatten()
        .find(|file| file.file_name().to_string_lossy().contains(&payload));
    let kept: serde_json::Value = serde_json::from_slice(&fs::read(kept.unwrap().path()).unwrap()).unwrap();
    assert_eq!((kept.as_array().unwrap().len(), kept[3]["line"].as_str()), (4, Some("last")));
    project.run(["run", "x.rhai", "--replay", "last"]).status(0).stderr_has("note: 4 lines: ");
}
