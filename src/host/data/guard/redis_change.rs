//! What one Redis command that may change something is: whether a connection that all calls share can have it, and how grave it is.

use crate::model::{Failure, Tier, text};

/// Commands that a shared connection cannot have, or that never answer, and what to do instead.
const REFUSED: &[(&str, &str)] = &[
    ("SUBSCRIBE", MESSAGES),
    ("PSUBSCRIBE", MESSAGES),
    ("SSUBSCRIBE", MESSAGES),
    ("UNSUBSCRIBE", MESSAGES),
    ("PUNSUBSCRIBE", MESSAGES),
    ("SUNSUBSCRIBE", MESSAGES),
    ("MONITOR", "it never ends, and shows every client's data; `redis(…, [\"SLOWLOG\", \"GET\"])` shows slow commands"),
    ("SYNC", "it makes a replica of the connection"),
    ("PSYNC", "it makes a replica of the connection"),
    ("REPLCONF", "it makes a replica of the connection"),
    ("MULTI", TOGETHER),
    ("EXEC", TOGETHER),
    ("DISCARD", TOGETHER),
    ("WATCH", TOGETHER),
    ("UNWATCH", TOGETHER),
    ("SELECT", "the database's number stands in its `url`: `redis://host:6379/2`"),
    ("AUTH", "the database's `password` in runbook.toml says who logs in"),
    ("HELLO", STATE),
    ("RESET", STATE),
    ("QUIT", STATE),
    ("READONLY", STATE),
    ("READWRITE", STATE),
    ("ASKING", STATE),
];

const MESSAGES: &str = "the connection is shared, and no call waits for messages; `PUBLISH` sends one";
const TOGETHER: &str =
    "the connection is shared: what belongs together is one command, such as `MSET`, `SET … NX`, `HSET` of several fields";
const STATE: &str = "the connection is shared: no call alters its state";

/// Subcommands that are refused for the same reason.
const REFUSED_PARTS: &[(&str, &[&str], &str)] = &[
    ("CLIENT", &["REPLY", "SETNAME", "SETINFO", "TRACKING", "CACHING", "NO-EVICT", "NO-TOUCH"], STATE),
    ("SCRIPT", &["DEBUG"], "it stops the server at each line"),
];

/// Commands that wait, and where their timeout in seconds or milliseconds stands: the first argument, the last, or behind a word.
const BLOCKING: &[(&str, Timeout)] = &[
    ("BLPOP", Timeout::Last),
    ("BRPOP", Timeout::Last),
    ("BRPOPLPUSH", Timeout::Last),
    ("BLMOVE", Timeout::Last),
    ("BZPOPMIN", Timeout::Last),
    ("BZPOPMAX", Timeout::Last),
    ("WAIT", Timeout::Last),
    ("WAITAOF", Timeout::Last),
    ("BLMPOP", Timeout::First),
    ("BZMPOP", Timeout::First),
    ("XREAD", Timeout::Behind("BLOCK")),
    ("XREADGROUP", Timeout::Behind("BLOCK")),
];

