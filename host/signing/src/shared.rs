//! Secrets that both sides know.

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::error::KeyError;
use crate::key;

/// The shortest shared secret, in bytes.
pub(crate) const SHORTEST: usize = 8;

/// How a shared secret was handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Written {
    /// The key is the text.
    #[default]
    Text,
    /// The key is what the text is the base64 of, in either alphabet, with or without padding.
    Base64,
    /// The same in hexadecimal.
    Hex,
}

impl Written {
    pub(crate) fn is_text(&self) -> bool {
        *self == Self::Text
    }

    /// The key that this value is.
    pub(crate) fn key(self, value: &[u8], shortest: usize) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        if key::is_private(value) {
            return Err(KeyError::Private);
        }
        let key = match self {
            Self::Text => Some(Zeroizing::new(value.to_vec())),
            Self::Base64 => unbase64(value),
            Self::Hex => unhex(value),
        };
        let key = key.ok_or(KeyError::Spelling(self.name()))?;
        if key.len() < shortest { Err(KeyError::Short(shortest)) } else { Ok(key) }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Base64 => "base64",
            Self::Hex => "hexadecimal",
        }
    }
}

/// A key in base64url is read in the other alphabet first, up to where that fails: what came of it is wiped as well.
fn unbase64(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    const LENIENT: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let mut bytes = Zeroizing::new(vec![0_u8; base64::decoded_len_estimate(text.len())]);
    let length = [STANDARD, URL_SAFE]
        .iter()
        .find_map(|alphabet| GeneralPurpose::new(alphabet, LENIENT).decode_slice(text, &mut bytes).ok())?;
    bytes.truncate(length);
    Some(bytes)
}

fn unhex(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len() / 2));
    for pair in text.chunks(2) {
        let [high, low] = pair else { return None };
        bytes.push((digit(*high)? << 4 | digit(*low)?) as u8);
    }
    Some(bytes)
}

/// In lower case, as signatures are written.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
