//! Which addresses may be asked, in a world as on the real systems: what the configuration declares, and never metadata
//! services or link-local addresses.

use std::error::Error;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use crate::config::Environment;
use crate::model::{Failure, Kind};

/// The declared origins and prefixes of one environment.
#[derive(Clone, Debug)]
pub(super) struct Egress {
    environment: String,
    rules: Vec<Rule>,
}

/// An origin, and the first segments that a path must have.
#[derive(Clone, Debug)]
struct Rule {
    scheme: String,
    host: String,
    port: Option<u16>,
    segments: Vec<String>,
}

impl Rule {
    fn new(text: &str, whole_origin: bool) -> Option<Rule> {
        let url = Url::parse(text).ok()?;
        let segments = if whole_origin { Vec::new() } else { segments(&url).map(str::to_owned).collect() };
        Some(Rule { scheme: url.scheme().to_owned(), host: url.host_str()?.to_owned(), port: url.port_or_known_default(), segments })
    }

    fn permits(&self, url: &Url) -> bool {
        if self.scheme != url.scheme() || url.host_str() != Some(&self.host) || self.port != url.port_or_known_default() {
            return false;
        }
        let mut path = segments(url);
        // A server may decode `%2f` and climb out of the prefix.
        let encoded = || {
            let path = url.path().to_ascii_lowercase();
            path.contains("%2f") || path.contains("%5c")
        };
        self.segments.is_empty() || (self.segments.iter().all(|segment| path.next() == Some(segment)) && !encoded())
    }
}

/// A path's segments, without the empty one after a final slash.
fn segments(url: &Url) -> impl Iterator<Item = &str> {
    url.path().trim_end_matches('/').split('/').skip(1)
}

impl Egress {
    /// What an environment declares.
    pub(super) fn new(environment: &Environment) -> Self {
        let services = environment.services.values().filter_map(|service| Rule::new(service.url.as_deref()?, true));
        let allowed = environment.allow.iter().filter_map(|prefix| Rule::new(prefix, false));
        Self { environment: environment.name.clone(), rules: services.chain(allowed).collect() }
    }

    /// Whether a URL lies within what is declared.
    pub(super) fn permits(&self, url: &Url) -> bool {
        self.rules.iter().any(|rule| rule.permits(url))
    }

    /// Parses a URL and checks it: `bad_argument` for what is no URL, `denied` for what is not declared.
    pub(super) fn check(&self, text: &str) -> Result<Url, Failure> {
        let url = parse(text)?;
        if !self.permits(&url) {
            let origin = url.origin().ascii_serialization();
            return Err(Failure::new(Kind::Denied, format!("{origin} is not among what the environment `{}` may ask", self.environment))
                .hint(format!("declare it as a service, or add it to `allow` of [environments.{}]", self.environment)));
        }
        Ok(url)
    }
}

