//! One line of a segment: the record's hash, a space, its JSON.
//!
//! The JSON is written in one way only, `{"n":…,"time":…,"kind":…,"body":…}`, with `"clock"` behind the time where the clock
//! was behind it, and is read in that way only: what is accepted is, byte for byte, what would be written again. The hash is
//! SHA-256 over the hash of the record before it (32 bytes) and the JSON.

use std::fmt;
use std::str::FromStr;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::moment::Moment;

/// The most bytes of a line, its hash and its end included.
pub const LARGEST: usize = 256 << 10;
/// The hex digits of a hash.
const HEX: usize = 64;
/// The longest word for a kind.
const KIND: usize = 32;
/// The most digits of n: more records than can ever be written, and room to count on.
const DIGITS: usize = 18;

/// The hash of a record, which stands for it and all records before it. As text, 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hash(pub(crate) [u8; 32]);

/// The text is not 64 lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a hash is 64 lower-case hex digits")]
pub struct HashError;

/// What a record says of itself besides its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Envelope<'a> {
    pub(crate) n: u64,
    pub(crate) time: Moment,
    /// What the clock said, where that was before the time of an earlier record.
    pub(crate) clock: Option<Moment>,
    pub(crate) kind: &'a str,
    /// A JSON object.
    pub(crate) body: &'a str,
}

/// A line that is well formed; whether its hash fits is another question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    pub(crate) own: Hash,
    pub(crate) json: &'a str,
    pub(crate) envelope: Envelope<'a>,
}

impl Hash {
    /// What the first record has in place of the hash of a record before it.
    pub(crate) fn genesis() -> Self {
        Self(Sha256::digest(b"packhost audit log 1\n").into())
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The hash of a record with this JSON behind one with this hash.
    pub(crate) fn after(&self, json: &[u8]) -> Self {
        Self(Sha256::new().chain_update(self.0).chain_update(json).finalize().into())
    }

    fn hex(&self) -> [u8; HEX] {
        let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
        let mut text = [0; HEX];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
        }
        text
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let nibble = |c: u8| match c {
            b'0'..=b'9' => Some(c - b'0'),
            b'a'..=b'f' => Some(c - b'a' + 10),
            _ => None,
        };
        let mut bytes = [0; 32];
        if text.len() != HEX {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            *byte = nibble(pair[0]).zip(nibble(pair[1])).map(|(high, low)| high << 4 | low)?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.hex()).unwrap_or_default())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Hash {
    type Err = HashError;

    fn from_str(text: &str) -> Result<Self, HashError> {
        Self::parse(text.as_bytes()).ok_or(HashError)
    }
}

impl TryFrom<String> for Hash {
    type Error = HashError;

    fn try_from(text: String) -> Result<Self, HashError> {
        text.parse()
    }
}

impl From<Hash> for String {
    fn from(hash: Hash) -> Self {
        hash.to_string()
    }
}

/// Whether this may be the kind of a record: a word of at most 32 letters and `_`.
pub(crate) fn is_kind(word: &str) -> bool {
    (1..=KIND).contains(&word.len()) && word.bytes().all(|c| c.is_ascii_lowercase() || c == b'_')
}

impl<'a> Envelope<'a> {
    /// What the clock said when the record was written, to the second where it was behind.
    pub(crate) fn reading(&self) -> Moment {
        self.clock.unwrap_or(self.time)
    }

