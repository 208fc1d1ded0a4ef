//! What of a call or a write is data: what a database is given may be personal. It stands beside the journal; in the journal's
//! line stands its shape.

use crate::journal::shape;
use crate::model::operation::{MongoChange, RedisChange, SqlChange, Statement};
use crate::model::spec::Type;
use crate::model::{Failure, Value, Write};

/// A command as it is on record; `kept` puts data beside the journal.
pub(super) fn argument(ty: &Type, value: &Value, kept: &dyn Fn(&Value) -> Result<Value, Failure>) -> Result<Value, Failure> {
    Ok(match (ty, value) {
        (Type::Command, Value::Map(map)) => {
            let noted = |value: &Value| if is_plain(value) { Ok(value.clone()) } else { kept(value) };
            Value::Map(map.iter().map(|(key, value)| Ok((key.clone(), noted(value)?))).collect::<Result<_, Failure>>()?)
        }
        (Type::Words, Value::List(words)) => {
            let known = bare(words);
            let noted = |(at, word): (usize, &Value)| if at < known { Ok(word.clone()) } else { kept(word) };
            words.iter().enumerate().map(noted).collect::<Result<Vec<_>, _>>()?.into()
        }
        (_, value) => value.clone(),
    })
}

/// A write whose data are replaced by their shapes; none of a write that holds none.
pub(super) fn shaped(write: &Write) -> Option<Write> {
    let placeholder = |value: &Value| Value::Str(format!("<{}>", shape(value)));
    Some(match write {
        Write::Sql(change) => {
            let params = change.statement.params.iter().map(placeholder).collect();
            let statement = Statement { params, ..change.statement.clone() };
            Write::Sql(SqlChange { statement, counted: None, ..change.clone() })
        }
        Write::Mongo(change) => {
            let first = |at: usize, value: &Value| if at == 0 || is_plain(value) { value.clone() } else { placeholder(value) };
            let command = change.command.iter().enumerate().map(|(at, (key, value))| (key.clone(), first(at, value))).collect();
            Write::Mongo(MongoChange { command, counted: None, ..change.clone() })
        }
        Write::Redis(change) => {
            let known = bare(&change.command);
            let word = |(at, word): (usize, &Value)| if at < known { word.clone() } else { placeholder(word) };
            Write::Redis(RedisChange { command: change.command.iter().enumerate().map(word).collect(), ..change.clone() })
        }
        _ => return None,
    })
}

/// Whether a field of a command document is no data: a number, a switch, a collection's name.
fn is_plain(value: &Value) -> bool {
    matches!(value, Value::Null | Value::Bool(_) | Value::Int(_) | Value::Str(_))
}

/// How many words of a Redis command are no data: its name, keys, numbers and settings.
fn bare(words: &[Value]) -> usize {
    const ALL: [&str; 36] = [
        "BGREWRITEAOF",
        "BGSAVE",
        "CLIENT",
        "CLUSTER",
        "COPY",
        "DEBUG",
        "DECR",
        "DECRBY",
        "DEL",
        "EXPIRE",
        "EXPIREAT",
        "FAILOVER",
        "FLUSHALL",
        "FLUSHDB",
        "HDEL",
        "INCR",
        "INCRBY",
        "LATENCY",
        "LPOP",
        "LTRIM",
        "MEMORY",
        "MOVE",
        "PERSIST",
        "PEXPIRE",
        "PEXPIREAT",
        "RENAME",
        "RENAMENX",
        "REPLICAOF",
        "RPOP",
        "SAVE",
        "SHUTDOWN",
        "SLAVEOF",
        "SLOWLOG",
        "SWAPDB",
        "TOUCH",
        "UNLINK",
    ];
    let word = |at: usize| words.get(at).and_then(Value::as_str).unwrap_or_default().to_ascii_uppercase();
    match word(0).as_str() {
        name if ALL.contains(&name) => words.len(),
        // What a parameter is set to may be a password.
        "CONFIG" => 3,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::map;
    use crate::model::operation::Scope;
    use crate::model::{Secret, Tier};

    fn noted(ty: &Type, value: &Value) -> Value {
        argument(ty, value, &|data| Ok(shape(data).into())).unwrap()
    }

    fn redis(words: &[&str]) -> String {
        let command: Vec<Value> = words.iter().map(|word| (*word).into()).collect();
        noted(&Type::Words, &Value::List(command)).to_string()
    }

    #[test]
    fn keys_are_on_record_and_values_are_not() {
        assert_eq!(
            redis(&["SET", "session:1", "ann", "EX", "60"]),
            r#"["SET","session:1","string of 3 characters","string of 2 characters","string of 2 characters"]"#
        );
        assert_eq!(redis(&["del", "a", "b"]), r#"["del","a","b"]"#);
        assert_eq!(redis(&["CONFIG", "SET", "requirepass", "hunter2"]), r#"["CONFIG","SET","requirepass","string of 7 characters"]"#);
        let secret = Value::List(vec!["SET".into(), "k".into(), Value::Secret(Secret::new("env:X", "hunter2hunter2"))]);
        assert_eq!(noted(&Type::Words, &secret).to_string(), r#"["SET","k","secret"]"#);
        let document = map! { "insert" => "users", "documents" => vec![map! { "name" => "ann" }], "ordered" => true };
        assert_eq!(noted(&Type::Command, &document), map! { "insert" => "users", "documents" => "array of 1 map", "ordered" => true });
    }

    #[test]
    fn a_write_has_a_form_without_its_data() {
        let statement = Statement {
            database: "db".into(),
            text: "DELETE FROM t WHERE name = $1".into(),
            params: vec!["ann".into()],
            limit: 1,
            save: None,
            timeout: Duration::ZERO,
        };
        let (scope, tier) = (Scope::Transaction, Tier::Moderate);
        let change = SqlChange { statement, verb: "DELETE".into(), tier, scope, explain: true, counted: None };
        let Some(Write::Sql(shaped)) = shaped(&Write::Sql(change)) else { panic!("it holds data") };
        assert_eq!(shaped.statement.params, ["<string of 3 characters>".into()]);
        assert_eq!(shaped.statement.text, "DELETE FROM t WHERE name = $1");
    }
}
