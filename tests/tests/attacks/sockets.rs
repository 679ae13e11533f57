//! Guests that try to reach the network by another way than `wasi:http`.

use std::io::ErrorKind;
use std::net::{TcpListener, UdpSocket};

use serde_json::json;

use crate::scene::{alone, connect, saw};

/// Elsewhere too: "TCP connect: correctly denied".
#[test]
fn there_are_no_sockets_and_no_names() {
    let tcp = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let udp = UdpSocket::bind("127.0.0.1:0").expect("loopback");
    tcp.set_nonblocking(true).expect("a socket option");
    udp.set_nonblocking(true).expect("a socket option");
    let address = |at: std::io::Result<std::net::SocketAddr>| at.expect("it is bound").to_string();

    let setup = alone("{}");
    let mut host = connect(&setup);
    for (what, text) in [
        ("tcp", address(tcp.local_addr())),
        ("udp", address(udp.local_addr())),
        ("listen", "127.0.0.1:0".to_owned()),
        ("lookup", "localhost".to_owned()),
    ] {
        let result = host.call("misbehave", json!({ "do": what, "text": text }));
        assert!(saw(&result)[0].starts_with("refused: "), "{what}: {result}");
    }
    assert_eq!(tcp.accept().map_err(|error| error.kind()).err(), Some(ErrorKind::WouldBlock));
    assert_eq!(udp.recv(&mut [0; 16]).map_err(|error| error.kind()).err(), Some(ErrorKind::WouldBlock));
}
