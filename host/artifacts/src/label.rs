//! What a pack says of an artifact: its name and its media type. Both are shown, and neither is ever a path.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The name that a pack gave to an artifact: any text of 1 to [`Name::MAX`] bytes without control characters, without the
/// separators of lines and paragraphs, and without the characters that turn the direction of what follows. It may hold slashes
/// and dots; nothing is ever looked for under it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// Why a text is no [`Name`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// There is none.
    #[error("an artifact needs a name")]
    Empty,
    /// It is too long.
    #[error("the name of an artifact is at most {max} bytes; this one has {0}", max = Name::MAX)]
    TooLong(usize),
    /// It would not be shown as it is.
    #[error("the name of an artifact holds no control characters; this one has U+{code:04X}", code = u32::from(*.0))]
    Control(char),
}

impl Name {
    /// The longest name, in bytes.
    pub const MAX: usize = 255;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What changes how the text around it is shown (Unicode Standard Annex 9, "explicit directional formatting characters",
/// and the separators of section 5.8).
fn is_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

impl FromStr for Name {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        match text.len() {
            0 => Err(InvalidName::Empty),
            1..=Self::MAX => match text.chars().find(|c| is_control(*c)) {
                Some(c) => Err(InvalidName::Control(c)),
                None => Ok(Self(text.to_owned())),
            },
            length => Err(InvalidName::TooLong(length)),
        }
    }
}

/// What the bytes are (RFC 9110 section 8.3.1), such as `image/png` or `text/csv; charset=utf-8`. Believed, and not looked at.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MediaType(String);

/// A text that is no [`MediaType`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a media type is like text/csv, with parameters after a semicolon, at most {max} bytes", max = MediaType::MAX)]
pub struct InvalidMediaType;

impl MediaType {
    /// The longest one, in bytes.
    pub const MAX: usize = 255;

    /// The media type as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// It without parameters, in lower case.
    pub fn essence(&self) -> String {
        self.0.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }
}

/// RFC 9110 section 5.6.2.
fn is_token(text: &str) -> bool {
    let is_tchar = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_tchar)
}

impl FromStr for MediaType {
    type Err = InvalidMediaType;

    fn from_str(text: &str) -> Result<Self, InvalidMediaType> {
        let (essence, parameters) = text.split_once(';').unwrap_or((text, ""));
        let (kind, subtype) = essence.trim_end().split_once('/').ok_or(InvalidMediaType)?;
        // Parameters are handed on and never taken apart here; that they stay in one header field is all that matters.
        let shown = parameters.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        let good = is_token(kind) && is_token(subtype) && shown && text.len() <= Self::MAX;
        if good { Ok(Self(text.to_owned())) } else { Err(InvalidMediaType) }
    }
}

macro_rules! text {
    ($type:ty, $error:ty) => {
        impl TryFrom<String> for $type {
            type Error = $error;

            fn try_from(text: String) -> Result<Self, $error> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(text: $type) -> Self {
                text.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text!(Name, InvalidName);
text!(MediaType, InvalidMediaType);
