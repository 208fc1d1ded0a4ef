//! The statements of a text, cut by the scanner: what is stepped through, and what is saved.

use std::ops::Range;

use super::scan::{Kind, Scan};
use crate::host;
use crate::model::Effect;

/// Sorts of statements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// `let`, `const`, `import`, `export`: must stand outside of blocks to be seen later.
    Declaration,
    /// `fn`: no statement to Rhai.
    Function,
    /// `step`.
    Step,
    /// Anything else.
    Other,
}

/// One statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What it is.
    pub sort: Sort,
    /// Where it stands, without the semicolon behind it.
    pub range: Range<usize>,
}

/// Words whose statements end with their block.
const BLOCKS: [&str; 11] = ["if", "for", "while", "loop", "do", "try", "switch", "step", "fn", "private", "{"];
/// Words that go on with a block's statement.
const CONTINUED: [&str; 5] = ["else", "catch", "rollback", "while", "until"];

/// Cuts a text into its statements; comments between them are left out.
pub fn items(text: &str) -> Vec<Item> {
    let scan = Scan::new(text);
    let mut items = Vec::new();
    let mut depth = 0_usize;
    let mut start: Option<usize> = None;
    let mut blocks: Vec<bool> = Vec::new();
    let close = |items: &mut Vec<Item>, first: usize, end: usize| {
        let sort = match scan.text(text, first) {
            "let" | "const" | "import" | "export" => Sort::Declaration,
            "fn" | "private" => Sort::Function,
            "step" => Sort::Step,
            _ => Sort::Other,
        };
        items.push(Item { sort, range: scan.tokens[first].range.start..end });
    };
    for (number, token) in scan.tokens.iter().enumerate() {
        if token.kind == Kind::Comment {
            continue;
        }
        let word = scan.text(text, number);
        if token.kind == Kind::Symbol {
            match word {
                ";" if depth == 0 => {
                    if let Some(first) = start.take() {
                        let end = scan.before(number).map_or(token.range.start, |last| scan.tokens[last].range.end);
                        close(&mut items, first, end);
                    }
                    continue;
                }
                "(" | "[" | "{" | "#{" | "${" => {
                    start.get_or_insert(number);
                    depth += 1;
                    blocks.push(word == "{");
                    continue;
                }
                ")" | "]" | "}" => {
                    depth = depth.saturating_sub(1);
                    let block = blocks.pop().unwrap_or(false);
                    if let Some(first) = start.filter(|_| depth == 0 && block && word == "}") {
                        let goes_on = scan.after(number).is_some_and(|next| CONTINUED.contains(&scan.text(text, next)));
                        let opens = scan.text(text, first);
                        // `do { } while x` goes on; `loop { }` before a `while` of its own does not.
                        let goes_on = goes_on
                            && scan.after(number).is_some_and(|next| opens == "do" || !matches!(scan.text(text, next), "while" | "until"));
                        if BLOCKS.contains(&opens) && !goes_on {
                            close(&mut items, first, token.range.end);
                            start = None;
                        }
                    }
                    continue;
                }
                _ => {}
            }
        }
        start.get_or_insert(number);
    }
    if let Some(first) = start {
        let last = (0..scan.tokens.len()).rev().find(|number| scan.tokens[*number].kind != Kind::Comment).unwrap_or(first);
        close(&mut items, first, scan.tokens[last].range.end);
    }
    items
}

/// A call of a host function in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Called {
    /// The function's name.
    pub function: &'static str,
    /// Its arguments that are literals, by parameter: name and where it stands.
    pub literals: Vec<(&'static str, Range<usize>)>,
}

/// The calls of host functions in a text, in order.
pub fn calls(text: &str) -> Vec<Called> {
    let scan = Scan::new(text);
    let mut found = Vec::new();
    for paren in 0..scan.tokens.len() {
        if scan.text(text, paren) != "(" || scan.tokens[paren].kind != Kind::Symbol {
            continue;
        }
        let Some((name, false)) = scan.callee(text, paren) else { continue };
        let Some(function) = host::find(name) else { continue };
        found.push(Called { function: function.spec.name, literals: literals(text, &scan, paren, function) });
    }
    found
}

