use proptest::prelude::*;

use super::command;
use crate::model::{Kind, Map, Value};

/// Reads JSON as a script's map would be.
fn map(json: &str) -> Map {
    match serde_json::from_str::<Value>(json) {
        Ok(Value::Map(map)) => map,
        other => panic!("{json}: {other:?}"),
    }
}

const READS: &[&str] = &[
    r#"{"ping": 1}"#,
    r#"{"hello": 1}"#,
    r#"{"isMaster": 1}"#,
    r#"{"buildInfo": 1}"#,
    r#"{"serverStatus": 1}"#,
    r#"{"serverStatus": 1, "repl": 0, "metrics": 0}"#,
    r#"{"dbStats": 1, "scale": 1024}"#,
    r#"{"collStats": "c", "scale": 1}"#,
    r#"{"dataSize": "db.c"}"#,
    r#"{"count": "c"}"#,
    r#"{"count": "c", "query": {"state": "open", "n": {"$gt": 3}}}"#,
    r#"{"count": "c", "query": {"$or": [{"a": 1}, {"b": {"$exists": false}}]}, "limit": 5, "skip": 1, "maxTimeMS": 100}"#,
    r#"{"distinct": "c", "key": "state", "query": {}}"#,
    r#"{"find": "c"}"#,
    r#"{"find": "c", "filter": {"_id": {"$oid": "65a000000000000000000001"}}, "limit": 1}"#,
    r#"{"find": "c", "filter": {"$expr": {"$gt": ["$a", "$b"]}}, "sort": {"a": -1}, "projection": {"a": 1}, "batchSize": 10}"#,
    r#"{"find": "c", "filter": {"where": 1, "out": 2, "merge": 3}, "comment": "runbook"}"#,
    r#"{"find": "c", "filter": {"text": "$where $out mapReduce"}}"#,
    r#"{"find": "c", "filter": {}, "collation": {"locale": "de"}, "readConcern": {"level": "majority"}, "hint": "a_1"}"#,
    r#"{"aggregate": "c", "pipeline": []}"#,
    r#"{"aggregate": "c", "pipeline": [{"$match": {"a": 1}}, {"$group": {"_id": "$b", "n": {"$sum": 1}}}, {"$sort": {"n": -1}}, {"$limit": 5}]}"#,
    r#"{"aggregate": "c", "pipeline": [{"$facet": {"a": [{"$count": "n"}], "b": [{"$sample": {"size": 1}}]}}], "cursor": {"batchSize": 5}}"#,
    r#"{"aggregate": "c", "pipeline": [{"$lookup": {"from": "d", "localField": "a", "foreignField": "b", "as": "x"}}]}"#,
    r#"{"aggregate": "c", "pipeline": [{"$lookup": {"from": "d", "let": {"a": 1}, "pipeline": [{"$match": {}}], "as": "x"}}]}"#,
    r#"{"aggregate": "c", "pipeline": [{"$unionWith": "d"}]}"#,
    r#"{"aggregate": "c", "pipeline": [{"$unionWith": {"coll": "d", "pipeline": [{"$project": {"a": 1}}]}}]}"#,
    r#"{"aggregate": 1, "pipeline": [{"$currentOp": {"allUsers": true}}]}"#,
    r#"{"aggregate": "c", "pipeline": [{"$indexStats": {}}]}"#,
    r#"{"aggregate": "c", "pipeline": [{"$collStats": {"storageStats": {}}}], "allowDiskUse": true}"#,
    r#"{"aggregate": "c", "pipeline": [{"$unwind": "$a"}, {"$set": {"b": 1}}, {"$unset": "c"}, {"$replaceRoot": {"newRoot": "$a"}}]}"#,
    r#"{"aggregate": "c", "pipeline": [{"$graphLookup": {"from": "d", "startWith": "$a", "connectFromField": "a", "connectToField": "b", "as": "x"}}]}"#,
    r#"{"explain": {"find": "c", "filter": {"a": 1}}}"#,
    r#"{"explain": {"count": "c", "query": {}}, "verbosity": "executionStats"}"#,
    r#"{"explain": {"aggregate": "c", "pipeline": [{"$match": {}}], "cursor": {}}}"#,
    r#"{"explain": {"distinct": "c", "key": "a"}}"#,
    r#"{"listCollections": 1, "nameOnly": true}"#,
    r#"{"listDatabases": 1}"#,
    r#"{"listIndexes": "c"}"#,
    r#"{"listShards": 1}"#,
    r#"{"currentOp": 1, "active": true, "secs_running": {"$gt": 10}}"#,
    r#"{"connectionStatus": 1, "showPrivileges": true}"#,
    r#"{"connPoolStats": 1}"#,
    r#"{"replSetGetStatus": 1}"#,
    r#"{"top": 1}"#,
    r#"{"hostInfo": 1}"#,
];

