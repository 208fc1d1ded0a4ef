//! Databases: wrong passwords, statements that fail or write, servers that refuse, hang or answer too much.

use serde_json::json;

use super::{failed, fails};
use crate::services_data::{psql, redis_cli};
use crate::support::{Project, Proxy, Real, Slot, variable};

/// A project with the three databases in order, and each once more where nobody listens.
fn project() -> Project {
    let nobody = Slot::new(&json!({})).address.clone();
    let gone = |scheme: &str| format!("url = \"{scheme}{nobody}\"");
    Real::new("default")
        .postgres(&variable("RUNBOOK_TEST_POSTGRES"))
        .redis(&variable("RUNBOOK_TEST_REDIS"))
        .mongo(&variable("RUNBOOK_TEST_MONGO"))
        .table("databases.no-postgres", &gone("postgres://ops@"))
        .table("databases.no-redis", &gone("redis://"))
        .table("databases.no-mongo", &gone("mongodb://"))
        .project()
}

const REACHABLE: &str = "does it run, and is it reachable from here?";

#[test]
fn a_connection_that_is_refused_names_the_address() {
    fails(
        &project(),
        &[
            ("sql(\"no-postgres\", \"SELECT 1\");", "unavailable", " cannot be reached: connection refused", REACHABLE),
            ("redis(\"no-redis\", [\"PING\"]);", "unavailable", " cannot be reached: connection refused", REACHABLE),
            ("mongo(\"no-mongo\", #{ ping: 1 });", "unavailable", " cannot be reached: connection refused", REACHABLE),
            ("sql(\"no-postgres\", \"SELECT 1\");", "unavailable", "the database `no-postgres` at 127.0.0.1:", REACHABLE),
            ("sql(\"postgre\", \"SELECT 1\");", "bad_argument", "unknown database \"postgre\"", "did you mean `postgres`?"),
            ("sql(\"redis\", \"SELECT 1\");", "bad_argument", "the database \"redis\" speaks Redis's protocol", "use `redis`"),
        ],
    );
}

#[test]
fn a_wrong_password_is_told_apart_and_not_shown() {
    let project = project().env("OPS_PASSWORD", "wrong-ops-password").env("REDIS_PASSWORD", "wrong-redis-password");
    let hint = "is the password right? the database's `password` says where it is";
    let refused = format!("the database `redis` at {} refuses the password", variable("RUNBOOK_TEST_REDIS"));
    let rows = [
        ("sql(\"postgres\", \"SELECT 1\");", "auth", "refuses the user ops: password authentication failed for user \"ops\" (28P01)", hint),
        ("redis(\"redis\", [\"PING\"]);", "auth", refused.as_str(), hint),
    ];
    fails(&project, &rows);
    for (script, ..) in rows {
        let ran = project.really(script).status(4).has_not("wrong-ops-password").has_not("wrong-redis-password");
        assert!(!std::fs::read_to_string(ran.journal_path()).unwrap().contains("wrong-"), "{ran}");
    }
    let unset = Real::new("default").table("databases.db", "url = \"redis://127.0.0.1:1\"\npassword = { env = \"NOT_SET\" }").project();
    fails(&unset, &[("redis(\"db\", [\"PING\"]);", "auth", "the environment variable NOT_SET is not set", "export NOT_SET and run again")]);
}

#[test]
fn a_statement_that_fails_says_where() {
    fails(
        &project(),
        &[
            (
                "sql(\"postgres\", \"SELECT *\\nFROM no_such_table\");",
                "bad_argument",
                "sql `postgres`: relation \"no_such_table\" does not exist at line 2, character 6 (42P01)",
                "is the name right?",
            ),
            (
                "sql(\"postgres\", \"SELECT nme FROM pg_class\");",
                "bad_argument",
                "column \"nme\" does not exist at character 8 (42703)",
                "is the name right?",
            ),
            (
                "sql(\"postgres\", \"SELECT 1 AS order BY 1\");",
                "bad_argument",
                "the statement does not parse, so it is not known to only read",
                "",
            ),
            (
                "sql(\"postgres\", \"SELECT $1::int\", #{ params: [\"4711 Main Street\"] });",
                "bad_argument",
                "invalid input syntax for type integer: $1 (22P02)",
                "is each value of the type that stands there?",
            ),
            ("sql(\"postgres\", \"SELECT $1::int\");", "bad_argument", "the statement has 1 parameters, and 0 were given", "`params: […]`"),
            ("redis(\"redis\", [\"GTE\", \"x\"]);", "bad_argument", "GTE is not a read", ""),
            (
                "mongo(\"mongodb\", #{ listShards: 1 });",
                "bad_argument",
                "no such command: 'listShards' (59 CommandNotFound)",
                "does not take the command",
            ),
        ],
    );
}