fn literals(text: &str, scan: &Scan, paren: usize, function: &'static crate::call::Function) -> Vec<(&'static str, Range<usize>)> {
    let mut found = Vec::new();
    let (mut number, mut depth, mut first) = (0_usize, 0_usize, paren + 1);
    for token in paren + 1..scan.tokens.len() {
        let word = if scan.tokens[token].kind == Kind::Symbol { scan.text(text, token) } else { "" };
        let ends = depth == 0 && matches!(word, "," | ")");
        if ends {
            let range = &scan.tokens[first].range;
            let whole = token == first + 1 && matches!(scan.tokens[first].kind, Kind::Text | Kind::Number);
            if let Some(param) = function.spec.params.get(number).filter(|_| whole && !text[range.clone()].starts_with('`')) {
                found.push((param.name, range.clone()));
            }
            (number, first) = (number + 1, token + 1);
        }
        match word {
            "(" | "[" | "{" | "#{" | "${" => depth += 1,
            ")" if depth == 0 => break,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    found
}

/// Whether a text may change something or tell somebody, as far as its words say: calls of functions that do, and of
/// functions that the text cannot speak for.
pub fn may_change(text: &str, own: &dyn Fn(&str) -> bool) -> bool {
    let scan = Scan::new(text);
    (0..scan.tokens.len()).filter(|paren| scan.text(text, *paren) == "(").any(|paren| match scan.callee(text, paren) {
        Some((name, qualified)) => {
            let module = qualified && scan.before(paren).and_then(|name| scan.before(name)).is_some_and(|sep| scan.text(text, sep) == "::");
            let changes = host::find(name).is_some_and(|function| matches!(function.effect(), Effect::Change | Effect::Notify));
            module || changes || own(name)
        }
        None => false,
    })
}

/// The name of the last value.
pub const LAST: &str = "_";

/// Where a text speaks of the last value: wherever no arrow follows, which would make it the last arm of a `switch`.
pub fn last_values(text: &str) -> Vec<Range<usize>> {
    let scan = Scan::new(text);
    let is_last = |number: &usize| {
        scan.tokens[*number].kind == Kind::Word
            && scan.text(text, *number) == LAST
            && scan.after(*number).is_none_or(|next| scan.text(text, next) != "=>")
    };
    (0..scan.tokens.len()).filter(is_last).map(|number| scan.tokens[number].range.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<&str> {
        items(text).into_iter().map(|item| &text[item.range]).collect()
    }

    #[test]
    fn statements_end_at_semicolons_and_with_their_blocks() {
        assert_eq!(cut("let a = 1; a + 1"), ["let a = 1", "a + 1"]);
        assert_eq!(cut("if a { 1; } else { 2 }\nb()"), ["if a { 1; } else { 2 }", "b()"]);
        assert_eq!(cut("let x = if a { 1 } else { 2 }; y"), ["let x = if a { 1 } else { 2 }", "y"]);
        assert_eq!(
            cut("// c\nstep \"a\" #{ on_error: \"continue\" } { f(); } rollback { g(); } step \"b\" { }"),
            ["step \"a\" #{ on_error: \"continue\" } { f(); } rollback { g(); }", "step \"b\" { }",]
        );
        assert_eq!(cut("f(|x| { x; }, #{ a: 1 }); // end"), ["f(|x| { x; }, #{ a: 1 })"]);
        assert_eq!(cut("do { x } while y; loop { break; } while z { }"), ["do { x } while y", "loop { break; }", "while z { }"]);
        assert_eq!(cut("note(`a ${b}; c`); x /* y */"), ["note(`a ${b}; c`)", "x"]);
        assert_eq!(items("fn f(x) { x } let a = 1;").iter().map(|item| item.sort).collect::<Vec<_>>(), [Sort::Function, Sort::Declaration]);
    }

    #[test]
    fn literals_are_named_by_their_parameters() {
        let text = "scale(\"api\", 7, #{ timeout: \"5s\" }); scale(name, n + 1)";
        let found = calls(text);
        let literals: Vec<_> = found[0].literals.iter().map(|(name, range)| (*name, &text[range.clone()])).collect();
        assert_eq!(literals, [("target", "\"api\""), ("replicas", "7")]);
        assert!(found[1].literals.is_empty());
    }

    #[test]
    fn what_may_change_is_seen_by_its_words() {
        let own = |name: &str| name == "mine";
        for (text, expected) in [
            ("let x = get(\"a\")", false),
            ("let x = scale(\"a\", 1)", true),
            ("notify(\"chat\", \"x\")", true),
            ("note(\"scale(1)\")", false),
            ("mine()", true),
            ("lib::anything()", true),
            ("pods().len()", false),
        ] {
            assert_eq!(may_change(text, &own), expected, "{text}");
        }
    }
}
