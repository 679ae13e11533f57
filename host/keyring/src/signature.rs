//! What a signature is, and what it is made over.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::public::KeyId;

/// What every signed message begins with, so that no other protocol's message is one of ours.
const PREFIX: &[u8] = b"packhost signature 1\n";

/// An Ed25519 signature and the key that it was made with. As JSON `{"key_id": …, "signature": …}`, the latter in base64.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// Which key.
    pub key_id: KeyId,
    /// The signature, as RFC 8032 spells it.
    #[serde(rename = "signature", serialize_with = "to_base64", deserialize_with = "from_base64")]
    pub bytes: [u8; Signature::LENGTH],
}

impl Signature {
    /// Bytes of a signature.
    pub const LENGTH: usize = 64;
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({}, {})", self.key_id, STANDARD.encode(self.bytes))
    }
}

/// The message that is signed: the prefix, the length of the context in four bytes (big-endian), the context, the bytes. The
/// length keeps a context and bytes from passing for a longer context and fewer bytes.
pub(crate) fn message(context: &'static str, bytes: &[u8]) -> Vec<u8> {
    // A context is a word in the source.
    let length = u32::try_from(context.len()).unwrap_or(u32::MAX).to_be_bytes();
    [PREFIX, &length, context.as_bytes(), bytes].concat()
}

pub(crate) fn to_base64<S: Serializer>(bytes: &[u8], out: S) -> Result<S::Ok, S::Error> {
    out.serialize_str(&STANDARD.encode(bytes))
}

pub(crate) fn from_base64<'de, D: Deserializer<'de>, const N: usize>(from: D) -> Result<[u8; N], D::Error> {
    let text = String::deserialize(from)?;
    let bytes = STANDARD.decode(text).map_err(|_| de::Error::custom("it is not base64"))?;
    bytes.try_into().map_err(|_| de::Error::custom(format_args!("it is not {N} bytes")))
}
