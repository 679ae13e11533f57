//! The value of a credential.

use std::fmt;
use std::io;

use packhost_signing::KeyError;
use subtle::ConstantTimeEq;

use crate::locked::Locked;

/// A secret value, checked: text without control characters, which can stand in a header. A private key in PEM is kept as
/// the one line that `packhost_signing` makes of it. It is never displayed, serialized or cloned, and wiped when dropped.
pub struct Secret(Locked);

/// Why a value is not kept. Says nothing of the value.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Nothing, or only white space.
    #[error("the value is empty")]
    Empty,
    /// Less than [`Secret::MIN`] bytes: it could not be taken out of answers again without taking out what is not it.
    #[error(
        "the value is shorter than {} bytes; so short a secret can be guessed, and not be recognised",
        Secret::MIN
    )]
    TooShort,
    /// A placeholder in place of what it stands for.
    #[error("the value holds a placeholder (${{vault:…}}); give the value itself")]
    Placeholder,
    /// More than [`Secret::MAX`] bytes.
    #[error("the value is longer than {} bytes", Secret::MAX)]
    TooLong,
    /// A line break, a tab or another control character: it would end a header and begin another.
    #[error(
        "the value has a line break or another control character in it; was it copied with its end of line?"
    )]
    Control,
    /// Not UTF-8.
    #[error("the value is not text (UTF-8)")]
    NotText,
    /// PEM in which there is no private key that can be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// No memory that is kept apart.
    #[error("there is no memory for the value: {0}")]
    Memory(#[from] io::Error),
}

impl Secret {
    /// The shortest value, in bytes.
    pub const MIN: usize = 8;
    /// The longest value, in bytes.
    pub const MAX: usize = 16 << 10;

    /// Takes a copy. The caller wipes its own.
    ///
    /// # Errors
    /// When the value is empty, too short or too long, no text, has control characters or a placeholder in it, or is PEM
    /// without a private key.
    pub fn new(value: &[u8]) -> Result<Self, SecretError> {
        if packhost_signing::is_pem(value) {
            let line = packhost_signing::kept(value)?;
            return Self::text(line.as_bytes());
        }
        Self::text(value)
    }

    fn text(value: &[u8]) -> Result<Self, SecretError> {
        let text = std::str::from_utf8(value).map_err(|_| SecretError::NotText)?;
        if text.trim().is_empty() {
            return Err(SecretError::Empty);
        }
        if value.len() < Self::MIN {
            return Err(SecretError::TooShort);
        }
        if value.len() > Self::MAX {
            return Err(SecretError::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(SecretError::Control);
        }
        if text.contains("${vault:") {
            return Err(SecretError::Placeholder);
        }
        Ok(Self(Locked::copy(value)?))
    }

    /// The value, for whoever puts it into a request.
    pub fn expose(&self) -> &[u8] {
        self.0.bytes()
    }
}

impl PartialEq for Secret {
    /// In a time that depends on the lengths alone.
    fn eq(&self, other: &Self) -> bool {
        self.expose().ct_eq(other.expose()).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_break_a_header_is_no_secret() {
        for (value, wrong) in [
            (&b""[..], "empty"),
            (b"  ", "empty"),
            (b"1234567", "shorter"),
            (b"12345678\n", "line break"),
            (b"12345678\r\nX-Evil: 1", "line break"),
            (b"1234\x005678", "control"),
            (b"1234\x7f5678", "control"),
            ("1234\u{85}5678".as_bytes(), "control"),
            (b"\xff\xfe2345678", "UTF-8"),
            (b"${vault:OTHER}", "placeholder"),
            (&[b'a'; Secret::MAX + 1], "longer"),
        ] {
            let refused = Secret::new(value).expect_err(wrong).to_string();
            assert!(refused.contains(wrong), "{value:?}: {refused}");
        }
        for good in ["12345678", "with space", "pässwörd", &"a".repeat(Secret::MAX)] {
            assert_eq!(Secret::new(good.as_bytes()).expect("a good value").expose(), good.as_bytes());
        }
    }

    #[test]
    fn it_does_not_show_itself() {
        let secret = Secret::new(b"hunter2-hunter2").expect("a good value");
        assert_eq!(format!("{secret:?}"), "Secret(\u{2026})");
        assert_eq!(secret, Secret::new(b"hunter2-hunter2").expect("a good value"));
        assert_ne!(secret, Secret::new(b"hunter3-hunter3").expect("a good value"));
    }
}
