//! The values that are looked for, made ready, and what is done with a text that is there as a whole.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::error::RedactError;
use crate::pattern::Pattern;
use crate::prefilter::Prefilter;
use crate::replacement::replacements;
use crate::search::{Match, Search};
use crate::stream::Stream;

/// Knows some values, and takes them out of texts. A clone is cheap and shares what is known. The values are wiped when the
/// last clone and the last [`Stream`] is dropped.
#[derive(Clone)]
pub struct Redactor(pub(crate) Arc<Known>);

/// What a [`Redactor`] and its streams share.
pub(crate) struct Known {
    patterns: Vec<Pattern>,
    prefilter: Prefilter,
    /// By value.
    labels: Vec<String>,
    pub(crate) replacements: Vec<String>,
    /// The values that are numbers too long to be written down exactly by whoever reads them as JSON.
    pub(crate) numbers: Zeroizing<Vec<(f64, usize)>>,
}

/// So many digits a double has for certain.
const EXACT: usize = 15;

impl Redactor {
    /// The shortest value, in bytes.
    pub const MIN: usize = 8;
    /// The longest value, in bytes.
    pub const MAX: usize = 16 << 10;
    /// The most values.
    pub const MOST: usize = 64;
    /// The longest label, in bytes.
    pub const LABEL: usize = 64;

    /// Takes copies of values, each with the label that is to stand in its place as `[redacted:LABEL]`. Where the values
    /// have such text in them, other brackets are used, or no label.
    ///
    /// # Errors
    /// When there are more than [`Redactor::MOST`] values, when one has less than [`Redactor::MIN`] or more than
    /// [`Redactor::MAX`] bytes, is not UTF-8 or has a control character in it, and when a label is not 1 to
    /// [`Redactor::LABEL`] ASCII letters, digits, `_`, `.` and `-`.
    pub fn new<'a>(values: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Result<Self, RedactError> {
        let (mut labels, mut bytes) = (Vec::new(), Vec::new());
        for (label, value) in values {
            check(label, value)?;
            if bytes.len() == Self::MOST {
                return Err(RedactError::TooMany);
            }
            labels.push(label);
            bytes.push(value);
        }
        let forms = bytes.iter().enumerate().flat_map(|(value, bytes)| Pattern::forms(value, bytes));
        let patterns: Vec<Pattern> = forms.collect();
        let mut known = Known {
            prefilter: Prefilter::new(&patterns),
            patterns,
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
            replacements: Vec::new(),
            numbers: Zeroizing::new(
                bytes.iter().enumerate().filter_map(|(value, bytes)| Some((number(bytes)?, value))).collect(),
            ),
        };
        known.replacements = replacements(&labels, &bytes, |text| known.finds(text))?;
        Ok(Self(Arc::new(known)))
    }

    /// Whether there is no value to look for.
    pub fn is_empty(&self) -> bool {
        self.0.labels.is_empty()
    }

    /// The text without the values; the same text if none is in it.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.0.text(text).0
    }

    /// The bytes without the values; the same bytes if none is in them.
    pub fn bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        self.0.redacted(bytes).map_or(Cow::Borrowed(bytes), |(bytes, _)| Cow::Owned(bytes))
    }

    /// Whether a value is in the bytes.
    pub fn finds(&self, bytes: &[u8]) -> bool {
        self.0.finds(bytes)
    }

    /// Takes the values out of bytes that come in parts.
    pub fn stream(&self) -> Stream {
        Stream::new(self.clone())
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redactor").field("labels", &self.0.labels).finish_non_exhaustive()
    }
}

impl Known {
    /// Goes on with a search.
    pub(crate) fn advance(&self, search: &mut Search, text: &[u8], from: usize, more: bool) {
        if !self.patterns.is_empty() {
            search.advance(&self.patterns, &self.prefilter, text, from, more);
        }
    }

    /// The text without the values, and how many there were.
    pub(crate) fn text<'a>(&self, text: &'a str) -> (Cow<'a, str>, u64) {
        let Some((bytes, count)) = self.redacted(text.as_bytes()) else { return (Cow::Borrowed(text), 0) };
        // A value is whole characters, so what is left is too.
        let text = String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        (Cow::Owned(text), count)
    }

    fn finds(&self, bytes: &[u8]) -> bool {
        !self.all(bytes).is_empty()
    }

    fn all(&self, bytes: &[u8]) -> Vec<Match> {
        let mut search = Search::default();
        self.advance(&mut search, bytes, 0, false);
        search.matches
    }

    fn redacted(&self, bytes: &[u8]) -> Option<(Vec<u8>, u64)> {
        let mut matches = self.all(bytes);
        if matches.is_empty() {
            return None;
        }
        let mut cut = Cut::default();
        let mut out = Vec::with_capacity(bytes.len());
        cut.write(self, &mut matches, bytes, &mut out);
        Some((out, cut.count))
    }
}

/// How a text is written without its matches. Those that overlap are one: nothing of any of them is left, and the label is
/// that of the longest of those that begin first.
#[derive(Default)]
pub(crate) struct Cut {
    /// Up to here, what comes is part of a match whose replacement is written.
    until: usize,
    /// How many replacements are written.
    pub(crate) count: u64,
}

impl Cut {
    /// Writes a text in which nothing more will be found, and takes back the positions by its length. The matches are those
    /// that begin in it, or after it; the latter stay.
    pub(crate) fn write(&mut self, known: &Known, matches: &mut Vec<Match>, text: &[u8], out: &mut Vec<u8>) {
        matches.sort_unstable_by_key(|found| (found.start, std::cmp::Reverse(found.end), found.value));
        let mut at = self.until.min(text.len());
        let now = matches.partition_point(|found| found.start < text.len());
        for found in matches.drain(..now) {
            if found.start >= self.until {
                out.extend_from_slice(&text[at..found.start]);
                out.extend_from_slice(known.replacements[found.value].as_bytes());
                self.count += 1;
            }
            self.until = self.until.max(found.end);
            at = self.until.min(text.len());
        }
        out.extend_from_slice(&text[at..]);
        self.until = self.until.saturating_sub(text.len());
    }

    /// Whether writing would change nothing.
    pub(crate) fn is_idle(&self) -> bool {
        self.until == 0
    }
}

fn check(label: &str, value: &[u8]) -> Result<(), RedactError> {
    let is_name = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    if !is_name || label.is_empty() || label.len() > Redactor::LABEL {
        return Err(RedactError::Label);
    }
    if value.len() < Redactor::MIN {
        return Err(RedactError::TooShort(label.to_owned()));
    }
    if value.len() > Redactor::MAX {
        return Err(RedactError::TooLong(label.to_owned()));
    }
    match std::str::from_utf8(value) {
        Ok(text) if !text.chars().any(char::is_control) => Ok(()),
        _ => Err(RedactError::NotText(label.to_owned())),
    }
}

/// A value of more digits than are exact in a double, as one.
fn number(value: &[u8]) -> Option<f64> {
    let digits =
        std::str::from_utf8(value).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    let number: f64 = digits.parse().ok()?;
    (digits.len() > EXACT && number.is_finite()).then_some(number)
}
