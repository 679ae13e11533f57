//! What can go wrong with keys. No text here holds a private one.

use std::io;
use std::path::PathBuf;

use crate::public::KeyId;

/// Why the keyring cannot do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// A file or the directory cannot be made, read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody else may read or write it.
    #[error("{} is open to other users (mode {mode:o}, owner {owner}); it has to be yours alone: chmod go= it", path.display())]
    Exposed {
        /// Which.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// Its owner's user id.
        owner: u32,
    },
    /// The public keys are no chain.
    #[error("{}: {source}; restore it from a backup", path.display())]
    Chain {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: ChainError,
    },
    /// The private half of the current key is gone, or is another key's.
    #[error("{} is not the private key of {id}; restore it from a backup, or move the whole directory away to begin with new keys", path.display())]
    Private {
        /// The file.
        path: PathBuf,
        /// The current key.
        id: KeyId,
    },
    /// There have been as many rotations as a ring holds.
    #[error("the ring has {max} keys and takes no more; move its directory away to begin anew")]
    Full {
        /// [`PublicKeys::MOST`](crate::PublicKeys::MOST).
        max: usize,
    },
    /// The system has no randomness, or no clock after 1970.
    #[error("no key can be made: {0}")]
    Make(&'static str),
}

/// Why a text is no chain of public keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// No key at all.
    #[error("there is no key in it")]
    Empty,
    /// More keys, or longer lines, than a ring has.
    #[error("it is larger than a ring of keys can be")]
    TooLarge,
    /// A line that is none of this format.
    #[error("line {line} is no public key: {why}")]
    Line {
        /// From 1.
        line: usize,
        /// What the parser of JSON says.
        why: String,
    },
    /// A key for which the key before it did not sign.
    #[error("line {line}: the key before it does not vouch for {id}")]
    Unvouched {
        /// From 1.
        line: usize,
        /// Which key.
        id: KeyId,
    },
    /// The same key a second time.
    #[error("line {line}: {id} is in it twice")]
    Twice {
        /// From 1.
        line: usize,
        /// Which key.
        id: KeyId,
    },
    /// The key that the verifier knows is not in the chain.
    #[error("the known key {0} is not in it")]
    Unknown(KeyId),
}

/// Why a signature proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// It names a key that is none of these.
    #[error("it is signed with {0}, which is none of the known keys")]
    UnknownKey(KeyId),
    /// It was not made with that key, in this context, over these bytes.
    #[error("it is not a signature of {0} over this")]
    Wrong(KeyId),
}
