//! Parameters of runbooks.

use crate::support::Project;

const SCRIPT: &str = r#"let params = runbook(#{ title: "Parameters", params: #{
    count: #{ type: "int", default: 3, min: 1, max: 9, help: "how many" },
    share: #{ type: "float", default: 0.5, max: 1 },
    wait: #{ type: "duration", default: "30s" },
    force: #{ type: "bool", default: false },
    mode: #{ type: "string", choices: ["soft", "hard"], default: "soft" },
    name: #{ type: "string", help: "whom" },
} });
note(`${params.count} ${params.share} ${params.wait} ${params.force} ${params.mode} ${params.name}`);"#;

fn run(params: &[&str]) -> crate::support::Ran {
    let mut args = vec!["run", "x.rhai", "--world"];
    for param in params {
        args.extend(["--param", *param]);
    }
    Project::new().script("x.rhai", SCRIPT).run(args)
}

#[test]
fn defaults_hold_unless_overridden_and_all_of_them_are_on_record() {
    let ran = run(&["name=a=b"]).status(0).stderr_has("note: 3 0.5 30s false soft a=b");
    assert_eq!(
        ran.journal()[0]["params"],
        serde_json::json!({ "count": 3, "force": false, "mode": "soft", "name": "a=b", "share": 0.5, "wait": "30s" })
    );
    run(&["name=x", "count=9", "share=1", "wait=2m", "force=true", "mode=hard"]).status(0).stderr_has("note: 9 1.0 2m true hard x");
}

#[test]
fn wrong_ones_are_refused_before_anything_begins() {
    for (params, error, hint) in [
        (&[][..], "the parameter `name` (whom) is missing", "pass --param name=<string>"),
        (&["name=x", "cuont=3"], "unknown parameter \"cuont\"", "did you mean `count`?"),
        (&["name=x", "count=10"], "the parameter `count` must be 1 to 9, not 10", ""),
        (&["name=x", "count=0"], "the parameter `count` must be 1 to 9, not 0", ""),
        (&["name=x", "count=many"], "the parameter `count` must be int, not \"many\"", ""),
        (&["name=x", "count=3.0"], "the parameter `count` must be int, not \"3.0\"", ""),
        (&["name=x", "count="], "the parameter `count` must be int, not \"\"", ""),
        (&["name=x", "count=99999999999999999999"], "the parameter `count` must be int", ""),
        (&["name=x", "share=1.5"], "the parameter `share` must be at most 1, not 1.5", ""),
        (&["name=x", "share=nan"], "the parameter `share` must be float, not \"nan\"", ""),
        (&["name=x", "wait=30"], "the parameter `wait`: \"30\" is not a duration", "write a number with its unit"),
        (&["name=x", "force=yes"], "the parameter `force` must be bool, not \"yes\"", ""),
        (&["name=x", "mode=sotf"], "unknown value of the parameter `mode`: \"sotf\"", "did you mean `soft`?"),
        (&["name=x", "name=y"], "the parameter `name` is given twice", ""),
        (&["name"], "it must read NAME=VALUE", ""),
        (&["=x"], "it must read NAME=VALUE", ""),
    ] {
        let ran = run(params).status(2).stdout("").stderr_has(error).no_journal();
        if !hint.is_empty() {
            ran.stderr_has(hint);
        }
    }
    let ran = Project::new().script("x.rhai", "note(\"x\");").run(["run", "x.rhai", "--world", "--param", "a=1"]);
    ran.status(2).stderr_has("unknown parameter \"a\"").stderr_has("this runbook takes no parameters").no_journal();
}