#[test]
fn a_read_that_writes_is_refused_and_nothing_is_written() {
    psql(
        "DROP TABLE IF EXISTS kept; CREATE TABLE kept (n int); INSERT INTO kept VALUES (1);
          CREATE OR REPLACE FUNCTION sneaky() RETURNS int LANGUAGE sql VOLATILE AS 'DELETE FROM kept RETURNING n';
          CREATE SEQUENCE IF NOT EXISTS counted; SELECT setval('counted', 5);",
    );
    let project = project();
    let reads = "`sql` only reads; a change is `sql_execute`";
    fails(
        &project,
        &[
            ("sql(\"postgres\", \"DELETE FROM kept\");", "bad_argument", "DELETE is not a read (line 1, column 1 of the statement)", reads),
            ("sql(\"postgres\", \"WITH gone AS (DELETE FROM kept RETURNING n) SELECT * FROM gone\");", "bad_argument", "DELETE", reads),
            (
                "sql(\"postgres\", \"SELECT 1; DROP TABLE kept\");",
                "bad_argument",
                "2 statements were given; `sql` takes one",
                "once for each",
            ),
            ("sql(\"postgres\", \"EXPLAIN ANALYZE DELETE FROM kept\");", "bad_argument", "ANALYZE", ""),
            ("sql(\"postgres\", \"SELECT nextval('counted')\");", "bad_argument", "`nextval`", reads),
            (
                "sql(\"postgres\", \"SELECT pg_terminate_backend(pid) FROM pg_stat_activity\");",
                "bad_argument",
                "`pg_terminate_backend` acts on the server",
                reads,
            ),
            // What hides behind a function's name the read-only transaction stops.
            (
                "sql(\"postgres\", \"SELECT sneaky()\");",
                "bad_argument",
                "the statement writes, and `sql` only reads: cannot execute DELETE in a read-only transaction (25006)",
                "use `sql_execute` for changes",
            ),
            ("redis(\"redis\", [\"SET\", \"runbook-kept\", \"1\"]);", "bad_argument", "SET is not a read", "a change is `redis_execute`"),
            ("redis(\"redis\", [\"CONFIG\", \"SET\", \"save\", \"\"]);", "bad_argument", "CONFIG SET", "a change is `redis_execute`"),
            (
                "redis(\"redis\", [\"EVAL_RO\", \"return 1\", \"0\"]);",
                "bad_argument",
                "EVAL_RO is not a read",
                "a change is `redis_execute`",
            ),
            (
                "mongo(\"mongodb\", #{ aggregate: \"a\", pipeline: [#{ \"$out\": \"b\" }] });",
                "bad_argument",
                "`$out` writes a collection",
                "`mongo_execute`",
            ),
            (
                "mongo(\"mongodb\", #{ aggregate: \"a\", pipeline: [#{ \"$facet\": #{ x: [#{ \"$merge\": \"b\" }] } }] });",
                "bad_argument",
                "`$merge` writes a collection",
                "`mongo_execute`",
            ),
            ("mongo(\"mongodb\", #{ find: \"a\", filter: #{ \"$where\": \"sleep(1)\" } });", "bad_argument", "`$where`", ""),
            ("mongo(\"mongodb\", #{ drop: \"a\" });", "bad_argument", "`drop` is not a read", "`mongo_execute`"),
        ],
    );
    assert_eq!(psql("SELECT count(*), (SELECT last_value FROM counted) FROM kept"), "1|5\n");
    project.really("check(redis(\"redis\", [\"EXISTS\", \"runbook-kept\"]) == 0, \"it was set\");").status(0);
}

#[test]
fn strings_mean_to_the_server_what_they_mean_to_the_guard() {
    let url = format!(
        "url = \"postgres://ops@{}/therapeutic_ai?options=-c%20standard_conforming_strings%3Doff\"",
        variable("RUNBOOK_TEST_POSTGRES")
    );
    let project = Real::new("default").table("databases.old", &format!("{url}\npassword = {{ env = \"OPS_PASSWORD\" }}")).project();
    let script = r#"check(sql("old", "SELECT '\\' AS x")[0].x == "\\", "a backslash is none");"#;
    project.really(script).status(0);
}

