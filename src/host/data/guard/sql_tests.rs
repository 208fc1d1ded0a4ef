use proptest::prelude::*;

use super::check;
use crate::model::Kind;

const READS: &[&str] = &[
    "SELECT 1 AS one",
    "SELECT 1;",
    "  select * from t  ",
    "(SELECT 1)",
    "((SELECT 1) UNION (SELECT 2)) ORDER BY 1",
    "SELECT count(*) FROM therapeutic_content WHERE created_at > now() - interval '1 hour'",
    "SELECT * FROM t WHERE id = $1 AND tag = ANY($2)",
    "SELECT pid, now() - query_start AS age, state, query FROM pg_stat_activity WHERE state <> 'idle' ORDER BY age DESC LIMIT 10",
    "SELECT query, calls, total_exec_time, mean_exec_time FROM pg_stat_statements ORDER BY total_exec_time DESC LIMIT 10",
    "SELECT pg_size_pretty(pg_database_size(current_database()))",
    "SELECT schemaname, relname, pg_size_pretty(pg_total_relation_size(relid)) FROM pg_catalog.pg_statio_user_tables",
    "SELECT pg_catalog.pg_is_in_recovery()",
    "SELECT client_addr, pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn) AS lag FROM pg_stat_replication",
    "SELECT slot_name FROM pg_catalog.pg_replication_slots",
    "SELECT bl.pid, pg_blocking_pids(bl.pid) FROM pg_locks bl WHERE NOT bl.granted",
    "SELECT * FROM pg_stat_statements(true)",
    "WITH slow AS (SELECT * FROM q WHERE ms > 100) SELECT count(*) FROM slow",
    "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT * FROM n",
    "WITH a AS MATERIALIZED (SELECT 1), b AS NOT MATERIALIZED (SELECT 2) SELECT * FROM a, b",
    "VALUES (1, 'a'), (2, 'b')",
    "TABLE t",
    "TABLE public.t",
    "SHOW max_connections",
    "SHOW ALL",
    "SHOW TIME ZONE",
    "EXPLAIN SELECT * FROM t",
    "EXPLAIN VERBOSE SELECT * FROM t",
    "EXPLAIN (VERBOSE, COSTS false, FORMAT json) SELECT * FROM t",
    "EXPLAIN (BUFFERS) WITH a AS (SELECT 1) SELECT * FROM a",
    "SELECT 'DROP TABLE x; DELETE FROM y'",
    "SELECT 'pg_terminate_backend(1)', $$pg_sleep(1)$$, $q$ nextval('s') $q$",
    "SELECT 1 -- ; DROP TABLE x",
    "SELECT /* pg_terminate_backend(1) /* nested */ */ 1",
    "SELECT E'it\\'s' || 'x'",
    "SELECT update, delete FROM audit",
    "SELECT count(*) FILTER (WHERE status >= 500) FROM requests",
    "SELECT x, lag(x) OVER (PARTITION BY y ORDER BY z) FROM t",
    "SELECT * FROM t TABLESAMPLE system (1)",
    "SELECT a.lo_orderkey FROM lineorder a",
    "SELECT data->>'id', data #>> '{a,b}', data @> '{}'::jsonb FROM t",
    "SELECT * FROM generate_series(1, 3) AS g(n), LATERAL (SELECT n + 1) AS h(m)",
    "SELECT substring(name FROM 1 FOR 3) FROM t",
    "SELECT CASE WHEN a THEN 1 ELSE 2 END FROM t GROUP BY 1 HAVING count(*) > 1",
    "SELECT EXTRACT(epoch FROM now()), CAST('1' AS int), '1'::numeric(10, 2)",
    "SELECT * FROM a JOIN b USING (id) LEFT JOIN c ON c.id = b.id WHERE EXISTS (SELECT 1 FROM d)",
    "SELECT DISTINCT ON (service) service, at FROM events ORDER BY service, at DESC FETCH FIRST 5 ROWS ONLY",
    "SELECT \"Order\".\"Id\" FROM \"Order\"",
    "SELECT x'1F', b'101'",
    "SELECT - -1, 2 * -3",
    "SELECT md5('a'), coalesce(NULL, 1), jsonb_agg(t) FROM t",
    "SELECT to_regclass('t'), 't'::regclass, current_setting('max_connections')",
    "SELECT * FROM information_schema.tables INTERSECT SELECT * FROM other",
];

