//! Lets one MongoDB command that only reads through, and puts its name first.
//!
//! Commands, their arguments and the stages of pipelines are listed; what is not listed is refused. Whatever could
//! write or run JavaScript is refused at any depth, wherever it stands.

use crate::model::{Failure, Map, Value, suggest, text};

/// Commands that only read, with their arguments. `*` takes any.
///
/// Not here though they read: `validate` and `dbHash` lock, `getParameter` and `usersInfo` show secrets, `getMore`
/// needs a cursor that no call keeps open.
pub(super) const COMMANDS: &[(&str, &[&str])] = &[
    ("aggregate", &["pipeline", "cursor", "allowDiskUse", "collation", "hint", "let", "readConcern"]),
    ("balancerStatus", &[]),
    ("buildInfo", &[]),
    ("collStats", &["scale"]),
    ("connPoolStats", &[]),
    ("connectionStatus", &["showPrivileges"]),
    ("count", &["query", "limit", "skip", "hint", "collation", "readConcern"]),
    ("currentOp", &["*"]),
    ("dataSize", &["keyPattern", "min", "max", "estimate"]),
    ("dbStats", &["scale", "freeStorage"]),
    ("distinct", &["key", "query", "collation", "hint", "readConcern"]),
    ("explain", &["verbosity"]),
    (
        "find",
        &[
            "filter",
            "sort",
            "projection",
            "hint",
            "skip",
            "limit",
            "batchSize",
            "singleBatch",
            "max",
            "min",
            "returnKey",
            "showRecordId",
            "allowPartialResults",
            "collation",
            "allowDiskUse",
            "let",
            "readConcern",
        ],
    ),
    ("hello", &[]),
    ("hostInfo", &[]),
    ("isMaster", &[]),
    ("listCollections", &["filter", "nameOnly", "authorizedCollections", "cursor"]),
    ("listCommands", &[]),
    ("listDatabases", &["filter", "nameOnly", "authorizedDatabases"]),
    ("listIndexes", &["cursor"]),
    ("listShards", &[]),
    ("ping", &[]),
    ("replSetGetConfig", &[]),
    ("replSetGetStatus", &[]),
    ("serverStatus", &["*"]),
    ("top", &[]),
];

/// Arguments that every command takes.
const COMMON: &[&str] = &["comment", "maxTimeMS"];

/// The commands that `explain` explains.
const EXPLAINED: &[&str] = &["aggregate", "count", "distinct", "find"];

/// Commands that change something, for a better message than "unknown".
pub(super) const CHANGING: &[&str] = &[
    "abortTransaction",
    "applyOps",
    "bulkWrite",
    "cloneCollectionAsCapped",
    "collMod",
    "commitTransaction",
    "compact",
    "convertToCapped",
    "create",
    "createIndexes",
    "createRole",
    "createUser",
    "delete",
    "drop",
    "dropDatabase",
    "dropIndexes",
    "dropUser",
    "enableSharding",
    "eval",
    "findAndModify",
    "findandmodify",
    "flushRouterConfig",
    "fsync",
    "fsyncUnlock",
    "grantRolesToUser",
    "insert",
    "killAllSessions",
    "killCursors",
    "killOp",
    "killSessions",
    "logRotate",
    "mapReduce",
    "mapreduce",
    "moveChunk",
    "planCacheClear",
    "profile",
    "reIndex",
    "refineCollectionShardKey",
    "renameCollection",
    "replSetFreeze",
    "replSetReconfig",
    "replSetStepDown",
    "reshardCollection",
    "rotateCertificates",
    "setFeatureCompatibilityVersion",
    "setParameter",
    "setProfilingLevel",
    "shardCollection",
    "shutdown",
    "update",
    "updateUser",
    "validate",
];

/// Stages of a pipeline that only read.
pub(super) const STAGES: &[&str] = &[
    "$addFields",
    "$bucket",
    "$bucketAuto",
    "$collStats",
    "$count",
    "$currentOp",
    "$densify",
    "$documents",
    "$facet",
    "$fill",
    "$geoNear",
    "$graphLookup",
    "$group",
    "$indexStats",
    "$limit",
    "$listLocalSessions",
    "$listSearchIndexes",
    "$listSessions",
    "$lookup",
    "$match",
    "$planCacheStats",
    "$project",
    "$redact",
    "$replaceRoot",
    "$replaceWith",
    "$sample",
    "$search",
    "$searchMeta",
    "$set",
    "$setWindowFields",
    "$shardedDataDistribution",
    "$skip",
    "$sort",
    "$sortByCount",
    "$unionWith",
    "$unset",
    "$unwind",
    "$vectorSearch",
];

