//! The lexical half of the SQL guard: what no parse tree can be trusted with.
//!
//! A tree shows only what the parser saw. Where parser and server would cut the text into tokens differently, code
//! could hide in what looks like a string or a comment; such text is refused, though it be harmless. And a function
//! can only be called by a token that names it, wherever it stands in the tree, so names are judged here.

use sqlparser::tokenizer::{Location, Token, TokenWithSpan};

use super::names::{self, Place};
use crate::model::{Failure, text};

/// The deepest nesting of parentheses and brackets: the parser takes no more either, but long to find out.
const DEEPEST: usize = 48;

/// Checks the tokens of a statement that only reads.
pub(super) fn check(tokens: &[TokenWithSpan]) -> Result<(), Failure> {
    cut("sql", tokens)?;
    match acting(tokens) {
        Some(found) => Err(found.refused()),
        None => Ok(()),
    }
}

/// Checks that the server cuts a statement of a function into the same tokens.
pub(super) fn cut(function: &str, tokens: &[TokenWithSpan]) -> Result<(), Failure> {
    let solid = solid(tokens);
    let mut depth = 0_usize;
    for (number, token) in solid.iter().enumerate() {
        match token.token {
            Token::LParen | Token::LBracket => depth += 1,
            Token::RParen | Token::RBracket => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEEPEST {
            let message = format!("the statement is nested too deep ({})", at(token.span.start));
            return Err(Failure::bad_argument(message).hint("name the inner queries: WITH inner AS (SELECT …)"));
        }
        ambiguous(function, token, solid.get(number + 1).map(|token| &token.token))?;
    }
    comment_in_operator(tokens)
}

/// The tokens that are no white space and no comment.
pub(super) fn solid(tokens: &[TokenWithSpan]) -> Vec<&TokenWithSpan> {
    tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_))).collect()
}

/// The first function that acts, in the order of the text.
pub(super) fn acting(tokens: &[TokenWithSpan]) -> Option<Acting> {
    let solid = solid(tokens);
    solid.iter().enumerate().find_map(|(number, token)| {
        let before = |back: usize| number.checked_sub(back).and_then(|number| solid.get(number)).map(|token| &token.token);
        called(token, before(1), before(2), solid.get(number + 1).map(|token| &token.token))
    })
}

/// A function that acts.
pub(super) struct Acting {
    name: String,
    /// What it does that no read does.
    pub(super) reason: &'static str,
    place: Location,
}

impl Acting {
    fn refused(&self) -> Failure {
        let message = format!("`{}` {} ({})", self.name, self.reason, at(self.place));
        Failure::bad_argument(message).hint(match self.reason {
            "holds the connection" => "wait in the script: `sleep(\"30s\")`".to_owned(),
            "spends a transaction id" => "`pg_current_snapshot()` and `pg_current_xact_id_if_assigned()` spend none".to_owned(),
            _ => super::only_reads("sql"),
        })
    }
}

/// Where a token begins, as messages say it.
pub(super) fn at(location: Location) -> String {
    format!("line {}, column {} of the statement", location.line, location.column)
}

/// Refuses what the parser's tokenizer and the server's read differently, or could.
fn ambiguous(function: &str, token: &TokenWithSpan, next: Option<&Token>) -> Result<(), Failure> {
    let what = match &token.token {
        Token::Word(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case("u") && next == Some(&Token::Ampersand) => {
            // Also refuses `u & x` of a column named u, which a pair of parentheses mends.
            "a name with Unicode escapes (U&\"…\")"
        }
        Token::Word(word) if !matches!(word.quote_style, None | Some('"')) => "a name in foreign quotes",
        Token::UnicodeStringLiteral(_) => "a string with Unicode escapes (U&'…')",
        Token::Placeholder(name) if !is_number(name.strip_prefix('$').unwrap_or_default()) => "a placeholder that is not $1, $2 …",
        Token::DollarQuotedString(string) if string.tag.as_deref().is_some_and(|tag| !is_name(tag)) => "a dollar quote with such a tag",
        Token::HexStringLiteral(digits) if !digits.chars().all(|c| c.is_ascii_hexdigit()) => "a bit string of other than digits",
        Token::SingleQuotedByteStringLiteral(digits) if !digits.chars().all(|c| c == '0' || c == '1') => {
            "a bit string of other than digits"
        }
        Token::DoubleQuotedString(_)
        | Token::NationalStringLiteral(_)
        | Token::TripleSingleQuotedString(_)
        | Token::TripleDoubleQuotedString(_)
        | Token::DoubleQuotedByteStringLiteral(_)
        | Token::TripleSingleQuotedByteStringLiteral(_)
        | Token::TripleDoubleQuotedByteStringLiteral(_)
        | Token::SingleQuotedRawStringLiteral(_)
        | Token::DoubleQuotedRawStringLiteral(_)
        | Token::TripleSingleQuotedRawStringLiteral(_)
        | Token::TripleDoubleQuotedRawStringLiteral(_)
        | Token::QuoteDelimitedStringLiteral(_)
        | Token::NationalQuoteDelimitedStringLiteral(_) => "a string in that notation",
        Token::Char(_) | Token::Backslash => "that character",
        // The server takes a string that follows a string for its continuation, with the first one's escapes.
        token if is_string(token) && next.is_some_and(is_string) => "a string right after a string",
        _ => return Ok(()),
    };
    let message = format!("`{function}` does not take {what} ({})", at(token.span.start));
    Err(Failure::bad_argument(message).hint("write a plain name or string, or bind the value: `#{ params: […] }` for $1, $2 …"))
}

/// A function that acts, by its name: quoted or not, schema or not, in calls and in attribute notation.
fn called(token: &TokenWithSpan, before: Option<&Token>, schema: Option<&Token>, next: Option<&Token>) -> Option<Acting> {
    let Token::Word(word) = &token.token else { return None };
    let qualified = before == Some(&Token::Period);
    let schema = match schema {
        Some(Token::Word(schema)) if qualified => Some(schema.value.as_str()),
        _ => None,
    };
    let place = match next {
        Some(Token::LParen) => Place::Call,
        _ if qualified => Place::Attribute,
        _ => return None,
    };
    let reason = names::refusal(&word.value, schema, place)?;
    Some(Acting { name: text::short(&word.value, 63).to_ascii_lowercase(), reason, place: token.span.start })
}

/// Refuses operators that hold the start of a comment: the server cuts them there, the parser need not.
fn comment_in_operator(tokens: &[TokenWithSpan]) -> Result<(), Failure> {
    let mut run = String::new();
    for token in tokens {
        match &token.token {
            Token::Whitespace(_) | Token::Word(_) | Token::Number(..) | Token::Placeholder(_) => run.clear(),
            string if is_string(string) => run.clear(),
            operator => {
                run.push_str(&operator.to_string());
                if run.contains("--") || run.contains("/*") {
                    let message = format!("an operator runs into a comment ({})", at(token.span.start));
                    return Err(Failure::bad_argument(message).hint("put a space between them"));
                }
            }
        }
    }
    Ok(())
}

fn is_string(token: &Token) -> bool {
    matches!(
        token,
        Token::SingleQuotedString(_)
            | Token::EscapedStringLiteral(_)
            | Token::DollarQuotedString(_)
            | Token::HexStringLiteral(_)
            | Token::SingleQuotedByteStringLiteral(_)
    )
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_digit())
}

/// PostgreSQL's dollar-quote tags, of ASCII letters only.
fn is_name(tag: &str) -> bool {
    tag.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !tag.starts_with(|c: char| c.is_ascii_digit())
}
