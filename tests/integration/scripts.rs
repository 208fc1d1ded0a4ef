//! Scripts that cannot be run, or that do not end.

use std::time::Duration;

use rustix::process::Signal;

use crate::support::Project;

#[test]
fn what_does_not_parse_is_shown_and_nothing_begins() {
    for (script, error, hint) in [
        ("scale(\"api\", 5);\nlet x = ;", "Unexpected ';'\n --> x.rhai:2:9", ""),
        ("show(reslut);", "unknown variable `reslut`\n --> x.rhai:1:6", ""),
        ("let x = services;", "unknown variable `services`\n --> x.rhai:1:9", "the function `services` is called with parentheses"),
        ("eval(\"1\");", "reserved keyword 'eval' is disabled\n --> x.rhai:1:1", ""),
        ("fn scale(a, b) { 1 }", "the function `scale` would hide the host function of that name\n --> x.rhai:1:", "give it another name"),
        ("let x = 1;\nrunbok::x();", "runbok", ""),
        ("step \"x\" { note(\"a\")", "x.rhai:1:", ""),
        ("let s = \"open", "x.rhai:1:", ""),
        // The header.
        ("runbook(#{ titel: \"x\" });", "unknown field of the header \"titel\"\n --> x.rhai:1:12", "did you mean `title`?"),
        ("runbook(#{ severity: \"P1\" });", "the header has no title\n --> x.rhai:1:1", "add `title: \"…\"`"),
        (
            "runbook(#{ title: \"x\" + \"y\" });",
            "the header of a runbook is one map of literals\n --> x.rhai:1:1",
            "it is read without running the script",
        ),
        ("let p = runbook(5);", "the header of a runbook is one map of literals\n --> x.rhai:1:9", "it is read without running the script"),
        ("runbook(#{ title: \"x\", params: 5 });", "`params` must be a map, not int\n --> x.rhai:1:24", ""),
        (
            "runbook(#{ title: \"x\", params: #{ n: 5 } });",
            "the parameter `n` must be a map\n --> x.rhai:1:35",
            "such as `#{ type: \"int\", default: 3, help: \"…\" }`",
        ),
        (
            "runbook(#{ title: \"x\", params: #{ n: #{ help: \"\" } } });",
            "the parameter `n` has no type\n --> x.rhai:1:35",
            "add `type: \"int\"`",
        ),
        (
            "runbook(#{ title: \"x\", params: #{ n: #{ tpye: \"int\" } } });",
            "unknown field of the parameter `n`: \"tpye\"\n --> x.rhai:1:41",
            "did you mean `type`?",
        ),
        (
            "runbook(#{ title: \"x\", params: #{ n: #{ type: \"itn\" } } });",
            "unknown type of the parameter `n`: \"itn\"\n --> x.rhai:1:41",
            "did you mean `int`?",
        ),
        (
            "runbook(#{ title: \"x\", params: #{ n: #{ type: \"int\", max: 3, default: 5 } } });",
            "the parameter `n` must be at most 3, not 5\n --> x.rhai:1:62",
            "",
        ),
    ] {
        let ran = Project::new().in_world(script).status(2).stdout("").stderr_has("error[bad_argument]: ").stderr_has(error).no_journal();
        if !hint.is_empty() {
            ran.stderr_has("= help: ").stderr_has(hint);
        }
    }
}

#[test]
fn a_script_is_a_path_or_a_name_under_scripts() {
    let project = Project::new().script("scripts/api/restart.rhai", "note(\"by name\");");
    project.run(["run", "api/restart", "--world"]).status(0).stderr_has("note: by name");
    project.run(["run", "scripts/api/restart.rhai", "--world"]).status(0);
    project
        .run(["run", "api/restrat", "--world"])
        .status(2)
        .stderr_has("error[not_found]: there is no script \"api/restrat\"")
        .stderr_has("did you mean `api/restart`?");
    project.run(["run", "nothing-like-it", "--world"]).status(2).stderr_has("known: api/restart");
    Project::new().run(["run", "x.rhai", "--world"]).status(2).stderr_has("pass a path, or a name under scripts/").no_journal();
    Project::new().run(["run", ".", "--world"]).status(2).no_journal();
}

