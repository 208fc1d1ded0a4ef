//! Bad arguments of host functions: each says what, where and what next, and leaves a journal that tells the truth.

use crate::support::Project;

/// Script, exit code, error and place, hint (nothing where none is due).
const CASES: &[(&str, i32, &str, &str)] = &[
    // Names.
    ("scael(\"api\", 5);", 1, "[failed]: unknown function `scael`\n --> x.rhai:1:1", "did you mean `scale`?"),
    ("quux(1);", 1, "[failed]: unknown function `quux`\n --> x.rhai:1:1", "`runbook functions` lists what there is"),
    ("\n http_health(\"apii\");", 1, "[bad_argument]: unknown service \"apii\"\n --> x.rhai:2:2", "did you mean `api`?"),
    ("http_get(\"apii/x\");", 1, "[bad_argument]: unknown service \"apii\"\n --> x.rhai:1:1", "did you mean `api`?"),
    ("notify(\"chatt\", \"x\");", 1, "[bad_argument]: unknown channel \"chatt\"\n --> x.rhai:1:1", "did you mean `chat`?"),
    (
        "notify(\"chat\", \"x\", #{ severity: \"P11\" });",
        1,
        "[bad_argument]: unknown severity \"P11\"\n --> x.rhai:1:1",
        "did you mean `P1`?",
    ),
    ("get(\"deploymnt/api\");", 1, "[bad_argument]: unknown resource kind \"deploymnt\"\n --> x.rhai:1:1", "did you mean `deployment`?"),
    (
        "scale(\"apii\", 3);",
        1,
        "[not_found]: no deployment or statefulset \"apii\" in namespace default\n --> x.rhai:1:1",
        "did you mean `api`?",
    ),
    (
        "get(\"deployment/none\");",
        1,
        "[not_found]: deployment/none does not exist in the namespace default\n --> x.rhai:1:1",
        "`kubectl -n default get deployments` lists what there is",
    ),
    // Types, ranges, counts.
    ("scale(\"api\", \"5\");", 1, "[bad_argument]: `replicas` must be an int 0..10000, not string \"5\"\n --> x.rhai:1:1", ""),
    ("scale(\"api\", 5.5);", 1, "[bad_argument]: `replicas` must be an int 0..10000, not float 5.5\n --> x.rhai:1:1", ""),
    ("scale(\"api\", -1);", 1, "[bad_argument]: `replicas` must be int 0..10000, not -1\n --> x.rhai:1:1", ""),
    (
        "scale(\"api\");",
        1,
        "[bad_argument]: 1 argument was given to `scale`\n --> x.rhai:1:1",
        "it reads scale(target, replicas, options?)",
    ),
    ("scale();", 1, "[failed]: 0 arguments were given to `scale`\n --> x.rhai:1:1", "it reads scale(target, replicas, options?)"),
    (
        "scale(\"api\", 3, #{}, 4);",
        1,
        "[failed]: 4 arguments were given to `scale`\n --> x.rhai:1:1",
        "it reads scale(target, replicas, options?)",
    ),
    ("now(\"x\");", 1, "[bad_argument]: 1 argument was given to `now`\n --> x.rhai:1:1", "it reads now(options?)"),
    ("check(1, \"x\");", 1, "[bad_argument]: `holds` must be a bool, not int 1\n --> x.rhai:1:1", ""),
    (
        "sleep(\"5\");",
        1,
        "[bad_argument]: `duration`: \"5\" is not a duration\n --> x.rhai:1:1",
        "write a number with its unit: \"250ms\", \"30s\", \"5m\", \"1m30s\", \"2h\", \"1d\"",
    ),
    (
        "logs(\"api\", #{ grep: \"(\" });",
        1,
        "[bad_argument]: option `grep`: \"(\" is no regular expression\n --> x.rhai:1:1",
        "unclosed group",
    ),
    (
        "restart(\"pod/x\");",
        1,
        "[bad_argument]: a pod is no workload\n --> x.rhai:1:1",
        "workloads are deployments, statefulsets, daemonsets, replicasets and jobs",
    ),
    (
        "scale(\"app=api\", 1);",
        1,
        "[bad_argument]: a selector names pods, not one workload\n --> x.rhai:1:1",
        "name the workload: \"deployment/NAME\"",
    ),
    ("wait_until(|| 5);", 1, "[bad_argument]: the closure of `wait_until` must answer a bool, not int\n --> x.rhai:1:1", ""),
    ("parallel(3);", 1, "[bad_argument]: `parallel` takes an array of closures, `[|| …, || …]`, not int\n --> x.rhai:1:1", ""),
    ("attempt(5);", 1, "[bad_argument]: `attempt` takes a closure, `|| …`, not int\n --> x.rhai:1:1", ""),
    ("note(|| 5);", 1, "[bad_argument]: a closure cannot be passed here\n --> x.rhai:1:1", ""),
    // Options.
    ("scale(\"api\", 5, #{ timeot: \"5s\" });", 1, "[bad_argument]: unknown option \"timeot\"\n --> x.rhai:1:1", "did you mean `timeout`?"),
    (
        "scale(\"api\", 5, #{ timeout: 30 });",
        1,
        "[bad_argument]: option `timeout` must be a duration, not int 30\n --> x.rhai:1:1",
        "write the unit: \"30s\"",
    ),
    (
        "scale(\"api\", 5, #{ tier: \"mild\" });",
        1,
        "[bad_argument]: unknown option `tier` \"mild\"\n --> x.rhai:1:1",
        "known: moderate, severe",
    ),
    (
        "step \"x\" #{ on_eror: \"continue\" } { }",
        1,
        "[bad_argument]: unknown option of a step \"on_eror\"\n --> x.rhai:1:6",
        "did you mean `on_error`?",
    ),
    (
        "step \"x\" #{ rollback: \"nevr\" } { }",
        1,
        "[bad_argument]: unknown option `rollback` \"nevr\"\n --> x.rhai:1:6",
        "did you mean `never`?",
    ),
    ("step 5 { }", 1, "[bad_argument]: a step's title is a string, not int\n --> x.rhai:1:6", ""),
    // What Rhai has and we do not.
    (
        "timestamp();",
        1,
        "[bad_argument]: `timestamp` is not there: it could not be replayed\n --> x.rhai:1:1",
        "use `now(#{ format: \"unix_ms\" })`",
    ),
    (
        "exit(0);",
        1,
        "[bad_argument]: `exit` is not there: it could not say how the run ended\n --> x.rhai:1:1",
        "`return` ends the script, `abort(reason)` ends the run as failed",
    ),
    ("exit();", 1, "[bad_argument]: `exit` is not there", "`return` ends the script"),
    ("sleep(5);", 1, "[bad_argument]: `duration` must be a duration, not int 5\n --> x.rhai:1:1", "write the unit: \"5s\""),
    ("sleep(5.0);", 1, "[bad_argument]: `duration` must be a duration, not float 5", ""),
    // People.
    (
        "confirm(\"go\", \"Really?\");",
        6,
        "[not_confirmed]: nobody is there to answer \"go\": Really?\n --> x.rhai:1:1",
        "run on a terminal, or pass --answer go=yes",
    ),
    (
        "http_get(\"http://elsewhere/\");",
        6,
        "[denied]: http://elsewhere is not among what the environment `test` may ask\n --> x.rhai:1:1",
        "declare it as a service, or add it to `allow` of [environments.test]",
    ),
    ("throw \"boom\";", 1, "[failed]: boom\n --> x.rhai:1:1", ""),
    ("throw #{ kind: \"timeout\", message: \"late\", hint: \"later\" };", 124, "[timeout]: late\n --> x.rhai:1:1", "later"),
    ("throw #{ kind: \"in_doubt\", message: \"who knows\" };", 9, "[in_doubt]: who knows\n --> x.rhai:1:1", ""),
    ("throw #{ kind: \"auth\", message: \"expired\" };", 4, "[auth]: expired\n --> x.rhai:1:1", ""),
];