const WRITES: &[&str] = &[
    // Other statements.
    "INSERT INTO t VALUES (1)",
    "UPDATE t SET a = 1",
    "DELETE FROM t",
    "MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN DELETE",
    "TRUNCATE t",
    "DROP TABLE x",
    "CREATE TABLE x (a int)",
    "CREATE TABLE x AS SELECT 1",
    "ALTER SYSTEM SET work_mem = '1GB'",
    "GRANT ALL ON t TO public",
    "COPY t TO PROGRAM 'sh'",
    "COPY (SELECT 1) TO '/tmp/x'",
    "COPY t FROM '/etc/passwd'",
    "DO $$ BEGIN PERFORM 1; END $$",
    "CALL p()",
    "SET work_mem = '1GB'",
    "SET ROLE postgres",
    "RESET ALL",
    "LISTEN c",
    "NOTIFY c, 'x'",
    "VACUUM",
    "VACUUM (ANALYZE) t",
    "ANALYZE t",
    "ANALYZE DELETE FROM t",
    "REINDEX TABLE t",
    "CLUSTER t",
    "CHECKPOINT",
    "LOCK TABLE t",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "PREPARE p AS SELECT 1",
    "EXECUTE p",
    "DEALLOCATE p",
    "DECLARE c CURSOR FOR SELECT 1",
    "FETCH ALL FROM c",
    "DISCARD ALL",
    "LOAD 'auto_explain'",
    "REFRESH MATERIALIZED VIEW v",
    "COMMENT ON TABLE t IS 'x'",
    "DESCRIBE t",
    // Several.
    "SELECT 1; DROP TABLE x",
    "SELECT 1; SELECT 2",
    "SELECT 1;\n-- a comment\nDELETE FROM t",
    "SELECT $$;$$; DELETE FROM t",
    // Nothing.
    "",
    "   ",
    "-- SELECT 1",
    ";",
    // Writes within reads.
    "WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d",
    "WITH i AS (INSERT INTO t VALUES (1) RETURNING *) SELECT * FROM i",
    "WITH u AS (UPDATE t SET a = 1 RETURNING *) TABLE u",
    "WITH a AS (SELECT 1), b AS (WITH c AS (DELETE FROM t RETURNING 1) SELECT * FROM c) SELECT * FROM a",
    "SELECT * FROM (WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d) AS x",
    "SELECT (WITH d AS (DELETE FROM t RETURNING 1) SELECT 1)",
    "WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a",
    "WITH a AS (SELECT 1) DELETE FROM t",
    "WITH a AS (SELECT 1) UPDATE t SET x = 1",
    "SELECT 1 UNION SELECT 2 FROM (DELETE FROM t RETURNING 1) x",
    "SELECT * INTO x FROM t",
    "SELECT * INTO TEMP x FROM t",
    "SELECT 1 UNION SELECT a INTO x FROM t",
    "SELECT * FROM t FOR UPDATE",
    "SELECT * FROM t FOR SHARE",
    "SELECT * FROM t FOR NO KEY UPDATE",
    "SELECT * FROM t FOR KEY SHARE SKIP LOCKED",
    "SELECT * FROM (SELECT * FROM t FOR UPDATE) x",
    "WITH a AS (SELECT * FROM t FOR UPDATE NOWAIT) SELECT * FROM a",
    "(SELECT * FROM t) FOR UPDATE",
    // EXPLAIN that executes, or explains no read.
    "EXPLAIN ANALYZE SELECT 1",
    "EXPLAIN ANALYSE SELECT 1",
    "EXPLAIN ANALYZE DELETE FROM t",
    "EXPLAIN (ANALYZE) SELECT 1",
    "EXPLAIN (analyze true) DELETE FROM t",
    "EXPLAIN (VERBOSE, ANALYZE on) SELECT 1",
    "EXPLAIN (\"analyze\") SELECT 1",
    "EXPLAIN (ANALYSE) SELECT 1",
    "EXPLAIN (ANALYZE false, ANALYZE true) SELECT 1",
    "EXPLAIN VERBOSE ANALYZE SELECT 1",
    "EXPLAIN DELETE FROM t",
    "EXPLAIN CREATE TABLE x AS SELECT 1",
    "EXPLAIN EXECUTE p",
    "EXPLAIN WITH d AS (DELETE FROM t RETURNING 1) SELECT 1",
    "EXPLAIN t",
    // Functions that act.
    "SELECT pg_terminate_backend(1)",
    "SELECT PG_TERMINATE_BACKEND(1)",
    "SELECT pg_catalog.pg_terminate_backend(1)",
    "SELECT \"pg_terminate_backend\"(1)",
    "SELECT \"pg_catalog\".\"pg_terminate_backend\" (1)",
    "SELECT db.pg_catalog.pg_terminate_backend(1)",
    "SELECT pg_terminate_backend /* x */ (1)",
    "SELECT pg_terminate_backend\n-- x\n(1)",
    "SELECT pg_terminate_backend(1) FILTER (WHERE true)",
    "SELECT pg_terminate_backend(pid => 1)",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity",
    "SELECT * FROM pg_terminate_backend(1)",
    "SELECT * FROM pg_terminate_backend(1) WITH ORDINALITY AS f(a, b)",
    "SELECT * FROM ROWS FROM (pg_terminate_backend(1))",
    "SELECT * FROM t, LATERAL pg_terminate_backend(t.pid)",
    "SELECT * FROM t CROSS JOIN LATERAL (SELECT pg_terminate_backend(t.pid)) x",
    "SELECT 1 ORDER BY pg_terminate_backend(1)",
    "SELECT 1 GROUP BY pg_terminate_backend(1)",
    "SELECT 1 HAVING pg_terminate_backend(1)",
    "SELECT 1 LIMIT pg_terminate_backend(1)::int",
    "SELECT 1 WHERE pg_terminate_backend(1)",
    "SELECT CASE WHEN pg_terminate_backend(1) THEN 1 END",
    "SELECT coalesce(NULL, pg_terminate_backend(1))",
    "SELECT ARRAY[pg_terminate_backend(1)], ROW(pg_cancel_backend(1))",
    "SELECT sum(1) OVER (ORDER BY pg_terminate_backend(1))",
    "SELECT x[pg_terminate_backend(1)::int] FROM t",
    "SELECT 1 IN (SELECT pg_cancel_backend(1)::int)",
    "SELECT * FROM a JOIN b ON pg_terminate_backend(1)",
    "VALUES (pg_terminate_backend(1))",
    "WITH a AS (SELECT pg_terminate_backend(1)) SELECT 1",
    "EXPLAIN SELECT pg_terminate_backend(1)",
    "SELECT 1 UNION ALL SELECT pg_reload_conf()::int",
    // Attribute notation: PostgreSQL calls the function.
    "SELECT (1).pg_terminate_backend",
    "SELECT (1).\"pg_terminate_backend\"",
    "SELECT t.pg_terminate_backend FROM generate_series(1, 1) t",
    "SELECT $1.pg_sleep",
    "SELECT (ARRAY[1])[1].pg_sleep",
    "SELECT ('s'::regclass).nextval",
    // The rest of the list.
    "SELECT pg_reload_conf()",
    "SELECT pg_rotate_logfile()",
    "SELECT pg_promote()",
    "SELECT pg_switch_wal()",
    "SELECT pg_create_restore_point('x')",
    "SELECT pg_start_backup('x')",
    "SELECT pg_backup_start('x')",
    "SELECT pg_wal_replay_pause()",
    "SELECT pg_create_logical_replication_slot('a', 'b')",
    "SELECT pg_create_physical_replication_slot('a')",
    "SELECT pg_drop_replication_slot('a')",
    "SELECT pg_replication_origin_create('a')",
    "SELECT pg_logical_emit_message(true, 'a', 'b')",
    "SELECT pg_notify('a', 'b')",
    "SELECT set_config('a.b', 'c', false)",
    "SELECT setval('s', 1)",
    "SELECT nextval('s')",
    "SELECT lo_unlink(1)",
    "SELECT lo_export(1, '/tmp/x')",
    "SELECT lo_from_bytea(0, '')",
    "SELECT dblink_exec('x', 'DROP TABLE t')",
    "SELECT * FROM dblink('x', 'SELECT 1') AS t(a int)",
    "SELECT pg_advisory_lock(1)",
    "SELECT pg_try_advisory_xact_lock(1)",
    "SELECT pg_advisory_unlock_all()",
    "SELECT pg_sleep(1)",
    "SELECT pg_sleep_for('1 s')",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_read_binary_file('x')",
    "SELECT pg_ls_dir('.')",
    "SELECT pg_ls_waldir()",
    "SELECT pg_stat_file('x')",
    "SELECT pg_stat_reset()",
    "SELECT pg_stat_reset_shared('wal')",
    "SELECT pg_stat_statements_reset()",
    "SELECT txid_current()",
    "SELECT pg_current_xact_id()",
    "SELECT query_to_xml('DELETE FROM t', true, true, '')",
    "SELECT query_to_xml_and_xmlschema('SELECT 1', true, true, '')",
    "SELECT table_to_xml('t', true, true, '')",
    "SELECT cursor_to_xml('c', 1, true, true, '')",
    "SELECT database_to_xml(true, true, '')",
    "SELECT schema_to_xml('s', true, true, '')",
    "SELECT * FROM ts_stat('SELECT nextval(''s'')')",
    "SELECT ts_rewrite('a', 'SELECT 1')",
    "SELECT pg_export_snapshot()",
    "SELECT pg_log_backend_memory_contexts(1)",
    "SELECT pg_prewarm('t')",
    "SELECT heap_force_kill('t', ARRAY['(0,1)']::tid[])",
    "SELECT ('x'::text).pg_file_unlink",
    "SELECT bt_index_parent_check('i')",
    "SELECT gin_clean_pending_list('i')",
    "SELECT cron.schedule('* * * * *', 'DELETE FROM t')",
    "SELECT pg_never_heard_of(1)",
    // Text that hides.
    "SELECT U&\"pg\\005fterminate_backend\"(1)",
    "SELECT u&\"pg!005fsleep\" UESCAPE '!' (1)",
    "SELECT U&'a' || 'b'",
    "SELECT E'a'\n'\\'', pg_terminate_backend(1) --'",
    "SELECT true <-- '\n pg_terminate_backend(1) --'",
    "SELECT 1 @/* ' */ , pg_terminate_backend(1) /* '",
    "SELECT $€$ ' $€$, pg_terminate_backend(1), $€$ ' $€$",
    "SELECT $1$ , pg_terminate_backend(1), $1$",
    "SELECT b\"x\", 1",
    "SELECT X'\\', pg_terminate_backend(1), X'\\'",
    "SELECT 1 -- x\r, pg_terminate_backend(1)",
    "SELECT ?",
    "SELECT `a`",
    // What does not parse.
    "TABLE t; DROP TABLE t",
    "(TABLE t) FOR UPDATE",
    "SELEC 1",
    "SELECT 'open",
    "SELECT (1",
    "SELECT 1 FROM t |> WHERE true",
    "hello world",
    "\u{feff}DELETE FROM t",
];

