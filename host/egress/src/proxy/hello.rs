//! The ClientHello that a tunnel has to begin with (RFC 8446 section 4.1.2), read from whatever comes.
//!
//! The name is the one that is sent in the clear: with Encrypted Client Hello it is the outer one. rustls takes an address
//! in place of a name (RFC 6066 section 3 forbids one) for no name.

use std::io;

use rustls::server::Acceptor;
use tokio::io::{AsyncRead, AsyncReadExt};
use url::Host;

/// The most bytes that may come before the hello is whole, its records' headers included.
pub(super) const LARGEST: usize = 16 << 10;
/// The most TLS records over which it may be spread.
pub(super) const MOST_RECORDS: usize = 16;

/// The type of a record that carries a handshake (RFC 8446 section 5.1).
const HANDSHAKE: u8 = 22;
/// A record's type, version and length.
const RECORD_HEADER: usize = 5;

/// Why a tunnel does not begin. Displays as the end of a sentence.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoHello {
    #[error("what came first is not a TLS ClientHello that this host can read")]
    NotTls,
    #[error("its ClientHello is larger than {LARGEST} bytes or {MOST_RECORDS} records")]
    TooLarge,
    #[error("it ended before its ClientHello was whole")]
    Ended,
    #[error("its ClientHello has no server name (SNI)")]
    NoName,
    #[error("its ClientHello names another server (SNI)")]
    OtherName,
    #[error("its ClientHello has a server name (SNI), and the host is an address")]
    NameForAddress,
}

impl NoHello {
    /// Whether the other end speaks TLS, so that it can be told in TLS.
    pub(super) fn is_about_name(&self) -> bool {
        matches!(self, Self::NoName | Self::OtherName | Self::NameForAddress)
    }
}

/// A whole ClientHello.
pub(super) struct Hello {
    /// Everything that has been read so far, perhaps with what came behind it.
    pub(super) bytes: Vec<u8>,
    name: Option<String>,
}

impl Hello {
    /// Reads until the hello is whole; `None` where the other end closed without having sent a byte.
    ///
    /// # Errors
    ///
    /// Whatever comes instead. A stream that breaks has ended.
    pub(super) async fn read<R: AsyncRead + Unpin>(from: &mut R) -> Result<Option<Self>, NoHello> {
        let mut records = Records::default();
        let mut bytes = Vec::new();
        loop {
            let known = bytes.len();
            let room = (LARGEST - known) as u64;
            let read = (&mut *from).take(room).read_buf(&mut bytes).await;
            match read.map_err(|_| NoHello::Ended)? {
                0 if room == 0 => return Err(NoHello::TooLarge),
                0 if known == 0 => return Ok(None),
                0 => return Err(NoHello::Ended),
                _ => {}
            }
            if let Some(name) = records.read(&bytes)? {
                return Ok(Some(Self { bytes, name }));
            }
        }
    }

    /// Whether this is a hello to the host that was asked for.
    pub(super) fn fits(&self, host: &Host<String>) -> Result<(), NoHello> {
        match (host, &self.name) {
            (Host::Domain(host), Some(name)) => {
                // A server name has no dot at its end (RFC 6066 section 3).
                let host = host.strip_suffix('.').unwrap_or(host);
                if name.eq_ignore_ascii_case(host) { Ok(()) } else { Err(NoHello::OtherName) }
            }
            (Host::Domain(_), None) => Err(NoHello::NoName),
            (Host::Ipv4(_) | Host::Ipv6(_), None) => Ok(()),
            (Host::Ipv4(_) | Host::Ipv6(_), Some(_)) => Err(NoHello::NameForAddress),
        }
    }
}

/// What a tunnel to this host begins with, as far as it was read, or why it does not; `None` where nothing came.
#[cfg(fuzzing)]
pub async fn begins<R>(from: &mut R, host: &Host<String>) -> Result<Option<Vec<u8>>, String>
where
    R: AsyncRead + Unpin,
{
    let Some(hello) = Hello::read(from).await.map_err(|why| why.to_string())? else { return Ok(None) };
    hello.fits(host).map_err(|why| why.to_string())?;
    Ok(Some(hello.bytes))
}

/// The records that have come. They are counted here and put together and read by rustls, so that what is no TLS is not
/// waited for, and what comes behind the hello is not looked at.
#[derive(Default)]
struct Records {
    acceptor: Acceptor,
    /// Bytes that have been handed over.
    read: usize,
    /// Where the record ends that is being handed over.
    end: usize,
    begun: usize,
}

impl Records {
    /// Reads on in all that has come so far. The server name, if there is one, once the hello is whole.
    fn read(&mut self, bytes: &[u8]) -> Result<Option<Option<String>>, NoHello> {
        while let Some(rest) = bytes.get(self.read..).filter(|rest| !rest.is_empty()) {
            if self.read == self.end {
                if rest[0] != HANDSHAKE {
                    return Err(NoHello::NotTls);
                }
                if self.begun == MOST_RECORDS {
                    return Err(NoHello::TooLarge);
                }
                let [_, _, _, high, low, ..] = rest else { return Ok(None) };
                self.begun += 1;
                self.end += RECORD_HEADER + usize::from(u16::from_be_bytes([*high, *low]));
            }
            let part = &rest[..rest.len().min(self.end - self.read)];
            self.read += part.len();
            if let Some(name) = feed(&mut self.acceptor, part)? {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }
}

/// Hands over a part of a record; the server name, if there is one, once the hello is whole.
fn feed(acceptor: &mut Acceptor, mut bytes: &[u8]) -> Result<Option<Option<String>>, NoHello> {
    while !bytes.is_empty() {
        let taken = acceptor.read_tls(&mut bytes).map_err(|error: io::Error| {
            tracing::debug!(%error, "a tunnel does not begin with TLS");
            NoHello::NotTls
        })?;
        match acceptor.accept() {
            Ok(Some(hello)) => return Ok(Some(hello.client_hello().server_name().map(str::to_owned))),
            Ok(None) if taken > 0 => {}
            Ok(None) => return Err(NoHello::NotTls),
            Err((error, _)) => {
                tracing::debug!(%error, "a tunnel does not begin with a ClientHello");
                return Err(NoHello::NotTls);
            }
        }
    }
    Ok(None)
}
