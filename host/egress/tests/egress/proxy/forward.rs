//! Requests in absolute form.

use super::super::credentials::{VALUE, echo, everywhere};
use super::super::support::*;
use super::super::tls::Authority;
use super::support::*;
use packhost_egress::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn a_request_in_absolute_form_is_sent_as_any_other_and_the_stream_serves_the_next() {
    let mut server = Server::answering(OK).await;
    let call = call(&["granted.test"], &["127.0.0.1/32"]);
    let mut client = proxied(&named(), &call);
    for path in ["", "a?b=c", "a/../b"] {
        let url = format!("{}{path}", server.url("granted.test"));
        let read = client
            .ask(format!("GET {url} HTTP/1.1\r\nHost: x.test\r\nProxy-Authorization: Basic eA==\r\nProxy-Connection: keep-alive\r\n\r\n"))
            .await;
        assert_eq!((read.status(), read.body.as_str()), (200, "hello"), "{read:?}");
        assert!(!read.closes(), "{read:?}");
    }
    let heads = server.heads();
    let host = format!("\r\nhost: granted.test:{}\r\n", server.port());
    for (head, target) in heads.iter().zip(["/", "/a?b=c", "/b"]) {
        assert!(head.starts_with(&format!("GET {target} HTTP/1.1\r\n")), "{head}");
        assert!(head.contains(&host) && !head.contains("x.test"), "the URL is what counts: {head}");
        assert!(!head.to_lowercase().contains("proxy-"), "{head}");
    }
    assert_eq!((heads.len(), call.spent().requests), (3, 3));
    assert_eq!(client.close().await, (Vec::new(), Ok(())));
}

#[tokio::test]
async fn a_body_streams_both_ways() {
    let server = Server::start(|mut stream, head| async move {
        assert!(head.contains("transfer-encoding: chunked"), "{head}");
        stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await.ok();
        // Each piece comes back before the next one is sent.
        loop {
            let mut chunk = Vec::new();
            while chunk.iter().filter(|byte| **byte == b'\n').count() < 2 {
                chunk.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(&chunk).await.ok();
            if chunk.starts_with(b"0\r\n") {
                return;
            }
        }
    })
    .await;
    let mut client = proxied(&plain(), &loopback());
    let url = server.url("127.0.0.1");
    client.send(format!("POST {url} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")).await;
    let head = client.head().await;
    assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("transfer-encoding: chunked"), "{head}");
    for piece in ["3\r\nabc\r\n", "4\r\ndefg\r\n", "0\r\n\r\n"] {
        client.send(piece).await;
        let mut back = vec![0; piece.len()];
        client.stream.read_exact(&mut back).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&back), piece);
    }
    assert_eq!(client.close().await.1, Ok(()));
}

