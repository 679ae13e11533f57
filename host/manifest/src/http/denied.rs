//! What is kept of a request that no rule allows: as much as a rule would say, and no more.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::Serialize;
use url::{Host, Url};

use super::{CONNECT, RequestOrigin, Scheme};
use crate::addresses::{needed, reachable};
use crate::hosts::request_name;

/// A request that was denied, or would have been, and that a rule could allow. It has neither query nor user, headers or
/// body. Its bounds hold by construction: a method of at most 32 bytes, a host of at most 253, and a path of at most
/// [`DeniedRequest::PATH`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct DeniedRequest {
    method: String,
    scheme: Scheme,
    host: String,
    port: u16,
    path: String,
    cut: bool,
    reported: bool,
}

impl DeniedRequest {
    /// The longest path that is kept, in bytes.
    pub const PATH: usize = 256;

    /// What is kept of a request. `None` where no rule can allow it: a method that cannot be granted, a host that no
    /// pattern names, an address that no rule opens.
    pub fn of(method: &str, url: &Url) -> Option<Self> {
        let origin = RequestOrigin::of(url).ok()?;
        let host = match origin.host {
            Host::Domain(name) => request_name(name)?.to_owned(),
            Host::Ipv4(ip) => openable(ip.into())?.to_string(),
            Host::Ipv6(ip) => format!("[{}]", openable(ip.into())?),
        };
        // A tunnel is granted by somebody who knows what goes through it, and not because it was asked for.
        if !is_method(method) || never_granted(method) || method == CONNECT || origin.port == 0 {
            return None;
        }
        let (path, cut) = kept(url.path());
        let (method, path) = (method.to_owned(), path.to_owned());
        Some(Self { method, scheme: origin.scheme, host, port: origin.port, path, cut, reported: false })
    }

    /// The same request as it was stored: its parts in the order of its URL, whether the path was cut, and whether the
    /// request was let through. `None` where that is not what [`DeniedRequest::of`] makes.
    pub fn stored(
        method: &str,
        origin: (&str, &str, u16),
        path: &str,
        cut: bool,
        reported: bool,
    ) -> Option<Self> {
        let (scheme, host, port) = origin;
        let url = Url::parse(&format!("{scheme}://{host}:{port}/")).ok()?;
        let root = Self::of(method, &url).filter(|root| root.host == host && root.port == port)?;
        let fits = path.len() <= Self::PATH && (path.starts_with('/') || (cut && path.is_empty()));
        let request = Self { path: path.to_owned(), cut, reported, ..root };
        let again = request.url(1)?;
        let same = if cut { again.path().starts_with(path) } else { again.path() == path };
        (fits && same).then_some(request)
    }

    /// The method, such as `GET`; one that can be granted.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// With or without TLS.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host as a rule names it: lower case without a trailing dot, or an address, IPv6 in `[]`.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, from 1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The path, percent-encoded as it was sent; without the last segments where [`DeniedRequest::is_cut`] says so, and then
    /// empty where not even the first one fits.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether the path was longer, and something followed after a slash.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// Whether it was let through all the same (`report: true`).
    pub fn is_reported(&self) -> bool {
        self.reported
    }

    /// Whether this is the same request, whether or not one of them was let through.
    pub(crate) fn same(&self, other: &Self) -> bool {
        Self { reported: other.reported, ..self.clone() } == *other
    }

    /// The same request, let through.
    pub(super) fn let_through(self) -> Self {
        Self { reported: true, ..self }
    }

    /// The host, where it is an address.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        let bare = self.host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        bare.unwrap_or(&self.host).parse().ok()
    }

    /// The request as a URL. Where the path was cut, this many segments stand for what was cut off.
    pub(crate) fn url(&self, missing: usize) -> Option<Url> {
        let rest = if self.cut { MISSING.repeat(missing) } else { String::new() };
        let Self { scheme, host, port, path, .. } = self;
        Url::parse(&format!("{}://{host}:{port}{path}{rest}", scheme.as_str())).ok()
    }
}

/// What stands for a segment that was cut off.
const MISSING: &str = "/…";

/// `GET https://api.example.com/v1`, with the port where it is not the scheme's own.
impl fmt::Display for DeniedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, scheme, host, port, path, cut, .. } = self;
        write!(f, "{method} {}://{host}", scheme.as_str())?;
        if *port != scheme.default_port() {
            write!(f, ":{port}")?;
        }
        write!(f, "{path}{}", if *cut { MISSING } else { "" })
    }
}

/// As much of a path as is kept, and whether something is missing. It is cut between two segments.
fn kept(path: &str) -> (&str, bool) {
    if path.len() <= DeniedRequest::PATH {
        return (path, false);
    }
    let fits = |(at, _): &(usize, &str)| *at <= DeniedRequest::PATH;
    let at = path.match_indices('/').take_while(fits).last().map_or(0, |(at, _)| at);
    (&path[..at], true)
}

/// An address that some rule opens.
fn openable(ip: IpAddr) -> Option<IpAddr> {
    let own: Vec<IpNet> = needed(ip).into_iter().map(IpNet::from).collect();
    reachable(ip, &own).is_ok().then_some(ip)
}

/// Whether this is a method as a rule names it: 1 to 32 upper-case letters and `-`, a letter first.
pub(crate) fn is_method(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_uppercase() || b == b'-')
        && text.starts_with(|c: char| c.is_ascii_uppercase())
}

/// TRACE is no request to the host that it names (RFC 9110 section 9.3.8).
pub(crate) fn never_granted(method: &str) -> bool {
    method == "TRACE"
}
