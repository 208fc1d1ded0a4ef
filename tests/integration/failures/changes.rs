//! Changes of databases: lost replies, servers that hang, go away or answer garbage, rights, and what is refused before it is sent.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use serde_json::json;

use super::{failed, fails};
use crate::services_data::{psql, redis_cli};
use crate::support::{Project, Proxy, Real, Slot, variable};

/// The three databases, each behind an address.
fn project(postgres: &str, redis: &str, mongo: &str) -> Project {
    Real::new("default").postgres(postgres).redis(redis).mongo(mongo).project()
}

fn direct() -> Project {
    project(&variable("RUNBOOK_TEST_POSTGRES"), &variable("RUNBOOK_TEST_REDIS"), &variable("RUNBOOK_TEST_MONGO"))
}

/// A name of this process alone.
fn own(name: &str) -> String {
    format!("{name}_{}", std::process::id())
}

const LOOK: &str = "look at the target before doing it again: it may have happened";

#[test]
fn a_reply_that_is_lost_after_the_commit_is_in_doubt_and_nothing_is_repeated() {
    let (table, key) = (own("lost_reply"), own("lost-reply"));
    psql(&format!("DROP TABLE IF EXISTS {table}; CREATE TABLE {table} (n int)"));
    let to = |name: &str, when: &str| Proxy::new(&variable(name), &json!({ "mode": "drop-replies", "when": when }));
    let postgres = to("RUNBOOK_TEST_POSTGRES", "COMMIT");
    let (redis, mongo) = (to("RUNBOOK_TEST_REDIS", "APPEND"), to("RUNBOOK_TEST_MONGO", "insert"));
    let project = project(&postgres.address, &redis.address, &mongo.address);
    for (script, message) in [
        (
            format!(
                "retry(|| sql_execute(\"postgres\", \"INSERT INTO {table} VALUES (1)\"), #{{ times: 3, delay: \"10ms\", any: true }});"
            ),
            "the statement was sent",
        ),
        (
            format!("retry(|| redis_execute(\"redis\", [\"APPEND\", \"{key}\", \"x\"]), #{{ times: 3, delay: \"10ms\", any: true }});"),
            "the command was sent",
        ),
        (
            format!(
                "retry(|| mongo_execute(\"mongodb\", #{{ insert: \"{table}\", documents: [#{{ n: 1 }}] }}), #{{ times: 3, delay: \"10ms\", any: true }});"
            ),
            "the command was sent",
        ),
    ] {
        let ran = failed(project.really(&script), "in_doubt", message, LOOK);
        let ran = ran.stdout_has("In doubt: ").stdout_has("1 in doubt");
        assert_eq!(ran.journaled("intent").len(), 1, "{ran}");
        assert!(ran.outcomes()[0].ends_with("in_doubt"), "{ran}");
    }
    assert_eq!(psql(&format!("SELECT count(*) FROM {table}")), "1\n", "it was committed, once");
    assert_eq!(redis_cli(&["GET", &key]), "x\n");
    let count = format!(
        "check(mongo(\"mongodb\", #{{ count: \"{table}\" }}) == 1, \"once\"); redis_execute(\"redis\", [\"DEL\", \"{key}\"]); mongo_execute(\"mongodb\", #{{ drop: \"{table}\" }});"
    );
    direct().really(&count).status(0);
    psql(&format!("DROP TABLE {table}"));
}

