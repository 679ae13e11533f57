use std::net::{IpAddr, SocketAddr, TcpListener};

use ipnet::IpNet;
use packhost_manifest::{Decision, HostVars, Manifest, Origin, Source};
use url::Url;

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().expect("the test writes addresses")
}

fn at(text: &str, port: u16) -> SocketAddr {
    SocketAddr::new(ip(text), port)
}

/// Of every kind that the registries know, in every spelling, and the neighbours of some.
const INTERESTING: &[&str] = &[
    "0.0.0.0",
    "8.8.8.8",
    "10.0.0.1",
    "11.0.0.0",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "168.63.129.16",
    "168.63.129.17",
    "169.254.1.1",
    "169.254.169.254",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.0.9",
    "192.0.0.192",
    "192.0.2.1",
    "192.31.196.1",
    "192.52.193.1",
    "192.88.99.1",
    "192.168.1.1",
    "192.175.48.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::8.8.8.8",
    "::ffff:8.8.8.8",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "64:ff9b::10.0.0.1",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::10.0.0.1",
    "64:ff9b:1::169.254.169.254",
    "100::1",
    "2001::1",
    "2001:0:808:808::1",
    "2001:1::1",
    "2001:4:112::1",
    "2001:db8::1",
    "2002:808:808::1",
    "2002:a00:1::1",
    "2606:4700::1",
    "2620:4f:8000::1",
    "3fff::1",
    "fd00::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
];

#[test]
fn a_rule_means_the_same_to_who_tries_it_and_to_who_connects() {
    let lists = [
        "[]",
        "[10.0.0.0/8]",
        "[10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 192.0.0.0/24, 240.0.0.0/4, 'fc00::/7', '::1/128']",
        "['64:ff9b:1::/48', '2001:db8::/32', 'fec0::/10']",
    ];
    let vars = HostVars { state: "/state".into(), home: None };
    let url = Url::parse("https://name.test/").expect("a URL");
    let (mut open, mut shut) = (0, 0);
    for list in lists {
        let list = if list == "[]" { String::new() } else { format!(", addresses: {list}") };
        let text = format!("{{version: 1, packs: {{a: {{http: [{{host: name.test{list}}}]}}}}}}");
        let source = Source { name: "a.yaml".into(), text, origin: Origin::Operator };
        let manifest = Manifest::parse(&[source]).unwrap_or_else(|errors| panic!("{errors}"));
        let entry = manifest.entry(&"a".parse().expect("a name")).expect("an entry");
        let grants = entry.narrow(&serde_json::json!({}), &vars);
        let Decision::Allowed(allowed) = grants.http.decide("GET", &url) else { panic!("it is granted") };
        for address in INTERESTING {
            let reaches = allowed.reaches(ip(address));
            assert_eq!(reaches, check(at(address, 443), &allowed.addresses, &[]).is_ok(), "{address} {list}");
            *if reaches { &mut open } else { &mut shut } += 1;
        }
    }
    assert!(open > 40 && shut > 100, "{open} open, {shut} shut: the walk proves too little");
}

#[test]
fn own_listeners_are_closed_to_every_rule() {
    let everything: Vec<IpNet> =
        ["0.0.0.0/0", "::/0"].map(|net| net.parse().expect("the test writes networks")).into();
    let check = |address, port, own: &str| {
        check(at(address, port), &everything, &[own.parse().expect("the test writes listeners")])
    };
    assert_eq!(check("127.0.0.1", 8080, "127.0.0.1:8080"), Err(Closed::Own));
    assert_eq!(check("::ffff:127.0.0.1", 8080, "127.0.0.1:8080"), Err(Closed::Own));
    assert_eq!(check("127.0.0.1", 8080, "[::ffff:127.0.0.1]:8080"), Err(Closed::Own));
    assert_eq!(check("64:ff9b::127.0.0.1", 8080, "127.0.0.1:8080"), Err(Closed::Own));
    assert_eq!(check("127.0.0.1", 8081, "127.0.0.1:8080"), Ok(()));
    assert_eq!(check("127.0.0.2", 8080, "127.0.0.1:8080"), Ok(()));
    // Bound to every address: each one of this machine is closed, others are not.
    for own in ["0.0.0.0:8080", "[::]:8080"] {
        assert_eq!(check("127.0.0.1", 8080, own), Err(Closed::Own));
        assert_eq!(check("127.1.2.3", 8080, own), Err(Closed::Own));
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
