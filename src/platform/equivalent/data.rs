//! Changes of databases as psql, mongosh and redis-cli say them.

use super::{named, quote};
use crate::config::Environment;
use crate::model::Value;
use crate::model::operation::Statement;
use crate::model::text::inert_json;
use crate::platform::forwarded;

/// A statement for psql.
pub(super) fn sql(statement: &Statement, environment: &Environment) -> String {
    let url = quote(&forwarded::address(environment, &statement.database));
    forwarded::database(environment, &statement.database, format!("psql {url} -c {}", quote(&spliced(statement))))
}

/// A command for redis-cli.
pub(super) fn redis(database: &str, command: &[Value], environment: &Environment) -> String {
    let words: Vec<String> = command.iter().map(|word| quote(&told(word))).collect();
    let url = quote(&forwarded::address(environment, database));
    forwarded::database(environment, database, format!("redis-cli -u {url} {}", words.join(" ")))
}

/// A command document for mongosh; one for the database `admin` says so.
pub(super) fn mongo(database: &str, command: &[(String, Value)], environment: &Environment) -> String {
    let (mut fields, mut db) = (Vec::new(), "db");
    for (key, value) in command {
        match (key.as_str(), value.as_str()) {
            ("$db", Some("admin")) => db = "db.getSiblingDB(\"admin\")",
            _ => fields.push(format!("{}: {}", Value::from(key.as_str()), named(value))),
        }
    }
    let document = inert_json(&fields.join(", ")).into_owned();
    // Extended JSON is a document's text to the shell, and a type only to its parser.
    let extended = ["$oid", "$date", "$number", "$uuid", "$binary", "$regularExpression", "$timestamp"];
    let document = if extended.iter().any(|ty| document.contains(&format!("\"{ty}"))) {
        format!("EJSON.deserialize({{ {document} }})")
    } else {
        format!("{{ {document} }}")
    };
    let script = format!("EJSON.stringify({db}.runCommand({document}))");
    let url = quote(&forwarded::address(environment, database));
    forwarded::database(environment, database, format!("mongosh {url} --quiet --eval {}", quote(&script)))
}

/// A text, or where a secret is from.
fn told(value: &Value) -> String {
    match value {
        Value::Str(text) => text.clone(),
        Value::Secret(secret) => format!("<{}>", secret.name()),
        other => other.to_string(),
    }
}

/// A statement with its values in their places, as literals without a type: any psql takes it so, and reads each as it reads a value.
fn spliced(statement: &Statement) -> String {
    let text = statement.text.trim_end().trim_end_matches(';');
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let (length, value) = piece(rest, c, out.chars().next_back());
        match value.and_then(|number| statement.params.get(number.checked_sub(1)?)) {
            Some(Value::Null) => out.push_str("NULL"),
            Some(value) => {
                let literal = array(value).replace('\'', "''");
                out.push_str(&format!("'{literal}'"));
            }
            None => out.push_str(&rest[..length]),
        }
        rest = &rest[length..];
    }
    out
}

/// The length of the next piece of a statement, and its number if it is a place for a value: strings, names in quotes and comments are
/// passed over whole.
fn piece(rest: &str, c: char, before: Option<char>) -> (usize, Option<usize>) {
    let until = |from: usize, end: &str| rest[from..].find(end).map_or(rest.len(), |at| from + at + end.len());
    let in_name = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    match c {
        '\'' if before.is_some_and(|c| c == 'e' || c == 'E') => {
            let mut escaped = false;
            let end = rest[1..].char_indices().find(|(_, c)| {
                let ends = *c == '\'' && !escaped;
                escaped = *c == '\\' && !escaped;
                ends
            });
            (end.map_or(rest.len(), |(at, _)| at + 2), None)
        }
        '\'' | '"' => (until(1, &c.to_string()), None),
        '-' if rest.starts_with("--") => (until(2, "\n"), None),
        '/' if rest.starts_with("/*") => (until(2, "*/"), None),
        '$' if !in_name => {
            let digits = rest[1..].chars().take_while(char::is_ascii_digit).count();
            if digits > 0 {
                return (1 + digits, rest[1..=digits].parse().ok());
            }
            let tag = rest[1..]
                .find('$')
                .map(|at| &rest[..at + 2])
                .filter(|tag| tag[1..tag.len() - 1].chars().all(|c| c.is_alphanumeric() || c == '_'));
            (tag.map_or(1, |tag| until(tag.len(), tag)), None)
        }
        c => (c.len_utf8(), None),
    }
}

/// A value as the server reads it from text; an array in braces.
fn array(value: &Value) -> String {
    let element = |item: &Value| match item {
        Value::Null => "NULL".to_owned(),
        Value::List(_) => array(item),
        other => format!("\"{}\"", told(other).replace('\\', r"\\").replace('"', "\\\"")),
    };
    match value {
        Value::List(items) => format!("{{{}}}", items.iter().map(element).collect::<Vec<_>>().join(",")),
        other => told(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statements_values_stand_in_their_places() {
        let statement = |text: &str, params: Vec<Value>| Statement {
            database: "db".into(),
            text: text.into(),
            params,
            limit: 1,
            save: None,
            timeout: std::time::Duration::ZERO,
        };
        let secret = Value::Secret(crate::model::Secret::new("env:T", "hunter2hunter2"));
        for (text, params, expected) in [
            ("UPDATE t SET a = $2 WHERE b = $1;", vec!["it's".into(), 7.into()], "UPDATE t SET a = '7' WHERE b = 'it''s'"),
            (
                "SELECT '$1', \"$1\", $x$ $1 $x$, E'\\'$1' -- $1\n, $1",
                vec![Value::Null],
                "SELECT '$1', \"$1\", $x$ $1 $x$, E'\\'$1' -- $1\n, NULL",
            ),
            (
                "DELETE FROM t /* $1 */ WHERE a = ANY($1)",
                vec![vec!["a\"b".into(), Value::Null].into()],
                "DELETE FROM t /* $1 */ WHERE a = ANY('{\"a\\\"b\",NULL}')",
            ),
            ("UPDATE t SET a$1 = $1", vec![secret], "UPDATE t SET a$1 = '<env:T>'"),
        ] {
            assert_eq!(spliced(&statement(text, params)), expected);
        }
    }
}
