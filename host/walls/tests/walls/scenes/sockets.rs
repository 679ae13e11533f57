//! Ports, socket families, Unix sockets, signals.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

use libc::{EACCES, EPERM};
use packhost_walls::{Connect, InForce, Plan};

use super::{Outcome, Scene, c, denied, scene, up};

pub(crate) const SCENES: &[Scene] = &[
    scene("only_listed_ports_are_bound_and_connected", ports),
    scene("fast_open_is_no_way_round", fast_open),
    scene("connecting_nowhere_still_serves", nowhere),
    scene("connecting_anywhere_connects", anywhere),
    scene("other_sockets_are_denied", other_sockets),
    scene("unix_sockets_need_an_entry", unix_closed),
    scene("unix_sockets_with_an_entry_connect", unix_open),
    scene("nobody_outside_can_be_signalled", signals),
    scene("names_resolve", names),
];

fn port(listener: &TcpListener) -> io::Result<u16> {
    Ok(listener.local_addr()?.port())
}

fn ports() -> Outcome {
    let (granted, other) = (TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?);
    let (to_bind, not_to_bind) = {
        let (a, b) = (TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?);
        (port(&a)?, port(&b)?)
    };
    up(&Plan { listen: vec![to_bind], connect: Connect::Ports(vec![port(&granted)?]), ..Plan::default() })?;
    TcpListener::bind(("127.0.0.1", to_bind))?;
    denied(EACCES, TcpListener::bind(("127.0.0.1", not_to_bind)));
    denied(EACCES, TcpListener::bind("127.0.0.1:0"));
    denied(EACCES, TcpListener::bind(("::1", not_to_bind)));
    TcpStream::connect(granted.local_addr()?)?;
    denied(EACCES, TcpStream::connect(other.local_addr()?));
    Ok(())
}

fn fast_open() -> Outcome {
    let other = TcpListener::bind("127.0.0.1:0")?;
    let to = port(&other)?;
    up(&Plan { connect: Connect::Ports(vec![443]), ..Plan::default() })?;
    let address = libc::sockaddr_in {
        sin_family: libc::AF_INET as u16,
        sin_port: to.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes([127, 0, 0, 1]) },
        sin_zero: [0; 8],
    };
    // SAFETY: takes no pointers.
    let socket = c(unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0) })? as i32;
    // SAFETY: buffer and address live through the call and their lengths are given.
    let sent = unsafe {
        let address_length = size_of_val(&address) as u32;
        libc::sendto(
            socket,
            [1_u8].as_ptr().cast(),
            1,
            libc::MSG_FASTOPEN,
            (&raw const address).cast(),
            address_length,
        )
    };
    denied(EPERM, c(sent as i64));
    Ok(())
}

fn nowhere() -> Outcome {
    let before = TcpListener::bind("127.0.0.1:0")?;
    let client = TcpStream::connect(before.local_addr()?)?;
    up(&Plan::default())?;
    denied(EACCES, TcpStream::connect(before.local_addr()?));
    denied(EPERM, UdpSocket::bind("127.0.0.1:0"));
    denied(EPERM, UdpSocket::bind("[::1]:0"));
    let (mut served, _) = before.accept()?;
    served.write_all(b"x")?;
    let mut answer = [0];
    (&client).read_exact(&mut answer)?;
    assert_eq!(&answer, b"x");
    Ok(())
}

fn anywhere() -> Outcome {
    let other = TcpListener::bind("127.0.0.1:0")?;
    let in_force = up(&Plan { connect: Connect::Any, ..Plan::default() })?;
    TcpStream::connect(other.local_addr()?)?;
    UdpSocket::bind("127.0.0.1:0")?;
    denied(EACCES, TcpListener::bind("127.0.0.1:0"));
    assert!(in_force.skipped.is_empty());
    Ok(())
}

