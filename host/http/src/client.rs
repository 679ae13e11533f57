//! Where a client is: the address that its connection comes from, or what a proxy that is trusted says of it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName};
use ipnet::IpNet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// Hops that are looked at.
const HOPS: usize = 32;

/// The proxies that are believed when they say for whom a request is.
#[derive(Debug, Clone)]
pub(crate) struct Proxies(Arc<[IpNet]>);

impl Proxies {
    pub(crate) fn of(trusted: &[IpNet]) -> Self {
        Self(trusted.into())
    }

    /// The client of a request that came from `peer`. `X-Forwarded-For` is read from its end, where each proxy has written whom
    /// it got the request from: as long as the address at hand is a trusted proxy's, the one before it counts. What somebody
    /// else wrote in front of that is never reached.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        let lines = headers.get_all(FORWARDED_FOR).iter().rev();
        // Each by itself: one that is no text takes nothing from what a proxy has written behind it.
        let hops = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b',')).take(HOPS);
        for hop in hops {
            let (true, Some(before)) = (self.trusts(client), address(hop)) else { break };
            client = before;
        }
        client
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|trusted| trusted.contains(&address))
    }
}

/// An address, with or without a port, as proxies write them.
fn address(hop: &[u8]) -> Option<IpAddr> {
    let hop = std::str::from_utf8(hop).ok()?.trim();
    let bare = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']')).unwrap_or(hop);
    let address = bare.parse().ok().or_else(|| hop.parse().ok().map(|hop: SocketAddr| hop.ip()))?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn client(peer: &str, lines: &[&'static str]) -> String {
        let trusted = ["10.0.0.0/8", "192.0.2.7/32", "fd00::/8"].map(|net| net.parse().expect("a network"));
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, HeaderValue::from_static(line));
        }
        Proxies::of(&trusted).client(peer.parse().expect("an address"), &headers).to_string()
    }

    #[test]
    fn a_trusted_proxy_is_believed() {
        for (peer, lines, expected) in [
            ("10.0.0.1", &["203.0.113.9"][..], "203.0.113.9"),
            ("::ffff:10.0.0.1", &["203.0.113.9"], "203.0.113.9"),
            ("fd00::1", &["2001:db8::9"], "2001:db8::9"),
            ("10.0.0.1", &["203.0.113.9, 192.0.2.7"], "203.0.113.9"),
            ("10.0.0.1", &["203.0.113.9", "192.0.2.7"], "203.0.113.9"),
            ("10.0.0.1", &["203.0.113.9:50123"], "203.0.113.9"),
            ("10.0.0.1", &["[2001:db8::9]:50123"], "2001:db8::9"),
            ("10.0.0.1", &["[2001:db8::9]"], "2001:db8::9"),
            // A proxy alone may ask for itself.
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["10.0.0.2, 10.0.0.3"], "10.0.0.2"),
        ] {
            assert_eq!(client(peer, lines), expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn nobody_else_is() {
        for (peer, lines, expected) in [
            ("203.0.113.1", &["127.0.0.1"][..], "203.0.113.1"),
            // What the client itself has sent stands in front of what the proxy has added.
            ("10.0.0.1", &["127.0.0.1, 203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &["127.0.0.1", "203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &["10.9.9.9, 203.0.113.9, 10.0.0.2"], "203.0.113.9"),
            ("10.0.0.1", &["203.0.113.9, unknown"], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.9, "], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.9, 10.0.0.2, _hidden"], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.9 192.0.2.7"], "10.0.0.1"),
        ] {
            assert_eq!(client(peer, lines), expected, "{peer} {lines:?}");
        }
    }

    /// An address of the trusted network, of another one, or something that is none.
    fn hop() -> impl Strategy<Value = (String, Option<bool>)> {
        prop_oneof![
            (0u8..4).prop_map(|last| (format!("10.0.0.{last}"), Some(true))),
            (0u8..4, any::<bool>()).prop_map(|(last, port)| {
                (format!("203.0.113.{last}{}", if port { ":4711" } else { "" }), Some(false))
            }),
            "unknown|_[a-z]{1,5}||203\\.0\\.113|[ -+./-~]{1,12}".prop_filter_map("an address", |text| {
                address(text.as_bytes()).is_none().then_some((text, None))
            }),
        ]
    }

    proptest! {
        /// Whatever stands in front of the last hop that no trusted proxy has written changes nothing.
        #[test]
        fn who_a_client_is_depends_on_what_proxies_have_written_alone(
            forged in prop::collection::vec(hop(), 0..6),
            written in prop::collection::vec(hop(), 1..6),
            split in any::<bool>(),
        ) {
            let trusted = Proxies::of(&["10.0.0.0/8".parse().expect("a network")]);
            let peer: IpAddr = "10.0.0.9".parse().expect("an address");
            let ask = |hops: &[&(String, Option<bool>)]| {
                let texts: Vec<_> = hops.iter().map(|(text, _)| text.clone()).collect();
                let mut headers = HeaderMap::new();
                let lines = if split { texts } else { vec![texts.join(", ")] };
                for line in lines {
                    headers.append(FORWARDED_FOR, HeaderValue::try_from(line).expect("a value"));
                }
                trusted.client(peer, &headers)
            };
            let all: Vec<_> = forged.iter().chain(&written).collect();
            // From the end: trusted ones, and the first that is not.
            let mut expected = peer;
            for (text, trusted) in all.iter().rev() {
                let Some(trusted) = trusted else { break };
                expected = text.split(':').next().expect("one part").parse().expect("an address");
                if !trusted {
                    break;
                }
            }
            prop_assert_eq!(ask(&all), expected);
            if written.iter().any(|(_, trusted)| *trusted != Some(true)) {
                prop_assert_eq!(ask(&written.iter().collect::<Vec<_>>()), expected, "without what was forged");
            }
            let stranger: IpAddr = "203.0.113.77".parse().expect("an address");
            let mut headers = HeaderMap::new();
            headers.append(FORWARDED_FOR, HeaderValue::from_static("10.0.0.1"));
            prop_assert_eq!(trusted.client(stranger, &headers), stranger);
        }
    }

    #[test]
    fn a_byte_that_is_no_text_hides_nothing_that_a_proxy_has_written() {
        let proxies = Proxies::of(&["10.0.0.0/8".parse().expect("a network")]);
        let from = "10.0.0.1".parse().expect("an address");
        for (line, expected) in [
            (&b"\xff, 203.0.113.9"[..], "203.0.113.9"),
            (b"203.0.113.9, \xff", "10.0.0.1"),
            (b"\xc3\xa9", "10.0.0.1"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(FORWARDED_FOR, HeaderValue::from_bytes(line).expect("a value"));
            assert_eq!(proxies.client(from, &headers).to_string(), expected, "{line:?}");
        }
    }

    #[test]
    fn an_endless_list_is_not_read_to_its_end() {
        let mut headers = HeaderMap::new();
        let endless = format!("203.0.113.9{}", ", 10.0.0.1".repeat(1000));
        headers.insert(FORWARDED_FOR, HeaderValue::try_from(endless).expect("a value"));
        let proxies = Proxies::of(&["10.0.0.0/8".parse().expect("a network")]);
        let from = "10.0.0.2".parse().expect("an address");
        assert_eq!(proxies.client(from, &headers).to_string(), "10.0.0.1");
    }
}