const REFUSED: &[&str] = &[
    r#"{}"#,
    r#"{"nothing": 1}"#,
    // Other commands.
    r#"{"insert": "c", "documents": [{}]}"#,
    r#"{"update": "c", "updates": []}"#,
    r#"{"delete": "c", "deletes": []}"#,
    r#"{"findAndModify": "c", "query": {}, "remove": true}"#,
    r#"{"drop": "c"}"#,
    r#"{"dropDatabase": 1}"#,
    r#"{"create": "c"}"#,
    r#"{"createIndexes": "c", "indexes": []}"#,
    r#"{"dropIndexes": "c", "index": "*"}"#,
    r#"{"renameCollection": "a.b", "to": "a.c"}"#,
    r#"{"collMod": "c"}"#,
    r#"{"killOp": 1, "op": 5}"#,
    r#"{"killCursors": "c", "cursors": []}"#,
    r#"{"shutdown": 1}"#,
    r#"{"fsync": 1, "lock": true}"#,
    r#"{"setParameter": 1, "logLevel": 5}"#,
    r#"{"getParameter": "*"}"#,
    r#"{"profile": 2}"#,
    r#"{"replSetStepDown": 60}"#,
    r#"{"replSetReconfig": {}}"#,
    r#"{"compact": "c"}"#,
    r#"{"reIndex": "c"}"#,
    r#"{"validate": "c"}"#,
    r#"{"mapReduce": "c", "map": "f", "reduce": "f", "out": "x"}"#,
    r#"{"mapreduce": "c"}"#,
    r#"{"eval": "f"}"#,
    r#"{"$eval": "f"}"#,
    r#"{"createUser": "u"}"#,
    r#"{"usersInfo": 1, "showCredentials": true}"#,
    r#"{"getMore": 1, "collection": "c"}"#,
    r#"{"dbHash": 1}"#,
    r#"{"FIND": "c"}"#,
    r#"{"applyOps": []}"#,
    r#"{"bulkWrite": 1}"#,
    // Two commands in one.
    r#"{"find": "c", "count": "c"}"#,
    r#"{"ping": 1, "insert": "c", "documents": []}"#,
    r#"{"find": "c", "drop": "c"}"#,
    // Arguments.
    r#"{"find": "c", "filtre": {}}"#,
    r#"{"find": "c", "tailable": true}"#,
    r#"{"find": "c", "noCursorTimeout": true}"#,
    r#"{"find": "c", "$db": "admin"}"#,
    r#"{"ping": 1, "$db": "admin"}"#,
    r#"{"find": "c", "writeConcern": {"w": 1}}"#,
    r#"{"aggregate": "c", "pipeline": [], "bypassDocumentValidation": true}"#,
    r#"{"aggregate": "c", "pipeline": [], "writeConcern": {}}"#,
    r#"{"find": "c", "lsid": {}}"#,
    r#"{"find": "c", "startTransaction": true, "autocommit": false}"#,
    r#"{"serverStatus": 1, "writeConcern": {}}"#,
    // JavaScript and writes, at any depth.
    r#"{"find": "c", "filter": {"$where": "sleep(1)"}}"#,
    r#"{"find": "c", "filter": {"$and": [{"a": 1}, {"$or": [{"$where": "1"}]}]}}"#,
    r#"{"count": "c", "query": {"$where": "1"}}"#,
    r#"{"distinct": "c", "key": "a", "query": {"$nor": [{"$where": "1"}]}}"#,
    r#"{"currentOp": 1, "$where": "1"}"#,
    r#"{"serverStatus": 1, "x": {"$function": {}}}"#,
    r#"{"find": "c", "filter": {"$expr": {"$function": {"body": "f", "args": [], "lang": "js"}}}}"#,
    r#"{"find": "c", "projection": {"x": {"$function": {"body": "f", "args": [], "lang": "js"}}}}"#,
    r#"{"aggregate": "c", "pipeline": [{"$out": "d"}]}"#,
    r#"{"aggregate": "c", "pipeline": [{"$match": {}}, {"$out": {"db": "x", "coll": "d"}}]}"#,
    r#"{"aggregate": "c", "pipeline": [{"$merge": {"into": "d"}}]}"#,
    r#"{"aggregate": "c", "pipeline": [{"$facet": {"a": [{"$out": "d"}]}}]}"#,
    r#"{"aggregate": "c", "pipeline": [{"$facet": {"a": [{"$changeStream": {}}]}}]}"#,
    r#"{"aggregate": "c", "pipeline": [{"$facet": {"a": {"$match": {}}}}]}"#,
    r#"{"aggregate": "c", "pipeline": [{"$lookup": {"from": "d", "as": "x", "pipeline": [{"$merge": "e"}]}}]}"#,
    r#"{"aggregate": "c", "pipeline": [{"$unionWith": {"coll": "d", "pipeline": [{"$out": "e"}]}}]}"#,
    r#"{"aggregate": "c", "pipeline": [{"$lookup": {"from": "d", "as": "x", "pipeline": [{"$unionWith": {"coll": "d", "pipeline": [{"$out": "e"}]}}]}}]}"#,
    r#"{"aggregate": "c", "pipeline": [{"$group": {"_id": 1, "x": {"$accumulator": {"init": "f"}}}}]}"#,
    r#"{"aggregate": "c", "pipeline": [{"$match": {"$where": "1"}}]}"#,
    r#"{"aggregate": "c", "pipeline": [{"$project": {"x": {"$cond": [true, {"$function": {}}, 1]}}}]}"#,
    r#"{"aggregate": "c", "pipeline": [{"$changeStream": {}}]}"#,
    r#"{"aggregate": "c", "pipeline": [{"$_internalInhibitOptimization": {}}]}"#,
    r#"{"aggregate": "c", "pipeline": [{"$project": {"x": {"$_internalJsEmit": {}}}}]}"#,
    r#"{"aggregate": "c", "pipeline": [{"$unknownStage": {}}]}"#,
    r#"{"aggregate": "c", "pipeline": [{"$match": {}, "$limit": 1}]}"#,
    r#"{"aggregate": "c", "pipeline": [{}]}"#,
    r#"{"aggregate": "c", "pipeline": ["$match"]}"#,
    r#"{"aggregate": "c", "pipeline": {"$match": {}}}"#,
    r#"{"aggregate": "c"}"#,
    r#"{"aggregate": "c", "pipeline": [{"match": {}}]}"#,
    // explain.
    r#"{"explain": {"delete": "c", "deletes": []}}"#,
    r#"{"explain": {"findAndModify": "c"}}"#,
    r#"{"explain": {"update": "c", "updates": []}}"#,
    r#"{"explain": {"aggregate": "c", "pipeline": [{"$out": "d"}]}}"#,
    r#"{"explain": {"aggregate": "c"}}"#,
    r#"{"explain": {"find": "c", "filter": {"$where": "1"}}}"#,
    r#"{"explain": {"ping": 1}}"#,
    r#"{"explain": {"explain": {"find": "c"}}}"#,
    r#"{"explain": {"find": "c", "filtre": {}}}"#,
    r#"{"explain": "c"}"#,
    r#"{"explain": {"find": "c"}, "writeConcern": {}}"#,
    // Keys.
    r#"{"find": "c", "filter": {"a\u0000b": 1}}"#,
];

