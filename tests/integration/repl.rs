//! `runbook repl`: sittings from a pipe and on a terminal.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::pty::{CTRL_C, CTRL_D, CTRL_R, ENTER, Screen, TAB};
use crate::support::{Project, Ran, repository};

/// The repository's platform after its outage, in a project of its own.
fn outage() -> Project {
    let world = fs::read_to_string(repository().join("examples/worlds/outage.yaml")).unwrap();
    Project::seed().world("outage.yaml", &world).script("scripts/emergency/system-outage.rhai", "note(\"x\");")
}

const OUTAGE: [&str; 3] = ["repl", "--world", "outage.yaml"];

#[track_caller]
fn sitting(project: &Project) -> Screen {
    let mut screen = project.on_terminal(OUTAGE, 100, 40);
    screen.prompted();
    screen
}

#[track_caller]
fn piped(project: Project, inputs: &str) -> Ran {
    project.stdin(inputs).run(OUTAGE)
}

/// A real environment whose systems nobody reaches; what needs none of them works.
fn alone(protected: bool) -> Project {
    let text = format!(
        "[environments.prod]\ncontext = \"none\"\nprotected = {protected}\n\
         [environments.prod.channels.chat]\nkind = \"slack\"\nwebhook = {{ env = \"CHAT_URL\" }}\n"
    );
    let project = Project::new().config(&text);
    project.run(["trust", "--yes"]).status(0);
    project
}

#[test]
fn what_is_declared_stays_until_the_end() {
    let ran = piped(
        outage(),
        "let x = 20;\nfn twice(n) { n * 2 }\nconst Y = 1;\nimport \"std/health\" as health;\nlet f = |n| n + x;\n\
         twice(x) + Y\n_ + 1\nf.call(_)\nhealth::down(services()).len()\nswitch 5 { 1 => \"one\", _ => \"other\" }\n\
         let m = #{ a: 1,\n  b: [1,\n2] };\nm.b.len()\nif x == 0 { 1 }\nelse { 99 }\nx;\n",
    );
    let ran = ran.status(0).stdout("41\n42\n62\n20\nother\n2\n99\n").recorded("ok", 0);
    let inputs: Vec<String> = ran.journaled("input").iter().map(|input| input["text"].as_str().unwrap().to_owned()).collect();
    assert_eq!((inputs.len(), inputs[0].as_str(), inputs[10].as_str()), (14, "let x = 20;", "let m = #{ a: 1,\n  b: [1,\n2] };"));
    assert_eq!(ran.journal()[0]["script"], "");
    // Calls name the input that made them.
    assert!(ran.journaled("call").iter().all(|call| call["file"] == "input 9" || call["file"] == "std/health"), "{ran}");
    ran.project.run(["log", "show", "last"]).status(0).stdout_has("(a sitting)").stdout_has("9> health::down(services()).len()");
}

#[test]
fn in_a_pipe_the_first_failure_is_the_end() {
    let ran = piped(outage(), "scale(\"api-gateway\", 5)\nscale(\"api-gatewy\", 6)\nscale(\"api-gateway\", 7)\n").status(1);
    let ran = ran
        .stderr_has("error[not_found]: no deployment or statefulset \"api-gatewy\"")
        .stderr_has(" --> input 2:1:1")
        .stderr_has("did you mean `api-gateway`?");
    assert_eq!(ran.recorded("failed", 1).outcomes(), ["deployment/api-gateway changed"]);
    piped(outage(), "let x = 5;\nnote(`${y}`)\n").status(1).stderr_has("unknown variable `y`");
    piped(outage(), "let replicas = 5;\nreplics\n").status(1).stderr_has("did you mean `replicas`?");
    piped(outage(), "let x = ;\n").status(1).stderr_has(" --> input 1:1:9");
    piped(outage(), "fn scale(a) { a }\n").status(1).stderr_has("the function `scale` would hide the host function of that name");
    piped(outage(), ":timelin\n").status(1).stderr_has("there is no command \":timelin\"").stderr_has("did you mean `:timeline`?");
    piped(outage(), "").status(0).recorded("ok", 0);
    piped(outage(), "1\n:quit\n2\n").status(0).stdout("1\n");
}

