//! MongoDB in a world: counting, finding, and what the world file answers to other commands; what changes documents is in
//! `mongo/change.rs`.

pub(super) mod change;
mod filter;

use std::collections::BTreeMap;

use super::file::{CommandFile, DatabaseFile, MongoError, Pairs};
use crate::map;
use crate::model::{Failure, Value, text};
use crate::platform::failures;

/// What a database holds, and what it answers to commands that are not simulated.
#[derive(Clone, Debug, Default)]
pub(super) struct Store {
    collections: BTreeMap<String, Vec<Value>>,
    /// By collection, beyond the one of `_id`.
    indexes: BTreeMap<String, Vec<Value>>,
    commands: Vec<CommandFile>,
    /// How many ids were made.
    made: u64,
}

impl Store {
    pub(super) fn new(written: &DatabaseFile) -> Self {
        Self { collections: written.collections.clone(), commands: written.commands.clone(), ..Self::default() }
    }
}

/// What the world file answers to a command.
fn written(store: &Store, database: &str, command: &[(String, Value)]) -> Option<Result<Value, Failure>> {
    let as_map = |pairs: &[(String, Value)]| pairs.iter().cloned().collect::<crate::model::Map>();
    let asked = as_map(command);
    let name = command.first().map(|(name, _)| name.as_str()).unwrap_or_default();
    let found = store.commands.iter().find(|one| same_name(&one.command, command) && same(as_map(&one.command.0), &asked))?;
    Some(match &found.error {
        Some(MongoError { code, name: code_name, message }) => Err(failures::mongo(database, name, *code, code_name, message)),
        None => Ok(found.reply.clone()),
    })
}

/// The failure of a command that the world neither simulates nor has an answer to.
fn unmatched(database: &str, command: &[(String, Value)], world: &str, why: &str) -> Failure {
    let asked: crate::model::Map = command.iter().cloned().collect();
    let shown = text::short(&Value::Map(asked).to_string(), 200);
    Failure::bad_argument(format!("the world has no answer to the command {shown}{why}"))
        .hint(format!("add to {world}, under databases.{database}.commands: {{ command: {shown}, reply: {{ ok: 1.0 }} }}"))
        .on(database)
}

/// Answers a command document as the server would.
pub(super) fn answer(store: &Store, database: &str, namespace: &str, command: &[(String, Value)], world: &str) -> Result<Value, Failure> {
    let as_map = |pairs: &[(String, Value)]| pairs.iter().cloned().collect::<crate::model::Map>();
    let asked = as_map(command);
    let Some((name, operand)) = command.first() else {
        return Err(Failure::bad_argument("an empty command document").on(database));
    };
    if let Some(answer) = written(store, database, command) {
        return answer;
    }
    let option = |key: &str| asked.get(key);
    let unmatched = |why: &str| unmatched(database, command, world, why);
    let known: &[&str] = match name.as_str() {
        "ping" => return Ok(map! { "ok" => 1.0 }),
        "listCollections" => {
            let collections = store.collections.keys().map(|name| map! { "name" => name.as_str(), "type" => "collection" });
            return Ok(cursor(&format!("{namespace}.$cmd.listCollections"), collections.collect()));
        }
        "count" => &["query", "limit", "skip"],
        "find" => &["filter", "limit", "skip", "batchSize", "singleBatch"],
        "distinct" => &["key", "query"],
        "listIndexes" => &[],
        _ => return Err(unmatched("")),
    };
    if let Some((other, _)) = command.iter().skip(1).find(|(key, _)| !known.contains(&key.as_str()) && !is_generic(key)) {
        return Err(unmatched(&format!(": `{other}` is not simulated")));
    }
    let Some(collection) = operand.as_str() else {
        return Err(Failure::bad_argument(format!("`{name}` wants a collection's name, not {}", operand.type_name())).on(database));
    };
    let documents = store.collections.get(collection);
    let whole = format!("{namespace}.{collection}");
    if name == "listIndexes" {
        if documents.is_none() {
            return Err(failures::mongo(database, name, 26, "NamespaceNotFound", &format!("ns does not exist: {whole}")));
        }
        let mut indexes = vec![map! { "v" => 2, "key" => map! { "_id" => 1 }, "name" => "_id_" }];
        indexes.extend(store.indexes.get(collection).cloned().unwrap_or_default());
        return Ok(cursor(&whole, indexes));
    }
    let filter = option("filter").or_else(|| option("query")).and_then(Value::as_map).cloned().unwrap_or_default();
    let filter = filter::Filter::new(&filter).map_err(|what| unmatched(&format!(": `{what}` is not simulated")))?;
    let matching = documents.into_iter().flatten().filter(|document| filter.fits(document));
    if name == "distinct" {
        let Some(key) = option("key").and_then(Value::as_str) else {
            return Err(Failure::bad_argument("`distinct` wants a `key`").on(database));
        };
        let mut values: Vec<Value> = Vec::new();
        for value in matching.filter_map(|document| field(document, key)) {
            for value in value.as_list().unwrap_or(std::slice::from_ref(value)) {
                if !values.contains(value) {
                    values.push(value.clone());
                }
            }
        }
        return Ok(map! { "values" => values, "ok" => 1.0 });
    }
    let number = |key| option(key).and_then(Value::as_int).and_then(|number| usize::try_from(number).ok()).unwrap_or(0);
    let limit = if number("limit") == 0 { usize::MAX } else { number("limit") };
    let chosen = matching.skip(number("skip")).take(limit);
    if name == "count" { Ok(map! { "n" => chosen.count() as i64, "ok" => 1.0 }) } else { Ok(cursor(&whole, chosen.cloned().collect())) }
}

