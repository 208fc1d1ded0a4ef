//! Changes of Kubernetes objects on the real control plane: what a rehearsal says is what comes of it, what is recorded as the
//! way back leads back, and what the line for a shell does is the same.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use serde_json::Value;

use crate::support::{Project, Ran, Real, kubectl, namespace, variable};

/// A change, and the object that it is about.
struct Case {
    call: &'static str,
    object: &'static str,
    /// Whether the line for a shell can say it: what a secret is to hold stands in no line.
    said: bool,
}

const fn case(call: &'static str, object: &'static str) -> Case {
    Case { call, object, said: true }
}

const CASES: [Case; 12] = [
    case("scale(\"deployment/api\", 3)", "deployment/api"),
    case(
        "patch(\"deployment/api\", #{ spec: #{ template: #{ spec: #{ containers: [#{ name: \"api\", image: \"registry.example/api:2\", env: [#{ name: \"B\", value: \"it's\" }, #{ name: \"A\", \"$patch\": \"delete\" }] }, #{ name: \"beside\", image: \"registry.example/beside:1\" }] } } } })",
        "deployment/api",
    ),
    case(
        "patch(\"deployment/api\", #{ spec: #{ template: #{ spec: #{ containers: [#{ name: \"only\", image: \"registry.example/only:1\" }] } } } }, #{ type: \"merge\" })",
        "deployment/api",
    ),
    case("patch(\"configmap/settings\", #{ data: #{ mode: (), more: \"1\" } }, #{ type: \"merge\" })", "configmap/settings"),
    case(
        "patch(\"configmap/settings\", [#{ op: \"test\", path: \"/data/mode\", value: \"fast\" }, #{ op: \"move\", from: \"/data/mode\", path: \"/data/was\" }])",
        "configmap/settings",
    ),
    case("patch(\"service/api\", #{ spec: #{ ports: [#{ port: 81, name: \"more\" }, #{ port: 80, name: \"web\" }] } })", "service/api"),
    Case { call: "patch(\"secret/login\", #{ stringData: #{ password: \"an0ther-passw0rd\" } })", object: "secret/login", said: false },
    case("label(\"configmap/settings\", #{ \"example.com/tier\": \"back\", app: () })", "configmap/settings"),
    case("annotate(\"configmap/settings\", #{ why: \"it's so\", note: \"b\" }, #{ overwrite: true })", "configmap/settings"),
    case("rollout_undo(\"deployment/undone\")", "deployment/undone"),
    case("delete(\"configmap/settings\")", "configmap/settings"),
    case("delete(\"deployment/api\")", "deployment/api"),
];

/// The objects of the cases, in a namespace.
fn objects(namespace: &str) -> String {
    let workload = |name: &str, image: &str| {
        format!(
            "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{ name: {name}, namespace: {namespace}, labels: {{ app: {name} }} }}\n\
             spec:\n  replicas: 1\n  selector: {{ matchLabels: {{ app: {name} }} }}\n  template:\n    metadata: {{ labels: {{ app: {name} }} }}\n    \
             spec:\n      containers:\n      - {{ name: {name}, image: \"{image}\", env: [ {{ name: A, value: a }} ], ports: [ {{ containerPort: 80 }} ] }}\n"
        )
    };
    let plain = format!(
        "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: settings, namespace: {namespace}, labels: {{ app: shop }}, annotations: {{ note: a }} }}\n\
         data: {{ mode: fast, limit: \"100\" }}\n---\napiVersion: v1\nkind: Secret\nmetadata: {{ name: login, namespace: {namespace} }}\n\
         data: {{ password: aHVudGVyMmh1bnRlcjI=, bytes: /wD/AA== }}\n---\napiVersion: v1\nkind: Service\nmetadata: {{ name: api, namespace: {namespace} }}\n\
         spec: {{ selector: {{ app: api }}, ports: [ {{ port: 80 }} ] }}\n"
    );
    [workload("api", "registry.example/api:1"), workload("undone", "registry.example/undone:1"), plain].concat()
}

