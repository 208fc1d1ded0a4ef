use proptest::prelude::*;

use super::{CHANGING, COMMANDS, check};
use crate::model::{Failure, Kind};

fn words(command: &str) -> Result<(), Failure> {
    check(&command.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
}

const READS: &[&str] = &[
    "GET a",
    "get a",
    "MGET a b",
    "STRLEN a",
    "GETRANGE a 0 9",
    "EXISTS a",
    "TTL a",
    "PTTL a",
    "TYPE a",
    "SCAN 0 MATCH x:* COUNT 1000",
    "DBSIZE",
    "LLEN queue",
    "LRANGE queue 0 9",
    "LINDEX q 0",
    "LPOS q x",
    "HGET h f",
    "HMGET h f g",
    "HGETALL h",
    "HLEN h",
    "HKEYS h",
    "HVALS h",
    "HEXISTS h f",
    "HSTRLEN h f",
    "HSCAN h 0",
    "SCARD s",
    "SMEMBERS s",
    "SISMEMBER s x",
    "SMISMEMBER s x y",
    "SRANDMEMBER s",
    "SSCAN s 0",
    "ZCARD z",
    "ZCOUNT z 0 1",
    "ZRANGE z 0 -1 WITHSCORES",
    "ZRANGEBYSCORE z -inf +inf",
    "ZSCORE z x",
    "ZRANK z x",
    "ZSCAN z 0",
    "XLEN x",
    "XRANGE x - +",
    "XINFO STREAM x",
    "XINFO GROUPS x",
    "XPENDING x g",
    "XREAD COUNT 2 STREAMS x 0",
    "BITCOUNT a",
    "GETBIT a 1",
    "BITFIELD_RO a GET u8 0",
    "GEOSEARCH g FROMLONLAT 1 1 BYRADIUS 1 km",
    "GEORADIUS_RO g 1 1 1 km",
    "OBJECT ENCODING a",
    "object freq a",
    "MEMORY USAGE a",
    "MEMORY STATS",
    "MEMORY DOCTOR",
    "INFO",
    "INFO stats",
    "INFO everything",
    "PING",
    "ECHO x",
    "TIME",
    "LASTSAVE",
    "ROLE",
    "COMMAND",
    "COMMAND COUNT",
    "COMMAND INFO get",
    "COMMAND GETKEYS SET a b",
    "CONFIG GET maxmemory",
    "config get MAXMEMORY-POLICY",
    "CONFIG GET maxmemory timeout save",
    "CLIENT LIST",
    "CLIENT INFO",
    "CLIENT ID",
    "SLOWLOG GET 10",
    "SLOWLOG LEN",
    "LATENCY LATEST",
    "LATENCY HISTORY command",
    "CLUSTER INFO",
    "CLUSTER NODES",
    "CLUSTER KEYSLOT a",
    "PUBSUB CHANNELS *",
    "PUBSUB NUMSUB a",
    "ACL WHOAMI",
    "MODULE LIST",
    "SORT_RO list BY weight_* LIMIT 0 5",
    "SCRIPT EXISTS abc",
    "FUNCTION LIST",
];

const REFUSED: &[&str] = &[
    "",
    "SET a b",
    "set a b",
    "SETEX a 1 b",
    "GETSET a b",
    "GETEX a EX 1",
    "GETDEL a",
    "DEL a",
    "UNLINK a",
    "EXPIRE a 1",
    "PERSIST a",
    "RENAME a b",
    "FLUSHALL",
    "FLUSHDB",
    "INCR a",
    "APPEND a b",
    "SETRANGE a 0 b",
    "LPUSH q x",
    "LPOP q",
    "BLPOP q 0",
    "LMOVE a b LEFT LEFT",
    "LTRIM q 0 1",
    "HSET h f v",
    "HDEL h f",
    "HINCRBY h f 1",
    "SADD s x",
    "SPOP s",
    "SREM s x",
    "SINTERSTORE d a b",
    "ZADD z 1 x",
    "ZPOPMIN z",
    "ZRANGESTORE d z 0 1",
    "XADD x * a b",
    "XACK x g 1",
    "XREADGROUP GROUP g c STREAMS x >",
    "XREAD BLOCK 0 STREAMS x 0",
    "XREAD block 5 STREAMS x 0",
    "XGROUP CREATE x g 0",
    "PFCOUNT p",
    "PFADD p x",
    "BITFIELD a SET u8 0 1",
    "SETBIT a 1 1",
    "BITOP AND d a b",
    "GEOADD g 1 1 x",
    "GEORADIUS g 1 1 1 km STORE d",
    "GEOSEARCHSTORE d g FROMLONLAT 1 1 BYRADIUS 1 km",
    "SORT list STORE d",
    "SORT list",
    "SORT_RO list STORE d",
    "KEYS *",
    "RANDOMKEYS",
    "EVAL return 0",
    "EVALSHA x 0",
    "EVAL_RO return 0",
    "EVALSHA_RO x 0",
    "FCALL f 0",
    "FCALL_RO f 0",
    "SCRIPT LOAD x",
    "SCRIPT FLUSH",
    "SCRIPT KILL",
    "SCRIPT",
    "FUNCTION LOAD x",
    "FUNCTION DELETE x",
    "FUNCTION RESTORE x",
    "FUNCTION KILL",
    "FUNCTION DUMP",
    "CONFIG SET maxmemory 1",
    "CONFIG REWRITE",
    "CONFIG RESETSTAT",
    "CONFIG",
    "CONFIG GET *",
    "CONFIG GET requirepass",
    "CONFIG GET masterauth",
    "CONFIG GET re*",
    "CONFIG GET maxmemory requirepass",
    "CONFIG GET tls-key-file-pass",
    "CONFIG GET max*",
    "CONFIG GET [r]equirepass",
    "CLIENT KILL ID 1",
    "CLIENT PAUSE 1000",
    "CLIENT SETNAME x",
    "CLIENT NO-EVICT ON",
    "CLIENT REPLY OFF",
    "CLIENT UNBLOCK 1",
    "CLIENT",
    "CLUSTER FAILOVER",
    "CLUSTER RESET",
    "CLUSTER FORGET x",
    "CLUSTER ADDSLOTS 1",
    "SLOWLOG RESET",
    "LATENCY RESET",
    "MEMORY PURGE",
    "ACL LIST",
    "ACL GETUSER default",
    "ACL SETUSER x",
    "ACL DELUSER x",
    "ACL LOG RESET",
    "ACL SAVE",
    "MODULE LOAD x",
    "MODULE UNLOAD x",
    "DEBUG SLEEP 1",
    "DEBUG SEGFAULT",
    "SHUTDOWN",
    "SHUTDOWN NOSAVE",
    "BGSAVE",
    "SAVE",
    "BGREWRITEAOF",
    "REPLICAOF NO ONE",
    "SLAVEOF a 1",
    "FAILOVER",
    "MONITOR",
    "SUBSCRIBE a",
    "PSUBSCRIBE *",
    "PUBLISH a b",
    "MULTI",
    "EXEC",
    "WATCH a",
    "SELECT 1",
    "AUTH x",
    "HELLO 3",
    "RESET",
    "QUIT",
    "SWAPDB 0 1",
    "MIGRATE h 1 a 0 1",
    "RESTORE a 0 x",
    "DUMP a",
    "COPY a b",
    "MOVE a 1",
    "TOUCH a",
    "WAIT 1 0",
    "READONLY",
    "PSYNC ? -1",
    "SYNC",
    "OBJECT HELP",
    "OBJECT",
    "XINFO",
    "LLENN q",
    "NOTHING a",
];

#[test]
fn reads_pass() {
    assert!(READS.len() >= 40);
    for command in READS {
        words(command).unwrap_or_else(|failure| panic!("{command}: {failure}"));
    }
    let bound = ["GET".to_owned(), "a\r\nSET b c".to_owned()];
    check(&bound).unwrap();
}

#[test]
fn everything_else_is_a_bad_argument_with_a_remedy() {
    assert!(REFUSED.len() >= 60);
    for command in REFUSED {
        let failure = words(command).expect_err(command);
        assert_eq!(failure.kind, Kind::BadArgument, "{command}");
        assert!(failure.hint.is_some(), "{command}: {failure}");
    }
    // Nothing is trimmed or split: a name is a name.
    for name in [" GET", "GET ", "GET\r\nSET", "GET a", "", "\0GET"] {
        assert!(check(&[name.to_owned(), "a".to_owned()]).is_err(), "{name:?}");
    }
}

#[test]
fn a_refusal_says_what_and_what_instead() {
    let said = |command: &str| {
        let failure = words(command).unwrap_err();
        format!("{}; {}", failure.message, failure.hint.unwrap_or_default())
    };
    let remedy = "`redis` only reads; a change is `redis_execute`";
    assert_eq!(said("set a b"), format!("SET is not a read; {remedy}"));
    assert_eq!(said("LLENN q"), format!("LLENN is not a read; did you mean `LLEN`? {remedy}"));
    assert_eq!(
        said("CLIENT kill ID 5").split(", ").next(),
        Some(&*format!("CLIENT KILL is not a read; {remedy}; reads of it: CLIENT LIST"))
    );
    assert!(said("KEYS *").contains("SCAN"));
    assert_eq!(
        said("CONFIG GET maxmemori"),
        "CONFIG GET answers no \"maxmemori\" here: it, or what it matches, may be a secret; did you mean `maxmemory`?"
    );
}

#[test]
fn the_tables_do_not_contradict_each_other() {
    for (name, _) in COMMANDS {
        assert!(!CHANGING.contains(name), "{name}");
        assert_eq!(*name, name.to_ascii_uppercase());
    }
}

proptest! {
    #[test]
    fn no_words_make_it_panic(words in prop::collection::vec(".{0,12}", 0..6)) {
        let _ = check(&words);
    }

    #[test]
    fn no_arguments_make_a_command_panic(number in 0..COMMANDS.len(), rest in prop::collection::vec(".{0,8}", 0..4)) {
        let mut words = vec![COMMANDS[number].0.to_owned()];
        words.extend(rest);
        let _ = check(&words);
    }
}
