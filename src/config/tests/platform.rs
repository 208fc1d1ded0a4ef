//! The project's own `runbook.toml`: the platform that its runbooks are about.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::*;

fn platform() -> Config {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    Config::load(root, None, &Dirs::default()).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn it_has_the_services_databases_and_addresses() {
    let config = platform();
    assert_eq!(config.environments.keys().collect::<Vec<_>>(), ["prod", "staging"]);
    assert_eq!(config.services.len(), 20);
    for (name, service) in &config.services {
        assert_eq!(service.workload, Some(format!("deployment/{name}")));
        assert!(service.url.as_ref().is_some_and(|url| url.starts_with(&format!("http://{name}:"))), "{name}");
    }
    for (name, port) in [
        ("auth-rbac", 8080),
        ("ai-gateway", 8000),
        ("search-service", 8001),
        ("chat-history", 8002),
        ("embedding-service", 8005),
        ("generation-service", 8006),
        ("bge-host", 8008),
        ("qwen-host", 8009),
        ("notification-service", 8080),
        ("audit-logging", 8084),
        ("api-gateway", 8090),
    ] {
        assert_eq!(config.services[name].url, Some(format!("http://{name}:{port}")));
    }
    for environment in config.environments.values() {
        let databases: Vec<_> =
            environment.databases.iter().map(|(name, db)| (name.as_str(), db.workload.as_deref().unwrap(), db.kind)).collect();
        assert_eq!(
            databases,
            [
                ("mongodb", "deployment/mongodb", DatabaseKind::Mongo),
                ("postgres", "statefulset/postgres", DatabaseKind::Postgres),
                ("redis", "deployment/redis", DatabaseKind::Redis),
                ("scylladb", "statefulset/scylladb", DatabaseKind::Other),
            ]
        );
        assert!(environment.databases["postgres"].reader.is_some());
    }
    assert!(config.environments["prod"].protected && !config.environments["staging"].protected);
}

#[test]
fn its_restoration_order_has_21_workloads_with_their_counts() {
    let prod = platform().environments.remove("prod").unwrap();
    let mut tiers: BTreeMap<u32, Vec<(String, u32)>> = BTreeMap::new();
    for (name, database) in &prod.databases {
        tiers.entry(1).or_default().push((name.clone(), database.replicas));
    }
    for (name, service) in &prod.services {
        if let Some(tier) = service.tier {
            tiers.entry(tier).or_default().push((name.clone(), service.replicas));
        }
    }
    let expected: [&[(&str, u32)]; 5] = [
        &[("mongodb", 3), ("postgres", 3), ("redis", 3), ("scylladb", 3)],
        &[("audit-logging", 3), ("auth-rbac", 3), ("content-safety", 2), ("emergency-access", 2)],
        &[("api-gateway", 5)],
        &[
            ("background-tasks", 2),
            ("billing", 2),
            ("chat-history", 3),
            ("consent", 2),
            ("relationship-mgmt", 2),
            ("search-service", 3),
            ("user-subscription", 2),
        ],
        &[("ai-gateway", 3), ("bge-host", 2), ("embedding-service", 2), ("generation-service", 2), ("qwen-host", 2)],
    ];
    let found: Vec<Vec<(&str, u32)>> =
        tiers.values().map(|tier| tier.iter().map(|(name, count)| (name.as_str(), *count)).collect()).collect();
    assert_eq!(found, expected);
    assert_eq!(found.iter().map(Vec::len).sum::<usize>(), 21);
}

#[test]
fn its_severities_are_the_tables() {
    let config = platform();
    let minutes = |duration: Option<Duration>| duration.map(|duration| duration.as_secs() / 60);
    let targets: Vec<_> = config.severities.iter().map(|(name, s)| (name.as_str(), minutes(s.respond), minutes(s.update))).collect();
    assert_eq!(targets, [("P0", Some(5), Some(15)), ("P1", Some(15), Some(30)), ("P2", Some(60), None), ("P3", Some(24 * 60), None)]);
    assert_eq!(config.severities["P0"].notify, ["pager", "sms", "incidents", "email", "legal"]);
    for environment in config.environments.values() {
        let channels: Vec<&str> = environment.channels.keys().map(String::as_str).collect();
        assert_eq!(channels, ["email", "incidents", "legal", "pager", "security", "sms"]);
        assert!(environment.channels.values().all(|channel| channel.webhook.is_none() || channel.kind == ChannelKind::Slack));
    }
}

#[test]
fn it_holds_no_secret_and_names_where_each_is() {
    for environment in platform().environments.into_values() {
        for (name, database) in environment.databases.iter().filter(|(name, _)| *name != "scylladb") {
            assert!(matches!(database.password, Some(SecretSource::Env(_))), "{name}");
        }
    }
}
