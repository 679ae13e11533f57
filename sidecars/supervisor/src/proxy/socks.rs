//! What a SOCKS client says and is told (RFC 1928, and SOCKS4 only to refuse it), as bytes without a stream.
//!
//! What is read becomes part of a line of HTTP, so a name is read strictly: nothing but what a host name is written with.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// The first byte of SOCKS5.
pub const VERSION: u8 = 5;
/// The first byte of SOCKS4.
pub const VERSION_4: u8 = 4;
/// The most bytes that a whole message of a client has: a request with a name of 255 bytes.
pub const LONGEST: usize = 4 + 1 + 255 + 2;

/// "Request rejected or failed", in SOCKS4.
pub const REFUSED_4: [u8; 8] = [0, 91, 0, 0, 0, 0, 0, 0];
/// No authentication is needed.
pub const METHOD_NONE: [u8; 2] = [VERSION, 0];
/// None of the client's methods will do.
pub const METHOD_REFUSED: [u8; 2] = [VERSION, 0xff];

const NO_AUTHENTICATION: u8 = 0;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// How a request ends (RFC 1928 section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Reply {
    /// Connected.
    Succeeded = 0,
    /// Anything that has no code of its own.
    Failure = 1,
    /// The rules do not allow it.
    NotAllowed = 2,
    /// The name has no address that can be had.
    HostUnreachable = 4,
    /// Nothing listens there, or it cannot be reached.
    Refused = 5,
    /// It took too long.
    Expired = 6,
    /// Another command than CONNECT.
    CommandNotSupported = 7,
    /// Another kind of address than a name, IPv4 and IPv6.
    AddressNotSupported = 8,
}

impl Reply {
    /// The whole reply. The address that it has a place for is 0.0.0.0:0: where a connection leaves is the host's business.
    pub fn bytes(self) -> [u8; 10] {
        [VERSION, self as u8, 0, IPV4, 0, 0, 0, 0, 0, 0]
    }
}

/// What is wrong with what a client sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SocksError {
    /// Another version than 5.
    #[error("SOCKS version {0}, and only 5 is spoken here")]
    Version(u8),
    /// The client insists on authentication.
    #[error("the client does not offer to go without authentication")]
    Methods,
    /// The reserved byte is not 0.
    #[error("the reserved byte is not 0")]
    Reserved,
    /// Another command than CONNECT.
    #[error("command {0}, and only CONNECT is done here")]
    Command(u8),
    /// Another kind of address than a name, IPv4 and IPv6.
    #[error("an address of the unknown kind {0}")]
    Address(u8),
    /// The name is empty or has bytes that no host name has.
    #[error("what stands for the name is no host name")]
    Name,
    /// Port 0.
    #[error("there is no port 0")]
    Port,
}

impl SocksError {
    /// What the client is told, where a request was wrong.
    pub fn reply(self) -> Reply {
        match self {
            Self::Command(_) => Reply::CommandNotSupported,
            Self::Address(_) => Reply::AddressNotSupported,
            Self::Version(_) | Self::Methods | Self::Reserved | Self::Name | Self::Port => Reply::Failure,
        }
    }
}

/// Where a client wants to go. Displays as the authority of a URL (RFC 3986 section 3.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    host: String,
    port: u16,
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Reads the greeting; its length, once it is whole.
///
/// # Errors
///
/// [`SocksError::Version`] and [`SocksError::Methods`].
pub fn greeting(bytes: &[u8]) -> Result<Option<usize>, SocksError> {
    let [version, rest @ ..] = bytes else { return Ok(None) };
    if *version != VERSION {
        return Err(SocksError::Version(*version));
    }
    let [count, rest @ ..] = rest else { return Ok(None) };
    let count = usize::from(*count);
    let Some(methods) = rest.get(..count) else { return Ok(None) };
    if methods.contains(&NO_AUTHENTICATION) { Ok(Some(2 + count)) } else { Err(SocksError::Methods) }
}

/// Reads the request; where to and its length, once it is whole.
///
/// # Errors
///
/// Any [`SocksError`] but [`SocksError::Methods`], as soon as it can be told.
pub fn request(bytes: &[u8]) -> Result<Option<(Destination, usize)>, SocksError> {
    let [version, rest @ ..] = bytes else { return Ok(None) };
    if *version != VERSION {
        return Err(SocksError::Version(*version));
    }
    let [command, reserved, kind, rest @ ..] = rest else { return Ok(None) };
    match (*command, *reserved) {
        (CONNECT, 0) => {}
        (CONNECT, _) => return Err(SocksError::Reserved),
        (command, _) => return Err(SocksError::Command(command)),
    }
    let Some((host, rest)) = host(*kind, rest)? else { return Ok(None) };
    let [high, low, rest @ ..] = rest else { return Ok(None) };
    let port = u16::from_be_bytes([*high, *low]);
    if port == 0 {
        return Err(SocksError::Port);
    }
    Ok(Some((Destination { host, port }, bytes.len() - rest.len())))
}

/// The host as a URL has it, and what comes behind it.
fn host(kind: u8, bytes: &[u8]) -> Result<Option<(String, &[u8])>, SocksError> {
    match kind {
        IPV4 => Ok(bytes
            .split_first_chunk::<4>()
            .map(|(address, rest)| (Ipv4Addr::from(*address).to_string(), rest))),
        IPV6 => Ok(bytes
            .split_first_chunk::<16>()
            .map(|(address, rest)| (bracketed(Ipv6Addr::from(*address)), rest))),
        NAME => {
            let [length, rest @ ..] = bytes else { return Ok(None) };
            if *length == 0 {
                return Err(SocksError::Name);
            }
            match rest.split_at_checked(usize::from(*length)) {
                Some((name, rest)) => Ok(Some((self::name(name)?, rest))),
                None => Ok(None),
            }
        }
        kind => Err(SocksError::Address(kind)),
    }
}

/// A name, or an IPv6 address that a client has taken for one.
fn name(bytes: &[u8]) -> Result<String, SocksError> {
    let name = std::str::from_utf8(bytes).map_err(|_| SocksError::Name)?;
    if let Ok(address) = name.parse::<Ipv6Addr>() {
        return Ok(bracketed(address));
    }
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if bytes.iter().all(is_plain) { Ok(name.to_owned()) } else { Err(SocksError::Name) }
}

fn bracketed(address: Ipv6Addr) -> String {
    format!("[{address}]")
}
