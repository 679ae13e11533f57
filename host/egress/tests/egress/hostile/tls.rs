//! Servers that break TLS. Whose certificate is refused for its name, time or authority is in the other module of this name.

use std::sync::Arc;

use packhost_egress::*;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::super::support::*;
use super::super::tls::{Authority, refused, trusting};

/// A handshake that ends with these bytes, after the client has spoken.
async fn saying(bytes: Vec<u8>) -> Answer {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://granted.test:{}/", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        // The head of a record, and what it holds: the client's greeting.
        let mut head = [0; 5];
        stream.read_exact(&mut head).await.unwrap();
        let mut greeting = vec![0; u16::from_be_bytes([head[3], head[4]]).into()];
        stream.read_exact(&mut greeting).await.unwrap();
        stream.write_all(&bytes).await.ok();
        stream.shutdown().await.ok();
        stream.read_to_end(&mut Vec::new()).await.ok();
    });
    get(&trusting(vec![]), &loopback(), &url).await
}

/// A ServerHello (RFC 5246 section 7.4.1.3) of this version, with these extensions.
fn hello(version: [u8; 2], extensions: &[u8]) -> Vec<u8> {
    let length = |bytes: &[u8]| (bytes.len() as u16).to_be_bytes();
    // No session; ECDHE with RSA, AES-128 and GCM; no compression.
    let mut body = [&version[..], &[7; 32], &[0, 0xc0, 0x2f, 0]].concat();
    body.extend([&length(extensions)[..], extensions].concat());
    let message = [&[2, 0][..], &length(&body), &body].concat();
    [&[22, 3, version[1].min(3)][..], &length(&message), &message].concat()
}

#[tokio::test]
async fn a_handshake_that_is_broken_is_said_to_be_so_and_nothing_is_sent() {
    let gone = "the connection ended during the handshake";
    let old = "the server does not speak TLS 1.2 or 1.3 as this host does";
    let no_tls = "the server does not speak TLS on this port";
    let failed = "the handshake failed";
    let whole = hello([3, 3], &[]);
    let alpn = |name: &[u8]| {
        let list = [&[name.len() as u8][..], name].concat();
        [&[0, 16, 0, list.len() as u8 + 2, 0, list.len() as u8][..], &list].concat()
    };
    for (bytes, why) in [
        (vec![], gone),
        (vec![22], gone),
        (whole[..20].to_vec(), gone),
        (whole, gone),
        (hello([3, 2], &[]), old),
        (hello([3, 1], &[]), old),
        (hello([3, 0], &[]), old),
        // An alert: the protocol's version.
        (vec![21, 3, 3, 0, 2, 2, 70], "the server refused the handshake"),
        (hello([3, 3], &alpn(b"spdy/3")), failed),
        (hello([3, 3], &alpn(b"")), no_tls),
        // Of 16 MiB, in records that never come to its end.
        ([&[22, 3, 3, 0x40, 0, 2, 0xff, 0xff, 0xff][..], &[0; 0x3ffc]].concat().repeat(64), no_tls),
        // A record that is too long, and records that are empty.
        ([&[22, 3, 3, 0xff, 0xff][..], &[0; 0xffff]].concat(), no_tls),
        ([22, 3, 3, 0, 0].repeat(10_000), no_tls),
        (b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(), no_tls),
    ] {
        let shown = bytes[..bytes.len().min(12)].to_vec();
        assert_eq!(refused(saying(bytes).await), (why, false), "{shown:?}");
    }
    // Warnings without end, and changes of a cipher that there is not yet.
    for bytes in [[21, 3, 3, 0, 2, 1, 90].repeat(10_000), [20, 3, 3, 0, 1, 1].repeat(10_000)] {
        assert!(matches!(saying(bytes).await, Err(EgressError::Tls { certificate: false, .. })));
    }
}

async fn serving<F, R>(chain: Vec<CertificateDer<'static>>, key: &KeyPair, alpn: &[&[u8]], serve: F) -> String
where
    F: Fn(TlsStream<TcpStream>) -> R + Send + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://granted.test:{}/", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                match stream.read_u8().await {
                    Ok(byte) => head.push(byte),
                    Err(_) => break,
                }
            }
            tokio::spawn(serve(stream));
        }
    });
    url
}

async fn unreached(_: TlsStream<TcpStream>) {}

fn params(change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let mut params = CertificateParams::new(vec!["granted.test".to_owned()]).unwrap();
    change(&mut params);
    params
}

