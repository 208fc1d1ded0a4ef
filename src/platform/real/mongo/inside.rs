//! MongoDB within the cluster: the driver takes no stream, so a Unix socket of its own leads it into tunnels. What the URL
//! says of TLS is done there, against the name in the URL.

use std::sync::Arc;

use mongodb::options::{ClientOptions, Tls};

use super::super::address;
use super::super::tunnel::{Lead, Opener as _, Socket, Tunnels};
use crate::model::Failure;

/// The way to a server, as the URL's options want it.
pub(super) fn way(name: &str, tunnels: Arc<Tunnels>, host: &str, port: u16, options: &ClientOptions) -> Result<Lead, Failure> {
    let encrypted = match &options.tls {
        Some(Tls::Enabled(given)) if given.allow_invalid_certificates == Some(true) => {
            return Err(address::bad_url(name, "its certificate would not be checked"));
        }
        Some(Tls::Enabled(given)) if given.cert_key_file_path.is_some() => {
            return Err(address::bad_url(name, "a client's certificate cannot be shown through a port-forward"));
        }
        Some(Tls::Enabled(given)) => Some(given.ca_file_path.clone()),
        Some(Tls::Disabled) | None => None,
    };
    Ok(Lead { name: name.to_owned(), tunnels, host: host.to_owned(), port, encrypted })
}

/// Opens the first tunnel, and the socket that leads into it and into further ones.
pub(super) async fn knock(name: &str, way: Lead) -> Result<Socket, Failure> {
    let first = way.open().await.map_err(|failure| failure.on(name))?;
    let socket = Socket::serve("mongodb.sock", way)?;
    socket.keep(first);
    Ok(socket)
}
