//! The special-purpose address registries, as one table: what may be reached without a rule, what a rule can open, and
//! what nothing opens.
//!
//! Sources: IANA "IPv4 Special-Purpose Address Registry" and "IPv6 Special-Purpose Address Registry" (RFC 6890,
//! RFC 8190), IANA "IPv4 Multicast Address Space Registry", IANA "Internet Protocol Version 6 Address Space", and the
//! clouds' own documentation for their metadata services. The most specific row counts, so that an anycast address
//! inside a reserved block keeps its own.
//!
//! [`Public`] is the registries' column "Globally Reachable". [`Never`] is what only serves to reach this machine, its
//! link or its cloud by a detour: the unspecified address, link-local, multicast, metadata services, and IPv6 forms of
//! an IPv4 address other than NAT64 (RFC 6052), whose own form a rule can open.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::{Opening, Reach};
use Opening::{ByRule, Never, Public};

/// A block and what is said about it.
pub(super) struct Row {
    pub(super) net: IpNet,
    pub(super) reach: Reach,
}

const fn v4(address: [u8; 4], length: u8, opening: Opening, name: &'static str, source: &'static str) -> Row {
    let [a, b, c, d] = address;
    let net = IpNet::new_assert(IpAddr::V4(Ipv4Addr::new(a, b, c, d)), length);
    Row { net, reach: Reach { opening, name, source } }
}

const fn v6(
    address: [u16; 8],
    length: u8,
    opening: Opening,
    name: &'static str,
    source: &'static str,
) -> Row {
    let [a, b, c, d, e, f, g, h] = address;
    let net = IpNet::new_assert(IpAddr::V6(Ipv6Addr::new(a, b, c, d, e, f, g, h)), length);
    Row { net, reach: Reach { opening, name, source } }
}

/// Of an IPv4 address that is in no row.
pub(super) const UNLISTED: Reach = Reach { opening: Public, name: "public", source: "RFC 6890" };

