//! TLS by rustls with ring: the provider, and the authorities that are trusted.

use std::io;
use std::path::Path;
use std::sync::{Arc, Once};

use base64::Engine;
use rustls::client::{ClientSessionStore, Resumption};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::model::{Failure, Kind};

/// Makes ring the process's provider, once.
pub(super) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // An error means that somebody installed one before: also fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// The certificates of a PEM file.
fn authority(path: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let wrong = |why: String| {
        Failure::new(Kind::Auth, format!("the authority {} cannot be used: {why}", path.display()))
            .hint("`ca` names a PEM file of certificates")
    };
    let pem = std::fs::read(path).map_err(|e| wrong(e.kind().to_string()))?;
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(&pem).collect::<Result<_, _>>().map_err(|_| wrong("it is no PEM file".into()))?;
    if certificates.is_empty() {
        return Err(wrong("it holds no certificate".into()));
    }
    Ok(certificates)
}

/// A client's configuration that trusts the system's authorities and, where there is one, the file's.
pub(super) fn client(ca: Option<&Path>) -> Result<ClientConfig, Failure> {
    install();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(ca) = ca {
        for certificate in authority(ca)? {
            roots.add(certificate).map_err(|e| Failure::new(Kind::Auth, format!("the authority {} cannot be used: {e}", ca.display())))?;
        }
    }
    Ok(trusting(roots))
}

/// A client's configuration that trusts the system's authorities.
pub(super) fn system() -> ClientConfig {
    install();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    trusting(roots)
}

/// A configuration that trusts nobody, for clients that never encrypt.
pub(super) fn nobody() -> ClientConfig {
    install();
    trusting(RootCertStore::empty())
}

fn trusting(roots: RootCertStore) -> ClientConfig {
    ClientConfig::builder().with_root_certificates(Arc::new(roots)).with_no_client_auth()
}

/// Encrypts a stream; the certificate is checked against the name that was asked for, whatever the stream leads through.
pub(super) async fn wrap<S: AsyncRead + AsyncWrite + Unpin>(stream: S, host: &str, ca: Option<&Path>) -> io::Result<TlsStream<S>> {
    let config = client(ca).map_err(io::Error::other)?;
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

/// What went wrong with a handshake, in short words.
pub(super) fn told(error: &io::Error) -> String {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(tls) => format!("TLS: {tls}"),
        None => super::http::io_text(error),
    }
}

/// A configuration for HTTP that trusts the system's authorities, with a store of sessions of its own.
pub(super) fn timed(sessions: impl ClientSessionStore + 'static) -> Result<ClientConfig, Failure> {
    let mut config = client(None)?;
    config.resumption = Resumption::store(Arc::new(sessions));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// The system's authorities and the file's as one PEM text, for drivers that take nothing else.
pub(super) fn bundle(ca: &Path) -> Result<Vec<u8>, Failure> {
    let mut pem = String::new();
    for certificate in rustls_native_certs::load_native_certs().certs.into_iter().chain(authority(ca)?) {
        pem.push_str("-----BEGIN CERTIFICATE-----\n");
        let text = base64::engine::general_purpose::STANDARD.encode(&certificate);
        for line in text.as_bytes().chunks(64) {
            pem.extend(line.iter().map(|byte| char::from(*byte)));
            pem.push('\n');
        }
        pem.push_str("-----END CERTIFICATE-----\n");
    }
    Ok(pem.into_bytes())
}
