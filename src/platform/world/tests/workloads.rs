//! Workloads and their pods through changes and time.

use super::*;

#[test]
fn scaling_up_makes_pending_pods_that_become_ready_in_time() {
    let world = try_load("workloads: { deployment/api-gateway: { replicas: 2, ready_after: 4s } }").unwrap();
    assert_eq!(world.status("deployment/api-gateway"), "2/2/2");
    let answer = world.scale("deployment/api-gateway", 4);
    assert_eq!(answer.str_at(&["kind"]), Some("Scale"));
    assert_eq!((answer.int_at(&["spec", "replicas"]), answer.int_at(&["status", "replicas"])), (Some(4), Some(2)));
    assert_eq!(world.status("deployment/api-gateway"), "4/4/2");
    assert_eq!(world.pods("api-gateway").iter().filter(|pod| pod.ends_with("Pending False")).count(), 2);
    world.sleep(3);
    assert_eq!(world.status("deployment/api-gateway"), "4/4/2");
    world.sleep(1);
    assert_eq!(world.status("deployment/api-gateway"), "4/4/4");
    assert!(world.pods("api-gateway").iter().all(|pod| pod.ends_with("Running True")));
    let object = world.get("deployment/api-gateway");
    assert_eq!((object.int_at(&["metadata", "generation"]), object.int_at(&["status", "observedGeneration"])), (Some(2), Some(2)));
    world.scale("deployment/api-gateway", 1);
    assert_eq!(world.status("deployment/api-gateway"), "1/1/1");
}

#[test]
fn a_statefulset_starts_its_pods_one_after_the_other_and_stops_the_last_first() {
    let world = try_load("workloads: { statefulset/postgres: { replicas: 0, ready_after: 4s } }").unwrap();
    world.scale("statefulset/postgres", 3);
    for expected in [vec!["postgres-0 Pending False"], vec!["postgres-0 Running True", "postgres-1 Pending False"]] {
        assert_eq!(world.pods("postgres"), expected);
        world.sleep(4);
    }
    world.sleep(4);
    assert_eq!(world.status("statefulset/postgres"), "3/3/3");
    world.scale("statefulset/postgres", 1);
    assert_eq!(world.pods("postgres"), ["postgres-0 Running True"]);
}

#[test]
fn a_restart_rolls_through_new_pods() {
    let world = healthy();
    let before = world.pods("auth-rbac");
    world.patch("deployment/auth-rbac", &restart("2026-01-01T03:00:00Z")).unwrap();
    let mut seen = vec![world.status("deployment/auth-rbac")];
    for _ in 0..12 {
        world.sleep(1);
        let status = world.status("deployment/auth-rbac");
        assert!(status.ends_with("/3") || status.ends_with("/4"), "never fewer ready than wanted: {status}");
        if seen.last() != Some(&status) {
            seen.push(status);
        }
    }
    assert_eq!(seen, ["4/1/3", "4/2/3", "4/3/3", "3/3/3"]);
    assert!(world.pods("auth-rbac").iter().all(|pod| !before.contains(pod)));
    let mut sets = world.select("replicaset", "app=auth-rbac");
    sets.sort_by_key(|set| set.int_at(&["spec", "replicas"]));
    assert_eq!(sets.iter().map(|set| set.int_at(&["spec", "replicas"]).unwrap()).collect::<Vec<_>>(), [0, 3]);
    let pods = world.select("pod", "app=auth-rbac");
    let owner = pods[0].at(&["metadata", "ownerReferences"]).and_then(Value::as_list).unwrap();
    assert_eq!(owner[0].str_at(&["name"]), sets[1].str_at(&["metadata", "name"]));
    assert_eq!(world.get("deployment/auth-rbac").at(&["metadata", "annotations", "deployment.kubernetes.io/revision"]), Some(&"2".into()));
}

#[test]
fn a_statefulsets_restart_replaces_the_last_pod_first() {
    let world = healthy();
    world.patch("statefulset/postgres", &restart("x")).unwrap();
    assert_eq!(world.pods("postgres"), ["postgres-0 Running True", "postgres-1 Running True", "postgres-2 Pending False"]);
    assert_eq!(world.status("statefulset/postgres"), "3/1/2");
    world.sleep(3);
    assert_eq!(world.pods("postgres")[1], "postgres-1 Pending False");
    world.sleep(6);
    assert_eq!(world.status("statefulset/postgres"), "3/3/3");
    let object = world.get("statefulset/postgres");
    assert_eq!(object.at(&["status", "currentRevision"]), object.at(&["status", "updateRevision"]));
}

