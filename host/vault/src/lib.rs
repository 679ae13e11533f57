//! The vault: secrets at rest, and who may use them where.
//!
//! Owns: the encryption of credentials, the master key and where it comes from, names, versions and bindings, and the
//! decision whether a use is bound. Refuses: sending anything, looking for placeholders, and showing a value to whoever
//! neither puts it into a request nor encrypts it for another vault.
//!
//! A value is encrypted with a key of its own (AES-256-GCM, a random nonce), and that key with the master key. What is
//! authenticated beside the value (name, version, bindings) cannot be exchanged in the database without the value being
//! lost.

mod binding;
mod error;
mod keys;
mod locked;
mod seal;
mod secret;
mod store;
mod vault;

pub use binding::{Binding, BindingError, Unbound, Use};
pub use error::VaultError;
pub use keys::{KeyId, KeySource, KeySourceError, Keyring};
pub use secret::{Secret, SecretError};
pub use vault::{About, Admitted, Arrived, Carried, Finding, Vault, Verified};
