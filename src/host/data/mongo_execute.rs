//! `mongo_execute`: one MongoDB command that may change something.

use std::time::Duration;

use super::{change, guard};
use crate::call::{Body, Cx, Done, Function};
use crate::config::DatabaseKind;
use crate::map;
use crate::model::operation::MongoChange;
use crate::model::spec::{Args, Example, Group, Keep, Opt, Param, Type};
use crate::model::{Failure, Kind, Map, Spec, Tier, Value, Write};

/// Commands whose reply holds documents.
const ANSWERING: [&str; 3] = ["findAndModify", "findandmodify", "aggregate"];

/// The function.
pub static MONGO_EXECUTE: Function = Function {
    spec: Spec {
        name: "mongo_execute",
        group: Group::Data,
        summary: "Runs one MongoDB command that may change something, such as insert, update, delete, findAndModify, createIndexes, killOp.",
        params: &[
            Param { name: "database", ty: Type::Database, required: true, help: "a configured MongoDB database" },
            Param {
                name: "command",
                ty: Type::Command,
                required: true,
                help: "the command document; its name may stand anywhere. Extended JSON writes the types that JSON lacks: \
                       `#{ \"$oid\": … }`, `#{ \"$date\": … }`, `#{ \"$numberDecimal\": … }`; values may be secrets",
            },
        ],
        options: &[
            change::ASSUME,
            change::TIER,
            Opt { name: "timeout", ty: Type::Duration, default: "\"30s\"", help: "the longest wait for the whole answer" },
        ],
        returns: "the server's reply, such as `#{ n, nModified }`; a reply with `writeErrors` is a failure. In a rehearsal nothing is sent, \
                  and the answer cannot be known",
        tier: Tier::Moderate,
        keep: Keep::Rows,
        errors: &[
            Kind::NotConfirmed,
            Kind::NotFound,
            Kind::Forbidden,
            Kind::Auth,
            Kind::Conflict,
            Kind::Unavailable,
            Kind::TooLarge,
            Kind::Failed,
            Kind::InDoubt,
        ],
        examples: &[
            Example {
                title: "Delete what has expired",
                code: "mongo_execute(\"mongodb\", #{ delete: \"sessions\", deletes: [#{ q: #{ expired: true }, limit: 0 }] }).n",
                result: "0",
            },
            Example {
                title: "What runs code on the server is refused",
                code: "attempt(|| mongo_execute(\"mongodb\", #{ mapReduce: \"sessions\" })).error.kind",
                result: "\"bad_argument\"",
            },
        ],
    },
    body: Body::Change(plan, shape),
};

fn plan(args: &Args, cx: &Cx<'_>) -> Result<Vec<Write>, Failure> {
    let database = args.str(0);
    super::is(cx, database, DatabaseKind::Mongo)?;
    let empty = Map::new();
    let judged = guard::mongo_change::judge(args.get(1).and_then(Value::as_map).unwrap_or(&empty))?;
    let name = judged.command.first().map(|(name, _)| name.as_str()).unwrap_or_default();
    if ANSWERING.contains(&name) && judged.command.iter().any(|(_, value)| change::holds_secret(value)) {
        return Err(change::computed("mongo_execute", &format!("`{name}`")));
    }
    let timeout = args.option_duration("timeout").unwrap_or(Duration::from_secs(30));
    let (command, tier, counted) = (judged.command, judged.tier, judged.counted);
    Ok(vec![Write::Mongo(MongoChange { database: database.to_owned(), command, tier, counted, timeout })])
}

/// The reply without the protocol's own fields.
fn shape(_: &Args, done: &[Done]) -> Value {
    match change::answer(done) {
        Some(Value::Map(mut reply)) => {
            reply.retain(|key, _| !key.starts_with('$') && key != "operationTime" && key != "ok" && key != "electionId" && key != "opTime");
            Value::Map(reply)
        }
        other => other.unwrap_or_else(|| map! {}),
    }
}
