//! A name server, as an operator writes it down.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use rustls::pki_types::{DnsName, ServerName};

/// DNS over TLS, RFC 7858 section 3.1.
const TLS_PORT: u16 = 853;

/// DNS over HTTPS, RFC 8484 section 4.
const HTTPS_PORT: u16 = 443;

/// What RFC 8484 uses in its examples, and most servers use.
const USUAL_PATH: &str = "/dns-query";

/// The longest path in bytes.
const LONGEST_PATH: usize = 255;

/// A name server that is asked over TLS or HTTPS, at an address that needs no look-up.
///
/// Written `tls://ADDRESS[:PORT][#NAME]` (RFC 7858, port 853) or `https://ADDRESS[:PORT][/PATH][#NAME]` (RFC 8484, port 443,
/// path `/dns-query`). `NAME` is what the server's certificate must be for; without one, it must be for the address. IPv6
/// addresses stand in brackets. [`Display`](fmt::Display) writes what [`FromStr`] reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameServer {
    address: SocketAddr,
    name: Option<DnsName<'static>>,
    way: Way,
}

/// How a name server is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    Tls,
    Https { path: Arc<str> },
}

/// Why a text is not a [`NameServer`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameServerError {
    /// Neither `tls://` nor `https://`.
    #[error(
        "a name server starts with tls:// or https://, such as tls://1.1.1.1#cloudflare-dns.com; it is never asked in the clear"
    )]
    Scheme,
    /// A name where the address belongs.
    #[error(
        "{0} is a name, and finding its address would take a query in the clear; write the address in its place and the name at the end: {1}://ADDRESS{2}#{0}"
    )]
    HostName(String, &'static str, String),
    /// Not an address.
    #[error(
        "the name server's address is an IPv4 address, or an IPv6 address in brackets such as [2606:4700:4700::1111]"
    )]
    Address,
    /// An address that is no single server's.
    #[error("{0} is not the address of a server")]
    NoServer(IpAddr),
    /// Not a port.
    #[error("the port after the name server's address is a number from 1 to 65535")]
    Port,
    /// Not a name that a certificate can have.
    #[error(
        "what follows # is the host name in the name server's certificate, such as cloudflare-dns.com; leave it out where the certificate is for the address"
    )]
    Name,
    /// Nothing after `#`, where it is needed.
    #[error("DNS over HTTPS at an IPv6 address needs the name in the server's certificate after #")]
    NameNeeded,
    /// Not a path, or one that does not belong here.
    #[error(
        "what follows the name server's address is, with https:// only, a path such as /dns-query: at most {LONGEST_PATH} characters, without query, comma, space or braces (leave {{?dns}} out)"
    )]
    Path,
}

impl NameServer {
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn way(&self) -> &Way {
        &self.way
    }

    /// What the certificate must be for.
    pub(super) fn identity(&self) -> ServerName<'static> {
        match &self.name {
            Some(name) => ServerName::DnsName(name.clone()),
            None => ServerName::from(self.address.ip()),
        }
    }

    fn usual_port(&self) -> u16 {
        match self.way {
            Way::Tls => TLS_PORT,
            Way::Https { .. } => HTTPS_PORT,
        }
    }
}

impl FromStr for NameServer {
    type Err = NameServerError;

    fn from_str(text: &str) -> Result<Self, NameServerError> {
        let (scheme, rest) = text.split_once("://").ok_or(NameServerError::Scheme)?;
        let (rest, name) = match rest.split_once('#') {
            Some((rest, name)) => (rest, Some(certificate_name(name)?)),
            None => (rest, None),
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (scheme, way, port) = match scheme {
            "tls" if path.is_empty() => ("tls", Way::Tls, TLS_PORT),
            "tls" => return Err(NameServerError::Path),
            "https" => ("https", Way::Https { path: uri_path(path)? }, HTTPS_PORT),
            _ => return Err(NameServerError::Scheme),
        };
        let address = match socket_address(authority, port) {
            Err(NameServerError::Address) => {
                return Err(match DnsName::try_from(authority.split(':').next().unwrap_or_default()) {
                    Ok(name) => NameServerError::HostName(name.as_ref().to_owned(), scheme, path.to_owned()),
                    Err(_) => NameServerError::Address,
                });
            }
            address => address?,
        };
        // Where there is no name, hickory writes the address as `:authority`, and forgets the brackets.
        if address.is_ipv6() && name.is_none() && way != Way::Tls {
            return Err(NameServerError::NameNeeded);
        }
        Ok(Self { address, name, way })
    }
}

impl fmt::Display for NameServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.way {
            Way::Tls => "tls://",
            Way::Https { .. } => "https://",
        })?;
        match self.address.ip() {
            IpAddr::V4(address) => write!(f, "{address}")?,
            IpAddr::V6(address) => write!(f, "[{address}]")?,
        }
        if self.address.port() != self.usual_port() {
            write!(f, ":{}", self.address.port())?;
        }
        if let Way::Https { path } = &self.way {
            f.write_str(path)?;
        }
        self.name.iter().try_for_each(|name| write!(f, "#{}", name.as_ref()))
    }
}

fn certificate_name(text: &str) -> Result<DnsName<'static>, NameServerError> {
    DnsName::try_from(text.trim_end_matches('.').to_ascii_lowercase()).map_err(|_| NameServerError::Name)
}

/// The characters of RFC 3986 section 3.3, but for the comma, which stands between servers.
fn uri_path(text: &str) -> Result<Arc<str>, NameServerError> {
    let may_stand = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+;=:@%".contains(&byte);
    match text {
        "" => Ok(USUAL_PATH.into()),
        _ if text.len() <= LONGEST_PATH && text.bytes().all(may_stand) => Ok(text.into()),
        _ => Err(NameServerError::Path),
    }
}

fn socket_address(text: &str, usual_port: u16) -> Result<SocketAddr, NameServerError> {
    let (address, port): (IpAddr, _) = if let Some(bracketed) = text.strip_prefix('[') {
        let (address, rest) = bracketed.split_once(']').ok_or(NameServerError::Address)?;
        let port = match rest {
            "" => None,
            _ => Some(rest.strip_prefix(':').ok_or(NameServerError::Address)?),
        };
        (address.parse::<Ipv6Addr>().map_err(|_| NameServerError::Address)?.into(), port)
    } else {
        let (address, port) = match text.split_once(':') {
            Some((address, port)) => (address, Some(port)),
            None => (text, None),
        };
        (address.parse::<Ipv4Addr>().map_err(|_| NameServerError::Address)?.into(), port)
    };
    if address.is_unspecified() || address.is_multicast() || address == IpAddr::V4(Ipv4Addr::BROADCAST) {
        return Err(NameServerError::NoServer(address));
    }
    Ok(SocketAddr::new(address, port.map_or(Ok(usual_port), number)?))
}

fn number(text: &str) -> Result<u16, NameServerError> {
    // The standard library would take a sign as well.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port != 0).ok_or(NameServerError::Port)
}
