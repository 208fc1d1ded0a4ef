//! Lets one Redis command that only reads through, by command and subcommand.
//!
//! The table is built in: a server that labels a command `readonly` may only narrow it. Not here though they read:
//! `KEYS` blocks the server, `PFCOUNT` may rewrite its cache, `TOUCH` and `GETEX` alter the key's life, `EVAL_RO` and
//! `FCALL_RO` run scripts, `DUMP` answers bytes, `MONITOR` and `SUBSCRIBE` never end, `SELECT` and `AUTH` alter the connection.

use crate::model::{Failure, suggest, text};

/// What a command takes.
enum Takes {
    /// Any arguments.
    Any,
    /// None of these words among its arguments, since they store or wait.
    Without(&'static [&'static str]),
    /// One of these subcommands; an empty one stands for none.
    One(&'static [&'static str]),
    /// Of these parameters, spelled out.
    Parameters(&'static [&'static str]),
}
use Takes::{Any, One, Parameters, Without};

/// Commands that only read.
const COMMANDS: &[(&str, Takes)] = &[
    ("ACL", One(&["WHOAMI", "CAT"])),
    ("BITCOUNT", Any),
    ("BITFIELD_RO", Any),
    ("BITPOS", Any),
    ("CLIENT", One(&["LIST", "INFO", "GETNAME", "ID", "GETREDIR", "TRACKINGINFO"])),
    (
        "CLUSTER",
        One(&[
            "INFO",
            "NODES",
            "SLOTS",
            "SHARDS",
            "LINKS",
            "MYID",
            "MYSHARDID",
            "REPLICAS",
            "KEYSLOT",
            "COUNTKEYSINSLOT",
            "GETKEYSINSLOT",
            "COUNT-FAILURE-REPORTS",
        ]),
    ),
    ("COMMAND", One(&["", "COUNT", "DOCS", "INFO", "LIST", "GETKEYS", "GETKEYSANDFLAGS"])),
    ("CONFIG", Parameters(CONFIG)),
    ("DBSIZE", Any),
    ("ECHO", Any),
    ("EXISTS", Any),
    ("EXPIRETIME", Any),
    ("FUNCTION", One(&["LIST", "STATS"])),
    ("GEODIST", Any),
    ("GEOHASH", Any),
    ("GEOPOS", Any),
    ("GEORADIUSBYMEMBER_RO", Any),
    ("GEORADIUS_RO", Any),
    ("GEOSEARCH", Any),
    ("GET", Any),
    ("GETBIT", Any),
    ("GETRANGE", Any),
    ("HEXISTS", Any),
    ("HEXPIRETIME", Any),
    ("HGET", Any),
    ("HGETALL", Any),
    ("HKEYS", Any),
    ("HLEN", Any),
    ("HMGET", Any),
    ("HPEXPIRETIME", Any),
    ("HPTTL", Any),
    ("HRANDFIELD", Any),
    ("HSCAN", Any),
    ("HSTRLEN", Any),
    ("HTTL", Any),
    ("HVALS", Any),
    ("INFO", Any),
    ("LASTSAVE", Any),
    ("LATENCY", One(&["LATEST", "HISTORY", "DOCTOR", "GRAPH", "HISTOGRAM"])),
    ("LCS", Any),
    ("LINDEX", Any),
    ("LLEN", Any),
    ("LPOS", Any),
    ("LRANGE", Any),
    ("MEMORY", One(&["USAGE", "STATS", "DOCTOR", "MALLOC-STATS"])),
    ("MGET", Any),
    ("MODULE", One(&["LIST"])),
    ("OBJECT", One(&["ENCODING", "FREQ", "IDLETIME", "REFCOUNT"])),
    ("PEXPIRETIME", Any),
    ("PING", Any),
    ("PTTL", Any),
    ("PUBSUB", One(&["CHANNELS", "NUMPAT", "NUMSUB", "SHARDCHANNELS", "SHARDNUMSUB"])),
    ("RANDOMKEY", Any),
    ("ROLE", Any),
    ("SCAN", Any),
    ("SCARD", Any),
    ("SCRIPT", One(&["EXISTS"])),
    ("SDIFF", Any),
    ("SINTER", Any),
    ("SINTERCARD", Any),
    ("SISMEMBER", Any),
    ("SLOWLOG", One(&["GET", "LEN"])),
    ("SMEMBERS", Any),
    ("SMISMEMBER", Any),
    ("SORT_RO", Without(&["STORE"])),
    ("SRANDMEMBER", Any),
    ("SSCAN", Any),
    ("STRLEN", Any),
    ("SUNION", Any),
    ("TIME", Any),
    ("TTL", Any),
    ("TYPE", Any),
    ("XINFO", One(&["STREAM", "GROUPS", "CONSUMERS"])),
    ("XLEN", Any),
    ("XPENDING", Any),
    ("XRANGE", Any),
    ("XREAD", Without(&["BLOCK"])),
    ("XREVRANGE", Any),
    ("ZCARD", Any),
    ("ZCOUNT", Any),
    ("ZDIFF", Any),
    ("ZINTER", Any),
    ("ZINTERCARD", Any),
    ("ZLEXCOUNT", Any),
    ("ZMSCORE", Any),
    ("ZRANDMEMBER", Any),
    ("ZRANGE", Any),
    ("ZRANGEBYLEX", Any),
    ("ZRANGEBYSCORE", Any),
    ("ZRANK", Any),
    ("ZREVRANGE", Any),
    ("ZREVRANGEBYLEX", Any),
    ("ZREVRANGEBYSCORE", Any),
    ("ZREVRANK", Any),
    ("ZSCAN", Any),
    ("ZSCORE", Any),
    ("ZUNION", Any),
];