    /// The JSON of the record.
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"n\":");
        out.extend_from_slice(self.n.to_string().as_bytes());
        out.extend_from_slice(b",\"time\":\"");
        out.extend_from_slice(&self.time.text());
        if let Some(clock) = self.clock {
            out.extend_from_slice(b"\",\"clock\":\"");
            out.extend_from_slice(&clock.text());
        }
        out.extend_from_slice(b"\",\"kind\":\"");
        out.extend_from_slice(self.kind.as_bytes());
        out.extend_from_slice(b"\",\"body\":");
        out.extend_from_slice(self.body.as_bytes());
        out.push(b'}');
    }

    /// Puts the line of this record behind one with this hash, its end included, and says its hash.
    pub(crate) fn line(&self, previous: &Hash, out: &mut Vec<u8>) -> Hash {
        let start = out.len();
        out.extend_from_slice(&[b' '; HEX + 1]);
        self.put(out);
        let own = previous.after(&out[start + HEX + 1..]);
        out[start..start + HEX].copy_from_slice(&own.hex());
        out.push(b'\n');
        own
    }

    fn parse(json: &'a str) -> Result<Self, &'static str> {
        let rest = json.strip_prefix("{\"n\":").ok_or("its JSON does not begin with n")?;
        let (n, rest) = rest.split_once(",\"time\":\"").ok_or("no time follows n")?;
        let plain = (1..=DIGITS).contains(&n.len())
            && n.bytes().all(|digit| digit.is_ascii_digit())
            && !n.starts_with('0');
        let n = plain.then(|| n.parse().ok()).flatten().ok_or("its n is no number from 1")?;
        let (time, rest) = moment(rest).ok_or("its time is none")?;
        let (clock, rest) = match rest.strip_prefix("\",\"clock\":\"") {
            None => (None, rest),
            Some(rest) => {
                moment(rest).map(|(clock, rest)| (Some(clock), rest)).ok_or("its clock is no time")?
            }
        };
        let rest = rest.strip_prefix("\",\"kind\":\"").ok_or("no kind follows the time")?;
        let (kind, rest) = rest.split_once("\",\"body\":").ok_or("no body follows the kind")?;
        if !is_kind(kind) {
            return Err("its kind is no word");
        }
        let body =
            rest.strip_suffix('}').filter(|body| body.starts_with('{')).ok_or("its body is no object")?;
        serde_json::from_str::<IgnoredAny>(body).map_err(|_| "its body is not JSON")?;
        Ok(Self { n, time, clock, kind, body })
    }
}

/// A moment, and what stands behind it.
fn moment(text: &str) -> Option<(Moment, &str)> {
    let (time, rest) = text.split_at_checked(Moment::LENGTH)?;
    Some((Moment::parse(time.as_bytes())?, rest))
}

impl<'a> Line<'a> {
    /// From the bytes of a line without its end. The error says what is wrong, as the end of "the line is none of the log: …".
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, &'static str> {
        if bytes.len() >= LARGEST {
            return Err("it is longer than a line may be");
        }
        let (own, json) = bytes.split_at_checked(HEX).ok_or("it is shorter than a hash")?;
        let own = Hash::parse(own).ok_or("it does not begin with a hash")?;
        let json = json.strip_prefix(b" ").ok_or("no space follows the hash")?;
        let json = std::str::from_utf8(json).map_err(|_| "it is not UTF-8")?;
        Ok(Self { own, json, envelope: Envelope::parse(json)? })
    }

    /// Whether it stands behind a record with this hash.
    pub(crate) fn follows(&self, previous: &Hash) -> bool {
        previous.after(self.json.as_bytes()) == self.own
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let time = Moment::micros_since_1970(1_772_357_400_000_250);
        for clock in [None, Some(Moment::default())] {
            let envelope = Envelope { n: 17, time, clock, kind: "call", body: "{\"a\":[1,\"}\"]}" };
            let mut bytes = b"before".to_vec();
            let own = envelope.line(&Hash::genesis(), &mut bytes);
            let line = Line::parse(&bytes[6..bytes.len() - 1]).expect("a line");
            assert_eq!((line.own, line.envelope), (own, envelope));
            assert!(line.follows(&Hash::genesis()) && !line.follows(&own));
            assert_eq!(own.to_string().parse(), Ok(own));
        }
    }

    #[test]
    fn what_is_written_differently_is_no_line() {
        let json = "{\"n\":1,\"time\":\"2026-03-01T09:30:00.000250Z\",\"kind\":\"call\",\"body\":{\"a\":1}}";
        let hash = Hash::genesis().to_string();
        let good = format!("{hash} {json}");
        assert!(Line::parse(good.as_bytes()).is_ok());
        for (from, to) in [
            ("\"n\":1", "\"n\":01"),
            ("\"n\":1", "\"n\":0"),
            ("\"n\":1", "\"n\":+1"),
            ("\"n\":1", "\"n\": 1"),
            ("\"n\":1", "\"n\":1000000000000000000"),
            ("call", "Call"),
            ("call", ""),
            ("call", "ca\\u006cl"),
            ("{\"a\":1}", "[1]"),
            ("{\"a\":1}", "{\"a\":1"),
            ("{\"a\":1}", "{\"a\":1}{}"),
            ("{\"a\":1}", ""),
            ("250Z", "250z"),
            ("\"body\"", "\"Body\""),
            (" {", "  {"),
            ("}}", "}} "),
        ] {
            let bad = good.replacen(from, to, 1);
            assert!(bad != good && Line::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(Line::parse(good.to_uppercase().as_bytes()).is_err());
        assert!(Line::parse(&[good.as_bytes(), &vec![b' '; LARGEST]].concat()).is_err());
    }
}
