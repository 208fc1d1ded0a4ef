//! TCP connections that are made to see whether they can be made.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use super::http::{Stopwatch, io_text};
use super::resolve;
use super::tunnel::Tunnels;
use crate::config::Environment;
use crate::map;
use crate::model::operation::TcpCheck;
use crate::model::{Failure, Kind, Value, duration};
use crate::platform::egress::{Refusal, may_connect};

/// The wait for a pod's refusal.
const REFUSAL: Duration = Duration::from_millis(300);

/// Connects and closes: `#{ ok, latency_ms, address, error }`. Fails only where the host may not be connected to.
pub(super) async fn check(environment: &Environment, tunnels: Option<&Arc<Tunnels>>, check: &TcpCheck) -> Result<Value, Failure> {
    may_connect(environment, &check.host)?;
    let watch = Stopwatch::start();
    let mut tried = String::new();
    let work = async {
        if let Some(tunnels) = tunnels
            && tunnels.lead_to(&check.host).await?
        {
            return inside(tunnels, check).await;
        }
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

/// Connects to a pod of the cluster; what is wrong, if it takes no connection.
async fn inside(tunnels: &Tunnels, check: &TcpCheck) -> Result<Option<String>, Failure> {
    let mut tunnel = match tunnels.open(&check.host, check.port).await {
        Ok(tunnel) => tunnel,
        // Who may not open one knows nothing about the port.
        Err(failure) if failure.kind.latches() || matches!(failure.kind, Kind::Forbidden | Kind::Auth) => return Err(failure),
        Err(failure) => return Ok(Some(failure.message)),
    };
    // A tunnel stands before its pod was asked: a refusal comes at once, and whoever takes connections may say nothing.
    match tokio::time::timeout(REFUSAL, tunnel.read_u8()).await {
        Ok(Err(error)) if error.kind() != io::ErrorKind::UnexpectedEof => Ok(Some(io_text(&error))),
        _ => Ok(None),
    }
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