#[test]
fn a_server_that_hangs_after_the_request_is_in_doubt_and_one_that_hangs_before_is_not() {
    let table = own("hangs");
    psql(&format!("DROP TABLE IF EXISTS {table}; CREATE TABLE {table} (n int)"));
    let after = |name: &str, when: &str| Proxy::new(&variable(name), &json!({ "mode": "hang", "when": when }));
    let (postgres, redis, mongo) =
        (after("RUNBOOK_TEST_POSTGRES", "COMMIT"), after("RUNBOOK_TEST_REDIS", "PEXPIRE"), after("RUNBOOK_TEST_MONGO", "insert"));
    let hangs = project(&postgres.address, &redis.address, &mongo.address);
    for script in [
        format!("sql_execute(\"postgres\", \"INSERT INTO {table} VALUES (1)\", #{{ timeout: \"2s\" }});"),
        "redis_execute(\"redis\", [\"PEXPIRE\", \"nothing-there\", \"5\", \"GT\"], #{ timeout: \"2s\" });".to_owned(),
        format!("mongo_execute(\"mongodb\", #{{ insert: \"{table}\", documents: [#{{ n: 1 }}] }}, #{{ timeout: \"2s\" }});"),
    ] {
        let ran = failed(hangs.really(&script), "in_doubt", " was sent, and no answer came within 2s", LOOK);
        assert_eq!(ran.outcomes().len(), 1, "{ran}");
    }
    // A transaction whose COMMIT never came keeps its locks until its connection ends.
    drop((postgres, redis, mongo));
    let before = |name: &str| Proxy::new(&variable(name), &json!({ "mode": "hang" }));
    let (postgres, redis, mongo) = (before("RUNBOOK_TEST_POSTGRES"), before("RUNBOOK_TEST_REDIS"), before("RUNBOOK_TEST_MONGO"));
    let hangs = project(&postgres.address, &redis.address, &mongo.address);
    for script in [
        "sql_execute(\"postgres\", \"ANALYZE\", #{ timeout: \"400ms\" });",
        "redis_execute(\"redis\", [\"INCR\", \"n\"], #{ timeout: \"400ms\" });",
        "mongo_execute(\"mongodb\", #{ create: \"c\" }, #{ timeout: \"400ms\" });",
    ] {
        let ran = failed(hangs.really(script), "timeout", "", "").has_not("In doubt");
        assert!(ran.outcomes()[0].ends_with(" failed"), "{ran}");
    }
    psql(&format!("DROP TABLE {table}"));
}

#[test]
fn what_nobody_confirms_is_sent_to_no_database() {
    let name = own("unconfirmed");
    psql(&format!("DROP TABLE IF EXISTS {name}; CREATE TABLE {name} (n int); INSERT INTO {name} VALUES (1)"));
    redis_cli(&["SET", &name, "kept"]);
    direct().really(&format!("mongo_execute(\"mongodb\", #{{ insert: {name:?}, documents: [#{{ n: 1 }}] }});")).status(0);
    let address = |name: &str| variable(&format!("RUNBOOK_TEST_{name}"));
    let guarded = Real::new("default").line("protected = true");
    let guarded = guarded.postgres(&address("POSTGRES")).redis(&address("REDIS")).mongo(&address("MONGO")).project();
    for (target, script, severe) in [
        ("postgres", format!("sql_execute(\"postgres\", \"DELETE FROM {name} WHERE n = 1\");"), false),
        ("postgres", format!("sql_execute(\"postgres\", \"DELETE FROM {name}\");"), true),
        ("postgres", format!("sql_execute(\"postgres\", \"DROP TABLE {name}\");"), true),
        ("mongodb", format!("mongo_execute(\"mongodb\", #{{ delete: {name:?}, deletes: [#{{ q: #{{ n: 1 }}, limit: 1 }}] }});"), false),
        ("mongodb", format!("mongo_execute(\"mongodb\", #{{ drop: {name:?} }});"), true),
        ("redis", format!("redis_execute(\"redis\", [\"SET\", {name:?}, \"gone\"]);"), false),
        ("redis", "redis_execute(\"redis\", [\"FLUSHALL\"]);".to_owned(), true),
    ] {
        // A severe change is not to be had for a `--yes`, nor for the yes to another target.
        let flags: &[&str] = if severe { &["--yes", "--confirm", "other"] } else { &["--confirm", target] };
        let hint = if severe { format!("or pass --confirm {target}") } else { "or pass --yes".to_owned() };
        let ran = guarded.clone().script("x.rhai", &script).run([&["run", "x.rhai"], flags].concat());
        let ran = failed(ran, "not_confirmed", &format!("the change of {target} was not confirmed (no terminal)"), &hint);
        let decided = &ran.journaled("decision")[0];
        assert_eq!([&decided["target"], &decided["decision"], &decided["by"]], [target, "refused", "no terminal"], "{ran}");
    }
    assert_eq!((psql(&format!("SELECT n FROM {name}")), redis_cli(&["GET", &name])), ("1\n".to_owned(), "kept\n".to_owned()));
    let there = format!(
        "check(mongo(\"mongodb\", #{{ count: {name:?} }}) == 1, \"it is gone\"); mongo_execute(\"mongodb\", #{{ drop: {name:?} }});"
    );
    direct().really(&there).status(0);
    redis_cli(&["DEL", &name]);
    psql(&format!("DROP TABLE {name}"));
}

/// Answers every connection with the same bytes, and closes it.
fn garbage(bytes: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(bytes);
        }
    });
    address
}

