//! Rehearsals: on both platforms the same is predicted, for the same reasons, and nothing is changed.

use regex::Regex;
use serde_json::{Map, Value, json};

use super::fixture::{Fixture, Run, Side};

/// What a journal's lines say of a rehearsal that must not depend on the platform.
const TOLD: [&str; 22] = [
    "type",
    "id",
    "step",
    "state",
    "function",
    "target",
    "effect",
    "args",
    "provenance",
    "write",
    "of",
    "tier",
    "mode",
    "object",
    "before",
    "after",
    "equivalent",
    "status",
    "finding",
    "message",
    "line",
    "failure",
];
/// What a change's row says.
const PLANNED: [&str; 12] =
    ["id", "step", "function", "target", "status", "before", "after", "tier", "effect", "equivalent", "validated", "remarks"];

fn picked(from: &Value, keys: &[&str]) -> Value {
    let mut picked: Map<String, Value> = keys.iter().filter_map(|key| Some(((*key).to_owned(), from.get(*key)?.clone()))).collect();
    if from["function"] == "show" {
        // How many nodes or figures there are to show is nobody's business here.
        picked.remove("args");
    }
    if let Some(failure) = picked.get_mut("failure") {
        *failure = json!({ "kind": failure["kind"], "message": failure["message"] });
    }
    picked.into()
}

/// Takes out what is another one in each run: times and the run's own id.
fn timeless(value: &Value, id: &str) -> Value {
    let times = Regex::new(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z").unwrap();
    serde_json::from_str(&times.replace_all(&value.to_string().replace(id, "<run>"), "<time>")).unwrap()
}

/// The calls, changes and findings of the journal, and the summary's rows.
fn told(run: &Run) -> Vec<Value> {
    let lines = run.journal.iter().filter(|line| line["type"] != "run" && line["type"] != "end");
    let lines = lines.map(|line| picked(line, &TOLD));
    let rows = ["changes", "messages"].into_iter().flat_map(|part| run.summary[part].as_array().unwrap());
    let rows = rows.map(|change| picked(change, &PLANNED));
    let findings = run.summary["findings"].as_array().unwrap().iter().map(|finding| picked(finding, &["finding", "message", "line"]));
    let end = picked(&run.summary, &["status", "exit", "calls", "dry_run", "passed"]);
    let id = run.summary["run"].as_str().unwrap();
    lines.chain(rows).chain(findings).chain([end]).map(|told| timeless(&told, id)).collect()
}

/// Runs a script on both sides; answers where they tell different things, and what the world's run came to.
pub(super) fn alike(fixture: &Fixture, script: &str, more: &[&str]) -> (Vec<String>, Run) {
    let [world, real] = Side::BOTH.map(|side| fixture.run(side, script, more));
    let (simulated, really) = (told(&world), told(&real));
    let pairs = simulated.iter().zip(&really).filter(|(world, real)| world != real);
    let mut wrong: Vec<String> = pairs.map(|(world, real)| format!("told otherwise:\n     World {world}\n     Real  {real}")).collect();
    if simulated.len() != really.len() {
        wrong.push(format!("{} lines in the world, {} on the real systems\n{}", simulated.len(), really.len(), real.ran));
    }
    (wrong, world)
}

impl Run {
    /// Checks that the journal says each of these at least once, so that there was something to compare.
    pub(super) fn says(&self, said: &[(&str, &str)]) {
        for (key, value) in said {
            assert!(self.journal.iter().any(|line| line[key] == *value), "no {key} is {value}\n{}", self.ran);
        }
    }
}
