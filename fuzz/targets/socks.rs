//! What a SOCKS client sends, up to the line of HTTP that is made of it: the line stays one line with one authority, whatever
//! stands in the request, and a message in pieces is read like the whole.

use http::Uri;
use packhost_supervisor::proxy::socks::{self, SocksError};

pub(crate) fn fuzz(bytes: &[u8]) {
    let _ = in_pieces(bytes, |part| Ok(socks::greeting(part)?.map(|length| ((), length))));
    if let Ok(Some((to, _))) = in_pieces(bytes, socks::request) {
        is_authority(&to.to_string());
    }
}

/// Reads ever more of it: once there is an answer it stays, and it has taken no more than was needed.
fn in_pieces<T: PartialEq + std::fmt::Debug>(
    bytes: &[u8],
    read: impl Fn(&[u8]) -> Result<Option<(T, usize)>, SocksError>,
) -> Result<Option<(T, usize)>, SocksError> {
    let whole = read(bytes);
    let first = (0..=bytes.len().min(socks::LONGEST)).find(|length| read(&bytes[..*length]) != Ok(None));
    match (first, &whole) {
        (None, Ok(None)) => assert!(bytes.len() < socks::LONGEST, "a message has to be whole by now"),
        (Some(needed), Ok(Some((_, length)))) => assert_eq!(needed, *length),
        (Some(_), Err(_)) => {}
        (first, whole) => panic!("{first:?} bytes, and then {whole:?}"),
    }
    if let Some(needed) = first {
        assert_eq!(read(&bytes[..needed]), whole, "the answer has changed");
    }
    whole
}

/// A host and a port above 0, by a reading of the text that knows no parser; and by the one that the host's proxy has.
fn is_authority(text: &str) {
    let (host, port) = text.rsplit_once(':').expect("a port");
    assert!(port.parse::<u16>().is_ok_and(|port| port > 0), "{text:?}");
    let plain = |host: &str| host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    let is_ipv6 = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .is_some_and(|host| host.bytes().all(|byte| byte.is_ascii_hexdigit() || b":.".contains(&byte)));
    assert!(is_ipv6 || (!host.is_empty() && plain(host)), "{text:?}");
    let read: Uri = text.parse().expect("the target of a CONNECT");
    let authority = read.authority().filter(|_| read.scheme().is_none() && read.path_and_query().is_none());
    let authority = authority.expect("a host and a port alone");
    assert_eq!(
        (authority.host(), authority.port_u16().map(|read| read.to_string())),
        (host, Some(port.to_owned()))
    );
}
