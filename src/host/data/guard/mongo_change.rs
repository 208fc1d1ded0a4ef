//! What one MongoDB command that may change something is: in its order, how grave, and which documents it is about.
//!
//! What runs code on the server is refused here as it is for reads, and what a driver's session would be in the way of.

use super::mongo::{CHANGING, COMMANDS, NEVER, scan};
use crate::model::{Failure, Map, Tier, Value, suggest, text};

/// A command with what its document tells of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Its name first; `$db` last where it is for the database `admin`.
    pub command: Vec<(String, Value)>,
    /// How grave it is.
    pub tier: Tier,
    /// Counts the documents that it is about, where that is one predicate on one collection.
    pub counted: Option<Vec<(String, Value)>>,
}

/// Commands that this function does not take, and what to do instead.
const REFUSED: &[(&str, &str)] = &[
    ("abortTransaction", "a transaction needs a session, which no call keeps"),
    ("commitTransaction", "a transaction needs a session, which no call keeps"),
    ("applyOps", "it writes the oplog's own entries"),
    ("eval", "it runs JavaScript on the server"),
    ("mapReduce", "it runs JavaScript on the server: an `aggregate` with `$group` says most of it"),
    ("mapreduce", "it runs JavaScript on the server: an `aggregate` with `$group` says most of it"),
    ("bulkWrite", "use `insert`, `update` and `delete`, each with several documents"),
];

/// Commands that go on as everyday work; all others that change something are severe.
const MODERATE: &[&str] = &[
    "aggregate",
    "create",
    "createIndexes",
    "delete",
    "findAndModify",
    "findandmodify",
    "flushRouterConfig",
    "fsyncUnlock",
    "insert",
    "killAllSessions",
    "killCursors",
    "killOp",
    "killSessions",
    "logRotate",
    "planCacheClear",
    "profile",
    "update",
    "validate",
];

/// Commands that a server answers on its database `admin` only.
const ADMIN: &[&str] = &[
    "balancerStart",
    "balancerStop",
    "enableSharding",
    "flushRouterConfig",
    "fsync",
    "fsyncUnlock",
    "killAllSessions",
    "killOp",
    "logRotate",
    "moveChunk",
    "refineCollectionShardKey",
    "renameCollection",
    "replSetFreeze",
    "replSetReconfig",
    "replSetStepDown",
    "reshardCollection",
    "rotateCertificates",
    "setFeatureCompatibilityVersion",
    "setParameter",
    "shardCollection",
    "shutdown",
];

/// Judges a command document. Errors are `bad_argument`.
pub fn judge(map: &Map) -> Result<Change, Failure> {
    let name = name(map)?;
    if let Some((_, instead)) = REFUSED.iter().find(|(refused, _)| *refused == name) {
        return Err(Failure::bad_argument(format!("`mongo_execute` does not take `{name}`")).hint(*instead));
    }
    // The name itself may be one that is refused elsewhere; what stands under it is scanned like all else.
    let refuses = |key: &str| NEVER.iter().find(|(refused, _)| *refused == key).map(|(_, reason)| *reason);
    for (key, value) in map {
        let key = if *key == *name { "" } else { key };
        scan(key, value, 1, &refuses)
            .map_err(|failure| Failure { hint: failure.hint.or_else(|| Some("no call runs code on the server".into())), ..failure })?;
    }
    let mut command = vec![(name.to_owned(), map.get(name).cloned().unwrap_or_default())];
    command.extend(map.iter().filter(|(key, _)| **key != *name).map(|(key, value)| (key.to_string(), value.clone())));
    let mut tier = if MODERATE.contains(&name) { Tier::Moderate } else { Tier::Severe };
    match name {
        "aggregate" => {
            match written(map.get("pipeline")) {
                None => {
                    return Err(
                        Failure::bad_argument("the pipeline writes nothing").hint("`mongo` reads; `$out` or `$merge` is the last stage")
                    );
                }
                Some("$out") => tier = Tier::Severe,
                Some(_) => {}
            }
            if !map.contains_key("cursor") {
                command.push(("cursor".into(), Value::Map(Map::new())));
            }
        }
        "delete" if each(map, "deletes").any(|one| everything(one) && one.int_at(&["limit"]) != Some(1)) => tier = Tier::Severe,
        "update" if each(map, "updates").any(|one| everything(one) && one.get("multi") == Some(&Value::Bool(true))) => tier = Tier::Severe,
        _ => {}
    }
    if ADMIN.contains(&name) {
        command.push(("$db".into(), "admin".into()));
    }
    Ok(Change { command, tier, counted: counted(name, map) })
}

