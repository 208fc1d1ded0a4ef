//! What one SQL statement that may change something is: how grave, whether it can stand in a transaction, whether EXPLAIN may be
//! asked of it, and which rows it is about.
//!
//! Only what the parser has seen through and through is called explainable: a prefix to unknown text would make `ANALYZE …`
//! an execution. What does not parse here is left to the server, as severe.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, FromTable, Query, SetExpr, Statement, TableFactor, TableWithJoins, Value as Literal, Visit, Visitor, visit_expressions_mut,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use super::tokens::{self, at};
use crate::model::{Failure, Tier, suggest, text};

/// What a statement's text tells of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The word that it begins with, or that changes something in it: `DELETE` of `WITH … DELETE …`.
    pub verb: String,
    /// How grave it is.
    pub tier: Tier,
    /// The server takes it outside of a transaction only.
    pub alone: bool,
    /// It is exactly one INSERT, UPDATE, DELETE or MERGE, which EXPLAIN would not execute.
    pub explainable: bool,
    /// Counts the rows that it is about, where that is one table's rows under a predicate: the query, and which of the parameters
    /// it has, from 0.
    pub counted: Option<(String, Vec<usize>)>,
}

/// Statements that a shared connection cannot have, or that this function cannot do, and what to do instead.
const REFUSED: &[(&str, &str)] = &[
    ("BEGIN", "each `sql_execute` is a transaction of its own; several statements that belong together are a function or a DO block"),
    ("START", "each `sql_execute` is a transaction of its own; several statements that belong together are a function or a DO block"),
    ("END", "each `sql_execute` is committed by itself"),
    ("SAVEPOINT", "each `sql_execute` is a transaction of its own"),
    ("RELEASE", "each `sql_execute` is a transaction of its own"),
    ("ABORT", "each `sql_execute` is a transaction of its own"),
    ("LOCK", "the lock would be gone with the statement"),
    ("SET", "a setting would be gone with the statement; to keep it: ALTER SYSTEM, ALTER DATABASE or ALTER ROLE … SET"),
    ("RESET", "the connection is shared: settings are the server's (ALTER SYSTEM RESET …)"),
    ("DISCARD", "the connection is shared"),
    ("LISTEN", "nothing would hear it: the connection is shared"),
    ("UNLISTEN", "the connection is shared"),
    ("PREPARE", "bind values with `#{ params: […] }`; every statement is prepared by itself"),
    ("EXECUTE", "bind values with `#{ params: […] }`; every statement is prepared by itself"),
    ("DEALLOCATE", "the connection is shared"),
    ("DECLARE", "a cursor would be gone with the statement: read rows with `sql`, large ones with `save:`"),
    ("FETCH", "read rows with `sql`, large ones with `save:`"),
    ("MOVE", "read rows with `sql`, large ones with `save:`"),
    ("CLOSE", "there is no cursor"),
    ("LOAD", "the connection is shared"),
    ("COPY", "rows go to a file with `sql(…, #{ save: \"rows.csv\" })`; a dump, a restore or a file of the server's through `exec`"),
    ("SHOW", "`sql` reads it"),
    ("TABLE", "`sql` reads it"),
    ("VALUES", "`sql` reads it"),
];

/// Statements by their first word, with how grave they are. Those of rows are judged by their trees.
const VERBS: &[(&str, Tier)] = &[
    ("SELECT", Tier::Moderate),
    ("WITH", Tier::Moderate),
    ("INSERT", Tier::Moderate),
    ("UPDATE", Tier::Moderate),
    ("DELETE", Tier::Moderate),
    ("MERGE", Tier::Moderate),
    ("EXPLAIN", Tier::Moderate),
    ("ANALYZE", Tier::Moderate),
    ("CALL", Tier::Moderate),
    ("CHECKPOINT", Tier::Moderate),
    ("COMMENT", Tier::Moderate),
    ("CREATE", Tier::Moderate),
    ("GRANT", Tier::Moderate),
    ("NOTIFY", Tier::Moderate),
    ("REFRESH", Tier::Moderate),
    ("VACUUM", Tier::Moderate),
    ("ALTER", Tier::Severe),
    ("CLUSTER", Tier::Severe),
    ("COMMIT", Tier::Severe),
    ("DO", Tier::Severe),
    ("DROP", Tier::Severe),
    ("IMPORT", Tier::Severe),
    ("REASSIGN", Tier::Severe),
    ("REINDEX", Tier::Severe),
    ("REVOKE", Tier::Severe),
    ("ROLLBACK", Tier::Severe),
    ("SECURITY", Tier::Severe),
    ("TRUNCATE", Tier::Severe),
];

/// Judges a text that must be one statement. Errors are `bad_argument`.
pub fn judge(text: &str) -> Result<Change, Failure> {
    super::sql::deep(text, judged)
}

