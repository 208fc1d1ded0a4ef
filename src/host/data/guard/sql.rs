//! Lets one SQL statement that only reads through: `SELECT`, `WITH`, `VALUES`, `TABLE`, `SHOW`, `EXPLAIN` without `ANALYZE`.
//!
//! The text is judged twice: its tokens, for names of functions that act and for what lexers read differently, and its
//! parse tree, for the kind of every statement in it. What does not parse is not known to read, and is refused.
//! Functions of the database's own users cannot be judged from here, nor what stands behind a view.

use std::ops::ControlFlow;

use sqlparser::ast::{DescribeAlias, Query, Select, Statement, Visit, Visitor};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use super::tokens::{self, at};
use crate::model::{Failure, Kind, suggest, text};

/// The longest statement, in bytes: values belong into parameters.
const LONGEST: usize = 64 * 1024;
/// Statements up to so many bytes cannot nest deep enough to need a larger stack than any thread has.
const SHALLOW: usize = 2 * 1024;
/// Enough for the deepest tree that [`LONGEST`] bytes make; only what is used of it becomes memory.
const STACK: usize = 256 * 1024 * 1024;

/// The options of `EXPLAIN (…)` that execute nothing.
const EXPLAIN_OPTIONS: [&str; 9] = ["verbose", "costs", "settings", "generic_plan", "buffers", "summary", "memory", "format", "timing"];

/// Checks that a text is one statement that only reads. Errors are `bad_argument` and say what was found where.
pub fn check(text: &str) -> Result<(), Failure> {
    deep(text, checked)
}

/// Looks at a statement with a stack that its tree cannot outgrow.
pub(super) fn deep<T: Send>(text: &str, look: fn(&str) -> Result<T, Failure>) -> Result<T, Failure> {
    if text.len() > LONGEST {
        let message = format!("the statement has {} bytes; at most {LONGEST} are taken", text.len());
        return Err(Failure::bad_argument(message).hint("bind the values: `#{ params: [ids] }` for `= ANY($1)`"));
    }
    if text.len() <= SHALLOW {
        return look(text);
    }
    // A chain of ten thousand `+` is a tree as deep, and walking it, even dropping it, takes a stack as deep.
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, || look(text));
        thread.ok().and_then(|thread| thread.join().ok())
    })
    .unwrap_or_else(|| Err(Failure::new(Kind::Failed, "the statement could not be parsed: no memory for it")))
}

fn checked(text: &str) -> Result<(), Failure> {
    let dialect = PostgreSqlDialect {};
    let tokens = Tokenizer::new(&dialect, text).tokenize_with_location().map_err(|error| {
        let message = text::short(error.message.trim_end_matches('.'), 200);
        unread(&message, Some(error.location))
    })?;
    tokens::check(&tokens)?;
    let first = verb(&tokens)?;
    let statement = one(Parser::new(&dialect).with_tokens_with_locations(tokens.clone()), first, text)?;
    let shape = match &statement {
        Statement::Explain { describe_alias: DescribeAlias::Explain, analyze: false, statement, options, .. } => {
            let unknown = options.iter().flatten().find(|option| {
                let name = option.name.value.to_ascii_lowercase();
                !EXPLAIN_OPTIONS.contains(&name.as_str())
            });
            match unknown {
                Some(option) => Err(format!("EXPLAIN ({})", option.name.value.to_ascii_uppercase())),
                None => query(statement),
            }
        }
        Statement::Explain { analyze: true, .. } => Err("EXPLAIN ANALYZE".to_owned()),
        Statement::ShowVariable { .. } => Ok(()),
        other => query(other),
    };
    shape.map_err(|found| refused(&found, first.span.start))?;
    reserved(&tokens)
}

/// Parses exactly one statement.
fn one(mut parser: Parser<'_>, first: &TokenWithSpan, text: &str) -> Result<Statement, Failure> {
    let several =
        |number: usize| Failure::bad_argument(format!("{number} statements were given; `sql` takes one")).hint("call `sql` once for each");
    let is_table = matches!(&first.token, Token::Word(word) if word.keyword == Keyword::TABLE);
    if is_table && parser.peek_token_ref().token != Token::LParen {
        // The parser knows TABLE as a query, though not as a statement.
        let query = parser.parse_query().map_err(|error| unparsed(error, text))?;
        while parser.consume_token(&Token::SemiColon) {}
        return if parser.peek_token_ref().token == Token::EOF { Ok(Statement::Query(query)) } else { Err(several(2)) };
    }
    let mut statements = parser.parse_statements().map_err(|error| unparsed(error, text))?;
    match (statements.pop(), statements.len()) {
        (Some(statement), 0) => Ok(statement),
        (_, before) => Err(several(before + 1)),
    }
}

/// Whether a statement is a query all through: no other statement, no lock, no new table at any depth.
fn query(statement: &Statement) -> Result<(), String> {
    match statement.visit(&mut Reads) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(found) => Err(found),
    }
}

/// Stops at the first thing that is not read.
struct Reads;