#[test]
fn a_script_that_is_no_text_is_refused() {
    let project = Project::new();
    std::fs::write(project.root().join("x.rhai"), b"note(\"\xff\");").unwrap();
    project.run(["run", "x.rhai", "--world"]).status(2).stderr_has("the script x.rhai cannot be read").no_journal();
}

#[test]
fn a_first_line_for_the_shell_is_passed_over_and_positions_hold() {
    Project::new().in_world("#!/usr/bin/env -S runbook run\nthrow \"here\";").status(1).stderr_has(" --> x.rhai:2:1");
}

#[test]
fn imports_stay_in_the_project() {
    let project = Project::new().script("lib/self.rhai", "import \"lib/self\" as again;").script("lib/a.rhai", "import \"lib/b\" as b;");
    let project = project
        .script("lib/b.rhai", "import \"lib/a\" as a;")
        .script("lib/good.rhai", "fn answer() { 42 }")
        .script("lib/bad.rhai", "let x = ;");
    std::fs::write(project.outside().join("planted.rhai"), "fn answer() { 1 }").unwrap();
    let project = project.clone().link("lib/link.rhai", project.outside().join("planted.rhai")).link("lib/folder", project.outside());
    let absolute = project.root().join("lib/good").display().to_string();
    for (path, exit, error) in [
        ("../planted", 1, "error[bad_argument]: the import \"../planted\" leaves the project\n --> x.rhai:1:8"),
        ("lib/../../planted", 1, "leaves the project\n --> x.rhai:1:8"),
        (absolute.as_str(), 1, "leaves the project\n --> x.rhai:1:8"),
        ("lib/link", 1, "leaves the project\n --> x.rhai:1:8"),
        ("lib/folder/planted", 1, "leaves the project\n --> x.rhai:1:8"),
        ("lib/missing", 1, "error[not_found]: the module lib/missing.rhai cannot be read"),
        ("std/helth", 1, "error[bad_argument]: unknown module \"std/helth\"\n --> x.rhai:1:8"),
        ("lib/self", 1, "error[bad_argument]: the import of \"lib/self\" is a cycle\n --> lib/self.rhai:1:8"),
        ("lib/a", 1, "error[bad_argument]: the import of \"lib/a\" is a cycle\n --> lib/b.rhai:1:8"),
        ("lib/bad", 2, "error[bad_argument]: Unexpected ';'\n --> lib/bad.rhai:1:9"),
    ] {
        let ran = project.in_world(&format!("import {path:?} as it;\nnote(`${{it::answer()}}`);")).status(exit).stderr_has(error);
        // A stack is shown as `= note:`; the script's own note must not have been reached.
        assert!(!ran.err.contains("\n  note: "), "{ran}");
        if exit == 1 {
            ran.recorded("failed", 1);
        }
    }
    project.in_world("import \"lib/good\" as it;\nnote(`${it::answer()}`);").status(0).stderr_has("note: 42");
    project.in_world("import \"std/health\" as health;\nnote(`${health::down(services()).len()}`);").status(0).stderr_has("note: 0");
}

#[test]
fn a_module_may_not_hide_a_host_function() {
    let project = Project::new().script("lib/evil.rhai", "\nfn scale(target, replicas) { 0 }");
    project
        .in_world("import \"lib/evil\" as evil;")
        .status(2)
        .stderr_has("the function `scale` would hide the host function of that name\n --> lib/evil.rhai:2:");
}

#[test]
fn the_journal_holds_the_hashes_of_the_script_and_its_imports() {
    let project = Project::new().script("lib/good.rhai", "fn answer() { 42 }");
    let header = project.in_world("import \"lib/good\" as it;").status(0).journal().remove(0);
    let sources: Vec<&String> = header["sources"].as_object().unwrap().keys().collect();
    assert_eq!(sources, ["lib/good.rhai", "x.rhai"]);
    let expected = runbook::config::sha256_hex(b"fn answer() { 42 }");
    assert_eq!(header["sources"]["lib/good.rhai"], expected.as_str());
}

