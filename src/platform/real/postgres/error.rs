//! PostgreSQL's errors by kind. Parameters are in no message, though the server's own texts may quote them.

use tokio_postgres::error::{DbError, ErrorPosition};

use super::super::http::{chain, io_text};
use crate::model::operation::Statement;
use crate::model::{Failure, Kind, Value, duration};

/// A statement that failed.
pub(super) fn failure(statement: &Statement, error: &tokio_postgres::Error) -> Failure {
    let name = &statement.database;
    let Some(server) = error.as_db_error() else {
        return lost(&format!("the connection to the database `{name}` was lost"), name, error).on(name);
    };
    let code = server.code().code();
    let kind = kind(code);
    let said = scrubbed(server.message(), &statement.params);
    let place = position(server, &statement.text).map(|place| format!(" at {place}")).unwrap_or_default();
    let message = match code {
        "57014" => format!("sql `{name}`: stopped after {} ({code})", duration::show(statement.timeout)),
        "25006" => format!("sql `{name}`: the statement writes, and `sql` only reads: {said} ({code})"),
        _ => format!("sql `{name}`: {said}{place} ({code})"),
    };
    let mut failure = Failure::new(kind, message).on(name);
    failure.hint = match code {
        "57014" => Some("give it longer with `timeout:`, or look at its plan with EXPLAIN".into()),
        "25006" => Some("use `sql_execute` for changes".into()),
        _ => server.hint().map(|hint| scrubbed(hint, &statement.params)).or_else(|| look(code).or_else(|| advice(kind)).map(str::to_owned)),
    };
    failure
}

/// A connection that failed.
pub(super) fn connecting(name: &str, user: &str, place: &str, error: &tokio_postgres::Error) -> Failure {
    match error.as_db_error() {
        Some(server) => {
            let code = server.code().code();
            let mut failure = Failure::new(
                kind(code),
                format!("the database `{name}` at {place} refuses the user {user}: {} ({code})", server.message()),
            );
            failure.hint = advice(kind(code)).map(str::to_owned);
            failure.on(name)
        }
        None => lost(&format!("the database `{name}` at {place} cannot be reached"), name, error).on(name),
    }
}

/// Whether the failure lies in TLS alone.
pub(super) fn is_tls(error: &tokio_postgres::Error) -> bool {
    error.to_string().starts_with("error performing TLS handshake")
}

fn lost(what: &str, name: &str, error: &tokio_postgres::Error) -> Failure {
    let mut why = None;
    for cause in chain(error) {
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            why = Some(match io.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                Some(tls) => format!("TLS: {tls}"),
                None => io_text(io),
            });
        }
    }
    let said = error.to_string();
    let configuration =
        ["invalid configuration", "password missing"].iter().any(|text| chain(error).any(|cause| cause.to_string().contains(text)));
    if configuration {
        return Failure::new(Kind::Auth, format!("the database `{name}` asks for a password"))
            .hint("say where it is: `password = { env = \"NAME\" }`");
    }
    if said.starts_with("error serializing parameter") || said.starts_with("error deserializing") {
        return Failure::bad_argument(format!("sql `{name}`: {said}"));
    }
    if why.is_none() && is_tls(error) {
        why = Some("it has no TLS, which `sslmode` asks for".into());
    }
    Failure::new(Kind::Unavailable, format!("{what}: {}", why.unwrap_or(said))).hint("does it run, and is it reachable from here?")
}

/// What an SQLSTATE means (PostgreSQL's documentation, appendix A).
fn kind(code: &str) -> Kind {
    match code {
        "57014" => Kind::Timeout,
        "42501" => Kind::Forbidden,
        "25006" => Kind::BadArgument,
        "3D000" => Kind::NotFound,
        _ => match code.get(..2).unwrap_or_default() {
            "28" => Kind::Auth,
            "40" => Kind::Conflict,
            "53" | "57" | "08" => Kind::Unavailable,
            "42" | "22" => Kind::BadArgument,
            _ => Kind::Failed,
        },
    }
}

/// What to look at in a statement, where the server gives no hint of its own.
fn look(code: &str) -> Option<&'static str> {
    Some(match code {
        "42P01" => "is the name right? `SELECT schemaname, tablename FROM pg_tables` lists the tables",
        "42703" => "is the name right? `SELECT column_name FROM information_schema.columns WHERE table_name = $1` lists the columns",
        "42883" => "are the function's name and the types of its arguments right?",
        "22P02" | "22007" | "22008" | "42804" => "is each value of the type that stands there? a cast reads `$1::text::int`",
        "42601" => "look at the statement just before that character",
        _ => return None,
    })
}

fn advice(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Auth => Some("is the password right? the database's `password` says where it is"),
        Kind::Forbidden => Some("the role lacks the right: GRANT it, or use another role"),
        Kind::Unavailable => Some("the server is starting, stopping or full; try again later"),
        Kind::Conflict => Some("another transaction was in the way; try again"),
        _ => None,
    }
}

/// The server's text without any parameter that it quotes.
fn scrubbed(text: &str, params: &[Value]) -> String {
    let mut text = text.to_owned();
    for (i, param) in params.iter().enumerate() {
        let shown = match param {
            Value::Str(shown) => shown.clone(),
            Value::Secret(secret) => secret.expose().to_owned(),
            Value::Null | Value::Bool(_) => continue,
            other => other.to_string(),
        };
        // The server quotes what it cannot read; bare single characters are in every word.
        let quoted = format!("\"{shown}\"");
        text = text.replace(&quoted, &format!("${}", i + 1));
        if shown.chars().count() >= 3 {
            text = text.replace(&shown, &format!("${}", i + 1));
        }
    }
    text
}

/// Line and column in the statement, 1-based.
fn position(error: &DbError, statement: &str) -> Option<String> {
    let ErrorPosition::Original(position) = error.position()? else { return None };
    let before: String = statement.chars().take((*position as usize).saturating_sub(1)).collect();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Some(if line == 1 { format!("character {column}") } else { format!("line {line}, character {column}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_kinds() {
        for (code, expected) in [
            ("28P01", Kind::Auth),
            ("42501", Kind::Forbidden),
            ("57014", Kind::Timeout),
            ("57P03", Kind::Unavailable),
            ("53300", Kind::Unavailable),
            ("40001", Kind::Conflict),
            ("25006", Kind::BadArgument),
            ("42P01", Kind::BadArgument),
            ("XX000", Kind::Failed),
        ] {
            assert_eq!(kind(code), expected, "{code}");
        }
    }

    #[test]
    fn quoted_parameters_are_scrubbed() {
        let text = scrubbed("invalid input syntax for type integer: \"12x\" near a", &["12x".into(), "a".into()]);
        assert_eq!(text, "invalid input syntax for type integer: $1 near a");
    }
}
