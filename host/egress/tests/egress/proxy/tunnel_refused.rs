//! Tunnels that are not granted, and what has to come first in one that is.

use std::sync::Arc;

use super::super::support::*;
use super::super::tls::Authority;
use super::support::*;
use packhost_egress::*;
use rustls::AlertDescription;
use rustls::pki_types::ServerName;

/// The answer to a CONNECT, which has to be the last of its stream.
async fn refused(egress: &Egress, call: &CallEgress, request: &str) -> Read {
    let mut client = proxied(egress, call);
    let read = client.ask(request).await;
    assert!(read.closes(), "{request:?}: {read:?}");
    // What an impatient client has sent behind its request is not read as one.
    assert_eq!(client.rest().await, (Vec::new(), Ok(())), "{request:?}");
    read
}

fn connect_to(to: &str) -> String {
    format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n\r\n{}", get_of("http://granted.test/"))
}

#[tokio::test]
async fn a_tunnel_needs_a_rule_for_its_host_and_port() {
    let names = names();
    let egress = egress(&names);
    let rules = "[{host: granted.test, methods: [CONNECT]}, {host: get.test, methods: [GET, POST]}, \
                 {host: paths.test, paths: [/v1/**]}, {host: plain.test, scheme: http, ports: [443]}]";
    for (to, fix) in [
        ("granted.test:444", "scheme https, port 444 and method CONNECT"),
        ("granted.test:80", "scheme https, port 80 and method CONNECT"),
        ("other.test:443", "a rule for host other.test"),
        ("get.test:443", "not for a tunnel"),
        ("paths.test:443", "not for a tunnel"),
        ("plain.test:443", "scheme https, port 443 and method CONNECT"),
    ] {
        let call = Granted::call(rules);
        let read = refused(&egress, &call, &connect_to(to)).await;
        let problem = read.problem();
        assert_eq!((read.status(), problem["code"].as_str()), (403, Some("egress_denied")), "{to}");
        assert!(problem["fix"].as_str().unwrap().contains(fix), "{to}: {problem}");
        assert_eq!(contact(&call).decision, Decision::DeniedByRule, "{to}");
        assert_eq!(call.spent().requests, 1);
    }
    assert!(names.asked().is_empty());
}

#[tokio::test]
async fn rules_that_know_no_tunnel_allow_none() {
    struct Everything;
    impl Rules for Everything {
        fn decide(&self, _: &http::Method, _: &url::Url) -> Verdict {
            Verdict::Allowed { addresses: vec!["127.0.0.0/8".parse().unwrap()], credentials: Vec::new() }
        }
    }
    let call = CallEgress::new(Arc::new(Everything), Allowance::default());
    let read = refused(&named(), &call, &connect_to("granted.test:443")).await;
    assert_eq!((read.status(), read.problem()["code"].as_str()), (403, Some("egress_denied")));
}

#[tokio::test]
async fn a_tunnel_to_a_closed_address_is_not_opened() {
    let mut server = Server::answering(OK).await;
    let port = server.port();
    let names = Names::new(&[
        ("granted.test", &[&["127.0.0.1"]]),
        ("meta.test", &[&["93.184.215.14", "169.254.169.254"]]),
        ("own.test", &[&["127.0.0.2"]]),
    ]);
    let own = "127.0.0.2:8080".parse().unwrap();
    let egress = Egress::new(Settings { own_listeners: vec![own], ..settings(&names) }).unwrap();
    for (to, opened) in [
        (format!("127.0.0.1:{port}"), ""),
        (format!("localhost:{port}"), ""),
        (format!("granted.test:{port}"), ""),
        (format!("0x7f.1:{port}"), ""),
        (format!("2130706433:{port}"), ""),
        (format!("[::ffff:127.0.0.1]:{port}"), "127.0.0.0/8"),
        ("169.254.169.254:443".to_owned(), "169.254.0.0/16"),
        ("meta.test:443".to_owned(), "169.254.0.0/16"),
        ("own.test:8080".to_owned(), "127.0.0.0/8"),
        ("10.1.2.3:443".to_owned(), ""),
    ] {
        let opened: Vec<&str> = if opened.is_empty() { vec![] } else { vec![opened] };
        let call = call(&["*"], &opened);
        let read = refused(&egress, &call, &connect_to(&to)).await;
        if to.starts_with("localhost") {
            assert_eq!(read.status(), 502, "nobody knows {to} here: {read:?}");
            continue;
        }
        assert_eq!((read.status(), read.problem()["code"].as_str()), (403, Some("egress_denied")), "{to}");
        assert!(read.head.contains("error=destination_ip_prohibited"), "{to}: {read:?}");
        assert_eq!(contact(&call).decision, Decision::DeniedByAddress, "{to}");
    }
    assert!(server.heads().is_empty());
}