/// An object as people wrote it, without what differs between two of the same; nothing if there is none.
fn state(namespace: &str, object: &str) -> Value {
    let text = kubectl(&["-n", namespace, "get", object, "--ignore-not-found", "-o", "json"]);
    let Ok(mut found) = serde_json::from_str::<Value>(&text) else { return Value::Null };
    found.as_object_mut().unwrap().remove("status");
    let metadata = found["metadata"].as_object_mut().unwrap();
    for key in ["uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "namespace", "deletionTimestamp"] {
        metadata.remove(key);
    }
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.retain(|key, _| !key.contains("kubernetes.io"));
    }
    let unset = |value: &Value| value.as_object().is_some_and(serde_json::Map::is_empty);
    metadata.retain(|_, value| !unset(value));
    if let Some(spec) = found.get_mut("spec").and_then(Value::as_object_mut) {
        // Each service has addresses of its own.
        spec.retain(|key, _| !key.starts_with("clusterIP"));
    }
    found
}

/// The value at a path as changes name it: `spec.template.spec.containers[0].image`, `metadata.labels["a.b/c"]`.
fn at<'a>(object: &'a Value, path: &str) -> &'a Value {
    let (mut here, mut rest) = (object, path);
    while !rest.is_empty() {
        let (key, more) = match rest.strip_prefix('[') {
            Some(quoted) if quoted.starts_with('"') => quoted[1..].split_once("\"]").unwrap(),
            Some(number) => number.split_once(']').unwrap(),
            None => rest.split_at(rest.find(['.', '[']).unwrap_or(rest.len())),
        };
        here = match key.parse::<usize>() {
            Ok(number) if here.is_array() => &here[number],
            _ => &here[key],
        };
        rest = more.trim_start_matches('.');
    }
    here
}

fn change(ran: &Ran) -> Value {
    let mut changes = ran.json()["changes"].as_array().unwrap().clone();
    assert_eq!(changes.len(), 1, "{ran}");
    changes.remove(0)
}

fn run(project: &Project, script: &str, more: &[&str]) -> Ran {
    project.clone().script("x.rhai", script).run([&["run", "x.rhai", "-o", "json"], more].concat())
}

/// Two namespaces with the same objects, and a project in the first of them.
fn twins(name: &str) -> (Project, String, String) {
    let project = Real::new(name).project();
    let (one, two) = (namespace(name), format!("{}-twin", namespace(name)));
    for place in [&one, &two] {
        project.apply(&format!("apiVersion: v1\nkind: Namespace\nmetadata: {{ name: {place} }}\n{}", objects(place)));
        // The second revision, which one case goes back from.
        kubectl(&["-n", place, "rollout", "status", "deployment/undone", "--timeout=30s"]);
        kubectl(&["-n", place, "set", "image", "deployment/undone", "undone=registry.example/undone:2"]);
        kubectl(&["-n", place, "rollout", "status", "deployment/undone", "--timeout=30s"]);
    }
    (project, one, two)
}

#[test]
fn what_is_rehearsed_is_what_is_done_and_taken_back_and_said_for_a_shell() {
    let (project, one, two) = twins("objects");
    for Case { call, object, said } in CASES {
        let before = state(&one, object);
        assert!(before.is_object(), "{object} is gone before {call}");

        // The rehearsal changes nothing, and the server has validated it.
        let ran = run(&project, &format!("{call};"), &["--dry-run"]).status(0);
        let planned = change(&ran);
        assert_eq!((&planned["status"], &planned["validated"]), (&"would_change".into(), &true.into()), "{ran}");
        assert_eq!(state(&one, object), before, "the rehearsal of {call}");

        // What is recorded as the way back leads back.
        let script = format!("step \"Change\" {{ {call}; }}\nstep \"Fail\" {{ check(false, \"no\"); }}");
        let ran = run(&project, &script, &["--answer", "rollback=yes"]).status(1);
        assert!(ran.journal().iter().any(|line| line["state"] == "rolled_back"), "{ran}");
        assert_eq!(state(&one, object), before, "{call} and back\n{ran}");

        // The line for a shell does the same as the call, and both what the rehearsal has said.
        if said {
            pasted(&project, &planned["equivalent"].as_str().unwrap().replace(&one, &two));
        } else {
            let second = call.strip_suffix(')').map(|call| format!("{call}, #{{ namespace: {two:?} }});")).unwrap();
            run(&project, &second, &[]).status(0);
        }
        let ran = run(&project, &format!("{call};"), &[]).status(0);
        assert_eq!(change(&ran)["status"], "changed", "{ran}");
        let after = state(&one, object);
        assert_eq!(after, state(&two, object), "{call} and its line for a shell");
        for (field, value) in planned["after"].as_object().unwrap() {
            match field.as_str() {
                "exists" => assert_eq!((value, &after), (&false.into(), &Value::Null), "{call}"),
                field if object.starts_with("secret/") => assert!(value["$secret"].is_string() && at(&after, field).is_string(), "{call}"),
                field => assert_eq!(at(&after, field), value, "{call}: {field}"),
            }
        }
        for place in [&one, &two] {
            kubectl(&["-n", place, "delete", object, "--ignore-not-found"]);
            project.apply(&objects(place));
            if object == "deployment/undone" {
                kubectl(&["-n", place, "rollout", "status", object, "--timeout=30s"]);
            }
        }
    }
}

