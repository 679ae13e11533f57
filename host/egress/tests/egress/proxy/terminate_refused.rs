//! What is refused in tunnels that end at the host, or before there is one.

use std::sync::Arc;
use std::time::Duration;

use super::super::support::*;
use super::support::*;
use super::terminate::{Reading, World, ask, offering};
use packhost_egress::*;
use rustls::pki_types::ServerName;
use tokio::io::AsyncReadExt;

/// The alert `unrecognized_name`.
const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];

#[tokio::test]
async fn a_hello_that_names_another_server_is_refused_before_a_certificate_is_shown() {
    let mut world = World::new().await;
    for name in ["other.test", "127.0.0.1"] {
        let mut client = world.tunnel("granted.test").await;
        client.send(hello(name)).await;
        let (told, ended) = client.rest().await;
        assert_eq!(told, UNRECOGNIZED_NAME, "{name}");
        assert!(matches!(ended, Err(ProxyError::Egress(EgressError::Denied { .. }))), "{ended:?}");
    }
    let contacts = world.call.contacts().list;
    assert!(contacts.iter().all(|contact| contact.decision == Decision::DeniedByRule), "{contacts:?}");
    assert!(world.heads().is_empty());
}

#[tokio::test]
async fn what_is_no_tls_is_refused() {
    let world = World::new().await;
    let mut client = world.tunnel("granted.test").await;
    client.send(world.get("/open")).await;
    let (told, ended) = client.rest().await;
    assert!(told.is_empty());
    assert!(matches!(ended, Err(ProxyError::Egress(EgressError::Denied { .. }))), "{ended:?}");
}

#[tokio::test]
async fn requests_that_do_not_belong_into_the_tunnel_are_refused_and_end_it() {
    let mut world = World::new().await;
    let (host, port) = (world.authority_of("granted.test"), world.port);
    for (request, status) in [
        (format!("GET /open HTTP/1.1\r\nHost: other.test:{port}\r\n\r\n"), 421),
        ("GET /open HTTP/1.1\r\nHost: granted.test\r\n\r\n".to_owned(), 421),
        ("GET /open HTTP/1.1\r\nHost: granted.test:1\r\n\r\n".to_owned(), 421),
        (format!("GET /open HTTP/1.1\r\nHost: me@{host}\r\n\r\n"), 421),
        (format!("GET /open HTTP/1.1\r\nHost: {host}/\r\n\r\n"), 421),
        ("GET /open HTTP/1.1\r\nHost:\r\n\r\n".to_owned(), 421),
        ("GET /open HTTP/1.0\r\n\r\n".to_owned(), 421),
        ("GET /open HTTP/1.1\r\n\r\n".to_owned(), 400),
        (format!("GET /open HTTP/1.1\r\nHost: {host}\r\nHost: {host}\r\n\r\n"), 400),
        (format!("GET https://{host}/open HTTP/1.1\r\nHost: {host}\r\n\r\n"), 400),
        (format!("GET http://{host}/open HTTP/1.1\r\nHost: {host}\r\n\r\n"), 400),
        (format!("OPTIONS * HTTP/1.1\r\nHost: {host}\r\n\r\n"), 400),
        (format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n"), 400),
        (format!("GET /open HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"), 501),
        (
            format!(
                "GET /open HTTP/1.1\r\nHost: {host}\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            ),
            501,
        ),
    ] {
        let mut tls = world.within("granted.test").await;
        let read = ask(&mut tls, &request).await;
        assert_eq!(
            (read.status(), read.problem()["code"].as_str()),
            (status, Some("invalid_input")),
            "{request}"
        );
        let mut rest = Vec::new();
        tls.read_to_end(&mut rest).await.ok();
        assert!(rest.is_empty(), "{request}: the stream is over");
    }
    assert!(world.heads().is_empty(), "nothing has left");
}

#[tokio::test]
async fn a_client_that_does_not_trust_the_session_says_nothing() {
    let mut world = World::new().await;
    let client = world.tunnel("granted.test").await;
    let stranger = SessionCa::new().unwrap();
    let name = ServerName::try_from("granted.test").unwrap();
    let refused = trusting(stranger.certificate_der().clone()).connect(name, client.stream).await;
    let error = refused.expect_err("another session's authority").to_string();
    assert!(error.contains("invalid peer certificate"), "{error}");
    let ended = client.served.await.unwrap().expect_err("no requests").to_string();
    assert!(ended.contains("it has to trust the certificate authority of its session"), "{ended}");
    assert!(world.heads().is_empty());
}

#[tokio::test]
async fn a_client_that_speaks_http_2_alone_is_refused() {
    let world = World::new().await;
    let client = world.tunnel("granted.test").await;
    assert!(offering(&world, &["h2"], client).await.is_err());
}

#[tokio::test]
async fn a_call_without_an_authority_gets_no_tunnel_instead() {
    struct Everything;
    impl Rules for Everything {
        fn decide(&self, _: &http::Method, _: &url::Url) -> Verdict {
            Verdict::Allowed { addresses: vec!["127.0.0.0/8".parse().unwrap()], credentials: Vec::new() }
        }
        fn tunnel(&self, origin: &url::Url) -> Verdict {
            self.decide(&http::Method::CONNECT, origin)
        }
        fn terminates(&self, origin: &url::Url) -> bool {
            Reading.terminates(origin)
        }
    }
    let call = CallEgress::new(Arc::new(Everything), Allowance::default());
    let mut client = proxied(&named(), &call);
    let read = client.ask("CONNECT granted.test:443 HTTP/1.1\r\nHost: granted.test:443\r\n\r\n").await;
    assert_eq!((read.status(), read.problem()["code"].as_str()), (403, Some("egress_denied")));
    assert!(read.closes());
    assert_eq!(contact(&call).decision, Decision::DeniedByRule);
}

#[tokio::test]
async fn a_handshake_that_does_not_go_on_is_cut_off() {
    let mut world = World::new().await;
    let proxy = ProxyWaits { hello: SHORT, idle: Duration::from_secs(60) };
    world.egress = Egress::new(Settings { proxy, ..settings(&names()) }).unwrap();
    for first in [Vec::new(), hello("granted.test")] {
        let mut client = world.tunnel("granted.test").await;
        client.send(&first).await;
        let ended = client.rest().await.1;
        let is_late =
            matches!(ended, Err(ProxyError::Egress(EgressError::Timeout { wait: Wait::Hello, .. })));
        assert!(is_late, "{ended:?}");
    }
}

#[tokio::test]
async fn a_client_that_says_nothing_in_the_tunnel_is_cut_off() {
    let mut world = World::new().await;
    let proxy = ProxyWaits { idle: SHORT, ..ProxyWaits::default() };
    world.egress = Egress::new(Settings { proxy, ..settings(&names()) }).unwrap();
    let mut tls = world.within("granted.test").await;
    let mut rest = Vec::new();
    tls.read_to_end(&mut rest).await.ok();
    assert!(rest.is_empty(), "{rest:?}");
}

#[tokio::test]
async fn handshakes_are_charged() {
    let session = Arc::new(SessionCa::new().unwrap());
    let allowance = Allowance { requests: 2, ..Allowance::default() };
    let call = CallEgress::new(Arc::new(Reading), allowance).terminating(session);
    for status in [200, 200, 429] {
        let mut client = proxied(&named(), &call);
        let read = client.ask("CONNECT granted.test:443 HTTP/1.1\r\nHost: granted.test:443\r\n\r\n").await;
        assert_eq!(read.status(), status);
    }
}
