//! Known secrets, taken out of whatever comes back.
//!
//! Owns: the spellings in which a value is recognised, and finding them in texts, JSON and streams that are cut anywhere.
//! Refuses: guessing. What is no spelling of a known value is never touched.
//!
//! A value is found as it is; percent-encoded, escaped as in JSON or as in HTML, with any part of its characters escaped;
//! in base64 and base64url at each of the three alignments, so also inside `Basic`; and in hexadecimal of one case. A value
//! that was compressed, encrypted, cut to pieces, or spelled in two of these ways one over the other is not found.

mod escape;
mod json;
mod pattern;
mod scan;
mod search;
mod stream;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use scan::Scanner;
pub use stream::Stream;

/// The shortest value that is looked for, in bytes: a shorter one might stand in a text by chance.
pub const SHORTEST: usize = 8;
/// The longest value, in bytes.
pub const LONGEST: usize = 16 << 10;
/// The most values of one redactor.
pub const MOST: usize = 64;

/// Why values cannot be looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RedactError {
    /// Shorter than [`SHORTEST`] or longer than [`LONGEST`].
    #[error("a value that is to be found again has {SHORTEST} to {LONGEST} bytes")]
    Length,
    /// More than [`MOST`].
    #[error("no more than {MOST} values can be looked for at once")]
    Count,
}

/// Takes known values out. Cheap to clone.
#[derive(Clone, Default)]
pub struct Redactor {
    scanner: Option<Arc<Scanner>>,
}

impl Redactor {
    /// Looks for these values. In place of each stands `[redacted:LABEL]`.
    ///
    /// # Errors
    /// When a value is too short or too long, or there are too many.
    pub fn new<'a>(values: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Result<Self, RedactError> {
        let values: Vec<(&str, &[u8])> = values.into_iter().collect();
        if values.len() > MOST {
            return Err(RedactError::Count);
        }
        if values.iter().any(|(_, value)| !(SHORTEST..=LONGEST).contains(&value.len())) {
            return Err(RedactError::Length);
        }
        let scanner = (!values.is_empty()).then(|| Arc::new(Scanner::new(&values)));
        Ok(Self { scanner })
    }

    /// Whether it looks for nothing.
    pub fn is_empty(&self) -> bool {
        self.scanner.is_none()
    }

    /// The bytes without the values.
    pub fn bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let Some(scanner) = &self.scanner else { return Cow::Borrowed(bytes) };
        let found = scanner.scan(bytes, true).found;
        if found.is_empty() { Cow::Borrowed(bytes) } else { Cow::Owned(scanner.replace(bytes, &found)) }
    }

    /// The text without the values.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.bytes(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        }
    }

    /// Takes the values out of every string, key and number. Returns in how many of them there were some.
    pub fn json(&self, value: &mut serde_json::Value) -> usize {
        if self.is_empty() { 0 } else { json::redact(self, value) }
    }

    /// Whether there is one of the values in it.
    pub fn finds(&self, bytes: &[u8]) -> bool {
        self.scanner.as_ref().is_some_and(|scanner| !scanner.scan(bytes, true).found.is_empty())
    }

    /// The same for what was put in lower case, as names of headers are.
    pub fn finds_in_lower_case(&self, bytes: &[u8]) -> bool {
        self.scanner.as_ref().is_some_and(|scanner| scanner.finds_in_lower_case(bytes))
    }

    /// Takes the values out of a stream.
    pub fn stream(&self) -> Stream {
        Stream::new(self.scanner.clone())
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.scanner.as_ref().map_or(0, |scanner| scanner.values());
        f.debug_struct("Redactor").field("values", &count).finish()
    }
}