#[test]
fn a_secret_that_is_changed_or_deleted_comes_back_and_is_told_to_nobody() {
    let project = Real::new("secret-objects").project();
    let place = namespace("secret-objects");
    project.apply(&format!("apiVersion: v1\nkind: Namespace\nmetadata: {{ name: {place} }}\n{}", objects(&place)));
    let before = state(&place, "secret/login");
    // The server quotes what it finds invalid: its words are left out.
    let script = "let old = secret(\"login\").data.password;\n\
        patch(\"secret/login\", #{ data: #{ copy: old }, stringData: #{ password: \"an0ther-passw0rd\" } });\n\
        patch(\"secret/login\", [#{ op: \"add\", path: \"/data/third\", value: \"dGhpcmQtc2VjcmV0\" }]);\n\
        try { patch(\"secret/login\", #{ data: #{ number: 7 } }, #{ type: \"merge\" }); } catch (e) { note(e.message); }\n\
        try { patch(\"secret/login\", #{ data: #{ \"a b\": \"dGhpcmQtc2VjcmV0\" } }); } catch (e) { note(e.message); }\n\
        show(describe(\"secret/login\"));\nshow(secret(\"login\"));\ndelete(\"secret/login\");\ncheck(false, \"no\");";
    for more in [&["--dry-run"][..], &["--answer", "rollback=yes"]] {
        let step = format!("step \"Secrets\" {{ {script} }}");
        let ran = project.clone().script("x.rhai", &step).run([&["run", "x.rhai"], more].concat());
        assert_eq!(state(&place, "secret/login"), before, "{ran}");
        let journal = fs::read_to_string(ran.journal_path()).unwrap();
        let payloads = fs::read_dir(ran.journal_path().with_extension("payloads")).into_iter().flatten().flatten();
        let payloads: String = payloads.map(|file| fs::read_to_string(file.path()).unwrap()).collect();
        let ran = ran.stderr_has("may hold the secret and are left out");
        for hidden in ["hunter2", "aHVudGVy", "an0ther", "YW4wdGhlci1", "third-secret", "dGhpcmQ", "/wD/AA"] {
            for (place, text) in [("output", &ran.out), ("messages", &ran.err), ("journal", &journal), ("payloads", &payloads)] {
                assert!(!text.contains(hidden), "{hidden} is in the {place}\n{ran}\n{journal}");
            }
        }
        let made = ran.outcomes();
        assert!(made.iter().filter(|line| line.starts_with("secret/login")).count() >= 3, "{made:?}\n{ran}");
    }
}

