//! SOCKS5 clients, whose requests become a `CONNECT`.

use packhost_session_protocol::Stream;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::{Sandbox, bytes, head, rest};

/// The greeting of a client that goes without authentication.
pub(crate) const HELLO: &[u8] = &[5, 1, 0];
/// The reply to a request that succeeded.
const CONNECTED: [u8; 10] = [5, 0, 0, 1, 0, 0, 0, 0, 0, 0];

/// A request to a name.
pub(crate) fn to_name(name: &[u8], port: u16) -> Vec<u8> {
    [&[5, 1, 0, 3, u8::try_from(name.len()).unwrap()], name, &port.to_be_bytes()].concat()
}

/// A client that was greeted and has sent this request.
pub(crate) async fn asking(sandbox: &Sandbox, request: &[u8]) -> TcpStream {
    let mut client = sandbox.saying(HELLO).await;
    assert_eq!(bytes(&mut client).await, [5, 0]);
    client.write_all(request).await.unwrap();
    client
}

/// A client of `request`, and the exchange that leads to `authority`.
async fn connected(sandbox: &mut Sandbox, request: &[u8], authority: &str) -> (TcpStream, Stream) {
    let mut client = asking(sandbox, request).await;
    let mut exchange = sandbox.taken().await;
    let expected = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n");
    assert_eq!(head(&mut exchange).await, expected);
    exchange.write_all(b"HTTP/1.1 200 OK\r\nDate: today\r\n\r\n").await.unwrap();
    assert_eq!(bytes(&mut client).await, CONNECTED);
    (client, exchange)
}

#[tokio::test]
async fn a_name_is_passed_on_unresolved() {
    let mut sandbox = Sandbox::new();
    let request = to_name(b"no-such_name.Example.", 8443);
    let (mut client, mut exchange) = connected(&mut sandbox, &request, "no-such_name.Example.:8443").await;
    client.write_all(b"ping").await.unwrap();
    assert_eq!(bytes(&mut exchange).await, *b"ping");
    exchange.write_all(b"pong").await.unwrap();
    exchange.shutdown().await.unwrap();
    assert_eq!(rest(&mut client).await, b"pong");
    client.write_all(b"last words").await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(rest(&mut exchange).await, b"last words");
}

#[tokio::test]
async fn addresses_of_both_kinds_are_passed_on() {
    let mut sandbox = Sandbox::new();
    let ipv4 = [5, 1, 0, 1, 192, 0, 2, 7, 1, 187];
    connected(&mut sandbox, &ipv4, "192.0.2.7:443").await;
    let mut ipv6 = vec![5, 1, 0, 4, 0x20, 0x01, 0x0d, 0xb8];
    ipv6.extend([0; 11]);
    ipv6.extend([1, 0, 80]);
    connected(&mut sandbox, &ipv6, "[2001:db8::1]:80").await;
    connected(&mut sandbox, &to_name(b"2001:db8::2", 80), "[2001:db8::2]:80").await;
}

#[tokio::test]
async fn the_longest_name_fits() {
    let name = "a".repeat(255);
    let mut sandbox = Sandbox::new();
    connected(&mut sandbox, &to_name(name.as_bytes(), 443), &format!("{name}:443")).await;
}

#[tokio::test]
async fn a_client_that_does_not_wait_for_answers_loses_nothing() {
    let mut sandbox = Sandbox::new();
    let all = [HELLO, &to_name(b"example.test", 443), b"early"].concat();
    let mut client = sandbox.saying(&all).await;
    let mut exchange = sandbox.taken().await;
    head(&mut exchange).await;
    exchange.write_all(b"HTTP/1.1 200 OK\r\n\r\nfirst").await.unwrap();
    assert_eq!(bytes(&mut exchange).await, *b"early");
    assert_eq!(bytes::<2>(&mut client).await, [5, 0]);
    assert_eq!(bytes(&mut client).await, CONNECTED);
    assert_eq!(bytes(&mut client).await, *b"first");
}

#[tokio::test]
async fn a_client_that_sends_byte_after_byte_is_understood() {
    let mut sandbox = Sandbox::new();
    let mut client = sandbox.client().await;
    client.set_nodelay(true).unwrap();
    for byte in [5, 3, 1, 2, 0] {
        client.write_all(&[byte]).await.unwrap();
    }
    assert_eq!(bytes(&mut client).await, [5, 0]);
    for byte in to_name(b"example.test", 443) {
        client.write_all(&[byte]).await.unwrap();
    }
    assert!(head(&mut sandbox.taken().await).await.starts_with("CONNECT example.test:443 "));
}

#[tokio::test]
async fn an_answer_in_pieces_is_understood() {
    let mut sandbox = Sandbox::new();
    let mut client = asking(&sandbox, &to_name(b"example.test", 443)).await;
    let mut exchange = sandbox.taken().await;
    head(&mut exchange).await;
    for byte in b"HTTP/1.1 200 OK\r\n\r\n!" {
        exchange.write_all(&[*byte]).await.unwrap();
        exchange.flush().await.unwrap();
    }
    assert_eq!(bytes(&mut client).await, CONNECTED);
    assert_eq!(bytes(&mut client).await, *b"!");
}
