//! What the scanner makes of texts, whole and half.

use super::*;
use proptest::prelude::*;

fn kinds(text: &str) -> Vec<(Kind, &str)> {
    Scan::new(text).tokens.iter().map(|token| (token.kind, &text[token.range.clone()])).collect()
}

fn open(text: &str) -> Vec<Opener> {
    Scan::new(text).open.iter().map(|open| open.opener).collect()
}

#[test]
fn words_texts_and_numbers_are_told_apart() {
    use Kind::{Comment, Keyword, Number, Symbol, Text, Word};
    assert_eq!(
        kinds("let n = scale(\"a\\\"b\", 1_0.5); // x"),
        [
            (Keyword, "let"),
            (Word, "n"),
            (Symbol, "="),
            (Word, "scale"),
            (Symbol, "("),
            (Text, "\"a\\\"b\""),
            (Symbol, ","),
            (Number, "1_0.5"),
            (Symbol, ")"),
            (Symbol, ";"),
            (Comment, "// x"),
        ]
    );
    assert_eq!(kinds("1..3"), [(Number, "1"), (Symbol, ".."), (Number, "3")]);
    assert_eq!(kinds("'x' `a${1}b`"), [(Text, "'x'"), (Text, "`a"), (Symbol, "${"), (Number, "1"), (Symbol, "}"), (Text, "b`"),]);
    assert_eq!(kinds("#\"a\"b\"#"), [(Text, "#\"a\"b\"#")]);
}

#[test]
fn what_is_open_is_known() {
    use Opener::{Brace, Comment, Interpolation, Map, Paren, Quote, Square, Template};
    for (text, expected) in [
        ("scale(\"a\", #{ timeout: ", &[Paren, Map][..]),
        ("step \"x\" {", &[Brace]),
        ("[1, [2", &[Square, Square]),
        ("`a ${b", &[Template, Interpolation]),
        ("`a ${ #{ x: `c", &[Template, Interpolation, Map, Template]),
        ("`a ``b", &[Template]),
        ("`\\${a`", &[]),
        ("/* a /* b */", &[Comment]),
        ("/* a /* b */ */ 1", &[]),
        ("\"abc", &[Quote { goes_on: false }]),
        ("\"abc\\", &[Quote { goes_on: true }]),
        ("\"abc\nlet x = 1", &[]),
        ("\"{ ( ${\" // ({", &[]),
        ("#\"abc\n", &[Quote { goes_on: true }]),
        (")", &[]),
    ] {
        assert_eq!(open(text), expected, "{text}");
    }
}

#[test]
fn an_open_quote_is_a_mistake_and_not_the_beginning_of_more() {
    assert!(!Scan::new("scale(\"api").is_open());
    assert!(Scan::new("scale(\"api\"").is_open());
    assert!(Scan::new("note(`a").is_open());
}

#[test]
fn arguments_are_counted_where_they_belong() {
    let text = "scale(f(1, 2), [3, 4], #{ a: 1, b: ";
    let scan = Scan::new(text);
    assert_eq!(scan.open.iter().map(|open| open.commas).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(scan.callee(text, scan.open[0].token), Some(("scale", false)));
    let method = "x.scale(";
    let scan = Scan::new(method);
    assert_eq!(scan.callee(method, scan.open[0].token), Some(("scale", true)));
}

proptest! {
    #[test]
    fn tokens_are_in_order_and_on_borders_of_characters(text in "[ -~äλ\\n`\"'${}()/*#\\\\]{0,60}") {
        let mut end = 0;
        for token in Scan::new(&text).tokens {
            prop_assert!(token.range.start >= end && text.get(token.range.clone()).is_some());
            end = token.range.end;
        }
        prop_assert!(text.get(..end).is_some());
    }
}
