//! The certificate authority of one session: what its sandbox trusts, and nobody else.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::crypto::ring::{default_provider, sign};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::NoServerSessionStorage;
use rustls::sign::{CertifiedKey, SigningKey, SingleCertAndKey};
use time::{Duration, OffsetDateTime};
use url::Host;
use zeroize::Zeroizing;

use crate::error::SetupError;

/// For how long its certificates are valid, theirs and its own.
const VALID: Duration = Duration::hours(24);
/// How far the sandbox's clock may be behind.
const BEHIND: Duration = Duration::minutes(5);
/// Hosts whose certificate is kept. At one more all are forgotten, and made anew when they are needed.
const KEPT: usize = 256;

/// A certificate authority that exists in memory only, for as long as its session does, 24 hours at most. Signs certificates
/// for the hosts whose tunnels end here ([`Rules::terminates`](crate::Rules::terminates)).
///
/// Put [`SessionCa::certificate_pem`] where the programs of this one sandbox look for roots. Its key leaves it in no way, and
/// is zeroed when it is dropped; a copy that the cryptographic library (ring) keeps is freed without that.
pub struct SessionCa {
    params: CertificateParams,
    key: Zeroizing<KeyPair>,
    certificate: CertificateDer<'static>,
    pem: String,
    /// The one key of all its servers.
    server_key: Zeroizing<KeyPair>,
    signing: Arc<dyn SigningKey>,
    servers: Mutex<HashMap<Host<String>, Arc<ServerConfig>>>,
}

impl SessionCa {
    /// Makes one, with keys of its own (ECDSA P-256), valid from now on.
    ///
    /// # Errors
    ///
    /// There is no randomness.
    pub fn new() -> Result<Self, SetupError> {
        let (key, server_key) = (generated()?, generated()?);
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name(&key));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let now = OffsetDateTime::now_utc();
        params.not_before = now.saturating_sub(BEHIND);
        params.not_after = now.saturating_add(VALID);
        let certificate = params.self_signed(&*key).map_err(SetupError::Authority)?;
        let der = Zeroizing::new(server_key.serialize_der());
        let der = PrivateKeyDer::Pkcs8(der.as_slice().into());
        let signing = sign::any_ecdsa_type(&der).map_err(SetupError::Tls)?;
        Ok(Self {
            pem: certificate.pem(),
            certificate: certificate.der().clone(),
            params,
            key,
            server_key,
            signing,
            servers: Mutex::default(),
        })
    }

    /// Its certificate, for the sandbox's trust store (RFC 7468).
    pub fn certificate_pem(&self) -> &str {
        &self.pem
    }

    /// Its certificate as it is.
    pub fn certificate_der(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// What a TLS server for this host needs: TLS 1.2 and 1.3, HTTP/1.1 alone, and nothing that lives on after a connection.
    pub(super) fn server(&self, host: &Host<String>) -> Result<Arc<ServerConfig>, SetupError> {
        if let Some(server) = self.servers.lock().unwrap_or_else(PoisonError::into_inner).get(host) {
            return Ok(server.clone());
        }
        let certified = CertifiedKey::new(vec![self.sign(host)?], self.signing.clone());
        let mut server = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(SetupError::Tls)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        server.alpn_protocols = vec![b"http/1.1".to_vec()];
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
        let server = Arc::new(server);
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        if servers.len() >= KEPT {
            servers.clear();
        }
        servers.insert(host.clone(), server.clone());
        Ok(server)
    }

    fn sign(&self, host: &Host<String>) -> Result<CertificateDer<'static>, SetupError> {
        let name = match host {
            // A name in a certificate has no dot at its end (RFC 6125 appendix B.2).
            Host::Domain(name) => name.strip_suffix('.').unwrap_or(name).to_owned(),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        };
        let mut params = CertificateParams::new(vec![name]).map_err(SetupError::Authority)?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "packhost");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        (params.not_before, params.not_after) = (self.params.not_before, self.params.not_after);
        let issuer = Issuer::from_params(&self.params, &*self.key);
        let certificate = params.signed_by(&*self.server_key, &issuer).map_err(SetupError::Authority)?;
        Ok(certificate.der().clone())
    }
}

fn generated() -> Result<Zeroizing<KeyPair>, SetupError> {
    KeyPair::generate().map(Zeroizing::new).map_err(SetupError::Authority)
}

/// A name that no other session's authority has, so that a program which trusts several tells them apart.
fn name(key: &KeyPair) -> String {
    // The end of a point on the curve is as good as random.
    let point = key.public_key_raw();
    let end = &point[point.len().saturating_sub(8)..];
    let digits: String = end.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("packhost session {digits}")
}

impl fmt::Debug for SessionCa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionCa").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_kept_for_so_many_hosts() {
        let authority = SessionCa::new().expect("an authority");
        let host = |at: usize| Host::Domain(format!("h{at}.test"));
        let first = authority.server(&host(0)).expect("a certificate");
        assert!(Arc::ptr_eq(&first, &authority.server(&host(0)).expect("the same")), "it is kept");
        for at in 1..KEPT {
            authority.server(&host(at)).expect("a certificate");
        }
        assert_eq!(authority.servers.lock().expect("no panic").len(), KEPT);
        authority.server(&host(KEPT)).expect("one more");
        assert_eq!(authority.servers.lock().expect("no panic").len(), 1);
    }

    #[test]
    fn nothing_of_it_is_shown() {
        let authority = SessionCa::new().expect("an authority");
        assert_eq!(format!("{authority:?}"), "SessionCa { .. }");
        let other = SessionCa::new().expect("an authority");
        assert_ne!(authority.params.distinguished_name, other.params.distinguished_name);
    }
}
