//! Port-forwards in a world: none is opened; what the file says is wrong with one shows as it does on the real systems.

use url::Url;

use super::file::TunnelFile;
use crate::model::{Failure, Kind};
use crate::platform::failures;

/// What a broken tunnel is called.
pub(super) const BROKE: &str = "the tunnel broke";
/// What to do about it.
pub(super) const AGAIN: &str = "was its pod replaced? the next call opens a new tunnel";

/// The host and port of a URL.
pub(super) fn place(url: &Url) -> String {
    format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default())
}

/// A tunnel that may not be opened.
pub(super) fn forbidden(place: &str, namespace: &str) -> Failure {
    let said = format!("pods/portforward is forbidden in the namespace {namespace:?}");
    failures::no_tunnel(place, failures::may_not_forward(namespace, &said, &["create", "get"]))
}

/// What a read of a database meets.
pub(super) fn database(tunnel: TunnelFile, name: &str, place: &str, namespace: &str) -> Failure {
    match tunnel {
        TunnelFile::Forbidden => forbidden(place, namespace).on(name),
        TunnelFile::Broken => {
            Failure::new(Kind::Unavailable, format!("the connection to the database `{name}` was lost: {BROKE}")).hint(AGAIN).on(name)
        }
    }
}
