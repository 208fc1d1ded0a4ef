//! PostgreSQL's errors by kind. Parameters are in no message, though the server's own texts may quote them.

use tokio_postgres::error::{DbError, ErrorPosition};

use super::super::http::{chain, io_text};
use crate::model::operation::Statement;
use crate::model::{Failure, Kind, Sent, Value};
use crate::platform::failures;

const UNREADABLE: &str = "what answered is no message of PostgreSQL";

/// A statement that failed.
pub(super) fn failure(statement: &Statement, error: &tokio_postgres::Error) -> Failure {
    let name = &statement.database;
    let Some(server) = error.as_db_error() else {
        return lost(&format!("the connection to the database `{name}` was lost"), name, error).on(name);
    };
    let said = scrubbed(server.message(), &statement.params);
    let hint = server.hint().map(|hint| scrubbed(hint, &statement.params));
    failures::sql(statement, server.code().code(), &said, position(server, &statement.text, 0), hint)
}

/// A statement that may change something and failed; `sent` says what is known of it where no answer came.
pub(super) fn change(statement: &Statement, error: &tokio_postgres::Error, sent: Sent) -> Failure {
    let name = &statement.database;
    let Some(server) = error.as_db_error() else {
        let failure = failure(statement, error);
        return match sent {
            Sent::Unknown if failure.kind == Kind::Unavailable => {
                failures::in_doubt(format!("{}; the statement was sent", failure.message)).on(name)
            }
            _ => failure,
        };
    };
    let code = server.code().code();
    if sent == Sent::Unknown && is_doubtful(code) {
        return failures::in_doubt(format!("sql `{name}`: the server went down after the statement was sent ({code})")).on(name);
    }
    if code == "25006" {
        return Failure::new(Kind::Failed, format!("sql `{name}`: the server takes no changes ({code})"))
            .hint("is it a standby? name the primary in the database's `url`")
            .on(name)
            .sent(Sent::Yes);
    }
    if sent == Sent::Unknown { bound(statement, error) } else { failure(statement, error) }
}

/// A statement that failed once its values were bound. What a server says then may be made of them, so with a secret it is not shown.
pub(super) fn bound(statement: &Statement, error: &tokio_postgres::Error) -> Failure {
    let hides = statement.params.iter().any(|param| param.find(&|item| matches!(item, Value::Secret(_))).is_some());
    match error.as_db_error() {
        Some(server) if hides => {
            let said = "the server refuses it; its words are not shown, since a value is a secret";
            failures::sql(statement, server.code().code(), said, None, None)
        }
        _ => failure(statement, error),
    }
}

/// Whether after such an end nobody knows what was committed: the connection failed, the server stopped, or it does not know itself.
fn is_doubtful(code: &str) -> bool {
    code.starts_with("08") || code.starts_with("57P0") || code == "40003"
}

/// A statement whose plan was asked for and refused: what stood before it, so many characters, is not the script's.
pub(super) fn planned(statement: &Statement, before: usize, error: &tokio_postgres::Error) -> Failure {
    let Some(server) = error.as_db_error() else { return failure(statement, error) };
    let said = scrubbed(server.message(), &statement.params);
    let hint = server.hint().map(|hint| scrubbed(hint, &statement.params));
    failures::sql(statement, server.code().code(), &said, position(server, &statement.text, before), hint)
}

/// A connection that failed.
pub(super) fn connecting(name: &str, user: &str, place: &str, error: &tokio_postgres::Error) -> Failure {
    match error.as_db_error() {
        Some(server) => failures::sql_login(name, place, user, server.code().code(), server.message()),
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
                // The driver's words for an end in the middle of a message, and for one without a possible length.
                None if io.to_string() == "bytes remaining on stream" => "the connection ended in the middle of an answer".into(),
                None if io.kind() == std::io::ErrorKind::InvalidInput => UNREADABLE.into(),
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
    if why.is_none() && ["error parsing response", "unexpected message"].iter().any(|text| said.starts_with(text)) {
        why = Some(UNREADABLE.into());
    }
    if why.is_none() && is_tls(error) {
        why = Some("it has no TLS, which `sslmode` asks for".into());
    }
    Failure::new(Kind::Unavailable, format!("{what}: {}", why.unwrap_or(said))).hint("does it run, and is it reachable from here?")
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

/// Line and column in the statement, 1-based, behind so many characters that stood before it.
fn position(error: &DbError, statement: &str, skipped: usize) -> Option<String> {
    let ErrorPosition::Original(position) = error.position()? else { return None };
    let before: String = statement.chars().take((*position as usize).saturating_sub(1 + skipped)).collect();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Some(if line == 1 { format!("character {column}") } else { format!("line {line}, character {column}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_goes_down_leaves_a_doubt() {
        for code in ["08006", "57P01", "57P02", "57P03", "57P05", "40003"] {
            assert!(is_doubtful(code), "{code}");
        }
        for code in ["57014", "40001", "40P01", "23505", "25006", "53300"] {
            assert!(!is_doubtful(code), "{code}");
        }
    }

    #[test]
    fn quoted_parameters_are_scrubbed() {
        let text = scrubbed("invalid input syntax for type integer: \"12x\" near a", &["12x".into(), "a".into()]);
        assert_eq!(text, "invalid input syntax for type integer: $1 near a");
    }
}
