//! The client's end of a proxied stream, and servers that keep what they read.

use std::net::SocketAddr;
use std::sync::Arc;

use super::super::support::*;
use packhost_egress::*;
use packhost_manifest::{HostVars, HttpGrants, Manifest, Origin, Source};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

/// What the stream holds on its way, in bytes.
const HELD: usize = 64 << 10;

/// A client of the proxy.
pub(super) struct Client {
    pub(super) stream: DuplexStream,
    pub(super) served: JoinHandle<Result<(), ProxyError>>,
}

/// A response as the client reads it.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) head: String,
    pub(super) body: String,
}

/// Serves one stream.
pub(super) fn proxied(egress: &Egress, call: &CallEgress) -> Client {
    let (stream, other) = tokio::io::duplex(HELD);
    let (egress, call) = (egress.clone(), call.clone());
    let served = tokio::spawn(async move { egress.serve_proxy(other, &call).await });
    Client { stream, served }
}

impl Client {
    pub(super) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    pub(super) async fn ask(&mut self, request: impl AsRef<[u8]>) -> Read {
        self.send(request).await;
        self.response().await
    }

    /// Up to and with the empty line; what was there when the stream ended otherwise.
    pub(super) async fn head(&mut self) -> String {
        head(&mut self.stream).await
    }

    pub(super) async fn response(&mut self) -> Read {
        response(&mut self.stream).await
    }

    /// Asks for a tunnel that must be granted.
    pub(super) async fn connect(&mut self, to: &str) {
        let read = self.ask(format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n\r\n")).await;
        assert!(read.head.starts_with("HTTP/1.1 200 "), "{to}: {read:?}");
    }

    /// What is still to come, and how it ended.
    pub(super) async fn rest(mut self) -> (Vec<u8>, Result<(), ProxyError>) {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).await.ok();
        (rest, self.served.await.unwrap())
    }

    /// How it ends once the client has closed its side.
    pub(super) async fn close(mut self) -> (Vec<u8>, Result<(), ProxyError>) {
        self.stream.shutdown().await.ok();
        self.rest().await
    }
}

impl Read {
    pub(super) fn status(&self) -> u16 {
        self.head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default()
    }

    /// The problem that this host tells of; the test fails where it is not one.
    pub(super) fn problem(&self) -> Value {
        assert!(self.head.contains("content-type: application/problem+json\r\n"), "{self:?}");
        assert!(self.head.contains("proxy-status: packhost; error="), "{self:?}");
        let problem: Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(problem["status"], self.status());
        assert!(problem["detail"].as_str().unwrap().ends_with(['.', '!', '?']), "{problem}");
        problem
    }

    pub(super) fn closes(&self) -> bool {
        self.head.contains("\r\nconnection: close\r\n")
    }
}

/// Up to and with the empty line; what was there when the stream ended otherwise.
pub(super) async fn head(from: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match from.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).unwrap()
}

pub(super) async fn response(from: &mut (impl AsyncRead + Unpin)) -> Read {
    let head = head(from).await;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = Vec::new();
    if let Some(length) = length {
        body.resize(length.parse().unwrap(), 0);
        from.read_exact(&mut body).await.unwrap();
    } else if head.contains("transfer-encoding: chunked") {
        body = chunks(from).await;
    }
    Read { head, body: String::from_utf8(body).unwrap() }
}

async fn chunks(from: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let size = usize::from_str_radix(&line(from).await, 16).unwrap();
        let at = body.len();
        body.resize(at + size, 0);
        from.read_exact(&mut body[at..]).await.unwrap();
        assert_eq!(line(from).await, "");
        if size == 0 {
            return body;
        }
    }
}

async fn line(from: &mut (impl AsyncRead + Unpin)) -> String {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        line.push(from.read_u8().await.unwrap());
    }
    String::from_utf8(line).unwrap().trim_end().to_owned()
}