#[tokio::test]
async fn a_certificate_that_vouches_for_itself_is_refused() {
    let key = KeyPair::generate().unwrap();
    let own = params(|_| ()).self_signed(&key).unwrap();
    let url = serving(vec![own.der().clone()], &key, &[], unreached).await;
    let why = refused(get(&trusting(vec![]), &loopback(), &url).await);
    assert_eq!(why, ("its certificate comes from an authority that is not trusted here", true));
    // A name that only the server gave it, and one whose time has not come.
    let authority = Authority::new("authority");
    let egress = trusting(vec![authority.root()]);
    let early = params(|params| params.not_before = rcgen::date_time_ymd(2090, 1, 1));
    let early = early.signed_by(&key, authority.issuer()).unwrap();
    let url = serving(vec![early.der().clone()], &key, &[], unreached).await;
    let why = refused(get(&egress, &loopback(), &url).await);
    assert_eq!(why, ("its certificate is not valid yet", true));
    // One that is made to sign others, and one that a server's certificate has signed.
    let leaf = params(|_| ()).signed_by(&key, authority.issuer()).unwrap();
    let between = rcgen::Issuer::new(params(|_| ()), &key);
    let below = params(|_| ()).signed_by(&key, &between).unwrap();
    let url = serving(vec![below.der().clone(), leaf.der().clone()], &key, &[], unreached).await;
    let (_, certificate) = refused(get(&egress, &loopback(), &url).await);
    assert!(certificate);
}

/// Each signed by the one before, down from one that is trusted.
#[tokio::test]
async fn a_chain_of_a_hundred_certificates_is_not_followed() {
    let issuer = |name: String| {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
    };
    let generated = || KeyPair::generate().unwrap();
    let root = CertifiedIssuer::self_signed(issuer("root".into()), generated()).unwrap();
    let egress = trusting(vec![root.der().clone()]);
    let key = generated();
    for (count, is_followed) in [(2, true), (100, false)] {
        let mut issuers = Vec::new();
        for number in 0..count {
            let above = issuers.last().unwrap_or(&root);
            issuers
                .push(CertifiedIssuer::signed_by(issuer(format!("{number}")), generated(), above).unwrap());
        }
        let leaf = params(|_| ()).signed_by(&key, issuers.last().unwrap_or(&root)).unwrap();
        let chain = [leaf.der().clone()].into_iter().chain(issuers.iter().rev().map(|one| one.der().clone()));
        let url = serving(chain.collect(), &key, &[], |mut stream| async move {
            stream.write_all(OK).await.ok();
            stream.shutdown().await.ok();
        })
        .await;
        let answer = get(&egress, &loopback(), &url).await;
        if is_followed {
            assert_eq!(text(answer.unwrap()).await.unwrap(), "hello");
        } else {
            assert!(refused(answer).1, "it is the certificate that is refused");
        }
    }
}

#[tokio::test]
async fn a_server_that_speaks_no_protocol_of_ours_is_not_spoken_to() {
    let authority = Authority::new("authority");
    let key = KeyPair::generate().unwrap();
    let chain = vec![params(|_| ()).signed_by(&key, authority.issuer()).unwrap().der().clone()];
    let url = serving(chain, &key, &[b"spdy/3", b"imap"], unreached).await;
    let why = refused(get(&trusting(vec![authority.root()]), &loopback(), &url).await);
    assert_eq!(why, ("the server refused the handshake", false));
}

/// Whoever is between the two can end a connection, but not say that it was meant to end (RFC 8446 section 6.1).
#[tokio::test]
async fn a_body_that_is_cut_off_under_tls_is_not_taken_for_whole() {
    let authority = Authority::new("authority");
    let key = KeyPair::generate().unwrap();
    let chain = vec![params(|_| ()).signed_by(&key, authority.issuer()).unwrap().der().clone()];
    let egress = trusting(vec![authority.root()]);
    let incomplete = Err(EgressError::Protocol("the response ended before it was complete"));
    let (hello, to_the_end) = (Ok("hello".to_owned()), "HTTP/1.1 200 OK\r\n\r\nhello");
    let longer = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello";
    let more = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n";
    let whole = std::str::from_utf8(OK).unwrap();
    for (response, notifies, expected) in [
        (to_the_end, true, &hello),
        (to_the_end, false, &incomplete),
        (whole, true, &hello),
        (whole, false, &hello),
        (longer, true, &incomplete),
        (longer, false, &incomplete),
        (more, true, &incomplete),
        (more, false, &incomplete),
    ] {
        let url = serving(chain.clone(), &key, &[b"http/1.1"], move |mut stream| async move {
            stream.write_all(response.as_bytes()).await.ok();
            stream.flush().await.ok();
            if notifies {
                stream.shutdown().await.ok();
            } else {
                stream.get_mut().0.shutdown().await.ok();
            }
        })
        .await;
        let answer = text(get(&egress, &loopback(), &url).await.unwrap()).await;
        assert_eq!(answer, *expected, "{response} {notifies}");
    }
}
