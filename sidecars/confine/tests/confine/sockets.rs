//! Sockets: loopback and Unix, nothing else.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

use libc::{AF_INET, AF_INET6, AF_NETLINK, AF_UNIX, EAFNOSUPPORT, EPERM, EPROTONOSUPPORT};

use super::scene::{House, Outcome, Scene, call, denied, scene, with};

pub(crate) const SCENES: &[Scene] = &[
    scene("sockets_that_lead_out_are_denied", denied_sockets),
    scene("programs_talk_over_loopback_and_unix_sockets", allowed_sockets),
    scene("an_abstract_socket_outside_is_out_of_reach", abstract_outside).since(6),
    scene("a_socket_file_outside_is_out_of_reach", path_outside).since(9),
];

fn socket(family: i32, kind: i32, protocol: i32) -> std::io::Result<i64> {
    call(libc::SYS_socket, with([family.into(), kind.into(), protocol.into()]))
}

fn denied_sockets(house: &House) -> Outcome {
    house.confine()?;
    let families = [
        libc::AF_PACKET,
        libc::AF_VSOCK,
        libc::AF_ALG,
        libc::AF_BLUETOOTH,
        libc::AF_CAN,
        libc::AF_TIPC,
        libc::AF_RDS,
        libc::AF_XDP,
        libc::AF_KEY,
        libc::AF_NFC,
        43, // AF_SMC
        0,
        1000,
    ];
    for family in families {
        for kind in [libc::SOCK_STREAM, libc::SOCK_DGRAM, libc::SOCK_RAW | libc::SOCK_CLOEXEC] {
            denied(EAFNOSUPPORT, socket(family, kind, 0));
        }
    }
    // The kernel reads 32 bits of each argument.
    denied(EAFNOSUPPORT, call(libc::SYS_socket, with([libc::AF_VSOCK as i64 | 1 << 32, 1, 0])));
    for family in [AF_INET, AF_INET6] {
        for kind in [libc::SOCK_RAW, libc::SOCK_RAW | libc::SOCK_NONBLOCK, libc::SOCK_SEQPACKET, 10] {
            denied(EPERM, socket(family, kind, libc::IPPROTO_ICMP));
            denied(EPERM, socket(family, kind, 0));
        }
        denied(EPROTONOSUPPORT, socket(family, libc::SOCK_DGRAM, libc::IPPROTO_ICMP));
        denied(EPROTONOSUPPORT, socket(family, libc::SOCK_STREAM, libc::IPPROTO_SCTP));
        denied(EPROTONOSUPPORT, socket(family, libc::SOCK_STREAM, libc::IPPROTO_MPTCP));
    }
    for service in [libc::NETLINK_NETFILTER, libc::NETLINK_XFRM, libc::NETLINK_AUDIT, libc::NETLINK_CRYPTO] {
        denied(EPROTONOSUPPORT, socket(AF_NETLINK, libc::SOCK_RAW, service));
    }
    let mut pair = [0_i32; 2];
    let pair = pair.as_mut_ptr() as i64;
    denied(EAFNOSUPPORT, call(libc::SYS_socketpair, with([libc::AF_TIPC.into(), 1, 0, pair])));
    Ok(())
}

fn allowed_sockets(house: &House) -> Outcome {
    house.confine()?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut client = TcpStream::connect(listener.local_addr()?)?;
    client.write_all(b"x")?;
    let mut byte = [0];
    listener.accept()?.0.read_exact(&mut byte)?;
    let datagrams = UdpSocket::bind("127.0.0.1:0")?;
    datagrams.send_to(b"x", datagrams.local_addr()?)?;
    datagrams.recv(&mut byte)?;
    for kind in [libc::SOCK_STREAM, libc::SOCK_DGRAM, libc::SOCK_SEQPACKET] {
        socket(AF_UNIX, kind | libc::SOCK_CLOEXEC, 0)?;
    }
    socket(AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::NETLINK_ROUTE)?;
    UnixStream::pair()?;
    // Both ends behind the wall: abstract names and paths.
    let name = SocketAddr::from_abstract_name(format!("confine-inside-{}", std::process::id()))?;
    let _listener = UnixListener::bind_addr(&name)?;
    UnixStream::connect_addr(&name)?;
    Ok(())
}

fn abstract_outside(house: &House) -> Outcome {
    let name = SocketAddr::from_abstract_name(format!("confine-outside-{}", std::process::id()))?;
    let _listener = UnixListener::bind_addr(&name)?;
    house.confine()?;
    denied(EPERM, UnixStream::connect_addr(&name));
    Ok(())
}

fn path_outside(house: &House) -> Outcome {
    use std::os::unix::fs::PermissionsExt;

    let path = house.read.join("socket");
    let _listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777))?;
    house.confine()?;
    denied(libc::EACCES, UnixStream::connect(&path));
    Ok(())
}
