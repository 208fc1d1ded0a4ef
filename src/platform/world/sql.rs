//! PostgreSQL in a world: statements that the world file answers.

use regex::Regex;

use super::Address;
use super::file::{DatabaseFile, Pairs, SqlError, StatementFile};
use super::source::{self, Source};
use crate::map;
use crate::model::operation::Statement;
use crate::model::{Failure, Map, Value, text};
use crate::platform::failures;

/// The answers of one database.
#[derive(Debug, Default)]
pub(super) struct Answers(Vec<(Matcher, StatementFile)>);

#[derive(Debug)]
enum Matcher {
    Exact(String),
    Pattern(Regex),
}

/// The column of the one statement that every database answers, `SELECT 1` or `SELECT 1 AS name`.
fn select_one(statement: &str) -> Option<&str> {
    match statement.split(' ').collect::<Vec<_>>().as_slice() {
        [select, "1"] if select.eq_ignore_ascii_case("select") => Some("?column?"),
        [select, "1", r#as, name] if select.eq_ignore_ascii_case("select") && r#as.eq_ignore_ascii_case("as") => Some(name),
        _ => None,
    }
}

impl Answers {
    pub(super) fn new(source: &Source, name: &str, written: &DatabaseFile) -> Result<Self, Failure> {
        let mut answers = Vec::new();
        for (index, statement) in written.statements.iter().enumerate() {
            let index = index.to_string();
            let path = ["databases", name, "statements", &index];
            let matcher = match (&statement.sql, &statement.pattern) {
                (Some(sql), None) => Matcher::Exact(normal(sql)),
                (None, Some(pattern)) => {
                    Matcher::Pattern(source::regex(pattern).map_err(|message| source.wrong(&[&path[..], &["match"]].concat(), message))?)
                }
                _ => return Err(source.wrong(&path, "a statement has either `sql` (exact) or `match` (a regular expression)")),
            };
            answers.push((matcher, statement.clone()));
        }
        Ok(Self(answers))
    }

    /// `#{ columns, rows }`, the first answer that fits.
    pub(super) fn answer(&self, statement: &Statement, at: &Address<'_>, world: &str) -> Result<Value, Failure> {
        let wanted = normal(&statement.text);
        let places = places(&wanted);
        if places != statement.params.len() {
            return Err(failures::wrong_params(places, statement.params.len()).on(statement.database.as_str()));
        }
        let fits = |(matcher, answer): &&(Matcher, StatementFile)| {
            let text = match matcher {
                Matcher::Exact(sql) => *sql == wanted,
                Matcher::Pattern(pattern) => pattern.is_match(&wanted),
            };
            text && answer.params.as_ref().is_none_or(|params| *params == statement.params)
        };
        let Some((_, answer)) = self.0.iter().find(fits) else {
            if let Some(column) = select_one(&wanted) {
                return Ok(map! { "columns" => vec![column.into()], "rows" => vec![map! { column => 1 }] });
            }
            let database = &statement.database;
            let shown = text::short(&wanted, 200);
            return Err(Failure::bad_argument(format!("the world has no answer to the statement {shown:?}"))
                .hint(format!("add to {world}, under databases.{database}.statements: {{ sql: {shown:?}, rows: [] }}"))
                .on(database.as_str()));
        };
        if let Some(SqlError { code, message }) = &answer.error {
            // A refused login is no statement's fault.
            return Err(match code.get(..2) {
                Some("28") => failures::sql_login(&statement.database, at.place, at.user, code, message),
                _ => failures::sql(statement, code, message, None, None),
            });
        }
        if answer.rows.len() as u64 > statement.limit {
            return Err(failures::too_many_rows(statement));
        }
        let columns: Vec<Value> = match (&answer.columns, answer.rows.first()) {
            (Some(columns), _) => columns.iter().map(|column| column.as_str().into()).collect(),
            (None, Some(Pairs(first))) => first.iter().map(|(column, _)| column.as_str().into()).collect(),
            (None, None) => Vec::new(),
        };
        let rows: Vec<Value> = answer.rows.iter().map(|Pairs(row)| Value::Map(row.iter().cloned().collect::<Map>())).collect();
        Ok(map! { "columns" => columns, "rows" => rows })
    }
}

/// How many values a statement has places for: its highest `$n` outside of quotes.
fn places(statement: &str) -> usize {
    let mut quote = None;
    let mut most = 0;
    for (at, c) in statement.char_indices() {
        match quote {
            Some(open) => quote = Some(open).filter(|open| *open != c),
            None if c == '\'' || c == '"' => quote = Some(c),
            None if c == '$' => {
                let digits: String = statement[at + 1..].chars().take_while(char::is_ascii_digit).collect();
                most = most.max(digits.parse().unwrap_or(0));
            }
            None => {}
        }
    }
    most
}

/// A statement with its white space made one blank each, outside of quotes, and without the final `;`.
fn normal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut quote = None;
    for c in text.trim().trim_end_matches(|c: char| c == ';' || c.is_whitespace()).chars() {
        match quote {
            Some(open) => {
                out.push(c);
                if c == open {
                    quote = None;
                }
            }
            None if c.is_whitespace() => {
                if !out.ends_with(' ') {
                    out.push(' ');
                }
            }
            None => {
                out.push(c);
                if c == '\'' || c == '"' {
                    quote = Some(c);
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::Kind;

    #[test]
    fn white_space_counts_only_in_quotes() {
        assert_eq!(normal("  SELECT  a,\n\t'x  y'\nFROM t ; \n"), "SELECT a, 'x  y' FROM t");
    }

    #[test]
    fn places_for_values_are_counted_outside_of_quotes() {
        for (statement, count) in [("SELECT 1", 0), ("SELECT $2, $1, '$7', \"$8\"", 2), ("SELECT $10", 10), ("SELECT $$x$$", 0)] {
            assert_eq!(places(statement), count, "{statement}");
        }
    }

    #[test]
    fn statements_are_answered_by_text_pattern_and_parameters() {
        let yaml = r#"
databases:
  postgres:
    statements:
      - { sql: "SELECT count(*)  FROM documents;", rows: [{ count: 42 }] }
      - { match: "(?i)^select .* from users where id = \\$1$", params: [7], rows: [{ name: ann, id: 7 }, { name: bob, id: 8 }] }
      - { sql: "SELECT 2", error: { code: 28P01, message: "no" } }
      - { sql: "SELECT * FROM nowhere", error: { code: "42P01", message: "relation \"nowhere\" does not exist" } }
"#;
        let file: super::super::WorldFile = serde_saphyr::from_str(yaml).unwrap();
        let answers = Answers::new(&Source::none(), "postgres", &file.databases["postgres"]).unwrap();
        let ask = |text: &str, params: Vec<Value>, limit| {
            let statement = Statement { database: "postgres".into(), text: text.into(), params, limit, timeout: Duration::ZERO };
            answers.answer(&statement, &Address { user: "ops", place: "postgres:5432", name: "app" }, "w.yaml")
        };
        let shown = |text: &str, params| ask(text, params, 100).unwrap().to_string();
        assert_eq!(shown("SELECT count(*)\nFROM documents", vec![]), r#"{"columns":["count"],"rows":[{"count":42}]}"#);
        assert!(shown("select * from users where id = $1", vec![7.into()]).starts_with(r#"{"columns":["name","id"]"#));
        assert_eq!(shown("SELECT 1 AS one", vec![]), r#"{"columns":["one"],"rows":[{"one":1}]}"#);
        assert_eq!(shown("select 1;", vec![]), r#"{"columns":["?column?"],"rows":[{"?column?":1}]}"#);
        assert_eq!(ask("select * from users where id = $1", vec![7.into()], 1).unwrap_err().kind, Kind::TooLarge);
        let failure = ask("SELECT * FROM nowhere", vec![], 1).unwrap_err();
        assert_eq!(
            (failure.kind, failure.message.as_str()),
            (Kind::BadArgument, "sql `postgres`: relation \"nowhere\" does not exist (42P01)")
        );
        let failure = ask("SELECT 2", vec![], 1).unwrap_err();
        assert_eq!(failure.message, "the database `postgres` at postgres:5432 refuses the user ops: no (28P01)");
        let failure = ask("select * from users where id = $1", vec![9.into()], 1).unwrap_err();
        assert!(failure.hint.as_deref().unwrap_or_default().starts_with("add to w.yaml, under databases.postgres.statements: { sql: "));
    }
}
