//! Golden messages: each mistake with its place and its remedy, and never with a value that may be secret.

use annotate_snippets::Renderer;

use super::super::*;
use crate::model::{Failure, Kind};

fn error(text: &str) -> ConfigError {
    Config { root: "/project".into(), ..Config::default() }.parse("runbook.toml", text).unwrap_err()
}

#[track_caller]
fn says(text: &str, expected: &str) {
    assert_eq!(error(text).to_string(), expected, "for:\n{text}");
}

const PROD: &str = "[environments.prod.";

#[test]
fn unknown_keys_name_the_nearest() {
    says("[servces.api]", "runbook.toml:1:2: unknown key `servces`; did you mean `services`?");
    says(
        "[services.api]\nworkloud = \"deployment/api\"",
        "runbook.toml:2:1: unknown key `workloud` in [services.api]; did you mean `workload`?",
    );
    says(
        "[environments.prod]\ncolour = 1",
        "runbook.toml:2:1: unknown key `colour` in [environments.prod]; known: context, cluster_uid, namespace, protected, reach, allow, services, databases, channels",
    );
    says("[policy]\nread = []", "runbook.toml:2:1: unknown key `read` in [policy]; did you mean `reads`?");
    says(
        "[journal]\nfolder = \"x\"",
        "runbook.toml:1:2: unknown key `journal`; known: services, environments, severities, policy, environment",
    );
    says(
        &format!("{PROD}databases.db]\nurl = \"redis://x\"\npassword = {{ evn = \"X\" }}"),
        "runbook.toml:3:14: unknown key `evn` in [environments.prod.databases.db]; did you mean `env`?",
    );
}

#[test]
fn wrong_types_are_said_in_plain_words() {
    says("[services.api]\ntier = \"2\"", "runbook.toml:2:8: expected a whole number, found a string");
    says("[services.api]\nreads = \"/search\"", "runbook.toml:2:9: expected an array, found a string");
    says("[environments.prod]\nprotected = \"no\"", "runbook.toml:2:13: expected true or false, found a string");
    says("[services]\napi = \"deployment/api\"", "runbook.toml:2:7: expected a table, found a string");
    says("[services.api]\nurl = 8080", "runbook.toml:2:7: expected a string, found a number");
}

#[test]
fn toml_mistakes_have_their_place() {
    assert!(error("[services.api\nurl = 1").to_string().starts_with("runbook.toml:1:14: "));
    assert!(error("[services.api]\nurl = http://x").to_string().starts_with("runbook.toml:2:7: "));
    assert!(
        error("[services.api]\n[services.api]").to_string().starts_with("runbook.toml:2:11: duplicate key"),
        "{}",
        error("[services.api]\n[services.api]")
    );
}

#[test]
fn services_are_checked() {
    says(
        "[services.api]\nworkload = \"deploymnt/api\"",
        "runbook.toml:2:12: `workload`: unknown kind of workload \"deploymnt\"; did you mean `deployment`?",
    );
    says(
        "[services.api]\nworkload = \"api\"",
        "runbook.toml:2:12: `workload`: a workload reads \"kind/name\"; deployment/api, statefulset/…",
    );
    says(
        "[services.api]\nworkload = \"service/api\"",
        "runbook.toml:2:12: `workload`: unknown kind of workload \"service\"; known: deployment, statefulset, daemonset, replicaset",
    );
    says(
        "[services.api]\nurl = \"api:8080\"",
        "runbook.toml:2:7: `url`: the URL must begin with http:// or https://, not api:; write an absolute address, such as \"http://auth-rbac:8080\"",
    );
    says("[services.api]\ntier = 0", "runbook.toml:2:8: `tier` must be a whole number from 1 to 1000, not 0");
    says("[services.api]\nreplicas = -1", "runbook.toml:2:12: `replicas` must be a whole number from 0 to 10000, not -1");
    says("[services.api]\nhealth = \"health\"", "runbook.toml:2:10: `health` must be a path; it begins with one `/`, such as \"/health\"");
    says("[services.\"a b\"]", "runbook.toml:1:11: \"a b\" is no name for a service; letters, digits, `-`, `_` and `.`, at most 63");
}