/// Keys that no read holds at any depth, and what is wrong with them.
const REFUSED: &[(&str, &str)] = &[
    ("$out", "writes a collection"),
    ("$merge", "writes a collection"),
    ("writeConcern", "belongs to a write"),
    ("bypassDocumentValidation", "belongs to a write"),
];

/// Keys that no command at all holds at any depth.
pub(super) const NEVER: &[(&str, &str)] = &[
    ("$where", "runs JavaScript"),
    ("$function", "runs JavaScript"),
    ("$accumulator", "runs JavaScript"),
    ("$eval", "runs JavaScript"),
    ("mapReduce", "runs JavaScript"),
    ("mapreduce", "runs JavaScript"),
    ("$db", "names another database than the configured one"),
    ("lsid", "belongs to a session"),
    ("txnNumber", "belongs to a session"),
    ("startTransaction", "belongs to a session"),
    ("autocommit", "belongs to a session"),
];

/// How deep BSON documents may be nested.
const DEEPEST: usize = 100;

/// Commands that a server answers on its database `admin` only.
const ADMIN: &[&str] =
    &["balancerStatus", "currentOp", "hostInfo", "listDatabases", "listShards", "replSetGetConfig", "replSetGetStatus", "top"];

/// Checks that a command only reads, and orders it: its name, then its arguments, then `$db` where it is for `admin`.
/// Errors are `bad_argument`.
pub fn command(map: &Map) -> Result<Vec<(String, Value)>, Failure> {
    let name = name(map)?;
    arguments(name, map)?;
    for (key, value) in map {
        scan(key, value, 1, &|key| REFUSED.iter().chain(NEVER).find(|(refused, _)| *refused == key).map(|(_, reason)| *reason))
            .map_err(|failure| Failure { hint: failure.hint.or_else(|| Some(super::only_reads("mongo"))), ..failure })?;
    }
    match name {
        "aggregate" => pipeline(map.get("pipeline"), "pipeline")?,
        "explain" => explained(map.get("explain"))?,
        _ => {}
    }
    let mut command = vec![(name.to_owned(), map.get(name).cloned().unwrap_or_default())];
    command.extend(map.iter().filter(|(key, _)| *key != name).map(|(key, value)| (key.to_string(), value.clone())));
    if name == "aggregate" && !map.contains_key("cursor") {
        command.push(("cursor".into(), Value::Map(Map::new())));
    }
    if ADMIN.contains(&name) {
        command.push(("$db".into(), "admin".into()));
    }
    Ok(command)
}

/// The command's name: the one key that names a command. An argument may bear a command's name (`explain: #{ find: … }`
/// is a level deeper, `distinct` has `key`), so two are ambiguous.
fn name(map: &Map) -> Result<&'static str, Failure> {
    if let Some(changing) = map.keys().find(|key| CHANGING.contains(&key.as_str())) {
        return Err(Failure::bad_argument(format!("`{changing}` is not a read")).hint(super::only_reads("mongo")));
    }
    let mut names = COMMANDS.iter().map(|(name, _)| *name).filter(|name| map.contains_key(*name));
    match (names.next(), names.next()) {
        (Some(name), None) => Ok(name),
        (Some(name), Some(second)) => {
            Err(Failure::bad_argument(format!("both `{name}` and `{second}` name a command")).hint("call `mongo` once for each"))
        }
        (None, _) => {
            let known = || COMMANDS.iter().map(|(name, _)| *name);
            let near = map.keys().find_map(|key| suggest::nearest(key, known()));
            let keys: Vec<&str> = map.keys().map(|key| key.as_str()).collect();
            let keys = text::short(&keys.join(", "), 100);
            let failure = match map.is_empty() {
                true => Failure::bad_argument("the command is empty"),
                false => Failure::bad_argument(format!("none of {keys} names a command that only reads")),
            };
            Err(failure.hint(match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => super::only_reads("mongo"),
            }))
        }
    }
}