#[test]
fn a_module_that_is_named_while_the_script_runs_is_checked_and_put_on_record() {
    let inner = "fn answer() { 42 }";
    let outer = "import \"lib/inner\" as i;\nfn answer() { import \"lib/inner\" as i; i::answer() }";
    let project = Project::new()
        .script("lib/evil.rhai", "fn scale(target, replicas) { 0 }")
        .script("lib/outer.rhai", outer)
        .script("lib/inner.rhai", inner);
    let ran = project.in_world("now();\nlet p = \"lib/\" + \"evil\";\nimport p as m;\nnote(\"reached\");").status(1).recorded("failed", 1);
    ran.stderr_has("error[bad_argument]: the function `scale` would hide the host function of that name\n --> x.rhai:3:")
        .has_not("reached");

    let script = "now();\nlet p = \"lib/\" + \"outer\";\nimport p as m;\nimport p as again;\nnote(`${m::answer()}`);";
    let ran = project.in_world(script).status(0).stderr_has("note: 42");
    let header = &ran.journal()[0];
    assert_eq!(header["sources"].as_object().unwrap().keys().collect::<Vec<_>>(), ["x.rhai"]);
    let found: Vec<(String, u64)> = ran
        .journaled("finding")
        .iter()
        .map(|found| (found["message"].as_str().unwrap().to_owned(), found["line"].as_u64().unwrap()))
        .collect();
    let said = |name: &str, text: &str| {
        let hash = runbook::config::sha256_hex(text.as_bytes());
        format!("the module {name} was read at its import and is not among the script's sources: SHA-256 {hash}")
    };
    assert_eq!(found, [(said("lib/outer.rhai", outer), 3), (said("lib/inner.rhai", inner), 1)]);
    ran.project.run(["log", "show", "last"]).status(0).stdout_has("was read at its import");
    ran.project.run(["log", "verify", "last"]).status(0);
    ran.project.run(["run", "x.rhai", "--replay", "last"]).status(0).stderr_has("note: 42");
}

#[test]
fn recursion_without_an_end_is_an_error_and_deep_recursion_is_none() {
    let ran = Project::new().in_world("fn f(n) { f(n + 1) }\nf(0);").status(1).recorded("failed", 1);
    ran.stderr_has("error[failed]: functions call one another too deeply").stderr_has("does one call itself without an end?");
    let mutual = "fn a(n) { b(n) }\nfn b(n) { a(n) }\na(0);";
    Project::new().in_world(mutual).status(1).recorded("failed", 1);
    Project::new()
        .in_world("let f = 0;\nfn down(n) { if n == 0 { 0 } else { down(n - 1) } }\nnote(`${down(60)}`);")
        .status(0)
        .stderr_has("note: 0");
}

#[test]
fn an_endless_loop_ends_by_a_signal_within_a_second() {
    for (signal, script) in [
        (Signal::INT, "note(\"begun\");\nloop { }"),
        (Signal::TERM, "note(\"begun\");\nlet n = 0;\nwhile true { n += 1; }"),
        (Signal::HUP, "note(\"begun\");\nloop { try { throw 1; } catch { } }"),
        (Signal::INT, "note(\"begun\");\nlet a = [1]; loop { a.map(|x| x + 1); }"),
        (Signal::TERM, "note(\"begun\");\nloop { now(); }"),
        (Signal::INT, "note(\"begun\");\nloop { try { now(); } catch { } }"),
        (Signal::INT, "note(\"begun\");\nloop { attempt(|| parallel([|| now(), || now()])); }"),
        (Signal::INT, "note(\"begun\");\nwait_until(|| { loop { } true });"),
        (Signal::INT, "note(\"begun\");\nwait_until(|| false, #{ timeout: \"1000000d\", interval: \"10ms\" });"),
    ] {
        let project = Project::new().script("x.rhai", script).timeout(Duration::from_secs(20));
        let mut running = project.start(project.command(["run", "x.rhai", "--world", "--journal", "j"]));
        running.until_said("note: begun");
        let at = std::time::Instant::now();
        running.signal(signal);
        let ran = running.wait().status(130);
        assert!(at.elapsed() < Duration::from_secs(1), "{script}: {:?}\n{ran}", at.elapsed());
        let ran =
            ran.stderr_has("stopping: ").stderr_has("error[cancelled]: the run was interrupted").stdout_has("cancelled: 0 changes made");
        let journal = std::fs::read_dir(project.root().join("j"))
            .unwrap()
            .flatten()
            .find(|entry| entry.path().extension().is_some_and(|e| e == "jsonl"));
        let end = crate::support::lines_of(&journal.unwrap().path()).pop().unwrap();
        assert_eq!((&end["status"], &end["exit"]), (&"cancelled".into(), &130.into()), "{script}\n{ran}");
        project.run(["log", "verify", "last", "--journal", "j"]).status(0).stdout_has("to the run's end");
    }
}

