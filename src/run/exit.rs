//! Exit codes, numbered once.

use crate::model::Kind;

/// All went well.
pub const OK: i32 = 0;
/// A step failed.
pub const FAILED: i32 = 1;
/// The command line, the script or the configuration is wrong; nothing was begun.
pub const USAGE: i32 = 2;
/// Credentials are missing, wrong or expired.
pub const AUTH: i32 = 4;
/// The policy denied it, or nobody confirmed it.
pub const DENIED: i32 = 6;
/// The replay diverged from its recording.
pub const DIVERGED: i32 = 7;
/// The journal cannot be written, or was tampered with.
pub const JOURNAL: i32 = 8;
/// Nobody knows whether a change happened.
pub const IN_DOUBT: i32 = 9;
/// A wait or an answer took too long.
pub const TIMEOUT: i32 = 124;
/// A person or the machine stopped it.
pub const INTERRUPTED: i32 = 130;

/// The status and the exit code of a run that ended in a failure.
pub fn of(kind: Kind) -> (&'static str, i32) {
    match kind {
        Kind::Auth => ("failed", AUTH),
        Kind::Denied | Kind::NotConfirmed => ("denied", DENIED),
        Kind::Diverged => ("diverged", DIVERGED),
        Kind::JournalLost => ("journal_lost", JOURNAL),
        Kind::InDoubt => ("in_doubt", IN_DOUBT),
        Kind::Timeout => ("timeout", TIMEOUT),
        Kind::Cancelled => ("cancelled", INTERRUPTED),
        Kind::BadArgument | Kind::NotFound | Kind::Forbidden | Kind::Unavailable | Kind::Conflict | Kind::TooLarge | Kind::Failed => {
            ("failed", FAILED)
        }
    }
}