#[test]
fn reads_pass() {
    for statement in READS {
        if let Err(failure) = check(statement) {
            panic!("{statement}\n  {failure}");
        }
    }
    assert!(READS.len() >= 40);
}

#[test]
fn everything_else_is_a_bad_argument_with_a_remedy() {
    for statement in WRITES {
        let failure = check(statement).expect_err(statement);
        assert_eq!(failure.kind, Kind::BadArgument, "{statement}");
        assert!(failure.hint.is_some() || failure.message.contains("empty"), "{statement}: {failure}");
        assert!(!failure.message.contains('\n'), "{statement}: {failure}");
    }
    assert!(WRITES.len() >= 60);
}

#[test]
fn a_refusal_says_what_and_where() {
    let said = |statement: &str| {
        let failure = check(statement).unwrap_err();
        format!("{}; {}", failure.message, failure.hint.unwrap_or_default())
    };
    let remedy = "`sql` only reads; a change is `sql_execute`";
    assert_eq!(
        said("SELECT 1,\n  pg_terminate_backend(7)"),
        format!("`pg_terminate_backend` acts on the server (line 2, column 3 of the statement); {remedy}")
    );
    assert_eq!(said("delete from t"), format!("DELETE is not a read (line 1, column 1 of the statement); {remedy}"));
    assert_eq!(
        said("WITH d AS (DELETE FROM t WHERE ssn = '123' RETURNING *) SELECT * FROM d"),
        format!("DELETE is not a read (line 1, column 1 of the statement); {remedy}")
    );
    assert_eq!(
        said("SELECT pg_sleep(1)"),
        "`pg_sleep` holds the connection (line 1, column 8 of the statement); wait in the script: `sleep(\"30s\")`"
    );
    assert_eq!(said("SELECT 1; SELECT 2"), "2 statements were given; `sql` takes one; call `sql` once for each");
    assert!(said("selec 1").ends_with("; did you mean `SELECT`?"));
    assert!(said("SELECT (1").contains("(line 1, column 10 of the statement)"), "{}", said("SELECT (1"));
    assert!(said("EXPLAIN (ANALYZE) SELECT 1").contains("leave ANALYZE out"));
}

