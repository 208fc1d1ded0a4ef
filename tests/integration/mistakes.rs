//! Typical mistakes: each is found by `check` before anything runs, and where a run would meet it, in the same words.

use crate::support::{PLATFORM, Project, Ran};

const MORE: &str = "\n[environments.test.databases.redis]\nurl = \"redis://redis:6379/0\"\nworkload = \"deployment/redis\"\n";
const HEADER: &str = "let params = runbook(#{ title: \"Mistakes\", params: #{ count: #{ type: \"int\", default: 3 } } });\n";

/// Script, code, message, hint.
type Mistake = (&'static str, &'static str, &'static str, &'static str);

/// Those that a run meets too.
const MISTAKES: &[Mistake] = &[
    // Slips in names.
    ("shwo(nodes());", "RB003", "unknown function `shwo`", "did you mean `show`?"),
    ("step \"s\" { scael(\"api\", 3); }", "RB003", "unknown function `scael`", "did you mean `scale`?"),
    ("show(top_pod(\"api\"));", "RB003", "unknown function `top_pod`", "did you mean `top_pods`?"),
    ("step \"s\" { wait_redy(\"api\"); }", "RB003", "unknown function `wait_redy`", "did you mean `wait_ready`?"),
    ("fn helper(a) { a }\nhelpre(1);", "RB003", "unknown function `helpre`", "did you mean `helper`?"),
    ("show(\"a,b\".splitt(\",\"));", "RB003", "unknown function `splitt`", "did you mean `split`?"),
    ("let result = nodes(); show(reslut);", "RB002", "unknown variable `reslut`", "did you mean `result`?"),
    ("for node in nodes() { note(nod.name); }", "RB002", "unknown variable `nod`", "did you mean `node`?"),
    ("show(services);", "RB002", "unknown variable `services`", "the function `services` is called with parentheses"),
    ("show(http_health(\"apii\"));", "RB015", "unknown service \"apii\"", "did you mean `api`?"),
    ("show(http_get(\"wbe/health\"));", "RB015", "unknown service \"wbe\"", "did you mean `web`?"),
    ("show(sql(\"postgrse\", \"SELECT 1\"));", "RB017", "unknown database \"postgrse\"", "did you mean `postgres`?"),
    ("show(sql(\"redis\", \"SELECT 1\"));", "RB018", "the database \"redis\" speaks Redis's protocol", "use `redis`"),
    ("notify(\"chatt\", \"x\");", "RB019", "unknown channel \"chatt\"", "did you mean `chat`?"),
    ("notify(\"chat\", \"x\", #{ severity: \"P2\" });", "RB020", "unknown severity \"P2\"", "did you mean `P1`?"),
    ("show(get(\"deploymnt/api\"));", "RB012", "unknown resource kind \"deploymnt\"", "did you mean `deployment`?"),
    ("import \"std/helth\" as health;", "RB011", "unknown module \"std/helth\"", "did you mean `std/health`?"),
    ("import \"std/health\" as health; show(helth::down([\"api\"]));", "RB011", "unknown module `helth`", "did you mean `health`?"),
    ("import \"std/health\" as health; health::dwon([]);", "RB003", "unknown function `health::dwon`", "did you mean `health::down`?"),
    // Slips in keys and words.
    ("wait_ready(\"api\", #{ timeot: \"1m\" });", "RB010", "unknown option \"timeot\"", "did you mean `timeout`?"),
    ("show(logs(\"api\", #{ tial: 5 }));", "RB010", "unknown option \"tial\"", "did you mean `tail`?"),
    ("step \"s\" #{ on_eror: \"continue\" } { }", "RB010", "unknown option of a step \"on_eror\"", "did you mean `on_error`?"),
    ("step \"s\" #{ on_error: \"contine\" } { }", "RB009", "unknown option `on_error` \"contine\"", "did you mean `continue`?"),
    ("show(top_pods(\"api\", #{ sort_by: \"mem\" }));", "RB009", "unknown option `sort_by` \"mem\"", "known: cpu, memory"),
    // Units and ranges.
    ("wait_ready(\"api\", #{ timeout: 30 });", "RB007", "option `timeout` must be a duration, not int 30", "write the unit: \"30s\""),
    ("wait_ready(\"api\", #{ timeout: \"30\" });", "RB007", "option `timeout`: \"30\" is not a duration", "write a number with its unit"),
    ("sleep(5);", "RB007", "`duration` must be a duration, not int 5", "write the unit: \"5s\""),
    ("sleep(\"5 minutes\");", "RB007", "`duration`: \"5 minutes\" is not a duration", "write a number with its unit"),
    ("step \"s\" { scale(\"api\", -1); }", "RB006", "`replicas` must be int 0..10000, not -1", ""),
    ("show(logs(\"api\", #{ tail: 0 }));", "RB006", "option `tail` must be int 1..1000000, not 0", ""),
    // Types, counts and order.
    ("step \"s\" { scale(\"api\", \"3\"); }", "RB005", "`replicas` must be an int 0..10000, not string \"3\"", ""),
    ("step \"s\" { scale(3, \"api\"); }", "RB005", "`target` must be a workload, not int 3", "two arguments are swapped: it reads scale("),
    ("check(\"the API is down\", true);", "RB005", "`holds` must be a bool, not string", "two arguments are swapped: it reads check("),
    ("note(\"disk\", \"full\");", "RB004", "2 arguments were given to `note`", "it reads note(text)"),
    ("fn f(a, b) { a + b }\nnote(`${f(1)}`);", "RB004", "1 argument was given to `f`", "it reads f(a, b)"),
    ("note(\" x \".trim(1));", "RB004", "2 arguments were given to `trim`", "it takes 1 argument"),
    ("attempt(5);", "RB005", "`attempt` takes a closure, `|| …`, not int", ""),
    ("note(|| 5);", "RB005", "a closure cannot be passed here", ""),
    // Quotes, commas, braces.
    ("step \"s\" { scale(api-gateway, 3); }", "RB002", "unknown variable `api`", "text stands in quotes: \"api-gateway\""),
    ("show(get(deployment/api));", "RB002", "unknown variable `deployment`", "text stands in quotes: \"deployment/api\""),
    ("wait_ready(\"api\", #{ timeout: 30s });", "RB001", "Expecting ',' to separate", "durations stand in quotes: \"30s\""),
    ("note(\"hello);", "RB001", "Open string is not terminated", "the closing quote is missing"),
    ("note('hello');", "RB001", "Invalid character: 'hello'", "text stands in double quotes: \"hello\""),
    ("note(\"a\" \"b\");", "RB001", "Expecting ',' to separate", "add a `,` before this"),
    ("let n = 5\nnote(\"x\");", "RB001", "Expecting ';' to terminate this statement", "add `;` before this"),
    ("stpe \"s\" { }", "RB001", "Expecting ';' to terminate this statement", "did you mean `step`?"),
    ("step \"s\" { note(\"x\");", "RB001", "", "a `}` is missing"),
    ("if nodes().len() = 3 { }", "RB001", "Possibly a typo of '=='?", ""),
    // Targets, patterns, statements.
    ("step \"s\" { scale(\"app=api\", 3); }", "RB013", "a selector names pods, not one workload", "name the workload: \"deployment/NAME\""),
    ("step \"s\" { restart(\"pod/api-1\"); } rollback { }", "RB013", "a pod is no workload", "workloads are deployments"),
    ("show(nodes(\"pod/x\"));", "RB013", "a pod is no node", "nodes read \"node/gpu-1\""),
    ("show(get(\"API Gateway\"));", "RB012", "\"API Gateway\" is no object name", "targets read"),
    ("show(logs(\"api\", #{ grep: \"(error\" }));", "RB008", "option `grep`: \"(error\" is no regular expression", "unclosed group"),
    ("show(sql(\"postgres\", \"UPDATE users SET x = 1\"));", "RB022", "UPDATE", "`sql_execute`"),
    ("show(sql(\"postgres\", \"SELECT 1; DROP TABLE x\"));", "RB022", "2 statements were given", "call `sql` once for each"),
    ("show(redis(\"redis\", [\"DEL\", \"x\"]));", "RB024", "DEL is not a read", "`redis` only reads"),
    // What there is in Rhai, or was in the language before.
    ("exit(1);", "RB028", "`exit` is not there", "`return` ends the script"),
    ("fn note(text) { text }", "RB026", "the function `note` would hide the host function of that name", "give it another name"),
];

