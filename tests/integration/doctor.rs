//! What `doctor` finds: nothing real without trust, everything with it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::services::{kubectl, namespace, variable};
use crate::support::{Project, Ran};

/// The findings by area, as `health message → remedy`.
fn findings(ran: &Ran) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for finding in ran.json().as_array().unwrap() {
        let text = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
        found.entry(text("area")).or_default().push(format!("{} {} → {}", text("health"), text("message"), text("remedy")));
    }
    found
}

#[test]
fn without_trust_no_system_is_asked_and_what_is_wrong_here_is_said() {
    let project = Project::new().script("scripts/good.rhai", "scale(\"api\", 3);").script("scripts/bad.rhai", "let x = ;");
    let ran = project.run(["doctor", "-o", "json"]).status(1).no_journal();
    let found = findings(&ran);
    assert_eq!(found.keys().collect::<Vec<_>>(), ["configuration", "journal", "scripts"], "{ran}");
    assert!(found["configuration"][0].contains("has never been trusted → see what it allows: `runbook trust`"), "{ran}");
    assert!(found["scripts"][0].starts_with("failed scripts/bad.rhai:1:9: Unexpected ';'"), "{ran}");
    assert!(found["scripts"][1].starts_with("ok 1 of 2"), "{ran}");
    let ran = Project::bare().run(["doctor"]).status(1).stdout_has("✗ configuration   there is no runbook.toml");
    ran.project
        .config("[services.api]\nurll = \"x\"\n")
        .run(["doctor"])
        .status(1)
        .stdout_has("unknown key `urll`")
        .stdout_has("→ did you mean `url`?");
    let refused = Project::new().script("scripts/good.rhai", "scale(\"api\", 3);").mode("runbook.toml", 0o666);
    let ran = refused.run(["doctor"]).status(1).stdout_has("can be written by everybody");
    ran.stdout_has("not looked at while the project's file is refused").has_not("can be run");
    let round = Project::new().script("scripts/good.rhai", "scale(\"api\", 3);");
    std::os::unix::fs::symlink(".", round.root().join("scripts/round")).unwrap();
    round.run(["doctor"]).status(1).stdout_has("1 of 1 under scripts/ can be run");
    let open = Project::new().mode("", 0o755);
    let journal = open.root().join("j");
    std::fs::create_dir(&journal).unwrap();
    let ran = open.run(["doctor", "--journal", "j"]).status(1);
    ran.stdout_has("✗ journal").stdout_has("is open to other users").stdout_has("→ chmod 700");
}

