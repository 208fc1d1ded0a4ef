//! TCP connections that are made to see whether they can be made.

use std::net::SocketAddr;

use tokio::net::TcpStream;

use super::http::{Stopwatch, io_text};
use super::resolve;
use crate::config::Environment;
use crate::map;
use crate::model::operation::TcpCheck;
use crate::model::{Failure, Value, duration};
use crate::platform::egress::{Refusal, may_connect};

/// Connects and closes: `#{ ok, latency_ms, address, error }`. Fails only where the host may not be connected to.
pub(super) async fn check(environment: &Environment, check: &TcpCheck) -> Result<Value, Failure> {
    may_connect(environment, &check.host)?;
    let watch = Stopwatch::start();
    let mut tried = String::new();
    let work = async {
        let addresses = match resolve::resolve(&check.host, check.port).await {
            Ok(addresses) => addresses,
            Err(refusal @ Refusal::Forbidden(..)) => return Err(refusal.failure()),
            Err(refusal) => return Ok(Some(refusal.to_string())),
        };
        Ok(connect(&addresses, &mut tried).await)
    };
    let error = match tokio::time::timeout(check.timeout, work).await {
        Ok(ended) => ended?,
        Err(_) => Some(format!("timeout after {}", duration::show(check.timeout))),
    };
    let address = if tried.is_empty() { format!("{}:{}", check.host, check.port) } else { tried };
    Ok(map! { "ok" => error.is_none(), "latency_ms" => watch.ms(), "address" => address, "error" => error.unwrap_or_default() })
}

/// Connects to the first address that takes it; the error is the last one's.
async fn connect(addresses: &[SocketAddr], tried: &mut String) -> Option<String> {
    let mut error = None;
    for address in addresses {
        *tried = address.to_string();
        match TcpStream::connect(address).await {
            Ok(_) => return None,
            Err(why) => error = Some(io_text(&why)),
        }
    }
    error
}
