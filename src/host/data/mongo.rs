//! `mongo`: one MongoDB command that only reads.

use std::time::Duration;

use super::guard;
use crate::call::{Body, Cx, Function};
use crate::config::DatabaseKind;
use crate::host::saves::{self, SAVE};
use crate::model::spec::{Args, Example, Group, Keep, Opt, Param, Type};
use crate::model::{Failure, Kind, Map, Read, Spec, Tier, Value};
use crate::platform::rows::{self, Format};

/// The function.
pub static MONGO: Function = Function {
    spec: Spec {
        name: "mongo",
        group: Group::Data,
        summary: "Runs one MongoDB command that only reads, such as count, find, aggregate, distinct, explain, listIndexes, serverStatus.",
        params: &[
            Param { name: "database", ty: Type::Database, required: true, help: "a configured MongoDB database" },
            Param {
                name: "command",
                ty: Type::Command,
                required: true,
                help: "the command document; its name may stand anywhere. Maps are sorted by key: to sort by two fields in another order, \
                       use two `$sort`s, the lesser first",
            },
        ],
        options: &[SAVE, Opt { name: "timeout", ty: Type::Duration, default: "\"30s\"", help: "the longest wait for the whole answer" }],
        returns: "find, aggregate, listCollections, listIndexes: an array of documents; count: the number; distinct: an array of values; \
                  others: the server's reply; with `save:` `#{ path, bytes, sha256, documents }`",
        tier: Tier::Mild,
        keep: Keep::Rows,
        errors: &[Kind::Forbidden, Kind::Auth, Kind::Unavailable, Kind::TooLarge, Kind::Failed],
        examples: &[
            Example { title: "Whether it answers", code: "mongo(\"mongodb\", #{ ping: 1 })", result: "{}" },
            Example { title: "How many documents", code: "mongo(\"mongodb\", #{ count: \"therapeutic_content\" })", result: "" },
            Example {
                title: "What would have to be written with `mongo_execute`",
                code: "attempt(|| mongo(\"mongodb\", #{ drop: \"sessions\" })).error.kind",
                result: "\"bad_argument\"",
            },
        ],
    },
    body: Body::Read(body),
};

fn body(args: &Args, cx: &Cx<'_>) -> Result<Value, Failure> {
    let database = args.str(0);
    super::is(cx, database, DatabaseKind::Mongo)?;
    args.get(1).map_or(Ok(()), |command| super::no_secrets("mongo", "the command", command))?;
    let empty = Map::new();
    let command = guard::mongo::command(args.get(1).and_then(Value::as_map).unwrap_or(&empty))?;
    let name = command.first().map(|(name, _)| name.clone()).unwrap_or_default();
    let timeout = args.option_duration("timeout").unwrap_or(Duration::from_secs(30));
    let save = saves::of(args, cx)?;
    match save.as_ref().map(|save| (Format::of(&save.shown), &save.shown)) {
        None | Some((Some(Format::JsonLines), _)) => {}
        Some((Some(Format::Csv), shown)) => {
            return Err(Failure::bad_argument(format!("documents are no table: {shown:?}")).hint("save them as JSON Lines: `.jsonl`"));
        }
        Some((None, shown)) => return Err(rows::unknown(shown)),
    }
    let is_saved = save.is_some();
    let reply = cx.read(&Read::Mongo { database: database.to_owned(), command, save, timeout })?;
    if is_saved { Ok(reply) } else { shaped(&name, reply) }
}

/// What a script wants of a reply: the documents, the number, the values; else the reply without the protocol's own fields.
fn shaped(name: &str, reply: Value) -> Result<Value, Failure> {
    let Value::Map(mut reply) = reply else { return Ok(reply) };
    if let Some(Value::Map(cursor)) = reply.get_mut("cursor")
        && let Some(documents) = cursor.remove("firstBatch")
    {
        // Half an answer would pass for a whole one.
        if cursor.get("id").and_then(Value::as_int).unwrap_or(0) != 0 {
            let message = "the answer has more documents than one batch holds";
            return Err(Failure::new(Kind::TooLarge, message).hint("ask for less: `limit`, `$limit`, `projection`, `count`"));
        }
        return Ok(documents);
    }
    let field = match name {
        "count" => "n",
        "distinct" => "values",
        _ => "",
    };
    if let Some(value) = reply.remove(field) {
        return Ok(value);
    }
    reply.retain(|key, _| !key.starts_with('$') && key != "operationTime" && key != "ok");
    Ok(Value::Map(reply))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map;

    #[test]
    fn replies_take_the_shape_that_scripts_want() {
        let shape = |name, reply| shaped(name, reply).unwrap();
        let documents = Value::List(vec![map! { "a" => 1 }]);
        let cursor = |id: i64| map! { "cursor" => map! { "firstBatch" => documents.clone(), "id" => id, "ns" => "x.c" }, "ok" => 1.0 };
        assert_eq!(shape("find", cursor(0)), documents);
        assert_eq!(shaped("find", cursor(7)).unwrap_err().kind, Kind::TooLarge);
        assert_eq!(shape("count", map! { "n" => 3, "ok" => 1.0 }), Value::Int(3));
        assert_eq!(shape("distinct", map! { "values" => vec![1.into()], "ok" => 1.0 }), Value::List(vec![1.into()]));
        let reply = map! { "n" => 1, "ok" => 1.0, "$clusterTime" => map! {}, "operationTime" => map! {} };
        assert_eq!(shape("collStats", reply), map! { "n" => 1 });
        assert_eq!(shape("ping", map! { "ok" => 1 }), map! {});
    }
}
