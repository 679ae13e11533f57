//! The roots that programs in a sandbox trust, where the host ends their TLS: the sandbox's own, and the authority of this
//! one call.

use packhost_core::Failure;
use packhost_session_protocol::message::{Confinement, Get, Put};
use packhost_sessions::link::{Link, LinkError};
use tokio::io::AsyncReadExt;

use super::refusal;

/// Where they are put.
const ROOTS: &str = "/tmp/.packhost/roots.pem";
/// Where Debian and its like have theirs.
const SYSTEM: &str = "/etc/ssl/certs/ca-certificates.crt";
/// The most of the sandbox's own that is taken over, in bytes.
const MOST: u64 = 1 << 20;

/// What programs and libraries look into to find roots: OpenSSL, curl, Python's requests and pip, git, Node.js.
pub(super) const VARIABLES: [(&str, &str); 6] = [
    ("SSL_CERT_FILE", ROOTS),
    ("CURL_CA_BUNDLE", ROOTS),
    ("REQUESTS_CA_BUNDLE", ROOTS),
    ("PIP_CERT", ROOTS),
    ("GIT_SSL_CAINFO", ROOTS),
    ("NODE_EXTRA_CA_CERTS", ROOTS),
];

/// Puts the roots into the sandbox.
pub(super) async fn install(link: &Link, pem: &str, confinement: Confinement) -> Result<(), Failure> {
    let mut roots = own(link, confinement.clone()).await.map_err(refusal::link)?;
    roots.push(b'\n');
    roots.extend_from_slice(pem.as_bytes());
    let put =
        Put { path: ROOTS.as_bytes().to_vec().into(), mode: 0o644, parents: true, new: false, confinement };
    link.put(put, roots.as_slice()).await.map_err(refusal::link)
}

/// What the sandbox trusts already; nothing where it has nothing that can be read.
async fn own(link: &Link, confinement: Confinement) -> Result<Vec<u8>, LinkError> {
    let get = Get { path: SYSTEM.as_bytes().to_vec().into(), offset: 0, length: Some(MOST), confinement };
    let mut roots = Vec::new();
    match link.get(get).await {
        Ok((_, mut content)) => {
            if content.read_to_end(&mut roots).await.is_err() {
                roots.clear();
            }
            Ok(roots)
        }
        Err(LinkError::Refused(_)) => Ok(roots),
        Err(error) => Err(error),
    }
}
