//! PostgreSQL in a world: statements that the world file answers.

use std::collections::BTreeSet;

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

/// Maintenance that answers no rows and that every database takes.
const MAINTENANCE: [&str; 4] = ["ANALYZE", "VACUUM", "REINDEX", "CHECKPOINT"];

/// What has been executed, as far as later answers depend on it.
pub(super) type Marks = BTreeSet<String>;

/// Whom an answer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum For {
    /// `sql`.
    Reading,
    /// `sql_execute`.
    Changing,
    /// `sql_execute` in a rehearsal: nothing is executed, and no mark is set.
    Planning,
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
            if let Some(mark) = &statement.when {
                let set = written.statements.iter().flat_map(|other| &other.then).map(|mark| mark.trim_start_matches('!'));
                let set: BTreeSet<&str> = set.collect();
                if !set.contains(mark.as_str()) {
                    let unknown = Failure::unknown("mark", mark, set);
                    return Err(Failure {
                        hint: unknown.hint,
                        ..source.wrong(&[&path[..], &["when"]].concat(), format!("no statement's `then` sets {mark:?}"))
                    });
                }
            }
            answers.push((matcher, statement.clone()));
        }
        Ok(Self(answers))
    }

    /// `#{ columns, rows }`, and of a change `rows_affected`: the first answer that fits, those with a condition first. With it the
    /// marks that it sets.
    pub(super) fn answer(
        &self,
        statement: &Statement,
        marks: &Marks,
        purpose: For,
        at: &Address<'_>,
        world: &str,
    ) -> Result<(Value, &[String]), Failure> {
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
        let holds = |(_, answer): &&(Matcher, StatementFile)| answer.when.as_ref().is_some_and(|mark| marks.contains(mark));
        let plain = |(_, answer): &&(Matcher, StatementFile)| answer.when.is_none();
        let found = self.0.iter().filter(holds).find(fits).or_else(|| self.0.iter().filter(plain).find(fits));
        let Some((_, answer)) = found else {
            let first = wanted.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default().to_ascii_uppercase();
            if purpose != For::Reading && MAINTENANCE.contains(&first.as_str()) {
                return Ok((map! { "columns" => vec![], "rows" => vec![], "rows_affected" => 0 }, &[]));
            }
            if let Some(column) = select_one(&wanted) {
                let mut answer = map! { "columns" => vec![column.into()], "rows" => vec![map! { column => 1 }] };
                if purpose != For::Reading {
                    answer.set(&["rows_affected"], 1.into());
                }
                return Ok((answer, &[]));
            }
            let database = &statement.database;
            let shown = text::short(&wanted, 200);
            let what = if purpose != For::Reading { "rows_affected: 1" } else { "rows: []" };
            return Err(Failure::bad_argument(format!("the world has no answer to the statement {shown:?}"))
                .hint(format!("add to {world}, under databases.{database}.statements: {{ sql: {shown:?}, {what} }}"))
                .on(database.as_str()));
        };
        if let Some(SqlError { code, message }) = &answer.error {
            // A refused login is no statement's fault.
            return Err(match code.get(..2) {
                Some("08" | "57") if purpose != For::Reading && code != "57014" => {
                    failures::in_doubt(format!("sql `{}`: the server went down after the statement was sent ({code})", statement.database))
                        .on(statement.database.as_str())
                }
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
        let affected = answer.rows_affected.unwrap_or(rows.len() as u64);
        let mut all = map! { "columns" => columns, "rows" => rows };
        if purpose != For::Reading {
            all.set(&["rows_affected"], Value::Int(i64::try_from(affected).unwrap_or(i64::MAX)));
        }
        Ok((all, &answer.then))
    }
}

/// Sets the marks that a statement sets.
pub(super) fn mark(marks: &mut Marks, then: &[String]) {
    for mark in then {
        match mark.strip_prefix('!') {
            Some(gone) => drop(marks.remove(gone)),
            None => drop(marks.insert(mark.clone())),
        }
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

    #[test]
    fn what_was_executed_changes_later_answers() {
        let yaml = r#"
databases:
  postgres:
    statements:
      - { sql: "SELECT count(*) FROM t", rows: [{ count: 3 }] }
      - { sql: "SELECT count(*) FROM t", when: gone, rows: [{ count: 0 }] }
      - { sql: "DELETE FROM t", rows_affected: 3, then: [gone] }
      - { sql: "INSERT INTO t VALUES (1)", rows_affected: 1, then: ["!gone"] }
"#;
        let file: super::super::WorldFile = serde_saphyr::from_str(yaml).unwrap();
        let answers = Answers::new(&Source::none(), "postgres", &file.databases["postgres"]).unwrap();
        let mut marks = Marks::new();
        let mut ask = |text: &str, purpose| {
            let statement =
                Statement { database: "postgres".into(), text: text.into(), params: vec![], limit: 9, save: None, timeout: Duration::ZERO };
            let at = Address { user: "ops", place: "postgres:5432", name: "app" };
            let (answer, then) = answers.answer(&statement, &marks, purpose, &at, "w.yaml")?;
            let then = then.to_vec();
            mark(&mut marks, &then);
            Ok::<_, Failure>(answer)
        };
        let count = |answer: Result<Value, Failure>| answer.unwrap().get("rows").unwrap().to_string();
        assert_eq!(count(ask("SELECT count(*) FROM t", For::Reading)), r#"[{"count":3}]"#);
        assert_eq!(ask("DELETE FROM t", For::Changing).unwrap().int_at(&["rows_affected"]), Some(3));
        assert_eq!(count(ask("SELECT count(*) FROM t", For::Reading)), r#"[{"count":0}]"#);
        ask("INSERT INTO t VALUES (1)", For::Changing).unwrap();
        assert_eq!(count(ask("SELECT count(*) FROM t", For::Reading)), r#"[{"count":3}]"#);
        assert_eq!(ask("VACUUM t", For::Changing).unwrap().int_at(&["rows_affected"]), Some(0));
        let failure = ask("UPDATE t SET a = 1", For::Changing).unwrap_err();
        assert!(failure.hint.unwrap().contains("{ sql: \"UPDATE t SET a = 1\", rows_affected: 1 }"));
        let wrong = yaml.replace("when: gone", "when: gon");
        let file: super::super::WorldFile = serde_saphyr::from_str(&wrong).unwrap();
        let failure = Answers::new(&Source::none(), "postgres", &file.databases["postgres"]).unwrap_err();
        assert!(failure.message.contains("no statement's `then` sets \"gon\""), "{failure:?}");
    }

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
            let statement =
                Statement { database: "postgres".into(), text: text.into(), params, limit, save: None, timeout: Duration::ZERO };
            let at = Address { user: "ops", place: "postgres:5432", name: "app" };
            answers.answer(&statement, &Marks::new(), For::Reading, &at, "w.yaml").map(|(value, _)| value)
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
