//! The special-purpose address registries, as a table.
//!
//! Sources: IANA "IPv4 Special-Purpose Address Registry" and "IPv6 Special-Purpose Address Registry" (RFC 6890,
//! RFC 8190), IANA "IPv4 Multicast Address Space Registry", IANA "Internet Protocol Version 6 Address Space".
//! Longest prefix wins, so an anycast address inside a reserved block keeps its own row.

use std::net::{Ipv4Addr, Ipv6Addr};

/// One row of a registry. `global` is the registry's column "Globally Reachable".
pub(crate) struct Row<A> {
    pub(crate) net: A,
    pub(crate) prefix: u8,
    pub(crate) name: &'static str,
    pub(crate) source: &'static str,
    pub(crate) global: bool,
}

macro_rules! v4 {
    ($( $a:literal . $b:literal . $c:literal . $d:literal / $p:literal $name:literal, $source:literal, $global:literal; )+) => {
        &[ $( Row { net: Ipv4Addr::new($a, $b, $c, $d), prefix: $p, name: $name, source: $source, global: $global }, )+ ]
    };
}

macro_rules! v6 {
    ($( [$($g:literal)+] / $p:literal $name:literal, $source:literal, $global:literal; )+) => {
        &[ $( Row { net: Ipv6Addr::new($($g),+), prefix: $p, name: $name, source: $source, global: $global }, )+ ]
    };
}

pub(crate) const V4: &[Row<Ipv4Addr>] = v4! {
    0 . 0 . 0 . 0 / 8 "this network", "RFC 791 section 3.2", false;
    0 . 0 . 0 . 0 / 32 "this host", "RFC 1122 section 3.2.1.3", false;
    10 . 0 . 0 . 0 / 8 "private use", "RFC 1918", false;
    100 . 64 . 0 . 0 / 10 "shared address space (carrier-grade NAT)", "RFC 6598", false;
    127 . 0 . 0 . 0 / 8 "loopback", "RFC 1122 section 3.2.1.3", false;
    169 . 254 . 0 . 0 / 16 "link-local", "RFC 3927", false;
    172 . 16 . 0 . 0 / 12 "private use", "RFC 1918", false;
    192 . 0 . 0 . 0 / 24 "IETF protocol assignments", "RFC 6890 section 2.1", false;
    192 . 0 . 0 . 0 / 29 "IPv4 service continuity", "RFC 7335", false;
    192 . 0 . 0 . 8 / 32 "dummy address", "RFC 7600", false;
    192 . 0 . 0 . 9 / 32 "port control protocol anycast", "RFC 7723", true;
    192 . 0 . 0 . 10 / 32 "TURN anycast", "RFC 8155", true;
    192 . 0 . 0 . 170 / 32 "NAT64 discovery", "RFC 7050, RFC 8880", false;
    192 . 0 . 0 . 171 / 32 "NAT64 discovery", "RFC 7050, RFC 8880", false;
    192 . 0 . 2 . 0 / 24 "documentation (TEST-NET-1)", "RFC 5737", false;
    192 . 31 . 196 . 0 / 24 "AS112 service", "RFC 7535", true;
    192 . 52 . 193 . 0 / 24 "AMT relays", "RFC 7450", true;
    192 . 88 . 99 . 0 / 24 "6to4 relay anycast (deprecated)", "RFC 7526", false;
    192 . 168 . 0 . 0 / 16 "private use", "RFC 1918", false;
    192 . 175 . 48 . 0 / 24 "direct delegation AS112 service", "RFC 7534", true;
    198 . 18 . 0 . 0 / 15 "benchmarking", "RFC 2544", false;
    198 . 51 . 100 . 0 / 24 "documentation (TEST-NET-2)", "RFC 5737", false;
    203 . 0 . 113 . 0 / 24 "documentation (TEST-NET-3)", "RFC 5737", false;
    224 . 0 . 0 . 0 / 4 "multicast", "RFC 5771", false;
    240 . 0 . 0 . 0 / 4 "reserved for future use", "RFC 1112 section 4", false;
    255 . 255 . 255 . 255 / 32 "limited broadcast", "RFC 919 section 7, RFC 8190", false;
};