#[test]
fn an_error_in_a_function_of_an_earlier_input_points_there() {
    let ran = piped(outage(), "let a = 1;\nfn f(n) {\n  let m = #{};\n  m.nothing\n}\n\nf(1)\n").status(1);
    ran.stderr_has("there is no `nothing` here\n --> input 2:3:5").stderr_has("in `f`, called at input 3:1:1");
    let ran = piped(outage(), "let g = |n| n.boom();\n[1].map(g)\n").status(1);
    ran.stderr_has(" --> input 1:1:15");
}

#[test]
fn an_input_that_fails_leaves_nothing_behind() {
    let project = outage();
    let mut screen = sitting(&project);
    screen.enter("let a = 1; fn f() { 1 } let b = boom;").has("unknown variable `boom`");
    screen.enter("a").has("unknown variable `a`");
    screen.enter("f()").has("unknown function `f`");
    screen.enter("let a = 41;").enter("a + 1").has("\n42\n");
    screen.send(CTRL_D);
    assert_eq!(screen.ended(), Some(0));
    screen.has("journal: ").has("(runbook log show ");
}

#[test]
fn rows_are_shapes_until_they_are_revealed() {
    let world = "databases:\n  postgres:\n    statements:\n      - { match: \"patients\", rows: [{ name: Ada, visits: 3 }] }\n";
    let project = Project::new()
        .world("w.yaml", world)
        .stdin("sql(\"postgres\", \"SELECT * FROM patients\")\n_[0].name\nshow(_, #{ reveal: true })\n");
    let ran = project.run(["repl", "--world", "w.yaml"]).status(0);
    let ran = ran.stdout_has("1 rows of #{ name: string, visits: int }\n").stdout_has("show(_, #{ reveal: true }) shows them");
    let at = ran.out.find("Ada").expect("it was revealed");
    assert!(ran.out[..at].ends_with("shows them, on record\n"), "{ran}");
    assert_eq!(ran.out.matches("Ada").count(), 1);
}

/// The calls of a journal: function, target, arguments, in order.
fn calls(lines: &[Value]) -> Vec<String> {
    let calls = lines.iter().filter(|line| line["type"] == "call" || line["type"] == "intent");
    calls.map(|call| format!("{} {} {}", call["function"], call["target"], call["args"])).collect()
}

#[test]
fn a_saved_sitting_runs_and_makes_the_same_calls() {
    let project = outage();
    let inputs = "let before = get(\"deployment/api-gateway\").spec.replicas;\nfn wanted(n) { n + 2 }\nimport \"std/health\" as health;\n\
        before\nscale(\"api-gateway\", wanted(_ + 3)); wait_ready(\"api-gateway\")\n_.ready\nif _ { note(\"ready\") }\n\
        for service in [\"billing\", \"consent\"] {\n    scale(service, 2);\n}\nhealth::down(services()).len()\nnote(`down: ${_}`)\n\
        step \"Last\" { notify(\"incidents\", \"up\"); } rollback { scale(\"api-gateway\", before); }\n\
        sql(\"postgres\",\n    \"SELECT 1\")\n";
    // The last one fails, since postgres is down: it is told of, and not repeated.
    let ran = piped(project.clone(), &inputs.replace("sql(", ":save saved\nsql(")).status(1);
    let sat = ran.journal();
    let text = fs::read_to_string(project.root().join("saved.rhai")).unwrap();
    assert_eq!(fs::metadata(project.root().join("saved.rhai")).unwrap().permissions().mode() & 0o777, 0o600);
    for part in ["runbook(#{", "//     replicas: #{", "step \"", "let value_4 = before;", "// parameters? "] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    let ran = project.clone().run(["run", "saved.rhai", "--world", "outage.yaml"]).status(0).recorded("ok", 0);
    let (mut sat, ran) = (calls(&sat), calls(&ran.journal()));
    assert!(sat.pop().unwrap().contains("sql"), "the failed call comes last");
    assert_eq!(sat, ran, "{text}");
    assert!(ran.len() > 8);
    // Nothing is overwritten.
    piped(project, "note(\"x\")\n:save saved.rhai\n").status(1).stderr_has("nothing is overwritten; give another name");
}

