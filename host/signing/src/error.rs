//! Why nothing is signed. No text here holds a key or a part of one.

/// Why a key cannot be kept or used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// PEM, and no private key in it.
    #[error(
        "there is no private key in the PEM text; it begins with PRIVATE KEY, RSA PRIVATE KEY or EC PRIVATE KEY"
    )]
    Pem,
    /// A private key under a passphrase.
    #[error("the private key is encrypted; take the passphrase off first: openssl pkey -in FILE")]
    Encrypted,
    /// Something else than a private key, for an algorithm that needs one.
    #[error("{0} signs with a private key; give it in PEM")]
    NotPrivate(&'static str),
    /// A private key of another kind, too small, or damaged.
    #[error("the private key is none for {algorithm}: {why}")]
    Unfit {
        /// The algorithm.
        algorithm: &'static str,
        /// What the library says, in a word or two.
        why: String,
    },
    /// A private key, where both sides know the same secret.
    #[error(
        "a private key is not a shared secret, and is never sent as text: it can sign JWTs with RS256, ES256 or EdDSA"
    )]
    Private,
    /// The secret is not written as the binding says.
    #[error("the key is not written in {0}, as the binding says")]
    Spelling(&'static str),
    /// Too short to be a secret.
    #[error("the key has less than {0} bytes, and can be guessed")]
    Short(usize),
    /// No randomness, or the library refuses.
    #[error("nothing can be signed with the key at the moment")]
    Failed,
}

/// Why a request cannot be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SigningError {
    /// The key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A header that is signed is absent, or there more than once.
    #[error("the header {0} is signed, and has to be there once")]
    Header(String),
    /// The clock of the host is not between the years 1970 and 9999.
    #[error("the host's clock is wrong")]
    Clock,
}

/// Why a `sign` is none. Displays as a sentence about what was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{key}\" of \"sign\": {why}")]
pub struct SpecError {
    /// The key that is wrong.
    pub key: &'static str,
    /// Why.
    pub why: String,
}

impl SpecError {
    pub(crate) fn new(key: &'static str, why: impl Into<String>) -> Self {
        Self { key, why: why.into() }
    }
}