#[tokio::test]
async fn a_connect_that_is_not_a_host_and_a_port_goes_nowhere() {
    let names = names();
    let egress = egress(&names);
    let host = "Host: granted.test";
    for request in [
        format!("CONNECT granted.test HTTP/1.1\r\n{host}\r\n\r\n"),
        format!("CONNECT granted.test: HTTP/1.1\r\n{host}\r\n\r\n"),
        format!("CONNECT granted.test:0 HTTP/1.1\r\n{host}\r\n\r\n"),
        format!("CONNECT granted.test:65536 HTTP/1.1\r\n{host}\r\n\r\n"),
        format!("CONNECT granted.test:+443 HTTP/1.1\r\n{host}\r\n\r\n"),
        format!("CONNECT me@granted.test:443 HTTP/1.1\r\n{host}\r\n\r\n"),
        format!("CONNECT @granted.test:443 HTTP/1.1\r\n{host}\r\n\r\n"),
        format!("CONNECT granted.test:443/path HTTP/1.1\r\n{host}\r\n\r\n"),
        format!("CONNECT https://granted.test:443 HTTP/1.1\r\n{host}\r\n\r\n"),
        format!("CONNECT https://granted.test:443/ HTTP/1.1\r\n{host}\r\n\r\n"),
        format!("CONNECT /granted.test:443 HTTP/1.1\r\n{host}\r\n\r\n"),
        format!("CONNECT granted.test:443:443 HTTP/1.1\r\n{host}\r\n\r\n"),
        format!("CONNECT 256.0.0.1:443 HTTP/1.1\r\n{host}\r\n\r\n"),
        format!("CONNECT :443 HTTP/1.1\r\n{host}\r\n\r\n"),
        format!("CONNECT * HTTP/1.1\r\n{host}\r\n\r\n"),
        "CONNECT granted.test:443 HTTP/1.1\r\n\r\n".to_owned(),
        format!("CONNECT granted.test:443 HTTP/1.1\r\n{host}\r\n{host}\r\n\r\n"),
        format!("CONNECT granted.test:443 HTTP/1.1\r\n{host}\r\nContent-Length: 5\r\n\r\nhello"),
        format!("CONNECT granted.test:443 HTTP/1.1\r\n{host}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ] {
        let call = loopback();
        let mut client = proxied(&egress, &call);
        client.send(&request).await;
        let (answer, _) = client.rest().await;
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 "), "{request:?}: {answer:?}");
        assert_eq!(call.contacts(), Contacts::default(), "{request:?}");
    }
    assert!(names.asked().is_empty());
}

#[tokio::test]
async fn a_server_that_does_not_listen_is_told_before_the_tunnel_opens() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = format!("granted.test:{}", closed.local_addr().unwrap().port());
    drop(closed);
    let call = loopback();
    let read = refused(&named(), &call, &connect_to(&to)).await;
    assert_eq!((read.status(), read.problem()["code"].as_str()), (502, Some("handler_failed")), "{read:?}");
    assert!(read.head.contains("error=destination_unavailable"), "{read:?}");
    assert_eq!(contact(&call).decision, Decision::Allowed, "a connection was tried");
}

