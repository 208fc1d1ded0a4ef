//! Names resolved to addresses that may be connected to.

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::http::resolved;
use crate::platform::egress::{Refusal, forbidden};

/// Resolves a host, addresses that must not be connected to left out.
pub(super) async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, Refusal> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let all: Vec<SocketAddr> = match bare.parse::<IpAddr>() {
        Ok(ip) => vec![SocketAddr::new(ip, port)],
        Err(_) => tokio::net::lookup_host((bare, port)).await.map_err(|_| Refusal::Unknown(host.to_owned()))?.collect(),
    };
    let usable: Vec<SocketAddr> = all.iter().copied().filter(|address| forbidden(address.ip()).is_none()).collect();
    match (usable.is_empty(), all.first().and_then(|address| forbidden(address.ip()))) {
        (true, Some(why)) => Err(Refusal::Forbidden(host.to_owned(), why)),
        (true, None) => Err(Refusal::Unknown(host.to_owned())),
        (false, _) => Ok(usable),
    }
}

/// Resolves names for the HTTP client, so that what is checked is what is connected to.
pub(super) struct Resolver;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = resolve(name.as_str(), 0).await;
            resolved();
            match found {
                Ok(addresses) => Ok(Box::new(addresses.into_iter()) as Addrs),
                Err(refusal) => Err(Box::new(refusal) as Box<dyn Error + Send + Sync>),
            }
        })
    }
}

/// The resolver, shared.
pub(super) fn resolver() -> Arc<Resolver> {
    Arc::new(Resolver)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_is_checked_by_what_it_resolves_to() {
        assert!(resolve("localhost", 80).await.is_ok());
        assert!(matches!(resolve("169.254.169.254", 80).await, Err(Refusal::Forbidden(..))));
        assert!(matches!(resolve("[fe80::1]", 80).await, Err(Refusal::Forbidden(..))));
        // No address to Rust, but to a resolver.
        assert!(matches!(resolve("0xA9FEA9FE", 80).await, Err(Refusal::Forbidden(..))));
        assert!(matches!(resolve("no-such-name.invalid", 80).await, Err(Refusal::Unknown(_))));
    }
}