/// Parses an HTTP URL whose host, where it is an address, may be connected to. Its text is in no message.
pub(super) fn parse(text: &str) -> Result<Url, Failure> {
    let url = Url::parse(text).map_err(|e| Failure::bad_argument(format!("this is no URL: {e}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Failure::bad_argument(format!("a URL starts with http:// or https://, not {}://", url.scheme())));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Failure::bad_argument("a URL may not hold credentials").hint("send them in a header: `headers: #{ Authorization: … }`"));
    }
    let literal = match url.host() {
        Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
        Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
        Some(Host::Domain(_)) => None,
        None => return Err(Failure::bad_argument("a URL needs a host")),
    };
    match literal.and_then(|ip| Some((ip, forbidden(ip)?))) {
        Some((ip, why)) => Err(Refusal::Forbidden(ip.to_string(), why).failure()),
        None => Ok(url),
    }
}

/// A URL for messages: without its query, where tokens like to be.
pub(super) fn shown(url: &str) -> String {
    match Url::parse(url) {
        Ok(mut url) => {
            url.set_query(None);
            url.set_fragment(None);
            url.to_string()
        }
        Err(_) => "the URL".to_owned(),
    }
}

/// Why a name's addresses cannot be used.
#[derive(Clone, Debug)]
pub(super) enum Refusal {
    /// All that it resolves to must not be connected to: the name or address, and what it is.
    Forbidden(String, &'static str),
    /// It does not resolve.
    Unknown(String),
}

/// A host with a port, as URLs have it.
pub(super) fn authority(host: &str, port: u16) -> String {
    match host.parse() {
        Ok(IpAddr::V6(ip)) => format!("[{ip}]:{port}"),
        _ => format!("{host}:{port}"),
    }
}

impl Refusal {
    /// As a failure: `denied` or `unavailable`.
    pub(super) fn failure(&self) -> Failure {
        match self {
            Refusal::Forbidden(..) => {
                Failure::new(Kind::Denied, self.to_string()).hint("such addresses are never asked, whatever a name resolves to")
            }
            Refusal::Unknown(_) => {
                Failure::new(Kind::Unavailable, self.to_string()).hint("is the name right, and does it resolve from here?")
            }
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Forbidden(host, why) => write!(f, "{host} is {why}"),
            Refusal::Unknown(host) => write!(f, "the name {host} does not resolve"),
        }
    }
}

impl Error for Refusal {}

/// What an address is, if it must not be connected to.
pub(super) fn forbidden(ip: IpAddr) -> Option<&'static str> {
    match ip {
        IpAddr::V4(ip) => forbidden_v4(ip),
        IpAddr::V6(ip) => forbidden_v6(ip),
    }
}

fn forbidden_v4(ip: Ipv4Addr) -> Option<&'static str> {
    // The metadata services of AWS, Google, Azure (link-local all), Alibaba, Azure's wire server and Oracle.
    const METADATA: [[u8; 4]; 4] = [[169, 254, 169, 254], [100, 100, 100, 200], [168, 63, 129, 16], [192, 0, 0, 192]];
    match ip.octets() {
        octets if METADATA.contains(&octets) => Some("a cloud's metadata service"),
        [169, 254, ..] => Some("a link-local address"),
        [0, ..] => Some("an unspecified address"),
        [224..=239, ..] => Some("a multicast address"),
        [255, 255, 255, 255] => Some("the broadcast address"),
        _ => None,
    }
}

fn forbidden_v6(ip: Ipv6Addr) -> Option<&'static str> {
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match ip.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Some("an unspecified address"),
        [0, 0, 0, 0, 0, 0, 0, 1] => None,
        // IPv4-mapped, IPv4-compatible, translated (RFC 2765), NAT64 and 6to4 forms of an IPv4 address.
        [0, 0, 0, 0, 0, 0 | 0xffff, a, b] | [0, 0, 0, 0, 0xffff, 0, a, b] | [0x64, 0xff9b, 0 | 1, 0, 0, 0, a, b] => forbidden_v4(v4(a, b)),
        [0x2002, a, b, ..] => forbidden_v4(v4(a, b)),
        [0xfd00, 0x0ec2, ..] | [0xfd20, 0x00ce, ..] => Some("a cloud's metadata service"),
        [0xfe80..=0xfebf, ..] => Some("a link-local address"),
        [0xff00..=0xffff, ..] => Some("a multicast address"),
        _ => None,
    }
}

/// Whether an environment declares a URL, or an `allow` that it begins with.
pub fn may_ask(environment: &Environment, url: &str) -> Result<(), Failure> {
    Egress::new(environment).check(url).map(drop)
}

/// Whether an environment declares a host: as a service's, a database's, or in an `allow`. `denied` otherwise, and for addresses
/// that are never connected to.
pub fn may_connect(environment: &Environment, host: &str) -> Result<(), Failure> {
    if let Some((ip, why)) = host.parse::<IpAddr>().ok().and_then(|ip| Some((ip, forbidden(ip)?))) {
        return Err(Refusal::Forbidden(ip.to_string(), why).failure());
    }
    let databases = environment.databases.values().flat_map(|database| endpoints(&database.url));
    let urls =
        environment.services.values().filter_map(|service| service.url.as_deref()).chain(environment.allow.iter().map(String::as_str));
    let hosts = databases.chain(urls.flat_map(endpoints)).map(|(host, _)| host);
    if hosts.into_iter().any(|declared| declared.eq_ignore_ascii_case(host)) {
        return Ok(());
    }
    Err(Failure::new(Kind::Denied, format!("{host} is not among the hosts that the environment `{}` may connect to", environment.name))
        .hint(format!("declare it as a service or a database, or add its URL to `allow` of [environments.{}]", environment.name)))
}

/// The hosts and ports of an address of a service or database; IPv6 without brackets. The port is the scheme's usual one where none
/// stands there, and none where the scheme has none.
pub fn endpoints(url: &str) -> Vec<(String, Option<u16>)> {
    let Some((scheme, rest)) = url.split_once("://") else { return Vec::new() };
    let usual = match scheme {
        "http" => Some(80),
        "https" => Some(443),
        "postgres" | "postgresql" => Some(5432),
        "mongodb" => Some(27017),
        "redis" | "rediss" => Some(6379),
        "scylla" | "cassandra" | "cql" => Some(9042),
        _ => None,
    };
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    let hosts = authority.rsplit_once('@').map_or(authority, |(_, hosts)| hosts);
    let endpoint = |text: &str| match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (bare(host), port.parse().ok().or(usual)),
        _ => (bare(text), usual),
    };
    hosts.split(',').filter(|host| !host.is_empty()).map(endpoint).collect()
}

