//! What a tunnel begins with, as far as its TLS ClientHello. Whatever is taken for one, a reader of TLS that knows nothing
//! but the lengths (RFC 8446 section 4.1.2, RFC 6066 section 3) finds in it the host that was asked for, and no other name; a
//! hello in pieces is read like the whole, and what stands behind it changes nothing.
//!
//! Bytes that do not begin like a record are the extensions of a hello that is good otherwise.

use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use packhost_egress::fuzzing::begins;
use tokio::io::{AsyncRead, ReadBuf};
use url::Host;

use crate::{now, within_memory};

/// The type of a record that carries a handshake.
const HANDSHAKE: u8 = 22;
/// The type of a name that names a host.
const HOST_NAME: &u8 = &0;
/// The most bytes before a hello is whole.
const LARGEST: usize = 16 << 10;

pub(crate) fn fuzz(bytes: &[u8]) {
    if bytes.first() == Some(&HANDSHAKE) {
        is_to_whom_was_asked_for(bytes);
    } else {
        is_to_whom_was_asked_for(&with_extensions(bytes));
    }
}

fn is_to_whom_was_asked_for(bytes: &[u8]) {
    for host in [Host::Domain("a.test".to_owned()), Host::Ipv4([192, 0, 2, 1].into())] {
        let whole = within_memory(1 << 20, || now(begins(&mut &*bytes, &host)));
        let pieces = now(begins(&mut OneByOne(bytes), &host));
        match (&whole, &pieces) {
            (Ok(Some(whole)), Ok(Some(pieces))) => {
                assert!(whole.len() <= LARGEST && bytes.starts_with(whole) && whole.starts_with(pieces));
                let found = names(pieces).expect("what was taken for a hello");
                match &host {
                    Host::Domain(host) => {
                        assert!(found.len() == 1 && is(&found[0], host), "{found:?}");
                    }
                    // An address is no name (RFC 6066 section 3), and is not taken for one.
                    _ => assert!(found.iter().all(|name| is_address(name)), "{found:?}"),
                }
            }
            (Ok(None), Ok(None)) => assert!(bytes.is_empty(), "it was no end"),
            (Err(whole), Err(pieces)) => assert_eq!(whole, pieces),
            (whole, pieces) => panic!("as a whole {whole:?}, and in pieces {pieces:?}"),
        }
    }
}

/// Whether it names this host. With a dot at its end, which no name should have here, it is the same one (RFC 1034
/// section 3.1).
pub(crate) fn is(name: &[u8], host: &str) -> bool {
    name.strip_suffix(b".").unwrap_or(name).eq_ignore_ascii_case(host.as_bytes())
}

fn is_address(name: &[u8]) -> bool {
    std::str::from_utf8(name).is_ok_and(|name| name.parse::<IpAddr>().is_ok())
}

/// Every server name in the ClientHello with which the bytes begin; `None` where they begin with none.
pub(crate) fn names(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (mut message, mut records) = (Vec::new(), bytes);
    while let [HANDSHAKE, _, _, high, low, rest @ ..] = records {
        let (part, behind) = rest.split_at(usize::from(u16::from_be_bytes([*high, *low])).min(rest.len()));
        message.extend_from_slice(part);
        records = behind;
    }
    let [1, rest @ ..] = &*message else { return None };
    let mut rest = rest;
    let mut hello = vector(&mut rest, 3)?.get(34..)?;
    let _session = vector(&mut hello, 1)?;
    let _suites = vector(&mut hello, 2)?;
    let _compressions = vector(&mut hello, 1)?;
    let mut extensions = if hello.is_empty() { hello } else { vector(&mut hello, 2)? };
    let mut found = Vec::new();
    while let Some((kind, rest)) = extensions.split_first_chunk::<2>() {
        extensions = rest;
        let mut extension = vector(&mut extensions, 2)?;
        if *kind == [0, 0] {
            let mut list = vector(&mut extension, 2)?;
            // What stands behind another type has a form that nobody knows (RFC 6066 section 3).
            while let Some((HOST_NAME, rest)) = list.split_first() {
                list = rest;
                found.push(vector(&mut list, 2)?.to_vec());
            }
        }
    }
    Some(found)
}

/// Takes a length of so many bytes, and what it stands before.
fn vector<'a>(bytes: &mut &'a [u8], width: usize) -> Option<&'a [u8]> {
    let (length, rest) = bytes.split_at_checked(width)?;
    let length = length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
    let (content, rest) = rest.split_at_checked(length)?;
    *bytes = rest;
    Some(content)
}

/// A hello in one record with these extensions, behind one that rustls wants to see.
fn with_extensions(extensions: &[u8]) -> Vec<u8> {
    /// `signature_algorithms`: ECDSA on P-256.
    const SIGNATURES: [u8; 8] = [0, 13, 0, 4, 0, 2, 4, 3];
    let extensions = &extensions[..extensions.len().min(LARGEST)];
    let length = |bytes: &[u8], width: usize| bytes.len().to_be_bytes()[8 - width..].to_vec();
    let extensions = [&SIGNATURES, extensions].concat();
    // A version, a random, no session, one suite, no compression.
    let head = [&[3, 3][..], &[7; 32], &[0], &[0, 2, 0xc0, 0x2b], &[1, 0]].concat();
    let hello = [head, length(&extensions, 2), extensions].concat();
    let message = [vec![1], length(&hello, 3), hello].concat();
    [vec![HANDSHAKE, 3, 1], length(&message, 2), message].concat()
}

/// One byte with each read.
struct OneByOne<'a>(&'a [u8]);

impl AsyncRead for OneByOne<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if let Some((byte, rest)) = self.0.split_first()
            && buffer.remaining() > 0
        {
            buffer.put_slice(&[*byte]);
            self.0 = rest;
        }
        Poll::Ready(Ok(()))
    }
}
