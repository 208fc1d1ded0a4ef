//! `runbook check`: every code by its own example, the forms of its output, what it takes, what it needs not.

use runbook::engine::check::codes::{CODES, Severity};
use serde_json::Value;

use crate::support::{Project, Ran, repository};

/// The day by which the documented examples are judged.
const DAY: &str = "2026-01-15";

fn example(script: &str) -> Ran {
    let header = if script.contains("runbook(") { "" } else { "runbook(#{ title: \"Example\" });\n" };
    Project::seed().script("example.rhai", &format!("{header}{script}\n")).run(["check", "example.rhai", "--as-of", DAY, "-o", "json"])
}

fn codes(ran: &Ran) -> Vec<String> {
    ran.json().as_array().unwrap().iter().map(|finding| finding["code"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn each_codes_example_has_it_and_nothing_else_and_its_remedy_has_nothing() {
    for code in CODES {
        let ran = example(code.example).status(i32::from(code.severity == Severity::Error));
        let found = codes(&ran);
        assert!(!found.is_empty() && found.iter().all(|found| found == code.id), "{} has {found:?}\n{ran}", code.id);
        let remedy = example(code.remedy);
        assert!(codes(&remedy).is_empty(), "the remedy of {}\n{remedy}", code.id);
    }
}

#[test]
fn codes_are_numbered_in_order_and_documented() {
    for (number, code) in CODES.iter().enumerate() {
        assert_eq!(code.id, format!("RB{:03}", number + 1));
        assert!(code.name.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{}", code.name);
        let ran = Project::bare().run(["check", "--explain", code.id]).status(0).stderr("");
        ran.stdout_has(code.name).stdout_has(code.summary).stdout_has(code.remedy.lines().next().unwrap());
    }
    let file = std::fs::read_to_string(repository().join("docs/diagnostics.md")).unwrap();
    assert_eq!(
        Project::bare().run(["reference", "diagnostics"]).status(0).out,
        file,
        "cargo run -- reference diagnostics > docs/diagnostics.md"
    );
    Project::bare().run(["check", "--explain", "RB00"]).status(2).stderr_has("unknown code \"RB00\"").stderr_has("did you mean `RB00");
    Project::bare().run(["check", "--explain", "no-way-bak"]).status(2).stderr_has("did you mean `no-way-back`?");
}

#[test]
fn the_repositorys_own_scripts_have_nothing() {
    let ran = std::process::Command::new(env!("CARGO_BIN_EXE_runbook"))
        .args(["check", "scripts", "examples", "--deny-warnings", "--as-of", "2026-12-01"])
        .current_dir(repository())
        .output()
        .unwrap();
    assert!(ran.status.success() && ran.stdout.is_empty(), "{}", String::from_utf8_lossy(&ran.stdout));
    assert!(String::from_utf8_lossy(&ran.stderr).ends_with("files: nothing found\n"));
}

const TWO: &str = "runbook(#{ title: \"x\" });\nnote(reslut);\nscale(\"api\", 3);\n";

#[test]
fn everything_is_told_in_one_go_by_file_and_place() {
    let project = Project::new().script("scripts/b.rhai", TWO).script("scripts/a/z.rhai", "shwo(1);").script("scripts/a/no.txt", "(");
    let project = project.script("scripts/.hidden.rhai", "(").script("scripts/c.rhai", "runbook(#{ title: \"x\" });");
    let ran = project.run(["check"]).status(1);
    let places: Vec<&str> = ran.out.lines().filter(|line| line.contains("--> ")).map(str::trim).collect();
    assert_eq!(
        places,
        ["--> scripts/a/z.rhai:1:1", "--> scripts/a/z.rhai:1:1", "--> scripts/b.rhai:2:6", "--> scripts/b.rhai:3:1"],
        "{ran}"
    );
    ran.stderr("3 files: 2 errors, 2 warnings\n").no_journal();
    // By name, by path, by folder; twice is once.
    for paths in [&["b", "a/z"][..], &["scripts/b.rhai", "scripts/a"], &["b", "scripts/a/z.rhai", "scripts/a", "b"]] {
        let ran = project.run(["check"].iter().chain(paths)).status(1).stderr("2 files: 2 errors, 2 warnings\n");
        assert!(ran.out.starts_with("error[RB002]"), "{ran}");
    }
    project.run(["check", "c"]).status(0).stdout("").stderr("1 file: nothing found\n");
}

#[test]
fn the_exit_code_says_whether_something_was_found() {
    let project = Project::new().script("w.rhai", "runbook(#{ title: \"x\" });\nscale(\"api\", 3);").script("e.rhai", TWO);
    project.run(["check", "w.rhai"]).status(0).stdout_has("warning[RB034]").stderr("1 file: 0 errors, 1 warning\n");
    project.run(["check", "w.rhai", "--deny-warnings"]).status(1);
    project.run(["check", "e.rhai"]).status(1);
    project.run(["check", "none"]).status(2).stdout("").stderr_has("there is no script \"none\"");
    project.run(["check", "w.rhai", "--env", "prod"]).status(2).stderr_has("unknown environment \"prod\"");
    project.run(["check", "w.rhai", "--as-of", "yesterday"]).status(2);
    project.run(["check"]).status(2).stderr_has("there is no folder").stderr_has("name the scripts to check");
    project.config("[services.api]\nworkloda = \"x\"\n").run(["check", "w.rhai"]).status(2).stderr_has("workloda");
}

#[test]
fn json_has_the_place_of_each_finding() {
    let ran = Project::new().script("x.rhai", "runbook(#{ title: \"ä\" }); note(`ä ${reslut}`);").run(["check", "x.rhai", "-o", "json"]);
    let found = ran.status(1).stderr("").json();
    assert_eq!(
        found[0],
        serde_json::json!({
            "code": "RB002", "name": "unknown-variable", "severity": "error",
            "message": "unknown variable `reslut`", "hint": null,
            "file": "x.rhai", "line": 1, "column": 37, "end_line": 1, "end_column": 43,
        })
    );
    assert_eq!(found.as_array().unwrap().len(), 1);
    assert_eq!(Project::new().script("x.rhai", "fn f() { }").run(["check", "x.rhai", "-o", "json"]).status(0).out, "[]\n");
}

#[test]
fn sarif_has_what_its_schema_asks_for() {
    let ran = Project::new().script("a b/x.rhai", TWO).run(["check", "a b/x.rhai", "-o", "sarif"]).status(1).stderr("");
    let sarif = ran.json();
    assert_eq!((&sarif["version"], &sarif["runs"].as_array().unwrap().len()), (&"2.1.0".into(), &1));
    let run = &sarif["runs"][0];
    let driver = &run["tool"]["driver"];
    assert_eq!((&driver["name"], driver["rules"].as_array().unwrap().len()), (&"runbook".into(), CODES.len()));
    let text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    for rule in driver["rules"].as_array().unwrap() {
        assert!(text(&rule["id"]) && text(&rule["shortDescription"]["text"]) && text(&rule["help"]["text"]), "{rule}");
        assert!(["error", "warning"].contains(&rule["defaultConfiguration"]["level"].as_str().unwrap()));
    }
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 2);
    for (result, (id, line)) in results.iter().zip([("RB002", 2), ("RB034", 3)]) {
        assert_eq!((&result["ruleId"], &driver["rules"][result["ruleIndex"].as_u64().unwrap() as usize]["id"]), (&id.into(), &id.into()));
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "a%20b/x.rhai");
        assert_eq!(place["region"]["startLine"], line);
        assert!(place["region"]["endColumn"].as_u64() > place["region"]["startColumn"].as_u64());
        assert!(text(&result["message"]["text"]));
    }
}

#[test]
fn github_annotates_each_line() {
    let ran = Project::new().script("a,b/x.rhai", TWO).run(["check", "a,b/x.rhai", "-o", "github"]).status(1);
    ran.stdout(
        "::error file=a%2Cb/x.rhai,line=2,endLine=2,col=6,endColumn=12,title=RB002 unknown-variable::unknown variable `reslut`\n\
         ::warning file=a%2Cb/x.rhai,line=3,endLine=3,col=1,endColumn=6,title=RB034 outside-step::`scale` changes something outside of every \
         step%0Aput it into one: `step \"…\" { … }`\n",
    );
}

#[test]
fn neither_a_files_name_nor_its_text_moves_a_cursor() {
    let project = Project::new().script("a\u{1b}[2J.rhai", "runbook(#{ title: \"x\" });\nnote(\"\u{1b}[2J\", 1);\nnote(\"\u{202e}\", 1);");
    for form in ["text", "json", "sarif", "github"] {
        let ran = project.run(["check", ".", "-o", form]).status(1).has_not("\u{1b}");
        assert!(form != "text" || !ran.out.contains('\u{202e}'), "{ran}");
    }
}

#[test]
fn nothing_is_trusted_resolved_or_left_behind() {
    let config = "[environments.prod]\ncontext = \"nowhere\"\n[environments.prod.databases.postgres]\nurl = \"postgres://x@nowhere/y\"\n\
                  password = { command = [\"touch\", \"touched\"] }\n";
    let script = "runbook(#{ title: \"x\" });\nimport \"lib/m\" as m;\nm::f();\nshow(sql(\"postgres\", \"SELECT 1\"));\nthrow \"never\";";
    let project = Project::bare().config(config).script("x.rhai", script).script("lib/m.rhai", "fn f() { now() }\nabort(\"never\");");
    let before = std::fs::read_dir(project.root()).unwrap().count();
    let ran = project.run(["check", "x.rhai"]).status(0).no_journal();
    assert!(ran.out.contains("warning[RB030]") && !ran.out.contains("error"), "{ran}");
    assert_eq!(std::fs::read_dir(project.root()).unwrap().count(), before);
}

#[test]
fn imported_modules_are_checked_and_what_they_change_is_known() {
    let project = Project::new()
        .script("lib/m.rhai", "fn grow(name) { scale(name, 9); shwo(name); }\nfn twice(name) { grow(name); }\nprivate fn own() { }");
    let project =
        project.script("x.rhai", "runbook(#{ title: \"x\" });\nimport \"lib/m\" as m;\nm::twice(\"api\");\nm::own();\nm::grow();");
    let found = project.run(["check", "x.rhai", "-o", "json"]).status(1).json();
    let told: Vec<String> = found
        .as_array()
        .unwrap()
        .iter()
        .map(|f| {
            format!(
                "{} {}:{}:{} {}",
                f["code"].as_str().unwrap(),
                f["file"].as_str().unwrap(),
                f["line"],
                f["column"],
                f["message"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "RB034 x.rhai:3:4 `twice` changes something (by `scale`) outside of every step",
            "RB003 x.rhai:4:4 unknown function `m::own`",
            "RB004 x.rhai:5:4 0 arguments were given to `m::grow`",
            "RB034 x.rhai:5:4 `grow` changes something (by `scale`) outside of every step",
            "RB003 lib/m.rhai:1:33 unknown function `shwo`",
        ]
    );
    // A module by itself needs no header; one that does something when it is imported is a script.
    project.run(["check", "lib/m.rhai", "-o", "json"]).status(1).stdout_has("RB003").has_not("RB030");
}

#[test]
fn names_are_known_if_one_environment_has_them_or_the_chosen_one() {
    let config = "[environments.a.databases.one]\nurl = \"postgres://x/y\"\n[environments.b.databases.two]\nurl = \"redis://x/0\"\n";
    let script = "runbook(#{ title: \"x\" });\nshow(sql(\"one\", \"SELECT 1\"));\nshow(redis(\"two\", [\"PING\"]));";
    let project = Project::bare().config(config).script("x.rhai", script);
    project.run(["check", "x.rhai"]).status(0).stdout("");
    project.run(["check", "x.rhai", "--env", "a"]).status(1).stdout_has("unknown database \"two\"").has_not("\"one\"");
    project.clone().env("RUNBOOK_ENV", "b").run(["check", "x.rhai"]).status(1).stdout_has("unknown database \"one\"");
    // Without a configuration nobody knows names.
    Project::bare().script("x.rhai", script).run(["check", "x.rhai"]).status(0).stdout("");
}

/// What has an inverse is what the pipeline records one for: each change's own examples tell.
#[test]
fn what_cannot_be_taken_back_is_what_no_inverse_is_recorded_of() {
    use runbook::model::Effect;
    let changes: Vec<_> = runbook::host::FUNCTIONS.iter().filter(|function| function.effect() == Effect::Change).collect();
    assert!(changes.len() >= 2);
    for function in changes {
        // Some examples are known only to read.
        let intents = function.spec.examples.iter().find_map(|example| {
            let ran = Project::seed().in_world(&format!("{};", example.code)).status(0);
            let own: Vec<Value> = ran.journaled("intent").into_iter().filter(|intent| intent["function"] == function.spec.name).collect();
            Some(own).filter(|own| !own.is_empty())
        });
        let intents = intents.unwrap_or_else(|| panic!("no example of {} changes anything", function.spec.name));
        let has = intents.iter().all(|intent| !intent["inverse"].is_null());
        let known = runbook::engine::check::steps::WITH_INVERSE.contains(&function.spec.name);
        assert_eq!(has, known, "{}: tell WITH_INVERSE in src/engine/check/steps.rs", function.spec.name);
    }
}
