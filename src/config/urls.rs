//! Checking addresses. No error quotes one, since it may hold a password.

use url::Url;

use super::DatabaseKind;
use crate::model::{Failure, suggest};

const SCHEMES: [(&str, DatabaseKind); 9] = [
    ("postgres", DatabaseKind::Postgres),
    ("postgresql", DatabaseKind::Postgres),
    ("mongodb", DatabaseKind::Mongo),
    ("mongodb+srv", DatabaseKind::Mongo),
    ("redis", DatabaseKind::Redis),
    ("rediss", DatabaseKind::Redis),
    ("scylla", DatabaseKind::Other),
    ("cassandra", DatabaseKind::Other),
    ("cql", DatabaseKind::Other),
];

/// Parameters of drivers that hold a password.
const SECRET_PARAMETERS: [&str; 4] = ["password", "sslpassword", "tlscertificatekeyfilepassword", "passwd"];

/// Parses an absolute `http` or `https` address without credentials.
pub(super) fn http(text: &str) -> Result<Url, Failure> {
    let wrong = |message: &str| Failure::bad_argument(message).hint("write an absolute address, such as \"http://auth-rbac:8080\"");
    let url = Url::parse(text).map_err(|e| match e {
        url::ParseError::RelativeUrlWithoutBase => wrong("the URL is not absolute"),
        e => wrong(&format!("the URL cannot be read: {e}")),
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        // `auth-rbac:8080` parses as a scheme of that name.
        return Err(wrong(&format!("the URL must begin with http:// or https://, not {}:", url.scheme())));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Failure::bad_argument("the URL holds credentials")
            .hint("take them out, and say where they are: `auth = { basic = { user = \"ops\", password = { env = \"NAME\" } } }`"));
    }
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(wrong("the URL holds white space"));
    }
    Ok(url)
}

/// The base address of a service, without the final slash: paths are put behind it.
pub(super) fn base(text: &str) -> Result<String, Failure> {
    let url = http(text)?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(
            Failure::bad_argument("a service's URL has no query and no fragment").hint("paths and queries are given with each call")
        );
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// The kind of a database, by its address. The address keeps its user and loses nothing; a password in it is refused.
pub(super) fn database(text: &str) -> Result<DatabaseKind, Failure> {
    let form = "write it as \"postgres://user@host:5432/name\", \"mongodb://…\", \"redis://…\" or \"rediss://…\"";
    let (scheme, rest) = text.split_once("://").ok_or_else(|| Failure::bad_argument("the URL has no scheme").hint(form))?;
    let Some((_, kind)) = SCHEMES.into_iter().find(|(known, _)| *known == scheme) else {
        let scheme: String = scheme.chars().filter(|c| c.is_ascii_alphanumeric() || "+-.".contains(*c)).take(24).collect();
        let mut failure = Failure::bad_argument(format!("unknown database scheme {scheme:?}"));
        failure.hint = suggest::hint(&scheme, SCHEMES.iter().map(|(known, _)| *known));
        return Err(failure);
    };
    let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    // A raw `/`, `?` or `#` in a password ends the authority early and leaves its `@` in the rest.
    let (user, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    let in_query = tail.split(['?', '&', '#', ';']).skip(1).any(|pair| {
        let key = pair.split('=').next().unwrap_or("").to_ascii_lowercase();
        SECRET_PARAMETERS.contains(&key.as_str())
    });
    if user.contains(':') || user.to_ascii_lowercase().contains("%3a") || tail.contains('@') || in_query {
        return Err(
            Failure::bad_argument("the URL holds a password").hint("take it out and say where it is: `password = { env = \"NAME\" }`")
        );
    }
    if hosts.is_empty() {
        return Err(Failure::bad_argument("the URL names no host").hint(form));
    }
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(Failure::bad_argument("the URL holds white space").hint(form));
    }
    Ok(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_found_wherever_it_is_written() {
        for url in [
            "postgres://ops:hunter2@postgres/db",
            "postgres://ops:hun/ter2@postgres/db",
            "postgres://ops%3Ahunter2@postgres/db",
            "postgres://postgres/db?password=hunter2",
            "postgres://postgres/db?sslmode=require&PASSWORD=hunter2",
            "redis://:hunter2@redis:6379",
            "mongodb://ops:hunter2@a:1,b:2/db",
        ] {
            let failure = database(url).unwrap_err();
            assert_eq!(failure.message, "the URL holds a password", "{url}");
            assert!(!format!("{failure:?}").contains("ter2"));
        }
    }

    #[test]
    fn kinds_come_from_schemes_and_several_hosts_are_fine() {
        assert_eq!(database("mongodb://ops@a:27017,b:27017/db?replicaSet=rs0").unwrap(), DatabaseKind::Mongo);
        assert_eq!(database("rediss://redis").unwrap(), DatabaseKind::Redis);
        assert_eq!(database("scylla://scylladb:9042").unwrap(), DatabaseKind::Other);
        assert_eq!(database("postgre://x").unwrap_err().hint.as_deref(), Some("did you mean `postgres`?"));
        assert_eq!(database("postgres:///db").unwrap_err().message, "the URL names no host");
    }

    #[test]
    fn a_base_ends_without_a_slash() {
        assert_eq!(base("http://auth-rbac:8080/").unwrap(), "http://auth-rbac:8080");
        assert_eq!(base("https://x/api/").unwrap(), "https://x/api");
        for bad in ["auth-rbac:8080", "/health", "ftp://x", "http://u:p@x", "http://x?token=1", "http://x y"] {
            assert!(base(bad).is_err(), "{bad}");
        }
    }
}