#[test]
fn deep_and_long_statements_end_in_an_answer() {
    for length in [500, 15_000] {
        check(&format!("SELECT {}1", "1 + ".repeat(length))).unwrap();
    }
    check(&format!("SELECT 1 WHERE {}true", "a OR ".repeat(12_000))).unwrap();
    check(&format!("SELECT 1{}", " UNION SELECT 1".repeat(4_000))).unwrap();
    for open in ["(", "SELECT (", "NOT ", "- ", "[", "CASE WHEN ", "a.", "/*"] {
        let failure = check(&format!("SELECT {}", open.repeat(60_000 / open.len()))).unwrap_err();
        assert_eq!(failure.kind, Kind::BadArgument, "{open}");
    }
    for (open, close) in [("(", ")"), ("f(", ")"), ("a[", "]"), ("(SELECT ", ")"), ("CASE WHEN (", ") THEN 1 END")] {
        check(&format!("SELECT {}1{}", open.repeat(20), close.repeat(20))).unwrap();
        assert!(check(&format!("SELECT {}1{}", open.repeat(49), close.repeat(49))).unwrap_err().message.contains("nested too deep"));
    }
    let failure = check(&format!("SELECT '{}'", "x".repeat(70_000))).unwrap_err();
    assert!(failure.message.contains("70009 bytes"), "{failure}");
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC*") {
        let _ = check(&text);
    }

    #[test]
    fn no_soup_of_sql_makes_it_panic(words in prop::collection::vec(
        prop::sample::select(vec![
            "SELECT", "FROM", "WITH", "AS", "(", ")", ",", "t", "1", "'a'", "\"q\"", "$1", "$$x$$", "E'\\'", "--", "/*", "*/", "\n",
            "::", ".", "*", "UNION", "EXPLAIN", "SHOW", "TABLE", "VALUES", "JOIN", "LATERAL", "[", "]", "CASE", "END", "FOR", "INTO", ";",
            "DELETE", "RETURNING", "pg_sleep", "U&", "\\", "$", "->", "@>",
        ]), 0..40)
    ) {
        let _ = check(&words.join(" "));
        let _ = check(&words.concat());
    }

    #[test]
    fn a_function_that_acts_is_found_wherever_it_stands(before in "[a-z0-9 ,.()+*=<>'\"$-]{0,20}", after in "[a-z0-9 ,.()+*=<>'\"-]{0,20}") {
        // Either it is refused, or the call lies in a string, a quoted name or a comment.
        let statement = format!("SELECT {before} pg_terminate_backend(1) {after}");
        if check(&statement).is_ok() {
            let hides = before.contains('\'') || before.contains('"') || before.contains('$') || before.contains("--");
            prop_assert!(hides, "{statement}");
        }
    }
}
