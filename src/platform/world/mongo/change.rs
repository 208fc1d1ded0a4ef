//! MongoDB in a world: inserting, updating and deleting documents, collections and indexes.

use super::filter::{Filter, order};
use super::{Store, equals, field, unmatched, written};
use crate::map;
use crate::model::{Failure, Map, Value};
use crate::platform::failures;

/// Performs a command document as the server would.
pub(in super::super) fn perform(
    store: &mut Store,
    database: &str,
    namespace: &str,
    command: &[(String, Value)],
    world: &str,
) -> Result<Value, Failure> {
    if let Some(answer) = written(store, database, command) {
        return answer.and_then(|reply| {
            let name = command.first().map(|(name, _)| name.as_str()).unwrap_or_default();
            failures::mongo_partly(database, name, &reply, false).map_or(Ok(reply), Err)
        });
    }
    let Some((name, operand)) = command.first() else {
        return Err(Failure::bad_argument("an empty command document").on(database));
    };
    let fields: Map = command.iter().skip(1).map(|(key, value)| (key.clone(), plain(value))).collect();
    let collection = operand.as_str().unwrap_or_default();
    let not = |what: String| unmatched(database, command, world, &format!(": `{what}` is not simulated"));
    let each = |key: &str| fields.get(key).and_then(Value::as_list).unwrap_or_default().to_vec();
    let reply = match name.as_str() {
        "insert" => store.insert(collection, each("documents")),
        "delete" => {
            each("deletes").iter().try_fold(0, |n, one| Ok(n + store.delete(collection, one)?)).map(|n| map! { "n" => n }).map_err(not)?
        }
        "update" => {
            let (mut n, mut modified, mut upserted) = (0, 0, Vec::new());
            for (index, one) in (0_i64..).zip(each("updates")) {
                let many = one.get("multi") == Some(&Value::Bool(true));
                let done = store.update(collection, &one, "u", many).map_err(not)?;
                (n, modified) = (n + done.matched, modified + done.modified);
                upserted.extend(done.upserted.map(|id| map! { "index" => index, "_id" => id }));
            }
            let mut reply = map! { "n" => n, "nModified" => modified };
            if !upserted.is_empty() {
                reply.set(&["upserted"], upserted.into());
            }
            reply
        }
        "findAndModify" | "findandmodify" => store.find_and_modify(collection, &Value::Map(fields)).map_err(not)?,
        "create" if store.collections.contains_key(collection) => {
            let said = format!("Collection {namespace}.{collection} already exists.");
            return Err(failures::mongo(database, name, 48, "NamespaceExists", &said));
        }
        "create" => {
            store.collections.insert(collection.to_owned(), Vec::new());
            map! {}
        }
        // As servers since 7.0: what is not there is dropped too.
        "drop" => {
            store.collections.remove(collection);
            let indexes = store.indexes.remove(collection).map_or(1, |indexes| indexes.len() + 1);
            map! { "nIndexesWas" => indexes as i64, "ns" => format!("{namespace}.{collection}") }
        }
        "dropDatabase" => {
            store.collections.clear();
            store.indexes.clear();
            map! { "dropped" => namespace }
        }
        "createIndexes" => store.create_indexes(collection, each("indexes")),
        "dropIndexes" if !store.collections.contains_key(collection) => {
            let said = format!("ns not found {namespace}.{collection}");
            return Err(failures::mongo(database, name, 26, "NamespaceNotFound", &said));
        }
        "dropIndexes" => match store.drop_indexes(collection, fields.get("index")) {
            Ok(reply) => reply,
            Err(index) => {
                return Err(failures::mongo(database, name, 27, "IndexNotFound", &format!("index not found with name [{index}]")));
            }
        },
        "killOp" => map! { "info" => "attempting to kill op" },
        _ => return Err(unmatched(database, command, world, "")),
    };
    let Value::Map(mut reply) = reply else { return Ok(reply) };
    reply.insert("ok".into(), 1.0.into());
    let reply = Value::Map(reply);
    failures::mongo_partly(database, name, &reply, false).map_or(Ok(reply), Err)
}