#[test]
fn what_answers_garbage_or_nobody_is_no_doubt() {
    let noise = garbage(b"HTTP/1.1 400 Bad Request\r\n\r\n\x00\x01\x02");
    let noisy = project(&noise, &noise, &noise);
    let nobody = Slot::new(&json!({})).address.clone();
    let gone = project(&nobody, &nobody, &nobody);
    let runs = "does it run, and is it reachable from here?";
    for (script, kind, message, hint) in [
        ("sql_execute(\"postgres\", \"ANALYZE\");", "unavailable", " cannot be reached: the connection ended in the middle of", runs),
        ("redis_execute(\"redis\", [\"INCR\", \"n\"]);", "unavailable", " cannot be reached: what answered is no reply of Redis", runs),
        (
            "mongo_execute(\"mongodb\", #{ create: \"c\" }, #{ timeout: \"2s\" });",
            "timeout",
            "no server has answered in time",
            "is it slow or unreachable?",
        ),
    ] {
        failed(gone.really(script), "unavailable", " cannot be reached: connection refused", "does it run");
        failed(noisy.really(script), kind, message, hint).has_not("In doubt");
    }
}

#[test]
fn noise_in_place_of_an_answer_leaves_a_doubt_after_a_change_and_none_after_a_read() {
    let name = own("noise");
    psql(&format!("DROP TABLE IF EXISTS {name}; CREATE TABLE {name} (n int)"));
    let to = |system: &str, when: &str| Proxy::new(&variable(system), &json!({ "mode": "garble", "when": when }));
    let behind = |postgres: &str, redis: &str, mongo: &str| {
        let proxies = (to("RUNBOOK_TEST_POSTGRES", postgres), to("RUNBOOK_TEST_REDIS", redis), to("RUNBOOK_TEST_MONGO", mongo));
        (project(&proxies.0.address, &proxies.1.address, &proxies.2.address), proxies)
    };
    let (noisy, _proxies) = behind("COMMIT", "APPEND", "insert");
    for script in [
        format!("sql_execute(\"postgres\", \"INSERT INTO {name} VALUES (1)\")"),
        format!("redis_execute(\"redis\", [\"APPEND\", \"{name}\", \"x\"])"),
        format!("mongo_execute(\"mongodb\", #{{ insert: \"{name}\", documents: [#{{ n: 1 }}] }}, #{{ timeout: \"5s\" }})"),
    ] {
        let script = format!("retry(|| {script}, #{{ times: 3, delay: \"10ms\", any: true }});");
        let ran = failed(noisy.really(&script), "in_doubt", " was sent", LOOK).stdout_has("1 in doubt");
        assert_eq!(ran.journaled("intent").len(), 1, "{ran}");
    }
    assert_eq!((psql(&format!("SELECT count(*) FROM {name}")), redis_cli(&["GET", &name])), ("1\n".to_owned(), "x\n".to_owned()));
    let (noisy, _proxies) = behind("generate_series", "GET", "find");
    for script in [
        "sql(\"postgres\", \"SELECT * FROM generate_series(1, 3)\");".to_owned(),
        format!("redis(\"redis\", [\"GET\", \"{name}\"]);"),
        format!("mongo(\"mongodb\", #{{ find: \"{name}\" }}, #{{ timeout: \"5s\" }});"),
    ] {
        failed(noisy.really(&script), "unavailable", "", "does it run, and is it reachable from here?");
    }
    redis_cli(&["DEL", &name]);
    psql(&format!("DROP TABLE {name}"));
    direct().really(&format!("mongo_execute(\"mongodb\", #{{ drop: \"{name}\" }});")).status(0);
}

#[test]
fn a_server_that_ends_the_connection_in_mid_call_is_in_doubt() {
    let script = "sql_execute(\"postgres\", \"SELECT pg_terminate_backend(pg_backend_pid())\");";
    let ran = failed(direct().really(script), "in_doubt", "the server went down after the statement was sent (57P01)", LOOK);
    assert_eq!(ran.outcomes(), ["postgres in_doubt"], "{ran}");
}