#[test]
fn a_slow_server_is_given_up_and_its_query_ends_too() {
    let project = project();
    let script = "sql(\"postgres\", \"SELECT count(*) AS runbook_slow FROM generate_series(1, 10000000000)\", #{ timeout: \"300ms\" });";
    let ran = project
        .really(script)
        .status(124)
        .stderr_has("error[timeout]: ")
        .stderr_has("give it longer with `timeout:`")
        .recorded("timeout", 124);
    assert!(ran.stdout_has("timeout: 0 changes made").journaled("intent").is_empty());
    let busy = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%runbook_slow%' AND state = 'active' AND pid <> pg_backend_pid()";
    let gone = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        psql(busy) == "0\n"
    });
    assert!(gone, "the server still works on it");
}

#[test]
fn a_server_that_says_nothing_is_a_timeout() {
    let hang = json!({ "mode": "hang" });
    let to = |name: &str| Proxy::new(&variable(name), &hang);
    let (postgres, redis, mongo) = (to("RUNBOOK_TEST_POSTGRES"), to("RUNBOOK_TEST_REDIS"), to("RUNBOOK_TEST_MONGO"));
    let project = Real::new("default").postgres(&postgres.address).redis(&redis.address).mongo(&mongo.address).project();
    let hint = "is it slow or unreachable? give it longer with `timeout:`";
    fails(
        &project,
        &[
            ("sql(\"postgres\", \"SELECT 1\", #{ timeout: \"300ms\" });", "timeout", "no answer from postgres within 300ms", hint),
            ("redis(\"redis\", [\"PING\"], #{ timeout: \"300ms\" });", "timeout", " within 300ms", hint),
            ("mongo(\"mongodb\", #{ ping: 1 }, #{ timeout: \"300ms\" });", "timeout", "no server has answered in time", hint),
        ],
    );
}

#[test]
fn an_answer_over_8_mib_is_cut_off_with_a_remedy() {
    let project = project();
    fails(
        &project,
        &[
            (
                "sql(\"postgres\", \"SELECT repeat('x', 9000000) AS x\");",
                "too_large",
                "the rows are larger than 8 MiB",
                "select fewer columns or rows",
            ),
            (
                "sql(\"postgres\", \"SELECT * FROM generate_series(1, 20000)\");",
                "too_large",
                "more than 10000 rows",
                "add a LIMIT or aggregate, or raise `limit:`",
            ),
        ],
    );
}

#[test]
fn what_redis_or_mongodb_would_answer_over_8_mib_is_too_large_and_a_change_with_it_is_done() {
    let (project, name) = (project(), format!("large-{}", std::process::id()));
    redis_cli(&["SETRANGE", &name, "9000000", "x"]);
    let fill = format!(
        "let text = \"\"; text.pad(3000000, 'x'); for n in 0..3 {{ mongo_execute(\"mongodb\", #{{ insert: \"{name}\", documents: [#{{ _id: n, text: text }}] }}); }}"
    );
    project.really(&fill).status(0);
    let less = "ask for less";
    fails(
        &project,
        &[
            (&format!("redis(\"redis\", [\"GET\", \"{name}\"]);"), "too_large", "the reply is larger than 8 MiB", less),
            (&format!("mongo(\"mongodb\", #{{ find: \"{name}\" }});"), "too_large", "larger than 8 MiB", ""),
        ],
    );
    // Its answer is not kept; what it did is done, and said to be.
    let done = " is larger than 8 MiB; what was asked for is done";
    let again = format!("retry(|| redis_execute(\"redis\", [\"GETDEL\", \"{name}\"]), #{{ times: 3, delay: \"10ms\", any: true }});");
    let step = format!("step \"Change\" {{ {again} }}");
    let ran = project.clone().script("x.rhai", &step).run(["run", "x.rhai", "--answer", "rollback=no"]);
    let ran = failed(ran, "too_large", done, "do not repeat it for its answer").stdout_has("failed: 1 change made");
    assert_eq!(ran.outcomes(), ["redis changed"], "{ran}");
    project.run(["run", "x.rhai", "--replay", "last", "--answer", "rollback=no"]).status(1).stderr_has(done);
    assert_eq!(redis_cli(&["EXISTS", &name]), "0\n");
    let script = format!(
        "let text = \"\"; text.pad(3000000, 'x');\nmongo_execute(\"mongodb\", #{{ findAndModify: \"{name}\", query: #{{ _id: 0 }}, update: #{{ \"$set\": #{{ a: text, b: text }} }}, \"new\": true }});"
    );
    let ran = failed(project.really(&script), "too_large", done, "do not repeat it for its answer");
    assert_eq!(ran.outcomes(), ["mongodb changed"], "{ran}");
    let there =
        format!("check(mongo(\"mongodb\", #{{ count: \"{name}\", query: #{{ a: #{{ \"$exists\": true }} }} }}) == 1, \"it is not done\");");
    project.really(&there).status(0);
    project.really(&format!("mongo_execute(\"mongodb\", #{{ drop: \"{name}\" }});")).status(0);
}

