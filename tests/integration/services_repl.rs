//! A sitting on the real systems: reading, a change that asks, Ctrl-C, names from the cluster.

use std::time::{Duration, Instant};

use crate::services::{kubectl, namespace, variable};
use crate::support::Project;
use crate::support::pty::{CTRL_C, CTRL_D, ENTER, Screen, TAB};

/// A project whose protected environment is the real systems, with one deployment of one replica.
fn project(name: &str) -> (Project, String) {
    let namespace = namespace(name);
    let text = format!(
        "[services.api]\nworkload = \"deployment/api\"\nurl = \"http://127.0.0.1:9\"\n\
         [environments.prod]\ncontext = \"test\"\nnamespace = \"{namespace}\"\n\
         [environments.prod.databases.postgres]\nurl = \"postgres://ops@{}/therapeutic_ai\"\npassword = {{ env = \"OPS_PASSWORD\" }}\n",
        variable("RUNBOOK_TEST_POSTGRES"),
    );
    let password = variable("RUNBOOK_TEST_POSTGRES_OPS_PASSWORD");
    let project = Project::new().config(&text).env("KUBECONFIG", &variable("RUNBOOK_TEST_KUBECONFIG")).env("OPS_PASSWORD", &password);
    kubectl(&["create", "namespace", &namespace]);
    kubectl(&["-n", &namespace, "create", "deployment", "api", "--image=registry.example/api:1", "--replicas=3"]);
    kubectl(&["-n", &namespace, "wait", "--for=condition=Available", "deployment/api", "--timeout=60s"]);
    project.run(["trust", "--yes"]).status(0);
    (project, namespace)
}

fn replicas(namespace: &str) -> String {
    kubectl(&["-n", namespace, "get", "deployment", "api", "-o", "jsonpath={.spec.replicas}"])
}

#[track_caller]
fn begun(project: &Project, args: &[&str]) -> Screen {
    let mut screen = project.on_terminal(["repl"].iter().chain(args), 120, 50);
    screen.prompted();
    screen
}

#[test]
fn a_change_in_a_protected_environment_names_it_and_asks() {
    let (project, namespace) = project("repl-asks");
    let mut screen = begun(&project, &[]);
    screen.has("prod! > ").has("changes are REAL").enter("get(\"deployment/api\").spec.replicas").has("\n3\n");
    // No is an error that the sitting survives, and nothing is sent.
    screen
        .send(&format!("scale(\"api\", 2){ENTER}"))
        .asked()
        .has("[y]es [n]o [s]tep [a]ll s[k]ip [q]uit")
        .has("prod: scale deployment/api");
    screen.has("spec.replicas: 3 → 2").has("kubectl --context=test -n ").enter("n").has("error[not_confirmed]");
    assert_eq!(replicas(&namespace), "3");
    // A person's "quit" ends the call, not the sitting.
    screen
        .clear()
        .send(&format!("scale(\"api\", 2){ENTER}"))
        .asked()
        .enter("q")
        .has("a person stopped the run")
        .enter("1 + 1")
        .has("\n2\n");
    screen.clear().send(&format!("scale(\"api\", 2){ENTER}")).asked().enter("y").has("spec.replicas 3 → 2  changed");
    assert_eq!(replicas(&namespace), "2");
    // What changes while the question stands is asked about anew.
    screen.clear().send(&format!("scale(\"api\", 1){ENTER}")).asked().has("spec.replicas: 2 → 1");
    kubectl(&["-n", &namespace, "scale", "deployment/api", "--replicas=4"]);
    screen.send("y\r").asked().has("spec.replicas: 4 → 1").has("this changed while the question stood").enter("n").has("not confirmed");
    assert_eq!(replicas(&namespace), "4");
    kubectl(&["-n", &namespace, "scale", "deployment/api", "--replicas=2"]);
    // Elsewhere is said, and the bare name is no yes for it.
    let other = format!("{namespace}-b");
    kubectl(&["create", "namespace", &other]);
    kubectl(&["-n", &other, "create", "deployment", "api", "--image=registry.example/api:1", "--replicas=1"]);
    screen.clear().send(&format!("scale(\"api\", 0, #{{ namespace: \"{other}\" }}){ENTER}"));
    screen.asked().has(&format!("type {other}/deployment/api to go ahead")).has(&format!("prod: scale {other}/deployment/api"));
    screen.enter("api").has("not confirmed");
    // None at all is severe, and wants the name.
    screen.clear().send(&format!("scale(\"api\", 0){ENTER}")).asked().has("type api to go ahead").enter("y").has("not confirmed");
    // Back up is mild by the policy; `:undo` asks all the same.
    screen
        .clear()
        .send(&format!(":undo{ENTER}"))
        .asked()
        .has("prod: take back scale of deployment/api?")
        .enter("y")
        .has("spec.replicas 2 → 3  changed");
    assert_eq!(replicas(&namespace), "3");
    // What somebody else did in between is told before it is taken back.
    screen.clear().send(&format!("scale(\"api\", 4){ENTER}")).prompted().has("spec.replicas 3 → 4  changed");
    kubectl(&["-n", &namespace, "scale", "deployment/api", "--replicas=5"]);
    screen.clear().send(&format!(":undo{ENTER}")).asked().has("somebody has changed it since: spec.replicas: 4 → 5");
    screen.enter("n").has("the change of deployment/api was not confirmed (person)").has_not("= help");
    assert_eq!(replicas(&namespace), "5");
    // Ctrl-C at a question is a no.
    screen.clear().send(&format!("restart(\"api\"){ENTER}")).asked().send(CTRL_C).prompted().has("error[").enter("2 + 2").has("\n4\n");
    screen.send(CTRL_D);
    assert_eq!(screen.ended(), Some(0));
    let ran = project.run(["log", "verify", "last"]).status(0).stdout_has("to the run's end");
    assert_eq!(ran.outcomes(), ["deployment/api changed"; 3]);
    let decisions: Vec<String> = ran.journaled("decision").iter().map(|line| line["decision"].as_str().unwrap().to_owned()).collect();
    assert_eq!(decisions[..7], ["refused", "denied", "confirmed", "confirmed", "refused", "refused", "refused"], "{ran}");
}

