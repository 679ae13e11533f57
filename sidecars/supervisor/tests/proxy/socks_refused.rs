//! What a SOCKS client is told when it is not connected.

use tokio::io::AsyncWriteExt;

use packhost_supervisor::proxy::ANSWER_HEAD;

use crate::socks::{HELLO, asking, to_name};
use crate::support::{Sandbox, alone, bytes, client, head, rest};

fn reply(code: u8) -> Vec<u8> {
    vec![5, code, 0, 1, 0, 0, 0, 0, 0, 0]
}

/// What a client is told when the host answers its CONNECT with this.
async fn told(answer: &str) -> Vec<u8> {
    let mut sandbox = Sandbox::new();
    let mut client = asking(&sandbox, &to_name(b"example.test", 443)).await;
    let mut exchange = sandbox.taken().await;
    head(&mut exchange).await;
    // It need not be read to its end.
    let _ = exchange.write_all(answer.as_bytes()).await;
    let _ = exchange.shutdown().await;
    rest(&mut client).await
}

#[tokio::test]
async fn a_refusal_of_the_host_becomes_the_code_that_is_nearest() {
    for (status, error, code) in [
        ("403 Forbidden", "http_request_denied", 2),
        ("403 Forbidden", "destination_ip_prohibited", 2),
        ("502 Bad Gateway", "dns_error", 4),
        ("504 Gateway Timeout", "dns_timeout", 4),
        ("502 Bad Gateway", "destination_unavailable", 5),
        ("504 Gateway Timeout", "connection_timeout", 6),
        ("502 Bad Gateway", "tls_protocol_error", 1),
        ("429 Too Many Requests", "connection_limit_reached", 1),
        ("503 Service Unavailable", "connection_terminated", 1),
        ("400 Bad Request", "http_request_error", 1),
        ("301 Moved", "", 1),
        ("101 Switching Protocols", "", 1),
    ] {
        let answer = format!(
            "HTTP/1.1 {status}\r\nproxy-status: packhost; error={error}\r\nContent-Length: 2\r\n\r\n{{}}"
        );
        assert_eq!(told(&answer).await, reply(code), "{status} {error}");
    }
    assert_eq!(told("HTTP/1.1 504 Gateway Timeout\r\n\r\n").await, reply(6), "without a reason");
}

#[tokio::test]
async fn an_answer_that_is_none_is_a_failure() {
    let endless = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(ANSWER_HEAD));
    let fields = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(65));
    for answer in ["", "nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\n", "\x05\x00", &endless, &fields] {
        assert_eq!(told(answer).await, reply(1), "{answer:.30}");
    }
}

#[tokio::test]
async fn an_exchange_that_is_cut_off_is_a_failure() {
    let mut sandbox = Sandbox::new();
    let mut client = asking(&sandbox, &to_name(b"example.test", 443)).await;
    drop(sandbox.taken().await);
    assert_eq!(rest(&mut client).await, reply(1));
    let mut client = asking(&sandbox, &to_name(b"example.test", 443)).await;
    let mut exchange = sandbox.taken().await;
    head(&mut exchange).await;
    let (_proxy, _route) = sandbox.disconnect();
    assert_eq!(rest(&mut client).await, reply(1), "the host went away");
}

#[tokio::test]
async fn without_a_host_every_request_fails_at_once() {
    let (proxy, _route) = alone();
    let mut client = client(proxy.port()).await;
    client.write_all(&[HELLO, &to_name(b"example.test", 443)].concat()).await.unwrap();
    assert_eq!(rest(&mut client).await, [&[5, 0], &reply(1)[..]].concat());
}

#[tokio::test]
async fn requests_that_are_wrong_are_refused_before_the_host_hears_of_them() {
    let sandbox = Sandbox::new();
    for (request, code) in [
        (vec![4, 1, 0, 1], 1),
        (vec![5, 2, 0, 1], 7),
        (vec![5, 3, 0, 3], 7),
        (vec![5, 1, 1, 1], 1),
        (vec![5, 1, 0, 2], 8),
        (vec![5, 1, 0, 3, 0], 1),
        (vec![5, 1, 0, 1, 192, 0, 2, 1, 0, 0], 1),
        (to_name(b"a b", 80), 1),
        (to_name(b"a\r\nX: y", 80), 1),
        (to_name(b"a:80", 80), 1),
        (to_name(b"user@host", 80), 1),
        (to_name(b"a/b", 80), 1),
        (to_name(b"[::1]", 80), 1),
        (to_name(b"a%2eb", 80), 1),
        (to_name("bücher.test".as_bytes(), 80), 1),
        (to_name(b"\xff", 80), 1),
        (to_name(b"\0", 80), 1),
    ] {
        let mut client = asking(&sandbox, &request).await;
        assert_eq!(rest(&mut client).await, reply(code), "{request:?}");
    }
}

#[tokio::test]
async fn a_client_that_insists_on_a_password_is_refused() {
    let sandbox = Sandbox::new();
    for hello in [&[5, 1, 2][..], &[5, 0], &[5, 2, 1, 2]] {
        assert_eq!(rest(&mut sandbox.saying(hello).await).await, [5, 255], "{hello:?}");
    }
}

#[tokio::test]
async fn socks4_is_refused_in_its_own_words() {
    let sandbox = Sandbox::new();
    let mut client = sandbox.saying([4, 1, 0, 80, 192, 0, 2, 1, 0]).await;
    assert_eq!(bytes(&mut client).await, [0, 91, 0, 0, 0, 0, 0, 0]);
    assert!(rest(&mut client).await.is_empty());
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_leaves_no_exchange() {
    let mut sandbox = Sandbox::new();
    for part in [&b"\x05"[..], b"\x05\x01\x00", b"\x05\x01\x00\x05\x01\x00\x03\x09exam"] {
        let mut client = sandbox.saying(part).await;
        client.shutdown().await.unwrap();
        rest(&mut client).await;
    }
    // The first exchange that the host sees is that of the client who stayed.
    let _client = sandbox.saying("GET ").await;
    assert_eq!(bytes(&mut sandbox.taken().await).await, *b"GET ");
}