/// A value as MongoDB answers it again: extended JSON as the text that stands for it, secrets opened.
pub(super) fn plain(value: &Value) -> Value {
    match value {
        Value::List(items) => items.iter().map(plain).collect::<Vec<_>>().into(),
        Value::Secret(secret) => secret.expose().into(),
        Value::Map(map) => match map.first_key_value().filter(|_| map.len() == 1) {
            Some((key, text)) if matches!(key.as_str(), "$oid" | "$date" | "$numberDecimal" | "$uuid") => text.clone(),
            Some((key, number)) if key.as_str() == "$numberLong" => {
                number.as_str().and_then(|text| text.parse().ok()).map_or_else(|| number.clone(), Value::Int)
            }
            _ => Value::Map(map.iter().map(|(key, value)| (key.clone(), plain(value))).collect()),
        },
        other => other.clone(),
    }
}

/// What an update came to.
#[derive(Default)]
struct Updated {
    matched: i64,
    modified: i64,
    upserted: Option<Value>,
    /// The document as it was and as it is.
    sides: Option<(Value, Value)>,
}

impl Store {
    fn id(&mut self) -> Value {
        self.made += 1;
        format!("{:024x}", self.made).into()
    }

    fn insert(&mut self, collection: &str, documents: Vec<Value>) -> Value {
        let (mut n, mut errors) = (0, Vec::new());
        for (index, mut document) in (0_i64..).zip(documents) {
            if document.get("_id").is_none() {
                document.set(&["_id"], self.id());
            }
            let held = self.collections.entry(collection.to_owned()).or_default();
            if held.iter().any(|other| equals(other.get("_id"), document.get("_id").unwrap_or(&Value::Null))) {
                let said = format!("E11000 duplicate key error collection: {collection} index: _id_");
                errors.push(map! { "index" => index, "code" => 11000, "errmsg" => said });
                break;
            }
            held.push(document);
            n += 1;
        }
        let mut reply = map! { "n" => n };
        if !errors.is_empty() {
            reply.set(&["writeErrors"], errors.into());
        }
        reply
    }

    fn delete(&mut self, collection: &str, one: &Value) -> Result<i64, String> {
        let filter = filter_of(one, "q")?;
        let Some(held) = self.collections.get_mut(collection) else { return Ok(0) };
        let most = if one.int_at(&["limit"]) == Some(1) { 1 } else { usize::MAX };
        let mut gone = 0;
        held.retain(|document| {
            let goes = gone < most && filter.fits(document);
            gone += usize::from(goes);
            !goes
        });
        Ok(gone as i64)
    }

    fn update(&mut self, collection: &str, one: &Value, key: &str, many: bool) -> Result<Updated, String> {
        let filter = filter_of(one, if key == "u" { "q" } else { "query" })?;
        let change = one.get(key).and_then(Value::as_map).ok_or("a pipeline")?;
        let mut done = Updated::default();
        if let Some(held) = self.collections.get_mut(collection) {
            for document in held.iter_mut().filter(|document| filter.fits(document)) {
                let new = changed(document, change, false)?;
                done.matched += 1;
                done.modified += i64::from(new != *document);
                done.sides.get_or_insert_with(|| (document.clone(), new.clone()));
                *document = new;
                if !many {
                    break;
                }
            }
        }
        if done.matched == 0 && one.get("upsert") == Some(&Value::Bool(true)) {
            let mut document = changed(&Value::Map(filter.given()), change, true)?;
            if document.get("_id").is_none() {
                document.set(&["_id"], self.id());
            }
            done.matched = 1;
            done.upserted = document.get("_id").cloned();
            done.sides = Some((Value::Null, document.clone()));
            self.collections.entry(collection.to_owned()).or_default().push(document);
        }
        Ok(done)
    }

    fn find_and_modify(&mut self, collection: &str, fields: &Value) -> Result<Value, String> {
        for option in ["sort", "fields", "arrayFilters", "collation"] {
            if fields.get(option).is_some() {
                return Err(option.to_owned());
            }
        }
        if fields.get("remove") == Some(&Value::Bool(true)) {
            let filter = filter_of(fields, "query")?;
            let held = self.collections.entry(collection.to_owned()).or_default();
            let found = held.iter().position(|document| filter.fits(document)).map(|at| held.remove(at));
            return Ok(map! { "lastErrorObject" => map! { "n" => i64::from(found.is_some()) }, "value" => found });
        }
        let done = self.update(collection, fields, "update", false)?;
        let (old, new) = done.sides.unwrap_or_default();
        let wants_new = fields.get("new") == Some(&Value::Bool(true));
        let mut last = map! { "n" => done.matched, "updatedExisting" => done.matched > 0 && done.upserted.is_none() };
        if let Some(id) = done.upserted {
            last.set(&["upserted"], id);
        }
        Ok(map! { "lastErrorObject" => last, "value" => if wants_new { new } else { old } })
    }