impl Visitor for Reads {
    type Break = String;

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<String> {
        match statement {
            Statement::Query(_) => ControlFlow::Continue(()),
            other => {
                // The verb alone: the rest of the statement may hold values.
                let text = other.to_string();
                ControlFlow::Break(text.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default().to_owned())
            }
        }
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<String> {
        if !query.locks.is_empty() {
            return ControlFlow::Break("FOR UPDATE or FOR SHARE".to_owned());
        }
        if query.for_clause.is_some() || query.settings.is_some() || query.format_clause.is_some() || !query.pipe_operators.is_empty() {
            return ControlFlow::Break("what is not PostgreSQL".to_owned());
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<String> {
        if select.into.is_some() { ControlFlow::Break("SELECT INTO".to_owned()) } else { ControlFlow::Continue(()) }
    }
}

/// The word that a statement begins with, if it may begin a read.
fn verb(tokens: &[TokenWithSpan]) -> Result<&TokenWithSpan, Failure> {
    const VERBS: [&str; 6] = ["SELECT", "WITH", "VALUES", "TABLE", "SHOW", "EXPLAIN"];
    let first = tokens.iter().find(|token| !matches!(token.token, Token::Whitespace(_) | Token::LParen));
    let Some(first) = first else { return Err(Failure::bad_argument("the statement is empty")) };
    let start = first.span.start;
    match &first.token {
        Token::Word(word) if word.quote_style.is_none() && word.keyword != Keyword::NoKeyword => {
            let verb = word.value.to_ascii_uppercase();
            if VERBS.contains(&verb.as_str()) { Ok(first) } else { Err(refused(&verb, start)) }
        }
        other => {
            let word = text::short(&other.to_string(), 40);
            let mut failure = unread(&format!("{word:?} begins no statement"), Some(start));
            if let Some(near) = suggest::nearest(&word, VERBS) {
                failure.hint = Some(format!("did you mean `{near}`?"));
            }
            Err(failure)
        }
    }
}

/// Once more by tokens, in case that a tree left something out: the words that no read holds outside of names.
fn reserved(tokens: &[TokenWithSpan]) -> Result<(), Failure> {
    let solid: Vec<&TokenWithSpan> = tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_))).collect();
    let keyword = |token: &TokenWithSpan| match &token.token {
        Token::Word(word) if word.quote_style.is_none() => word.keyword,
        _ => Keyword::NoKeyword,
    };
    for pair in solid.windows(2) {
        let found = match (keyword(pair[0]), keyword(pair[1])) {
            (Keyword::FOR, Keyword::UPDATE | Keyword::SHARE | Keyword::NO | Keyword::KEY) => "FOR UPDATE or FOR SHARE",
            // INTO is reserved: it is a name only after AS or a dot.
            (before, Keyword::INTO) if before != Keyword::AS && pair[0].token != Token::Period => "INTO",
            _ => continue,
        };
        return Err(refused(found, pair[1].span.start));
    }
    Ok(())
}

fn refused(found: &str, location: Location) -> Failure {
    let hint = match found {
        "EXPLAIN ANALYZE" | "EXPLAIN (ANALYZE)" | "EXPLAIN (ANALYSE)" => {
            "EXPLAIN with ANALYZE executes the statement; leave ANALYZE out".to_owned()
        }
        "BEGIN" | "START" | "COMMIT" | "ROLLBACK" | "END" => "each `sql` is a read-only transaction of its own".to_owned(),
        _ => super::only_reads("sql"),
    };
    Failure::bad_argument(format!("{} is not a read ({})", text::short(found, 60), at(location))).hint(hint)
}

fn unread(cause: &str, location: Option<Location>) -> Failure {
    let place = location.map(|location| format!(" ({})", at(location))).unwrap_or_default();
    Failure::bad_argument(format!("the statement does not parse, so it is not known to only read: {cause}{place}"))
        .hint("`sql` takes one SELECT, WITH, VALUES, TABLE, SHOW or EXPLAIN of PostgreSQL; a change is `sql_execute`")
}

fn unparsed(error: ParserError, statement: &str) -> Failure {
    let cause = match error {
        ParserError::TokenizerError(cause) | ParserError::ParserError(cause) => cause,
        ParserError::RecursionLimitExceeded => return unread("it is nested too deep", None),
    };
    // The parser says where in words, at the end.
    let found = cause.rsplit_once(" at Line: ").and_then(|(cause, place)| {
        let (line, column) = place.split_once(", Column: ")?;
        Some((cause, Location { line: line.parse().ok()?, column: column.parse().ok()? }))
    });
    match found {
        Some((cause, location)) => unread(&text::short(cause, 200), Some(location)),
        None => {
            let lines = statement.lines().count().max(1);
            let column = statement.lines().last().unwrap_or_default().chars().count() + 1;
            unread(&text::short(&cause, 200), Some(Location { line: lines as u64, column: column as u64 }))
        }
    }
}

#[cfg(test)]
#[path = "sql_tests.rs"]
mod tests;
