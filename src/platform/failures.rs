//! Failures in the words that worlds and real systems share, so that a script that handles the one handles the other.

use std::time::Duration;

use crate::model::operation::Statement;
use crate::model::{Failure, Kind, Sent, Value, duration};

/// A read without an answer in time.
pub(super) fn late(what: &str, limit: Duration) -> Failure {
    Failure::new(Kind::Timeout, format!("no answer from {what} within {}", duration::show(limit)))
        .hint("is it slow or unreachable? give it longer with `timeout:`")
}

/// A write that nobody knows the end of.
pub(super) fn in_doubt(message: impl Into<String>) -> Failure {
    Failure::new(Kind::InDoubt, message).sent(Sent::Unknown).hint("look at the target before doing it again: it may have happened")
}

/// A write without an answer in time.
pub(super) fn unanswered(what: &str, limit: Duration) -> Failure {
    in_doubt(format!("{what} was sent, and no answer came within {}", duration::show(limit)))
}

/// A value that nobody knows, because a rehearsal did not send the call that would have answered it.
pub(super) fn unsent(function: &str) -> Failure {
    Failure::bad_argument(format!("the answer of `{function}`, which was not sent, cannot be passed on"))
        .hint("say what to assume: `#{ assume: … }`")
}

/// An object that does not exist; `resource` is its kind's plural, `near` a name that may have been meant.
pub(super) fn no_such_object(target: &str, namespace: Option<&str>, resource: &str, near: Option<&str>) -> Failure {
    let (place, option) = match namespace {
        Some(namespace) => (format!(" in the namespace {namespace}"), format!("-n {namespace} ")),
        None => (String::new(), String::new()),
    };
    let hint = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("`kubectl {option}get {resource}` lists what there is"),
    };
    Failure::new(Kind::NotFound, format!("{target} does not exist{place}")).hint(hint).on(target).sent(Sent::Yes)
}

/// How the message of a pod begins whose disruption budgets do not let it go.
const BUDGET: &str = "a disruption budget holds ";

/// A pod that a disruption budget does not let go now. Nothing was evicted.
pub(super) fn budget(target: &str, said: &str) -> Failure {
    Failure::new(Kind::Unavailable, format!("{BUDGET}{target}: {}", said.trim_end_matches('.')))
        .hint("`kubectl get pdb` shows how many may be missing")
        .on(target)
}

/// Whether that is why a pod stays.
pub(super) fn is_budget(failure: &Failure) -> bool {
    failure.kind == Kind::Unavailable && failure.message.starts_with(BUDGET)
}

/// A pod that a disruption budget has not let go in all the time that there was.
pub(super) fn held(failure: Failure, limit: Duration) -> Failure {
    Failure { kind: Kind::Timeout, message: format!("{}, for {}", failure.message, duration::show(limit)), ..failure }
}

/// A database that cannot be connected to; `place` is its host and port.
pub(super) fn unreachable(database: &str, place: &str, why: &str) -> Failure {
    Failure::new(Kind::Unavailable, format!("the database `{database}` at {place} cannot be reached: {why}"))
        .hint("does it run, and is it reachable from here?")
        .on(database)
}

/// A tunnel that cannot be opened; `place` is the host and port that it was to lead to.
pub(super) fn no_tunnel(place: &str, failure: Failure) -> Failure {
    let message = format!("no tunnel to {place}: {}", failure.message);
    Failure { message, target: None, ..failure }
}

/// A port-forward that the API server forbids, in its words; `lacking` are the verbs that the user has not.
pub(super) fn may_not_forward(namespace: &str, said: &str, lacking: &[&str]) -> Failure {
    let verbs = lacking.join(" and ");
    let first = lacking.first().copied().unwrap_or("create");
    Failure::new(Kind::Forbidden, said).hint(format!(
        "the context's user lacks the right to {verbs} pods/portforward: `kubectl auth can-i {first} pods --subresource=portforward -n {namespace}`"
    ))
}