#[rustfmt::skip]
pub(super) static TABLE: &[Row] = &[
    v4([0, 0, 0, 0], 8, Never, "this network", "RFC 791 section 3.2"),
    v4([0, 0, 0, 0], 32, Never, "unspecified", "RFC 1122 section 3.2.1.3"),
    v4([10, 0, 0, 0], 8, ByRule, "private use", "RFC 1918"),
    v4([100, 64, 0, 0], 10, ByRule, "shared address space (carrier-grade NAT)", "RFC 6598"),
    v4([100, 100, 100, 200], 32, Never, "cloud metadata", "Alibaba Cloud"),
    v4([127, 0, 0, 0], 8, ByRule, "loopback", "RFC 1122 section 3.2.1.3"),
    v4([168, 63, 129, 16], 32, Never, "cloud platform service", "Azure"),
    v4([169, 254, 0, 0], 16, Never, "link-local", "RFC 3927"),
    v4([169, 254, 0, 23], 32, Never, "cloud metadata", "Tencent Cloud"),
    v4([169, 254, 42, 42], 32, Never, "cloud metadata", "Scaleway"),
    v4([169, 254, 169, 254], 32, Never, "cloud metadata", "most clouds"),
    v4([169, 254, 170, 2], 32, Never, "container credentials", "Amazon ECS"),
    v4([169, 254, 170, 23], 32, Never, "pod credentials", "Amazon EKS"),
    v4([172, 16, 0, 0], 12, ByRule, "private use", "RFC 1918"),
    v4([192, 0, 0, 0], 24, ByRule, "IETF protocol assignments", "RFC 6890 section 2.1"),
    v4([192, 0, 0, 0], 29, ByRule, "IPv4 service continuity", "RFC 7335"),
    v4([192, 0, 0, 8], 32, ByRule, "dummy address", "RFC 7600"),
    v4([192, 0, 0, 9], 32, Public, "port control protocol anycast", "RFC 7723"),
    v4([192, 0, 0, 10], 32, Public, "TURN anycast", "RFC 8155"),
    v4([192, 0, 0, 170], 32, ByRule, "NAT64 discovery", "RFC 7050, RFC 8880"),
    v4([192, 0, 0, 171], 32, ByRule, "NAT64 discovery", "RFC 7050, RFC 8880"),
    v4([192, 0, 0, 192], 32, Never, "cloud metadata", "Oracle Cloud Classic"),
    v4([192, 0, 2, 0], 24, ByRule, "documentation (TEST-NET-1)", "RFC 5737"),
    v4([192, 31, 196, 0], 24, Public, "AS112 service", "RFC 7535"),
    v4([192, 52, 193, 0], 24, Public, "AMT relays", "RFC 7450"),
    v4([192, 88, 99, 0], 24, ByRule, "6to4 relay anycast (deprecated)", "RFC 7526"),
    v4([192, 168, 0, 0], 16, ByRule, "private use", "RFC 1918"),
    v4([192, 175, 48, 0], 24, Public, "direct delegation AS112 service", "RFC 7534"),
    v4([198, 18, 0, 0], 15, ByRule, "benchmarking", "RFC 2544"),
    v4([198, 51, 100, 0], 24, ByRule, "documentation (TEST-NET-2)", "RFC 5737"),
    v4([203, 0, 113, 0], 24, ByRule, "documentation (TEST-NET-3)", "RFC 5737"),
    v4([224, 0, 0, 0], 4, Never, "multicast", "RFC 5771"),
    v4([240, 0, 0, 0], 4, ByRule, "reserved for future use", "RFC 1112 section 4"),
    v4([255, 255, 255, 255], 32, Never, "limited broadcast", "RFC 919 section 7, RFC 8190"),

    v6([0, 0, 0, 0, 0, 0, 0, 0], 0, ByRule, "outside the global unicast space", "RFC 4291 section 2.4"),
    v6([0, 0, 0, 0, 0, 0, 0, 0], 96, Never, "IPv4-compatible (deprecated)", "RFC 4291 section 2.5.5.1"),
    v6([0, 0, 0, 0, 0, 0, 0, 0], 128, Never, "unspecified", "RFC 4291 section 2.5.2"),
    v6([0, 0, 0, 0, 0, 0, 0, 1], 128, ByRule, "loopback", "RFC 4291 section 2.5.3"),
    v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96, Never, "IPv4-mapped", "RFC 4291 section 2.5.5.2"),
    v6([0, 0, 0, 0, 0xffff, 0, 0, 0], 96, Never, "IPv4-translated", "RFC 2765 section 2.1"),
    v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96, Public, "NAT64", "RFC 6052"),
    v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48, ByRule, "local-use NAT64", "RFC 8215"),
    v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64, ByRule, "discard-only", "RFC 6666"),
    v6([0x100, 0, 0, 1, 0, 0, 0, 0], 64, ByRule, "dummy prefix", "RFC 9780"),
    v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3, Public, "global unicast", "RFC 4291 section 2.4"),
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23, ByRule, "IETF protocol assignments", "RFC 2928"),
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32, Never, "Teredo", "RFC 4380"),
    v6([0x2001, 1, 0, 0, 0, 0, 0, 1], 128, Public, "port control protocol anycast", "RFC 7723"),
    v6([0x2001, 1, 0, 0, 0, 0, 0, 2], 128, Public, "TURN anycast", "RFC 8155"),
    v6([0x2001, 1, 0, 0, 0, 0, 0, 3], 128, Public, "DNS-SD service registration anycast", "RFC 9665"),
    v6([0x2001, 2, 0, 0, 0, 0, 0, 0], 48, ByRule, "benchmarking", "RFC 5180"),
    v6([0x2001, 3, 0, 0, 0, 0, 0, 0], 32, Public, "AMT relays", "RFC 7450"),
    v6([0x2001, 4, 0x112, 0, 0, 0, 0, 0], 48, Public, "AS112 service", "RFC 7535"),
    v6([0x2001, 0x10, 0, 0, 0, 0, 0, 0], 28, ByRule, "ORCHID (deprecated)", "RFC 4843"),
    v6([0x2001, 0x20, 0, 0, 0, 0, 0, 0], 28, Public, "ORCHIDv2", "RFC 7343"),
    v6([0x2001, 0x30, 0, 0, 0, 0, 0, 0], 28, Public, "drone remote identification tags", "RFC 9374"),
    v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32, ByRule, "documentation", "RFC 3849"),
    v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16, Never, "6to4", "RFC 3056"),
    v6([0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0], 48, Public, "direct delegation AS112 service", "RFC 7534"),
    v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20, ByRule, "documentation", "RFC 9637"),
    v6([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16, ByRule, "segment routing identifiers", "RFC 9602"),
    v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7, ByRule, "unique local", "RFC 4193"),
    v6([0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42], 128, Never, "cloud metadata", "Scaleway"),
    v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0], 32, Never, "cloud metadata", "Amazon EC2 and EKS"),
    v6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254], 128, Never, "cloud metadata", "Google Cloud"),
    v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10, Never, "link-local", "RFC 4291 section 2.5.6"),
    v6([0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe], 128, Never, "cloud metadata", "OpenStack"),
    v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10, ByRule, "site-local (deprecated)", "RFC 3879"),
    v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8, Never, "multicast", "RFC 4291 section 2.7"),
];