/// Whether a command has only arguments that it takes.
fn arguments(name: &str, map: &Map) -> Result<(), Failure> {
    let known = COMMANDS.iter().find(|(command, _)| *command == name).map_or(&[][..], |(_, known)| *known);
    if known == ["*"] {
        return Ok(());
    }
    for key in map.keys().filter(|key| *key != name) {
        if let Some((_, reason)) = REFUSED.iter().chain(NEVER).find(|(refused, _)| refused == key) {
            return Err(refused(key, reason));
        }
        if !known.iter().chain(COMMON).any(|known| known == key) {
            return Err(Failure::unknown(&format!("argument of `{name}`"), key, known.iter().chain(COMMON).copied()));
        }
    }
    Ok(())
}

/// Refuses keys at any depth, as `refuses` says why.
pub(super) fn scan(key: &str, value: &Value, depth: usize, refuses: &dyn Fn(&str) -> Option<&'static str>) -> Result<(), Failure> {
    if let Some(reason) = refuses(key) {
        return Err(Failure::bad_argument(format!("`{key}` {reason}")));
    }
    if key.starts_with("$_") {
        return Err(Failure::bad_argument(format!("`{key}` is internal to the server")));
    }
    if key.contains('\0') {
        return Err(Failure::bad_argument(format!("the key {:?} holds a NUL", text::short(key, 60))).hint("BSON keys end at a NUL"));
    }
    if depth > DEEPEST {
        return Err(Failure::bad_argument(format!("the command is nested deeper than {DEEPEST} levels")).hint("MongoDB takes no more"));
    }
    match value {
        Value::Map(map) => map.iter().try_for_each(|(key, value)| scan(key, value, depth + 1, refuses)),
        Value::List(items) => items.iter().try_for_each(|item| scan("", item, depth + 1, refuses)),
        _ => Ok(()),
    }
}

/// Checks a pipeline's stages, and those of the pipelines within. `scan` has bounded the depth.
fn pipeline(stages: Option<&Value>, place: &str) -> Result<(), Failure> {
    let Some(Value::List(stages)) = stages else {
        return Err(Failure::bad_argument(format!("`{place}` must be an array of stages")).hint("write `pipeline: [#{ \"$match\": #{} }]`"));
    };
    for (number, stage) in stages.iter().enumerate() {
        let place = format!("{place}[{number}]");
        let one = stage.as_map().filter(|stage| stage.len() == 1).and_then(|stage| stage.iter().next());
        let Some((name, body)) = one else {
            return Err(Failure::bad_argument(format!("`{place}` must be a map with one key, the stage's name")).hint("one stage, one map"));
        };
        if !STAGES.contains(&name.as_str()) {
            let mut failure = Failure::unknown("stage", name, STAGES.iter().copied());
            failure.message = format!("the stage {:?} is not known to only read (`{place}`)", text::short(name, 60));
            return Err(failure);
        }
        let inner = format!("{place}.{name}");
        match (name.as_str(), body) {
            ("$facet", Value::Map(facets)) => {
                for (facet, stages) in facets {
                    pipeline(Some(stages), &format!("{inner}.{}", text::short(facet, 40)))?;
                }
            }
            ("$lookup" | "$unionWith", Value::Map(body)) if body.contains_key("pipeline") => {
                pipeline(body.get("pipeline"), &format!("{inner}.pipeline"))?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Checks the command that is to be explained: a read, which `executionStats` executes.
fn explained(inner: Option<&Value>) -> Result<(), Failure> {
    let Some(Value::Map(inner)) = inner else {
        return Err(
            Failure::bad_argument("`explain` must be a map, the command to explain").hint("`explain: #{ find: \"c\", filter: #{} }`")
        );
    };
    let name = name(inner)?;
    if !EXPLAINED.contains(&name) {
        return Err(Failure::bad_argument(format!("`{name}` cannot be explained")).hint(format!("known: {}", EXPLAINED.join(", "))));
    }
    arguments(name, inner)?;
    if name == "aggregate" { pipeline(inner.get("pipeline"), "explain.pipeline") } else { Ok(()) }
}

fn refused(key: &str, reason: &str) -> Failure {
    Failure::bad_argument(format!("`{key}` {reason}")).hint(super::only_reads("mongo"))
}

#[cfg(test)]
#[path = "mongo_tests.rs"]
mod tests;
