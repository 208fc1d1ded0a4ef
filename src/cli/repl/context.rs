//! What is being typed at the cursor: a command, a text that names something, an option's key, a word.

use crate::call::Function;
use crate::host;
use crate::model::spec::{Opt, Param, Type};
use crate::run::repl::scan::{Kind, Opener, Scan};

/// The place of the cursor.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Context<'a> {
    /// `:word rest`.
    Command {
        /// The word, with its colon.
        word: &'a str,
        /// What follows it, if a space does.
        rest: Option<&'a str>,
    },
    /// Within quotes.
    Text {
        /// What the quotes hold so far.
        text: &'a str,
        /// What it is for.
        wanted: Wanted,
    },
    /// A key of an options map.
    Key {
        /// The key so far.
        key: &'a str,
        /// The keys that are there already.
        given: Vec<&'a str>,
        /// The options that the map may have.
        options: &'static [Opt],
    },
    /// A field or method behind a dot.
    Field {
        /// The field so far.
        field: &'a str,
        /// The variable and fields before it; empty where that is no plain path.
        path: Vec<&'a str>,
    },
    /// A function of a module.
    InModule {
        /// The name so far.
        name: &'a str,
        /// The module's alias.
        alias: &'a str,
    },
    /// A word of the language, a variable, a function; may be empty.
    Word(&'a str),
    /// Within a comment or a number.
    Nothing,
}

/// What a text names.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Wanted {
    /// A module's path.
    Module,
    /// What a parameter or an option takes.
    Value(Type),
    /// Nothing that is known.
    Unknown,
}

/// The call that the cursor stands in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Called {
    /// The function.
    pub(super) function: &'static Function,
    /// The number of the argument, from 0.
    pub(super) argument: usize,
    /// Whether something of that argument is there.
    pub(super) begun: bool,
    /// Which of the scan's open brackets it is.
    pub(super) level: usize,
}

/// The innermost call of a host function around the end of a text.
pub(super) fn called(text: &str, scan: &Scan) -> Option<Called> {
    let (level, open) = scan.open.iter().enumerate().rev().find(|(_, open)| {
        // A block or an interpolation inside of an argument is a place of its own.
        matches!(open.opener, Opener::Paren | Opener::Brace | Opener::Interpolation)
    })?;
    let (name, qualified) = scan.callee(text, open.token).filter(|_| open.opener == Opener::Paren)?;
    let function = host::find(name).filter(|_| !qualified)?;
    Some(Called { function, argument: open.commas, begun: scan.tokens.len() > open.item, level })
}

impl Called {
    /// The parameter that the argument is for; none where it is the options map, or one too many.
    pub(super) fn param(&self) -> Option<&'static Param> {
        self.function.spec.params.get(self.argument)
    }
}

/// The options of the innermost map that is open, if it is an options map, and the key whose value is being typed.
pub(super) fn options<'a>(text: &'a str, scan: &Scan) -> Option<(&'static [Opt], Option<&'a str>)> {
    let level = scan.open.iter().rposition(|open| open.opener == Opener::Map)?;
    if scan.open[level + 1..].iter().any(|open| !matches!(open.opener, Opener::Quote { .. } | Opener::Square)) {
        return None;
    }
    let open = &scan.open[level];
    let known = match level.checked_sub(1).and_then(|outer| scan.open.get(outer)) {
        Some(outer) if outer.opener == Opener::Paren => {
            let (name, qualified) = scan.callee(text, outer.token)?;
            host::find(name).filter(|_| !qualified && outer.item == open.token)?.spec.options
        }
        _ => {
            // `step "title" #{`
            let title = scan.before(open.token)?;
            let step = scan.before(title)?;
            if scan.text(text, step) != "step" {
                return None;
            }
            crate::engine::step::OPTIONS
        }
    };
    let key = (scan.text(text, open.item + 1) == ":").then(|| scan.text(text, open.item).trim_matches('"'));
    Some((known, key))
}

/// The place at the end of a text.
pub(super) fn at(text: &str) -> Context<'_> {
    if text.trim_start().starts_with(':') {
        let text = text.trim_start();
        return match text.split_once(' ') {
            Some((word, rest)) => Context::Command { word, rest: Some(rest.trim_start()) },
            None => Context::Command { word: text, rest: None },
        };
    }
    let scan = Scan::new(text);
    let last = scan.tokens.last();
    match scan.open.last().map(|open| open.opener) {
        Some(Opener::Comment | Opener::Template) => return Context::Nothing,
        Some(Opener::Quote { .. }) => {
            let quoted = last.map(|token| &text[token.range.clone()]).unwrap_or_default();
            let content = quoted.trim_start_matches('#').strip_prefix('"').unwrap_or_default();
            return Context::Text { text: content, wanted: wanted(text, &scan) };
        }
        _ => {}
    }
    let number = scan.tokens.len();
    let (word, before) = match last {
        Some(token) if token.range.end == text.len() => match token.kind {
            Kind::Word | Kind::Keyword => (&text[token.range.clone()], scan.before(number - 1)),
            Kind::Comment | Kind::Number | Kind::Text => return Context::Nothing,
            Kind::Symbol => ("", Some(number - 1)),
        },
        // A comment of one line is open until the next.
        Some(token)
            if token.kind == Kind::Comment && text[token.range.clone()].starts_with("//") && !text[token.range.end..].contains('\n') =>
        {
            return Context::Nothing;
        }
        Some(_) => ("", scan.before(number)),
        None => return Context::Word(""),
    };
    match before.map(|before| scan.text(text, before)) {
        Some("." | "?.") => return Context::Field { field: word, path: path(text, &scan, before) },
        Some("::") => {
            let alias = before.and_then(|before| scan.before(before)).map(|alias| scan.text(text, alias)).unwrap_or_default();
            return Context::InModule { name: word, alias };
        }
        Some("let" | "const" | "fn") => return Context::Nothing,
        _ => {}
    }
    if scan.open.last().is_some_and(|open| open.opener == Opener::Map && open.item + usize::from(!word.is_empty()) == number)
        && let Some((options, None)) = options(text, &scan)
    {
        return Context::Key { key: word, given: given(text, &scan), options };
    }
    Context::Word(word)
}