#[test]
fn a_statement_that_is_stopped_or_refused_is_rolled_back() {
    let table = own("rolled_back");
    psql(&format!("DROP TABLE IF EXISTS {table}; CREATE TABLE {table} (n int PRIMARY KEY); INSERT INTO {table} VALUES (1)"));
    let run = |script: String, kind: &str, message: &str, hint: &str| {
        let ran = failed(direct().really(&script), kind, message, hint);
        assert_eq!(ran.outcomes(), ["postgres failed"], "{ran}");
    };
    let slow =
        format!("sql_execute(\"postgres\", \"INSERT INTO {table} SELECT 2 FROM (SELECT pg_sleep(20)) AS s\", #{{ timeout: \"3s\" }});");
    run(slow, "timeout", "sql `postgres`: stopped after 3s (57014)", "give it longer with `timeout:`");
    let twice = format!("sql_execute(\"postgres\", \"INSERT INTO {table} VALUES ($1)\", #{{ params: [1] }});");
    run(twice, "failed", "duplicate key value violates unique constraint", "");
    let many = format!("sql_execute(\"postgres\", \"INSERT INTO {table} SELECT generate_series(2, 9) RETURNING n\", #{{ max_rows: 3 }});");
    run(many, "too_large", "more than 3 rows; nothing was changed", "RETURNING");
    let large = format!("sql_execute(\"postgres\", \"INSERT INTO {table} VALUES (7) RETURNING repeat('x', 9000000)\");");
    run(large, "too_large", "the rows are larger than 8 MiB; nothing was changed", "RETURNING");
    assert_eq!(psql(&format!("SELECT n FROM {table}")), "1\n");
    psql(&format!("DROP TABLE {table}"));
}

#[test]
fn a_role_without_the_right_and_a_wrong_password_are_told_apart() {
    let url =
        format!("url = \"postgres://reader@{}/therapeutic_ai\"\npassword = {{ env = \"READER\" }}", variable("RUNBOOK_TEST_POSTGRES"));
    let reader = Real::new("default").table("databases.postgres", &url).project();
    let reader = reader.env("READER", &variable("RUNBOOK_TEST_POSTGRES_READER_PASSWORD"));
    psql("DROP TABLE IF EXISTS only_ops; CREATE TABLE only_ops (n int)");
    let script = "sql_execute(\"postgres\", \"DELETE FROM only_ops\");";
    failed(reader.really(script), "forbidden", "permission denied for table only_ops (42501)", "GRANT it");
    psql("DROP TABLE only_ops");
    let wrong = direct().env("OPS_PASSWORD", "wrong-ops-password").env("REDIS_PASSWORD", "wrong-redis-password");
    for script in ["sql_execute(\"postgres\", \"ANALYZE\");", "redis_execute(\"redis\", [\"INCR\", \"n\"]);"] {
        failed(wrong.really(script), "auth", "refuses the", "is the password right?").has_not("wrong-ops").has_not("wrong-redis");
    }
}

#[test]
fn a_reading_role_reads_and_the_other_one_writes() {
    let table = own("two_roles");
    psql(&format!("DROP TABLE IF EXISTS {table}; CREATE TABLE {table} (n int); GRANT SELECT ON {table} TO reader"));
    let address = variable("RUNBOOK_TEST_POSTGRES");
    let url = format!("url = \"postgres://ops@{address}/therapeutic_ai\"\npassword = {{ env = \"OPS_PASSWORD\" }}");
    let reader = "[environments.test.databases.postgres.reader]\nuser = \"reader\"\npassword = { env = \"READER\" }\n";
    let project = Real::new("default").table("databases.postgres", &format!("{url}\n{reader}")).project();
    let project = project.env("READER", &variable("RUNBOOK_TEST_POSTGRES_READER_PASSWORD"));
    let script = format!(
        "let who = sql_execute(\"postgres\", \"INSERT INTO {table} VALUES (1) RETURNING current_user\").rows[0].current_user;\n\
         check(who == \"ops\", who);\ncheck(sql(\"postgres\", \"SELECT current_user AS it FROM {table}\")[0].it == \"reader\", \"reads\");"
    );
    project.really(&script).status(0);
    psql(&format!("DROP TABLE {table}"));
}

/// The first change of a rehearsal, as its summary has it.
#[track_caller]
fn rehearsed(script: &str) -> serde_json::Value {
    let ran = direct().script("x.rhai", script).run(["run", "x.rhai", "--dry-run", "-o", "json"]).status(0);
    ran.json()["changes"][0].clone()
}