#[test]
fn a_sitting_with_a_failure_and_an_undo_is_saved_with_both_told() {
    let project = outage();
    let mut screen = sitting(&project);
    screen.enter("scale(\"billing\", 2)").enter("boom()").send(&format!(":undo{ENTER}")).asked().enter("y");
    screen.enter("scale(\"consent\", 2)").enter(":save saved").has("2 inputs saved in saved.rhai");
    let text = fs::read_to_string(project.root().join("saved.rhai")).unwrap();
    assert!(text.contains("// not saved, it failed (failed): boom()"), "{text}");
    assert!(text.contains("// here `:undo` took back the last change, of deployment/billing"), "{text}");
    project.run(["run", "saved.rhai", "--world", "outage.yaml"]).status(0);
}

#[test]
fn the_prompt_goes_by_the_world_s_time_and_edits_several_lines() {
    let project = outage();
    let mut screen = sitting(&project);
    screen.has("world:outage 00:00 > ").has("a world: nothing real can change");
    screen.enter("scale(\"api-gateway\", 5); wait_ready(\"api-gateway\");").has("world:outage 00:04 > ");
    screen.enter("sleep(\"90m\")").has("world:outage 1:30:04 > ");
    // A block that is open goes on; the last brace ends it.
    screen.send(&format!("for n in 1..3 {{{ENTER}")).send(&format!("note(`n ${{n}}`);{ENTER}")).has_not("note: n 1");
    screen.enter("}").has("note: n 1").has("note: n 2");
    // So does a statement that lacks its end; an empty line says that there is none.
    screen.send(&format!("let q ={ENTER}")).enter("7;").enter("q + 1").has("\n8\n");
    screen.send(&format!("let q ={ENTER}")).enter("").has("error[bad_argument]");
    // A paste is one input, whatever lines it has.
    screen.send("\x1b[200~let p = 1;\nlet r = 2;\n\x1b[201~").enter("p + r").has("\n3\n");
    // Ctrl-C clears the line.
    screen
        .send("scale(\"api-gateway\", 9)")
        .until(", 9)")
        .send(CTRL_C)
        .prompted()
        .enter("get(\"deployment/api-gateway\").spec.replicas")
        .has("\n5\n");
    assert_eq!(screen.text().matches("changed").count(), 1);
    screen.send(CTRL_D);
    assert_eq!(screen.ended(), Some(0));
}

#[test]
fn tab_completes_and_the_signature_is_a_hint() {
    let project = outage();
    let mut screen = sitting(&project);
    screen.send("scal").send(TAB).until("scale(target: workload, replicas, options?)   change: ");
    // Until the platform has answered, nobody knows that a name is the only one, and its quotes stay open.
    screen.send("\"deployment/bil").wait_for_tab("deployment/billing", 1);
    screen.send(CTRL_C).prompted().send("scale(\"api").send(TAB).until("scale(\"api-gateway\", replicas, options?)");
    screen.send(", ").until("scale(\"api-gateway\", replicas: int 0..10000, options?)");
    screen
        .send("5, #{ ti")
        .send(TAB)
        .until("tier: ")
        .until("timeout: duration")
        .send("m")
        .send(TAB)
        .until("#{ timeout: ")
        .until("duration [\"30s\"]");
    screen.send("\"20s\" })").enter("").has("spec.replicas 0 → 5  changed");
    // Pods come from the platform, read in the background.
    screen.send("logs(\"api-gateway-").until("logs(\"api-gateway-\", options?)").send(TAB);
    let started = Instant::now();
    screen.wait_for_tab("api-gateway-v", 2);
    assert!(started.elapsed() < Duration::from_secs(5));
    screen.send(CTRL_C).prompted();
    screen.send("import \"std/h").send(TAB).until("import \"std/health\"").send(CTRL_C).prompted();
    screen.send(":run emer").send(TAB).until(":run emergency/system-outage");
    screen.send(CTRL_C).prompted();
    screen
        .enter("let gateway = get(\"deployment/api-gateway\");")
        .send("gatew")
        .send(TAB)
        .until("> gateway")
        .send(".spec.rep")
        .send(TAB)
        .until(".spec.replicas")
        .enter("")
        .has("\n5\n");
    screen.send("notify([\"inc").send(TAB).until("\"incidents\"").send(CTRL_C).prompted();
    screen.send(CTRL_D);
    assert_eq!(screen.ended(), Some(0));
}

