//! Sockets: Unix, TCP and UDP over IP, and asking for the sandbox's own addresses.

use super::{Answer, Denial, Test};

/// The type of a socket is in the low bits of the argument, close-on-exec and non-blocking in the others
/// (`SOCK_TYPE_MASK` in the kernel's linux/net.h).
const TYPE: u32 = 0xf;

/// Obsolete way to a packet socket (packet(7)).
const SOCK_PACKET: u32 = 10;

const UNIX: u32 = libc::AF_UNIX as u32;
const IP: u32 = libc::AF_INET as u32;
const IP6: u32 = libc::AF_INET6 as u32;
const NETLINK: u32 = libc::AF_NETLINK as u32;

const fn family(family: u32) -> Test {
    Test::Is(0, family)
}

const fn kind(kind: u32) -> Test {
    Test::Masked(1, TYPE, kind)
}

const OTHER_FAMILY: &[&[Test]] =
    &[&[Test::IsNot(0, UNIX), Test::IsNot(0, IP), Test::IsNot(0, IP6), Test::IsNot(0, NETLINK)]];

const OTHER_KIND: &[&[Test]] = &[
    &[family(IP), kind(libc::SOCK_RAW as u32)],
    &[family(IP), kind(libc::SOCK_RDM as u32)],
    &[family(IP), kind(libc::SOCK_SEQPACKET as u32)],
    &[family(IP), kind(libc::SOCK_DCCP as u32)],
    &[family(IP), kind(SOCK_PACKET)],
    &[family(IP6), kind(libc::SOCK_RAW as u32)],
    &[family(IP6), kind(libc::SOCK_RDM as u32)],
    &[family(IP6), kind(libc::SOCK_SEQPACKET as u32)],
    &[family(IP6), kind(libc::SOCK_DCCP as u32)],
    &[family(IP6), kind(SOCK_PACKET)],
];

const NEITHER_TCP_NOR_UDP: [Test; 3] =
    [Test::IsNot(2, 0), Test::IsNot(2, libc::IPPROTO_TCP as u32), Test::IsNot(2, libc::IPPROTO_UDP as u32)];

const OTHER_PROTOCOL: &[&[Test]] = &[
    &[family(IP), NEITHER_TCP_NOR_UDP[0], NEITHER_TCP_NOR_UDP[1], NEITHER_TCP_NOR_UDP[2]],
    &[family(IP6), NEITHER_TCP_NOR_UDP[0], NEITHER_TCP_NOR_UDP[1], NEITHER_TCP_NOR_UDP[2]],
    &[family(NETLINK), Test::IsNot(2, libc::NETLINK_ROUTE as u32)],
];

pub(super) const DENIALS: &[Denial] = &[
    Denial::eperm(
        "socket",
        libc::SYS_socket,
        "Other families (packets, the hypervisor, kernel ciphers, Bluetooth, …) lead out of the sandbox or into seldom used code.",
    )
    .when("a family other than Unix, IPv4, IPv6, netlink", OTHER_FAMILY)
    .answered(Answer::Eafnosupport),
    Denial::eperm("socket", libc::SYS_socket, "Raw sockets forge packets.")
        .when("IP, of a type other than stream and datagram", OTHER_KIND),
    Denial::eperm(
        "socket",
        libc::SYS_socket,
        "Other transports and the kernel's other services are seldom used code; asking for one's own addresses (route) is what \
         C libraries and Node.js do at start, and without capabilities it changes nothing.",
    )
    .when("IP, of a protocol other than TCP and UDP; netlink, other than route", OTHER_PROTOCOL)
    .answered(Answer::Eprotonosupport),
    Denial::eperm("socketpair", libc::SYS_socketpair, "Only Unix sockets come in pairs that programs use.")
        .when("a family other than Unix", &[&[Test::IsNot(0, UNIX)]])
        .answered(Answer::Eafnosupport),
];