fn other_sockets() -> Outcome {
    let open = Plan { connect: Connect::Any, unix_sockets: vec!["/".into()], ..Plan::default() };
    up(&open)?;
    let socket = |family, kind, protocol| {
        // SAFETY: takes no pointers.
        c(unsafe { libc::socket(family, kind, protocol) })
    };
    socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, libc::IPPROTO_TCP)?;
    socket(libc::AF_INET6, libc::SOCK_DGRAM, libc::IPPROTO_UDP)?;
    for (family, kind, protocol) in [
        (libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP),
        (libc::AF_INET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::IPPROTO_TCP),
        (libc::AF_INET6, libc::SOCK_RAW, libc::IPPROTO_UDP),
        (libc::AF_INET, libc::SOCK_DGRAM, libc::IPPROTO_ICMP),
        (libc::AF_INET, libc::SOCK_STREAM, libc::IPPROTO_MPTCP),
        (libc::AF_INET, libc::SOCK_STREAM, libc::IPPROTO_SCTP),
        (libc::AF_INET, libc::SOCK_SEQPACKET, 0),
        (libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE),
        (libc::AF_PACKET, libc::SOCK_DGRAM, 0),
        (libc::AF_VSOCK, libc::SOCK_STREAM, 0),
        (libc::AF_ALG, libc::SOCK_SEQPACKET, 0),
        (libc::AF_BLUETOOTH, libc::SOCK_STREAM, 0),
    ] {
        denied(EPERM, socket(family, kind, protocol));
    }
    Ok(())
}

fn unix_closed() -> Outcome {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("socket");
    let _listener = UnixListener::bind(&path)?;
    up(&Plan { read_write: vec![directory.path().into()], connect: Connect::Any, ..Plan::default() })?;
    denied(EPERM, UnixStream::connect(&path));
    // A launcher is reached over one of these.
    let (mut here, mut there) = UnixStream::pair()?;
    here.write_all(b"x")?;
    there.read_exact(&mut [0])?;
    Ok(())
}

fn unix_open() -> Outcome {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("socket");
    let _listener = UnixListener::bind(&path)?;
    let name = SocketAddr::from_abstract_name(format!("packhost-walls-{}", std::process::id()))?;
    let _abstract = UnixListener::bind_addr(&name)?;
    UnixStream::connect_addr(&name)?;
    let in_force = up(&Plan { unix_sockets: vec![path.clone()], ..Plan::default() })?;
    UnixStream::connect(&path)?;
    // Made before the walls and so outside of them.
    held_or_said(&in_force, UnixStream::connect_addr(&name));
    denied(EACCES, UnixListener::bind(directory.path().join("new")));
    Ok(())
}

/// Scopes came with Landlock ABI 6: a kernel without them must be said to lack them.
fn held_or_said<T>(in_force: &InForce, answer: io::Result<T>) {
    let rules = in_force.landlock.as_ref().expect("required walls stand");
    match rules.abi {
        6.. => denied(EPERM, answer),
        _ => assert!(rules.missing.contains(&"signals and abstract Unix sockets"), "{rules:?}"),
    }
}

fn signals() -> Outcome {
    let kill = |process: i32| {
        // SAFETY: signal 0 only asks whether one could be sent.
        c(unsafe { libc::kill(process, 0) })
    };
    let parent = std::os::unix::process::parent_id().cast_signed();
    kill(parent)?;
    let in_force = up(&Plan::default())?;
    held_or_said(&in_force, kill(parent));
    kill(std::process::id().cast_signed())?;
    Ok(())
}

fn names() -> Outcome {
    up(&Plan { connect: Connect::Any, ..Plan::for_host() })?;
    let found: Vec<_> = ("localhost", 80).to_socket_addrs()?.collect();
    assert!(found.iter().any(|address| address.ip().is_loopback()), "{found:?}");
    // A question to a server leaves and comes back by UDP.
    let (ask, server) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    ask.connect(server.local_addr()?)?;
    ask.send(b"x")?;
    assert_eq!(server.recv(&mut [0; 4])?, 1);
    Ok(())
}
