//! Tunnels that end at the host, which reads the requests in them.

use std::sync::Arc;

use super::super::credentials::{Holder, VALUE};
use super::super::support::*;
use super::super::tls::Authority;
use super::support::*;
use http::Method;
use packhost_core::Placement;
use packhost_egress::*;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::client::TlsStream;
use url::Url;

/// Reads every tunnel, and grants GET below `/open`. A tunnel that is not read is not granted.
pub(super) struct Reading;

impl Rules for Reading {
    fn decide(&self, method: &Method, url: &Url) -> Verdict {
        if url.scheme() == "https" && method == Method::GET && url.path().starts_with("/open") {
            let addresses = vec!["127.0.0.0/8".parse().unwrap()];
            return Verdict::Allowed { addresses, credentials: vec!["TOKEN".parse().unwrap()] };
        }
        Verdict::Denied { message: format!("{method} {} is not granted", url.path()), fix: "grant it".into() }
    }

    fn terminates(&self, origin: &Url) -> bool {
        origin.scheme() == "https" && origin.path() == "/"
    }
}

/// A server behind the host, the way to it, and a session with an authority of its own.
pub(super) struct World {
    pub(super) egress: Egress,
    pub(super) call: CallEgress,
    pub(super) session: Arc<SessionCa>,
    pub(super) port: u16,
    heads: mpsc::UnboundedReceiver<String>,
}

impl World {
    pub(super) async fn new() -> Self {
        let authority = Authority::new("authority");
        let (port, heads) = echoing_tls(&authority).await;
        let settings = Settings { extra_roots: vec![authority.root()], ..settings(&names()) };
        let session = Arc::new(SessionCa::new().unwrap());
        let places = vec![Placement::Query { name: "key".into() }];
        let holder = Arc::new(Holder { places, ..Holder::default() });
        let holding = Holding { credentials: holder, used: Used::default() };
        let call = CallEgress::with(Arc::new(Reading), Allowance::default(), holding, Ending::default());
        Self {
            egress: Egress::new(settings).unwrap(),
            call: call.terminating(session.clone()),
            session,
            port,
            heads,
        }
    }

    /// Heads that have arrived at the server.
    pub(super) fn heads(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.heads.try_recv().ok()).collect()
    }

    pub(super) fn authority_of(&self, host: &str) -> String {
        format!("{host}:{}", self.port)
    }

    /// A client whose CONNECT to this host was answered with yes.
    pub(super) async fn tunnel(&self, host: &str) -> Client {
        let mut client = proxied(&self.egress, &self.call);
        client.connect(&self.authority_of(host)).await;
        client
    }

    /// The same, with TLS in it.
    pub(super) async fn within(&self, host: &str) -> TlsStream<DuplexStream> {
        let client = self.tunnel(host).await;
        let name = ServerName::try_from(host.to_owned()).unwrap();
        let trusting = trusting(self.session.certificate_der().clone());
        trusting.connect(name, client.stream).await.unwrap()
    }

    pub(super) fn get(&self, path: &str) -> String {
        format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.authority_of("granted.test"))
    }
}

/// A TLS server that sends back the head of each request, and closes.
async fn echoing_tls(authority: &Authority) -> (u16, mpsc::UnboundedReceiver<String>) {
    let config = authority.server(&["granted.test", "127.0.0.1"], &["http/1.1"], |_| ());
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (seen, heads) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let head = head(&mut stream).await;
            seen.send(head.clone()).ok();
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{head}", head.len());
            stream.write_all(answer.as_bytes()).await.ok();
            stream.shutdown().await.ok();
        }
    });
    (port, heads)
}

/// Sends a request and reads the response to it.
pub(super) async fn ask<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, request: &str) -> Read {
    stream.write_all(request.as_bytes()).await.unwrap();
    response(stream).await
}

