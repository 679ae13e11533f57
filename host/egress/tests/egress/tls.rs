//! Who the server is, by its certificate.

use std::sync::Arc;

use super::support::*;
use packhost_egress::*;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap() }
    }

    pub(crate) fn root(&self) -> CertificateDer<'static> {
        self.issuer.der().clone()
    }

    /// The server's side for these names, which speaks one protocol.
    pub(crate) fn acceptor(
        &self,
        names: &[&str],
        protocol: &[u8],
        change: impl FnOnce(&mut CertificateParams),
    ) -> TlsAcceptor {
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        config.alpn_protocols = vec![protocol.to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }

    /// A server for these names; what its clients send in the handshake goes by the wayside.
    pub(crate) async fn serve(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> u16 {
        let acceptor = self.acceptor(names, b"http/1.1", change);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let session = stream.get_ref().1;
                let told = format!(
                    "{}|{}",
                    session.server_name().unwrap_or_default(),
                    String::from_utf8_lossy(session.alpn_protocol().unwrap_or_default())
                );
                let _head = stream.read(&mut [0; 4096]).await;
                let response = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{told}", told.len());
                stream.write_all(response.as_bytes()).await.ok();
                stream.shutdown().await.ok();
            }
        });
        port
    }
}

pub(crate) fn trusting(roots: Vec<CertificateDer<'static>>) -> Egress {
    let names = Names::new(&[("granted.test", &[&["127.0.0.1"]]), ("granted.test.", &[&["127.0.0.1"]])]);
    Egress::new(Settings { extra_roots: roots, ..settings(&names) }).unwrap()
}

fn refused(result: Answer) -> (&'static str, bool) {
    match result {
        Err(EgressError::Tls { why, certificate, .. }) => (why, certificate),
        other => panic!("not a TLS error: {other:?}"),
    }
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_refused_and_a_configured_root_accepts_it() {
    let authority = Authority::new("authority");
    let port = authority.serve(&["granted.test"], |_| ()).await;
    let url = format!("https://granted.test:{port}/");
    let unknown = "its certificate comes from an authority that is not trusted here";
    let forged = "its certificate is not valid";
    for (roots, why) in [
        (vec![], unknown),
        (vec![Authority::new("another authority").root()], unknown),
        // One of the same name and another key.
        (vec![Authority::new("authority").root()], forged),
    ] {
        assert_eq!(refused(get(&trusting(roots), &loopback(), &url).await), (why, true));
    }
    let egress = trusting(vec![authority.root()]);
    let response = get(&egress, &loopback(), &url).await.unwrap();
    assert_eq!(text(response).await.unwrap(), "granted.test|http/1.1");
}

#[tokio::test]
async fn a_certificate_must_name_the_host_of_the_url() {
    let authority = Authority::new("authority");
    let egress = trusting(vec![authority.root()]);
    let port = authority.serve(&["other.test"], |_| ()).await;
    for host in ["granted.test", "127.0.0.1"] {
        let why = refused(get(&egress, &loopback(), &format!("https://{host}:{port}/")).await);
        assert_eq!(why, ("its certificate is for another name", true), "{host}");
    }
    let port = authority.serve(&["127.0.0.1", "granted.test"], |_| ()).await;
    for (host, told) in [("127.0.0.1", "|http/1.1"), ("granted.test.", "granted.test|http/1.1")] {
        let response = get(&egress, &loopback(), &format!("https://{host}:{port}/")).await.unwrap();
        assert_eq!(text(response).await.unwrap(), told);
    }
}

#[tokio::test]
async fn an_expired_certificate_is_refused() {
    let authority = Authority::new("authority");
    let port = authority
        .serve(&["granted.test"], |params| {
            params.not_before = rcgen::date_time_ymd(2001, 1, 1);
            params.not_after = rcgen::date_time_ymd(2002, 1, 1);
        })
        .await;
    let url = format!("https://granted.test:{port}/");
    let why = refused(get(&trusting(vec![authority.root()]), &loopback(), &url).await);
    assert_eq!(why, ("its certificate has expired", true));
}

#[tokio::test]
async fn a_server_without_tls_is_not_spoken_to_in_the_clear() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/secret-path", listener.local_addr().unwrap());
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(OK).await.unwrap();
        let mut seen = Vec::new();
        stream.read_to_end(&mut seen).await.ok();
        seen
    };
    let call = loopback();
    let egress = trusting(vec![]);
    let (result, seen) = tokio::join!(get(&egress, &call, &url), server);
    assert_eq!(refused(result), ("the server does not speak TLS on this port", false));
    assert!(!String::from_utf8_lossy(&seen).contains("secret-path"));
}

#[tokio::test]
async fn a_root_that_is_no_certificate_is_named() {
    let extra_roots = vec![Authority::new("authority").root(), CertificateDer::from(b"junk".to_vec())];
    let error = Egress::new(Settings { extra_roots, ..Settings::default() }).unwrap_err();
    assert!(error.to_string().starts_with("extra root certificate number 2 cannot be used"), "{error}");
}