#[test]
fn each_is_named_with_its_place_and_a_remedy() {
    let project = Project::new();
    for (script, exit, error, hint) in CASES {
        let ran = project.in_world(script).status(*exit).stderr_has(&format!("error{error}").replace("error`", "error[failed]: `"));
        let ran = if hint.is_empty() { ran } else { ran.stderr_has("= help: ").stderr_has(hint) };
        let status = match exit {
            6 => "denied",
            9 => "in_doubt",
            124 => "timeout",
            _ => "failed",
        };
        let ran = ran.recorded(status, *exit);
        assert!(ran.journaled("intent").is_empty(), "{script} changed something");
        assert_eq!(!hint.is_empty(), ran.err.contains("= help: "), "{script}: an unexpected hint\n{ran}");
        // The footer holds the failure, and the error's line is shown.
        let failure = ran.journal().pop().unwrap()["failure"]["message"].as_str().unwrap().to_owned();
        assert!(ran.err.contains(&failure), "{ran}");
        assert!(ran.err.contains(&format!("| {}", script.lines().last().unwrap())), "the line is not shown\n{ran}");
    }
}

#[test]
fn a_name_that_is_a_deployment_and_a_statefulset_is_refused() {
    let world = "workloads:\n  deployment/both: { extra: true }\n  statefulset/both: { extra: true }\n";
    let project = Project::new().world("w.yaml", world).script("x.rhai", "scale(\"both\", 3);");
    let ran = project.run(["run", "x.rhai", "--world", "w.yaml"]).status(1).recorded("failed", 1);
    ran.stderr_has("error[bad_argument]: \"both\" is a deployment and a statefulset\n --> x.rhai:1:1")
        .stderr_has("= help: say which: \"deployment/both\" or \"statefulset/both\"");
    project.script("x.rhai", "scale(\"statefulset/both\", 3);").run(["run", "x.rhai", "--world", "w.yaml"]).status(0).recorded("ok", 0);
}

#[test]
fn an_error_after_changes_says_so_and_keeps_them_on_record() {
    let ran = Project::new().in_world("scale(\"api\", 5);\nscale(\"web\", 99999);").status(1).recorded("failed", 1);
    assert_eq!(ran.outcomes(), ["deployment/api changed"]);
    ran.stdout_has("failed: 1 change made, 0 messages sent, 2 calls");
}

#[test]
fn the_record_can_be_read_while_the_configuration_is_broken() {
    let project = Project::new().script("x.rhai", "note(\"recorded\");");
    project.run(["run", "x.rhai", "--world"]).status(0);
    let broken = project.config("[services.api]\nurll = \"x\"\n");
    let ran = broken.run(["log", "show", "last"]).status(0).stdout_has("x.rhai");
    ran.stderr_has("unknown key `urll`").stderr_has("did you mean `url`?");
}