fn bare(host: &str) -> String {
    host.trim_start_matches('[').trim_end_matches(']').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Service;

    fn egress() -> Egress {
        let service = Service { url: Some("http://auth-rbac:8080".into()), ..Service::default() };
        Egress::new(&Environment {
            name: "prod".into(),
            allow: vec!["https://status.example.com/api/v1".into(), "https://open.example.com/".into()],
            services: [("auth-rbac".to_owned(), service)].into(),
            ..Environment::default()
        })
    }

    #[test]
    fn only_what_is_declared_may_be_asked() {
        let egress = egress();
        for (url, permitted) in [
            ("http://auth-rbac:8080/health", true),
            ("http://auth-rbac:8080", true),
            ("http://auth-rbac:8081/health", false),
            ("https://auth-rbac:8080/health", false),
            ("http://auth-rbac.evil.example:8080/", false),
            ("https://status.example.com/api/v1", true),
            ("https://status.example.com/api/v1/", true),
            ("https://status.example.com:443/api/v1/x?y=1", true),
            ("https://STATUS.example.com/api/v1/x", true),
            ("https://status.example.com/api/v10", false),
            ("https://status.example.com/api/v1/../v2", false),
            ("https://status.example.com/api/v1/%2e%2e/v2", false),
            ("https://status.example.com/api/v1/..%2fv2", false),
            ("https://status.example.com/", false),
            ("https://open.example.com/anything/at?all", true),
            ("https://evil.example/?https://status.example.com/api/v1", false),
        ] {
            match (egress.check(url), permitted) {
                (Ok(_), true) => {}
                (Err(failure), false) => {
                    assert_eq!(failure.kind, Kind::Denied, "{url}");
                    assert!(failure.hint.unwrap().contains("`allow` of [environments.prod]"));
                }
                (outcome, _) => panic!("{url}: {outcome:?}"),
            }
        }
        for url in ["ftp://open.example.com/", "open.example.com", "https://me:pw@open.example.com/", "file:///etc/passwd"] {
            assert_eq!(egress.check(url).unwrap_err().kind, Kind::BadArgument, "{url}");
        }
    }

    #[test]
    fn endpoints_are_read_from_all_sorts_of_addresses() {
        let one = |url: &str| endpoints(url).into_iter().map(|(host, port)| format!("{host} {port:?}")).collect::<Vec<_>>().join(", ");
        for (url, found) in [
            ("http://api:8080/base", "api Some(8080)"),
            ("https://api", "api Some(443)"),
            ("postgres://ops@[::1]:5433/db?sslmode=require", "::1 Some(5433)"),
            ("mongodb://ops@a:1,b/db", "a Some(1), b Some(27017)"),
            ("redis://127.0.0.1", "127.0.0.1 Some(6379)"),
            ("mongodb+srv://cluster.example/db", "cluster.example None"),
            ("", ""),
        ] {
            assert_eq!(one(url), found, "{url}");
        }
    }

    #[test]
    fn only_declared_hosts_are_connected_to() {
        let mut environment =
            Environment { name: "prod".into(), allow: vec!["https://status.example.com/x".into()], ..Environment::default() };
        let service = Service { url: Some("http://169.254.169.254".into()), ..Service::default() };
        environment.services.insert("metadata".into(), service);
        assert_eq!(may_connect(&environment, "STATUS.example.com"), Ok(()));
        for host in ["example.com", "127.0.0.1", "169.254.169.254", "::ffff:169.254.169.254", ""] {
            assert_eq!(may_connect(&environment, host).unwrap_err().kind, Kind::Denied, "{host}");
        }
    }

    #[test]
    fn no_spelling_of_a_metadata_address_passes() {
        for ip in [
            "169.254.169.254",
            "169.254.1.1",
            "100.100.100.200",
            "0.0.0.0",
            "0.1.2.3",
            "224.0.0.1",
            "255.255.255.255",
            "168.63.129.16",
            "::",
            "fe80::1",
            "febf::1",
            "ff02::1",
            "fd00:ec2::254",
            "fd20:ce::254",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "::ffff:0:169.254.169.254",
            "::ffff:0.0.0.0",
        ] {
            assert!(forbidden(ip.parse().unwrap()).is_some(), "{ip}");
        }
        for ip in ["127.0.0.1", "10.0.0.1", "192.168.1.1", "1.1.1.1", "::1", "fd00::1", "2606:4700::1111", "::ffff:10.0.0.1"] {
            assert_eq!(forbidden(ip.parse().unwrap()), None, "{ip}");
        }
        for url in ["http://169.254.169.254/", "http://0xa9fea9fe/", "http://2852039166/", "http://[::ffff:a9fe:a9fe]/", "http://0/"] {
            assert_eq!(parse(url).unwrap_err().kind, Kind::Denied, "{url}");
        }
    }
}
