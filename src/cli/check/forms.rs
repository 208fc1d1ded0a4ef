//! The forms in which findings are told.

use serde_json::{Value, json};

use crate::engine::check::codes::{CODES, Severity};
use crate::engine::check::{Checked, Finding};

/// The source lines, marked, as errors of a run are shown.
pub(super) fn text(checked: &Checked, colour: bool) -> String {
    checked.findings.iter().map(|finding| format!("{}\n\n", finding.render(checked.text(&finding.at.file), colour))).collect()
}

/// An array of objects.
pub(super) fn json(checked: &Checked) -> String {
    let object = |finding: &Finding| {
        json!({
            "code": finding.code.id,
            "name": finding.code.name,
            "severity": finding.code.severity.name(),
            "message": finding.failure.message,
            "hint": finding.failure.hint,
            "file": finding.at.file,
            "line": finding.at.line,
            "column": finding.at.column,
            "end_line": finding.end.0,
            "end_column": finding.end.1,
        })
    };
    pretty(&checked.findings.iter().map(object).collect::<Vec<_>>().into())
}

/// SARIF 2.1.0: one run with all rules. Columns count characters, ends are exclusive.
pub(super) fn sarif(checked: &Checked) -> String {
    let rules = CODES.iter().map(|code| {
        json!({
            "id": code.id,
            "name": code.name,
            "shortDescription": { "text": code.name.replace('-', " ") },
            "fullDescription": { "text": code.summary },
            "help": {
                "text": format!("This has it:\n\n{}\n\nThis has not:\n\n{}", code.example, code.remedy),
                "markdown": format!("This has it:\n\n```rhai\n{}\n```\n\nThis has not:\n\n```rhai\n{}\n```", code.example, code.remedy),
            },
            "defaultConfiguration": { "level": code.severity.name() },
        })
    });
    let result = |finding: &Finding| {
        json!({
            "ruleId": finding.code.id,
            "ruleIndex": CODES.iter().position(|code| *code == finding.code),
            "level": finding.code.severity.name(),
            "message": { "text": with_hint(finding, ". ") },
            "locations": [{ "physicalLocation": {
                "artifactLocation": { "uri": uri(&finding.at.file) },
                "region": {
                    "startLine": finding.at.line,
                    "startColumn": finding.at.column,
                    "endLine": finding.end.0,
                    "endColumn": finding.end.1,
                },
            } }],
        })
    };
    pretty(&json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "runbook", "version": env!("CARGO_PKG_VERSION"), "rules": rules.collect::<Vec<_>>() } },
            "columnKind": "unicodeCodePoints",
            "results": checked.findings.iter().map(result).collect::<Vec<_>>(),
        }],
    }))
}

/// A path as a relative reference: what is not unreserved is encoded.
fn uri(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    path.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// Workflow commands of GitHub Actions.
pub(super) fn github(checked: &Checked) -> String {
    let line = |finding: &Finding| {
        let command = match finding.code.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        format!(
            "::{command} file={},line={},endLine={},col={},endColumn={},title={}::{}\n",
            escaped(&finding.at.file, true),
            finding.at.line,
            finding.end.0,
            finding.at.column,
            finding.end.1,
            escaped(&format!("{} {}", finding.code.id, finding.code.name), true),
            escaped(&with_hint(finding, "\n"), false)
        )
    };
    checked.findings.iter().map(line).collect()
}

fn with_hint(finding: &Finding, between: &str) -> String {
    match &finding.failure.hint {
        Some(hint) => format!("{}{between}{hint}", finding.failure.message),
        None => finding.failure.message.clone(),
    }
}

/// A text as a part of a workflow command; properties end at colons and commas.
fn escaped(text: &str, property: bool) -> String {
    let text = text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    if property { text.replace(':', "%3A").replace(',', "%2C") } else { text }
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}
