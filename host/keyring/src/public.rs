//! Public keys, and the chain in which each one vouches for the next.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

use crate::error::{ChainError, KeyringError, Unverified};
use crate::signature::{Signature, from_base64, message, to_base64};

/// What an old key signs when it vouches for the next: the public half of that key.
pub(crate) const SUCCESSOR: &str = "packhost keyring successor v1";

/// Names a key: the first 16 hex digits of the SHA-256 of its public half. A name, and no proof: whoever pins a key pins
/// all of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId([u8; 8]);

/// The text is not 16 lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a key id is 16 lower-case hex digits")]
pub struct KeyIdError;

/// The public half of a key. As text, 32 bytes in base64.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PublicKey(
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
    pub(crate)  [u8; PublicKey::LENGTH],
);

/// The public keys of a ring, the first one first and the current one last. Each was signed by the one before it, so that
/// whoever knows one of them can trust those that follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKeys {
    links: Vec<Link>,
}

/// One line of the file: a key and who vouches for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Link {
    pub(crate) id: KeyId,
    pub(crate) key: PublicKey,
    /// When it was made, by the clock of the host. Nothing depends on it.
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) made: OffsetDateTime,
    /// The signature of the key before it; none for the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) vouched: Option<Signature>,
}

impl KeyId {
    /// As text, 16 hex digits.
    fn text(self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for KeyId {
    type Err = KeyIdError;

    fn from_str(text: &str) -> Result<Self, KeyIdError> {
        let digits = text.len() == 16 && text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
        let number = digits.then(|| u64::from_str_radix(text, 16).ok()).flatten().ok_or(KeyIdError)?;
        Ok(Self(number.to_be_bytes()))
    }
}

impl TryFrom<String> for KeyId {
    type Error = KeyIdError;

    fn try_from(text: String) -> Result<Self, KeyIdError> {
        text.parse()
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> Self {
        id.text()
    }
}

impl PublicKey {
    /// Bytes of a public key.
    pub const LENGTH: usize = 32;

    /// Its bytes, as RFC 8032 spells them.
    pub fn bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// Its name.
    pub fn id(&self) -> KeyId {
        let [a, b, c, d, e, f, g, h, ..] = Sha256::digest(self.0).0;
        KeyId([a, b, c, d, e, f, g, h])
    }

    /// Whether the signature was made with this key, in this context, over these bytes.
    fn made(&self, context: &'static str, bytes: &[u8], signature: &Signature) -> bool {
        let key = UnparsedPublicKey::new(&ED25519, &self.0);
        signature.key_id == self.id() && key.verify(&message(context, bytes), &signature.bytes).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl FromStr for PublicKey {
    type Err = ChainError;

    /// 32 bytes in base64.
    fn from_str(text: &str) -> Result<Self, ChainError> {
        let wrong = || ChainError::Line { line: 1, why: "a public key is 32 bytes in base64".into() };
        let bytes = STANDARD.decode(text.trim()).map_err(|_| wrong())?;
        Ok(Self(bytes.try_into().map_err(|_| wrong())?))
    }
}

impl PublicKeys {
    /// The most keys of a ring.
    pub const MOST: usize = 2_048;
    /// The longest text that is read, in bytes.
    pub const LARGEST: usize = Self::MOST * 512;

    /// Reads the public keys in the directory of a ring. Needs no private key, and takes no lock.
    ///
    /// # Errors
    /// When there are none, or they are no chain.
    pub fn read(dir: &Path) -> Result<Self, KeyringError> {
        let path = dir.join(crate::files::PUBLIC);
        let text = crate::files::read(&path, Self::LARGEST)?;
        Self::parse(&text).map_err(|source| KeyringError::Chain { path, source })
    }

    /// From the text of such a file, which may have come from elsewhere. That its first key is the right one is for the
    /// caller to know: see [`trusting`](Self::trusting).
    ///
    /// # Errors
    /// When it is no chain in which each key vouches for the next.
    pub fn parse(text: &[u8]) -> Result<Self, ChainError> {
        if text.len() > Self::LARGEST {
            return Err(ChainError::TooLarge);
        }
        let mut keys = Self { links: Vec::new() };
        for (index, line) in
            text.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty())
        {
            let line_number = index + 1;
            let link: Link = serde_json::from_slice(line)
                .map_err(|error| ChainError::Line { line: line_number, why: error.to_string() })?;
            keys.check(&link, line_number)?;
            keys.links.push(link);
        }
        if keys.links.is_empty() { Err(ChainError::Empty) } else { Ok(keys) }
    }

    /// Whether it may be the next link.
    fn check(&self, link: &Link, line: usize) -> Result<(), ChainError> {
        let id = link.id;
        if self.links.len() == Self::MOST {
            return Err(ChainError::TooLarge);
        }
        if id != link.key.id() {
            return Err(ChainError::Line { line, why: format!("{id} is not the id of its key") });
        }
        if self.links.iter().any(|one| one.id == id) {
            return Err(ChainError::Twice { line, id });
        }
        let vouched = match (self.links.last(), &link.vouched) {
            (None, None) => true,
            (Some(before), Some(signature)) => before.key.made(SUCCESSOR, &link.key.0, signature),
            // What stands before the first line was cut off: the first key is trusted for other reasons or not at all.
            (None, Some(_)) => true,
            (Some(_), None) => false,
        };
        if vouched { Ok(()) } else { Err(ChainError::Unvouched { line, id }) }
    }

    /// Those that can be trusted by someone who knows this key: itself and those after it.
    ///
    /// # Errors
    /// When it is none of them.
    pub fn trusting(&self, known: &PublicKey) -> Result<Self, ChainError> {
        let from = self.links.iter().position(|link| link.key == *known);
        let from = from.ok_or(ChainError::Unknown(known.id()))?;
        Ok(Self { links: self.links[from..].to_vec() })
    }

    /// The first key.
    pub fn first(&self) -> PublicKey {
        self.links[0].key
    }

    /// The key that is in use.
    pub fn current(&self) -> PublicKey {
        self.links[self.links.len() - 1].key
    }

    /// All of them, in the order in which they were in use.
    pub fn iter(&self) -> impl Iterator<Item = &PublicKey> {
        self.links.iter().map(|link| &link.key)
    }

    /// Which key in the order of use this is, from 0. A record in which it goes back was signed with a key that was retired.
    pub fn generation(&self, id: &KeyId) -> Option<usize> {
        self.links.iter().position(|link| link.id == *id)
    }

    /// When a key was made, by the clock of the host that made it.
    pub fn made(&self, id: &KeyId) -> Option<OffsetDateTime> {
        self.links.iter().find(|link| link.id == *id).map(|link| link.made)
    }

    /// Whether one of the keys signed these bytes in this context.
    ///
    /// # Errors
    /// When the key is unknown, or it did not.
    pub fn verify(
        &self,
        context: &'static str,
        bytes: &[u8],
        signature: &Signature,
    ) -> Result<(), Unverified> {
        let id = signature.key_id;
        let link = self.links.iter().find(|link| link.id == id).ok_or(Unverified::UnknownKey(id))?;
        if link.key.made(context, bytes, signature) { Ok(()) } else { Err(Unverified::Wrong(id)) }
    }

    /// The text that [`parse`](Self::parse) reads: what an operator hands to whoever is to verify.
    pub fn to_text(&self) -> String {
        let lines = self.links.iter().map(|link| serde_json::to_string(link).unwrap_or_default() + "\n");
        lines.collect()
    }

    /// The chain of a key that nobody vouches for.
    pub(crate) fn beginning(link: Link) -> Self {
        Self { links: vec![link] }
    }

    /// This chain and one more.
    pub(crate) fn followed_by(&self, link: Link) -> Result<Self, KeyringError> {
        if self.links.len() == Self::MOST {
            return Err(KeyringError::Full { max: Self::MOST });
        }
        let mut links = self.links.clone();
        links.push(link);
        Ok(Self { links })
    }
}
