use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use ipnet::IpNet;
use proptest::prelude::*;

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().expect("the test writes addresses")
}

fn nets(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().map(|text| text.parse().expect("the test writes networks")).collect()
}

fn at(text: &str, port: u16) -> SocketAddr {
    SocketAddr::new(ip(text), port)
}

#[test]
fn each_special_block_is_closed_at_both_ends_and_its_neighbours_are_not() {
    // First and last address of the block, and the ones just outside where those are public.
    let blocks = [
        ("0.0.0.0", "0.255.255.255", None, Some("1.0.0.0")),
        ("10.0.0.0", "10.255.255.255", Some("9.255.255.255"), Some("11.0.0.0")),
        ("100.64.0.0", "100.127.255.255", Some("100.63.255.255"), Some("100.128.0.0")),
        ("127.0.0.0", "127.255.255.255", Some("126.255.255.255"), Some("128.0.0.0")),
        ("169.254.0.0", "169.254.255.255", Some("169.253.255.255"), Some("169.255.0.0")),
        ("172.16.0.0", "172.31.255.255", Some("172.15.255.255"), Some("172.32.0.0")),
        ("192.0.0.0", "192.0.0.8", Some("191.255.255.255"), Some("192.0.0.9")),
        ("192.0.0.11", "192.0.0.255", Some("192.0.0.10"), Some("192.0.1.0")),
        ("192.0.2.0", "192.0.2.255", Some("192.0.1.255"), Some("192.0.3.0")),
        ("192.88.99.0", "192.88.99.255", Some("192.88.98.255"), Some("192.88.100.0")),
        ("192.168.0.0", "192.168.255.255", Some("192.167.255.255"), Some("192.169.0.0")),
        ("198.18.0.0", "198.19.255.255", Some("198.17.255.255"), Some("198.20.0.0")),
        ("198.51.100.0", "198.51.100.255", Some("198.51.99.255"), Some("198.51.101.0")),
        ("203.0.113.0", "203.0.113.255", Some("203.0.112.255"), Some("203.0.114.0")),
        ("224.0.0.0", "255.255.255.255", Some("223.255.255.255"), None),
        ("::", "1fff:ffff::", None, Some("2000::")),
        ("2001::", "2001:1::", Some("2000:ffff::"), Some("2001:1::1")),
        ("2001:2::", "2001:2:0:ffff::", None, None),
        ("2001:10::", "2001:1f:ffff::", None, Some("2001:20::")),
        ("2001:db8::", "2001:db8:ffff::", Some("2001:db7:ffff::"), Some("2001:db9::")),
        ("2002::", "2002:ffff:ffff::", Some("2001:ffff::"), Some("2003::")),
        ("3fff::", "3fff:fff:ffff::", Some("3ffe:ffff::"), Some("3fff:1000::")),
        ("4000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Some("3fff:ffff::"), None),
    ];
    for (first, last, before, after) in blocks {
        for closed in [first, last] {
            assert!(!classify(ip(closed)).public, "{closed} is {:?}", classify(ip(closed)));
        }
        for open in [before, after].into_iter().flatten() {
            assert!(classify(ip(open)).public, "{open} is {:?}", classify(ip(open)));
        }
    }
}

#[test]
fn blocks_are_named_with_their_source() {
    for (address, name, source) in [
        ("10.1.2.3", "private use", "RFC 1918"),
        ("100.64.0.1", "shared address space (carrier-grade NAT)", "RFC 6598"),
        ("255.255.255.255", "limited broadcast", "RFC 919 section 7, RFC 8190"),
        ("::ffff:8.8.8.8", "IPv4-mapped", "RFC 4291 section 2.5.5.2"),
        ("::8.8.8.8", "IPv4-compatible (deprecated)", "RFC 4291 section 2.5.5.1"),
        ("64:ff9b:1::808:808", "local-use NAT64", "RFC 8215"),
        ("2001:0:808:808::1", "Teredo", "RFC 4380"),
        ("fd12::1", "unique local", "RFC 4193"),
        ("fec0::1", "site-local (deprecated)", "RFC 3879"),
        ("ff02::1", "multicast", "RFC 4291 section 2.7"),
        // The address inside decides.
        ("64:ff9b::10.0.0.1", "private use", "RFC 1918"),
        ("64:ff9b::127.0.0.1", "loopback", "RFC 1122 section 3.2.1.3"),
    ] {
        assert_eq!(classify(ip(address)), Reach { public: false, name, source }, "{address}");
    }
    assert!(
        classify(ip("64:ff9b::8.8.8.8")).public,
        "NAT64 to a public address is the way out of an IPv6-only net"
    );
}

#[test]
fn metadata_is_closed_to_every_rule_in_every_spelling() {
    let everything = nets(&["0.0.0.0/0", "::/0"]);
    for address in [
        "169.254.169.254",
        "169.254.170.2",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "fd00:ec2::254",
        "fd20:ce::254",
        "::ffff:169.254.169.254",
        "::169.254.169.254",
        "::ffff:0:169.254.169.254",
        "64:ff9b::169.254.169.254",
        // The four readings of a local-use NAT64 prefix.
        "64:ff9b:1:a9fe:a9:fe00::",
        "64:ff9b:1:a9:fe:a9fe::",
        "64:ff9b:1::a9:fea9:fe00:0",
        "64:ff9b:1::169.254.169.254",
        "2002:a9fe:a9fe::1",
        "2001:0:a9fe:a9fe::1",
        "2001:0:808:808:0:0:5601:5601",
        "0.0.0.0",
        "::",
        "::ffff:0.0.0.0",
    ] {
        let closed = check(at(address, 80), &everything, &[]);
        assert!(matches!(closed, Err(Closed::Always(_))), "{address}: {closed:?}");
    }
    assert_eq!(check(at("64:ff9b:1::10.0.0.1", 80), &everything, &[]), Ok(()));
}

#[test]
fn a_rule_opens_what_it_lists_and_nothing_beside_it() {
    let loopback = nets(&["127.0.0.0/8", "::1/128"]);
    assert_eq!(check(at("127.0.0.1", 80), &loopback, &[]), Ok(()));
    assert_eq!(check(at("127.9.9.9", 80), &loopback, &[]), Ok(()));
    assert_eq!(check(at("::1", 80), &loopback, &[]), Ok(()));
    assert_eq!(check(at("8.8.8.8", 80), &loopback, &[]), Ok(()));
    for closed in ["10.0.0.1", "::2", "fe80::1", "::ffff:127.0.0.1", "64:ff9b::10.0.0.1"] {
        assert!(matches!(check(at(closed, 80), &loopback, &[]), Err(Closed::ByRule(_))), "{closed}");
    }
    // To open a carrier block is not to open what it carries.
    let nat64 = nets(&["64:ff9b::/96", "::ffff:0:0/96", "2002::/16"]);
    for closed in ["64:ff9b::127.0.0.1", "::ffff:127.0.0.1", "2002:7f00:1::"] {
        assert!(matches!(check(at(closed, 80), &nat64, &[]), Err(Closed::ByRule(_))), "{closed}");
    }
    assert_eq!(check(at("2002:808:808::1", 80), &nat64, &[]), Ok(()));
}

#[test]
fn own_listeners_are_closed_to_every_rule() {
    let everything = nets(&["0.0.0.0/0", "::/0"]);
    let check = |address, port, own: &str| {
        check(at(address, port), &everything, &[own.parse().expect("the test writes listeners")])
    };
    assert!(matches!(check("127.0.0.1", 8080, "127.0.0.1:8080"), Err(Closed::Always(_))));
    assert!(matches!(check("::ffff:127.0.0.1", 8080, "127.0.0.1:8080"), Err(Closed::Always(_))));
    assert!(matches!(check("127.0.0.1", 8080, "[::ffff:127.0.0.1]:8080"), Err(Closed::Always(_))));
    assert_eq!(check("127.0.0.1", 8081, "127.0.0.1:8080"), Ok(()));
    assert_eq!(check("127.0.0.2", 8080, "127.0.0.1:8080"), Ok(()));
    // Bound to every address: each one of this machine is closed, others are not.
    for own in ["0.0.0.0:8080", "[::]:8080"] {
        assert!(matches!(check("127.0.0.1", 8080, own), Err(Closed::Always(_))));
        assert!(matches!(check("127.1.2.3", 8080, own), Err(Closed::Always(_))));
        assert_eq!(check("127.0.0.1", 8081, own), Ok(()));
        assert_eq!(check("8.8.8.8", 8080, own), Ok(()));
    }
}

#[test]
fn an_address_in_use_is_still_known_as_local() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback can be bound");
    assert!(is_local(listener.local_addr().expect("a bound socket has an address").ip()));
    assert!(!is_local(ip("8.8.8.8")));
}

