//! The databases on the real systems: types as they come, rows in files, and of every change of a key the prediction, the way back and
//! the command line.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Project, Real, namespace, variable};

/// Runs statements as the owner of the database; answers unaligned text.
#[track_caller]
pub fn psql(statements: &str) -> String {
    let address = variable("RUNBOOK_TEST_POSTGRES");
    let (host, port) = address.split_once(':').unwrap();
    let output = Command::new("psql")
        .args(["-qXAt", "-v", "ON_ERROR_STOP=1", "-h", host, "-p", port, "-U", "ops", "-d", "therapeutic_ai", "-c", statements])
        .env("PGPASSWORD", variable("RUNBOOK_TEST_POSTGRES_OPS_PASSWORD"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs one command of Redis; answers its raw reply.
#[track_caller]
pub fn redis_cli(words: &[&str]) -> String {
    let address = variable("RUNBOOK_TEST_REDIS");
    let (host, port) = address.split_once(':').unwrap();
    let output = Command::new("redis-cli")
        .args(["-h", host, "-p", port])
        .args(words)
        .env("REDISCLI_AUTH", variable("RUNBOOK_TEST_REDIS_PASSWORD"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn project() -> Project {
    Real::new("default")
        .postgres(&variable("RUNBOOK_TEST_POSTGRES"))
        .redis(&variable("RUNBOOK_TEST_REDIS"))
        .mongo(&variable("RUNBOOK_TEST_MONGO"))
        .project()
}

/// A name of this process alone.
fn own(name: &str) -> String {
    format!("{name}_{}", std::process::id())
}

/// Runs a script and answers its summary.
#[track_caller]
fn summary(project: &Project, script: &str, more: &[&str]) -> Value {
    let ran = project.clone().script("x.rhai", script).run([&["run", "x.rhai", "-o", "json"], more].concat()).status(0);
    ran.json()
}

#[test]
fn every_type_comes_as_it_is_documented() {
    let (mood, price, pair) = (own("mood"), own("price"), own("pair"));
    psql(&format!(
        "CREATE TYPE {mood} AS ENUM ('calm', 'busy'); CREATE DOMAIN {price} AS numeric(8,2) CHECK (VALUE > 0);
         CREATE TYPE {pair} AS (a int, b text)"
    ));
    let rows: Vec<(String, Value)> = [
        ("12345678901234567890.1200::numeric", json!("12345678901234567890.1200")),
        ("'NaN'::numeric", json!("NaN")),
        ("'-Infinity'::numeric", json!("-Infinity")),
        ("-0.05::numeric", json!("-0.05")),
        ("9223372036854775807::int8", json!(i64::MAX)),
        ("7::int2", json!(7)),
        ("1.5::float4", json!(1.5)),
        ("0.1::float4", json!(0.1)),
        ("1e300::float8", json!(1e300)),
        ("true", json!(true)),
        ("4294967295::oid", json!(4_294_967_295_i64)),
        ("'2026-01-02 03:04:05.678+01'::timestamptz", json!("2026-01-02T02:04:05.678Z")),
        ("'2026-01-02 03:04:05'::timestamp", json!("2026-01-02T03:04:05")),
        ("'infinity'::timestamptz", json!("infinity")),
        ("'2026-01-02'::date", json!("2026-01-02")),
        ("'03:04:05.5'::time", json!("03:04:05.5")),
        ("'03:04:05+02'::timetz", json!("03:04:05+02")),
        ("'1 year 2 mons 3 days 04:05:06.7'::interval", json!("1 year 2 mons 3 days 04:05:06.7")),
        ("'{\"a\": [1, null, \"x\"]}'::json", json!({ "a": [1, null, "x"] })),
        ("'{\"b\": 1.50}'::jsonb", json!({ "b": 1.5 })),
        ("ARRAY[[1, 2], [3, NULL]]", json!([[1, 2], [3, null]])),
        ("ARRAY['a', NULL, 'b,\"']", json!(["a", null, "b,\""])),
        ("'{}'::int[]", json!([])),
        ("'00000000-0000-0000-0000-00000000000a'::uuid", json!("00000000-0000-0000-0000-00000000000a")),
        ("'10.0.0.1'::inet", json!("10.0.0.1")),
        ("'10.0.0.0/8'::cidr", json!("10.0.0.0/8")),
        ("'::1/64'::inet", json!("::1/64")),
        ("'08:00:2b:01:02:03'::macaddr", json!("08:00:2b:01:02:03")),
        ("'\\xdeadbeef'::bytea", json!("\\xdeadbeef")),
        ("'calm'::MOOD", json!("calm")),
        ("ARRAY['calm', 'busy']::MOOD[]", json!(["calm", "busy"])),
        ("12.5::PRICE", json!("12.50")),
        ("'[1,5)'::int4range", json!("[1,5)")),
        ("ROW(1, 'x y')::PAIR", json!("(1,\"x y\")")),
        ("B'101'", json!("101")),
        ("'<a>1</a>'::xml", json!("<a>1</a>")),
        ("point(1, 2.5)", json!("(1,2.5)")),
        ("'NaN'::float8", json!({ "$float": "NaN" })),
        ("'a fat cat'::tsvector", json!("'a' 'cat' 'fat'")),
        ("'1/AB'::pg_lsn", json!("1/AB")),
        ("'name'::name", json!("name")),
        ("'x'::\"char\"", json!("x")),
        ("NULL::int", json!(null)),
    ]
    .into_iter()
    .map(|(expression, value)| (expression.replace("MOOD", &mood).replace("PRICE", &price).replace("PAIR", &pair), value))
    .collect();
    let columns: Vec<String> = rows.iter().enumerate().map(|(number, (expression, _))| format!("{expression} AS c{number}")).collect();
    let script = format!("show(sql(\"postgres\", `SELECT {}`), #{{ reveal: true }});", columns.join(", "));
    let project = project();
    let ran = project.really(&script).status(0);
    let answer = payload(&ran, "sql");
    // A float that JSON has no number for stands there by its name; in the script it is itself.
    let wrong: Vec<String> = rows
        .iter()
        .enumerate()
        .filter(|(number, (_, expected))| {
            let found = &answer[0][format!("c{number}")];
            found != expected
        })
        .map(|(number, (expression, expected))| format!("{expression}: expected {expected}, found {}", answer[0][format!("c{number}")]))
        .collect();
    psql(&format!("DROP TYPE {mood}, {pair}; DROP DOMAIN {price}"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let money = "check(sql(\"postgres\", \"SELECT 12.5::money AS m\")[0].m.contains(\"12.50\"), \"money\"); check(sql(\"postgres\", \"SELECT 'NaN'::float8 AS x\")[0].x.to_string() == \"NaN\", \"NaN\");";
    project.really(money).status(0);
}

/// What the newest run's first call of a function has answered.
#[track_caller]
fn payload(ran: &crate::support::Ran, function: &str) -> Value {
    let line = ran.journal().into_iter().find(|line| line["function"] == function).unwrap();
    let sha256 = line["payload"]["sha256"].as_str().unwrap_or_else(|| panic!("no payload: {line}"));
    let path = find(&ran.project.outside().join("state"), sha256).unwrap();
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn find(folder: &std::path::Path, name: &str) -> Option<std::path::PathBuf> {
    std::fs::read_dir(folder).unwrap().flatten().find_map(|entry| match entry.path() {
        path if path.is_dir() => find(&path, name),
        path => path.file_name().is_some_and(|found| found.to_string_lossy().starts_with(name)).then_some(path),
    })
}

#[test]
fn rows_go_to_a_file_that_others_read() {
    let project = project().file("evidence/README", "what was saved\n");
    let script = "let saved = sql(\"postgres\", \"SELECT n, 'a \\\"b\\\", ' || n AS t, NULL AS nothing FROM generate_series(1, $1::int) AS n\", \
                  #{ params: [200000], save: \"evidence/rows.csv\" });\n\
                  show(saved, #{ reveal: true }); check(saved.rows == 200000, \"all\");";
    let ran = project.really(script).status(0);
    let path = ran.project.root().join("evidence/rows.csv");
    let text = std::fs::read_to_string(&path).unwrap();
    let theirs =
        psql("COPY (SELECT n, 'a \"b\", ' || n AS t, NULL AS nothing FROM generate_series(1, 200000) AS n) TO STDOUT (FORMAT csv, HEADER)");
    assert!(text == theirs, "as COPY writes it: {:?}", text.lines().zip(theirs.lines()).find(|(a, b)| a != b));
    let sums = Command::new("sha256sum").arg(&path).output().unwrap();
    let sum = String::from_utf8(sums.stdout).unwrap().split(' ').next().unwrap().to_owned();
    assert!(ran.out.contains(&sum), "{ran}");
    let again = project.really(script);
    again.status(1).stderr_has("evidence/rows.csv exists already");
    let rehearsed =
        project.rehearsed_really("check(sql(\"postgres\", \"SELECT 1 AS a\", #{ save: \"evidence/no.csv\" }).rows == 1, \"counted\");");
    rehearsed.status(0);
    assert!(!project.root().join("evidence/no.csv").exists());
}

/// Scripts that make one change of a key, what must be there before, and whether it can be taken back.
const KEYS: &[(&str, &[&[&str]], bool)] = &[
    (r#"["SET", KEY, "new"]"#, &[&["SET", "KEY", "old"]], true),
    (r#"["SET", KEY, "new"]"#, &[], true),
    (r#"["SET", KEY, "new", "KEEPTTL"]"#, &[&["SET", "KEY", "old", "PXAT", "4102444800123"]], true),
    (r#"["SET", KEY, "new", "PXAT", "4102444800000"]"#, &[&["SET", "KEY", "old", "PXAT", "4102444800123"]], true),
    (r#"["SETEX", KEY, 1000, "new"]"#, &[&["SET", "KEY", "old", "PXAT", "4102444800123"]], true),
    (r#"["SETNX", KEY, "new"]"#, &[], true),
    (r#"["SETNX", KEY, "new"]"#, &[&["SET", "KEY", "old"]], false),
    (r#"["DEL", KEY]"#, &[&["SET", "KEY", "old", "PXAT", "4102444800123"]], true),
    (r#"["UNLINK", KEY]"#, &[&["SET", "KEY", ""]], true),
    (r#"["DEL", KEY]"#, &[&["RPUSH", "KEY", "a"]], false),
    (r#"["EXPIRE", KEY, 1000]"#, &[&["SET", "KEY", "old"]], true),
    (r#"["EXPIREAT", KEY, 4102444800]"#, &[&["RPUSH", "KEY", "a"], &["PEXPIREAT", "KEY", "4102444800123"]], true),
    (r#"["PERSIST", KEY]"#, &[&["SET", "KEY", "old", "PXAT", "4102444800123"]], true),
    (r#"["HSET", KEY, "f", "new"]"#, &[&["HSET", "KEY", "f", "old", "g", "1"]], true),
    (r#"["HSET", KEY, "f", "new"]"#, &[], true),
    (r#"["HDEL", KEY, "f"]"#, &[&["HSET", "KEY", "f", "old", "g", "1"]], true),
    (r#"["CONFIG", "SET", "slowlog-max-len", "77"]"#, &[&["CONFIG", "SET", "slowlog-max-len", "128"]], true),
];

/// All that can be seen of a key, and of the parameter that is set.
fn state(key: &str) -> Value {
    let ty = redis_cli(&["TYPE", key]);
    let content = match ty.trim() {
        "string" => redis_cli(&["GET", key]),
        "list" => redis_cli(&["LRANGE", key, "0", "-1"]),
        "hash" => ["f", "g", "h"].map(|field| redis_cli(&["HGET", key, field])).concat() + redis_cli(&["HLEN", key]).as_str(),
        _ => String::new(),
    };
    json!([ty, content, redis_cli(&["PEXPIRETIME", key]), redis_cli(&["CONFIG", "GET", "slowlog-max-len"])])
}

#[test]
fn a_keys_change_is_predicted_taken_back_and_said_by_redis_cli() {
    let project = project();
    for (number, (command, before, has_inverse)) in KEYS.iter().enumerate() {
        let key = own(&format!("kept_{number}"));
        let command = command.replace("KEY", &format!("\"{key}\""));
        let make = || {
            redis_cli(&["DEL", &key]);
            for words in *before {
                redis_cli(&words.iter().map(|word| if *word == "KEY" { key.as_str() } else { word }).collect::<Vec<_>>());
            }
        };
        make();
        let was = state(&key);
        let call = format!("redis_execute(\"redis\", {command});");
        let planned = summary(&project, &call, &["--dry-run"]);
        assert_eq!(state(&key), was, "{command}: the rehearsal has changed something");
        // For real, and taken back by a step that fails.
        let undo = format!("step \"Change\" {{ {call} note(`is: ${{redis(\"redis\", [\"TYPE\", \"{key}\"])}}`); abort(\"back\"); }}");
        if planned["changes"].as_array().unwrap().is_empty() {
            assert!(!has_inverse, "{command}: nothing to do");
            continue;
        }
        let ran = project.clone().script("x.rhai", &undo).run(["run", "x.rhai", "--answer", "rollback=yes"]).status(1);
        let intents = ran.journaled("intent");
        let told = &planned["changes"][0];
        assert_eq!((&intents[0]["before"], &intents[0]["after"]), (&told["before"], &told["after"]), "{command}");
        assert_eq!(intents.len(), 1 + usize::from(*has_inverse), "{command}\n{ran}");
        if *has_inverse {
            assert_eq!(state(&key), was, "{command}: it was not taken back exactly\n{ran}");
        }
        // By hand: the line of the summary in a shell.
        make();
        project.really(&call).status(0);
        let mut by_call = state(&key);
        make();
        let line = told["equivalent"].as_str().unwrap();
        let shell = Command::new("sh").args(["-c", line]).env("REDISCLI_AUTH", variable("RUNBOOK_TEST_REDIS_PASSWORD")).output().unwrap();
        assert!(shell.status.success(), "{line}: {shell:?}");
        let mut by_hand = state(&key);
        if command.contains("1000") {
            // Counted from when it was sent.
            (by_call[2], by_hand[2]) = (Value::Null, Value::Null);
        }
        assert_eq!(by_call, by_hand, "{line}");
        // What it is now is what was foretold.
        let foretold = told["after"]["type"].as_str();
        assert!(foretold.is_none_or(|ty| by_call[0].as_str().unwrap().trim() == ty), "{command}: {told} {by_call}");
        redis_cli(&["DEL", &key]);
    }
    redis_cli(&["CONFIG", "SET", "slowlog-max-len", "128"]);
}

#[test]
fn a_statement_counts_what_it_is_about_and_psql_says_the_same() {
    let table = own("counted");
    let make = || {
        psql(&format!(
            "DROP TABLE IF EXISTS {table}; CREATE TABLE {table} (n int, t text); INSERT INTO {table} SELECT n, 'it''s ' || n FROM generate_series(1, 9) AS n"
        ));
    };
    make();
    let project = project();
    let call = format!(
        "sql_execute(\"postgres\", \"DELETE FROM {table} WHERE n > $1 AND t <> ALL($2) -- $1 and\", #{{ params: [3, [\"it's 5\", \"x\"]] }});"
    );
    let planned = summary(&project, &call, &["--dry-run"])["changes"][0].clone();
    assert_eq!((&planned["before"], &planned["after"]), (&json!({ "matching": 5 }), &json!({ "matching": 0, "statement": "DELETE" })));
    assert_eq!((&planned["validated"], &planned["tier"]), (&json!(true), &json!("moderate")));
    project.really(&call).status(0);
    let left = psql(&format!("SELECT * FROM {table} ORDER BY n"));
    make();
    let line = planned["equivalent"].as_str().unwrap();
    let shell = Command::new("sh").args(["-c", line]).env("PGPASSWORD", variable("RUNBOOK_TEST_POSTGRES_OPS_PASSWORD")).output().unwrap();
    assert!(shell.status.success(), "{line}: {shell:?}");
    assert_eq!(psql(&format!("SELECT * FROM {table} ORDER BY n")), left, "{line}");
    // The server's own no is a finding, and the run goes on.
    let script = "sql_execute(\"postgres\", \"DELETE FROM pg_authid WHERE rolname = 'x'\"); note(\"on\");";
    let refused = project.clone().script("x.rhai", script).run(["run", "x.rhai", "--dry-run", "-o", "json"]).status(1).json();
    assert_eq!(refused["calls"], 2, "{refused}");
    let change = &refused["changes"][0];
    assert_eq!((&change["status"], &change["validated"]), (&json!("refused"), &json!(false)), "{refused}");
    psql(&format!("DROP TABLE {table}"));
}

#[test]
fn a_command_counts_what_it_is_about_and_nothing_takes_it_back() {
    let (project, name) = (project(), own("counted"));
    let make =
        format!("mongo_execute(\"mongodb\", #{{ insert: {name:?}, documents: [#{{ n: 1 }}, #{{ n: 2 }}, #{{ n: 3 }}, #{{ n: 4 }}] }});");
    project.really(&make).status(0);
    let count = |filter: &str| {
        let ran = project.really(&format!("note(`has ${{mongo(\"mongodb\", #{{ count: {name:?}, query: {filter} }})}}`);")).status(0);
        ran.err.split("note: has ").nth(1).unwrap().trim().parse::<i64>().unwrap()
    };
    for (command, left, (before, after)) in [
        (
            format!(
                "#{{ update: {name:?}, updates: [#{{ q: #{{ n: #{{ \"$gt\": 2 }} }}, u: #{{ \"$set\": #{{ big: true }} }}, multi: true }}] }}"
            ),
            ("#{ big: true }", 2),
            (json!({ "matching": 2 }), json!({ "command": "update", "matching": "changed" })),
        ),
        (
            format!("#{{ delete: {name:?}, deletes: [#{{ q: #{{ n: #{{ \"$gt\": 1 }} }}, limit: 0 }}] }}"),
            ("#{}", 1),
            (json!({ "matching": 3 }), json!({ "command": "delete", "matching": 0 })),
        ),
    ] {
        let call = format!("mongo_execute(\"mongodb\", {command});");
        let was = count(left.0);
        let planned = summary(&project, &call, &["--dry-run"])["changes"][0].clone();
        assert_eq!((&planned["before"], &planned["after"]), (&before, &after), "{planned}");
        assert!(planned["remarks"].to_string().contains("nothing takes it back"), "{planned}");
        assert_eq!(count(left.0), was, "the rehearsal of {call}");
        let step = format!("step \"Change\" {{ {call} abort(\"back\"); }}");
        let ran = project.clone().script("x.rhai", &step).run(["run", "x.rhai", "--answer", "rollback=yes"]).status(1);
        let intents = ran.journaled("intent");
        assert_eq!((intents.len(), &intents[0]["inverse"], &intents[0]["after"]), (1, &Value::Null, &after), "{ran}");
        assert_eq!(count(left.0), left.1, "{call}\n{ran}");
    }
    project.really(&format!("mongo_execute(\"mongodb\", #{{ drop: {name:?} }});")).status(0);
}

const CANARY: &str = "Canary/7 <D>&'ü\"key";

#[test]
fn a_secret_that_a_database_is_given_shows_nowhere() {
    let (name, table) = ("data-canary", own("canary"));
    let namespace = namespace(name);
    let project = Real::new(name)
        .postgres(&variable("RUNBOOK_TEST_POSTGRES"))
        .redis(&variable("RUNBOOK_TEST_REDIS"))
        .mongo(&variable("RUNBOOK_TEST_MONGO"))
        .project();
    project.apply(&format!(
        "apiVersion: v1\nkind: Namespace\nmetadata: {{ name: {namespace} }}\n---\napiVersion: v1\nkind: Secret\n\
         metadata: {{ name: creds, namespace: {namespace} }}\nstringData: {{ key: {} }}\n",
        serde_json::to_string(CANARY).unwrap()
    ));
    psql(&format!("DROP TABLE IF EXISTS {table}; CREATE TABLE {table} (n int, t text UNIQUE CHECK (length(t) > 3))"));
    let script = format!(
        r#"let key = get("secret/creds").data.key;
sql_execute("postgres", "INSERT INTO {table} VALUES (1, $1)", #{{ params: [key] }});
show(attempt(|| sql_execute("postgres", "INSERT INTO {table} VALUES (1, $1)", #{{ params: [key] }})));
show(attempt(|| sql_execute("postgres", "INSERT INTO {table} VALUES ($1::int, 'x')", #{{ params: [key] }})));
show(attempt(|| sql_execute("postgres", "INSERT INTO {table} VALUES (reverse($1)::int, 'x')", #{{ params: [key] }})));
show(attempt(|| sql_execute("postgres", "UPDATE {table} SET n = 2 WHERE t = $1 RETURNING reverse(t)", #{{ params: [key] }})));
show(sql("postgres", "SELECT t FROM {table}"), #{{ reveal: true }});
sql("postgres", "SELECT t, n FROM {table}", #{{ save: "rows.csv" }});
sql("postgres", "SELECT t, n FROM {table}", #{{ save: "rows.jsonl" }});
mongo_execute("mongodb", #{{ insert: "{table}", documents: [#{{ _id: 1, t: key }}] }});
show(attempt(|| mongo_execute("mongodb", #{{ insert: "{table}", documents: [#{{ _id: 1, t: key }}] }})));
show(attempt(|| mongo_execute("mongodb", #{{ update: "{table}", updates: [#{{ q: #{{ "$bad": key }}, u: #{{}} }}] }})));
show(mongo("mongodb", #{{ find: "{table}" }}), #{{ reveal: true }});
mongo("mongodb", #{{ find: "{table}" }}, #{{ save: "documents.jsonl" }});
redis_execute("redis", ["SET", "{table}", key]);
redis_execute("redis", ["SET", "{table}", "other"]);
show(attempt(|| redis_execute("redis", ["INCRBY", "{table}", key])));
show(attempt(|| redis_execute("redis", ["EVAL", "return string.reverse(ARGV[1])", 0, key])));
redis_execute("redis", ["SET", "{table}", key]);
show(redis("redis", ["GET", "{table}"]));
redis_execute("redis", ["HSET", "{table}-h", "f", key]);
"#
    );
    for more in [&["--dry-run"][..], &[]] {
        // What the server refuses makes a rehearsal fail.
        let ran = project.clone().script("x.rhai", &script).run([&["run", "x.rhai"], more].concat());
        let ran = ran.status(i32::from(!more.is_empty()));
        let mut sinks = vec![("output".to_owned(), format!("{}{}", ran.out, ran.err))];
        let shown = project.run(["log", "show", "last"]);
        sinks.push(("the log".to_owned(), format!("{}{}", shown.out, shown.err)));
        for folder in [project.outside().join("state"), project.root()] {
            texts(&folder, &mut sinks);
        }
        let reversed: String = CANARY.chars().rev().collect();
        let json = serde_json::to_string(CANARY).unwrap();
        let csv = CANARY.replace('"', "\"\"");
        for form in [CANARY, &reversed, json.trim_matches('"'), &csv] {
            for (place, text) in &sinks {
                assert!(!text.contains(form), "{form:?} is in {place}:\n{text}");
            }
        }
    }
    assert!(std::fs::read_to_string(project.root().join("rows.csv")).unwrap().contains("***"), "it was there, and masked");
    assert_eq!(psql(&format!("SELECT t FROM {table}")), format!("{CANARY}\n"), "the database has it");
    assert_eq!(redis_cli(&["GET", &table]), format!("{CANARY}\n"));
    redis_cli(&["DEL", &table, &format!("{table}-h")]);
    psql(&format!("DROP TABLE {table}"));
    project.really(&format!("mongo_execute(\"mongodb\", #{{ drop: \"{table}\" }});")).status(0);
}

fn texts(folder: &std::path::Path, sinks: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        match entry.path() {
            path if path.is_dir() => texts(&path, sinks),
            path => sinks.push((path.display().to_string(), String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned())),
        }
    }
}

#[test]
fn what_is_written_or_asked_with_stands_beside_the_journal_and_not_in_it() {
    let (table, who) = (own("beside"), "Ann Example of Main Street");
    psql(&format!("DROP TABLE IF EXISTS {table}; CREATE TABLE {table} (t text)"));
    let project = project();
    let script = format!(
        r#"sql_execute("postgres", "INSERT INTO {table} VALUES ($1)", #{{ params: ["{who}"] }});
mongo_execute("mongodb", #{{ insert: "{table}", documents: [#{{ t: "{who}" }}] }});
redis_execute("redis", ["SET", "{table}", "{who}"]);
redis_execute("redis", ["SET", "{table}", "another"]);
sql("postgres", "SELECT t FROM {table} WHERE t = $1", #{{ params: ["{who}"] }});
mongo("mongodb", #{{ find: "{table}", filter: #{{ t: "{who}" }} }});"#
    );
    let ran = project.really(&script).status(0);
    let journal = std::fs::read_to_string(ran.journal_path()).unwrap();
    assert!(!journal.contains(who), "{journal}");
    let intents = ran.journaled("intent");
    assert_eq!(intents.len(), 4);
    for intent in &intents {
        let sha256 = intent["content"]["sha256"].as_str().unwrap();
        let content = std::fs::read_to_string(find(&project.outside().join("state"), sha256).unwrap()).unwrap();
        assert!(content.contains(who), "it is kept: {content}");
    }
    assert!(intents[3]["inverse"]["redis"].to_string().contains("<string of "), "{}", intents[3]);
    project.run(["log", "verify", "last"]).status(0).stdout_has("payloads: ");
    redis_cli(&["DEL", &table]);
    psql(&format!("DROP TABLE {table}"));
    project.really(&format!("mongo_execute(\"mongodb\", #{{ drop: \"{table}\" }});")).status(0);
}