#[derive(Clone, Copy)]
enum Timeout {
    First,
    Last,
    Behind(&'static str),
}

/// Commands after which something large is gone, stopped or run: the whole, or with one of these subcommands.
const SEVERE: &[(&str, &[&str])] = &[
    ("ACL", &["DELUSER", "LOAD", "SAVE", "SETUSER"]),
    ("CLIENT", &["PAUSE"]),
    (
        "CLUSTER",
        &[
            "ADDSLOTS",
            "ADDSLOTSRANGE",
            "DELSLOTS",
            "DELSLOTSRANGE",
            "FAILOVER",
            "FLUSHSLOTS",
            "FORGET",
            "MEET",
            "REPLICATE",
            "RESET",
            "SET-CONFIG-EPOCH",
            "SETSLOT",
        ],
    ),
    ("CONFIG", &["SET", "REWRITE"]),
    ("DEBUG", &[]),
    ("EVAL", &[]),
    ("EVALSHA", &[]),
    ("EVALSHA_RO", &[]),
    ("EVAL_RO", &[]),
    ("FAILOVER", &[]),
    ("FCALL", &[]),
    ("FCALL_RO", &[]),
    ("FLUSHALL", &[]),
    ("FLUSHDB", &[]),
    ("FUNCTION", &["DELETE", "FLUSH", "LOAD", "RESTORE"]),
    ("KEYS", &[]),
    ("MIGRATE", &[]),
    ("MODULE", &["LOAD", "LOADEX", "UNLOAD"]),
    ("REPLICAOF", &[]),
    ("SAVE", &[]),
    ("SHUTDOWN", &[]),
    ("SLAVEOF", &[]),
    ("SWAPDB", &[]),
];

/// Judges a command: how grave it is. Errors are `bad_argument`.
pub fn judge(words: &[&str]) -> Result<Tier, Failure> {
    let Some((verb, args)) = words.split_first() else {
        return Err(Failure::bad_argument("the command is empty").hint("write `[\"DEL\", \"session:1\"]`"));
    };
    let verb = verb.to_ascii_uppercase();
    let part = args.first().map(|part| part.to_ascii_uppercase()).unwrap_or_default();
    let refused = |what: &str, instead: &str| {
        Err(Failure::bad_argument(format!("`redis_execute` does not take {}", text::short(what, 60))).hint(instead))
    };
    if verb.is_empty() || verb.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(Failure::bad_argument(format!("{:?} is no Redis command", text::short(&verb, 60)))
            .hint("each word is an item of its own: `[\"DEL\", \"session:1\"]`"));
    }
    if let Some((_, instead)) = REFUSED.iter().find(|(name, _)| *name == verb) {
        return refused(&verb, instead);
    }
    if let Some((.., instead)) = REFUSED_PARTS.iter().find(|(name, parts, _)| *name == verb && parts.contains(&part.as_str())) {
        return refused(&format!("{verb} {part}"), instead);
    }
    if let Some((_, place)) = BLOCKING.iter().find(|(name, _)| *name == verb) {
        let timeout = match place {
            Timeout::First => args.first(),
            Timeout::Last => args.last(),
            Timeout::Behind(word) => match args.iter().position(|arg| arg.eq_ignore_ascii_case(word)) {
                Some(at) => args.get(at + 1),
                None => return Ok(Tier::Moderate),
            },
        };
        if !timeout.and_then(|timeout| timeout.parse::<f64>().ok()).is_some_and(|timeout| timeout > 0.0) {
            return refused(
                &format!("{verb} without a timeout"),
                "it would hold the connection that all calls share for ever: give it a timeout above 0, or `retry` the command that does not wait",
            );
        }
    }
    let severe = SEVERE.iter().any(|(name, parts)| *name == verb && (parts.is_empty() || parts.contains(&part.as_str())));
    Ok(if severe { Tier::Severe } else { Tier::Moderate })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(command: &str) -> Result<Tier, Failure> {
        judge(&command.split(' ').collect::<Vec<_>>())
    }

    #[test]
    fn tiers_follow_from_what_a_command_does() {
        for moderate in [
            "SET a 1",
            "del a",
            "EXPIRE a 60",
            "CLIENT KILL ID 7",
            "CONFIG RESETSTAT",
            "BLPOP a 1",
            "WAIT 1 100",
            "XREADGROUP GROUP g c STREAMS s >",
        ] {
            assert_eq!(judged(moderate), Ok(Tier::Moderate), "{moderate}");
        }
        for severe in [
            "FLUSHALL",
            "flushdb",
            "SHUTDOWN NOSAVE",
            "config set maxmemory 1",
            "DEBUG SLEEP 1",
            "REPLICAOF NO ONE",
            "EVAL x 0",
            "FUNCTION FLUSH",
        ] {
            assert_eq!(judged(severe), Ok(Tier::Severe), "{severe}");
        }
    }

    #[test]
    fn what_a_shared_connection_cannot_have_is_refused_with_what_to_do() {
        for (command, says) in [
            ("SUBSCRIBE c", "does not take SUBSCRIBE"),
            ("MONITOR", "does not take MONITOR"),
            ("MULTI", "does not take MULTI"),
            ("WATCH a", "does not take WATCH"),
            ("client reply off", "does not take CLIENT REPLY"),
            ("RESET", "does not take RESET"),
            ("HELLO 3", "does not take HELLO"),
            ("SELECT 2", "does not take SELECT"),
            ("BLPOP a 0", "does not take BLPOP without a timeout"),
            ("BLMPOP 0 1 a LEFT", "does not take BLMPOP without a timeout"),
            ("XREAD BLOCK 0 STREAMS s $", "does not take XREAD without a timeout"),
            ("WAIT 1 0", "does not take WAIT without a timeout"),
        ] {
            let failure = judged(command).unwrap_err();
            assert!(failure.message.contains(says) && failure.hint.is_some(), "{command}: {failure:?}");
        }
        assert!(judge(&[]).is_err() && judge(&["SET a 1"]).is_err() && judge(&[""]).is_err());
    }
}
