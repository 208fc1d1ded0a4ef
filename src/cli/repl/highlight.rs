//! Colours for what is typed: what changes something has one of its own.

use crate::host;
use crate::model::Effect;
use crate::run::repl::scan::{Kind, Scan};

/// A function that changes something.
pub(super) const CHANGE: &str = "1;33";
/// A function that tells people.
pub(super) const NOTIFY: &str = "1;35";
/// A function that looks.
pub(super) const READ: &str = "36";
const KEYWORD: &str = "1";
const TEXT: &str = "32";
const COMMENT: &str = "2";
const COMMAND: &str = "1;34";

/// A text in a colour.
pub(super) fn paint(code: &str, text: &str) -> String {
    format!("\x1b[{code}m{text}\x1b[0m")
}

/// The colour of a host function's name; none for what stays on this machine.
pub(super) fn of_function(name: &str) -> Option<&'static str> {
    match host::find(name)?.effect() {
        Effect::Change => Some(CHANGE),
        Effect::Notify => Some(NOTIFY),
        Effect::Read => Some(READ),
        Effect::Local | Effect::Pure => None,
    }
}

/// An input in colours; the same text otherwise.
pub(super) fn input(line: &str) -> String {
    if line.trim_start().starts_with(':') {
        let end = line.trim_start().find(' ').map_or(line.len(), |at| at + line.len() - line.trim_start().len());
        return format!("{}{}", paint(COMMAND, &line[..end]), &line[end..]);
    }
    let scan = Scan::new(line);
    let mut out = String::with_capacity(line.len() * 2);
    let mut end = 0;
    for (number, token) in scan.tokens.iter().enumerate() {
        let text = &line[token.range.clone()];
        out.push_str(&line[end..token.range.start]);
        end = token.range.end;
        let called = || scan.after(number).is_some_and(|next| scan.text(line, next) == "(") || number + 1 == scan.tokens.len();
        let method = || scan.before(number).is_some_and(|before| matches!(scan.text(line, before), "." | "?." | "::" | "fn"));
        let code = match token.kind {
            Kind::Keyword => Some(KEYWORD),
            Kind::Text => Some(TEXT),
            Kind::Comment => Some(COMMENT),
            Kind::Word if called() && !method() => of_function(text),
            Kind::Word | Kind::Number | Kind::Symbol => None,
        };
        match code {
            Some(code) => out.push_str(&paint(code, text)),
            None => out.push_str(text),
        }
    }
    out.push_str(&line[end..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn changes_have_a_colour_of_their_own() {
        assert_eq!(input("scale(\"a\", 1)"), "\x1b[1;33mscale\x1b[0m(\x1b[32m\"a\"\x1b[0m, 1)");
        assert_eq!(input("get(x)"), "\x1b[36mget\x1b[0m(x)");
        assert_eq!(input("m.scale(1)"), "m.scale(1)");
        assert_eq!(input("let scale = 1"), "\x1b[1mlet\x1b[0m scale = 1");
        assert_eq!(input(":run x"), "\x1b[1;34m:run\x1b[0m x");
    }

    proptest! {
        #[test]
        fn only_colours_are_added(line in "[ -~äλ\\n]{0,60}") {
            let mut bare = input(&line);
            while let Some(start) = bare.find('\x1b') {
                let end = start + bare[start..].find('m').unwrap();
                bare.replace_range(start..=end, "");
            }
            prop_assert_eq!(bare, line);
        }
    }
}