fn judged(text: &str) -> Result<Change, Failure> {
    let dialect = PostgreSqlDialect {};
    let tokens = Tokenizer::new(&dialect, text).tokenize_with_location().map_err(|error| {
        let message = text::short(error.message.trim_end_matches('.'), 200);
        Failure::bad_argument(format!("the statement cannot be cut into words: {message} ({})", at(error.location)))
    })?;
    tokens::cut("sql_execute", &tokens)?;
    let solid = tokens::solid(&tokens);
    one(&solid)?;
    let words = words(&solid);
    let (verb, tier) = verb(&solid, &words)?;
    let has = |word: &str| words.iter().any(|found| found == word);
    let second = words.get(1).map(String::as_str).unwrap_or_default();
    let mut change = Change { verb: verb.to_owned(), tier, alone: false, explainable: false, counted: None };
    change.alone = match verb {
        "VACUUM" => true,
        "REINDEX" => has("CONCURRENTLY") || !(has("INDEX") || has("TABLE")),
        "CLUSTER" => words.len() == 1 || second == "VERBOSE" && words.len() == 2,
        "CREATE" | "DROP" => has("CONCURRENTLY") || matches!(second, "DATABASE" | "TABLESPACE" | "SUBSCRIPTION"),
        "ALTER" => second == "SYSTEM" || second == "DATABASE" && has("TABLESPACE") || second == "SUBSCRIPTION" || has("CONCURRENTLY"),
        "COMMIT" | "ROLLBACK" => true,
        _ => false,
    };
    if verb == "VACUUM" && has("FULL") {
        change.tier = Tier::Severe;
    }
    if matches!(verb, "SELECT" | "WITH" | "INSERT" | "UPDATE" | "DELETE" | "MERGE" | "EXPLAIN") {
        rows(&mut change, &dialect, &tokens)?;
    }
    Ok(change)
}

/// Whether there is one statement only: nothing behind a semicolon.
fn one(solid: &[&TokenWithSpan]) -> Result<(), Failure> {
    let end = solid.iter().position(|token| token.token == Token::SemiColon).unwrap_or(solid.len());
    match solid[end..].iter().find(|token| token.token != Token::SemiColon) {
        Some(second) => {
            Err(Failure::bad_argument(format!("a second statement begins at {}; `sql_execute` takes one", at(second.span.start)))
                .hint("call `sql_execute` once for each"))
        }
        None => Ok(()),
    }
}

/// The statement's unquoted words, in capitals.
fn words(solid: &[&TokenWithSpan]) -> Vec<String> {
    let word = |token: &&TokenWithSpan| match &token.token {
        Token::Word(word) if word.quote_style.is_none() => Some(word.value.to_ascii_uppercase()),
        _ => None,
    };
    solid.iter().filter_map(word).collect()
}

/// The statement's first word, if it is one that this function knows.
fn verb(solid: &[&TokenWithSpan], words: &[String]) -> Result<(&'static str, Tier), Failure> {
    let Some(first) = solid.iter().find(|token| !matches!(token.token, Token::LParen | Token::SemiColon)) else {
        return Err(Failure::bad_argument("the statement is empty"));
    };
    let place = at(first.span.start);
    if first.token == Token::Backslash {
        return Err(Failure::bad_argument(format!("a backslash command is psql's, not the server's ({place})")));
    }
    let word = match &first.token {
        Token::Word(word) if word.quote_style.is_none() => word.value.to_ascii_uppercase(),
        other => return Err(Failure::bad_argument(format!("{:?} begins no statement ({place})", text::short(&other.to_string(), 40)))),
    };
    let prepared = words.get(1).is_some_and(|second| second == "PREPARED");
    let hint = match word.as_str() {
        "COMMIT" | "ROLLBACK" if !prepared => Some("each `sql_execute` is a transaction of its own"),
        other => REFUSED.iter().find(|(refused, _)| *refused == other).map(|(_, instead)| *instead),
    };
    if let Some(hint) = hint {
        return Err(Failure::bad_argument(format!("`sql_execute` does not take {word} ({place})")).hint(hint));
    }
    VERBS.iter().find(|(known, _)| *known == word).copied().ok_or_else(|| {
        let failure = Failure::bad_argument(format!("{:?} begins no statement ({place})", text::short(&word, 40)));
        match suggest::nearest(&word, VERBS.iter().map(|(known, _)| *known)) {
            Some(near) => failure.hint(format!("did you mean `{near}`?")),
            None => failure.hint("one INSERT, UPDATE, DELETE, MERGE, CREATE, ALTER, ANALYZE … of PostgreSQL"),
        }
    })
}

