//! Which addresses belong to the public Internet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

// IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890), everything that is not globally reachable, and the
// multicast blocks. Ranges that carry an IPv4 address inside (mapped, NAT64, 6to4, Teredo) are in it as wholes: a name
// never needs them to reach a public host.
const V4: &[([u8; 4], u8)] = &[
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 31, 196, 0], 24),
    ([192, 52, 193, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([192, 175, 48, 0], 24),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
];

// Global unicast is 2000::/3; these are the holes in it. Everything outside of it is not public.
const V6: &[([u16; 8], u8)] = &[
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 23),
    ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32),
    ([0x2002, 0, 0, 0, 0, 0, 0, 0], 16),
    ([0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0], 48),
    ([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20),
    ([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16),
];

static GLOBAL_V6: LazyLock<Option<Ipv6Net>> =
    LazyLock::new(|| Ipv6Net::new(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3).ok());

static SPECIAL: LazyLock<Vec<IpNet>> = LazyLock::new(|| {
    let v4 =
        V4.iter().filter_map(|(bits, len)| Ipv4Net::new(Ipv4Addr::from(*bits), *len).ok().map(IpNet::V4));
    let v6 =
        V6.iter().filter_map(|(bits, len)| Ipv6Net::new(Ipv6Addr::from(*bits), *len).ok().map(IpNet::V6));
    v4.chain(v6).collect()
});

/// Whether an address is a public unicast one: in no special-purpose block of the IANA registries, IPv4-mapped and
/// translated addresses counted as special.
pub fn is_public(ip: IpAddr) -> bool {
    let global = match ip {
        IpAddr::V4(_) => true,
        IpAddr::V6(v6) => GLOBAL_V6.is_some_and(|net| net.contains(&v6)),
    };
    global && !SPECIAL.iter().any(|net| net.contains(&ip))
}

/// Blocks that no rule can open: link-local, where cloud metadata services live, multicast and "this network".
const NEVER: &[&str] = &[
    "0.0.0.0/8",
    "169.254.0.0/16",
    "224.0.0.0/4",
    "255.255.255.255/32",
    "::/128",
    "fe80::/10",
    "ff00::/8",
    "fd00:ec2::/32",
];

/// The block that no rule can open and that holds the whole network.
pub(crate) fn never(net: &IpNet) -> Option<&'static str> {
    NEVER.iter().copied().find(|block| block.parse::<IpNet>().is_ok_and(|block| block.contains(net)))
}

/// Parts of `net` that are each wholly inside or wholly outside of every one of `others` and of the public Internet.
pub(crate) fn parts(net: IpNet, others: &[IpNet]) -> Vec<IpNet> {
    let mut edges: Vec<IpNet> = others.iter().chain(SPECIAL.iter()).copied().collect();
    edges.extend(GLOBAL_V6.map(IpNet::V6));
    edges.retain(|edge| *edge != net && net.contains(edge));
    let mut done = Vec::new();
    let mut open = vec![net];
    while let Some(part) = open.pop() {
        let split = edges.iter().any(|edge| *edge != part && part.contains(edge));
        match part.subnets(part.prefix_len() + 1) {
            Ok(halves) if split => open.extend(halves),
            _ => done.push(part),
        }
    }
    done.sort();
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_is_public() {
        for public in ["93.184.216.34", "1.1.1.1", "2606:2800:220:1::1", "2a00::1"] {
            assert!(is_public(public.parse().expect("an address")), "{public}");
        }
        for special in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.31.255.255",
            "192.168.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:1.1.1.1",
            "64:ff9b::1.1.1.1",
            "64:ff9b:1::1",
            "fc00::1",
            "fe80::1",
            "ff02::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2001::1",
            "3fff::1",
        ] {
            assert!(!is_public(special.parse().expect("an address")), "{special}");
        }
    }

    #[test]
    fn parts_are_uniform_and_complete() {
        let net = |text: &str| text.parse::<IpNet>().expect("a network");
        let parts = parts(net("10.0.0.0/8"), &[net("10.1.0.0/16"), net("10.1.2.0/24")]);
        assert_eq!(IpNet::aggregate(&parts), [net("10.0.0.0/8")]);
        assert!(parts.contains(&net("10.1.2.0/24")) && parts.contains(&net("10.0.0.0/16")));
        assert!(NEVER.iter().all(|block| block.parse::<IpNet>().is_ok()));
    }
}
