//! The text of a token that this host makes.

use std::fmt;

use packhost_core::Digest;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 62^43 is more than 2^256.
const RANDOM: usize = 43;
const SUM: usize = 6;

/// A token: `ph_`, 43 random letters and digits (256 bits), 6 that are a checksum of what stands before them. Scanners of
/// secrets find it as `ph_[0-9A-Za-z]{49}`. Overwritten when dropped; formats as dots.
pub struct Secret(Zeroizing<String>);

/// A text that begins like a token of this host and is none: cut off, or with a letter that is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the token is not complete: it is \"ph_\" and 49 letters and digits, and the last 6 do not fit the others"
)]
pub struct Typo;

impl Secret {
    /// What every token of this kind begins with.
    pub const PREFIX: &str = "ph_";

    /// A fresh one, of the system's random numbers.
    ///
    /// # Errors
    /// When the system has no random numbers to give.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut text = Zeroizing::new(String::with_capacity(Self::PREFIX.len() + RANDOM + SUM));
        text.push_str(Self::PREFIX);
        let mut bytes = Zeroizing::new([0; 64]);
        while text.len() < Self::PREFIX.len() + RANDOM {
            getrandom::fill(bytes.as_mut_slice())?;
            // Of 248 values each letter has four; the others would make some letters more likely.
            let letters =
                bytes.iter().filter(|byte| **byte < 248).map(|byte| ALPHABET[usize::from(byte % 62)]);
            let missing = Self::PREFIX.len() + RANDOM - text.len();
            text.extend(letters.take(missing).map(char::from));
        }
        let sum = checksum(&text);
        text.extend(sum.iter().copied().map(char::from));
        Ok(Self(text))
    }

    /// The token, for its holder and for nobody else.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is kept of it. SHA-256 without salt or stretching is enough: among 2^256 tokens none is found by trying, however
    /// fast the trying is, and two holders never have the same one.
    pub fn digest(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }

    /// Whether these bytes are a token of this kind, as far as it can be seen without looking it up. `None` for another kind.
    pub fn look(bytes: &[u8]) -> Option<Result<(), Typo>> {
        let rest = bytes.strip_prefix(Self::PREFIX.as_bytes())?;
        let whole = rest.len() == RANDOM + SUM && rest.iter().all(u8::is_ascii_alphanumeric);
        let (text, sum) = bytes.split_at(bytes.len().saturating_sub(SUM));
        let fits = whole && std::str::from_utf8(text).is_ok_and(|text| checksum(text) == sum);
        Some(if fits { Ok(()) } else { Err(Typo) })
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The first 32 bits of SHA-256 in base 62. It finds slips of the hand, and says nothing of what was not seen.
fn checksum(text: &str) -> [u8; SUM] {
    let digest = Sha256::digest(text.as_bytes());
    let mut rest = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
    let mut sum = [b'0'; SUM];
    for digit in sum.iter_mut().rev() {
        *digit = ALPHABET[(rest % 62) as usize];
        rest /= 62;
    }
    sum
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_token_is_another_and_looks_like_one() {
        let tokens: HashSet<String> =
            (0..1000).map(|_| Secret::random().expect("random numbers").expose().to_owned()).collect();
        assert_eq!(tokens.len(), 1000);
        for token in &tokens {
            assert_eq!(token.len(), 52);
            assert!(token.starts_with("ph_") && token[3..].bytes().all(|byte| byte.is_ascii_alphanumeric()));
            assert_eq!(Secret::look(token.as_bytes()), Some(Ok(())));
        }
        let letters: HashSet<char> = tokens.iter().flat_map(|token| token[3..46].chars()).collect();
        assert_eq!(letters.len(), 62, "each letter comes up");
    }

    #[test]
    fn a_slip_of_the_hand_is_told() {
        let token = Secret::random().expect("random numbers").expose().to_owned();
        for wrong in 3..token.len() {
            let mut slip = token.clone().into_bytes();
            slip[wrong] = if slip[wrong] == b'a' { b'b' } else { b'a' };
            assert_eq!(Secret::look(&slip), Some(Err(Typo)), "at {wrong}");
        }
        for cut in 3..token.len() {
            assert_eq!(Secret::look(&token.as_bytes()[..cut]), Some(Err(Typo)));
        }
        for longer in [format!("{token}0"), format!("{token} "), "ph_".into(), "ph_é".into()] {
            assert_eq!(Secret::look(longer.as_bytes()), Some(Err(Typo)));
        }
        for other in ["", "ph", "PH_x", "eyJ.a.b", "secret-of-the-pipeline"] {
            assert_eq!(Secret::look(other.as_bytes()), None);
        }
    }

    #[test]
    fn a_token_is_in_no_log() {
        let token = Secret::random().expect("random numbers");
        assert_eq!(format!("{token:?}"), "Secret(…)");
    }
}