/// The command's name: the one key that names a command.
fn name(map: &Map) -> Result<&'static str, Failure> {
    let known = || CHANGING.iter().copied().chain(COMMANDS.iter().map(|(name, _)| *name));
    let mut changing = CHANGING.iter().copied().filter(|name| map.contains_key(*name));
    match (changing.next(), changing.next()) {
        // `update: #{ … }` of findAndModify is its argument.
        (Some("findAndModify" | "findandmodify"), Some("update")) | (Some(_), None) => {}
        (Some(first), Some(second)) => {
            return Err(
                Failure::bad_argument(format!("both `{first}` and `{second}` name a command")).hint("call `mongo_execute` once for each")
            );
        }
        (None, _) => {}
    }
    if let Some(name) = CHANGING.iter().copied().find(|name| map.contains_key(*name)) {
        return Ok(name);
    }
    if map.contains_key("aggregate") {
        return Ok("aggregate");
    }
    let keys: Vec<&str> = map.keys().map(|key| key.as_str()).collect();
    if let Some(read) = COMMANDS.iter().map(|(name, _)| *name).find(|name| map.contains_key(*name)) {
        return Err(Failure::bad_argument(format!("`{read}` changes nothing")).hint("`mongo` reads"));
    }
    let failure = match map.is_empty() {
        true => Failure::bad_argument("the command is empty"),
        false => Failure::bad_argument(format!("none of {} names a command", text::short(&keys.join(", "), 100))),
    };
    Err(match keys.iter().find_map(|key| suggest::nearest(key, known())) {
        Some(near) => failure.hint(format!("did you mean `{near}`?")),
        None => failure.hint("insert, update, delete, findAndModify, create, createIndexes, drop, killOp …"),
    })
}

/// The stage of a pipeline that writes.
fn written(pipeline: Option<&Value>) -> Option<&'static str> {
    let stages = pipeline.and_then(Value::as_list).unwrap_or_default();
    ["$out", "$merge"].into_iter().find(|name| stages.iter().any(|stage| stage.get(name).is_some()))
}

fn each<'a>(map: &'a Map, key: &str) -> impl Iterator<Item = &'a Value> {
    map.get(key).and_then(Value::as_list).unwrap_or_default().iter()
}

/// Whether a deletion's or an update's predicate holds for every document.
fn everything(one: &Value) -> bool {
    one.get("q").and_then(Value::as_map).is_none_or(|map| map.is_empty())
}