/// What an attacker, or a tired colleague, would try: refused, or without any effect.
#[test]
fn what_would_get_around_the_guards_is_refused_and_changes_nothing() {
    let (table, key) = (own("attacked"), own("attacked"));
    psql(&format!("DROP TABLE IF EXISTS {table}; CREATE TABLE {table} (n int); INSERT INTO {table} VALUES (1)"));
    redis_cli(&["SET", &key, "kept"]);
    let rows: Vec<(String, &str)> = vec![
        ("sql(\"postgres\", \"SELECT pg_terminate_backend(pid) FROM pg_stat_activity\");".into(), "acts on the server"),
        (format!("sql(\"postgres\", \"COPY {table} TO PROGRAM 'cat'\");"), "COPY is not a read"),
        ("sql(\"postgres\", \"SELECT dblink_exec('dbname=therapeutic_ai', 'DROP TABLE x')\");".into(), "reaches another server"),
        ("sql(\"postgres\", \"SELECT set_config('role', 'postgres', false)\");".into(), "changes a setting"),
        ("sql(\"postgres\", \"SELECT pg_notify('c', 'm')\");".into(), "acts on the server"),
        (format!("sql(\"postgres\", \"SELECT 1; DELETE FROM {table}\");"), "2 statements"),
        (format!("sql(\"postgres\", \"SELECT * INTO copied FROM {table}\");"), "INTO"),
        (format!("sql_execute(\"postgres\", \"DELETE FROM {table} WHERE n = 9; DELETE FROM {table}\");"), "a second statement begins"),
        (format!("sql_execute(\"postgres\", \"DELETE FROM {table} WHERE n = 9; -- \\n DELETE FROM {table}\");"), "a second statement begins"),
        (format!("sql_execute(\"postgres\", \"COPY {table} FROM PROGRAM 'echo 2'\");"), "does not take COPY"),
        ("sql_execute(\"postgres\", \"\\\\! id\");".into(), "does not take that character"),
        ("redis(\"redis\", [\"CONFIG\", \"SET\", \"maxmemory\", \"1\"]);".into(), "CONFIG SET is not a read"),
        ("redis(\"redis\", [\"CLIENT\", \"KILL\", \"TYPE\", \"normal\"]);".into(), "CLIENT KILL is not a read"),
        ("redis(\"redis\", [\"SHUTDOWN\"]);".into(), "SHUTDOWN is not a read"),
        (format!("redis(\"redis\", [\"EVAL_RO\", \"return redis.call('DEL', KEYS[1])\", 1, \"{key}\"]);"), "EVAL_RO is not a read"),
        ("redis_execute(\"redis\", [\"MULTI\"]);".into(), "does not take MULTI"),
        (format!("redis_execute(\"redis\", [\"SET {key} gone\"]);"), "is no Redis command"),
        ("mongo(\"mongodb\", #{ aggregate: \"a\", pipeline: [#{ \"$lookup\": #{ from: \"b\", pipeline: [#{ \"$out\": \"c\" }], \"as\": \"d\" } }] });".into(), "`$out` writes"),
        ("mongo(\"mongodb\", #{ find: \"a\", filter: #{ x: #{ \"$function\": #{} } } });".into(), "`$function` runs JavaScript"),
        ("mongo_execute(\"mongodb\", #{ aggregate: \"a\", pipeline: [#{ \"$match\": #{ \"$where\": \"1\" } }, #{ \"$out\": \"c\" }] });".into(), "`$where` runs JavaScript"),
        ("mongo_execute(\"mongodb\", #{ mapReduce: \"a\" });".into(), "does not take `mapReduce`"),
        ("mongo_execute(\"mongodb\", #{ insert: \"a\", documents: [], \"$db\": \"admin\" });".into(), "names another database"),
    ];
    let table_rows: Vec<_> = rows.iter().map(|(script, says)| (script.as_str(), "bad_argument", *says, "")).collect();
    fails(&direct(), &table_rows);
    // What a naive `EXPLAIN ` before it would execute.
    for statement in [format!("ANALYZE DELETE FROM {table}"), format!("ANALYZE {table}"), format!("EXPLAIN ANALYZE DELETE FROM {table}")] {
        let change = rehearsed(&format!("sql_execute(\"postgres\", \"{statement}\");"));
        assert_eq!((&change["validated"], &change["status"]), (&serde_json::Value::Null, &"would_change".into()), "{change}");
    }
    let change = rehearsed(&format!("sql_execute(\"postgres\", \"DELETE FROM {table}\");"));
    assert_eq!((&change["validated"], &change["tier"]), (&true.into(), &"severe".into()), "{change}");
    assert!(change["remarks"].to_string().contains("the planner expects about "), "{change}");
    assert_eq!((psql(&format!("SELECT count(*) FROM {table}")), redis_cli(&["GET", &key])), ("1\n".to_owned(), "kept\n".to_owned()));
    redis_cli(&["DEL", &key]);
    psql(&format!("DROP TABLE {table}"));
}
