//! Cases: a piece of script and what it answers, as files of `cases/` hold them.
//!
//! A file is read in blocks with blank lines between. A block is a title (`// …`), code, and then the answer as JSON (`// → …`, and
//! more lines `//   …`), or the failure's kind and words of its message (`// ✗ kind: words … words`).

use serde_json::Value;

use super::expect::difference;
use super::fixture::{Fixture, Run, Side};

/// One case.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) title: String,
    pub(super) code: String,
    pub(super) expected: Expected,
}

/// What a case comes to.
#[derive(Debug)]
pub(super) enum Expected {
    /// An answer, as `expect.rs` compares it.
    Answer(Value),
    /// A failure of a kind, whose message has words in this order.
    Failure(String, Vec<String>),
}

/// How a script writes a value as JSON.
pub(super) const JSON: &str = r#"fn json(value) {
    switch type_of(value) {
        "i64" | "f64" | "bool" => `${value}`,
        "()" => "null",
        "array" => { let all = ""; for item in value { all += if all == "" { json(item) } else { "," + json(item) }; } `[${all}]` },
        "map" => { let all = ""; for key in value.keys() { let one = key.to_debug() + ":" + json(value[key]); all += if all == "" { one } else { "," + one }; } `{${all}}` },
        _ => `${value}`.to_debug()
    }
}
"#;

/// The cases of a file.
pub(super) fn parse(text: &str) -> Vec<Case> {
    let blocks = text.split("\n\n").map(str::trim).filter(|block| !block.is_empty());
    blocks.filter(|block| !block.starts_with("//!")).map(block).collect()
}

fn block(text: &str) -> Case {
    let mut lines = text.lines();
    let title = lines.next().and_then(|line| line.strip_prefix("// ")).unwrap_or_else(|| panic!("no title:\n{text}"));
    let (code, end): (Vec<&str>, Vec<&str>) = lines.partition(|line| !line.starts_with("//"));
    let end: Vec<&str> = end.iter().map(|line| line.trim_start_matches("//").trim()).collect();
    let end = end.join(" ");
    let expected = if let Some(json) = end.strip_prefix('→') {
        Expected::Answer(serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {text}")))
    } else if let Some((kind, words)) = end.strip_prefix('✗').and_then(|failure| failure.split_once(':')) {
        Expected::Failure(kind.trim().to_owned(), words.split('…').map(|words| words.trim().to_owned()).collect())
    } else {
        panic!("no expectation:\n{text}");
    };
    Case { title: title.to_owned(), code: code.join("\n"), expected }
}

impl Case {
    /// The function that the case is about, as its title begins.
    pub(super) fn function(&self) -> &str {
        self.title.split(':').next().unwrap_or_default()
    }

    /// What is wrong with what came of it: `#{ ok, value, error }`.
    fn wrong(&self, outcome: &Value) -> Option<String> {
        match (&self.expected, &outcome["error"]) {
            (Expected::Answer(expected), Value::Null) => difference(expected, &outcome["value"]),
            (Expected::Answer(_), error) => Some(format!("failed: {}: {}", error["kind"], error["message"])),
            (Expected::Failure(kind, _), Value::Null) => Some(format!("expected {kind}, answered {}", outcome["value"])),
            (Expected::Failure(kind, words), error) => {
                let message = error["message"].as_str().unwrap();
                let mut rest = message;
                let in_order = words.iter().all(|words| {
                    rest.find(words.as_str()).is_some_and(|at| {
                        rest = &rest[at + words.len()..];
                        true
                    })
                });
                (error["kind"] != kind.as_str() || !in_order)
                    .then(|| format!("expected {kind}: {}\n     found {}: {message}", words.join(" … "), error["kind"].as_str().unwrap()))
            }
        }
    }
}

/// Runs all cases in one script on a side; answers what is wrong, a line each.
pub(super) fn run_together(fixture: &Fixture, side: Side, cases: &[Case], more: &[&str]) -> Vec<String> {
    let mut script = JSON.to_owned();
    for (number, case) in cases.iter().enumerate() {
        script.push_str(&format!("note(`case {number} ` + json(attempt(|| {{\n{}\n}})));\n", case.code));
    }
    let run = fixture.run(side, &script, more);
    let wrong = |(number, case): (usize, &Case)| {
        let wrong = match json_of(&run, &format!("case {number} ")).first() {
            Some(outcome) => case.wrong(outcome),
            None => Some(format!("nothing came of it: {}", run.summary["error"])),
        };
        wrong.map(|wrong| format!("{side:?}: {}\n{}\n     {wrong}", case.title, case.code))
    };
    cases.iter().enumerate().filter_map(wrong).collect()
}

/// What the notes of a run that begin with a word hold as JSON.
pub(super) fn json_of(run: &Run, word: &str) -> Vec<Value> {
    let notes = run.journal.iter().filter(|line| line["type"] == "call" && line["function"] == "note");
    let texts = notes.filter_map(|line| line["args"][0].as_str().unwrap().strip_prefix(word));
    texts.map(|text| serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))).collect()
}

/// Runs each case in a script of its own, which it ends; answers what is wrong, a line each.
pub(super) fn run_alone(fixture: &Fixture, side: Side, cases: &[Case]) -> Vec<String> {
    let wrong = |case: &Case| {
        let run = fixture.run(side, &case.code, &[]);
        let outcome = serde_json::json!({ "error": run.summary.get("error"), "value": null });
        case.wrong(&outcome).map(|wrong| format!("{side:?}: {}\n{}\n     {wrong}", case.title, case.code))
    };
    cases.iter().filter_map(wrong).collect()
}
