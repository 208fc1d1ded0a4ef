//! Runbooks as pages.

use crate::support::{Project, repository};

const SCRIPT: &str = r#"//! Two steps and <b>a few</b> calls.
let params = runbook(#{ title: "A | title", severity: "P1", params: #{
    replicas: #{ type: "int", default: 4, min: 1, max: 9, help: "how | many" },
    mode: #{ type: "string", choices: ["soft", "hard"] },
} });
let before = rollout_status("api").replicas;

// Because it is slow,
// and nobody knows why.
step "Scale" #{ on_error: "continue" } {
    scale("api", params.replicas);
    wait_ready(
        "api",
        #{ timeout: "1m" }
    );
    if before > 100 { restart("web"); }
} rollback { scale("api", before); }

step "Tell" #{ rollback: "never" } {
    show(sql("postgres", "SELECT 1"));
    notify("chat", "done");
}
"#;

#[test]
fn a_page_has_header_parameters_steps_commands_and_rollbacks() {
    let ran = Project::new().script("scripts/a/b.rhai", SCRIPT).run(["view", "a/b"]).status(0).stderr("").no_journal();
    let hash = ran.out.split("SHA-256 ").nth(1).and_then(|rest| rest.split(')').next()).unwrap().to_owned();
    insta::assert_snapshot!(ran.out.replace(&hash, "HASH"));
}

#[test]
fn every_script_of_the_repository_has_a_page_with_all_its_steps() {
    let project = Project::seed();
    for (name, file) in runbook_scripts() {
        let text = std::fs::read_to_string(&file).unwrap();
        let project = project.clone().script(&format!("scripts/{name}.rhai"), &text);
        let page = project.run(["view", &name]).status(0).out;
        let titles: Vec<&str> = text.lines().filter_map(|line| line.trim_start().strip_prefix("step \"")?.split('"').next()).collect();
        for title in titles {
            assert!(page.contains(&format!(". {title}\n")), "{name}: no step {title:?}\n{page}");
        }
        assert!(!page.contains("ended early"), "{name}\n{page}");
    }
}

/// The names and files of the scripts.
fn runbook_scripts() -> Vec<(String, std::path::PathBuf)> {
    let root = repository().join("scripts");
    let names = runbook::engine::script::names(repository());
    assert!(names.len() >= 2);
    names.into_iter().map(|name| (name.clone(), root.join(format!("{name}.rhai")))).collect()
}

#[test]
fn a_script_that_does_not_parse_has_no_page() {
    let project = Project::new().script("scripts/a.rhai", "let x = ;");
    project.run(["view", "a"]).status(2).stdout("").stderr_has("error[bad_argument]").stderr_has("scripts/a.rhai:1:9");
    project.run(["view", "b"]).status(2).stdout("").stderr_has("there is no script \"b\"");
}
