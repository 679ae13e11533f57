use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().expect("the test writes addresses")
}

fn net(text: &str) -> IpNet {
    text.parse().expect("the test writes networks")
}

fn nets(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().map(|text| net(text)).collect()
}

/// What is in the way of a request to this address where no rule opens anything; or what it is.
fn classify(ip: IpAddr) -> Reach {
    reachable(ip, &[]).map_or_else(|closed| closed.reach, |()| row(ip))
}

fn opening(address: &str, opened: &[IpNet]) -> Option<Opening> {
    reachable(ip(address), opened).err().map(|closed| closed.reach.opening)
}

#[test]
fn each_special_block_is_closed_at_both_ends_and_its_neighbours_are_not() {
    // First and last address of the block, and the ones just outside where those are public.
    let blocks = [
        ("0.0.0.0", "0.255.255.255", None, Some("1.0.0.0")),
        ("10.0.0.0", "10.255.255.255", Some("9.255.255.255"), Some("11.0.0.0")),
        ("100.64.0.0", "100.127.255.255", Some("100.63.255.255"), Some("100.128.0.0")),
        ("127.0.0.0", "127.255.255.255", Some("126.255.255.255"), Some("128.0.0.0")),
        ("168.63.129.16", "168.63.129.16", Some("168.63.129.15"), Some("168.63.129.17")),
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
            assert_ne!(classify(ip(closed)).opening, Opening::Public, "{closed} is {}", classify(ip(closed)));
        }
        for open in [before, after].into_iter().flatten() {
            assert_eq!(classify(ip(open)).opening, Opening::Public, "{open} is {}", classify(ip(open)));
        }
    }
}

#[test]
fn blocks_are_named_with_their_source() {
    for (address, said) in [
        ("8.8.8.8", "on the public internet (public, RFC 6890)"),
        ("192.31.196.1", "on the public internet (AS112 service, RFC 7535)"),
        ("10.1.2.3", "not on the public internet (private use, RFC 1918)"),
        ("100.64.0.1", "not on the public internet (shared address space (carrier-grade NAT), RFC 6598)"),
        ("64:ff9b:1::808:808", "not on the public internet (local-use NAT64, RFC 8215)"),
        ("fd12::1", "not on the public internet (unique local, RFC 4193)"),
        ("fec0::1", "not on the public internet (site-local (deprecated), RFC 3879)"),
        ("169.254.169.254", "never reachable (cloud metadata, most clouds)"),
        ("168.63.129.16", "never reachable (cloud platform service, Azure)"),
        ("255.255.255.255", "never reachable (limited broadcast, RFC 919 section 7, RFC 8190)"),
        ("::ffff:8.8.8.8", "never reachable (IPv4-mapped, RFC 4291 section 2.5.5.2)"),
        ("::8.8.8.8", "never reachable (IPv4-compatible (deprecated), RFC 4291 section 2.5.5.1)"),
        ("2001:0:808:808::1", "never reachable (Teredo, RFC 4380)"),
        ("ff02::1", "never reachable (multicast, RFC 4291 section 2.7)"),
        // The IPv4 address inside decides.
        ("64:ff9b::8.8.8.8", "on the public internet (NAT64, RFC 6052)"),
        ("64:ff9b::10.0.0.1", "not on the public internet (private use, RFC 1918)"),
        ("64:ff9b::169.254.169.254", "never reachable (cloud metadata, most clouds)"),
    ] {
        assert_eq!(classify(ip(address)).to_string(), said, "{address}");
    }
}

#[test]
fn what_nothing_opens_is_closed_to_every_rule_in_every_spelling() {
    let everything = nets(&["0.0.0.0/0", "::/0"]);
    for address in [
        "0.0.0.0",
        "169.254.169.254",
        "169.254.1.1",
        "169.254.170.2",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "fe80::1",
        "ff02::1",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "fd20:ce::254",
        "::ffff:0.0.0.0",
        "::ffff:10.0.0.1",
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
    ] {
        assert_eq!(opening(address, &everything), Some(Opening::Never), "{address}");
    }
    for open in ["64:ff9b:1::10.0.0.1", "10.0.0.1", "::1", "240.0.0.1", "fd00:1::1", "8.8.8.8"] {
        assert_eq!(opening(open, &everything), None, "{open}");
    }
}

#[test]
fn a_rule_opens_what_it_lists_and_nothing_beside_it() {
    let loopback = nets(&["127.0.0.0/8", "::1/128"]);
    for open in ["127.0.0.1", "127.9.9.9", "::1", "8.8.8.8"] {
        assert_eq!(opening(open, &loopback), None, "{open}");
    }
    for closed in ["10.0.0.1", "::2:0:0:1", "64:ff9b::10.0.0.1", "64:ff9b:1::7f00:1"] {
        assert_eq!(opening(closed, &loopback), Some(Opening::ByRule), "{closed}");
    }
    // What NAT64 leads to is opened by its IPv4 address, and not by the form in which it comes.
    assert_eq!(opening("64:ff9b::7f00:1", &loopback), None);
    assert_eq!(opening("64:ff9b::7f00:1", &nets(&["64:ff9b::/96"])), Some(Opening::ByRule));
    let closed = reachable(ip("64:ff9b::a00:1"), &[]).expect_err("a private address");
    assert_eq!(closed.address, ip("10.0.0.1"));
}

