//! Look-ups inside, which fail at once.

use std::net::{Ipv4Addr, SocketAddr};

use packhost_supervisor::dns::{CONNECTIONS, Dns, QUERY, listen};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

/// A query for the address of example.test, with recursion desired.
const QUESTION: &[u8] = b"\x07example\x04test\x00\x00\x01\x00\x01";

fn query(id: u16) -> Vec<u8> {
    let header = [0x01, 0x20, 0, 1, 0, 0, 0, 0, 0, 0];
    [&id.to_be_bytes()[..], &header, QUESTION].concat()
}

/// The answer to it: no such name (RFC 1035 section 4.1.1, RCODE 3).
fn unknown(id: u16) -> Vec<u8> {
    let header = [0x81, 0x03, 0, 1, 0, 0, 0, 0, 0, 0];
    [&id.to_be_bytes()[..], &header, QUESTION].concat()
}

fn dns() -> Dns {
    // The port that is free for TCP may be taken for UDP.
    let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    (0..20).find_map(|_| listen(free).ok()).expect("a port for both")
}

async fn over_udp(dns: &Dns) -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    socket.connect(dns.address()).await.unwrap();
    socket
}

async fn answer(socket: &UdpSocket) -> Vec<u8> {
    let mut answer = vec![0; 512];
    let length = socket.recv(&mut answer).await.unwrap();
    answer.truncate(length);
    answer
}

#[tokio::test]
async fn a_query_over_udp_is_answered_with_no_such_name() {
    let dns = dns();
    let socket = over_udp(&dns).await;
    for id in [0, 7, 0xffff] {
        socket.send(&query(id)).await.unwrap();
        assert_eq!(answer(&socket).await, unknown(id));
    }
}

#[tokio::test]
async fn what_stands_behind_the_question_is_left_out() {
    let dns = dns();
    let socket = over_udp(&dns).await;
    let mut long = query(9);
    // EDNS: one additional record, and padding up to more than is read.
    long[11] = 1;
    long.extend(std::iter::repeat_n(0, 2 * QUERY));
    socket.send(&long).await.unwrap();
    assert_eq!(answer(&socket).await, unknown(9));
}

#[tokio::test]
async fn what_is_no_query_gets_no_answer() {
    let dns = dns();
    let socket = over_udp(&dns).await;
    let pointer = [&query(1)[..12], b"\xc0\x0c\x00\x01\x00\x01"].concat();
    let label = [&query(1)[..12], b"\x40", &[b'a'; 64][..], b"\x00\x00\x01\x00\x01"].concat();
    let long =
        [&query(1)[..12], &[&b"\x3f"[..], &[b'a'; 63]].concat().repeat(4)[..], b"\x00\x00\x01\x00\x01"];
    let mut response = query(1);
    response[2] |= 0x80;
    let mut two = query(1);
    two[5] = 2;
    let mut none = query(1);
    none[5] = 0;
    let cut = query(1)[..query(1).len() - 1].to_vec();
    for bytes in [
        vec![],
        vec![0; 12],
        query(1)[..12].to_vec(),
        cut,
        pointer,
        label,
        long.concat(),
        response,
        two,
        none,
    ] {
        socket.send(&bytes).await.unwrap();
    }
    socket.send(&query(2)).await.unwrap();
    assert_eq!(answer(&socket).await, unknown(2), "only the last one is answered");
}

async fn ask(client: &mut TcpStream, id: u16) -> Vec<u8> {
    let query = query(id);
    client.write_u16(query.len() as u16).await.unwrap();
    client.write_all(&query).await.unwrap();
    let length = client.read_u16().await.unwrap();
    let mut answer = vec![0; usize::from(length)];
    client.read_exact(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn queries_over_tcp_are_answered_one_after_the_other() {
    let dns = dns();
    let mut client = TcpStream::connect(dns.address()).await.unwrap();
    for id in [1, 2] {
        assert_eq!(ask(&mut client, id).await, unknown(id));
    }
}

#[tokio::test]
async fn what_is_no_query_ends_a_connection() {
    let dns = dns();
    let too_long = (QUERY as u16 + 1).to_be_bytes();
    for bytes in [&[0, 0][..], &[0, 1, 0], &too_long] {
        let mut client = TcpStream::connect(dns.address()).await.unwrap();
        client.write_all(bytes).await.unwrap();
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0, "{bytes:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_asks_nothing_is_closed() {
    let dns = dns();
    let mut silent = TcpStream::connect(dns.address()).await.unwrap();
    assert_eq!(silent.read(&mut [0]).await.unwrap(), 0);
    let mut slow = TcpStream::connect(dns.address()).await.unwrap();
    slow.write_all(&[0, 40, 1]).await.unwrap();
    assert_eq!(slow.read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test]
async fn so_many_connections_are_served_at_once_and_one_more_waits() {
    let dns = dns();
    let mut open = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut client = TcpStream::connect(dns.address()).await.unwrap();
        ask(&mut client, 1).await;
        open.push(client);
    }
    let mut waiting = TcpStream::connect(dns.address()).await.unwrap();
    tokio::select! {
        biased;
        _ = ask(&mut waiting, 2) => panic!("one more than may be"),
        _ = ask(&mut open[0], 3) => {}
    }
    drop(open);
    let length = waiting.read_u16().await.unwrap();
    assert_eq!(usize::from(length), unknown(2).len());
}

#[tokio::test]
async fn a_port_that_somebody_has_is_an_error() {
    let dns = dns();
    assert!(listen(dns.address()).is_err());
}

#[tokio::test]
async fn where_port_53_cannot_be_had_there_is_no_resolver_and_no_error() {
    let first = packhost_supervisor::dns::start().expect("no error");
    let second = packhost_supervisor::dns::start().expect("no error");
    assert!(second.is_none() || first.is_none(), "one of them at most has the port");
}
