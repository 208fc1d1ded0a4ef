//! What a world refuses, in whose words.

use super::*;

#[test]
fn patches_are_refused_as_by_the_api_server() {
    let world = try_load("objects: [{ kind: ConfigMap, metadata: { name: settings }, data: { max: '100' } }]").unwrap();
    for (target, patch, kind, message) in [
        (
            "deployment/billing",
            r#"{"spec":{"replicas":-1}}"#,
            Kind::BadArgument,
            "Deployment.apps \"billing\" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0",
        ),
        ("deployment/billing", r#"{"spec":{"replicas":"3"}}"#, Kind::BadArgument, "spec.replicas: Invalid value: \"3\""),
        ("deployment/billing", r#"{"metadata":{"name":"other"}}"#, Kind::BadArgument, "metadata.name: Invalid value: \"other\""),
        ("deployment/billing", r#"{"metadata":{"namespace":"other"}}"#, Kind::BadArgument, "metadata.namespace"),
        ("deployment/billing", r#"{"spec":{"selector":{"matchLabels":{"app":"x"}}}}"#, Kind::BadArgument, "field is immutable"),
        (
            "deployment/billing",
            r#"{"spec":{"template":{"metadata":{"labels":{"app":"x"}}}}}"#,
            Kind::BadArgument,
            "does not match template",
        ),
        ("deployment/billing", r#"{"metadata":{"labels":{"a":1}}}"#, Kind::BadArgument, "metadata.labels.a: must be text, not int"),
        ("deployment/billing", r#"{"metadata":{"resourceVersion":"7"}}"#, Kind::Conflict, "the object has been modified"),
        ("deployment/billing", r#"{"spec":null}"#, Kind::BadArgument, "spec.replicas"),
        ("deployment/billing", r#"3"#, Kind::BadArgument, "must be a map, not int"),
        (
            "configmap/settings",
            r#"{"data":{"max":200}}"#,
            Kind::BadArgument,
            "ConfigMap \"settings\" is invalid: data.max: must be text, not int",
        ),
        ("deployment/biling", r#"{}"#, Kind::NotFound, "deployment/biling does not exist"),
        ("pod/nothing", r#"{}"#, Kind::NotFound, "pod/nothing does not exist"),
    ] {
        let failure = world.patch(target, patch).unwrap_err();
        assert_eq!(failure.kind, kind, "{target} {patch}: {}", failure.message);
        assert!(failure.message.contains(message), "{target} {patch}: {}", failure.message);
    }
    assert_eq!(world.patch("deployment/biling", "{}").unwrap_err().hint.as_deref(), Some("did you mean `billing`?"));
    let failure = world.patch_with("configmap/settings", Some("scale"), map! {}).unwrap_err();
    assert_eq!((failure.kind, failure.message.as_str()), (Kind::NotFound, "the server could not find the requested resource"));
    assert_eq!(world.get("deployment/billing").str_at(&["metadata", "resourceVersion"]), Some("1000"));
}

#[test]
fn mistakes_in_a_file_name_the_line_and_the_nearest_name() {
    for (yaml, place, message, hint) in [
        (
            "about: x\nworkloads:\n  deployment/api-gatway: { replicas: 1 }\n",
            ":3:3: ",
            "no service or database",
            "did you mean `deployment/api-gateway`?",
        ),
        ("workloads:\n  deployment/quite-another: {}\n", ":2:3: ", "no service or database", "say `extra: true`"),
        ("workloads:\n  replicaset/x: {}\n", ":2:3: ", "not replicasets", ""),
        ("workloads:\n  daemonset/x: { replicas: 2, extra: true }\n", ":2:18: ", "a daemonset has one pod on each node that fits", ""),
        ("workloads:\n  deployment/billing:\n    replcas: 1\n", ":3:5: ", "unknown key \"replcas\"", "did you mean `replicas`?"),
        ("services:\n  biling: {}\n", ":2:3: ", "unknown service \"biling\"", "did you mean `billing`?"),
        ("services:\n  billing: { routes: { /x: {} } }\n", ":2:24: ", "is no route", "a method in capitals"),
        ("databases: { postgers: {} }\n", ":1:14: ", "unknown database", "did you mean `postgres`?"),
        ("databases:\n  postgres:\n    keys: { a: b }\n", ":3:5: ", "`keys` is for redis", ""),
        ("databases:\n  postgres:\n    statements:\n      - { match: \"(\" }\n", ":4:11: ", "is no regular expression", ""),
        ("databases:\n  postgres:\n    statements:\n      - { rows: [] }\n", ":4:9: ", "either `sql`", ""),
        ("channels: { incident: {} }\n", ":1:13: ", "unknown channel", "did you mean `incidents`?"),
        ("urls: { \"http://evil.example/\": {} }\n", ":1:9: ", "beyond what the environment allows", "`allow`"),
        ("objects:\n  - { kind: ConfigMap }\n", ":2:5: ", "no `metadata.name`", ""),
        ("objects:\n  - { kind: Deployment, metadata: { name: x } }\n", ":2:5: ", "belong under `workloads`", ""),
    ] {
        let Err(failure) = try_load(yaml) else { panic!("{yaml} was taken") };
        assert!(failure.message.contains(&format!(".yaml{place}")) && failure.message.contains(message), "{yaml}: {}", failure.message);
        assert!(failure.hint.as_deref().unwrap_or_default().contains(hint), "{yaml}: {:?}", failure.hint);
    }
    let (config, environment) = setting();
    let Err(failure) = World::load(Path::new("no/such.yaml"), config, environment, start()) else { panic!("loaded") };
    assert_eq!(failure.kind, Kind::NotFound);
}

#[test]
fn statements_without_an_answer_name_the_file() {
    let world = example("outage.yaml");
    world.scale("statefulset/postgres", 1);
    world.sleep(12);
    let statement =
        Statement { database: "postgres".into(), text: "SELECT  2".into(), params: Vec::new(), limit: 1, save: None, timeout: WAIT };
    let failure = world.ask(&Read::Sql(statement)).unwrap_err();
    assert_eq!((failure.kind, failure.message.as_str()), (Kind::BadArgument, "the world has no answer to the statement \"SELECT 2\""));
    let hint = failure.hint.unwrap();
    assert!(hint.contains("examples/worlds/outage.yaml, under databases.postgres.statements: { sql: \"SELECT 2\""), "{hint}");
}
