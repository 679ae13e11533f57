//! The request's URL, parsed once.

use http::{Request, Uri};
use url::{Host, Url};

use crate::error::EgressError;

/// The longest name that DNS has (RFC 1035 section 2.3.4), with a trailing dot.
const LONGEST_NAME: usize = 254;

/// Where a request goes. The rules, the resolver, TLS, the request line and the `Host` header all read this.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) url: Url,
    pub(crate) host: Host<String>,
    pub(crate) port: u16,
    pub(crate) tls: bool,
}

impl Target {
    pub(crate) fn of<B>(request: &Request<B>) -> Result<Self, EgressError> {
        if request.method() == http::Method::CONNECT {
            return Err(EgressError::Url("CONNECT is not a request to a server"));
        }
        let uri = request.uri();
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            Some(_) => return Err(EgressError::Url("only http and https leave this host")),
            None => return Err(EgressError::Url("it has no scheme")),
        };
        let authority = uri.authority().ok_or(EgressError::Url("it has no host"))?.as_str();
        let path = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        if !path.starts_with('/') {
            return Err(EgressError::Url("its path does not start with a slash"));
        }
        Self::at(tls, authority, path)
    }

    fn at(tls: bool, authority: &str, path: &str) -> Result<Self, EgressError> {
        if authority.contains('@') {
            return Err(EgressError::Url("it holds a user name or password; use a header instead"));
        }
        let scheme = if tls { "https" } else { "http" };
        let url = Url::parse(&[scheme, "://", authority, path].concat())
            .map_err(|_| EgressError::Url("it is not a valid URL"))?;
        let host = url.host().ok_or(EgressError::Url("it has no host"))?.to_owned();
        if url.host_str().is_none_or(|h| h.is_empty() || h.len() > LONGEST_NAME) {
            return Err(EgressError::Url("its host name is empty or longer than 253 characters"));
        }
        let port = url.port_or_known_default().unwrap_or(if tls { 443 } else { 80 });
        Ok(Self { url, host, port, tls })
    }

    /// Where a tunnel goes: the target in authority form (RFC 9112 section 3.2.3), read as the https origin that it means.
    /// The error ends a sentence that begins with "the request's URL cannot be used".
    pub(crate) fn of_tunnel(uri: &Uri) -> Result<Self, EgressError> {
        let authority = uri.authority().filter(|_| uri.scheme().is_none() && uri.path_and_query().is_none());
        let port = authority.and_then(http::uri::Authority::port_u16).filter(|port| *port > 0);
        let (Some(authority), Some(port)) = (authority, port) else {
            return Err(EgressError::Url("CONNECT takes a host and a port, such as example.com:443"));
        };
        let target = Self::at(true, authority.as_str(), "/")?;
        // Two readers of the text must have read the same.
        if target.port != port || target.url.path() != "/" || target.url.query().is_some() {
            return Err(EgressError::Url("CONNECT takes a host and a port, such as example.com:443"));
        }
        Ok(target)
    }

    /// The host as the URL writes it, IPv6 in brackets.
    pub(crate) fn host_str(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }
}

/// The `Host` header of a request for this: the port only where it is not the scheme's own (RFC 9110 section 7.2), which is
/// when the parser leaves it in the URL.
pub(crate) fn host_header(url: &Url) -> &str {
    &url[url::Position::BeforeHost..url::Position::AfterPort]
}

/// The request target in origin form (RFC 9112 section 3.2.1).
pub(crate) fn origin_form(url: &Url) -> Result<Uri, EgressError> {
    url[url::Position::BeforePath..url::Position::AfterQuery]
        .parse()
        .map_err(|_| EgressError::Url("its path cannot be written in a request"))
}