pub(super) fn get_of(url: &str) -> String {
    format!("GET {url} HTTP/1.1\r\nHost: ignored.test\r\n\r\n")
}

/// A server that answers nothing. Each connection sends what was read until it ended.
pub(super) struct Silent {
    pub(super) address: SocketAddr,
    ended: mpsc::UnboundedReceiver<Vec<u8>>,
}

impl Silent {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, ended) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let seen = seen.clone();
                tokio::spawn(async move {
                    let mut read = Vec::new();
                    stream.read_to_end(&mut read).await.ok();
                    seen.send(read).ok();
                });
            }
        });
        Self { address, ended }
    }

    /// What the next connection that ends has brought.
    pub(super) async fn read(&mut self) -> Vec<u8> {
        self.ended.recv().await.unwrap()
    }
}

/// The rules of a manifest with these `http` rules in YAML.
pub(super) struct Granted(HttpGrants);

impl Granted {
    pub(super) fn call(rules: &str) -> CallEgress {
        let text = format!("version: 1\npacks:\n  a:\n    http: {rules}\n");
        let source = Source { name: "a.yaml".into(), text, origin: Origin::Operator };
        let manifest = Manifest::parse(&[source]).unwrap_or_else(|errors| panic!("{errors}"));
        let vars = HostVars { state: "/state".into(), home: None };
        let grants = manifest.entries().next().unwrap().narrow(&Value::Null, &vars);
        CallEgress::new(Arc::new(Self(grants.http)), Allowance::default())
    }
}

fn verdict(decision: packhost_manifest::Decision) -> Verdict {
    match decision {
        packhost_manifest::Decision::Allowed(allowed) | packhost_manifest::Decision::Reported(allowed, _) => {
            Verdict::Allowed { addresses: allowed.addresses, credentials: allowed.credentials }
        }
        packhost_manifest::Decision::Denied(denial) => {
            Verdict::Denied { message: denial.what, fix: denial.missing }
        }
    }
}

impl Rules for Granted {
    fn decide(&self, method: &http::Method, url: &url::Url) -> Verdict {
        verdict(self.0.decide(method.as_str(), url))
    }

    fn tunnel(&self, origin: &url::Url) -> Verdict {
        verdict(self.0.tunnel(origin))
    }
}

/// A TLS client that trusts this root.
pub(super) fn trusting(root: rustls::pki_types::CertificateDer<'static>) -> TlsConnector {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(root).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

/// The first bytes of a TLS client that calls the server by this name (an address is none).
pub(super) fn hello(name: &str) -> Vec<u8> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let name = rustls::pki_types::ServerName::try_from(name.to_owned()).unwrap();
    let mut client = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    bytes
}

/// The same handshake message in records of at most this many bytes.
pub(super) fn in_records(hello: &[u8], size: usize) -> Vec<u8> {
    let pieces = hello[5..].chunks(size);
    pieces.flat_map(|piece| [&[22, 3, 1], &(piece.len() as u16).to_be_bytes()[..], piece].concat()).collect()
}

/// A way out for which `granted.test` and `other.test` are on loopback.
pub(super) fn named() -> Egress {
    egress(&names())
}

pub(super) fn names() -> Arc<Names> {
    Names::new(&[("granted.test", &[&["127.0.0.1"]]), ("other.test", &[&["127.0.0.1"]])])
}

/// The one contact of a call.
pub(super) fn contact(call: &CallEgress) -> Contact {
    let contacts = call.contacts().list;
    let [contact] = contacts.as_slice() else { panic!("{contacts:?}") };
    contact.clone()
}

/// A server that echoes what it reads.
pub(super) async fn echoing() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(echo(stream));
        }
    });
    address
}

async fn echo(mut stream: TcpStream) {
    let (mut from, mut to) = stream.split();
    tokio::io::copy(&mut from, &mut to).await.ok();
    to.shutdown().await.ok();
}
