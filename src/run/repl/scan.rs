//! A scanner of what is being typed: words, texts, comments, and what is still open at the end.
//!
//! Rhai's own lexer stops at the first mistake, and half of what stands at a prompt is one. This one knows less and never
//! fails, so that highlighting, completion and "is there more to come" see the same.

use std::ops::Range;

/// Sorts of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A name.
    Word,
    /// A word of the language.
    Keyword,
    /// A number.
    Number,
    /// A text, or a part of one beside an interpolation, quotes included.
    Text,
    /// A comment.
    Comment,
    /// Brackets, operators and the rest.
    Symbol,
}

/// A part of the input; what lies between two is space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// Where it stands, in bytes.
    pub range: Range<usize>,
}

/// What can be open at the end of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opener {
    /// `(`.
    Paren,
    /// `[`, also of `?[`.
    Square,
    /// `{` of a block.
    Brace,
    /// `#{`.
    Map,
    /// `${` in a text between backticks.
    Interpolation,
    /// A text between backticks.
    Template,
    /// A text between double quotes, or a raw one. It cannot go over several lines without a backslash at their ends.
    Quote {
        /// Whether the input's last character lets the text go on in the next line.
        goes_on: bool,
    },
    /// `/*`.
    Comment,
}

/// Something open, and how far it has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// What is open.
    pub opener: Opener,
    /// The token that opened it.
    pub token: usize,
    /// How many commas have passed in it: the number of the argument or item.
    pub commas: usize,
    /// The token from which the current item begins.
    pub item: usize,
}

/// The words of the language, `step` and `rollback` among them.
pub const KEYWORDS: [&str; 31] = [
    "let", "const", "if", "else", "switch", "while", "loop", "do", "until", "for", "in", "continue", "break", "return", "throw", "try",
    "catch", "fn", "private", "import", "export", "as", "true", "false", "this", "step", "rollback", "Fn", "call", "curry", "global",
];

/// What an input is made of.
#[derive(Clone, Debug, Default)]
pub struct Scan {
    /// The tokens, in order.
    pub tokens: Vec<Token>,
    /// What is open at the end, outermost first.
    pub open: Vec<Open>,
}

impl Scan {
    /// Scans an input.
    pub fn new(text: &str) -> Scan {
        let mut scanner = Scanner { text, at: 0, scan: Scan::default() };
        while scanner.at < text.len() {
            scanner.next();
        }
        scanner.scan
    }

    /// Whether a bracket, a text that may go on, or a comment is open.
    pub fn is_open(&self) -> bool {
        self.open.iter().any(|open| !matches!(open.opener, Opener::Quote { goes_on: false }))
            && !matches!(self.open.last(), Some(Open { opener: Opener::Quote { goes_on: false }, .. }))
    }

    /// The text of a token.
    pub fn text<'a>(&self, text: &'a str, token: usize) -> &'a str {
        self.tokens.get(token).and_then(|token| text.get(token.range.clone())).unwrap_or_default()
    }

    /// The last token before this one that is no comment.
    pub fn before(&self, token: usize) -> Option<usize> {
        (0..token).rev().find(|number| self.tokens[*number].kind != Kind::Comment)
    }

    /// The first token after this one that is no comment.
    pub fn after(&self, token: usize) -> Option<usize> {
        (token + 1..self.tokens.len()).find(|number| self.tokens[*number].kind != Kind::Comment)
    }

    /// The function that the parenthesis at this token calls, and whether it is a method or belongs to a module.
    pub fn callee<'a>(&self, text: &'a str, paren: usize) -> Option<(&'a str, bool)> {
        let name = self.before(paren)?;
        if self.tokens[name].kind != Kind::Word {
            return None;
        }
        let before = self.before(name).map(|before| self.text(text, before));
        let qualified = matches!(before, Some("." | "?." | "::" | "fn"));
        Some((self.text(text, name), qualified))
    }
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    scan: Scan,
}