#[test]
fn a_user_of_redis_without_the_right_is_told_apart_from_one_with_a_wrong_password() {
    let user = format!("limited-{}", std::process::id());
    redis_cli(&["ACL", "SETUSER", &user, "on", ">limited-passw0rd", "~*", "-@all", "+get", "+strlen"]);
    let url = format!("url = \"redis://{user}@{}\"\npassword = {{ env = \"LIMITED\" }}", variable("RUNBOOK_TEST_REDIS"));
    let project = Real::new("default").table("databases.redis", &url).project().env("LIMITED", "limited-passw0rd");
    project.really("redis(\"redis\", [\"GET\", \"nothing\"]);").status(0);
    let hint = "the user's ACL forbids it";
    fails(&project, &[("redis(\"redis\", [\"TTL\", \"nothing\"]);", "forbidden", "redis `redis`: TTL: NOPERM", hint)]);
    let ran = failed(project.really("redis_execute(\"redis\", [\"SET\", \"nothing\", \"x\"]);"), "forbidden", "SET: NOPERM", hint);
    assert_eq!((ran.outcomes(), redis_cli(&["EXISTS", "nothing"])), (vec!["redis failed".to_owned()], "0\n".to_owned()));
    fails(
        &project.env("LIMITED", "another-passw0rd"),
        &[("redis(\"redis\", [\"GET\", \"nothing\"]);", "auth", "refuses the password", "is the password right?")],
    );
    redis_cli(&["ACL", "DELUSER", &user]);
}

/// A role, a database or a URL may ask for strings in which a backslash escapes; the guard reads none such, so the server must not.
#[test]
fn strings_are_what_the_guard_took_them_for_whatever_the_server_is_set_to() {
    let address = variable("RUNBOOK_TEST_POSTGRES");
    let name = format!("strings_{}", std::process::id());
    let superuser = |statements: &[&str]| {
        let (folder, port) = (variable("RUNBOOK_TEST_DIR"), address.rsplit_once(':').unwrap().1);
        let each = statements.iter().flat_map(|statement| ["-c", statement]);
        let at = ["-qX", "-v", "ON_ERROR_STOP=1", "-h", &format!("{folder}/postgres"), "-p", port, "-U", "postgres", "-d", "postgres"];
        let output = std::process::Command::new("psql").args(at).args(each).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    superuser(&[
        &format!("CREATE DATABASE {name}"),
        &format!("ALTER DATABASE {name} SET standard_conforming_strings = off"),
        &format!("CREATE ROLE {name} LOGIN PASSWORD 'a-password-of-its-own'"),
        &format!("ALTER ROLE {name} SET standard_conforming_strings = off"),
    ]);
    let url = |user: &str, rest: &str| {
        let source = if user == "ops" { "OPS_PASSWORD" } else { "OWN_PASSWORD" };
        format!("url = \"postgres://{user}@{address}/{rest}\"\npassword = {{ env = \"{source}\" }}")
    };
    let project = Real::new("default")
        .table("databases.by-database", &url("ops", &name))
        .table("databases.by-role", &url(&name, "postgres"))
        .table("databases.by-url", &url("ops", "therapeutic_ai?options=-c%20standard_conforming_strings%3Doff"))
        .project()
        .env("OWN_PASSWORD", "a-password-of-its-own");
    let ran = ["by-database", "by-role", "by-url"].map(|database| {
        // Three strings to the guard. Where a backslash escapes, the second one's words are a call.
        let query = "SELECT 'a\\\\' AS a, ' , version() , ' AS b, ' --' AS c";
        let text = "let row = sql(NAME, \"QUERY\")[0];\nshow(row);\ncheck(row.b == \" , version() , \", \"it is text\");\n\
            check(sql(NAME, \"QUERY\")[0].b == row.b, \"and again\");";
        project.rehearsed_really(&text.replace("NAME", &format!("{database:?}")).replace("QUERY", query))
    });
    superuser(&[&format!("DROP DATABASE {name}"), &format!("DROP ROLE {name}")]);
    ran.into_iter().for_each(|ran| drop(ran.status(0)));
}
