//! Checkpoints: a signature over the place that the log has come to.

use packhost_keyring::{Keyring, KeyringError, PublicKeys, Signature, Unverified};
use serde::{Deserialize, Serialize};

use super::{Hash, Position};

/// What a checkpoint is signed for.
const CONTEXT: &str = "packhost audit checkpoint v1";

/// A signed statement: the log's record `n` has this hash, and so everything up to it is what it was. One that is kept
/// elsewhere proves that later. As JSON one object: `n`, `hash`, `key_id`, `signature`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The record.
    pub n: u64,
    /// Its hash.
    pub hash: Hash,
    /// Which key signed, and the signature over both.
    #[serde(flatten)]
    pub signature: Signature,
}

/// The body of a record of kind `checkpoint`: it speaks of the record before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CheckpointBody {
    pub(crate) checkpoint: Checkpoint,
    /// It is the last record of its segment.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) closes: bool,
}

impl CheckpointBody {
    pub(crate) const KIND: &'static str = "checkpoint";
}

impl Checkpoint {
    pub(crate) fn sign(keyring: &Keyring, position: Position) -> Result<Self, KeyringError> {
        let signature = keyring.sign(CONTEXT, &statement(position))?;
        Ok(Self { n: position.n, hash: position.hash, signature })
    }

    /// Whether one of these keys signed it. Says nothing of the log.
    ///
    /// # Errors
    /// When the key is unknown, or it did not sign this.
    pub fn verify(&self, keys: &PublicKeys) -> Result<(), Unverified> {
        keys.verify(CONTEXT, &statement(self.position()), &self.signature)
    }

    /// The place that it speaks of.
    pub fn position(&self) -> Position {
        Position { n: self.n, hash: self.hash }
    }
}

/// What is signed: n in eight bytes (big-endian), and the hash.
fn statement(position: Position) -> [u8; 40] {
    let mut bytes = [0; 40];
    bytes[..8].copy_from_slice(&position.n.to_be_bytes());
    bytes[8..].copy_from_slice(position.hash.bytes());
    bytes
}