impl Scanner<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn push(&mut self, kind: Kind, length: usize) {
        self.scan.tokens.push(Token { kind, range: self.at..self.at + length });
        self.at += length;
    }

    fn open(&mut self, opener: Opener) {
        let token = self.scan.tokens.len() - 1;
        self.scan.open.push(Open { opener, token, commas: 0, item: token + 1 });
    }

    fn next(&mut self) {
        if let Some(Open { opener: Opener::Template, .. }) = self.scan.open.last() {
            return self.template();
        }
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return };
        match first {
            c if c.is_whitespace() => self.at += c.len_utf8(),
            '/' if rest.starts_with("//") => self.push(Kind::Comment, rest.find('\n').unwrap_or(rest.len())),
            '/' if rest.starts_with("/*") => self.comment(),
            '#' if self.at == 0 && rest.starts_with("#!") => self.push(Kind::Comment, rest.find('\n').unwrap_or(rest.len())),
            '#' if rest.starts_with("#{") => {
                self.push(Kind::Symbol, 2);
                self.open(Opener::Map);
            }
            '#' if rest.trim_start_matches('#').starts_with('"') => self.raw(),
            '"' => self.quoted(),
            '`' => {
                let length = template_end(rest, 1);
                self.push(Kind::Text, length.0);
                self.after_template(length.1);
            }
            '\'' => {
                let length = character(rest);
                self.push(if length > 1 { Kind::Text } else { Kind::Symbol }, length);
            }
            '(' => self.bracket(Opener::Paren),
            '[' => self.bracket(Opener::Square),
            '{' => self.bracket(Opener::Brace),
            ')' | ']' | '}' => self.close(first),
            ',' => {
                self.push(Kind::Symbol, 1);
                self.item(1);
            }
            ';' => {
                self.push(Kind::Symbol, 1);
                self.item(0);
            }
            c if c.is_ascii_digit() => {
                let length = number(rest);
                self.push(Kind::Number, length);
            }
            c if c.is_alphabetic() || c == '_' => {
                let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
                let kind = if KEYWORDS.contains(&&rest[..length]) { Kind::Keyword } else { Kind::Word };
                self.push(kind, length);
            }
            c => {
                let length = ["..=", "=>", "::", "?.", "..", "||", "&&", "==", "!=", "<=", ">=", "??"]
                    .into_iter()
                    .find(|symbol| rest.starts_with(symbol))
                    .map_or(c.len_utf8(), str::len);
                self.push(Kind::Symbol, length);
            }
        }
    }

    fn item(&mut self, commas: usize) {
        let next = self.scan.tokens.len();
        if let Some(open) = self.scan.open.last_mut() {
            open.commas += commas;
            open.item = next;
        }
    }

    fn bracket(&mut self, opener: Opener) {
        self.push(Kind::Symbol, 1);
        self.open(opener);
    }

    /// A closing bracket closes what matches; one that matches nothing is left to the parser to name.
    fn close(&mut self, bracket: char) {
        self.push(Kind::Symbol, 1);
        let wanted: &[Opener] = match bracket {
            ')' => &[Opener::Paren],
            ']' => &[Opener::Square],
            _ => &[Opener::Brace, Opener::Map, Opener::Interpolation],
        };
        if self.scan.open.last().is_some_and(|open| wanted.contains(&open.opener)) {
            self.scan.open.pop();
        }
    }

    fn comment(&mut self) {
        // Comments nest.
        let bytes = self.rest().as_bytes();
        let (mut depth, mut at) = (0, 0);
        while at < bytes.len() {
            match bytes.get(at..at + 2) {
                Some(b"/*") => (depth, at) = (depth + 1, at + 2),
                Some(b"*/") => (depth, at) = (depth - 1, at + 2),
                _ => at += 1,
            }
            if depth == 0 {
                return self.push(Kind::Comment, at);
            }
        }
        self.push(Kind::Comment, at);
        self.open(Opener::Comment);
    }

    fn quoted(&mut self) {
        let rest = self.rest();
        let (mut escaped, mut end) = (false, rest.len());
        let mut closed = false;
        for (at, c) in rest.char_indices().skip(1) {
            match c {
                '"' if !escaped => (end, closed) = (at + 1, true),
                // Only a backslash lets it go on; otherwise it is a mistake that ends with the line.
                '\n' if !escaped => end = at,
                _ => {
                    escaped = c == '\\' && !escaped;
                    continue;
                }
            }
            break;
        }
        let whole = end == rest.len();
        self.push(Kind::Text, end);
        if !closed && whole {
            self.open(Opener::Quote { goes_on: escaped });
        }
    }

    fn raw(&mut self) {
        let rest = self.rest();
        let hashes = rest.len() - rest.trim_start_matches('#').len();
        let closing = format!("\"{}", "#".repeat(hashes));
        match rest[hashes + 1..].find(&closing) {
            Some(at) => self.push(Kind::Text, hashes + 1 + at + closing.len()),
            None => {
                self.push(Kind::Text, rest.len());
                self.open(Opener::Quote { goes_on: true });
            }
        }
    }

    /// Within backticks, after an interpolation.
    fn template(&mut self) {
        let (length, end) = template_end(self.rest(), 0);
        self.scan.open.pop();
        self.push(Kind::Text, length);
        self.after_template(end);
    }

    fn after_template(&mut self, end: TemplateEnd) {
        match end {
            TemplateEnd::Closed => {}
            TemplateEnd::Open => self.open(Opener::Template),
            TemplateEnd::Interpolation => {
                self.open(Opener::Template);
                self.push(Kind::Symbol, 2);
                self.open(Opener::Interpolation);
            }
        }
    }
}

#[derive(Clone, Copy)]
enum TemplateEnd {
    Closed,
    Interpolation,
    Open,
}

/// How far a text between backticks goes, and what ends it there.
fn template_end(rest: &str, from: usize) -> (usize, TemplateEnd) {
    let bytes = rest.as_bytes();
    let mut at = from;
    while at < bytes.len() {
        match bytes[at] {
            b'`' if bytes.get(at + 1) == Some(&b'`') => at += 2,
            b'`' => return (at + 1, TemplateEnd::Closed),
            b'\\' if bytes.get(at + 1..at + 3) == Some(b"${") => at += 3,
            b'$' if bytes.get(at + 1) == Some(&b'{') => return (at, TemplateEnd::Interpolation),
            _ => at += 1,
        }
    }
    (rest.len(), TemplateEnd::Open)
}

/// The length of `'x'` or `'\n'`; 1 where it is none.
fn character(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1).take(12) {
        match c {
            '\'' if !escaped && at > 1 => return at + 1,
            '\n' => break,
            _ => escaped = c == '\\' && !escaped,
        }
    }
    1
}

/// The length of a number; `1..3` and `1.max(2)` end before the dot.
fn number(rest: &str) -> usize {
    let word = |from: usize| rest[from..].find(|c: char| !c.is_ascii_alphanumeric() && c != '_').map_or(rest.len(), |at| from + at);
    let whole = word(0);
    let fraction = rest[whole..].strip_prefix('.').is_some_and(|after| after.starts_with(|c: char| c.is_ascii_digit()));
    if fraction { word(whole + 1) } else { whole }
}

#[cfg(test)]
#[path = "scan_tests.rs"]
mod tests;