/// A message that a channel did not take; `said` is what it answered, whole, since it is cut after it is masked; `retry_after` its wish in seconds.
///
/// `retry` sends again only what surely was not taken: too many requests (429), no service (503). Other failures of a server or of
/// a gateway before it come as well after the message has gone on.
pub(super) fn not_taken(channel: &str, status: u16, said: &str, retry_after: Option<&str>) -> Failure {
    let said = said.trim();
    let said = if said.is_empty() { String::new() } else { format!(": {said}") };
    let answered = || format!("the channel `{channel}` answered HTTP {status}{said}");
    let later = || retry_after.map_or_else(|| "try again later".to_owned(), |wait| format!("try again after {wait} s"));
    let failure = match status {
        429 => Failure::new(Kind::Unavailable, format!("the channel `{channel}` takes no more messages for now (HTTP 429)")).hint(later()),
        503 => Failure::new(Kind::Unavailable, answered()).hint(later()),
        401 | 403 | 407 => Failure::new(Kind::Auth, answered()).hint("is its address, or the key that signs, still valid?").sent(Sent::Yes),
        408 | 500 | 502 | 504 | 506.. => {
            in_doubt(answered()).hint("it may have taken the message all the same: look at the channel before sending it again")
        }
        _ => Failure::new(Kind::Failed, answered()).hint("is its address right, and still valid?").sent(Sent::Yes),
    };
    failure.on(channel)
}

/// A statement that PostgreSQL refused: SQLSTATE, its words, where in the statement, its own hint.
pub(super) fn sql(statement: &Statement, code: &str, said: &str, place: Option<String>, hint: Option<String>) -> Failure {
    let name = &statement.database;
    let kind = sqlstate(code);
    let place = place.map(|place| format!(" at {place}")).unwrap_or_default();
    let (message, hint) = match code {
        "57014" => (
            format!("sql `{name}`: stopped after {} ({code})", duration::show(statement.timeout)),
            Some("give it longer with `timeout:`, or look at its plan with EXPLAIN".to_owned()),
        ),
        "25006" => (
            format!("sql `{name}`: the statement writes, and `sql` only reads: {said} ({code})"),
            Some("use `sql_execute` for changes".to_owned()),
        ),
        _ => (format!("sql `{name}`: {said}{place} ({code})"), hint.or_else(|| look(code).or_else(|| advice(kind)).map(str::to_owned))),
    };
    let failure = Failure::new(kind, message).on(name).sent(Sent::Yes);
    Failure { hint, ..failure }
}

/// Other values than the statement has places for.
pub(super) fn wrong_params(wants: usize, has: usize) -> Failure {
    Failure::bad_argument(format!("the statement has {wants} parameters, and {has} were given")).hint("`params: […]`, `$1` first")
}

/// Refuses rows where a parameter is a secret: what the server makes of it could not be masked.
pub(super) fn no_rows_of_secrets(statement: &Statement) -> Result<(), Failure> {
    match statement.params.iter().find_map(|param| param.find(&|item| matches!(item, Value::Secret(_)))) {
        Some(Value::Secret(secret)) => {
            Err(Failure::bad_argument(format!("the statement is given the secret {} and answers rows", secret.name()))
                .hint("what the server makes of a secret could not be masked: leave RETURNING out")
                .on(statement.database.as_str()))
        }
        _ => Ok(()),
    }
}

/// More rows than were allowed.
pub(super) fn too_many_rows(statement: &Statement) -> Failure {
    Failure::new(Kind::TooLarge, format!("the statement answers more than {} rows", statement.limit))
        .hint("add a LIMIT or aggregate, or raise `limit:` (of changes `max_rows:`)")
        .on(statement.database.as_str())
}

/// Of a statement that was not committed.
pub(super) fn rolled_back(failure: Failure) -> Failure {
    Failure { message: format!("{}; nothing was changed", failure.message), ..failure }
}

/// A login that PostgreSQL refused; `place` is its host and port.
pub(super) fn sql_login(database: &str, place: &str, user: &str, code: &str, said: &str) -> Failure {
    let kind = sqlstate(code);
    let failure = Failure::new(kind, format!("the database `{database}` at {place} refuses the user {user}: {said} ({code})"));
    Failure { hint: advice(kind).map(str::to_owned), ..failure }.on(database)
}