#[test]
fn environments_are_checked() {
    says(
        "[services.auth-rbac]\n[environments.prod.services.auth-rbca]\ntier = 1",
        "runbook.toml:2:29: unknown service \"auth-rbca\"; did you mean `auth-rbac`?",
    );
    says("[environments.prod]\nreach = \"portforward\"", "runbook.toml:2:9: unknown reach \"portforward\"; did you mean `port-forward`?");
    says(
        "[environments.prod]\ncluster_uid = \"6f1c\"",
        "runbook.toml:2:15: `cluster_uid` is no UID; read it from the cluster: kubectl get namespace kube-system -o jsonpath='{.metadata.uid}'",
    );
    says(
        "[environments.prod]\nnamespace = \"Platform\"",
        "runbook.toml:2:13: `namespace`: \"Platform\" is no namespace; lower case letters, digits and `-`",
    );
    says(
        "[environments.prod]\nallow = [\"status.example.com\"]",
        "runbook.toml:2:10: `allow`: the URL is not absolute; write an absolute address, such as \"http://auth-rbac:8080\"",
    );
}

#[test]
fn databases_are_checked() {
    says(
        &format!("{PROD}databases.db]\nurl = \"postgre://db\""),
        "runbook.toml:2:7: `url`: unknown database scheme \"postgre\"; did you mean `postgres`?",
    );
    says(
        "[services.db]\nworkload = \"deployment/db\"\n[environments.prod.databases.db]\nworkload = \"statefulset/db\"",
        "runbook.toml:3:30: the database \"db\" bears a service's name; rename one, or give both the same workload: a bare name must mean one thing",
    );
    says(&format!("{PROD}databases.db]"), "runbook.toml:1:30: the database \"db\" has neither `url` nor `workload`");
    says(&format!("{PROD}databases.db]\nurl = \"redis://x\"\nreader = {{}}"), "runbook.toml:3:10: `reader` lacks `user`, the role's name");
}