    fn create_indexes(&mut self, collection: &str, indexes: Vec<Value>) -> Value {
        let made = !self.collections.contains_key(collection);
        self.collections.entry(collection.to_owned()).or_default();
        let held = self.indexes.entry(collection.to_owned()).or_default();
        let before = held.len() as i64 + 1;
        for mut index in indexes {
            if !held.iter().any(|other| other.get("name") == index.get("name")) {
                index.set(&["v"], 2.into());
                held.push(index);
            }
        }
        map! { "numIndexesBefore" => before, "numIndexesAfter" => held.len() as i64 + 1, "createdCollectionAutomatically" => made }
    }

    /// The error is the index that is not there.
    fn drop_indexes(&mut self, collection: &str, wanted: Option<&Value>) -> Result<Value, String> {
        let held = self.indexes.entry(collection.to_owned()).or_default();
        let before = held.len() as i64 + 1;
        match wanted.and_then(Value::as_str) {
            Some("*") => held.clear(),
            Some(name) => {
                let at = held.iter().position(|index| index.str_at(&["name"]) == Some(name)).ok_or_else(|| name.to_owned())?;
                held.remove(at);
            }
            None => return Err(wanted.map(Value::to_string).unwrap_or_default()),
        }
        Ok(map! { "nIndexesWas" => before })
    }
}

fn filter_of(one: &Value, key: &str) -> Result<Filter, String> {
    Filter::new(one.get(key).and_then(Value::as_map).unwrap_or(&Map::new()))
}

/// A document as an update makes it; the error is what is not simulated.
fn changed(document: &Value, change: &Map, is_new: bool) -> Result<Value, String> {
    if !change.keys().any(|key| key.starts_with('$')) {
        let mut replaced = Value::Map(change.clone());
        if let Some(id) = document.get("_id") {
            replaced.set(&["_id"], id.clone());
        }
        return Ok(replaced);
    }
    let mut new = document.clone();
    for (operator, fields) in change {
        for (name, value) in fields.as_map().into_iter().flatten() {
            let path: Vec<&str> = name.split('.').collect();
            let old = field(&new, name).cloned();
            match operator.as_str() {
                "$set" => new.set(&path, value.clone()),
                "$setOnInsert" if is_new => new.set(&path, value.clone()),
                "$setOnInsert" => {}
                "$unset" => {
                    if let Some((last, rest)) = path.split_last()
                        && let Some(map) = new.at_mut(rest).and_then(Value::as_map_mut)
                    {
                        map.remove(*last);
                    }
                }
                "$inc" | "$mul" => new.set(&path, computed(operator, old.as_ref(), value)),
                "$min" | "$max" => {
                    let wanted = if operator.as_str() == "$min" { std::cmp::Ordering::Less } else { std::cmp::Ordering::Greater };
                    if old.as_ref().is_none_or(|old| order(value, old) == Some(wanted)) {
                        new.set(&path, value.clone());
                    }
                }
                "$rename" => {
                    if let (Some(old), Some(other)) = (old, value.as_str()) {
                        if let Some(map) = path.split_last().and_then(|(_, rest)| new.at_mut(rest)).and_then(Value::as_map_mut) {
                            map.remove(path.last().copied().unwrap_or_default());
                        }
                        new.set(&other.split('.').collect::<Vec<_>>(), old);
                    }
                }
                "$push" | "$addToSet" | "$pull" if value.as_map().is_none_or(|map| !map.keys().any(|key| key.starts_with('$'))) => {
                    let mut items = old.as_ref().and_then(Value::as_list).unwrap_or_default().to_vec();
                    match operator.as_str() {
                        "$pull" => items.retain(|item| item != value),
                        "$addToSet" if items.contains(value) => {}
                        _ => items.push(value.clone()),
                    }
                    new.set(&path, items.into());
                }
                other => return Err(other.to_owned()),
            }
        }
    }
    Ok(new)
}