/// The keys that the innermost open map has.
fn given<'a>(text: &'a str, scan: &Scan) -> Vec<&'a str> {
    let Some(open) = scan.open.last() else { return Vec::new() };
    let mut depth = 0_usize;
    let mut keys = Vec::new();
    for token in open.token + 1..scan.tokens.len() {
        match scan.text(text, token) {
            "(" | "[" | "{" | "#{" | "${" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            ":" if depth == 0 => keys.push(scan.text(text, token - 1)),
            _ => {}
        }
    }
    keys
}

/// `a.b` before the dot at a token.
fn path<'a>(text: &'a str, scan: &Scan, dot: Option<usize>) -> Vec<&'a str> {
    let mut path = Vec::new();
    let mut dot = dot;
    while let Some(name) = dot.and_then(|dot| scan.before(dot)) {
        if scan.tokens[name].kind != Kind::Word {
            return Vec::new();
        }
        path.insert(0, scan.text(text, name));
        dot = scan.before(name).filter(|before| matches!(scan.text(text, *before), "." | "?."));
        if dot.is_none() {
            break;
        }
    }
    path
}

/// What the open text at the end is for.
fn wanted(text: &str, scan: &Scan) -> Wanted {
    let Some(quote) = scan.tokens.len().checked_sub(1) else { return Wanted::Unknown };
    let before = scan.before(quote).map(|before| scan.text(text, before));
    if before == Some("import") {
        return Wanted::Module;
    }
    if !matches!(before, Some("(" | "," | "[" | ":" | "#{")) {
        return Wanted::Unknown;
    }
    if let Some((options, key)) = options(text, scan) {
        return match key.and_then(|key| options.iter().find(|option| option.name == key)) {
            Some(option) => Wanted::Value(option.ty),
            None => Wanted::Unknown,
        };
    }
    match called(text, scan) {
        Some(call) if !scan.open[call.level + 1..].iter().any(|open| open.opener == Opener::Map) => {
            call.param().map_or(Wanted::Unknown, |param| Wanted::Value(param.ty))
        }
        _ => Wanted::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(line: &str) -> (&str, Wanted) {
        match at(line) {
            Context::Text { text, wanted } => (text, wanted),
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn texts_are_what_their_place_takes() {
        assert_eq!(text("scale(\"ap"), ("ap", Wanted::Value(Type::Workload)));
        assert_eq!(text("wait_ready([\"a\", \"b"), ("b", Wanted::Value(Type::Workloads)));
        assert_eq!(text("import \"std/"), ("std/", Wanted::Module));
        assert_eq!(text("sql(\"").1, Wanted::Value(Type::Database));
        assert_eq!(text("sql(\"postgres\", \"SELECT ").1, Wanted::Value(Type::Str));
        assert_eq!(text("scale(\"a\", 1, #{ tier: \"").1, Wanted::Value(Type::Choice(&["moderate", "severe"])));
        assert_eq!(text("notify(\"x\", \"y\", #{ severity: \"").1, Wanted::Value(Type::Severity));
        assert_eq!(text("let x = \"").1, Wanted::Unknown);
        assert_eq!(text("x.filter(|p| p.name == \"").1, Wanted::Unknown);
        assert_eq!(text("scale(f(\"").1, Wanted::Unknown);
    }

    #[test]
    fn keys_are_offered_where_a_key_may_stand() {
        let keys = |line| match at(line) {
            Context::Key { key, given, options } => (key, given, options.len()),
            other => panic!("{line}: {other:?}"),
        };
        assert_eq!(keys("scale(\"a\", 1, #{ "), ("", vec![], 3));
        assert_eq!(keys("scale(\"a\", 1, #{ tier: \"severe\", ti"), ("ti", vec!["tier"], 3));
        assert_eq!(keys("step \"a\" #{ on"), ("on", vec![], 2));
        assert_eq!(at("scale(\"a\", 1, #{ timeout: t"), Context::Word("t"));
        assert_eq!(at("let m = #{ "), Context::Word(""));
    }

    #[test]
    fn words_fields_and_modules() {
        assert_eq!(at("let x = sc"), Context::Word("sc"));
        assert_eq!(at("scale(\"a\"); "), Context::Word(""));
        assert_eq!(at("before.spec.re"), Context::Field { field: "re", path: vec!["before", "spec"] });
        assert_eq!(at("pods()."), Context::Field { field: "", path: vec![] });
        assert_eq!(at("health::do"), Context::InModule { name: "do", alias: "health" });
        assert_eq!(at("x // sc"), Context::Nothing);
        assert_eq!(at("/* sc"), Context::Nothing);
        assert_eq!(at("12"), Context::Nothing);
        assert_eq!(at("let sc"), Context::Nothing);
        assert_eq!(at(":ru"), Context::Command { word: ":ru", rest: None });
        assert_eq!(at(":run eme"), Context::Command { word: ":run", rest: Some("eme") });
        assert_eq!(at("`a ${sc"), Context::Word("sc"));
        assert_eq!(at("`a sc"), Context::Nothing);
    }
}
