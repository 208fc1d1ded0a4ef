//! `// allow(RB034): reason`, on the line before a finding or at the end of its line.

use super::codes::{self, Code};
use super::finding::Finding;
use super::sources::Source;
use crate::engine::span;
use crate::model::{Failure, Position, suggest};

/// A comment that allows findings.
struct Allow {
    /// The byte where it begins.
    at: usize,
    /// The line that it is about.
    line: u32,
    /// The codes, as they are written, and where.
    codes: Vec<(String, usize)>,
    /// Whether it says why.
    reason: bool,
}

/// Takes away what is allowed, and adds what is wrong with the comments.
pub(super) fn apply(findings: Vec<Finding>, source: &Source) -> Vec<Finding> {
    let allows = allows(&source.text);
    if allows.is_empty() {
        return findings;
    }
    let allowed = |finding: &Finding, allow: &Allow| {
        allow.line == finding.at.line && allow.codes.iter().any(|(code, _)| codes::find(code).is_some_and(|code| code == finding.code))
    };
    let mut left: Vec<Finding> = findings.iter().filter(|finding| !allows.iter().any(|allow| allowed(finding, allow))).cloned().collect();
    for allow in &allows {
        let mut note = |code: &'static Code, failure: Failure, byte: usize, length: usize| {
            let (line, column) = span::place(&source.text, byte);
            let at = Position { file: source.name.as_str().into(), line, column };
            left.push(Finding { code, failure, at, end: span::place(&source.text, byte + length) });
        };
        if !allow.reason {
            let failure = Failure::bad_argument("the comment does not say why this is allowed");
            note(codes::ALLOW_WITHOUT_REASON, failure.hint("`// allow(RB034): reason`"), allow.at, 2);
        }
        for (name, at) in &allow.codes {
            match codes::find(name) {
                None => {
                    let near = suggest::nearest(name, codes::CODES.iter().map(|code| code.name));
                    let hint =
                        near.map_or_else(|| "docs/diagnostics.md lists what there is".to_owned(), |near| format!("did you mean `{near}`?"));
                    let failure = Failure::bad_argument(format!("unknown code {name:?}")).hint(hint);
                    note(codes::UNKNOWN_CODE, failure, *at, name.len());
                }
                Some(code) if !findings.iter().any(|finding| finding.code == code && finding.at.line == allow.line) => {
                    let failure = Failure::bad_argument(format!("there is no {} ({}) on line {}", code.id, code.name, allow.line));
                    note(codes::UNUSED_ALLOW, failure.hint("take the comment away"), *at, name.len());
                }
                Some(_) => {}
            }
        }
    }
    left
}

fn allows(text: &str) -> Vec<Allow> {
    if !text.contains("allow(") {
        return Vec::new();
    }
    let comments = comments(text);
    comments.iter().filter_map(|at| allow(text, *at)).collect()
}

fn allow(text: &str, at: usize) -> Option<Allow> {
    let comment = text[at..].lines().next()?;
    let inner = comment.strip_prefix("//")?.trim_start().strip_prefix("allow(")?;
    let start = at + comment.len() - inner.len();
    let (names, rest) = inner.split_once(')')?;
    let mut codes = Vec::new();
    let mut from = start;
    for name in names.split(',') {
        codes.push((name.trim().to_owned(), from + name.len() - name.trim_start().len()));
        from += name.len() + 1;
    }
    let reason = rest.strip_prefix(':').is_some_and(|reason| !reason.trim().is_empty());
    let begins = text[..at].rfind('\n').map_or(0, |end| end + 1);
    let (own, _) = span::place(text, at);
    let line = match text[begins..at].trim().is_empty() {
        false => own,
        // A comment on a line of its own is about the next line that is none.
        true => {
            let next = text
                .lines()
                .enumerate()
                .skip(own as usize)
                .find(|(_, line)| !line.trim().is_empty() && !line.trim_start().starts_with("//"));
            next.map_or(own, |(number, _)| u32::try_from(number + 1).unwrap_or(own))
        }
    };
    Some(Allow { at, line, codes, reason })
}

/// Where the `//` comments of a script begin: not within strings, and not within `/* … */`.
fn comments(text: &str) -> Vec<usize> {
    let bytes = text.as_bytes();
    let starts = |at: usize, what: &str| bytes[at..].starts_with(what.as_bytes());
    let (mut found, mut at) = (Vec::new(), 0);
    // Open braces of the code at each level: a template holds code, which may hold templates.
    let mut levels = vec![0usize];
    let mut template = false;
    while at < bytes.len() {
        if template {
            match bytes[at] {
                b'\\' => at += 1,
                b'`' => template = false,
                b'$' if starts(at, "${") => {
                    levels.push(0);
                    (template, at) = (false, at + 1);
                }
                _ => {}
            }
            at += 1;
            continue;
        }
        match bytes[at] {
            b'/' if starts(at, "//") => {
                found.push(at);
                at += text[at..].find('\n').unwrap_or(text.len() - at);
                continue;
            }
            b'/' if starts(at, "/*") => {
                at = after_comment(bytes, at);
                continue;
            }
            b'"' => at = after_quote(bytes, at, b'"'),
            b'\'' => at = after_quote(bytes, at, b'\''),
            b'#' if text[at..].trim_start_matches('#').starts_with('"') => {
                let hashes = text[at..].find('"').unwrap_or(0);
                let end = format!("\"{}", "#".repeat(hashes));
                let open = at + hashes + 1;
                at = text[open..].find(&end).map_or(text.len(), |close| open + close + end.len());
                continue;
            }
            b'`' => template = true,
            b'{' => levels.last_mut().into_iter().for_each(|open| *open += 1),
            b'}' if levels.len() > 1 && levels.last() == Some(&0) => {
                levels.pop();
                template = true;
            }
            b'}' => levels.last_mut().into_iter().for_each(|open| *open = open.saturating_sub(1)),
            _ => {}
        }
        at += 1;
    }
    found
}

/// The last byte of a quoted text that ends on its line.
fn after_quote(bytes: &[u8], open: usize, quote: u8) -> usize {
    let mut at = open + 1;
    while at < bytes.len() && bytes[at] != quote && bytes[at] != b'\n' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at
}

/// The byte behind a comment that may hold others.
fn after_comment(bytes: &[u8], open: usize) -> usize {
    let (mut depth, mut at) = (0, open);
    while at < bytes.len() {
        match &bytes[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_told_from_what_only_looks_like_one() {
        let text = "a(\"http://x\"); // one\nb(`//${c(\"}`\") // two\n} //`); /* // /* */ // */ d('/'); e(#\"//\"\"#); // three\n";
        let found: Vec<&str> = comments(text).into_iter().map(|at| text[at..].lines().next().unwrap()).collect();
        assert_eq!(found, ["// one", "// two", "// three"]);
        assert_eq!(comments("\"open // string\nf(); // x"), [21]);
    }

    #[test]
    fn an_allow_is_about_its_own_line_or_the_next() {
        let text = "f(); // allow(RB001): why\n\n// allow(RB002 , RB003)\n// more\n\ng();\n";
        let allows = allows(text);
        let told: Vec<_> = allows.iter().map(|allow| (allow.line, allow.reason, allow.codes.len())).collect();
        assert_eq!(told, [(1, true, 1), (6, false, 2)]);
        assert_eq!(&text[allows[1].codes[1].1..][..5], "RB003");
    }
}
