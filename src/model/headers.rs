//! Headers that nobody sets: they say how a connection is used and whom it reaches, and are the client's own.

/// The headers that belong to the connection and to where it leads. Another `Host` behind the same address is another service,
/// and a length or coding of one's own is how requests are smuggled.
const OWN: [&str; 11] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Whether a header of that name, in whatever case, is the client's own.
pub fn is_own(name: &str) -> bool {
    OWN.iter().any(|own| name.eq_ignore_ascii_case(own))
}