#[test]
fn reads_pass_with_their_name_first() {
    assert!(READS.len() >= 40);
    for json in READS {
        let map = map(json);
        let command = command(&map).unwrap_or_else(|failure| panic!("{json}\n  {failure}"));
        assert!(super::COMMANDS.iter().any(|(name, _)| *name == command[0].0), "{json}");
        for (key, value) in &map {
            assert!(command.iter().any(|(k, v)| k == key && v == value), "{json} lost {key}");
        }
    }
}

#[test]
fn everything_else_is_a_bad_argument_with_a_remedy() {
    assert!(REFUSED.len() >= 60);
    for json in REFUSED {
        let failure = command(&map(json)).expect_err(json);
        assert_eq!(failure.kind, Kind::BadArgument, "{json}");
        assert!(failure.hint.is_some(), "{json}: {failure}");
    }
}

#[test]
fn commands_are_ordered_and_completed() {
    let keys = |json: &str| command(&map(json)).unwrap().into_iter().map(|(key, _)| key).collect::<Vec<_>>();
    assert_eq!(keys(r#"{"filter": {}, "batchSize": 1, "find": "c"}"#), ["find", "batchSize", "filter"]);
    assert_eq!(keys(r#"{"aggregate": "c", "pipeline": []}"#), ["aggregate", "pipeline", "cursor"]);
    let top = command(&map(r#"{"top": 1}"#)).unwrap();
    assert_eq!(top.last(), Some(&("$db".to_owned(), Value::from("admin"))));
}

#[test]
fn a_refusal_says_what_where_and_the_nearest() {
    let said = |json: &str| {
        let failure = command(&map(json)).unwrap_err();
        format!("{}; {}", failure.message, failure.hint.unwrap_or_default())
    };
    let remedy = "`mongo` only reads; a change is `mongo_execute`";
    assert_eq!(said(r#"{"drop": "c"}"#), format!("`drop` is not a read; {remedy}"));
    assert_eq!(said(r#"{"cuont": "c"}"#), "none of cuont names a command that only reads; did you mean `count`?");
    assert_eq!(said(r#"{"find": "c", "filtre": {}}"#), "unknown argument of `find` \"filtre\"; did you mean `filter`?");
    assert_eq!(
        said(r#"{"aggregate": "c", "pipeline": [{"$facet": {"a": [{"$mtach": {}}]}}]}"#),
        "the stage \"$mtach\" is not known to only read (`pipeline[0].$facet.a[0]`); did you mean `$match`?"
    );
    assert_eq!(said(r#"{"find": "c", "filter": {"x": [{"$where": "1"}]}}"#), format!("`$where` runs JavaScript; {remedy}"));
}

#[test]
fn what_is_nested_too_deep_is_refused() {
    let mut value = Value::Null;
    for _ in 0..300 {
        value = crate::map! { "a" => value };
    }
    let failure = command(&[("find".to_owned(), "c".into()), ("filter".to_owned(), value)].into_iter().collect()).unwrap_err();
    assert!(failure.message.contains("nested deeper"), "{failure}");
}

fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from)
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        let key = prop_oneof![
            ".{0,6}",
            prop::sample::select(vec!["find", "aggregate", "pipeline", "explain", "filter", "$match", "$facet", "$lookup", "$expr"])
                .prop_map(str::to_owned)
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            prop::collection::btree_map(key, inner, 0..4).prop_map(|map| Value::Map(map.into())),
        ]
    })
}

proptest! {
    #[test]
    fn no_map_makes_it_panic(value in anything()) {
        if let Value::Map(map) = &value {
            let _ = command(map);
        }
        let _ = command(&[("aggregate".to_owned(), "c".into()), ("pipeline".to_owned(), value.clone())].into_iter().collect());
        let _ = command(&[("explain".to_owned(), value)].into_iter().collect());
    }

    #[test]
    fn what_writes_is_found_at_any_depth(
        path in prop::collection::vec(prop::sample::select(vec!["a", "$and", "$cond", "$match", "b.c"]), 0..12),
        key in prop::sample::select(vec!["$out", "$merge", "$where", "$function", "$accumulator", "mapReduce"]),
    ) {
        let mut value = crate::map! { key => 1 };
        for (number, step) in path.iter().enumerate() {
            value = if number % 2 == 0 { crate::map! { *step => value } } else { Value::List(vec![crate::map! { *step => value }]) };
        }
        for (name, argument) in [("find", "filter"), ("count", "query"), ("serverStatus", "x")] {
            let map = [(name.to_owned(), "c".into()), (argument.to_owned(), value.clone())].into_iter().collect();
            prop_assert!(command(&map).is_err());
        }
    }
}
