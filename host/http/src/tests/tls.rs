//! Connections that are secured here, in both versions of HTTP.

use std::fs;

use axum::http::{Request, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion};
use tempfile::TempDir;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::TlsFiles;

/// A host with a certificate, and what a client needs to trust it.
struct Secured {
    running: Running,
    certificate: CertificateDer<'static>,
    _dir: TempDir,
}

async fn secured(change: impl FnOnce(&mut Settings)) -> Secured {
    let dir = TempDir::new().expect("a directory");
    let files = TlsFiles { certificate: dir.path().join("cert.pem"), key: dir.path().join("key.pem") };
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    fs::write(&files.certificate, cert.pem()).expect("writable");
    fs::write(&files.key, signing_key.serialize_pem()).expect("writable");
    let running = start(|settings| {
        settings.tls = Some(files);
        change(settings);
    })
    .await;
    Secured { running, certificate: cert.der().clone(), _dir: dir }
}

impl Secured {
    async fn connect(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        alpn: &[&[u8]],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).expect("a root");
        let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(versions)
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        let stream = TcpStream::connect(self.running.at).await.expect("it listens");
        let name = ServerName::try_from("localhost").expect("a name");
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }
}

fn asked(version: Version) -> Request<Full<Bytes>> {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "whoami", "arguments": {},
        "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {}}}});
    let request = match version {
        Version::HTTP_2 => Request::post("https://localhost/mcp"),
        _ => Request::post("/mcp").header("host", "localhost"),
    };
    request
        .header("accept", "application/json, text/event-stream")
        .header("content-type", "application/json")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", "whoami")
        .body(Full::new(body.to_string().into()))
        .expect("a request")
}

async fn said(answer: axum::http::Response<hyper::body::Incoming>) -> Value {
    assert_eq!(answer.status(), 200);
    let body = answer.into_body().collect().await.expect("a whole body").to_bytes();
    serde_json::from_slice(&body).expect("JSON")
}

#[tokio::test]
async fn both_versions_of_http_are_secured_and_a_client_chooses() {
    let secured = secured(|_| {}).await;
    let stream = secured.connect(rustls::ALL_VERSIONS, &[b"h2", b"http/1.1"]).await.expect("it is trusted");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    assert_eq!(stream.get_ref().1.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2");
    tokio::spawn(connection);
    let answers = (0..8).map(|_| sender.send_request(asked(Version::HTTP_2))).collect::<Vec<_>>();
    for answer in answers {
        let answer = said(answer.await.expect("an answer")).await;
        assert_eq!(answer["result"]["content"][0]["text"], "local");
    }
    for (versions, alpn) in
        [(&[&rustls::version::TLS12][..], &[&b"http/1.1"[..]][..]), (&[&rustls::version::TLS13], &[])]
    {
        let stream = secured.connect(versions, alpn).await.expect("it is trusted");
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("HTTP/1.1");
        tokio::spawn(connection);
        let answer = said(sender.send_request(asked(Version::HTTP_11)).await.expect("an answer")).await;
        assert_eq!(answer["result"]["content"][0]["text"], "local");
    }
}

#[tokio::test]
async fn a_host_that_is_not_its_own_is_refused_in_http_2_as_well() {
    let secured = secured(|_| {}).await;
    let stream = secured.connect(rustls::ALL_VERSIONS, &[b"h2"]).await.expect("it is trusted");
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2");
    tokio::spawn(connection);
    let mut elsewhere = asked(Version::HTTP_2);
    *elsewhere.uri_mut() = "https://evil.example/mcp".parse().expect("a URL");
    assert_eq!(sender.send_request(elsewhere).await.expect("an answer").status(), 403);
}

#[tokio::test]
async fn who_speaks_no_tls_or_is_slow_to_is_not_waited_for() {
    let secured = secured(|settings| settings.header_timeout = Duration::from_millis(200)).await;
    let plain = secured.running.send(&call("whoami", &[])).await;
    assert_eq!(plain.status, 0, "there is no answer in the clear");
    let silent = read(secured.running.open("").await).await;
    assert_eq!(silent.status, 0, "it is hung up on");
}

#[tokio::test]
async fn an_unused_connection_of_http_2_makes_room() {
    let secured = secured(|settings| {
        (settings.header_timeout, settings.max_connections) = (Duration::from_millis(300), 1);
    })
    .await;
    let stream = secured.connect(rustls::ALL_VERSIONS, &[b"h2"]).await.expect("it is trusted");
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2");
    let ended = tokio::spawn(connection);
    said(sender.send_request(asked(Version::HTTP_2)).await.expect("an answer")).await;
    let _ = ended.await.expect("no panic");
    let again = secured.connect(rustls::ALL_VERSIONS, &[b"http/1.1"]).await;
    assert!(again.is_ok(), "there is room for the next one");
}

#[tokio::test]
async fn a_call_that_takes_long_keeps_its_connection_of_http_2() {
    let secured = secured(|settings| settings.header_timeout = Duration::from_millis(100)).await;
    let stream = secured.connect(rustls::ALL_VERSIONS, &[b"h2"]).await.expect("it is trusted");
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2");
    let driven = tokio::spawn(connection);
    let mut held = asked(Version::HTTP_2);
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "hold", "arguments": {},
        "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {}}}});
    *held.body_mut() = Full::new(body.to_string().into());
    held.headers_mut().insert("mcp-name", "hold".parse().expect("a header"));
    let answer = tokio::spawn(sender.send_request(held));
    secured.running.held().await;
    // Longer than a connection may be unused.
    let early =
        tokio::time::timeout(Duration::from_millis(400), secured.running.handler.0.cancelled.acquire()).await;
    assert!(early.is_err(), "the call was cut off");
    secured.running.handler.0.go.notify_one();
    said(answer.await.expect("no panic").expect("an answer")).await;
    drop(driven);
}
