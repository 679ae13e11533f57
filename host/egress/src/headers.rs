//! Which headers pass.

use http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, TE, TRANSFER_ENCODING, UPGRADE,
};

use crate::error::EgressError;

/// Headers that speak to the next hop (RFC 9110 section 7.6.1) or to a proxy; the host is neither's client.
const HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-authenticate"),
    HeaderName::from_static("proxy-authorization"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("http2-settings"),
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Headers in which servers and frameworks look for another method or path than those of the request's line, which are what the
/// rules and the bindings of credentials judge.
const BEHIND_THE_LINE: [&str; 5] =
    ["x-http-method-override", "x-http-method", "x-method-override", "x-original-url", "x-rewrite-url"];

/// The header that makes of a request another one than was judged, where it has one.
pub(crate) fn behind_the_line(headers: &HeaderMap) -> Option<&HeaderName> {
    // Where headers become variables (CGI, RFC 3875 section 4.1.18), `_` is the same as `-`.
    let same = |a: u8, b: u8| a == b || (a == b'_' && b == b'-');
    let is = |name: &HeaderName, other: &str| {
        let (name, other) = (name.as_str().bytes(), other.bytes());
        name.len() == other.len() && name.zip(other).all(|(a, b)| same(a, b))
    };
    headers.keys().find(|name| BEHIND_THE_LINE.iter().any(|other| is(name, other)))
}

/// Removes hop-by-hop and proxy headers, and whatever `Connection` nominates. A length beside a transfer coding goes with it:
/// it is not the body's (RFC 9112 section 6.3).
pub(crate) fn strip_hop(headers: &mut HeaderMap) {
    if headers.contains_key(TRANSFER_ENCODING) {
        headers.remove(CONTENT_LENGTH);
    }
    let nominated: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        // Its own framing is not the peer's to nominate away.
        .filter(|name| *name != CONTENT_LENGTH && *name != HOST)
        .collect();
    // Looked for among those that are there: mostly there is none.
    let hop: Vec<HeaderName> = headers.keys().filter(|name| HOP.contains(name)).cloned().collect();
    for name in hop.iter().chain(&nominated) {
        headers.remove(name);
    }
}

/// Makes a request's headers ready to send. `keeps`: the connection may serve another request afterwards.
pub(crate) fn prepare(headers: &mut HeaderMap, host: &str, keeps: bool) -> Result<(), EgressError> {
    strip_hop(headers);
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    if let Some(length) = lengths.next() {
        let digits = !length.is_empty() && length.as_bytes().iter().all(u8::is_ascii_digit);
        if !digits || lengths.next().is_some() {
            return Err(EgressError::Protocol("the request's Content-Length is not one plain number"));
        }
    }
    let host = HeaderValue::from_str(host)
        .map_err(|_| EgressError::Url("its host cannot be written in a header"))?;
    headers.insert(HOST, host);
    if !keeps {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(())
}

/// The size of a head's fields in bytes: names and values.
pub(crate) fn size(headers: &HeaderMap) -> u64 {
    headers.iter().map(|(name, value)| (name.as_str().len() + value.len()) as u64).sum()
}