/// What an SQLSTATE means (PostgreSQL's documentation, appendix A).
pub(super) fn sqlstate(code: &str) -> Kind {
    match code {
        "57014" => Kind::Timeout,
        "42501" => Kind::Forbidden,
        "25006" => Kind::BadArgument,
        "3D000" => Kind::NotFound,
        "55006" | "55P03" => Kind::Conflict,
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
        "23505" => "the row is there already: look at it, or say ON CONFLICT",
        "23502" | "23503" | "23514" | "23P01" => "a constraint of the table refuses the row",
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

/// A command that MongoDB refused: its error's code, code name and message.
pub(super) fn mongo(database: &str, verb: &str, code: i32, code_name: &str, message: &str) -> Failure {
    let (kind, hint) = match code {
        18 => (Kind::Auth, "is the password right? the database's `password` says where it is"),
        13 => (Kind::Forbidden, "the user lacks the right to do it"),
        26 => (Kind::NotFound, "is the name right?"),
        50 | 262 => (Kind::Timeout, "give it longer with `timeout:`"),
        6 | 7 | 89 | 91 | 189 | 10107 | 11600 | 11602 | 13435 | 13436 => (Kind::Unavailable, "try again later"),
        2 | 9 | 14 | 40 | 59 | 72 => (Kind::BadArgument, "the server does not take the command like this"),
        112 => (Kind::Conflict, "try again"),
        _ => (Kind::Failed, ""),
    };
    let failure = Failure::new(kind, format!("mongo `{database}`: {verb}: {message} ({code} {code_name})")).on(database).sent(Sent::Yes);
    if hint.is_empty() { failure } else { failure.hint(hint) }
}

/// What a MongoDB reply with `ok: 1` says against it all the same: documents that were refused, a write concern that was not reached.
pub(super) fn mongo_partly(database: &str, verb: &str, reply: &Value, hides: bool) -> Option<Failure> {
    let done = reply.int_at(&["n"]).unwrap_or(0);
    if let Some(concern) = reply.get("writeConcernError") {
        let code = concern.int_at(&["code"]).unwrap_or(0);
        let said = if hides { "" } else { concern.str_at(&["errmsg"]).unwrap_or_default() };
        let message = format!("mongo `{database}`: {verb}: {done} done, and nobody knows whether they will stay: {said} ({code})");
        return Some(in_doubt(message).on(database));
    }
    let errors = reply.get("writeErrors").and_then(Value::as_list).filter(|errors| !errors.is_empty())?;
    let first = errors.first()?;
    let code = first.int_at(&["code"]).unwrap_or(0);
    let said = if hides { "the words are not shown, since a value is a secret" } else { first.str_at(&["errmsg"]).unwrap_or_default() };
    let index = first.int_at(&["index"]).unwrap_or(0);
    let kind = match code {
        112 if done == 0 => Kind::Conflict,
        13 => Kind::Forbidden,
        _ => Kind::Failed,
    };
    let message = format!("mongo `{database}`: {verb}: {done} done, {} refused; the first, at {index}: {said} ({code})", errors.len());
    let failure = Failure::new(kind, message).on(database).sent(Sent::Yes);
    Some(if done > 0 { failure.hint("it is partly done: look before doing it again") } else { failure })
}

/// A command that Redis refused, in its words.
pub(super) fn redis(database: &str, verb: &str, said: &str) -> Failure {
    Failure::new(Kind::Failed, format!("redis `{database}`: {verb}: {said}")).on(database).sent(Sent::Yes)
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
            ("55P03", Kind::Conflict),
            ("25006", Kind::BadArgument),
            ("42P01", Kind::BadArgument),
            ("XX000", Kind::Failed),
        ] {
            assert_eq!(sqlstate(code), expected, "{code}");
        }
    }

    #[test]
    fn a_message_is_sent_again_only_where_it_surely_was_not_taken() {
        for (status, kind, sent) in [
            (503, Kind::Unavailable, Sent::No),
            (408, Kind::InDoubt, Sent::Unknown),
            (500, Kind::InDoubt, Sent::Unknown),
            (502, Kind::InDoubt, Sent::Unknown),
            (504, Kind::InDoubt, Sent::Unknown),
            (522, Kind::InDoubt, Sent::Unknown),
            (501, Kind::Failed, Sent::Yes),
            (403, Kind::Auth, Sent::Yes),
            (404, Kind::Failed, Sent::Yes),
        ] {
            let failure = not_taken("chat", status, " no\n", None);
            assert_eq!((failure.kind, failure.sent), (kind, sent), "{status}");
            assert_eq!(failure.message, format!("the channel `chat` answered HTTP {status}: no"));
            assert!(sent == Sent::No || !failure.kind.retryable(), "{status}");
        }
        let busy = not_taken("chat", 429, "", Some("7"));
        assert_eq!((busy.kind, busy.sent, busy.hint.as_deref()), (Kind::Unavailable, Sent::No, Some("try again after 7 s")));
    }
}
