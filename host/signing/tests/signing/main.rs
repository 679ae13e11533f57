//! Signatures against what is published, and against the other half of a key.

mod hmac;
mod jwt;
mod keys;
mod sigv4;

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, Method};
use packhost_signing::{Message, Signing, kept};
use zeroize::Zeroizing;

/// Keys that were made for these tests, and open nothing.
const RSA_PKCS1: &str = include_str!("keys/rsa-pkcs1.pem");
const RSA_PKCS8: &str = include_str!("keys/rsa-pkcs8.pem");
const P256_SEC1: &str = include_str!("keys/p256-sec1.pem");
const P256_PKCS8: &str = include_str!("keys/p256-pkcs8.pem");
const P384_SEC1: &str = include_str!("keys/p384-sec1.pem");
const ED25519: &str = include_str!("keys/ed25519-pkcs8.pem");
const ENCRYPTED: &str = include_str!("keys/encrypted.pem");

fn signing(json: &str) -> Signing {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
}

fn line(pem: &str) -> Zeroizing<String> {
    kept(pem.as_bytes()).expect("a private key")
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn headers(fields: &[(&str, &str)]) -> HeaderMap {
    let field = |(name, value): &(&str, &str)| {
        let name: HeaderName = name.parse().expect("a name");
        (name, value.parse().expect("a value"))
    };
    let mut headers = HeaderMap::new();
    for (name, value) in fields.iter().map(field) {
        headers.append(name, value);
    }
    headers
}

/// A request of parts.
struct Sent {
    method: Method,
    path: &'static str,
    query: Option<&'static str>,
    headers: HeaderMap,
    body: &'static [u8],
}

impl Sent {
    fn message(&self) -> Message<'_> {
        let Self { method, path, query, headers, body } = self;
        Message { method, path, query: *query, headers, body }
    }
}