/// Those that no run stumbles over, or only when it is too late to say what was meant.
const SILENT: &[Mistake] = &[
    ("note(`${params.cuont}`);", "RB021", "unknown parameter \"cuont\"", "did you mean `count`?"),
    ("show(http_health(\"api\").latency);", "RB039", "the answer of `http_health` has no `latency`", "did you mean `latency_ms`?"),
    (
        "let done = rollout_status(\"api\"); show(done.redy);",
        "RB039",
        "the answer of `rollout_status` has no `redy`",
        "did you mean `ready`?",
    ),
    ("let n = 0; parallel([|| n += 1]); show(n);", "RB027", "what a branch of `parallel` writes to `n` is lost", "let the branches answer"),
    ("let t = 30; wait_ready(\"api\", #{ timeout: t });", "RB007", "option `timeout` must be a duration, not int 30", "write the unit"),
    ("wait_ready(\"api\", #{ timeout: params.count });", "RB007", "must be a duration, not the int parameter `count`", ""),
    ("show(retry(http_get(\"api/health\")));", "RB005", "not the answer of `http_get`", "write `|| http_get(…)`"),
    ("show(parallel([now(), now()]));", "RB005", "not an array with the answer of `now`", "write `|| now(…)`"),
    ("notify(\"the api is down\", \"chat\");", "RB019", "unknown channel \"the api is down\"", "two arguments are swapped"),
    ("show(sql(\"SELECT 1\", \"postgres\"));", "RB017", "unknown database \"SELECT 1\"", "two arguments are swapped"),
    ("show(rollout_status(\"deployment/apii\"));", "RB014", "is the workload of no service or database", "did you mean `deployment/api`?"),
    ("show(http_get(\"http://elsewhere/\").status);", "RB016", "is not among what the environment `test` may ask", "add it to `allow`"),
    ("if false { shwo(1); }", "RB003", "unknown function `shwo`", "did you mean `show`?"),
    ("fn unused() { shwo(1); }", "RB003", "unknown function `shwo`", "did you mean `show`?"),
];

