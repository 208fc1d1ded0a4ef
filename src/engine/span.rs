//! From a line and a column to what stands there.

use std::ops::Range;

/// The bytes of what begins at a place: a word, a number, a string with its quotes, else one character. Lines and columns
/// are 1-based, columns in characters; without a column it is the whole line.
pub fn of(text: &str, line: u32, column: u32) -> Option<Range<usize>> {
    if line == 0 {
        return None;
    }
    let mut start = 0;
    let mut lines = text.split_inclusive('\n');
    for _ in 1..line {
        start += lines.next()?.len();
    }
    let content = lines.next().unwrap_or_default().trim_end_matches(['\n', '\r']);
    if column == 0 {
        let indent = content.len() - content.trim_start().len();
        return Some(start + indent..start + content.len());
    }
    let offset = content.char_indices().nth(column as usize - 1).map_or(content.len(), |(offset, _)| offset);
    let from = start + offset;
    Some(from..from + length(&text[from..], content.len() - offset))
}

/// The length of what a text begins with; `line` is what is left of its line.
fn length(text: &str, line: usize) -> usize {
    let mut chars = text[..line].chars();
    let Some(first) = chars.next() else { return 0 };
    let word = |text: &str| text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    match first {
        '"' => closing(&text[..line], '"').unwrap_or(1),
        '`' => closing(text, '`').unwrap_or(1),
        '-' | '0'..='9' if text[first.len_utf8()..line].starts_with(|c: char| c.is_ascii_digit()) || first != '-' => {
            text[1..line].find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.').map_or(line, |end| 1 + end)
        }
        '[' => bracketed(&text[..line]),
        '#' if text.starts_with("#{") => bracketed(&text[..line]),
        c if c.is_alphanumeric() || c == '_' => word(&text[..line]),
        c => c.len_utf8(),
    }
}

/// The length of an array or a map that ends on its line, else of its bracket.
fn bracketed(text: &str) -> usize {
    let (mut open, mut at) = (0, 0);
    while let Some(c) = text[at..].chars().next() {
        match c {
            '[' | '{' | '(' => open += 1,
            ']' | '}' | ')' => open -= 1,
            '"' => at += closing(&text[at..], '"').map_or(0, |length| length - 1),
            _ => {}
        }
        at += c.len_utf8();
        if open == 0 && c != '#' {
            return at;
        }
    }
    1
}

/// The length of a string with both its quotes.
fn closing(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return Some(at + c.len_utf8()),
            _ => {}
        }
    }
    None
}

/// The line and column, 1-based and in characters, of a byte.
pub fn place(text: &str, byte: usize) -> (u32, u32) {
    let before = &text[..byte.min(text.len())];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_counts_characters_and_marks_what_stands_there() {
        let text = "let ä = 1;\nscale(\"x y\", 3.5, -2)\nf(`a\nb`, x)\n";
        let marked = |line, column| &text[of(text, line, column).unwrap()];
        assert_eq!(marked(1, 5), "ä");
        assert_eq!(marked(2, 1), "scale");
        assert_eq!((marked(2, 7), marked(2, 14), marked(2, 19)), ("\"x y\"", "3.5", "-2"));
        assert_eq!(marked(2, 0), "scale(\"x y\", 3.5, -2)");
        assert_eq!(marked(3, 3), "`a\nb`");
        assert_eq!(marked(2, 99), "");
        let text = "f([1, \"]\", #{ a: [] }], #{ b: 1 }, [1";
        let marked = |column| &text[of(text, 1, column).unwrap()];
        assert_eq!((marked(3), marked(25), marked(36)), ("[1, \"]\", #{ a: [] }]", "#{ b: 1 }", "["));
        assert_eq!((of(text, 0, 0), of(text, 9, 1)), (None, None));
        assert_eq!(&"let s = \"open"[of("let s = \"open", 1, 9).unwrap()], "\"");
    }

    #[test]
    fn a_byte_has_a_line_and_a_column_in_characters() {
        assert_eq!((place("ä\nbc", 0), place("ä\nbc", 2), place("ä\nbc", 4), place("ä\nbc", 99)), ((1, 1), (1, 2), (2, 2), (2, 3)));
    }
}
