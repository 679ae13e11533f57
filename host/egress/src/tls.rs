//! Who the server is.

use std::io;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::Host;

use crate::error::{EgressError, SetupError};
use crate::target::Target;

/// HTTP/2 over TLS, as ALPN names it (RFC 9113 section 3.1).
const HTTP2: &[u8] = b"h2";

/// Whether the server has chosen HTTP/2.
pub(crate) fn speaks_http2(stream: &TlsStream<TcpStream>) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(HTTP2)
}

/// Reads the roots and builds the one configuration that every connection of a request uses: TLS 1.2 and 1.3, HTTP/2 where
/// the server speaks it, and HTTP/1.1.
pub(crate) fn connector(extra: &[CertificateDer<'static>]) -> Result<TlsConnector, SetupError> {
    let mut config = client(extra)?;
    config.alpn_protocols = vec![HTTP2.to_vec(), b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Reads the roots; without ALPN.
pub(crate) fn client(extra: &[CertificateDer<'static>]) -> Result<ClientConfig, SetupError> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(SetupError::Tls)?
        .with_root_certificates(roots(extra)?)
        .with_no_client_auth();
    // Nothing of one caller's connection lives on into another's.
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// The platform's roots, or Mozilla's where the platform has none, and the operator's.
fn roots(extra: &[CertificateDer<'static>]) -> Result<RootCertStore, SetupError> {
    let mut store = RootCertStore::empty();
    let platform = rustls_native_certs::load_native_certs();
    for error in &platform.errors {
        tracing::debug!(%error, "a platform root could not be read");
    }
    let (usable, _) = store.add_parsable_certificates(platform.certs);
    if usable == 0 {
        tracing::info!("the platform has no trusted roots; using Mozilla's");
        store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    for (at, root) in extra.iter().enumerate() {
        store.add(root.clone()).map_err(|cause| SetupError::Root { index: at + 1, cause })?;
    }
    Ok(store)
}

pub(crate) async fn handshake(
    connector: &TlsConnector,
    stream: TcpStream,
    target: &Target,
) -> Result<TlsStream<TcpStream>, EgressError> {
    let refused =
        |why, certificate| EgressError::Tls { host: target.host_str().to_owned(), why, certificate };
    let name = match &target.host {
        Host::Domain(name) => ServerName::try_from(name.clone())
            .map_err(|_| refused("its name cannot stand in a certificate", false))?,
        Host::Ipv4(address) => ServerName::from(*address),
        Host::Ipv6(address) => ServerName::from(*address),
    };
    connector.connect(name, stream).await.map_err(|error| {
        tracing::debug!(%error, host = target.host_str(), "TLS handshake failed");
        let (why, certificate) = fault(&error);
        refused(why, certificate)
    })
}

/// Our own words for what went wrong: rustls quotes names out of the certificate, which the server chooses.
pub(crate) fn fault(error: &io::Error) -> (&'static str, bool) {
    let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) else {
        return ("the connection ended during the handshake", false);
    };
    match tls {
        rustls::Error::InvalidCertificate(problem) => (certificate_fault(problem), true),
        rustls::Error::AlertReceived(_) => ("the server refused the handshake", false),
        rustls::Error::PeerIncompatible(_) => {
            ("the server does not speak TLS 1.2 or 1.3 as this host does", false)
        }
        rustls::Error::InvalidMessage(_) => ("the server does not speak TLS on this port", false),
        _ => ("the handshake failed", false),
    }
}

fn certificate_fault(problem: &CertificateError) -> &'static str {
    match problem {
        CertificateError::UnknownIssuer => "its certificate comes from an authority that is not trusted here",
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "its certificate has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "its certificate is for another name"
        }
        CertificateError::Revoked => "its certificate has been revoked",
        _ => "its certificate is not valid",
    }
}