fn computed(operator: &str, old: Option<&Value>, by: &Value) -> Value {
    let adds = operator == "$inc";
    let float = |value: &Value| match value {
        Value::Int(n) => *n as f64,
        Value::Float(x) => *x,
        _ => 0.0,
    };
    match (old.unwrap_or(&Value::Int(0)), by) {
        (Value::Int(old), Value::Int(by)) => Value::Int(if adds { old.saturating_add(*by) } else { old.saturating_mul(*by) }),
        (old, by) => Value::Float(if adds { float(old) + float(by) } else { float(old) * float(by) }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::file::{DatabaseFile, Pairs};
    use super::super::answer;
    use super::*;
    use crate::model::Kind;

    fn store() -> Store {
        let yaml = "collections: { c: [{ _id: 1, n: 5, tags: [a] }, { _id: 2, n: 7 }] }";
        let file: DatabaseFile = crate::platform::world::file::yaml(yaml).unwrap();
        Store::new(&file)
    }

    fn tell(store: &mut Store, json: &str) -> Result<String, Failure> {
        let Pairs(command) = serde_json::from_str(json).unwrap();
        let reply = match command[0].0.as_str() {
            "find" | "count" | "listIndexes" => answer(store, "mongodb", "app", &command, "w.yaml"),
            _ => perform(store, "mongodb", "app", &command, "w.yaml"),
        };
        reply.map(|mut reply| {
            if let Some(map) = reply.as_map_mut() {
                map.remove("ok");
            }
            reply.at(&["cursor", "firstBatch"]).unwrap_or(&reply).to_string()
        })
    }

    #[test]
    fn commands_change_what_later_ones_answer() {
        let mut store = store();
        for (command, reply) in [
            (r#"{"insert":"c","documents":[{"_id":3,"n":1},{"n":{"$numberLong":"2"}}]}"#, r#"{"n":2}"#),
            (r#"{"count":"c","query":{"n":{"$lt":3}}}"#, r#"{"n":2}"#),
            (
                r#"{"update":"c","updates":[{"q":{"n":{"$gte":5}},"u":{"$inc":{"n":10},"$push":{"tags":"b"}},"multi":true}]}"#,
                r#"{"n":2,"nModified":2}"#,
            ),
            (r#"{"find":"c","filter":{"_id":1}}"#, r#"[{"_id":1,"n":15,"tags":["a","b"]}]"#),
            (
                r#"{"update":"c","updates":[{"q":{"_id":9},"u":{"$set":{"a.b":1}},"upsert":true}]}"#,
                r#"{"n":1,"nModified":0,"upserted":[{"_id":9,"index":0}]}"#,
            ),
            (r#"{"find":"c","filter":{"_id":9}}"#, r#"[{"_id":9,"a":{"b":1}}]"#),
            (
                r#"{"findAndModify":"c","query":{"_id":2},"update":{"$unset":{"tags":""}},"new":true}"#,
                r#"{"lastErrorObject":{"n":1,"updatedExisting":true},"value":{"_id":2,"n":17}}"#,
            ),
            (r#"{"delete":"c","deletes":[{"q":{"n":{"$gt":10}},"limit":0}]}"#, r#"{"n":2}"#),
            (
                r#"{"createIndexes":"c","indexes":[{"key":{"n":1},"name":"n_1"}]}"#,
                r#"{"createdCollectionAutomatically":false,"numIndexesAfter":2,"numIndexesBefore":1}"#,
            ),
            (r#"{"dropIndexes":"c","index":"n_1"}"#, r#"{"nIndexesWas":2}"#),
            (r#"{"drop":"c"}"#, r#"{"nIndexesWas":1,"ns":"app.c"}"#),
            (r#"{"count":"c"}"#, r#"{"n":0}"#),
        ] {
            assert_eq!(tell(&mut store, command).unwrap(), reply, "{command}");
        }
    }

    #[test]
    fn what_is_refused_is_refused_as_by_the_server() {
        let mut store = store();
        let partly = tell(&mut store, r#"{"insert":"c","documents":[{"_id":7},{"_id":1}]}"#).unwrap_err();
        assert!(partly.message.starts_with("mongo `mongodb`: insert: 1 done, 1 refused; the first, at 1: E11000"), "{partly:?}");
        assert_eq!((partly.kind, partly.hint.as_deref()), (Kind::Failed, Some("it is partly done: look before doing it again")));
        assert_eq!(tell(&mut store, r#"{"dropIndexes":"nothing","index":"x"}"#).unwrap_err().kind, Kind::NotFound);
        let unknown = tell(&mut store, r#"{"update":"c","updates":[{"q":{},"u":{"$bit":{"n":1}}}]}"#).unwrap_err();
        assert!(unknown.message.contains("`$bit` is not simulated"), "{unknown:?}");
        assert!(tell(&mut store, r#"{"collMod":"c"}"#).unwrap_err().hint.unwrap().starts_with("add to w.yaml"));
    }
}