/// Judges a statement of rows by its tree, and by the functions that it calls.
fn rows(change: &mut Change, dialect: &PostgreSqlDialect, tokens: &[TokenWithSpan]) -> Result<(), Failure> {
    let acting = tokens::acting(tokens);
    let parsed = Parser::new(dialect).with_tokens_with_locations(tokens.to_vec()).parse_statements();
    let Ok([statement]) = parsed.as_deref() else {
        // The server may know more than the parser here; what it is about cannot be told.
        change.tier = Tier::Severe;
        return Ok(());
    };
    let mut seen = Seen::default();
    let _ = statement.visit(&mut seen);
    if seen.copies {
        return Err(
            Failure::bad_argument("`sql_execute` does not take COPY").hint("rows go to a file with `sql(…, #{ save: \"rows.csv\" })`")
        );
    }
    if let Some(acting) = acting {
        let grave = ["executes its text", "reaches another server", "reads the server's files"];
        if grave.iter().any(|reason| acting.reason.starts_with(reason)) || seen.unbounded_select {
            change.tier = Tier::Severe;
        }
    }
    if seen.everything {
        change.tier = Tier::Severe;
    }
    if let [verb] = seen.verbs.as_slice() {
        change.verb = (*verb).to_owned();
        change.explainable = !matches!(statement, Statement::Explain { .. }) && ["INSERT", "UPDATE", "DELETE", "MERGE"].contains(verb);
    }
    change.counted = counted(statement);
    Ok(())
}

/// What a tree holds.
#[derive(Default)]
struct Seen {
    /// The verbs of its statements that are no queries.
    verbs: Vec<&'static str>,
    /// A DELETE or UPDATE of every row.
    everything: bool,
    /// A SELECT from something, without WHERE.
    unbounded_select: bool,
    copies: bool,
}

impl Visitor for Seen {
    type Break = ();

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<()> {
        let (verb, selection) = match statement {
            Statement::Insert(_) => ("INSERT", None),
            Statement::Merge(_) => ("MERGE", None),
            Statement::Update(update) => ("UPDATE", Some(&update.selection)),
            Statement::Delete(delete) => ("DELETE", Some(&delete.selection)),
            Statement::Query(_) | Statement::Explain { .. } => return ControlFlow::Continue(()),
            Statement::Copy { .. } => {
                self.copies = true;
                return ControlFlow::Break(());
            }
            _ => ("other", None),
        };
        self.verbs.push(verb);
        self.everything |= selection.is_some_and(|selection| selection.as_ref().is_none_or(is_always));
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        if let SetExpr::Select(select) = &*query.body {
            self.unbounded_select |= select.selection.as_ref().is_none_or(is_always) && !select.from.is_empty();
        }
        ControlFlow::Continue(())
    }
}

/// Whether a predicate holds for every row by its looks.
fn is_always(predicate: &Expr) -> bool {
    match predicate {
        Expr::Nested(inner) => is_always(inner),
        Expr::Value(value) => value.value == Literal::Boolean(true),
        Expr::BinaryOp { left, right, op: sqlparser::ast::BinaryOperator::Eq } => left == right && matches!(**left, Expr::Value(_)),
        _ => false,
    }
}

/// The query that counts the rows of a plain `DELETE FROM t WHERE …` or `UPDATE t SET … WHERE …`.
fn counted(statement: &Statement) -> Option<(String, Vec<usize>)> {
    let (table, selection) = match statement {
        Statement::Update(update) if update.from.is_none() => (&update.table, update.selection.as_ref()?),
        Statement::Delete(delete) if delete.using.is_none() && delete.tables.is_empty() => {
            let FromTable::WithFromKeyword(tables) = &delete.from else { return None };
            let [table] = tables.as_slice() else { return None };
            (table, delete.selection.as_ref()?)
        }
        _ => return None,
    };
    let TableWithJoins { relation: TableFactor::Table { args: None, .. }, joins } = table else { return None };
    if !joins.is_empty() {
        return None;
    }
    let (mut selection, mut used) = (selection.clone(), Vec::new());
    let renumbered = visit_expressions_mut(&mut selection, |expression| {
        if let Expr::Value(value) = expression
            && let Literal::Placeholder(name) = &mut value.value
        {
            let Some(number) = name.strip_prefix('$').and_then(|digits| digits.parse::<usize>().ok()?.checked_sub(1)) else {
                return ControlFlow::Break(());
            };
            let place = used.iter().position(|known| *known == number).unwrap_or_else(|| {
                used.push(number);
                used.len() - 1
            });
            *name = format!("${}", place + 1);
        }
        ControlFlow::Continue(())
    });
    let query = format!("SELECT count(*) AS rows FROM {} WHERE {selection}", table.relation);
    // What a read may not hold, such as a function that acts in the predicate, is not counted.
    (renumbered.is_continue() && super::sql::check(&query).is_ok()).then_some((query, used))
}

#[cfg(test)]
#[path = "sql_change_tests.rs"]
mod tests;