pub(crate) const V6: &[Row<Ipv6Addr>] = v6! {
    [0 0 0 0 0 0 0 0] / 0 "outside the global unicast space", "RFC 4291 section 2.4", false;
    [0x2000 0 0 0 0 0 0 0] / 3 "global unicast", "RFC 4291 section 2.4", true;
    [0 0 0 0 0 0 0 0] / 96 "IPv4-compatible (deprecated)", "RFC 4291 section 2.5.5.1", false;
    [0 0 0 0 0 0 0 0] / 128 "unspecified", "RFC 4291 section 2.5.2", false;
    [0 0 0 0 0 0 0 1] / 128 "loopback", "RFC 4291 section 2.5.3", false;
    [0 0 0 0 0 0xffff 0 0] / 96 "IPv4-mapped", "RFC 4291 section 2.5.5.2", false;
    [0 0 0 0 0xffff 0 0 0] / 96 "IPv4-translated", "RFC 2765 section 2.1", false;
    [0x64 0xff9b 0 0 0 0 0 0] / 96 "NAT64", "RFC 6052", true;
    [0x64 0xff9b 1 0 0 0 0 0] / 48 "local-use NAT64", "RFC 8215", false;
    [0x100 0 0 0 0 0 0 0] / 64 "discard-only", "RFC 6666", false;
    [0x100 0 0 1 0 0 0 0] / 64 "dummy prefix", "RFC 9780", false;
    [0x2001 0 0 0 0 0 0 0] / 23 "IETF protocol assignments", "RFC 2928", false;
    [0x2001 0 0 0 0 0 0 0] / 32 "Teredo", "RFC 4380", false;
    [0x2001 1 0 0 0 0 0 1] / 128 "port control protocol anycast", "RFC 7723", true;
    [0x2001 1 0 0 0 0 0 2] / 128 "TURN anycast", "RFC 8155", true;
    [0x2001 1 0 0 0 0 0 3] / 128 "DNS-SD service registration anycast", "RFC 9665", true;
    [0x2001 2 0 0 0 0 0 0] / 48 "benchmarking", "RFC 5180", false;
    [0x2001 3 0 0 0 0 0 0] / 32 "AMT relays", "RFC 7450", true;
    [0x2001 4 0x112 0 0 0 0 0] / 48 "AS112 service", "RFC 7535", true;
    [0x2001 0x10 0 0 0 0 0 0] / 28 "ORCHID (deprecated)", "RFC 4843", false;
    [0x2001 0x20 0 0 0 0 0 0] / 28 "ORCHIDv2", "RFC 7343", true;
    [0x2001 0x30 0 0 0 0 0 0] / 28 "drone remote identification tags", "RFC 9374", true;
    [0x2001 0xdb8 0 0 0 0 0 0] / 32 "documentation", "RFC 3849", false;
    [0x2002 0 0 0 0 0 0 0] / 16 "6to4", "RFC 3056", false;
    [0x2620 0x4f 0x8000 0 0 0 0 0] / 48 "direct delegation AS112 service", "RFC 7534", true;
    [0x3fff 0 0 0 0 0 0 0] / 20 "documentation", "RFC 9637", false;
    [0x5f00 0 0 0 0 0 0 0] / 16 "segment routing identifiers", "RFC 9602", false;
    [0xfc00 0 0 0 0 0 0 0] / 7 "unique local", "RFC 4193", false;
    [0xfe80 0 0 0 0 0 0 0] / 10 "link-local", "RFC 4291 section 2.5.6", false;
    [0xfec0 0 0 0 0 0 0 0] / 10 "site-local (deprecated)", "RFC 3879", false;
    [0xff00 0 0 0 0 0 0 0] / 8 "multicast", "RFC 4291 section 2.7", false;
};

/// Addresses at which clouds hand out credentials or steer the machine; no rule opens them.
pub(crate) const METADATA_V4: &[(Ipv4Addr, &str)] = &[
    (Ipv4Addr::new(169, 254, 169, 254), "the instance metadata service of most clouds"),
    (Ipv4Addr::new(169, 254, 170, 2), "the AWS container credentials service"),
    (Ipv4Addr::new(169, 254, 170, 23), "the AWS EKS pod identity service"),
    (Ipv4Addr::new(169, 254, 0, 23), "the Tencent Cloud metadata service"),
    (Ipv4Addr::new(169, 254, 42, 42), "the Scaleway metadata service"),
    (Ipv4Addr::new(100, 100, 100, 200), "the Alibaba Cloud metadata service"),
    (Ipv4Addr::new(168, 63, 129, 16), "the Azure platform service"),
    (Ipv4Addr::new(192, 0, 0, 192), "the Oracle Cloud Classic metadata service"),
];

/// The same for IPv6.
pub(crate) const METADATA_V6: &[(Ipv6Addr, &str)] = &[
    (Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), "the AWS instance metadata service"),
    (Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23), "the AWS EKS pod identity service"),
    (Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254), "the Google Cloud metadata service"),
    (Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42), "the Scaleway metadata service"),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe), "the OpenStack metadata service"),
];
