use super::*;

#[track_caller]
fn tier(text: &str) -> Tier {
    judge(text).unwrap_or_else(|failure| panic!("{text}: {failure:?}")).tier
}

#[test]
fn tiers_follow_from_what_a_statement_does() {
    for moderate in [
        "INSERT INTO t VALUES (1)",
        "UPDATE t SET a = 1 WHERE id = $1",
        "DELETE FROM t WHERE id = $1 RETURNING id;",
        "MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN DELETE",
        "WITH old AS (SELECT id FROM t WHERE at < now()) DELETE FROM t WHERE id IN (SELECT id FROM old)",
        "ANALYZE",
        "VACUUM t",
        "CREATE INDEX CONCURRENTLY i ON t (a)",
        "REFRESH MATERIALIZED VIEW CONCURRENTLY v",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction'",
        "SELECT pg_terminate_backend($1)",
        "CALL archive($1)",
    ] {
        assert_eq!(tier(moderate), Tier::Moderate, "{moderate}");
    }
    for severe in [
        "DELETE FROM t",
        "DELETE FROM t WHERE true",
        "DELETE FROM t WHERE (1 = 1)",
        "UPDATE t SET a = 1",
        "WITH gone AS (DELETE FROM t RETURNING *) SELECT count(*) FROM gone WHERE a = 1",
        "EXPLAIN ANALYZE DELETE FROM t",
        "TRUNCATE t",
        "DROP TABLE t",
        "ALTER TABLE t ADD COLUMN b int",
        "REINDEX TABLE t",
        "VACUUM FULL t",
        "VACUUM (FULL, VERBOSE) t",
        "DO $$ BEGIN PERFORM 1; END $$",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity",
        "SELECT dblink_exec('host=other', 'DROP TABLE t') WHERE 1 = 2",
        "ROLLBACK PREPARED 'x'",
        "UPDATE t SET a = 1 WHERE CURRENT OF OF c",
    ] {
        assert_eq!(tier(severe), Tier::Severe, "{severe}");
    }
}

#[test]
fn one_statement_of_those_that_a_shared_connection_can_have() {
    for (text, says) in [
        ("", "the statement is empty"),
        (" ;; ", "the statement is empty"),
        ("DELETE FROM t WHERE a = 1; DROP TABLE t", "a second statement begins at line 1, column 28"),
        ("DELETE FROM t WHERE a = 'x'';' ; -- c\n DROP TABLE t", "a second statement begins at line 2"),
        ("BEGIN", "does not take BEGIN"),
        ("COMMIT", "does not take COMMIT"),
        ("SET statement_timeout = 0", "does not take SET"),
        ("COPY t TO PROGRAM 'sh -c id'", "does not take COPY"),
        ("COPY t FROM '/etc/passwd'", "does not take COPY"),
        ("\\! id", ""),
        ("\\copy t to 'x'", ""),
        ("DELET FROM t", "\"DELET\" begins no statement"),
        ("SELECT 1 FROM t WHERE a = U&'\\0041'", "`sql_execute` does not take"),
        ("LISTEN x", "does not take LISTEN"),
        ("PREPARE x AS DELETE FROM t", "does not take PREPARE"),
    ] {
        let failure = judge(text).unwrap_err();
        assert!(failure.message.contains(says), "{text}: {failure:?}");
    }
    assert!(judge("DELETE FROM t WHERE a = ';' AND b = $x$;$x$ /* ; */;").is_ok());
}

#[test]
fn what_cannot_stand_in_a_transaction_is_known() {
    let alone = |text| judge(text).unwrap().alone;
    for text in [
        "VACUUM",
        "CREATE INDEX CONCURRENTLY i ON t (a)",
        "DROP INDEX CONCURRENTLY i",
        "REINDEX DATABASE d",
        "REINDEX TABLE CONCURRENTLY t",
    ] {
        assert!(alone(text), "{text}");
    }
    for text in ["ALTER SYSTEM SET work_mem = '8MB'", "CREATE DATABASE d", "COMMIT PREPARED 'x'", "CLUSTER"] {
        assert!(alone(text), "{text}");
    }
    for text in ["ANALYZE t", "CREATE INDEX i ON t (a)", "REINDEX TABLE t", "UPDATE t SET a = 1", "CLUSTER t USING i", "TRUNCATE t"] {
        assert!(!alone(text), "{text}");
    }
}

#[test]
fn only_what_was_seen_as_one_change_of_rows_is_explained() {
    let explainable = |text| judge(text).unwrap().explainable;
    for text in [
        "INSERT INTO t SELECT * FROM s",
        "UPDATE t SET a = 1",
        "WITH x AS (SELECT 1 AS a) DELETE FROM t USING x WHERE t.a = x.a",
        "MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN DELETE",
    ] {
        assert!(explainable(text), "{text}");
    }
    for text in [
        "ANALYZE DELETE",
        "ANALYZE t",
        "EXPLAIN ANALYZE DELETE FROM t",
        "EXPLAIN DELETE FROM t",
        "SELECT f()",
        "TRUNCATE t",
        "WITH a AS (DELETE FROM t RETURNING *) INSERT INTO s SELECT * FROM a",
        "CREATE TABLE x AS SELECT 1",
    ] {
        assert!(!explainable(text), "{text}");
    }
    // ANALYZE takes a list of tables: this is none, and no prefix may make it an execution.
    assert_eq!(judge("ANALYZE DELETE FROM t").map(|change| change.explainable), Ok(false));
}

#[test]
fn the_rows_of_a_plain_predicate_are_counted() {
    let counted = |text| judge(text).unwrap().counted;
    let query = |text: &str, params: &[usize]| Some((text.to_owned(), params.to_vec()));
    assert_eq!(
        counted("UPDATE shop.orders AS o SET paid = $1 WHERE o.id = $3 OR o.ref = $2 OR o.old = $3"),
        query("SELECT count(*) AS rows FROM shop.orders AS o WHERE o.id = $1 OR o.ref = $2 OR o.old = $1", &[2, 1])
    );
    assert_eq!(counted("DELETE FROM t WHERE a > 1"), query("SELECT count(*) AS rows FROM t WHERE a > 1", &[]));
    for text in [
        "DELETE FROM t",
        "DELETE FROM t USING s WHERE t.a = s.a",
        "UPDATE t SET a = 1 FROM s WHERE t.a = s.a",
        "DELETE FROM t WHERE a = nextval('s')",
        "DELETE FROM t WHERE pg_terminate_backend(a)",
        "WITH x AS (SELECT 1) DELETE FROM t WHERE a = 1",
        "INSERT INTO t VALUES (1)",
    ] {
        assert_eq!(counted(text), None, "{text}");
    }
}