#[tokio::test]
async fn a_client_that_waits_to_be_asked_for_its_body_is_asked() {
    let (server, mut requests) = echo().await;
    let mut client = proxied(&plain(), &loopback());
    let url = server.url("127.0.0.1");
    client
        .send(format!("POST {url} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"))
        .await;
    assert_eq!(client.head().await, "HTTP/1.1 100 Continue\r\n\r\n");
    let read = client.ask("hello").await;
    assert!(read.body.ends_with("\r\n\r\nhello"), "{read:?}");
    assert!(!requests.recv().await.unwrap().contains("expect"));

    // Not where nothing would become of it.
    let mut client = proxied(&plain(), &call(&[], &[]));
    let read = client
        .ask("POST http://other.test/ HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        .await;
    assert_eq!(read.status(), 403, "{read:?}");
}

#[tokio::test]
async fn pipelined_requests_are_answered_one_after_the_other() {
    let mut server = Server::start(|mut stream, head| async move {
        let target = head.split(' ').nth(1).unwrap();
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{target}", target.len());
        stream.write_all(answer.as_bytes()).await.ok();
    })
    .await;
    let mut client = proxied(&plain(), &loopback());
    let requests = ["1", "2", "3"].map(|path| get_of(&format!("{}{path}", server.url("127.0.0.1"))));
    client.send(requests.concat()).await;
    for target in ["/1", "/2", "/3"] {
        assert_eq!(client.response().await.body, target);
    }
    assert_eq!(server.heads().len(), 3);
}

#[tokio::test]
async fn the_host_speaks_tls_for_an_https_url() {
    let authority = Authority::new("authority");
    let port = authority.serve(&["granted.test"], |_| ()).await;
    let egress = Egress::new(Settings { extra_roots: vec![authority.root()], ..settings(&names()) }).unwrap();
    let mut client = proxied(&egress, &loopback());
    let read = client.ask(get_of(&format!("https://granted.test:{port}/"))).await;
    assert_eq!((read.status(), read.body.as_str()), (200, "granted.test|http/1.1"));
    let read = client.ask(get_of(&format!("https://other.test:{port}/"))).await;
    assert_eq!((read.status(), read.problem()["code"].as_str()), (502, Some("handler_failed")));
    assert!(read.head.contains("error=tls_certificate_error"), "{read:?}");
}

#[tokio::test]
async fn a_placeholder_is_replaced_and_its_value_does_not_come_back() {
    let (server, mut requests) = echo().await;
    let (call, _, _) = everywhere();
    let mut client = proxied(&plain(), &call);
    let request = |value: &str| {
        let url = server.url("127.0.0.1");
        format!("POST {url} HTTP/1.1\r\nHost: x\r\nX-Api-Key: {value}\r\nContent-Length: 0\r\n\r\n")
    };
    let read = client.ask(request("${vault:TOKEN}")).await;
    assert!(requests.recv().await.unwrap().contains(&format!("x-api-key: {VALUE}\r\n")));
    assert_eq!(read.status(), 200);
    assert!(read.body.contains("[redacted:TOKEN]") && !read.body.contains(VALUE), "{read:?}");

    let read = client.ask(request("${vault:MISSING}")).await;
    assert_eq!((read.status(), read.problem()["code"].as_str()), (403, Some("credential_invalid")));
    let fix = "The operator can make it with `packhost vault set MISSING`.";
    assert_eq!(read.problem()["fix"].as_str(), Some(fix));
    let read = client.ask(request("${vault:OTHER}")).await;
    assert_eq!((read.status(), read.problem()["code"].as_str()), (403, Some("credential_denied")));
}

#[tokio::test]
async fn what_does_not_leave_is_told_with_what_is_missing() {
    let mut server = Server::answering(OK).await;
    let names = Names::new(&[("granted.test", &[&["10.0.0.1"]]), ("meta.test", &[&["169.254.169.254"]])]);
    let egress = egress(&names);
    let call = call(&["granted.test", "meta.test", "nowhere.test", "127.0.0.1"], &[]);
    let mut client = proxied(&egress, &call);
    let closed = server.url("127.0.0.1");
    for (url, status, code, kind, says) in [
        ("http://other.test/", 403, "egress_denied", "http_request_denied", "grant other.test"),
        ("http://granted.test/", 403, "egress_denied", "destination_ip_prohibited", "add 10.0.0.1/32"),
        ("http://meta.test/", 403, "egress_denied", "destination_ip_prohibited", "No rule can open"),
        (closed.as_str(), 403, "egress_denied", "destination_ip_prohibited", "add 127.0.0.1/32"),
        ("http://nowhere.test/", 502, "handler_failed", "dns_error", "Check the spelling"),
        ("http://me@granted.test/", 400, "invalid_input", "http_request_error", "Use an absolute"),
        ("ftp://granted.test/", 400, "invalid_input", "http_request_error", "Use an absolute"),
    ] {
        let read = client.ask(get_of(url)).await;
        let problem = read.problem();
        assert_eq!((read.status(), problem["code"].as_str()), (status, Some(code)), "{url}: {read:?}");
        assert!(read.head.contains(&format!("error={kind}\r\n")), "{url}: {read:?}");
        assert!(problem["fix"].as_str().unwrap().contains(says), "{url}: {problem}");
    }
    assert!(!names.asked().contains(&"other.test".to_owned()));
    assert!(server.heads().is_empty());
    assert_eq!(client.close().await, (Vec::new(), Ok(())));
}

#[tokio::test]
async fn a_response_that_breaks_off_is_not_taken_for_a_whole_one() {
    let server = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello").await;
    let mut client = proxied(&plain(), &loopback());
    client.send(get_of(&server.url("127.0.0.1"))).await;
    assert!(client.head().await.contains("content-length: 9"));
    let (rest, ended) = client.rest().await;
    assert_eq!(rest, b"hello");
    assert!(matches!(ended, Err(ProxyError::Egress(EgressError::Protocol(_)))), "{ended:?}");
}
