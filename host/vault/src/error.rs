//! What can go wrong in the vault. No text here holds a value or a key.

use std::io;
use std::path::PathBuf;

use packhost_signing::KeyError;
use packhost_state::StateError;

use crate::binding::{BindingError, Unbound};
use crate::keys::KeyId;
use crate::secret::SecretError;
use packhost_core::CredentialName;

/// Why the vault cannot do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// There is no such credential.
    #[error("there is no credential {0}; `packhost vault set {0}` makes it")]
    NotFound(CredentialName),
    /// Names of credentials that are here, where others of the same names should come in.
    #[error("{} already here", here(_0))]
    Taken(Vec<CredentialName>),
    /// A use that the credential is not bound to.
    #[error("the credential {name} may not be used {why}")]
    Unbound {
        /// Which credential.
        name: CredentialName,
        /// What does not fit.
        why: Unbound,
    },
    /// The value is none that can be kept.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The value does not fit what a binding makes with it.
    #[error("the value of {name} does not fit the binding for {binding}: {why}")]
    Unfit {
        /// Which credential.
        name: CredentialName,
        /// The binding, in words.
        binding: String,
        /// Why.
        why: KeyError,
    },
    /// The bindings are none.
    #[error(transparent)]
    Binding(#[from] BindingError),
    /// No master key where one should be.
    #[error("the master key cannot be read from {place}: {why}")]
    Key {
        /// Where it should come from, in words.
        place: String,
        /// Why.
        why: String,
    },
    /// The host's own master key cannot be written; the one that was there is kept.
    #[error("the master key cannot be written to {place}: {why}")]
    KeyNotWritten {
        /// Where it should be.
        place: String,
        /// Why.
        why: String,
    },
    /// The file of the master key is open to others.
    #[error("{} is open to other users (mode {mode:o}); `chmod 600` it, and take a new key with `packhost vault rotate --master`", path.display())]
    Exposed {
        /// Which.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A credential is sealed with another master key than the ones that are there.
    #[error("{name} is sealed with the master key {id}, which is not here: is this the right key?")]
    KeyMissing {
        /// Which credential.
        name: CredentialName,
        /// The key that would open it.
        id: KeyId,
    },
    /// The record in the database is not the one that was written.
    #[error("the record of {0} was changed or is damaged; set it again")]
    Damaged(CredentialName),
    /// A key that this host does not keep cannot be exchanged by it.
    #[error(
        "the master key comes from {0}; put the new key first and keep the old one after it, then rotate again"
    )]
    NotOurs(String),
    /// No randomness or no memory.
    #[error("the system has no randomness or no memory to spare: {0}")]
    System(#[from] io::Error),
    /// The state database.
    #[error(transparent)]
    State(#[from] StateError),
}

/// `A, B are`
fn here(names: &[CredentialName]) -> String {
    let list: Vec<&str> = names.iter().map(CredentialName::as_str).collect();
    format!("{} {}", list.join(", "), if names.len() == 1 { "is" } else { "are" })
}

impl From<rusqlite::Error> for VaultError {
    fn from(error: rusqlite::Error) -> Self {
        Self::State(error.into())
    }
}

impl From<getrandom::Error> for VaultError {
    fn from(error: getrandom::Error) -> Self {
        Self::System(error.into())
    }
}