proptest! {
    #[test]
    fn v4_agrees_with_std(bits: u32) {
        let a = Ipv4Addr::from_bits(bits);
        let special = a.is_private() || a.is_loopback() || a.is_link_local() || a.is_broadcast()
            || a.is_documentation() || a.is_multicast() || a.is_unspecified();
        prop_assert!(!(special && classify(a.into()).public), "{a}");
        prop_assert_eq!(classify(a.into()).name == "private use", a.is_private());
        prop_assert_eq!(classify(a.into()).name == "loopback", a.is_loopback());
        prop_assert_eq!(classify(a.into()).name == "multicast", a.is_multicast());
        prop_assert_eq!(classify(a.into()).name.starts_with("documentation"), a.is_documentation());
    }

    #[test]
    fn v4_special_blocks_agree_with_std(row in 0..V4.len(), host: u32) {
        let row = &V4[row];
        let mask = u32::MAX.checked_shr(row.prefix.into()).unwrap_or(0);
        let a = Ipv4Addr::from_bits(row.net.to_bits() | (host & mask));
        let special = a.is_private() || a.is_loopback() || a.is_link_local() || a.is_broadcast()
            || a.is_documentation() || a.is_multicast() || a.is_unspecified();
        prop_assert!(!(special && classify(a.into()).public), "{a}");
        for carrier in [a.to_ipv6_mapped(), a.to_ipv6_compatible()] {
            prop_assert!(!classify(carrier.into()).public, "{carrier}");
        }
        let nat64 = Ipv6Addr::from_bits(0x64_ff9b << 96 | u128::from(a.to_bits()));
        prop_assert_eq!(classify(nat64.into()).public, classify(a.into()).public, "{}", nat64);
    }

    #[test]
    fn v6_agrees_with_std(bits: u128) {
        let a = Ipv6Addr::from_bits(bits);
        let reach = classify(a.into());
        let special = a.is_loopback() || a.is_unspecified() || a.is_multicast() || a.is_unique_local()
            || a.is_unicast_link_local();
        prop_assert!(!(special && reach.public), "{a}");
        prop_assert_eq!(reach.name == "unique local", a.is_unique_local());
        prop_assert_eq!(reach.name == "link-local", a.is_unicast_link_local());
        prop_assert_eq!(reach.name == "multicast", a.is_multicast());
        prop_assert!(!reach.public || (bits >> 125) == 1 || (bits >> 32) == 0x64_ff9b << 64, "{a}");
    }

    #[test]
    fn nothing_special_passes_without_a_rule(address: IpAddr, port: u16) {
        prop_assert_eq!(check(SocketAddr::new(address, port), &[], &[]).is_ok(),
            classify(address).public && metadata(address).is_none());
    }
}