/// A node of its own, which takes only pods that are made for it.
fn node(name: &str, place: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Node\nmetadata: {{ name: {name}, labels: {{ drain: {place} }} }}\n\
         spec: {{ taints: [ {{ key: own, value: x, effect: NoSchedule }} ] }}\n\
         status: {{ capacity: {{ cpu: \"8\", memory: 8Gi, pods: \"110\" }}, allocatable: {{ cpu: \"8\", memory: 8Gi, pods: \"110\" }} }}\n"
    )
}

#[test]
fn a_drain_waits_for_disruption_budgets_and_leaves_the_pods_of_daemonsets() {
    let project = Real::new("drained").project();
    let place = namespace("drained");
    let (first, second) = (format!("{place}-a"), format!("{place}-b"));
    let pods = |name: &str, ready: &str, select: &str| {
        format!(
            "selector: {{ matchLabels: {{ app: {name} }} }}\n  template:\n    \
             metadata: {{ labels: {{ app: {name} }}, annotations: {{ \"pod-ready.stage.kwok.x-k8s.io/delay\": {ready} }} }}\n    spec:\n      \
             tolerations: [ {{ key: own, operator: Exists }} ]\n      nodeSelector: {{ {select} }}\n      \
             containers: [ {{ name: {name}, image: \"registry.example/{name}:1\" }} ]\n"
        )
    };
    project.apply(&format!(
        "apiVersion: v1\nkind: Namespace\nmetadata: {{ name: {place} }}\n{}---\napiVersion: policy/v1\nkind: PodDisruptionBudget\n\
         metadata: {{ name: web, namespace: {place} }}\nspec: {{ minAvailable: 1, selector: {{ matchLabels: {{ app: web }} }} }}\n\
         ---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{ name: web, namespace: {place} }}\nspec:\n  replicas: 2\n  {}\
         ---\napiVersion: apps/v1\nkind: DaemonSet\nmetadata: {{ name: agent, namespace: {place} }}\nspec:\n  {}",
        node(&first, &place),
        pods("web", "2s", &format!("drain: {place}")),
        pods("agent", "0s", &format!("drain: {place}")),
    ));
    kubectl(&["-n", &place, "rollout", "status", "deployment/web", "--timeout=40s"]);
    kubectl(&["-n", &place, "rollout", "status", "daemonset/agent", "--timeout=40s"]);
    // The place where the evicted ones go.
    project.apply(&node(&second, &place));
    let on = |node: &str| {
        kubectl(&[
            "-n",
            &place,
            "get",
            "pods",
            "--field-selector",
            &format!("spec.nodeName={node}"),
            "-o",
            "jsonpath={.items[*].metadata.labels.app}",
        ])
    };
    assert_eq!(on(&first).matches("web").count(), 2);

    let script = format!(
        "let done = drain({first:?}, #{{ timeout: \"40s\" }});\nnote(`${{done.evicted.len()}} ${{done.remaining}} ${{done.status}}`);"
    );
    let rehearsed = project.rehearsed_really(&script).status(0).stderr_has("note: 2 [] would_change");
    assert_eq!((on(&first).matches("web").count(), rehearsed.outcomes().len()), (2, 3), "{rehearsed}");
    let told = |intents: &[Value]| -> Vec<(Value, Value)> {
        intents.iter().map(|intent| (intent["object"].clone(), intent["after"].clone())).collect()
    };
    let foretold = told(&rehearsed.journaled("intent"));

    let ran = project.really(&script).status(0).stderr_has("note: 2 [] changed");
    assert_eq!((on(&first).as_str(), on(&second).matches("web").count()), ("agent", 2), "{ran}");
    let intents = ran.journaled("intent");
    assert_eq!(intents.iter().map(|intent| intent["of"].as_u64()).collect::<Vec<_>>(), [Some(3); 3]);
    assert_eq!(told(&intents), foretold, "what was to go is what went");
    let audit = fs::read_to_string(variable("RUNBOOK_TEST_AUDIT_LOG")).unwrap();
    let events = audit.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let evictions = events.filter(|event| {
        event["objectRef"]["subresource"] == "eviction"
            && event["objectRef"]["namespace"] == place.as_str()
            && event["stage"] == "ResponseComplete"
    });
    let codes: Vec<u64> = evictions.filter_map(|event| event["responseStatus"]["code"].as_u64()).collect();
    assert!(codes.contains(&429) && codes.iter().filter(|code| **code == 201).count() >= 2, "the budget held nobody: {codes:?}");

    // Again: nothing is left to do, and the node comes back.
    let again = format!("let done = drain({first:?});\nnote(`${{done.evicted}} ${{done.status}}`);\nuncordon({first:?});");
    project.really(&again).status(0).stderr_has("note: [] unchanged");
    assert_eq!(kubectl(&["get", "node", &first, "-o", "jsonpath={.spec.unschedulable}"]), "");

    // By hand, from the other node back, as a rehearsal says it; the second pod waits for the first one's heir.
    kubectl(&["-n", &place, "rollout", "status", "deployment/web", "--timeout=40s"]);
    let rehearsed = run(&project, &format!("drain({second:?});"), &["--dry-run"]).status(0).json();
    let lines: Vec<&str> = rehearsed["changes"].as_array().unwrap().iter().filter_map(|change| change["equivalent"].as_str()).collect();
    assert_eq!(lines.len(), 3, "{rehearsed}");
    for line in lines {
        pasted(&project, line);
        kubectl(&["-n", &place, "rollout", "status", "deployment/web", "--timeout=40s"]);
    }
    assert_eq!((on(&first).matches("web").count(), on(&second).as_str()), (2, "agent"));
    assert_eq!(field(&["node", &second], "spec.unschedulable"), Value::Bool(true));
    kubectl(&["delete", "node", &first, &second, "--wait=false"]);
}

/// The value at a path of an object, as the server has it now.
fn field(object: &[&str], path: &str) -> Value {
    let text = kubectl(&[&["get"][..], object, &["-o", "json"]].concat());
    at(&serde_json::from_str(&text).unwrap(), path).clone()
}

/// Runs a change's line for a shell.
fn pasted(project: &Project, line: &str) {
    let tools = project.outside().join("tools");
    if !tools.exists() {
        fs::create_dir(&tools).unwrap();
        symlink(variable("RUNBOOK_TEST_KUBECTL"), tools.join("kubectl")).unwrap();
    }
    let path = format!("{}:/usr/bin:/bin", tools.display());
    let mut shell = Command::new("sh");
    shell.args(["-c", line]).env("PATH", path).env("KUBECONFIG", variable("RUNBOOK_TEST_KUBECONFIG"));
    let output = shell.output().unwrap();
    assert!(output.status.success(), "{line}\n{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_node_is_closed_and_opened_as_rehearsed_and_taken_back_and_said_for_a_shell() {
    let project = Real::new("closed").project();
    let place = namespace("closed");
    let (one, two) = (format!("{place}-a"), format!("{place}-b"));
    project.apply(&[node(&one, &place), node(&two, &place)].concat());
    let closed = |name: &str| field(&["node", name], "spec.unschedulable");
    for (verb, first) in [("cordon", "uncordon"), ("uncordon", "cordon")] {
        for name in [&one, &two] {
            kubectl(&[first, name]);
        }
        let (before, call) = (closed(&one), format!("{verb}({one:?});"));
        let ran = run(&project, &call, &["--dry-run"]).status(0);
        let planned = change(&ran);
        assert_eq!((&planned["status"], &planned["validated"]), (&"would_change".into(), &true.into()), "{ran}");
        assert_eq!(closed(&one), before, "the rehearsal of {call}");

        let script = format!("step \"Change\" {{ {call} }}\nstep \"Fail\" {{ check(false, \"no\"); }}");
        let ran = run(&project, &script, &["--answer", "rollback=yes"]).status(1);
        assert!(ran.journal().iter().any(|line| line["state"] == "rolled_back"), "{ran}");
        assert_eq!(closed(&one), before, "{call} and back\n{ran}");

        let ran = run(&project, &call, &[]).status(0);
        assert_eq!(change(&ran)["status"], "changed", "{ran}");
        pasted(&project, &planned["equivalent"].as_str().unwrap().replace(&one, &two));
        assert_eq!((closed(&one), closed(&two)), (planned_value(&planned, "spec.unschedulable"), closed(&one)), "{ran}");
        assert_ne!(closed(&one), before, "{ran}");
    }
    kubectl(&["delete", "node", &one, &two, "--wait=false"]);
}

/// What a field is to be; a server leaves out what is false.
fn planned_value(planned: &Value, field: &str) -> Value {
    let value = planned["after"].get(field).unwrap_or_else(|| panic!("{planned}"));
    if *value == Value::Bool(false) { Value::Null } else { value.clone() }
}

#[test]
fn a_restart_stamps_the_template_as_rehearsed_and_nothing_takes_it_back() {
    let (project, one, two) = twins("restarted");
    let stamp = "spec.template.metadata.annotations[\"kubectl.kubernetes.io/restartedAt\"]";
    let stamped = |place: &str| {
        let mut object = state(place, "deployment/api");
        let template = object["spec"]["template"]["metadata"].as_object_mut().unwrap();
        let time = template.remove("annotations").map(|all| at(&all, "[\"kubectl.kubernetes.io/restartedAt\"]").clone());
        (object, time)
    };
    let before = stamped(&one);
    assert_eq!(before.1, None);
    let call = "restart(\"deployment/api\");";
    let planned = change(&run(&project, call, &["--dry-run"]).status(0));
    assert_eq!((&planned["validated"], stamped(&one)), (&true.into(), before.clone()));
    let fields: Vec<_> = planned["after"].as_object().unwrap().keys().collect();
    assert_eq!(fields, [stamp], "{planned}");

    let step = format!("step \"Change\" {{ {call} }}\nstep \"Fail\" {{ check(false, \"no\"); }}");
    let ran = run(&project, &step, &["--answer", "rollback=yes"]).status(1);
    let intents = ran.journaled("intent");
    assert_eq!((intents.len(), &intents[0]["inverse"]), (1, &Value::Null), "{ran}");
    pasted(&project, &planned["equivalent"].as_str().unwrap().replace(&one, &two));
    let (by_call, by_hand) = (stamped(&one), stamped(&two));
    assert_eq!((&by_call.0, &by_hand.0), (&before.0, &before.0), "nothing but the stamp");
    assert_eq!(by_call.1.as_ref(), Some(&intents[0]["after"][stamp]), "{ran}");
    let is_time = |time: Option<Value>| time.and_then(|time| time.as_str().map(|time| time.starts_with("20"))) == Some(true);
    assert!(is_time(by_call.1) && is_time(by_hand.1) && is_time(planned["after"].get(stamp).cloned()), "{planned}");
}

#[test]
fn jobs_and_daemonsets_are_waited_for_and_rolled_back() {
    let project = Real::new("others").project();
    let place = namespace("others");
    let template = |name: &str, more: &str| {
        format!(
            "template:\n    metadata: {{ labels: {{ app: {name} }} }}\n    spec:\n      {more}containers: [ {{ name: {name}, image: \"registry.example/{name}:1\" }} ]\n"
        )
    };
    project.apply(&format!(
        "apiVersion: v1\nkind: Namespace\nmetadata: {{ name: {place} }}\n---\napiVersion: batch/v1\nkind: Job\n\
         metadata: {{ name: import, namespace: {place} }}\nspec:\n  {}---\napiVersion: apps/v1\nkind: DaemonSet\n\
         metadata: {{ name: agent, namespace: {place} }}\nspec:\n  selector: {{ matchLabels: {{ app: agent }} }}\n  {}",
        template("import", "restartPolicy: Never\n      "),
        template("agent", ""),
    ));
    let script = "let job = wait_ready(\"job/import\", #{ timeout: \"40s\" });\n\
        wait_ready(\"daemonset/agent\", #{ timeout: \"40s\" });\n\
        check(pods(\"job/import\").len() == 1 && describe(\"job/import\").pods.len() == 1, \"the job's pod\");\n\
        patch(\"daemonset/agent\", #{ spec: #{ template: #{ spec: #{ containers: [#{ name: \"agent\", image: \"registry.example/agent:2\" }] } } } });\n\
        wait_ready(\"daemonset/agent\", #{ timeout: \"1m\" });\n\
        let done = rollout_undo(\"daemonset/agent\");\nwait_ready(\"daemonset/agent\", #{ timeout: \"1m\" });\n\
        note(`${job.message} ${done.to_revision} ${get(\"daemonset/agent\").spec.template.spec.containers[0].image}`);";
    project.really(script).status(0).stderr_has("note: ready 1 registry.example/agent:1");
    let stuck = "wait_ready(\"job/never\", #{ timeout: \"1s\" });";
    project.apply(&format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata: {{ name: never, namespace: {place} }}\nspec:\n  suspend: true\n  {}",
        template("never", "restartPolicy: Never\n      ")
    ));
    project.really(stuck).status(124).stderr_has("job/never was not ready not within 1s: job/never: 0 of 1 complete");
}
