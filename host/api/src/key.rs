//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header-07): which requests are attempts at the same thing.

use axum::http::{HeaderMap, HeaderName};
use packhost_core::ErrorCode;

use crate::problem::Problem;

/// The header.
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// What a response says that was given before.
pub(crate) const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// The longest key, in bytes.
const MOST: usize = 255;

/// What a client calls its request: 1 to 255 printable ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key(String);

impl Key {
    /// The key of a request, if it has one. The draft wants it in quotation marks (RFC 9651 section 3.3.3); many clients
    /// send it without, which is the same key.
    ///
    /// # Errors
    /// Where there are two, or it is none.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Option<Self>, Problem> {
        let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
        let Some(value) = values.next() else { return Ok(None) };
        let read = value.to_str().ok().and_then(unquoted).filter(|_| values.next().is_none());
        read.map(|key| Some(Self(key))).ok_or_else(|| {
            Problem::new(ErrorCode::InvalidInput, "Idempotency-Key is not a key.")
                .fix("Send one key of 1 to 255 printable ASCII characters, in quotation marks: a UUID is a good one.")
        })
    }
}

fn unquoted(value: &str) -> Option<String> {
    let value = value.trim();
    let key = match value.strip_prefix('"') {
        Some(rest) => {
            let mut key = String::new();
            let mut rest = rest.strip_suffix('"')?.chars();
            while let Some(c) = rest.next() {
                match c {
                    '\\' => key.push(rest.next().filter(|c| matches!(c, '"' | '\\'))?),
                    '"' => return None,
                    c => key.push(c),
                }
            }
            key
        }
        None => value.to_owned(),
    };
    ((1..=MOST).contains(&key.len()) && key.bytes().all(|b| (b' '..=b'~').contains(&b))).then_some(key)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_key_is_the_same_with_and_without_quotation_marks() {
        for (sent, key) in [("\"a-1\"", "a-1"), ("a-1", "a-1"), (r#""a\"\\b""#, "a\"\\b"), ("a b", "a b")] {
            assert_eq!(unquoted(sent).as_deref(), Some(key), "{sent}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for wrong in ["", "\"\"", "\"", "\"a", "\"a\"b\"", "\"a\\b\"", "\"a\\\"", "\u{e9}", &"x".repeat(256)]
        {
            assert_eq!(unquoted(wrong), None, "{wrong:?}");
        }
        let mut two = HeaderMap::new();
        two.append(IDEMPOTENCY_KEY, HeaderValue::from_static("a"));
        two.append(IDEMPOTENCY_KEY, HeaderValue::from_static("a"));
        assert!(Key::of(&two).is_err());
        assert!(matches!(Key::of(&HeaderMap::new()), Ok(None)));
    }
}