/// What the client reads of a tunnel into which it sends this, and why it was closed. The server reads nothing.
async fn closed_after(host: &str, sent: &[u8]) -> (Vec<u8>, String) {
    let mut server = Silent::start().await;
    let call = loopback();
    let mut client = proxied(&named(), &call);
    client.connect(&format!("{host}:{}", server.address.port())).await;
    client.send(sent).await;
    let (read, ended) = client.close().await;
    assert_eq!(server.read().await, b"", "{host} was sent something");
    let contact = contact(&call);
    assert_eq!((contact.decision, contact.sent), (Decision::DeniedByRule, 0));
    match ended {
        Err(ProxyError::Egress(error @ EgressError::Denied { .. })) => (read, error.to_string()),
        other => panic!("{host}: {other:?}"),
    }
}

#[tokio::test]
async fn a_hello_to_another_server_is_not_passed_on() {
    let alert = [21, 3, 3, 0, 2, 2, 112];
    for (host, name, why) in [
        ("granted.test", "other.test", "names another server"),
        ("granted.test", "a.granted.test", "names another server"),
        ("granted.test", "granted.test.evil.test", "names another server"),
        ("granted.test", "granted.tes", "names another server"),
        ("granted.test", "127.0.0.1", "has no server name"),
        ("127.0.0.1", "granted.test", "the host is an address"),
    ] {
        let (read, told) = closed_after(host, &hello(name)).await;
        assert!(told.contains(why), "{host}, {name}: {told}");
        assert_eq!(read, alert, "a TLS client is told in TLS");
    }
}

#[tokio::test]
async fn a_client_learns_that_its_server_name_is_the_reason() {
    let authority = Authority::new("authority");
    let port = authority.serve(&["granted.test", "other.test"], |_| ()).await;
    let mut client = proxied(&named(), &loopback());
    client.connect(&format!("granted.test:{port}")).await;
    let name = ServerName::try_from("other.test").unwrap();
    let error = trusting(authority.root()).connect(name, client.stream).await.unwrap_err();
    let error = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
    assert_eq!(error, Some(&rustls::Error::AlertReceived(AlertDescription::UnrecognisedName)));
}

#[tokio::test]
async fn what_is_not_a_hello_is_not_passed_on() {
    let whole = hello("granted.test");
    let version_of_ssl = [0x80, 0x2e, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10];
    let alert_first = [&[21, 3, 1, 0, 2, 1, 0], whole.as_slice()].concat();
    let empty_records = [22, 3, 1, 0, 0].repeat(17);
    let server_hello = [22, 3, 3, 0, 4, 2, 0, 0, 0];
    let mut damaged = whole.clone();
    damaged[5] = 9;
    for (what, sent) in [
        ("HTTP", b"GET / HTTP/1.1\r\nHost: granted.test\r\n\r\n".as_slice()),
        ("SSH", b"SSH-2.0-OpenSSH_9.6\r\n"),
        ("one byte", b"\0"),
        ("SSL 2", &version_of_ssl),
        ("an alert first", &alert_first),
        ("empty records", &empty_records),
        ("another message", &server_hello),
        ("a damaged hello", &damaged),
        ("a part of one", &whole[..whole.len() - 1]),
    ] {
        let (read, told) = closed_after("granted.test", sent).await;
        assert!(told.contains("before anything was passed on"), "{what}: {told}");
        assert!(read.is_empty(), "{what}: {read:?}");
    }
}

#[tokio::test]
async fn a_hello_has_bounds() {
    let whole = hello("granted.test");
    let (_, told) = closed_after("granted.test", &in_records(&whole, whole.len() / 17)).await;
    assert!(told.contains("larger than 16384 bytes or 16 records"), "{told}");
    // A hello that says that it is 64 KiB long, in records of 16 KiB.
    let record = [&[22, 3, 1, 0x40, 0, 1, 0, 0xff, 0xf0, 3, 3][..], &[0; 20 << 10]].concat();
    let (_, told) = closed_after("granted.test", &record).await;
    assert!(told.contains("larger than 16384 bytes or 16 records"), "{told}");
}
