//! What went wrong with a request, in short words. The client's own errors hold URLs, so none is shown as it is.

use std::error::Error;
use std::io;

use crate::model::{Failure, Kind, Sent};
use crate::platform::egress::Refusal;

/// Why a request has no answer.
#[derive(Debug)]
pub(in super::super) struct Trouble {
    /// The kind of failure.
    pub(in super::super) kind: Kind,
    /// A few words: `connection refused`.
    pub(in super::super) text: String,
    /// What to do next.
    pub(in super::super) hint: Option<String>,
    /// Whether nothing of the request has left.
    pub(in super::super) before_sending: bool,
}

impl Trouble {
    /// A failure of this machine, or of what came back, as trouble with an answer.
    pub(in super::super) fn after(failure: Failure) -> Self {
        Self { kind: failure.kind, text: failure.message, hint: failure.hint, before_sending: false }
    }

    /// As the failure of what was asked.
    pub(in super::super) fn failure(self, asked: &str) -> Failure {
        // What is wrong with the call itself is no matter of the place that was asked.
        let message = if self.kind == Kind::BadArgument { self.text } else { format!("{asked}: {}", self.text) };
        let mut failure = Failure::new(self.kind, message);
        failure.hint = self.hint;
        failure.sent(if self.before_sending { Sent::No } else { Sent::Unknown })
    }
}

/// The errors behind an error, itself first.
pub(in super::super) fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    // Sources nest a handful deep; the bound keeps a cycle from hanging the run.
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (*error).source()).take(16)
}

/// An operating-system error in short words.
pub(in super::super) fn io_text(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".into(),
        io::ErrorKind::ConnectionReset => "connection reset".into(),
        // A tunnel says what the cluster said of its end.
        io::ErrorKind::ConnectionAborted if error.get_ref().is_some() => error.to_string(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof => "connection closed".into(),
        io::ErrorKind::TimedOut => "connection timed out".into(),
        io::ErrorKind::HostUnreachable => "no route to the host".into(),
        io::ErrorKind::NetworkUnreachable => "network unreachable".into(),
        _ => error.to_string(),
    }
}

/// Whether a connection ended before any answer.
pub(super) fn is_closed(error: &reqwest::Error) -> bool {
    error.is_request() && !error.is_connect() && !error.is_timeout() && is_cut_off(error)
}

/// Whether a connection through a tunnel ended before any answer.
pub(super) fn is_cut(error: &hyper_util::client::legacy::Error) -> bool {
    !error.is_connect() && is_cut_off(error)
}

fn is_cut_off(error: &(dyn Error + 'static)) -> bool {
    let closed = |io: &io::Error| {
        matches!(
            io.kind(),
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionAborted
        )
    };
    chain(error).any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(closed) || cause.to_string().contains("connection closed before message completed")
    })
}

/// What to look at where a server hangs up.
const CRASHED: &str = "did it crash or restart? look at its log";

/// How far a request came.
struct Stage {
    before_sending: bool,
    /// It cannot even be made.
    is_unmade: bool,
    is_timeout: bool,
    /// The answer had begun.
    is_answer: bool,
}

/// A client's error in our words.
pub(in super::super) fn trouble(error: &reqwest::Error) -> Trouble {
    let stage = Stage {
        before_sending: error.is_connect() || error.is_builder(),
        is_unmade: error.is_builder(),
        is_timeout: error.is_timeout(),
        is_answer: error.is_body() || error.is_decode(),
    };
    said(error, &stage)
}

/// The error of a request through a tunnel in our words.
pub(super) fn within(error: &hyper_util::client::legacy::Error) -> Trouble {
    said(error, &Stage { before_sending: error.is_connect(), is_unmade: false, is_timeout: false, is_answer: false })
}

fn said(error: &(dyn Error + 'static), stage: &Stage) -> Trouble {
    let (mut refusal, mut tls, mut io, mut last) = (None, None, None, String::new());
    for cause in chain(error) {
        if let Some(failure) = cause.downcast_ref::<Failure>() {
            let Failure { kind, message, hint, .. } = failure.clone();
            return Trouble { kind, text: message, hint, before_sending: true };
        }
        refusal = refusal.or_else(|| cause.downcast_ref::<Refusal>());
        tls = tls.or_else(|| cause.downcast_ref::<rustls::Error>());
        if let Some(found) = cause.downcast_ref::<io::Error>() {
            // The TLS layer hides its errors in the payload of an I/O error.
            tls = tls.or_else(|| inner_tls(found));
            io = Some(found);
        }
        if !cause.is::<reqwest::Error>() {
            last = cause.to_string();
        }
    }
    // A pod's refusal comes through a tunnel that stands already: nobody has read what was sent into it.
    let refused = io.is_some_and(|io| io.kind() == io::ErrorKind::ConnectionRefused);
    let before_sending = stage.before_sending || refusal.is_some() || refused;
    let made = |kind, text: String, hint: Option<&str>| Trouble { kind, text, hint: hint.map(str::to_owned), before_sending };
    if let Some(refusal) = refusal {
        let failure = refusal.failure();
        return made(failure.kind, failure.message, failure.hint.as_deref());
    }
    if let Some(tls) = tls {
        return made(
            Kind::Unavailable,
            format!("TLS: {tls}"),
            Some("is its certificate valid and signed by an authority that this machine trusts?"),
        );
    }
    if stage.is_unmade {
        return made(Kind::BadArgument, "the request cannot be made".into(), None);
    }
    if stage.is_timeout {
        return made(Kind::Timeout, "timeout".into(), Some("is it slow or unreachable? give it longer with `timeout:`"));
    }
    if let Some(io) = io {
        return made(Kind::Unavailable, io_text(io), Some("does it run, and is it reachable from here?"));
    }
    if last.contains("connection closed before message completed") {
        return made(Kind::Unavailable, "the connection was closed before an answer".into(), Some(CRASHED));
    }
    if stage.is_answer {
        return made(Kind::Unavailable, "the answer broke off".into(), Some(CRASHED));
    }
    let text = if last.is_empty() { "the request failed".to_owned() } else { last };
    made(Kind::Unavailable, text, Some("does an HTTP service answer there?"))
}

/// The TLS error within an I/O error, which may be wrapped once more.
fn inner_tls(error: &io::Error) -> Option<&rustls::Error> {
    let inner = error.get_ref()?;
    match inner.downcast_ref::<io::Error>() {
        Some(deeper) => deeper.get_ref()?.downcast_ref(),
        None => inner.downcast_ref(),
    }
}