#[test]
fn branches_show_values_from_threads_of_their_own() {
    let project = Project::new().config("[environments.test]\ncontext = \"none\"\nprotected = false\n");
    let project = project.script("x.rhai", "parallel([|| show(1), || show(2)]);").timeout(Duration::from_secs(20));
    project.run(["trust", "--yes"]).status(0);
    let ran = project.run(["run", "x.rhai"]).status(0).recorded("ok", 0);
    ran.stdout_has("1\n").stdout_has("2\n");
}

#[test]
fn values_of_any_size_or_depth_end_in_an_error_and_the_run_in_its_record() {
    let cases = [
        ("let b = []; b.pad(9223372036854775807, 0);", "error[too_large]: `pad` may give an array at most 1048576 items\n --> x.rhai:1:"),
        ("let b = []; let c = []; b.pad(1000, 0); c.pad(2000, b);", "error[too_large]: `pad` may give an array at most 1048576 items"),
        ("let b = blob(100000000000);", "error[too_large]: `blob` may give a blob at most 67108864 bytes\n --> x.rhai:1:39"),
        ("let b = blob(100000000000, 7);", "error[too_large]: `blob` may give a blob"),
        ("let b = blob(1); b.pad(100000000000, 7);", "error[too_large]: `pad` may give a blob"),
        ("let s = \"x\"; loop { s += s; }", "error[too_large]: the script holds more than 1 GiB\n --> x.rhai:1:"),
        ("let s = \"\"; s.pad(100000000000, 'x');", "error[too_large]: `pad` may give a string at most 67108864 bytes"),
        ("let a = []; for i in 0..101 { a = [a]; } show(a);", "error[bad_argument]: a value with more than 100 arrays or maps in one"),
        ("let a = #{}; for i in 0..101 { a = #{ a: a }; } retry(|| now(), #{ assume: a });", "error[bad_argument]: a value with more than"),
    ];
    for (script, error) in cases {
        let ran = Project::new().in_world(&format!("step \"s\" {{ scale(\"api\", 5); }} {script}")).status(1);
        ran.stderr_has(error).recorded("failed", 1).stdout_has("1 change made");
    }
    let fits = "let b = [1]; b.pad(3, 0); b.pad(2, 9); b.pad(-1, 9); let c = blob(2, 0x141); c.pad(3, 7); \
                let t = \"ä\"; t.pad(3, 'x'); t.pad(6, \"ab\"); t.pad(2, \"no\"); note(`${b} ${c.to_array()} ${t}`);";
    Project::new().in_world(fits).status(0).stderr_has("note: [1, 0, 0] [65, 65, 7] äxxaba");
    let deep = "let a = []; for i in 0..97 { a = [a]; } attempt(|| http_get(\"api/health\", #{ params: a })); show(a); note(`${a}`);";
    Project::new().in_world(deep).status(0).recorded("ok", 0);
    // Rhai itself recurs when it copies, shows and drops it.
    let deeper = "let a = []; for i in 0..2000 { a = [a]; } note(`${`${a}`.len()}`);";
    Project::new().in_world(deeper).status(0).stderr_has("note: 4002").recorded("ok", 0);
}

#[test]
fn a_chain_of_imports_has_an_end() {
    let chain = (1..40).fold(Project::new(), |project, number| {
        project.script(&format!("lib/m{number}.rhai"), &format!("import \"lib/m{}\" as next;", number + 1))
    });
    let project = chain.script("lib/m40.rhai", "fn answer() { 42 }");
    let error = "error[bad_argument]: the import of \"lib/m33\" is the end of a chain of more than 32";
    project.in_world("import \"lib/m1\" as it;").status(2).stderr_has(error).stderr_has(" --> lib/m32.rhai:1:8").no_journal();
    project.in_world("let path = \"lib/m1\"; import path as it;").status(1).stderr_has(error).recorded("failed", 1);
    project.in_world("import \"lib/m9\" as it; note(\"reached\");").status(0).stderr_has("note: reached");
}