#[tokio::test]
async fn requests_in_a_tunnel_that_ends_here_are_sent_as_any_other_one_after_the_other() {
    let mut world = World::new().await;
    let mut tls = world.within("granted.test").await;
    for path in ["/open", "/open/a?b=c"] {
        let read = ask(&mut tls, &world.get(path)).await;
        assert_eq!(read.status(), 200, "{read:?}");
        assert!(read.body.starts_with(&format!("GET {path} HTTP/1.1\r\n")), "{read:?}");
        assert!(!read.closes(), "{read:?}");
    }
    assert_eq!(world.heads().len(), 2);
    assert_eq!(world.call.spent().requests, 3, "the CONNECT and both requests");
    let contacts = world.call.contacts().list;
    assert!(contacts.iter().all(|contact| contact.decision == Decision::Allowed), "{contacts:?}");
    assert!(contacts.iter().all(|contact| contact.host == "granted.test"), "{contacts:?}");
}

#[tokio::test]
async fn a_path_or_a_method_that_is_denied_is_told_in_the_tunnel_and_the_next_request_is_served() {
    let mut world = World::new().await;
    let mut tls = world.within("granted.test").await;
    let host = world.authority_of("granted.test");
    for request in [
        world.get("/closed"),
        world.get("/open/../closed"),
        format!("DELETE /open HTTP/1.1\r\nHost: {host}\r\n\r\n"),
    ] {
        let read = ask(&mut tls, &request).await;
        assert_eq!(
            (read.status(), read.problem()["code"].as_str()),
            (403, Some("egress_denied")),
            "{request}"
        );
    }
    assert!(world.heads().is_empty(), "nothing has left");
    assert_eq!(ask(&mut tls, &world.get("/open")).await.status(), 200);
}

#[tokio::test]
async fn a_placeholder_in_a_tunnel_is_replaced_and_its_value_does_not_come_back() {
    let mut world = World::new().await;
    let mut tls = world.within("granted.test").await;
    let read = ask(&mut tls, &world.get("/open?key=$%7Bvault:TOKEN%7D")).await;
    assert_eq!(read.status(), 200, "{read:?}");
    let written: String = url::form_urlencoded::byte_serialize(VALUE.as_bytes()).collect();
    let head = world.heads().pop().unwrap();
    assert!(head.starts_with(&format!("GET /open?key={written} ")), "{head}");
    assert!(read.body.contains("[redacted:TOKEN]") && !read.body.contains(&written), "{read:?}");
}

#[tokio::test]
async fn an_address_has_a_certificate_as_well() {
    let world = World::new().await;
    let mut tls = world.within("127.0.0.1").await;
    let request = format!("GET /open HTTP/1.1\r\nHost: {}\r\n\r\n", world.authority_of("127.0.0.1"));
    assert_eq!(ask(&mut tls, &request).await.status(), 200);
}

#[tokio::test]
async fn the_server_itself_still_has_to_prove_who_it_is() {
    let mut world = World::new().await;
    // The session trusts its own authority; the host does not.
    world.egress = named();
    let mut tls = world.within("granted.test").await;
    let read = ask(&mut tls, &world.get("/open")).await;
    assert_eq!(read.status(), 502);
    assert!(read.head.contains("error=tls_certificate_error"), "{read:?}");
}

#[tokio::test]
async fn a_client_that_can_only_be_served_http_1_1_gets_it() {
    let world = World::new().await;
    let client = world.tunnel("granted.test").await;
    let tls = offering(&world, &["h2", "http/1.1"], client).await.unwrap();
    assert_eq!(tls.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
}

/// TLS of a client that trusts the session and offers these protocols.
pub(super) async fn offering(
    world: &World,
    protocols: &[&str],
    client: Client,
) -> std::io::Result<TlsStream<DuplexStream>> {
    let connector = trusting(world.session.certificate_der().clone());
    let mut config = (**connector.config()).clone();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    let name = ServerName::try_from("granted.test").unwrap();
    tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, client.stream).await
}
