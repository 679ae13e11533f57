//! How many clients there may be, and how long each is waited for.

use packhost_session_protocol::Stream;
use packhost_supervisor::proxy::CLIENTS;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Sandbox, bytes, rest};

/// A round trip through the proxy and the host.
async fn ping(client: &mut TcpStream, exchange: &mut Stream) {
    client.write_all(b"ping").await.unwrap();
    assert_eq!(bytes(exchange).await, *b"ping");
    exchange.write_all(b"pong").await.unwrap();
    assert_eq!(bytes(client).await, *b"pong");
}

#[tokio::test]
async fn sixty_four_clients_are_served_at_once_and_one_more_waits() {
    assert_eq!(CLIENTS, 64);
    let mut sandbox = Sandbox::new();
    let mut open = Vec::new();
    for at in 0..CLIENTS {
        let client = sandbox.saying([b'A', at as u8]).await;
        let mut exchange = sandbox.taken().await;
        assert_eq!(bytes(&mut exchange).await, [b'A', at as u8]);
        open.push((client, exchange));
    }
    let mut waiting = sandbox.saying("WAIT").await;
    for _ in 0..3 {
        for (client, exchange) in &mut open {
            tokio::select! {
                biased;
                _ = sandbox.next() => panic!("one more than may be"),
                () = ping(client, exchange) => {}
            }
        }
    }
    let (mut client, mut exchange) = open.pop().unwrap();
    client.shutdown().await.unwrap();
    exchange.shutdown().await.unwrap();
    let mut exchange = sandbox.taken().await;
    assert_eq!(bytes(&mut exchange).await, *b"WAIT");
    ping(&mut waiting, &mut exchange).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_nothing_is_cut_off() {
    let sandbox = Sandbox::new();
    let mut client = sandbox.client().await;
    assert!(rest(&mut client).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_finish_its_socks_request_is_cut_off() {
    let sandbox = Sandbox::new();
    for part in [&b"\x05"[..], b"\x05\x02\x00", b"\x05\x01\x00\x05\x01\x00\x03\x09exam"] {
        let mut client = sandbox.saying(part).await;
        let told = rest(&mut client).await;
        assert!(matches!(told.as_slice(), [] | [5, 0]), "{told:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_does_not_answer_a_socks_request_is_not_waited_for_for_ever() {
    let mut sandbox = Sandbox::new();
    let mut client = sandbox.saying(b"\x05\x01\x00\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x50").await;
    let _exchange = sandbox.taken().await;
    assert_eq!(bytes(&mut client).await, [5, 0]);
    assert_eq!(bytes(&mut client).await, [5, 6, 0, 1, 0, 0, 0, 0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_stop_sending_after_a_refusal_is_cut_off() {
    let sandbox = Sandbox::new();
    let mut client = sandbox.saying([4, 1]).await;
    assert_eq!(bytes(&mut client).await, [0, 91, 0, 0, 0, 0, 0, 0]);
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
    // It never closes. The proxy does, and what is sent then is answered with a reset.
    while client.write_all(b"more").await.is_ok() {
        tokio::time::advance(packhost_supervisor::proxy::FAREWELL).await;
    }
}

#[tokio::test]
async fn dropping_the_proxy_closes_its_port_and_cuts_off_its_clients() {
    let mut sandbox = Sandbox::new();
    let mut client = sandbox.saying("GET ").await;
    let mut exchange = sandbox.taken().await;
    let port = sandbox.proxy.port();
    let (proxy, _route) = {
        assert_eq!(bytes(&mut exchange).await, *b"GET ");
        sandbox.disconnect()
    };
    drop(proxy);
    let _ = client.read(&mut [0]).await;
    assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());
}
