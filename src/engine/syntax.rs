//! Scripts that do not parse: what Rhai says, and what is usually meant.

use rhai::{LexError, ParseError, ParseErrorType};

use super::tree::Tree;
use super::{Diagnostic, diagnostic, names, span};
use crate::model::{Failure, suggest};

/// The words that begin a statement or go on with one, for slips of the pen in them.
const WORDS: [&str; 18] = [
    "step", "rollback", "let", "const", "if", "else", "for", "while", "loop", "fn", "import", "return", "throw", "try", "catch", "switch",
    "private", "export",
];

/// The units of durations, which stand in quotes.
const UNITS: [&str; 5] = ["ms", "s", "m", "h", "d"];

/// A text without the first line that names an interpreter for the shell; positions hold.
pub fn without_interpreter(text: &str) -> String {
    match text.split_once('\n') {
        Some((first, rest)) if first.starts_with("#!") => format!("\n{rest}"),
        None if text.starts_with("#!") => String::new(),
        _ => text.to_owned(),
    }
}

/// The diagnostic of a text that does not parse.
pub fn diagnose(error: &ParseError, file: &str, text: &str) -> Diagnostic {
    let at = diagnostic::position(file, error.position());
    // Where Rhai stops at the first name that it does not know, the same analysis as everywhere says what was meant.
    if let ParseErrorType::VariableUndefined(_) | ParseErrorType::ModuleUndefined(_) = error.err_type()
        && let Some(unknown) = names::first_unknown(file, text)
    {
        return unknown;
    }
    Diagnostic::at(failure(error, text), at)
}

/// What Rhai says of a text that does not parse, and what is usually meant.
pub fn failure(error: &ParseError, text: &str) -> Failure {
    let at = diagnostic::position("", error.position());
    let byte = span::of(text, at.line, at.column).map_or(text.len(), |span| span.start);
    let mut failure = Failure::bad_argument(error.err_type().to_string());
    failure.hint = hint(error.err_type(), &text[..byte], &text[byte..]);
    failure
}

/// What is usually meant; the text is cut where the error stands.
fn hint(error: &ParseErrorType, before: &str, after: &str) -> Option<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let last = before.trim_end().rsplit(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
    let next = word(after);
    let number = before.ends_with(|c: char| c.is_ascii_digit()).then(|| last.chars().all(|c| c.is_ascii_digit()));
    match error {
        _ if number == Some(true) && UNITS.contains(&next.as_str()) => Some(format!("durations stand in quotes: \"{last}{next}\"")),
        ParseErrorType::MissingToken(token, _) if token == ";" => match suggest::nearest(last, WORDS).filter(|near| *near != last) {
            Some(near) if !last.is_empty() => Some(format!("did you mean `{near}`?")),
            _ if open_braces(before) > 0 && after.trim().is_empty() => Some("a `}` is missing".into()),
            _ if after.starts_with([')', ']', '}']) => Some(format!("there is one `{}` too many", &after[..1])),
            _ => Some("add `;` before this, at the end of the statement".into()),
        },
        ParseErrorType::MissingToken(token, _) if token == "}" => Some("a `}` is missing".into()),
        ParseErrorType::MissingToken(token, _) if token == "," => match after.trim_start().starts_with(';') || after.trim().is_empty() {
            true => Some("a closing bracket is missing".into()),
            false => Some("add a `,` before this".into()),
        },
        ParseErrorType::BadInput(LexError::UnterminatedString) => Some("the closing quote is missing".into()),
        ParseErrorType::BadInput(LexError::MalformedChar(text)) => Some(format!("text stands in double quotes: \"{text}\"")),
        ParseErrorType::BadInput(LexError::ImproperSymbol(symbol, _)) if symbol == "eval" => {
            Some("what a system prints must never become a script: write a function instead".into())
        }
        ParseErrorType::Reserved(word) if rhai::is_valid_identifier(word) => Some("use another name".into()),
        ParseErrorType::UnexpectedEOF => Some("a closing bracket or quote is missing".into()),
        ParseErrorType::DuplicatedProperty(_) => Some("a map has each key once".into()),
        ParseErrorType::LoopBreak => Some("`return` ends the script, `abort(reason)` ends the run as failed".into()),
        _ => None,
    }
}

/// How many braces are open; those within strings are counted too, which is good enough for a hint.
fn open_braces(text: &str) -> i64 {
    text.chars().fold(0, |open, c| match c {
        '{' => open + 1,
        '}' => open - 1,
        _ => open,
    })
}

/// A script function that bears a host function's name, which it would be called instead of: name and place.
pub fn hidden(tree: &Tree, text: &str) -> Vec<(Failure, rhai::Position)> {
    let hides = tree.functions.iter().filter(|function| crate::host::find(&function.name).is_some() || function.name == "step");
    hides
        .map(|function| {
            let message = format!("the function `{}` would hide the host function of that name", function.name);
            (Failure::bad_argument(message).hint("give it another name"), name_of(text, &function.name, function.at))
        })
        .collect()
}

/// Where a function's name stands, from where its body begins.
fn name_of(text: &str, name: &str, body: rhai::Position) -> rhai::Position {
    let number = |n: Option<usize>| n.and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
    let found = span::of(text, number(body.line()), number(body.position())).and_then(|span| {
        let start = text[..span.start].rfind(&format!("fn {name}"))? + 3;
        let (line, column) = span::place(text, start);
        Some(rhai::Position::new(u16::try_from(line).ok()?, u16::try_from(column).ok()?))
    });
    found.unwrap_or(body)
}