fn cursor(namespace: &str, batch: Vec<Value>) -> Value {
    map! { "cursor" => map! { "firstBatch" => batch, "id" => 0, "ns" => namespace }, "ok" => 1.0 }
}

/// Whether two commands are the same one: the first key says.
fn same_name(pairs: &Pairs, command: &[(String, Value)]) -> bool {
    pairs.0.first().map(|(name, _)| name) == command.first().map(|(name, _)| name)
}

/// Whether two commands ask the same. What `mongo` adds by itself need not be written down: an aggregation's empty `cursor`, the
/// database of a command that only `admin` takes.
fn same(mut written: crate::model::Map, asked: &crate::model::Map) -> bool {
    for (key, value) in [("cursor", map! {}), ("$db", "admin".into())] {
        if asked.get(key) == Some(&value) {
            written.entry(key.into()).or_insert(value);
        }
    }
    written == *asked
}

/// Options that any command may have and that change no answer here.
fn is_generic(key: &str) -> bool {
    matches!(key, "maxTimeMS" | "comment" | "readConcern" | "lsid") || key.starts_with('$')
}

/// The value at a dotted path.
fn field<'a>(document: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(document, |value, key| value.get(key))
}

/// MongoDB's equality: `null` equals a missing field, an array equals any of its members too, 1 equals 1.0.
fn equals(found: Option<&Value>, wanted: &Value) -> bool {
    match (found, wanted) {
        (None, wanted) => *wanted == Value::Null,
        (Some(Value::Int(a)), Value::Float(b)) | (Some(Value::Float(b)), Value::Int(a)) => *a as f64 == *b,
        (Some(found), wanted) => found == wanted || found.as_list().is_some_and(|items| items.contains(wanted)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Kind;

    fn file() -> DatabaseFile {
        let yaml = r#"
collections:
  content:
    - { _id: 1, kind: text, tags: [a, b], author: { name: ann } }
    - { _id: 2, kind: text, tags: [b] }
    - { _id: 3, kind: image, tags: [] }
commands:
  - { command: { serverStatus: 1 }, reply: { uptime: 5, ok: 1.0 } }
  - { command: { aggregate: content, pipeline: [{ $count: n }] }, reply: { cursor: { firstBatch: [{ n: 3 }], id: 0 }, ok: 1.0 } }
  - { command: { listShards: 1 }, error: { code: 59, name: CommandNotFound, message: "no such command: 'listShards'" } }
"#;
        crate::platform::world::file::yaml(yaml).unwrap()
    }

    fn ask(json: &str) -> Result<String, Failure> {
        let command: Pairs = serde_json::from_str(json).unwrap();
        answer(&Store::new(&file()), "mongodb", "ai", &command.0, "w.yaml").map(|value| value.to_string())
    }

    #[test]
    fn commands_are_answered_as_by_the_server() {
        for (command, reply) in [
            (r#"{"ping":1}"#, r#"{"ok":1.0}"#),
            (r#"{"count":"content"}"#, r#"{"n":3,"ok":1.0}"#),
            (r#"{"count":"content","query":{"kind":"text"},"maxTimeMS":5}"#, r#"{"n":2,"ok":1.0}"#),
            (r#"{"count":"content","query":{"tags":"b"},"skip":1}"#, r#"{"n":1,"ok":1.0}"#),
            (r#"{"count":"nothing"}"#, r#"{"n":0,"ok":1.0}"#),
            (r#"{"distinct":"content","key":"tags"}"#, r#"{"ok":1.0,"values":["a","b"]}"#),
            (r#"{"serverStatus":1}"#, r#"{"ok":1.0,"uptime":5}"#),
            (
                r#"{"aggregate":"content","cursor":{},"pipeline":[{"$count":"n"}]}"#,
                r#"{"cursor":{"firstBatch":[{"n":3}],"id":0},"ok":1.0}"#,
            ),
            (
                r#"{"find":"content","filter":{"author.name":"ann"},"limit":1}"#,
                r#"{"cursor":{"firstBatch":[{"_id":1,"author":{"name":"ann"},"kind":"text","tags":["a","b"]}],"id":0,"ns":"ai.content"},"ok":1.0}"#,
            ),
            (
                r#"{"listIndexes":"content"}"#,
                r#"{"cursor":{"firstBatch":[{"key":{"_id":1},"name":"_id_","v":2}],"id":0,"ns":"ai.content"},"ok":1.0}"#,
            ),
        ] {
            assert_eq!(ask(command).unwrap(), reply, "{command}");
        }
    }

    #[test]
    fn what_is_not_simulated_says_so_and_names_the_file() {
        for (command, message) in [
            (r#"{"aggregate":"content","pipeline":[]}"#, "the world has no answer to the command {\"aggregate\""),
            (r#"{"count":"content","query":{"n":{"$regex":"a"}}}"#, "`$regex` is not simulated"),
            (r#"{"find":"content","sort":{"n":1}}"#, "`sort` is not simulated"),
        ] {
            let failure = ask(command).unwrap_err();
            assert!(failure.message.contains(message), "{}", failure.message);
            assert!(failure.hint.unwrap_or_default().starts_with("add to w.yaml, under databases.mongodb.commands"));
        }
    }

    #[test]
    fn errors_are_the_servers() {
        for (command, kind, message) in [
            (
                r#"{"listIndexes":"nothing"}"#,
                Kind::NotFound,
                "mongo `mongodb`: listIndexes: ns does not exist: ai.nothing (26 NamespaceNotFound)",
            ),
            (
                r#"{"listShards":1,"$db":"admin"}"#,
                Kind::BadArgument,
                "mongo `mongodb`: listShards: no such command: 'listShards' (59 CommandNotFound)",
            ),
        ] {
            let failure = ask(command).unwrap_err();
            assert_eq!((failure.kind, failure.message.as_str()), (kind, message));
        }
    }
}