#[test]
fn ctrl_c_stops_waits_and_reads_of_real_systems_at_once() {
    let (project, _) = project("repl-stops");
    let mut screen = begun(&project, &[]);
    for slow in [
        "sleep(\"1m\")",
        "wait_until(|| get(\"deployment/api\").spec.replicas == 99)",
        "sql(\"postgres\", \"SELECT count(*) FROM generate_series(1, 900000000)\")",
    ] {
        screen.send(&format!("{slow}{ENTER}"));
        std::thread::sleep(Duration::from_millis(800));
        let pressed = Instant::now();
        screen.send(CTRL_C).prompted();
        let took = pressed.elapsed();
        assert!(took < Duration::from_millis(100), "{slow}: {took:?}\n{}", screen.text());
        screen.has("error[cancelled]").enter("sql(\"postgres\", \"SELECT 41 + 1 AS n\")[0].n").has("\n42\n").clear();
    }
    screen.send(CTRL_D);
    assert_eq!(screen.ended(), Some(0));
    let password = variable("RUNBOOK_TEST_POSTGRES_OPS_PASSWORD");
    assert!(!screen.raw().contains(&password));
}

#[test]
fn names_of_the_cluster_are_there_when_tab_is_pressed() {
    let (project, namespace) = project("repl-names");
    let pods = kubectl(&["-n", &namespace, "get", "pods", "-o", "jsonpath={.items[0].metadata.name}"]);
    let mut screen = begun(&project, &["--dry-run"]);
    screen.has("prod (dry-run) > ").has("a rehearsal: nothing is changed, nobody is notified");
    // All but the last character, which only the cluster knows.
    let (known, _) = pods.split_at(pods.len() - 1);
    screen.send(&format!("logs(\"{known}"));
    let found = format!("logs(\"{pods}\"");
    for _ in 0..40 {
        let pressed = Instant::now();
        screen.send(TAB);
        std::thread::sleep(Duration::from_millis(100));
        assert!(pressed.elapsed() < Duration::from_secs(1));
        if screen.text().contains(&found) {
            break;
        }
    }
    screen.has(&found).send(CTRL_C).prompted();
    // What is only predicted stays in the rehearsal.
    screen.enter("scale(\"api\", 6)").has("would_change").enter("get(\"deployment/api\").spec.replicas").has("\n6\n");
    assert_eq!(replicas(&namespace), "3");
    screen.enter(":dry-run off").has("prod! > ").enter("get(\"deployment/api\").spec.replicas").has("\n3\n");
    screen.send(CTRL_D);
    assert_eq!(screen.ended(), Some(0));
}