/// The parameters that `CONFIG GET` may ask for. Others hold passwords (`requirepass`, `masterauth`, `tls-key-file-pass`),
/// and a pattern could match them.
const CONFIG: &[&str] = &[
    "activedefrag",
    "appendfsync",
    "appendonly",
    "auto-aof-rewrite-min-size",
    "auto-aof-rewrite-percentage",
    "cluster-enabled",
    "cluster-node-timeout",
    "databases",
    "hz",
    "io-threads",
    "latency-monitor-threshold",
    "lazyfree-lazy-eviction",
    "loglevel",
    "maxclients",
    "maxmemory",
    "maxmemory-policy",
    "maxmemory-samples",
    "min-replicas-max-lag",
    "min-replicas-to-write",
    "notify-keyspace-events",
    "port",
    "repl-backlog-size",
    "repl-timeout",
    "replica-priority",
    "replica-read-only",
    "save",
    "slowlog-log-slower-than",
    "slowlog-max-len",
    "stop-writes-on-bgsave-error",
    "tcp-backlog",
    "tcp-keepalive",
    "timeout",
];

/// Commands near to a reading one that are refused, and what to use instead.
const INSTEAD: &[(&str, &str)] = &[
    ("KEYS", "`KEYS` blocks the server while it looks; page with `[\"SCAN\", cursor, \"MATCH\", pattern, \"COUNT\", 1000]`"),
    ("BITFIELD", "use `BITFIELD_RO`"),
    ("GEORADIUS", "use `GEORADIUS_RO` or `GEOSEARCH`"),
    ("GEORADIUSBYMEMBER", "use `GEORADIUSBYMEMBER_RO` or `GEOSEARCH`"),
    ("SORT", "use `SORT_RO`"),
    ("SELECT", "the database's number belongs into its URL in runbook.toml: redis://host:6379/2"),
    ("SUBSTR", "use `GETRANGE`"),
];

