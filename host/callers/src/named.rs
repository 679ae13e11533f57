//! Tokens that an operator wrote into a file.

use std::fmt;
use std::str::FromStr;

use packhost_core::Digest;
use serde::Serialize;
use subtle::ConstantTimeEq;

/// What the records call the holder of a token: 1 to [`TokenName::MAX`] letters, digits and `. - _`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct TokenName(String);

impl TokenName {
    /// The longest name, in bytes.
    pub const MAX: usize = 64;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TokenName {
    type Err = NamedTokenError;

    fn from_str(text: &str) -> Result<Self, NamedTokenError> {
        let clear = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        if (1..=Self::MAX).contains(&text.len()) && text.bytes().all(clear) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NamedTokenError::Name(text.chars().take(80).collect()))
        }
    }
}

impl fmt::Display for TokenName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A token of a file. The token itself is not kept, only its digest.
#[derive(Debug, Clone)]
pub struct NamedToken {
    pub(crate) name: TokenName,
    digest: Digest,
}

/// Why something is not a [`NamedToken`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NamedTokenError {
    /// The name is not one.
    #[error("\"{0}\" is not a name for a token: 1 to 64 letters, digits, dots, - and _")]
    Name(String),
    /// The secret can be guessed, or cannot be sent.
    #[error(
        "the token of \"{0}\" is not a good secret: at least 16 printable characters without spaces; `openssl rand -hex 32` makes one"
    )]
    Secret(TokenName),
}

impl NamedToken {
    /// A token. `name` is what the records call its holder; `secret` is the token, or `sha256:` and the 64 hex digits
    /// of its digest, so that the token need not stand in a file.
    ///
    /// # Errors
    /// Where the name would be unclear in a record, or the secret is short or cannot go into a header.
    pub fn new(name: &str, secret: &str) -> Result<Self, NamedTokenError> {
        let name: TokenName = name.parse()?;
        let digest = match secret.parse::<Digest>() {
            Ok(digest) => digest,
            Err(_) if secret.len() >= 16 && secret.bytes().all(|b| b.is_ascii_graphic()) => {
                Digest::of(secret.as_bytes())
            }
            Err(_) => return Err(NamedTokenError::Secret(name)),
        };
        Ok(Self { name, digest })
    }

    /// The one of these tokens that has this digest. Every one is compared, whichever fits, and each in constant time.
    pub(crate) fn find<'a>(tokens: &'a [Self], shown: &Digest) -> Option<&'a Self> {
        let fits = |token: &&Self| bool::from(token.digest.as_bytes().ct_eq(shown.as_bytes()));
        let fitting: Vec<_> = tokens.iter().filter(fits).collect();
        fitting.first().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: &str = "secret-of-alice-1";
    const BOB: &str = "secret-of-bob-234";

    #[test]
    fn a_token_is_found_by_what_it_is() {
        let digest = Digest::of(BOB.as_bytes()).to_string();
        let tokens: Vec<_> = [("alice", ALICE), ("bob", &digest)]
            .map(|(name, secret)| NamedToken::new(name, secret).expect("good"))
            .into();
        let whose = |shown: &str| {
            NamedToken::find(&tokens, &Digest::of(shown.as_bytes())).map(|token| token.name.as_str())
        };
        assert_eq!(whose(ALICE), Some("alice"));
        assert_eq!(whose(BOB), Some("bob"));
        for unknown in ["secret-of-alice-", "secret-of-alice-11", "alice", "sha256:", "", &digest] {
            assert_eq!(whose(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn a_bad_token_is_refused_before_it_is_used() {
        for name in ["", "a b", "a\n", "é", &"x".repeat(65)] {
            assert!(matches!(NamedToken::new(name, ALICE), Err(NamedTokenError::Name(_))), "{name:?}");
        }
        for secret in ["", "short", "with a space in it", "with\ta tab in it", "schlüssel-mit-umlaut"] {
            let refused = NamedToken::new("a", secret).expect_err(secret);
            assert!(secret.is_empty() || !refused.to_string().contains(secret), "the secret is not told");
        }
    }
}
