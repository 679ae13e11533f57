//! Which bytes of an artifact are wanted: one range, as HTTP has it.

use std::ops::Range;
use std::str::FromStr;

/// One range of bytes (RFC 9110 section 14.1.2). From text as in a `Range` header, `bytes=0-99`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ByteRange {
    /// All of it.
    #[default]
    All,
    /// From this byte on, counted from 0.
    From(u64),
    /// From the first of these bytes to the second one, both included. The second may be beyond the end.
    Between(u64, u64),
    /// The last so many bytes; all of it where it has fewer.
    Suffix(u64),
}

/// A text that is not one range of bytes. HTTP wants such a `Range` header to be ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not one range of bytes, such as bytes=0-99, bytes=100- or bytes=-100")]
pub struct InvalidRange;

/// No byte of the range is there: HTTP's 416.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the range begins beyond the end; there are {size} bytes")]
pub struct Unsatisfiable {
    /// How many bytes there are.
    pub size: u64,
}

impl ByteRange {
    /// The bytes that are meant of so many.
    ///
    /// # Errors
    /// When none of them is there. A range that ends before it begins is as one that begins beyond the end.
    pub fn of(self, size: u64) -> Result<Range<u64>, Unsatisfiable> {
        let range = match self {
            Self::All => return Ok(0..size),
            Self::From(first) => first..size,
            Self::Between(first, last) => first..last.saturating_add(1).min(size),
            // An empty artifact has all of its last bytes.
            Self::Suffix(1..) if size == 0 => return Ok(0..0),
            Self::Suffix(length) => size.saturating_sub(length)..size,
        };
        if range.is_empty() { Err(Unsatisfiable { size }) } else { Ok(range) }
    }
}

impl FromStr for ByteRange {
    type Err = InvalidRange;

    fn from_str(text: &str) -> Result<Self, InvalidRange> {
        let (unit, range) = text.split_once('=').ok_or(InvalidRange)?;
        let (first, last) = range.trim_matches([' ', '\t']).split_once('-').ok_or(InvalidRange)?;
        if !unit.eq_ignore_ascii_case("bytes") {
            return Err(InvalidRange);
        }
        match (first, last) {
            ("", last) => number(last).map(Self::Suffix),
            (first, "") => number(first).map(Self::From),
            (first, last) => match (number(first)?, number(last)?) {
                (first, last) if first <= last => Ok(Self::Between(first, last)),
                _ => Err(InvalidRange),
            },
        }
    }
}

/// Digits. More than fit are beyond any end.
fn number(digits: &str) -> Result<u64, InvalidRange> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(InvalidRange);
    }
    Ok(digits.parse().unwrap_or(u64::MAX))
}