fn project(script: &str) -> Project {
    Project::bare().config(&format!("{PLATFORM}{MORE}")).script("x.rhai", &format!("{HEADER}{script}"))
}

#[track_caller]
fn found((script, code, message, hint): &Mistake) -> (Ran, String, String) {
    let ran = project(script).run(["check", "x.rhai", "-o", "json"]).no_journal();
    let all = ran.json();
    let [one] = all.as_array().unwrap().as_slice() else { panic!("one thing is wrong with {script}\n{ran}") };
    let (said, next) = (one["message"].as_str().unwrap().to_owned(), one["hint"].as_str().unwrap_or_default().to_owned());
    assert_eq!(one["code"], *code, "{script}\n{ran}");
    assert!(said.contains(message), "{script}: {message:?}\n{ran}");
    assert!(next.contains(hint) && hint.is_empty() == next.is_empty(), "{script}: {hint:?}\n{ran}");
    assert!(one["line"].as_u64() > Some(1), "{script}\n{ran}");
    (ran, said, next)
}

#[test]
fn each_is_found_before_anything_runs_and_a_run_says_the_same() {
    assert!(MISTAKES.len() >= 40);
    for mistake in MISTAKES {
        let (_, said, next) = found(mistake);
        let ran = project(mistake.0).run(["run", "x.rhai", "--world"]);
        assert!(matches!(ran.code, Some(1 | 2)), "{ran}");
        let ran = ran.stderr_has(&format!("]: {said}\n"));
        match next.as_str() {
            "" => assert!(!ran.err.contains("= help: "), "{ran}"),
            next => drop(ran.stderr_has(&format!("= help: {next}"))),
        }
    }
}

#[test]
fn what_no_run_stumbles_over_is_found_too() {
    for mistake in SILENT {
        found(mistake);
    }
}