impl Screen {
    /// Presses Tab until what comes from a system is there: each press shows what is known by then.
    #[track_caller]
    fn wait_for_tab(&mut self, text: &str, times: usize) {
        for _ in 0..50 {
            std::thread::sleep(Duration::from_millis(50));
            if self.text().matches(text).count() >= times {
                return;
            }
            self.send(TAB);
        }
        panic!("{text:?} is not offered:\n{}", self.text());
    }
}

#[test]
fn ctrl_c_stops_a_call_at_once_and_the_sitting_goes_on() {
    let project = alone(true);
    let mut screen = project.on_terminal(["repl"], 100, 40);
    screen.prompted().has("prod! > ").has("changes are REAL, the environment is protected");
    for endless in
        ["sleep(\"1m\")", "loop { }", "retry(|| sleep(\"1m\"), #{ times: 9, any: true })", "parallel([|| sleep(\"1m\"), || loop { }])"]
    {
        screen.send(&format!("{endless}{ENTER}"));
        std::thread::sleep(Duration::from_millis(300));
        let pressed = Instant::now();
        screen.send(CTRL_C).prompted();
        let took = pressed.elapsed();
        assert!(took < Duration::from_millis(100), "{endless}: {took:?}\n{}", screen.text());
        screen.has("error[cancelled]: interrupted");
        screen.enter("6 * 7").has("\n42\n").clear();
    }
    // What the script itself ends is over with its input.
    screen.enter("abort(\"enough\")").has("enough").enter("1 + 1").has("\n2\n");
    // Hammering does no harm at the prompt.
    for _ in 0..5 {
        screen.send(CTRL_C).prompted();
    }
    screen.enter("now(#{ format: \"unix_ms\" }) > 0").has("\ntrue\n").send(CTRL_D);
    assert_eq!(screen.ended(), Some(0));
    let ran = project.run(["log", "verify", "last"]).status(0).stdout_has("to the run's end");
    let cancelled = ran.journaled("call").into_iter().filter(|call| call["failure"]["kind"] == "cancelled").count();
    assert!(cancelled >= 3, "{ran}");
}

#[test]
fn the_history_stays_and_holds_no_secret() {
    let secret = "https://hooks.example/T0/very-secret-token";
    let project = alone(false).env("CHAT_URL", secret);
    let mut screen = project.on_terminal(["repl"], 100, 40);
    screen.prompted().has("prod > ").has("changes are REAL, and nothing asks");
    screen
        .enter("let plain = 40 + 2;")
        .enter(&format!("note(\"{secret}\")"))
        .enter(" note(\"not this one\")")
        .enter("let m = #{\n a: 1 };");
    screen.send(CTRL_D);
    assert_eq!(screen.ended(), Some(0));
    let path = project.outside().join("state/runbook/history");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("let plain = 40 + 2;") && text.contains("let m = #{\\n a: 1 };"), "{text}");
    assert!(!text.contains("secret") && !text.contains("not this one"), "{text}");
    // What is shown of it is masked, results and errors too.
    let mut screen = project.on_terminal(["repl"], 100, 40);
    screen
        .prompted()
        .clear()
        .send(&format!("\"{secret}\"{ENTER}"))
        .prompted()
        .has("\n***\n")
        .clear()
        .send(&format!("boom(\"{secret}\"){ENTER}"))
        .prompted();
    screen.has("1 | boom(\"***\")").send(CTRL_D);
    assert_eq!(screen.ended(), Some(0));
    // The journal has the line, masked.
    let ran = project.run(["log", "show", "last"]).status(0).has_not(secret);
    assert!(ran.journaled("input").iter().any(|input| input["text"] == "boom(\"***\")"), "{ran}");
    assert!(ran.journal().iter().all(|line| !line.to_string().contains("very-secret")), "{ran}");
    // Another sitting has it, and Ctrl-R finds it whatever its case.
    fs::write(&path, format!("{text}note(\"{secret}\")\n")).unwrap();
    let mut screen = project.on_terminal(["repl"], 100, 40);
    screen
        .prompted()
        .send(CTRL_R)
        .send("PLAIN")
        .until("let plain = 40 + 2;")
        .send(ENTER)
        .prompted()
        .enter("plain")
        .has("\n42\n")
        .send(CTRL_D);
    assert_eq!(screen.ended(), Some(0));
    // What has become known as a secret since goes out of it.
    assert!(!fs::read_to_string(&path).unwrap().contains("very-secret"));
}

