//! Failures: one type for everything that a call can end in.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::suggest;

/// The kinds of failure that a script can tell apart (`e.kind`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The call itself is wrong: a type, a range, an unknown option, a statement that writes.
    BadArgument,
    /// The target does not exist.
    NotFound,
    /// Our own policy forbids it; latched, so that no script can go on after it.
    Denied,
    /// The server forbids it.
    Forbidden,
    /// A person said no, or nobody was there to say yes.
    NotConfirmed,
    /// Nothing answers there, or it answers that it cannot now.
    Unavailable,
    /// No answer in time.
    Timeout,
    /// The credentials are wrong or have expired.
    Auth,
    /// Somebody else changed it first.
    Conflict,
    /// The answer is larger than a script may hold.
    TooLarge,
    /// It was tried, and it failed.
    Failed,
    /// It was sent, and nobody knows whether it happened.
    InDoubt,
    /// A person or the machine stopped the run; latched.
    Cancelled,
    /// The script made another call than the recording; latched.
    Diverged,
    /// The record cannot be written, so nothing more may be changed; latched.
    JournalLost,
}

impl Kind {
    /// All kinds, in the order of the documentation.
    pub const ALL: [Kind; 15] = [
        Kind::BadArgument,
        Kind::NotFound,
        Kind::Denied,
        Kind::Forbidden,
        Kind::NotConfirmed,
        Kind::Unavailable,
        Kind::Timeout,
        Kind::Auth,
        Kind::Conflict,
        Kind::TooLarge,
        Kind::Failed,
        Kind::InDoubt,
        Kind::Cancelled,
        Kind::Diverged,
        Kind::JournalLost,
    ];

    /// The name that scripts, journals and documentation use.
    pub fn name(self) -> &'static str {
        match self {
            Kind::BadArgument => "bad_argument",
            Kind::NotFound => "not_found",
            Kind::Denied => "denied",
            Kind::Forbidden => "forbidden",
            Kind::NotConfirmed => "not_confirmed",
            Kind::Unavailable => "unavailable",
            Kind::Timeout => "timeout",
            Kind::Auth => "auth",
            Kind::Conflict => "conflict",
            Kind::TooLarge => "too_large",
            Kind::Failed => "failed",
            Kind::InDoubt => "in_doubt",
            Kind::Cancelled => "cancelled",
            Kind::Diverged => "diverged",
            Kind::JournalLost => "journal_lost",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Kind> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether trying the same again later can help.
    pub fn retryable(self) -> bool {
        matches!(self, Kind::Unavailable | Kind::Timeout | Kind::Conflict)
    }

    /// Whether the run is over, whatever the script catches.
    pub fn latches(self) -> bool {
        matches!(self, Kind::Denied | Kind::Cancelled | Kind::Diverged | Kind::JournalLost)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether a request had left when the failure came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sent {
    /// Nothing left this machine, or the server said that it did nothing.
    #[default]
    No,
    /// It was sent and the server answered.
    Yes,
    /// It was sent, and no answer came.
    Unknown,
    /// It was sent and done, and what was answered cannot be had.
    Done,
}

impl Sent {
    const ALL: [Sent; 4] = [Sent::No, Sent::Yes, Sent::Unknown, Sent::Done];

    /// As scripts and journals know it: `unknown`.
    pub fn name(self) -> &'static str {
        match self {
            Sent::No => "no",
            Sent::Yes => "yes",
            Sent::Unknown => "unknown",
            Sent::Done => "done",
        }
    }

    /// The one of that name.
    pub fn from_name(name: &str) -> Option<Sent> {
        Self::ALL.into_iter().find(|sent| sent.name() == name)
    }
}

/// What a call ends in when it does not succeed. `message` and `hint` are masked before they are shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// What sort of failure.
    pub kind: Kind,
    /// What happened, on one line, without a full stop.
    pub message: String,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// What it happened to, in the script's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Whether the request had left.
    #[serde(default)]
    pub sent: Sent,
}

impl Failure {
    /// A failure of a kind, with a message, of something that was not sent.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, target: None, sent: Sent::No }
    }

    /// A wrong argument.
    pub fn bad_argument(message: impl Into<String>) -> Self {
        Self::new(Kind::BadArgument, message)
    }

    /// An unknown name, with the nearest right one or the known ones as the hint.
    pub fn unknown<'a>(what: &str, name: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        let mut failure = Self::bad_argument(format!("unknown {what} {name:?}"));
        failure.hint = suggest::hint(name, known);
        failure
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds what it happened to, unless that is known already.
    #[must_use]
    pub fn on(mut self, target: impl Into<String>) -> Self {
        self.target.get_or_insert_with(|| target.into());
        self
    }

    /// Of a change that is done, though what it answered cannot be had.
    #[must_use]
    pub fn done(self) -> Self {
        let again = self.hint.map(|hint| format!("; another time: {hint}")).unwrap_or_default();
        let hint = format!("do not repeat it for its answer: look at the target{again}");
        Self { message: format!("{}; what was asked for is done", self.message), hint: Some(hint), sent: Sent::Done, ..self }
    }

    /// Says whether the request had left.
    #[must_use]
    pub fn sent(mut self, sent: Sent) -> Self {
        self.sent = sent;
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_one_name_and_is_found_by_it() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_name(kind.name()), Some(kind));
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("{:?}", kind.name()));
        }
    }

    #[test]
    fn an_unknown_name_says_the_nearest() {
        let failure = Failure::unknown("option", "timeot", ["timeout", "namespace"]);
        assert_eq!(failure.message, "unknown option \"timeot\"");
        assert_eq!(failure.hint.as_deref(), Some("did you mean `timeout`?"));
    }
}
