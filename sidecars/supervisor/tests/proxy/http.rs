//! Everything that is not SOCKS is passed on as it is.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Sandbox, alone, bytes, client, head, rest};

const REQUEST: &str = "GET http://example.test/ HTTP/1.1\r\nHost: example.test\r\n\r\n";

#[tokio::test]
async fn a_request_and_its_answer_pass_unread() {
    let mut sandbox = Sandbox::new();
    let mut client = sandbox.saying(REQUEST).await;
    let mut exchange = sandbox.taken().await;
    assert_eq!(head(&mut exchange).await, REQUEST);
    exchange.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
    assert_eq!(head(&mut client).await, "HTTP/1.1 204 No Content\r\n\r\n");
    client.write_all(REQUEST.as_bytes()).await.unwrap();
    assert_eq!(head(&mut exchange).await, REQUEST, "the next one on the same connection");
}

#[tokio::test]
async fn a_connect_passes_and_what_goes_through_it() {
    let mut sandbox = Sandbox::new();
    let mut client = sandbox.saying("CONNECT example.test:443 HTTP/1.1\r\nHost: example.test\r\n\r\n").await;
    let mut exchange = sandbox.taken().await;
    assert!(head(&mut exchange).await.starts_with("CONNECT example.test:443 "));
    exchange.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    head(&mut client).await;
    client.write_all(b"\x16\x03\x01").await.unwrap();
    assert_eq!(bytes(&mut exchange).await, *b"\x16\x03\x01");
}

#[tokio::test]
async fn each_side_may_end_before_the_other() {
    let mut sandbox = Sandbox::new();
    let mut client = sandbox.saying(REQUEST).await;
    let mut exchange = sandbox.taken().await;
    client.shutdown().await.unwrap();
    assert_eq!(rest(&mut exchange).await, REQUEST.as_bytes());
    exchange.write_all(b"still here").await.unwrap();
    exchange.shutdown().await.unwrap();
    assert_eq!(rest(&mut client).await, b"still here");

    let mut client = sandbox.saying(REQUEST).await;
    let mut exchange = sandbox.taken().await;
    exchange.shutdown().await.unwrap();
    assert_eq!(rest(&mut client).await, b"");
    client.write_all(b" and more").await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(rest(&mut exchange).await, [REQUEST.as_bytes(), b" and more"].concat());
}

#[tokio::test]
async fn what_is_no_http_gets_what_the_host_says() {
    let mut sandbox = Sandbox::new();
    for garbage in [&b"\x00\xff\r\n"[..], b"\x16\x03\x01\x02\x00", b"SSH-2.0-x\r\n", b"\x06"] {
        let mut client = sandbox.saying(garbage).await;
        let mut exchange = sandbox.taken().await;
        let mut read = vec![0; garbage.len()];
        exchange.read_exact(&mut read).await.unwrap();
        assert_eq!(read, garbage);
        exchange.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        exchange.shutdown().await.unwrap();
        assert_eq!(rest(&mut client).await, b"HTTP/1.1 400 Bad Request\r\n\r\n");
    }
}

#[tokio::test]
async fn large_bodies_pass_in_both_directions_at_once() {
    let mut sandbox = Sandbox::new();
    let sent: Vec<u8> = (0..16_u32 << 20).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let (mut from, mut to) = sandbox.client().await.into_split();
    to.write_all(&sent[..1]).await.unwrap();
    let (mut host_from, mut host_to) = tokio::io::split(sandbox.taken().await);
    let up = async {
        to.write_all(&sent[1..]).await.unwrap();
        to.shutdown().await.unwrap();
    };
    let down = async {
        host_to.write_all(&sent).await.unwrap();
        host_to.shutdown().await.unwrap();
    };
    let ((), (), up, down) = tokio::join!(up, down, rest(&mut host_from), rest(&mut from));
    assert!(up == sent, "{} bytes arrived at the host", up.len());
    assert!(down == sent, "{} bytes arrived at the client", down.len());
}

#[tokio::test]
async fn a_client_is_told_at_once_that_no_host_is_connected() {
    let (proxy, _route) = alone();
    let mut client = client(proxy.port()).await;
    client.write_all(REQUEST.as_bytes()).await.unwrap();
    let answer = String::from_utf8(rest(&mut client).await).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{head}");
    assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{head}");
    assert!(body.contains("not connected to its host"), "{body}");
}

#[tokio::test]
async fn a_client_with_a_body_is_told_as_well() {
    let (proxy, _route) = alone();
    let mut client = client(proxy.port()).await;
    client.write_all(REQUEST.as_bytes()).await.unwrap();
    client.write_all(&vec![b'a'; 512 * 1024]).await.unwrap();
    assert!(rest(&mut client).await.starts_with(b"HTTP/1.1 503 "));
}

#[tokio::test]
async fn a_host_that_connects_later_serves_the_next_client() {
    let mut sandbox = Sandbox::new();
    let mux = sandbox.route.send_replace(None);
    assert!(rest(&mut sandbox.saying("GET ").await).await.starts_with(b"HTTP/1.1 503 "));
    sandbox.route.send_replace(mux);
    let _client = sandbox.saying("GET ").await;
    assert_eq!(bytes(&mut sandbox.taken().await).await, *b"GET ");
}

#[tokio::test]
async fn a_host_that_goes_away_in_the_middle_is_a_reset_and_not_an_end() {
    let mut sandbox = Sandbox::new();
    let mut client = sandbox.saying(REQUEST).await;
    let mut exchange = sandbox.taken().await;
    exchange.write_all(b"HTTP/1.1 200 OK\r\n\r\nhalf").await.unwrap();
    head(&mut client).await;
    assert_eq!(bytes(&mut client).await, *b"half");
    let (_proxy, _route) = sandbox.disconnect();
    let error = client.read_u8().await.expect_err("nothing more");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn an_exchange_that_the_host_cuts_off_is_a_reset_and_not_an_end() {
    let mut sandbox = Sandbox::new();
    let mut client = sandbox.saying(REQUEST).await;
    let mut exchange = sandbox.taken().await;
    exchange.write_all(b"half").await.unwrap();
    assert_eq!(bytes(&mut client).await, *b"half");
    drop(exchange);
    let error = client.read_u8().await.expect_err("nothing more");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_client_that_goes_away_resets_its_exchange() {
    let mut sandbox = Sandbox::new();
    let client = sandbox.saying("GET ").await;
    let mut exchange = sandbox.taken().await;
    assert_eq!(bytes(&mut exchange).await, *b"GET ");
    client.set_zero_linger().unwrap();
    drop(client);
    assert_eq!(exchange.read(&mut [0]).await.unwrap(), 0);
    assert!(exchange.was_cut());
}

#[tokio::test]
async fn a_client_over_ipv6_is_served_where_there_is_ipv6() {
    let mut sandbox = Sandbox::new();
    let connected = tokio::net::TcpStream::connect(("::1", sandbox.proxy.port())).await;
    let Ok(mut client) = connected else { return };
    client.write_all(b"GET ").await.unwrap();
    assert_eq!(bytes(&mut sandbox.taken().await).await, *b"GET ");
}