#[test]
fn a_network_around_what_nothing_opens_cannot_be_listed() {
    let block = |text: &str| unlistable(&net(text)).map(|(net, _)| net.to_string());
    for (closed, by) in [
        ("0.0.0.0/0", "224.0.0.0/4"),
        ("160.0.0.0/4", "169.254.0.0/16"),
        ("168.0.0.0/8", "168.63.129.16/32"),
        ("169.254.0.0/24", "169.254.0.0/16"),
        ("169.254.169.254/32", "169.254.169.254/32"),
        ("100.0.0.0/8", "100.100.100.200/32"),
        ("::/0", "ff00::/8"),
        ("::/64", "::/96"),
        ("f000::/4", "ff00::/8"),
        ("::ffff:10.0.0.0/104", "::ffff:0.0.0.0/96"),
        ("2002::/24", "2002::/16"),
        ("fd00:ec2::/48", "fd00:ec2::/32"),
    ] {
        assert_eq!(block(closed).as_deref(), Some(by), "{closed}");
    }
    for open in [
        "10.0.0.0/8",
        "10.0.0.0/7",
        "100.64.0.0/10",
        "127.0.0.1/32",
        "192.168.0.0/16",
        "240.0.0.0/4",
        "::1/128",
        "fc00::/7",
        "fd00::/8",
        "64:ff9b:1::/48",
        "2001:db8::/32",
    ] {
        assert_eq!(block(open), None, "{open}");
    }
    assert_eq!(translated(&net("64:ff9b::a00:0/104")), Some(net("10.0.0.0/8")));
    assert_eq!(translated(&net("64:ff9b::/95")), None);
}

#[test]
fn what_a_network_opens_is_told_in_uniform_parts() {
    let parts = opens(net("10.0.0.0/8"), &nets(&["10.1.0.0/16", "10.1.2.0/24"]));
    assert_eq!(IpNet::aggregate(&parts), [net("10.0.0.0/8")]);
    assert!(parts.contains(&net("10.1.2.0/24")) && parts.contains(&net("10.0.0.0/16")));
    // Without the public half, and without the metadata service in the middle.
    assert_eq!(IpNet::aggregate(&opens(net("10.0.0.0/7"), &[])), [net("10.0.0.0/8")]);
    let shared = opens(net("100.100.100.0/24"), &[]);
    assert!(!shared.iter().any(|part| part.contains(&ip("100.100.100.200"))));
    assert!(shared.iter().any(|part| part.contains(&ip("100.100.100.201"))));
}

proptest::proptest! {
    #[test]
    fn v4_agrees_with_std(bits: u32) {
        let a = Ipv4Addr::from_bits(bits);
        let reach = classify(a.into());
        let special = a.is_private() || a.is_loopback() || a.is_link_local() || a.is_broadcast()
            || a.is_documentation() || a.is_multicast() || a.is_unspecified();
        proptest::prop_assert!(!(special && reach.opening == Opening::Public), "{a}");
        proptest::prop_assert_eq!(reach.name == "private use", a.is_private());
        proptest::prop_assert_eq!(reach.name == "loopback", a.is_loopback());
        proptest::prop_assert_eq!(reach.name == "multicast", a.is_multicast());
        proptest::prop_assert_eq!(reach.name.starts_with("documentation"), a.is_documentation());
    }

    #[test]
    fn v6_agrees_with_std(bits: u128) {
        let a = Ipv6Addr::from_bits(bits);
        let reach = classify(a.into());
        let public = reach.opening == Opening::Public;
        let special = a.is_loopback() || a.is_unspecified() || a.is_multicast() || a.is_unique_local()
            || a.is_unicast_link_local();
        proptest::prop_assert!(!(special && public), "{a}");
        proptest::prop_assert_eq!(reach.name == "link-local", a.is_unicast_link_local());
        proptest::prop_assert_eq!(reach.name == "multicast", a.is_multicast());
        proptest::prop_assert!(!public || (bits >> 125) == 1 || (bits >> 32) == 0x64_ff9b << 64, "{a}");
    }

    #[test]
    fn what_is_opened_is_reachable_and_what_is_not_is_not(bits: u32, length in 8_u8..=32) {
        let address = Ipv4Addr::from_bits(bits);
        let opened = IpNet::new(address.into(), length).expect("a length").trunc();
        let own = classify(address.into()).opening;
        proptest::prop_assert_eq!(reachable(address.into(), &[]).is_ok(), own == Opening::Public);
        proptest::prop_assert_eq!(reachable(address.into(), &[opened]).is_ok(), own != Opening::Never);
        let parts = opens(opened, &[]);
        proptest::prop_assert_eq!(parts.iter().any(|part| part.contains(&IpAddr::V4(address))), own == Opening::ByRule);
    }
}