#[test]
fn the_clock_set_back_shows_what_was_then() {
    let world = example("outage.yaml");
    let fork = world.clock().elapsed();
    world.scale("deployment/redis", 3);
    world.sleep(10);
    world.scale("deployment/redis", 1);
    let late = world.get("deployment/redis");
    let pods = world.pods("redis");

    // The second branch begins where the first one did, and sees the first one's change of that time only.
    world.clock().jump(fork);
    assert_eq!(world.status("deployment/redis"), "3/3/0");
    world.scale("deployment/mongodb", 2);
    world.sleep(4);
    assert_eq!(world.status("deployment/redis"), "3/3/3");
    world.clock().jump(Duration::from_secs(10));
    assert_eq!((world.get("deployment/redis"), world.pods("redis")), (late, pods));
    assert_eq!(world.status("deployment/mongodb"), "2/2/2");

    // A change before a known one goes in before it: annotated at 5 s, scaled to one at 10 s all the same.
    world.clock().jump(Duration::from_secs(5));
    world.patch("deployment/redis", r#"{"metadata":{"annotations":{"note":"x"}},"spec":{"replicas":2}}"#).unwrap();
    assert_eq!(world.status("deployment/redis"), "2/2/2");
    world.clock().jump(Duration::from_secs(10));
    let object = world.get("deployment/redis");
    assert_eq!((object.int_at(&["spec", "replicas"]), object.str_at(&["metadata", "annotations", "note"])), (Some(1), Some("x")));
}

#[test]
fn two_worlds_of_one_file_are_the_same() {
    let run = || {
        let world = example("slow-gateway.yaml");
        world.scale("deployment/api-gateway", 7);
        world.sleep(4);
        (world.select("pod", ""), world.get("deployment/api-gateway"), world.health("api-gateway"))
    };
    assert_eq!(run(), run());
}

#[test]
fn the_outage_recovers_in_the_time_that_the_file_says() {
    let world = example("outage.yaml");
    assert!(world.select("pod", "").is_empty());
    assert_eq!(world.select("node", "node-type=gpu").len(), 1);
    for (name, replicas) in SERVICES {
        world.scale(&format!("deployment/{name}"), i64::from(replicas));
    }
    for target in ["statefulset/postgres", "statefulset/scylladb", "deployment/mongodb", "deployment/redis"] {
        world.scale(target, 3);
    }
    world.sleep(59);
    assert_eq!(world.status("deployment/qwen-host"), "2/2/0");
    world.sleep(1);
    assert!(world.select("pod", "").iter().all(|pod| pod.str_at(&["status", "phase"]) == Some("Running")));
    let count = Statement {
        database: "postgres".into(),
        text: "SELECT count(*)\n  FROM chatbot_knowledge.documents;".into(),
        params: Vec::new(),
        limit: 10,
        save: None,
        timeout: WAIT,
    };
    assert_eq!(world.ask(&Read::Sql(count)).unwrap().to_string(), r#"{"columns":["count"],"rows":[{"count":42}]}"#);
}

#[test]
fn a_patch_lands_and_a_validation_only_predicts() {
    let world = try_load("objects: [{ kind: ConfigMap, metadata: { name: settings }, data: { max: '100' } }]").unwrap();
    let patch = map! { "data" => map! { "max" => "200" } };
    let write = Write::Patch {
        object: object("configmap/settings"),
        subresource: None,
        patch,
        kind: PatchKind::Merge,
        verb: PatchVerb::Patch,
        timeout: WAIT,
    };
    let Validation::Accepted(Some(predicted)) = with_cx(|cx| world.validate(&write, cx)).unwrap() else { panic!("not validated") };
    assert_eq!(predicted.str_at(&["data", "max"]), Some("200"));
    assert_eq!(world.get("configmap/settings").str_at(&["data", "max"]), Some("100"));
    let answer = world.patch("configmap/settings", r#"{"data":{"max":"200"}}"#).unwrap();
    assert_eq!((&answer, answer.str_at(&["metadata", "resourceVersion"])), (&world.get("configmap/settings"), Some("1001")));
    // The same again changes nothing, and the version says so.
    assert_eq!(world.patch("configmap/settings", r#"{"data":{"max":"200"}}"#).unwrap(), answer);

    world.patch("node/node-1", r#"{"spec":{"unschedulable":true},"metadata":{"labels":{"security":"quarantine"}}}"#).unwrap();
    assert_eq!(world.select("node", "security=quarantine").len(), 1);
    world.scale("deployment/billing", 12);
    let made = world.select("pod", "app=billing").into_iter().filter(|pod| pod.str_at(&["status", "phase"]) == Some("Pending"));
    let places: Vec<String> = made.map(|pod| pod.str_at(&["spec", "nodeName"]).unwrap().to_owned()).collect();
    assert!(places.len() == 10 && !places.contains(&"node-1".to_owned()), "{places:?}");

    let pod = world.select("pod", "app=consent")[0].str_at(&["metadata", "name"]).unwrap().to_owned();
    world.patch(&format!("pod/{pod}"), r#"{"metadata":{"labels":{"hold":"yes"}}}"#).unwrap();
    assert_eq!(world.select("pod", "hold=yes").len(), 1);
}
