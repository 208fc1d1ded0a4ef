//! Untrusted text on terminals and in reports: one line, control and bidi characters escaped.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a character can move a cursor, hide text or turn its direction.
fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
        || matches!(c, '\u{e0000}'..='\u{e007f}')
}

/// Escapes C0, C1, bidi and invisible characters, newlines included, so that the text stays on one line and is inert.
pub fn one_line(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hostile) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if is_hostile(c) => {
                let _ = write!(out, "\\u{{{:x}}}", c as u32);
            }
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// JSON with the same characters escaped as JSON has it: the line stays one that can be pasted, and means the same.
pub fn inert_json(json: &str) -> Cow<'_, str> {
    if !json.chars().any(is_hostile) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        match c {
            c if is_hostile(c) => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| {
                let _ = write!(out, "\\u{unit:04x}");
            }),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// [`one_line`], cut to a number of characters with an ellipsis.
pub fn short(text: &str, most: usize) -> String {
    let line = one_line(text);
    match line.char_indices().nth(most) {
        None => line.into_owned(),
        Some(_) => line.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// A number with what it counts: `1 change`, `3 changes`.
pub fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_could_act() {
        assert_eq!(one_line("plain — text ✓"), "plain — text ✓");
        assert_eq!(one_line("a\x1b[2Jb\nc\u{202e}d\u{9b}e"), "a\\u{1b}[2Jb\\nc\\u{202e}d\\u{9b}e");
    }

    #[test]
    fn json_means_the_same_and_cannot_act() {
        let text = "é\u{9b}2J\u{202e}x\u{e0041}\u{7f}";
        let json = serde_json::to_string(text).unwrap();
        assert_eq!(inert_json(&json), r#""é\u009b2J\u202ex\udb40\udc41\u007f""#);
        assert_eq!(serde_json::from_str::<String>(&inert_json(&json)).unwrap(), text);
    }

    #[test]
    fn cuts_by_characters() {
        assert_eq!(short("héllo wörld", 6), "héllo…");
        assert_eq!(short("short", 6), "short");
    }
}
