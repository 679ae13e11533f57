//! The Ed25519 keys (RFC 8032) that this host signs with, and the public halves with which anybody checks it offline.
//!
//! Owns: the directory of the keys, which key is the current one, the chain by which each key vouches for the next, what a
//! signature is made over, and what was signed last. Refuses: knowing what is signed, and keys of others (those are the vault's).
//!
//! A signature is made over a fixed word, the context, and the bytes, so that what was signed for one purpose is worth
//! nothing for another. `ring` makes it. A private key is in memory as its file is, PKCS#8, and wiped when it is dropped; what
//! `ring` unpacks of it lives for one signature.

mod error;
mod files;
mod public;
mod ring;
mod signature;

pub use error::{ChainError, KeyringError, Unverified};
pub use public::{KeyId, KeyIdError, PublicKey, PublicKeys};
pub use ring::Keyring;
pub use signature::Signature;