#[test]
fn a_change_of_mode_or_environment_starts_afresh() {
    let text = fs::read_to_string(repository().join("runbook.toml")).unwrap();
    let project = outage().config(&text);
    let mut screen = sitting(&project);
    screen.enter("let x = 1; scale(\"billing\", 2)").enter(":dry-run on").has("world:outage (dry-run) 00:00 > ").has("ended: run ");
    screen.enter("get(\"deployment/billing\").spec.replicas").has("\n0\n").enter("x").has("unknown variable `x`");
    screen.enter("scale(\"billing\", 7)").has("would_change").enter("get(\"deployment/billing\").spec.replicas").has("\n7\n");
    screen.enter("http_health(\"billing\").ok").has("stale: ").enter("1").has("\n1\n");
    screen.enter(":undo").has("nothing was changed that could be taken back").has("a rehearsal changes nothing");
    screen.enter(":env prdo").has("unknown environment \"prdo\"").has("did you mean `prod`?").has("world:outage (dry-run) 00:00 > ");
    screen.enter(":dry-run off").has("world:outage 00:00 > ").enter("get(\"deployment/billing\").spec.replicas").has("\n0\n");
    screen.enter(":env staging").enter("environment().name").has("\nstaging\n").enter(":dry-run").has("it reads `:dry-run on|off`");
    screen.send(CTRL_D);
    assert_eq!(screen.ended(), Some(0));
    let ran = project.run(["log", "list", "-o", "json"]).status(0);
    let runs = ran.json();
    let told: Vec<(&str, bool)> =
        runs.as_array().unwrap().iter().map(|run| (run["environment"].as_str().unwrap(), run["dry_run"].as_bool().unwrap())).collect();
    assert_eq!(told.iter().filter(|(_, dry_run)| *dry_run).count(), 1, "{ran}");
    assert_eq!(told.len(), 4, "{ran}");
    assert!(runs.as_array().unwrap().iter().all(|run| run["status"] == "ok"), "{ran}");
}