/// The `count` of the documents that the only deletion or update is about.
fn counted(name: &str, map: &Map) -> Option<Vec<(String, Value)>> {
    let list = match name {
        "delete" => "deletes",
        "update" => "updates",
        _ => return None,
    };
    let mut found = each(map, list);
    let (Some(only), None) = (found.next(), found.next()) else { return None };
    let predicate = only.get("q").filter(|predicate| predicate.find(&|value| matches!(value, Value::Secret(_))).is_none())?;
    let mut count = vec![("count".to_owned(), map.get(name)?.clone()), ("query".to_owned(), predicate.clone())];
    if only.int_at(&["limit"]) == Some(1) {
        count.push(("limit".to_owned(), 1.into()));
    }
    let read: Map = count.iter().cloned().collect();
    super::mongo::command(&read).is_ok().then_some(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map;

    fn judged(value: Value) -> Result<Change, Failure> {
        judge(value.as_map().unwrap())
    }

    #[test]
    fn commands_are_ordered_and_graded() {
        let one = |q: Value, more: Value| {
            let mut one = map! { "q" => q };
            more.as_map().unwrap().iter().for_each(|(key, value)| one.set(&[key.as_str()], value.clone()));
            vec![one]
        };
        let delete = |q, limit: i64| map! { "delete" => "c", "deletes" => one(q, map! { "limit" => limit }) };
        let update = |q, multi: bool| map! { "update" => "c", "updates" => one(q, map! { "u" => map! { "$set" => map! { "a" => 1 } }, "multi" => multi }) };
        let stage = |name: &str| map! { "aggregate" => "c", "pipeline" => vec![map! { name => "d" }] };
        for (command, tier) in [
            (map! { "documents" => vec![map! { "a" => 1 }], "insert" => "c" }, Tier::Moderate),
            (delete(map! { "a" => 1 }, 0), Tier::Moderate),
            (delete(map! {}, 1), Tier::Moderate),
            (delete(map! {}, 0), Tier::Severe),
            (update(map! {}, false), Tier::Moderate),
            (update(map! {}, true), Tier::Severe),
            (
                map! { "findAndModify" => "c", "query" => map! { "a" => 1 }, "update" => map! { "$inc" => map! { "n" => 1 } } },
                Tier::Moderate,
            ),
            (map! { "drop" => "c" }, Tier::Severe),
            (map! { "dropDatabase" => 1 }, Tier::Severe),
            (map! { "dropIndexes" => "c", "index" => "i" }, Tier::Severe),
            (stage("$out"), Tier::Severe),
            (stage("$merge"), Tier::Moderate),
            (map! { "collMod" => "c", "validator" => map! {} }, Tier::Severe),
        ] {
            let change = judged(command.clone()).unwrap();
            assert_eq!(change.tier, tier, "{command}");
            assert!(CHANGING.contains(&change.command[0].0.as_str()) || change.command[0].0 == "aggregate", "{command}");
        }
        let kill = judged(map! { "killOp" => 1, "op" => 7 }).unwrap();
        assert_eq!((kill.tier, kill.command.last().unwrap()), (Tier::Moderate, &("$db".to_owned(), "admin".into())));
        let found = judged(delete(map! { "a" => 1 }, 1)).unwrap().counted.unwrap();
        assert_eq!(found, [("count".to_owned(), "c".into()), ("query".to_owned(), map! { "a" => 1 }), ("limit".to_owned(), 1.into())]);
    }

    #[test]
    fn what_runs_code_or_needs_a_session_is_refused_at_any_depth() {
        for (command, says) in [
            (
                map! { "delete" => "c", "deletes" => vec![map! { "q" => map! { "$where" => "1" }, "limit" => 0 }] },
                "`$where` runs JavaScript",
            ),
            (
                map! { "update" => "c", "updates" => vec![map! { "q" => map! {}, "u" => vec![map! { "$set" => map! { "a" => map! { "$function" => map! {} } } }] }] },
                "`$function` runs JavaScript",
            ),
            (
                map! { "aggregate" => "c", "pipeline" => vec![map! { "$group" => map! { "_id" => 1, "a" => map! { "$accumulator" => map! {} } } }, map! { "$out" => "d" }] },
                "`$accumulator` runs JavaScript",
            ),
            (map! { "mapReduce" => "c" }, "does not take `mapReduce`"),
            (map! { "eval" => "1" }, "does not take `eval`"),
            (map! { "insert" => "c", "documents" => vec![], "lsid" => 1 }, "`lsid` belongs to a session"),
            (map! { "insert" => "c", "documents" => vec![], "$db" => "admin" }, "`$db` names another database"),
            (map! { "find" => "c" }, "`find` changes nothing"),
            (map! { "aggregate" => "c", "pipeline" => vec![map! { "$match" => map! {} }] }, "the pipeline writes nothing"),
            (map! { "insert" => "c", "drop" => "c" }, "both `drop` and `insert` name a command"),
            (map! { "insrt" => "c" }, "none of insrt names a command"),
            (map! {}, "the command is empty"),
        ] {
            let failure = judged(command.clone()).unwrap_err();
            assert!(failure.message.contains(says), "{command}: {failure:?}");
        }
        assert_eq!(judged(map! { "insrt" => "c" }).unwrap_err().hint.as_deref(), Some("did you mean `insert`?"));
    }
}
