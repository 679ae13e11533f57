//! What is made with a key in place of the key itself: HMACs over a request, AWS Signature Version 4, and JWTs.
//!
//! Owns: how a signature is asked for (the `sign` of a binding), the form in which private keys are kept, which keys fit
//! which signature, and making it. Refuses: knowing where keys are kept, sending anything, and looking at a clock.
//!
//! HMACs are those of RustCrypto, which wipe what they leave in memory; RSA, ECDSA and Ed25519 are those of `ring`, which TLS
//! has brought already and which does not: what it unpacks of a private key lives for one signature and is then freed as it
//! is, and so is what the parser of PEM has read when a key is set. A library for JWTs would bring other implementations of RSA and the curves for what is three lines of JSON.

mod check;
mod error;
mod hmac;
mod jwt;
mod key;
mod shared;
mod sigv4;
mod words;

use http::{HeaderMap, Method};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

pub use error::{KeyError, SigningError, SpecError};
pub use hmac::{Encoding, Hash, Hmac, Part, Timestamp, Unit};
pub use jwt::{Algorithm, Jwt};
pub use key::{MARK, is_pem, is_private, kept};
pub use shared::Written;
pub use sigv4::{Payload, Sigv4, strict_path, strict_query};

/// What is made with a credential instead of showing it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signing {
    /// A keyed hash over parts of the request.
    Hmac(Hmac),
    /// AWS Signature Version 4 over the request.
    Sigv4(Sigv4),
    /// A token that says who sends. It does not depend on the request.
    Jwt(Jwt),
}

/// A request as it is sent, as far as it can be signed.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Its path as it stands in the request line.
    pub path: &'a str,
    /// Its query as it stands there, without the question mark, and without the parameter that is to hold the signature.
    pub query: Option<&'a str>,
    /// Its header fields.
    pub headers: &'a HeaderMap,
    /// Its body.
    pub body: &'a [u8],
}

/// What was made.
pub struct Made {
    /// What stands in place of the placeholder.
    pub text: Zeroizing<String>,
    /// The part of it that proves who made it, and so is taken out of answers.
    pub proof: Zeroizing<String>,
}

impl std::fmt::Debug for Made {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Made(…)")
    }
}