const STEPS: &str = r#"//! Steps.
let params = runbook(#{ title: "Steps", params: #{ n: #{ type: "int", default: 2, help: "" } } });
let before = get("deployment/billing").spec.replicas;
fn more(n) { n + 1 }

step "First" {
    scale("billing", params.n);
} rollback { scale("billing", before); }

step "Second" {
    if get("deployment/consent").spec.replicas == 0 { throw "consent is down"; }
    note("second went through");
}

step "Third" { scale("search-service", more(params.n)); }
check(get("deployment/search-service").spec.replicas > 0, "search-service is down");
"#;

#[test]
fn a_script_is_stepped_through() {
    let project = outage().script("scripts/steps.rhai", STEPS);
    let mut screen = sitting(&project);
    screen
        .send(&format!(":run steps n=3{ENTER}"))
        .asked()
        .has("[r]un [s]kip [a]ll [q]uit")
        .has("step \"First\"")
        .has("scripts/steps.rhai:6 (3 of 6)");
    screen
        .send(&format!("r{ENTER}"))
        .asked()
        .has("replicas 0 → 3")
        .has("step \"Second\"")
        .send(&format!("what{ENTER}"))
        .asked()
        .send(&format!("r{ENTER}"))
        .asked()
        .has("[r]etry [s]kip [q]uit");
    screen.has("consent is down").has(" --> scripts/steps.rhai:11:");
    // Meanwhile somebody else puts it right: here, nobody can; it is skipped.
    screen.send(&format!("r{ENTER}")).asked().send(&format!("s{ENTER}")).asked().has("step \"Third\"").send(&format!("s{ENTER}"));
    screen
        .asked()
        .has("search-service is down")
        .send(&format!("q{ENTER}"))
        .asked()
        .has("roll back?")
        .has("First (finished): its rollback block");
    screen.send(&format!("y{ENTER}")).prompted().has("replicas 3 → 0").has("steps was stopped");
    // Its variables and functions are here to look at.
    screen.enter("before").has("\n0\n").enter("more(params.n)").has("\n4\n");
    screen.send(CTRL_D);
    assert_eq!(screen.ended(), Some(0));
    let ran = project.run(["log", "show", "last"]).status(0).stdout_has("1> :run scripts/steps.rhai n=3");
    let input = ran.journaled("input").remove(0);
    assert!(input["sources"]["scripts/steps.rhai"].is_string(), "{input}");
}

#[test]
fn a_script_is_run_to_its_end_without_anybody_there_and_can_be_saved() {
    let project = outage().script("scripts/steps.rhai", STEPS);
    let inputs = "scale(\"consent\", 1); wait_ready(\"consent\");\n:run steps n=4\nbefore + params.n\n:save all\n";
    let ran = piped(project.clone(), inputs).status(0).stderr_has("note: second went through").stdout_has("\n4\n");
    let sat = ran.journal();
    let ran = project.run(["run", "all.rhai", "--world", "outage.yaml"]).status(0);
    assert_eq!(calls(&sat), calls(&ran.journal()), "{}", fs::read_to_string(project.root().join("all.rhai")).unwrap());
    // As an argument it is the first thing that is done.
    project.run(["repl", "steps", "--world", "-p", "n=1"]).status(0).stderr_has("search-service spec.replicas").recorded("ok", 0);
    project.run(["repl", "steps", "--world", "-p", "m=1"]).status(1).stderr_has("unknown parameter \"m\"");
    project.run(["repl", "stpes", "--world"]).status(1).stderr_has("did you mean `steps`?");
    let early = project.script("scripts/early.rhai", "note(\"one\");\nif true { return; }\nnote(\"two\");\n");
    early.run(["repl", "early", "--world"]).status(0).stderr_has("note: one").has_not("note: two");
}

#[test]
fn a_step_that_fails_at_the_prompt_offers_its_rollback_alone() {
    let project = outage();
    let mut screen = sitting(&project);
    screen.enter("step \"A\" { scale(\"billing\", 2); }").send(&format!("step \"B\" {{ scale(\"consent\", 2); throw \"no\"; }}{ENTER}"));
    screen.asked().has("roll back?").has("B (failed): the recorded inverses of deployment/consent").has_not("A (finished)");
    screen.enter("y").has("consent spec.replicas 2 → 0").enter("boom").has_not("A (finished)");
    // The one before is what is left to be taken back.
    screen
        .send(&format!(":undo{ENTER}"))
        .asked()
        .has("take back scale of deployment/billing?")
        .has("--replicas=0")
        .enter("n")
        .has("stays as it is");
    screen
        .clear()
        .send(&format!(":undo{ENTER}"))
        .asked()
        .has("take back scale of deployment/billing?")
        .enter("y")
        .has("billing spec.replicas 2 → 0");
    screen.enter(":undo").has("nothing was changed that could be taken back");
    screen.enter("restart(\"billing\")").enter(":undo").has("restart of deployment/billing cannot be taken back");
}

#[test]
fn long_results_are_cut_and_more_shows_them() {
    let project = outage().env("PAGER", "cat");
    let mut screen = project.on_terminal(OUTAGE, 80, 20);
    screen.prompted().enter("let a = []; for n in 0..500 { a.push(#{ n: n }); } a").has("… 485 more (:more shows all)").has_not(" 499");
    screen.enter(":more").until(" 499").has(" 498");
    screen
        .enter("get(\"deployment/billing\")")
        .has(" more lines (:more shows all)")
        .enter("1;")
        .enter("_")
        .has("\n1\n")
        .enter("_;")
        .has("> _;\n");
    screen.enter("\"a\\nb\"").has("\na\nb\n").enter("|x| x").has("<closure>");
}

#[test]
fn the_commands_tell_what_there_is() {
    let project = outage().env("PAGER", "cat");
    let mut screen = project.on_terminal(OUTAGE, 120, 60);
    screen.prompted().enter(":help").has(":run SCRIPT [NAME=VALUE]…").has("A world: nothing real can change");
    screen
        .enter(":help scale")
        .has("raises the tier;")
        .enter(":functions restart")
        .has("change (moderate): Restarts")
        .enter(":help scael")
        .has("did you mean `scale`?");
    screen.enter("note(\"seen\")").enter(":timeline").has("\n1> note(\"seen\")\n").has("it is still running");
    screen
        .enter(":journal")
        .has(".jsonl")
        .has("1 calls, 0 changes")
        .enter(":jounral")
        .has("did you mean `:journal`?")
        .enter("help")
        .has(":dry-run on|off");
    screen.send(&format!("quit{ENTER}"));
    assert_eq!(screen.ended(), Some(0));
}

#[test]
fn without_colours_there_are_none_and_with_them_changes_have_their_own() {
    let project = outage();
    // Dim and bold are no colours, and without them a hint could not be told from what was typed.
    let colours = |screen: &Screen| {
        let raw = screen.raw();
        let codes: Vec<&str> = raw.split("\x1b[").skip(1).filter_map(|rest| rest.split_once('m')).map(|(codes, _)| codes).collect();
        let plain = |codes: &str| codes.bytes().all(|c| c.is_ascii_digit() || c == b';');
        codes
            .into_iter()
            .filter(|codes| plain(codes))
            .any(|codes| codes.split(';').any(|code| code.len() == 2 && code.starts_with(['3', '9'])))
    };
    let mut screen = sitting(&project);
    screen.enter("scale(\"billing\", 2)").enter("boom").enter(":timeline");
    assert!(!colours(&screen), "{:?}", screen.raw());
    assert!(screen.raw().contains("\x1b[2m(target, replicas, options?)"));
    let project = project.env("NO_COLOR", "");
    let mut screen = project.on_terminal(OUTAGE, 100, 40);
    screen.prompted().enter("scale(\"billing\", 2)").enter("pods()");
    assert!(colours(&screen));
    assert!(screen.raw().contains("\x1b[1;33mscale\x1b[0m") && screen.raw().contains("\x1b[36mpods\x1b[0m"), "{:?}", screen.raw());
}

#[test]
fn a_sitting_that_is_ended_or_killed_leaves_a_whole_record() {
    let project = outage();
    let mut screen = sitting(&project);
    screen.enter("scale(\"billing\", 2)").send("half a line");
    screen.signal(Signal::TERM);
    assert_eq!(screen.ended(), Some(130));
    let ran = project.run(["log", "verify", "last"]).status(0).stdout_has("to the run's end");
    assert_eq!(ran.journal().last().unwrap()["status"], "cancelled");

    let project = outage();
    let mut screen = sitting(&project);
    screen.enter("get(\"deployment/billing\").spec.replicas").enter("note(\"last words\")");
    screen.signal(Signal::KILL);
    assert_eq!(screen.ended(), None);
    let ran = project.run(["log", "verify", "last"]).status(0).stdout_has("the run was cut off");
    assert!(ran.journaled("call").iter().any(|call| call["function"] == "note"), "{ran}");

    let project = outage();
    let mut screen = sitting(&project);
    screen.send(&format!("loop {{ }}{ENTER}"));
    std::thread::sleep(Duration::from_millis(200));
    screen.signal(Signal::HUP);
    assert_eq!(screen.ended(), Some(130));
    project.run(["log", "verify", "last"]).status(0).stdout_has("to the run's end");
}

#[test]
fn what_was_typed_before_a_question_is_no_answer_to_it() {
    let project = outage();
    let mut screen = sitting(&project);
    // The terminal has both lines before the first is read to its end.
    screen.enter("scale(\"billing\", 2)").send(&format!("let n = 0; while n < 100000 {{ n += 1; }} throw n{ENTER}:undo{ENTER}"));
    screen.asked().has("take back scale of deployment/billing?");
    std::thread::sleep(Duration::from_millis(100));
    screen.has("[y]es [n]o").has_not("2 → 0  changed").enter("n").has("stays as it is");
}

#[test]
fn a_batch_run_that_is_interrupted_asks_about_its_rollbacks() {
    let text = "[environments.prod]\ncontext = \"none\"\nprotected = false\n";
    let project = Project::new().config(text).script("x.rhai", "step \"A\" { sleep(\"1m\"); } rollback { note(\"taken back\"); }");
    project.run(["trust", "--yes"]).status(0);
    let mut screen = project.on_terminal(["run", "x.rhai"], 100, 30);
    screen.until("▸ A").send(CTRL_C).asked().has("roll back?").send(&format!("y{ENTER}")).until("rolled back: A").has("note: taken back");
    assert_eq!(screen.ended(), Some(130));
}

/// What is typed in a sitting that a document shows: the lines behind prompts and questions, and those that go on.
fn typed(sitting: &str) -> Vec<String> {
    let mut inputs: Vec<String> = Vec::new();
    for line in sitting.lines() {
        let behind = line.split_once(" > ").filter(|(before, _)| before.starts_with("world:")).map(|(_, typed)| typed);
        let answer = line.rsplit_once("[y]es [n]o ").map(|(_, answer)| answer);
        match (behind.or(answer), inputs.last_mut()) {
            (Some(typed), _) => inputs.push(typed.to_owned()),
            (None, Some(last)) if runbook::run::repl::scan::Scan::new(last).is_open() => *last = format!("{last}\n{line}"),
            _ => {}
        }
    }
    inputs
}

#[test]
fn the_document_s_sitting_is_as_it_is_shown() {
    let text = fs::read_to_string(repository().join("docs/repl.md")).unwrap();
    let shown = text.split("```text\n").nth(1).unwrap().split("\n```").next().unwrap();
    let project = outage();
    let mut screen = project.on_terminal(OUTAGE, 100, 200);
    screen.prompted();
    for input in typed(shown) {
        // A question is no prompt.
        if input == ":undo" {
            screen.send(&format!("{input}{ENTER}")).asked();
        } else {
            screen.enter(&input.replace('\n', ENTER));
        }
    }
    let text = screen.text();
    let (_, sat) = text.split_once("Ctrl-D ends\n").unwrap();
    let sat = sat.trim_end().trim_end_matches('>').trim_end();
    let sat = sat.rsplit_once('\n').map_or(sat, |(sat, _)| sat);
    assert_eq!(sat, shown, "the document shows another sitting; it is\n{sat}\n");
    project.run(["run", "what-helped.rhai", "--world", "outage.yaml"]).status(0);
}

#[test]
fn taking_a_change_back_shows_no_data_of_a_database() {
    let world = "databases: { redis: { keys: { \"sess:1\": PATIENT-ANN-SMITH } } }\n";
    let project = Project::seed().world("w.yaml", world);
    let inputs = "redis_execute(\"redis\", [\"UNLINK\", \"sess:1\"])\n:undo\nredis(\"redis\", [\"EXISTS\", \"sess:1\"]) == 1\n";
    let ran = project.clone().stdin(inputs).run(["repl", "--world", "w.yaml"]).status(0).stdout_has("true");
    ran.stderr_has("take back redis_execute of redis?").stderr_has("<string of 17 characters>").has_not("PATIENT-ANN-SMITH");
    project.run(["log", "show", "last"]).status(0).has_not("PATIENT-ANN-SMITH");
}
