//! Connections from the host to what listens inside.

use std::os::unix::ffi::OsStrExt;

use packhost_session_protocol::message::{Fault, Forward, ForwardTarget, Forwarded};
use packhost_session_protocol::{Frames, Stream};
use packhost_supervisor::forward::{LONGEST_PATH, serve};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};

use crate::support::{Connection, bytes, rest};

/// Asks for this, and serves it as the supervisor does.
async fn asked(connection: &mut Connection, target: ForwardTarget) -> (Forwarded, Stream) {
    let mut frames = Frames::new(connection.host.open().await.unwrap());
    let request = Forward { target };
    frames.say(&request).await.unwrap();
    let mut inside = Frames::new(connection.coming.next().await.unwrap());
    let request: Forward = inside.message().await.unwrap();
    tokio::spawn(serve(request, inside));
    let answer = frames.message().await.unwrap();
    (answer, frames.into_inner())
}

async fn connected(connection: &mut Connection, target: ForwardTarget) -> Stream {
    let (answer, exchange) = asked(connection, target).await;
    assert_eq!(answer, Forwarded::Connected);
    exchange
}

async fn refused(target: ForwardTarget) -> Fault {
    let (answer, mut exchange) = asked(&mut Connection::new(), target).await;
    assert!(rest(&mut exchange).await.is_empty());
    match answer {
        Forwarded::Refused(refusal) => {
            assert!(!refusal.message.is_empty() && refusal.message.len() <= 500);
            refusal.fault
        }
        Forwarded::Connected => panic!("connected"),
    }
}

fn unix(path: &std::path::Path) -> ForwardTarget {
    ForwardTarget::Unix(path.as_os_str().as_bytes().to_vec().into())
}

/// Both ways, with an end on each side that the other survives.
async fn halves(exchange: &mut Stream, inside: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    exchange.write_all(b"question").await.unwrap();
    exchange.shutdown().await.unwrap();
    assert_eq!(rest(inside).await, b"question");
    inside.write_all(b"answer").await.unwrap();
    inside.shutdown().await.unwrap();
    assert_eq!(rest(exchange).await, b"answer");
}

/// 16 MiB each way at the same time.
async fn big(exchange: Stream, inside: impl AsyncRead + AsyncWrite + Unpin) {
    let sent: Vec<u8> = (0..16_u32 << 20).map(|at| (at.wrapping_mul(2_654_435_761) >> 11) as u8).collect();
    let (mut from_exchange, mut to_exchange) = tokio::io::split(exchange);
    let (mut from_inside, mut to_inside) = tokio::io::split(inside);
    let up = async {
        to_exchange.write_all(&sent).await.unwrap();
        to_exchange.shutdown().await.unwrap();
    };
    let down = async {
        to_inside.write_all(&sent).await.unwrap();
        to_inside.shutdown().await.unwrap();
    };
    let ((), (), up, down) = tokio::join!(up, down, rest(&mut from_inside), rest(&mut from_exchange));
    assert!(up == sent, "{} bytes arrived inside", up.len());
    assert!(down == sent, "{} bytes arrived at the host", down.len());
}

#[tokio::test]
async fn a_tcp_port_inside_is_reached() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut connection = Connection::new();
    let mut exchange = connected(&mut connection, ForwardTarget::Tcp(port)).await;
    let (mut inside, _) = listener.accept().await.unwrap();
    halves(&mut exchange, &mut inside).await;
    let exchange = connected(&mut connection, ForwardTarget::Tcp(port)).await;
    let (inside, _) = listener.accept().await.unwrap();
    big(exchange, inside).await;
}

#[tokio::test]
async fn a_port_on_ipv6_alone_is_reached() {
    let Ok(listener) = TcpListener::bind("[::1]:0").await else { return };
    let port = listener.local_addr().unwrap().port();
    if TcpListener::bind(("127.0.0.1", port)).await.is_err() {
        // Somebody else has the port on IPv4.
        return;
    }
    let mut connection = Connection::new();
    let mut exchange = connected(&mut connection, ForwardTarget::Tcp(port)).await;
    let (mut inside, _) = listener.accept().await.unwrap();
    halves(&mut exchange, &mut inside).await;
}

/// A directory that the programs' user reaches.
fn everyones() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    open_to_all(place.path());
    place
}

fn open_to_all(path: &std::path::Path) {
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
}

/// Only root has another user that it could be.
#[tokio::test]
async fn a_socket_that_programs_may_not_reach_is_not_reached_for_the_host_either() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let place = everyones();
    let path = place.path().join("of-the-supervisor");
    let _listener = UnixListener::bind(&path).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    assert_eq!(refused(unix(&path)).await, Fault::Denied);
    open_to_all(&path);
    let mut connection = Connection::new();
    connected(&mut connection, unix(&path)).await;
}

#[tokio::test]
async fn a_unix_socket_inside_is_reached() {
    let place = everyones();
    let path = place.path().join(std::ffi::OsStr::from_bytes(b"a \xff"));
    let listener = UnixListener::bind(&path).unwrap();
    open_to_all(&path);
    let mut connection = Connection::new();
    let mut exchange = connected(&mut connection, unix(&path)).await;
    let (mut inside, _) = listener.accept().await.unwrap();
    halves(&mut exchange, &mut inside).await;
    let exchange = connected(&mut connection, unix(&path)).await;
    let (inside, _) = listener.accept().await.unwrap();
    big(exchange, inside).await;
}

#[tokio::test]
async fn what_does_not_listen_is_refused_with_a_reason() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    assert_eq!(refused(ForwardTarget::Tcp(port)).await, Fault::NotFound);
    assert_eq!(refused(ForwardTarget::Tcp(0)).await, Fault::Malformed);
    let place = everyones();
    let path = place.path().join("socket");
    assert_eq!(refused(unix(&path)).await, Fault::NotFound);
    drop(UnixListener::bind(&path).unwrap());
    open_to_all(&path);
    assert_eq!(refused(unix(&path)).await, Fault::NotFound, "nobody listens any more");
}

#[tokio::test]
async fn a_path_that_can_be_no_socket_is_refused() {
    let long = [b"/".as_slice(), &[b'a'; LONGEST_PATH]].concat();
    for path in [&b""[..], b"relative", b"\0abstract", b"/a\0b", &long] {
        assert_eq!(refused(ForwardTarget::Unix(path.to_vec().into())).await, Fault::Malformed, "{path:?}");
    }
    assert_eq!(refused(ForwardTarget::Unix(long[..LONGEST_PATH].to_vec().into())).await, Fault::NotFound);
}

#[tokio::test]
async fn what_is_cut_off_on_one_side_is_cut_off_on_the_other() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut connection = Connection::new();
    let mut exchange = connected(&mut connection, ForwardTarget::Tcp(port)).await;
    let (mut inside, _) = listener.accept().await.unwrap();
    exchange.write_all(b"half").await.unwrap();
    assert_eq!(bytes(&mut inside).await, *b"half");
    drop(exchange);
    let error = inside.read_u8().await.expect_err("nothing more");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);

    let mut exchange = connected(&mut connection, ForwardTarget::Tcp(port)).await;
    let (inside, _) = listener.accept().await.unwrap();
    inside.set_zero_linger().unwrap();
    drop(inside);
    assert_eq!(exchange.read(&mut [0]).await.unwrap(), 0);
    assert!(exchange.was_cut());
}