/// Checks that a command only reads. Errors are `bad_argument` and name the nearest command that does.
pub fn check(command: &[String]) -> Result<(), Failure> {
    let Some(first) = command.first() else {
        return Err(Failure::bad_argument("the command is empty").hint("write `[\"LLEN\", \"queue\"]`"));
    };
    let name = first.to_ascii_uppercase();
    let Some((_, takes)) = COMMANDS.iter().find(|(known, _)| *known == name) else { return Err(unknown(&name)) };
    match takes {
        Any => Ok(()),
        Without(words) => {
            let found = command[1..].iter().find(|word| words.iter().any(|refused| word.eq_ignore_ascii_case(refused)));
            match found {
                Some(word) => Err(not_read(&format!("{name} … {}", word.to_ascii_uppercase())).hint(super::only_reads("redis"))),
                None => Ok(()),
            }
        }
        One(subcommands) => subcommand(&name, command.get(1), subcommands),
        Parameters(parameters) => {
            subcommand(&name, command.get(1), &["GET"])?;
            let asked = command.get(2..).unwrap_or_default();
            match asked.iter().find(|asked| !parameters.contains(&asked.to_ascii_lowercase().as_str())) {
                Some(other) => {
                    let message =
                        format!("{name} GET answers no {:?} here: it, or what it matches, may be a secret", text::short(other, 60));
                    let hint = suggest::nearest(other, parameters.iter().copied());
                    Err(Failure::bad_argument(message)
                        .hint(hint.map_or_else(|| format!("known: {}", parameters.join(", ")), |near| format!("did you mean `{near}`?"))))
                }
                None => Ok(()),
            }
        }
    }
}

fn subcommand(name: &str, given: Option<&String>, known: &[&str]) -> Result<(), Failure> {
    let given = given.map(|word| word.to_ascii_uppercase()).unwrap_or_default();
    if known.contains(&given.as_str()) {
        return Ok(());
    }
    let listed = known.iter().filter(|word| !word.is_empty()).map(|word| format!("{name} {word}")).collect::<Vec<_>>().join(", ");
    let whole = if given.is_empty() { format!("{name} alone") } else { format!("{name} {}", text::short(&given, 60)) };
    Err(not_read(&whole).hint(format!("{}; reads of it: {listed}", super::only_reads("redis"))))
}

fn unknown(name: &str) -> Failure {
    let failure = not_read(&text::short(name, 60));
    if let Some((_, instead)) = INSTEAD.iter().find(|(refused, _)| *refused == name) {
        return failure.hint(*instead);
    }
    // A write is seldom a slip of the pen, and SET is one letter from GET.
    let near = suggest::nearest(name, COMMANDS.iter().map(|(known, _)| *known)).filter(|_| !CHANGING.contains(&name));
    failure.hint(match near {
        Some(near) => format!("did you mean `{near}`? {}", super::only_reads("redis")),
        None => super::only_reads("redis"),
    })
}

fn not_read(what: &str) -> Failure {
    Failure::bad_argument(format!("{what} is not a read"))
}

/// Commands that change something and are a slip away from one that reads.
const CHANGING: &[&str] = &[
    "APPEND",
    "BITOP",
    "COPY",
    "DECR",
    "DEL",
    "EVAL",
    "EXEC",
    "EXPIRE",
    "GEOADD",
    "GETDEL",
    "GETEX",
    "GETSET",
    "HDEL",
    "HSET",
    "HMSET",
    "HSETNX",
    "INCR",
    "LMOVE",
    "LPOP",
    "LPUSH",
    "LREM",
    "LSET",
    "LTRIM",
    "MOVE",
    "MSET",
    "MULTI",
    "PERSIST",
    "PEXPIRE",
    "PFADD",
    "PFCOUNT",
    "PFMERGE",
    "PSETEX",
    "RENAME",
    "RESTORE",
    "RPOP",
    "RPUSH",
    "SADD",
    "SAVE",
    "SDIFFSTORE",
    "SET",
    "SETBIT",
    "SETEX",
    "SETNX",
    "SETRANGE",
    "SINTERSTORE",
    "SMOVE",
    "SPOP",
    "SREM",
    "SUNIONSTORE",
    "SYNC",
    "UNLINK",
    "WAIT",
    "XACK",
    "XADD",
    "XCLAIM",
    "XDEL",
    "XGROUP",
    "XREADGROUP",
    "XTRIM",
    "ZADD",
    "ZDIFFSTORE",
    "ZINCRBY",
    "ZINTERSTORE",
    "ZPOPMAX",
    "ZPOPMIN",
    "ZRANGESTORE",
    "ZREM",
    "ZUNIONSTORE",
];

#[cfg(test)]
#[path = "redis_tests.rs"]
mod tests;
