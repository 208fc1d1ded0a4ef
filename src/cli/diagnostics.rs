//! The codes of `runbook check` as Markdown; `docs/diagnostics.md` is its output.

use std::fmt::Write;

use crate::engine::check::codes::CODES;

/// The whole document.
pub fn markdown() -> String {
    let mut text = String::from(INTRODUCTION);
    for code in CODES {
        let _ = writeln!(text, "| [{}](#{}) | {} | {} |", code.id, anchor(code.id, code.name), code.name, code.severity.name());
    }
    for code in CODES {
        let _ = writeln!(text, "\n## {} {}\n\n*{}.* {}\n", code.id, code.name, capitalised(code.severity.name()), code.summary);
        let _ = writeln!(text, "```rhai\n{}\n```\n\nCorrected:\n\n```rhai\n{}\n```", code.example, code.remedy);
    }
    text
}

/// The anchor that Markdown makes of a heading.
fn anchor(id: &str, name: &str) -> String {
    format!("{}-{name}", id.to_lowercase())
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

const INTRODUCTION: &str = "\
# Diagnostics

Generated from the table of codes (`runbook reference diagnostics`); a test keeps it current, and checks each example: the first
has its code and no other, the second has none. `runbook check --explain RB003` prints one. Examples stand below a header,
`runbook(#{ title: \"…\" });`, where they show none, in the project of this repository, on 15 January 2026.

`runbook check PATH…` needs no network, no trust and no secret, and runs nothing. A comment `// allow(RB034): reason` silences a
code on the next line, or on its own if something stands before it; it must say why, and one that silences nothing is found as well.

| code | name | severity |
| --- | --- | --- |
";
