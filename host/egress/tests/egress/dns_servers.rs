//! How an operator describes name servers.

use packhost_egress::*;
use proptest::prelude::*;

use super::dns::PATIENT;

fn error(text: &str) -> String {
    text.parse::<NameServer>().unwrap_err().to_string()
}

#[test]
fn what_is_left_out_has_its_usual_value() {
    for (text, whole) in [
        ("tls://1.1.1.1#cloudflare-dns.com", "tls://1.1.1.1#cloudflare-dns.com"),
        ("tls://1.1.1.1:853#Cloudflare-DNS.com.", "tls://1.1.1.1#cloudflare-dns.com"),
        ("tls://1.1.1.1:443", "tls://1.1.1.1:443"),
        ("tls://[2606:4700:4700:0::1111]", "tls://[2606:4700:4700::1111]"),
        ("tls://[::1]:8853#dns.test", "tls://[::1]:8853#dns.test"),
        ("https://1.1.1.1", "https://1.1.1.1/dns-query"),
        ("https://1.1.1.1:443/dns-query#one.one.one.one", "https://1.1.1.1/dns-query#one.one.one.one"),
        ("https://9.9.9.9:5053/#dns.quad9.net", "https://9.9.9.9:5053/#dns.quad9.net"),
        ("https://[2620:fe::fe]/a%20b#dns.quad9.net", "https://[2620:fe::fe]/a%20b#dns.quad9.net"),
    ] {
        assert_eq!(text.parse::<NameServer>().unwrap().to_string(), whole, "{text}");
    }
}

#[test]
fn what_is_no_name_server_is_refused_with_what_to_write() {
    for (texts, why) in [
        (
            &["", "1.1.1.1", "udp://1.1.1.1", "TLS://1.1.1.1", "tls:1.1.1.1", "http://1.1.1.1/dns-query"][..],
            "starts with tls://",
        ),
        (
            &[
                "tls://",
                "tls://1.1.1",
                "tls://1.1.1.01",
                "tls://::1",
                "tls://[::1",
                "tls://[::1]853",
                "tls://[fe80::1%1]",
                "https:///dns-query",
                "tls://me@1.1.1.1",
                "tls://0x01010101",
            ],
            "IPv6 address in brackets",
        ),
        (
            &[
                "tls://0.0.0.0",
                "tls://[::]",
                "tls://224.0.0.1",
                "tls://255.255.255.255",
                "https://[ff02::1]#dns.test",
            ],
            "is not the address of a server",
        ),
        (
            &[
                "tls://1.1.1.1:",
                "tls://1.1.1.1:0",
                "tls://1.1.1.1:65536",
                "tls://1.1.1.1:+53",
                "tls://[::1]:x",
            ],
            "number from 1 to 65535",
        ),
        (
            &[
                "tls://1.1.1.1#",
                "tls://1.1.1.1#.",
                "tls://1.1.1.1#1.1.1.1",
                "tls://1.1.1.1#a b",
                "tls://1.1.1.1#*.test",
                "tls://1.1.1.1#a#b",
                "tls://1.1.1.1#[::1]",
            ],
            "host name in the name server's certificate",
        ),
        (&["https://[::1]/dns-query"], "needs the name"),
        (
            &[
                "tls://1.1.1.1/",
                "https://1.1.1.1/dns-query{?dns}",
                "https://1.1.1.1/?dns=",
                "https://1.1.1.1/a b",
                "https://1.1.1.1/a,b",
                "https://1.1.1.1/ä",
            ],
            "a path such as /dns-query",
        ),
    ] {
        for text in texts {
            assert!(error(text).contains(why), "{text}: {}", error(text));
        }
    }
    let long = format!("https://1.1.1.1/{}", "a".repeat(255));
    assert!(long[..long.len() - 1].parse::<NameServer>().is_ok());
    assert_eq!(long.parse::<NameServer>(), Err(NameServerError::Path));
}

#[test]
fn a_host_name_is_refused_with_what_to_write_in_its_place() {
    for (text, instead) in [
        ("https://cloudflare-dns.com/dns-query", "https://ADDRESS/dns-query#cloudflare-dns.com"),
        ("tls://dns.google", "tls://ADDRESS#dns.google"),
        ("tls://dns.google:853#dns.google", "tls://ADDRESS#dns.google"),
    ] {
        let error = error(text);
        assert!(error.contains("in the clear") && error.ends_with(instead), "{error}");
    }
}

#[test]
fn there_is_at_least_one_server_and_at_most_eight() {
    let server: NameServer = "tls://1.1.1.1".parse().unwrap();
    for (given, works) in [(0, false), (1, true), (8, true), (9, false)] {
        let made = EncryptedResolver::new(vec![server.clone(); given], &[], PATIENT);
        assert_eq!(made.is_ok(), works, "{given}");
    }
    let junk = CertificateDer::from(b"junk".to_vec());
    let error = EncryptedResolver::new(vec![server], &[junk], PATIENT).unwrap_err();
    assert!(error.to_string().starts_with("extra root certificate number 1"), "{error}");
}

#[test]
fn a_resolver_shows_whom_it_asks_and_is_made_without_a_runtime() {
    let servers = ["tls://1.1.1.1#one.one.one.one", "https://9.9.9.9/dns-query"];
    let parsed = servers.iter().map(|server| server.parse().unwrap()).collect();
    let resolver = EncryptedResolver::new(parsed, &[], EncryptedResolver::PATIENCE).unwrap();
    assert_eq!(format!("{resolver:?}"), format!("{servers:?}"));
}

proptest! {
    #[test]
    fn what_is_shown_is_what_is_read(
        https in any::<bool>(),
        address in any::<std::net::IpAddr>(),
        port in prop::option::of(1_u16..),
        path in "(/[a-zA-Z0-9._~!$&'()*+;=:@%/-]{0,40})?",
        name in prop::option::of("[a-zA-Z][a-zA-Z0-9-]{0,10}[a-z](\\.[a-z]{1,8}){0,3}\\.?"),
    ) {
        let authority = match port {
            Some(port) => std::net::SocketAddr::new(address, port).to_string(),
            None => std::net::SocketAddr::new(address, 1).to_string().trim_end_matches(":1").to_owned(),
        };
        let (scheme, path) = if https { ("https", path) } else { ("tls", String::new()) };
        let name = name.map(|name| format!("#{name}")).unwrap_or_default();
        if let Ok(server) = format!("{scheme}://{authority}{path}{name}").parse::<NameServer>() {
            prop_assert_eq!(server.to_string().parse::<NameServer>(), Ok(server));
        } else {
            let unusable = address.is_unspecified() || address.is_multicast() || address.to_string() == "255.255.255.255";
            prop_assert!(unusable || (https && address.is_ipv6() && name.is_empty()));
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "(tls://|https://)?[\\PC]{0,60}") {
        if let Ok(server) = text.parse::<NameServer>() {
            prop_assert_eq!(server.to_string().parse::<NameServer>(), Ok(server));
        }
    }
}