#[test]
fn on_the_real_systems_each_thing_has_its_line_and_its_remedy() {
    let standin: Value = serde_json::from_str(&std::fs::read_to_string(variable("RUNBOOK_TEST_STANDIN_FILE")).unwrap()).unwrap();
    let own = namespace("doctor");
    kubectl(&["create", "namespace", &own]);
    let uid = kubectl(&["get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}"]);
    let config = |context: &str, uid: &str| {
        format!(
            "[services.api]\nworkload = \"deployment/api\"\nurl = \"http://{slot}\"\n[services.web]\nurl = \"http://127.0.0.1:9\"\n\
             [environments.test]\ncontext = \"{context}\"\nnamespace = \"{own}\"\n{uid}\
             [environments.test.databases.postgres]\nurl = \"postgres://ops@{postgres}/therapeutic_ai\"\npassword = {{ env = \"OPS\" }}\n\
             [environments.test.databases.read]\nurl = \"postgres://reader@{postgres}/therapeutic_ai\"\npassword = {{ env = \"READER\" }}\n\
             [environments.test.databases.wrong]\nurl = \"postgres://ops@{postgres}/therapeutic_ai\"\npassword = {{ env = \"SHORT\" }}\n\
             [environments.test.databases.redis]\nurl = \"redis://{redis}\"\npassword = {{ env = \"REDIS\" }}\n\
             [environments.test.databases.mongodb]\nurl = \"mongodb://{mongo}/test\"\n\
             [environments.test.channels.chat]\nkind = \"slack\"\nwebhook = {{ env = \"CHAT\" }}\n\
             [environments.test.channels.mail]\nkind = \"webhook\"\nurl = \"http://127.0.0.1:9/x\"\nsigning = {{ env = \"MISSING\" }}\n",
            slot = standin["slots"][0].as_str().unwrap(),
            postgres = variable("RUNBOOK_TEST_POSTGRES"),
            redis = variable("RUNBOOK_TEST_REDIS"),
            mongo = variable("RUNBOOK_TEST_MONGO"),
        )
    };
    let chat = format!("http://{}/{own}", standin["hooks"].as_str().unwrap());
    let project = Project::bare()
        .script("scripts/a.rhai", "scale(\"api\", 3);\nshow(nodes());\n")
        .env("KUBECONFIG", &variable("RUNBOOK_TEST_KUBECONFIG"))
        .env("OPS", &variable("RUNBOOK_TEST_POSTGRES_OPS_PASSWORD"))
        .env("READER", &variable("RUNBOOK_TEST_POSTGRES_READER_PASSWORD"))
        .env("REDIS", &variable("RUNBOOK_TEST_REDIS_PASSWORD"))
        .env("SHORT", "hunter2")
        .env("CHAT", &chat);
    let examined = |context: &str, uid: &str| {
        let project = project.clone().config(&config(context, uid));
        project.run(["trust", "--yes"]).status(0);
        let ran = project.run(["doctor", "-o", "json"]).status(1).no_journal();
        let ran = ran.has_not("hunter2").has_not(&chat).has_not(&variable("RUNBOOK_TEST_POSTGRES_OPS_PASSWORD"));
        (findings(&ran), ran)
    };
    let (found, ran) = examined("viewer", "");
    let has =
        |area: &str, text: &str| assert!(found[area].iter().any(|line| line.contains(text)), "no {text:?} in {area}: {:#?}", found[area]);
    has("cluster", "ok viewer: v1.");
    has("cluster", &format!("warning which cluster the context leads to is not checked → add cluster_uid = \"{uid}\""));
    has("cluster", "ok its clock and this machine's agree");
    has("permissions", &format!("failed may not patch deployments.apps/scale -n {own} → grant it"));
    has("permissions", "needed by a");
    has("secrets", "warning env:SHORT is shorter than 8 bytes");
    has("secrets", "failed env:MISSING: the environment variable MISSING is not set");
    has("services", "failed web: connection refused");
    has("services", "ok 1 of 2");
    has("databases", "warning postgres: answers, but the role ops that reads may");
    has("databases", "ok read: answers; the role reader may only read");
    has("databases", "failed wrong: the database `wrong` at");
    has("databases", "warning redis: answers, but the user default may write");
    has("databases", "mongodb: answers");
    has("channels", "ok 1 of 2 take connections (nothing was sent)");
    has("channels", "failed mail: 127.0.0.1:9 takes no connection: connection refused");
    drop(ran);
    let (found, _) = examined("test", &format!("cluster_uid = \"{uid}\"\n"));
    assert!(found["cluster"].contains(&format!("ok it is the cluster {uid}, as configured → ")), "{found:#?}");
    assert!(found["permissions"].iter().all(|line| line.starts_with("ok ")), "{found:#?}");
    for (context, uid, said) in [
        ("test", "cluster_uid = \"00000000-0000-0000-0000-000000000000\"\n", "failed test: wrong cluster"),
        ("unreachable", "", "failed unreachable: the cluster at"),
        ("expired", "", "failed expired: the cluster does not accept the credentials"),
        ("nowhere", "", "failed nowhere: the kubeconfig has no context `nowhere`"),
    ] {
        let (found, _) = examined(context, uid);
        assert!(found["cluster"][0].starts_with(said) && !found.contains_key("permissions"), "{found:#?}");
    }
}