#[test]
fn secrets_are_checked_and_never_shown() {
    let url = format!("{PROD}databases.db]\nurl = \"postgres://ops:hunter2@db/x\"");
    says(&url, "runbook.toml:2:7: `url`: the URL holds a password; take it out and say where it is: `password = { env = \"NAME\" }`");
    let plain = format!("{PROD}databases.db]\nurl = \"redis://db\"\npassword = \"hunter2\"");
    says(
        &plain,
        "runbook.toml:3:12: expected a secret's source, found a string; secrets stay outside of the file: { env = \"NAME\" }, { file = \"PATH\" }, { command = [\"…\"] } or { kubernetes = \"secret/NAME/KEY\" }",
    );
    let named = format!("{PROD}databases.db]\nurl = \"redis://db\"\npassword = {{ env = \"hunter2!\" }}");
    says(&named, "runbook.toml:3:20: `env` is no name of an environment variable; such as \"PGPASSWORD\"");
    let both = format!("{PROD}databases.db]\nurl = \"redis://db\"\npassword = {{ env = \"A\", file = \"hunter2\" }}");
    says(&both, "runbook.toml:3:12: a secret's source has exactly one of `env`, `file`, `command`, `kubernetes`");
    let none = format!("{PROD}databases.db]\nurl = \"redis://db\"\npassword = {{}}");
    says(&none, "runbook.toml:3:12: a secret's source has exactly one of `env`, `file`, `command`, `kubernetes`");
    let key = format!("{PROD}databases.db]\nurl = \"redis://db\"\npassword = {{ kubernetes = \"auth/key\" }}");
    says(&key, "runbook.toml:3:27: `kubernetes` names no key of a secret; write it as \"secret/NAME/KEY\"");
    let credentials = "[services.api]\nurl = \"http://ops:hunter2@api\"".to_owned();
    let bare = format!("{PROD}databases.db]\nurl = \"redis://db\"\npassword = hunter2");
    let multi = format!("{PROD}databases.db]\nurl = \"redis://db\"\npassword = \"\"\"\nhunter2 \\q \"\"\"");
    for text in [url, plain, named, both, credentials, bare, multi] {
        let error = error(&text);
        let shown = format!("{error}\n{}\n{error:?}\n{:?}", error.render(&Renderer::plain()), Failure::from(error.clone()));
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn channels_and_severities_are_checked() {
    says(&format!("{PROD}channels.x]\nkind = \"slak\""), "runbook.toml:2:8: unknown kind of channel \"slak\"; did you mean `slack`?");
    says(
        &format!("{PROD}channels.x]\nkind = \"pagerduty\""),
        "runbook.toml:2:8: channels of kind \"pagerduty\" are not available yet; until then, use a `webhook` that passes it on",
    );
    says(
        &format!("{PROD}channels.x]\nkind = \"slack\""),
        "runbook.toml:1:29: a slack channel needs `webhook`; `webhook = { env = \"SLACK_WEBHOOK_URL\" }`",
    );
    says(
        &format!("{PROD}channels.x]\nkind = \"webhook\"\nurl = \"http://x\""),
        "runbook.toml:1:29: a webhook channel needs `signing`, the key of its signature; `signing = { env = \"WEBHOOK_KEY\" }`: the receiver knows by it who speaks",
    );
    says(
        &format!("{PROD}channels.incidents]\nkind = \"slack\"\nwebhook = {{ env = \"X\" }}\n[severities.P0]\nnotify = [\"incident\"]"),
        "runbook.toml:5:11: unknown channel \"incident\"; did you mean `incidents`?",
    );
    says(
        "[severities.P0]\nrespond = \"5\"",
        "runbook.toml:2:11: `respond`: \"5\" is not a duration; write a number with its unit: \"250ms\", \"30s\", \"5m\", \"1m30s\", \"2h\", \"1d\"",
    );
}

#[test]
fn policy_and_variables_are_checked() {
    says("[policy]\nreads = [\"cat\"]", "runbook.toml:2:10: expected an array, found a string");
    says(
        "[policy]\nreads = [[]]",
        "runbook.toml:2:10: `reads` names no program; an array of arguments, the program first: [\"cat\", \"/proc/meminfo\"]",
    );
    let text = format!("[environment]\npublic = [\"KEY\"]\n{PROD}databases.db]\nurl = \"redis://x\"\npassword = {{ env = \"KEY\" }}");
    says(&text, "runbook.toml:2:11: `public`: \"KEY\" is the source of a secret in this file");
}

#[test]
fn all_problems_are_said_at_once_in_the_files_order() {
    let error = error("[environments.prod]\nreach = \"x\"\n[services.api]\ntier = 0\nurl = \"/\"");
    assert_eq!(error.problems.iter().map(|problem| problem.line).collect::<Vec<_>>(), [2, 4, 5]);
    let failure = Failure::from(error);
    assert_eq!(failure.kind, Kind::BadArgument);
    assert_eq!(failure.message, "runbook.toml:2:9: unknown reach \"x\" (and 2 more problems)");
}

#[test]
fn a_problem_is_shown_as_rustc_would() {
    let expected = "\
error: unknown key `workloud` in [services.api]
 --> runbook.toml:2:1
  |
2 | workloud = …
  | ^^^^^^^^
  |
  = help: did you mean `workload`?";
    assert_eq!(error("[services.api]\nworkloud = \"deployment/api\"").render(&Renderer::plain()), expected);
    let expected = "\
error: `url`: the URL holds a password
 --> runbook.toml:2:7
  |
2 | url = …
  |       ^
  |
  = help: take it out and say where it is: `password = { env = \"NAME\" }`";
    let url = format!("{PROD}databases.db]\nurl = \"postgres://ops:hunter2@db/x\"");
    assert_eq!(error(&url).render(&Renderer::plain()), expected);
}

#[test]
fn credentials_of_services_are_checked() {
    let token = "auth = { bearer = { env = \"TOKEN\" } }";
    for (lines, says) in [
        ("auth = { bearer = \"hunter2hunter2\" }", "expected a secret's source, found a string"),
        ("auth = { baerer = { env = \"X\" } }", "unknown key `baerer` in [services.api]; did you mean `bearer`?"),
        ("auth = {}", "`auth` has exactly one of `bearer` and `basic`"),
        ("auth = { bearer = { env = \"A\" }, basic = { user = \"b\", password = { env = \"C\" } } }", "`auth` has exactly one of"),
        ("auth = { basic = { user = \"ops\" } }", "`basic` needs `user` and `password`"),
        ("auth = { basic = { user = \"o:ps\", password = { env = \"C\" } } }", "`user` may hold no colon"),
        ("headers = { \"X Key\" = { env = \"A\" } }", "this is no header's name"),
        ("headers = { Host = { env = \"A\" } }", "this header belongs to the connection, and cannot be set"),
        ("headers = { X-Key = {} }", "a secret's source has exactly one of `env`, `file`, `command`, `kubernetes`"),
        (&format!("{token}\nheaders = {{ authorization = {{ env = \"A\" }} }}"), "either `auth` or a header `Authorization`, not both"),
    ] {
        let found = error(&format!("[services.api]\nurl = \"http://api\"\n{lines}")).to_string();
        assert!(found.contains(says) && !found.contains("hunter2"), "{lines}\n{found}");
    }
    // What holds a token is no variable to be shown.
    let public = error(&format!("[services.api]\nurl = \"http://api\"\n{token}\n[environment]\npublic = [\"TOKEN\"]")).to_string();
    assert!(public.contains("TOKEN"), "{public}");
}
