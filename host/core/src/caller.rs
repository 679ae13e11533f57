//! Who makes a call.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

const NOBODY: &str = "nobody";
const TOKEN: &str = "token:";
const OAUTH: &str = "oauth:";

/// The one on whose behalf a call runs. Limits are counted and handles are owned per caller. Clones share
/// the text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Caller(Arc<str>);

impl Caller {
    /// The longest issuer of a caller's token, and the longest subject there, in bytes (OpenID Connect Core 1.0 section 2).
    pub const MAX_PART: usize = 255;

    /// The person at this machine: stdio, the command line, and HTTP on loopback without a token.
    pub fn local() -> Self {
        Self("local".into())
    }

    /// The holder of a bearer token of this host, by the name that the operator gave the token.
    pub fn token(name: &str) -> Self {
        Self(format!("{TOKEN}{name}").into())
    }

    /// The subject of an access token of this issuer (RFC 9068): `oauth:`, the issuer without `https://`, a colon, the
    /// subject. What could be taken for something else is percent-encoded in both, so that two subjects, or the same one of
    /// two issuers, are never the same caller. `None` where either is empty or longer than [`Caller::MAX_PART`].
    pub fn oauth(issuer: &str, subject: &str) -> Option<Self> {
        let fits = |part: &str| (1..=Self::MAX_PART).contains(&part.len());
        let named = issuer.strip_prefix("https://").unwrap_or(issuer);
        (fits(issuer) && fits(subject) && !named.is_empty())
            .then(|| Self(format!("{OAUTH}{}:{}", escaped(named), escaped(subject)).into()))
    }

    /// Nobody yet: whose something is that stands ready for the first caller who comes. No door lets anybody in as this.
    pub fn nobody() -> Self {
        Self(NOBODY.into())
    }

    /// Whether this is nobody.
    pub fn is_nobody(&self) -> bool {
        &*self.0 == NOBODY
    }

    /// Whether an access token of an issuer proved who this is.
    pub fn is_oauth(&self) -> bool {
        self.0.starts_with(OAUTH)
    }

    /// A caller that was written down: by this host, or by its operator. No proof of anything: who calls is known at the
    /// door alone.
    pub fn recorded(text: &str) -> Option<Self> {
        let known = if let Some(name) = text.strip_prefix(TOKEN) {
            !name.is_empty()
        } else if let Some((issuer, subject)) = text.strip_prefix(OAUTH).and_then(|rest| rest.split_once(':'))
        {
            [issuer, subject].iter().all(|part| !part.is_empty() && is_escaped(part))
        } else {
            matches!(text, "local" | NOBODY)
        };
        known.then(|| Self(text.into()))
    }

    /// The caller as it stands in logs and records.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What stands for itself in an issuer and a subject.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~/@|".contains(&byte)
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if is_plain(byte) {
            escaped.push(byte.into());
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

/// Whether [`escaped`] could have written this.
fn is_escaped(text: &str) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let digit = |digit: Option<u8>| {
            digit
                .and_then(|digit| char::from(digit).to_digit(16))
                .filter(|_| digit.is_some_and(|digit| !digit.is_ascii_lowercase()))
        };
        let plain = match byte {
            b'%' => match (digit(bytes.next()), digit(bytes.next())) {
                (Some(high), Some(low)) => u8::try_from(high << 4 | low).is_ok_and(|byte| !is_plain(byte)),
                _ => false,
            },
            byte => is_plain(byte),
        };
        if !plain {
            return false;
        }
    }
    true
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn oauth(issuer: &str, subject: &str) -> String {
        Caller::oauth(issuer, subject).expect("it fits").as_str().to_owned()
    }

    #[test]
    fn a_subject_is_written_with_its_issuer() {
        assert_eq!(oauth("https://login.example.com", "alice"), "oauth:login.example.com:alice");
        assert_eq!(oauth("https://a.example/realms/x", "auth0|1"), "oauth:a.example/realms/x:auth0|1");
        assert_eq!(oauth("https://a.example:8443", "a b"), "oauth:a.example%3A8443:a%20b");
        assert_eq!(oauth("http://127.0.0.1:9", "é"), "oauth:http%3A//127.0.0.1%3A9:%C3%A9");
    }

    #[test]
    fn what_is_empty_or_too_long_is_no_caller() {
        let long = "x".repeat(Caller::MAX_PART + 1);
        for (issuer, subject) in
            [("", "a"), ("https://", "a"), ("https://a", ""), (&long, "a"), ("https://a", &long)]
        {
            assert_eq!(Caller::oauth(issuer, subject), None, "{issuer} {subject}");
        }
        assert!(Caller::oauth("https://a", &long[1..]).is_some());
    }

    #[test]
    fn what_was_written_down_is_read_again_and_nothing_else() {
        for known in ["local", "nobody", "token:ci", "oauth:a.example:b", "oauth:a%3A1/x:%25"] {
            assert_eq!(Caller::recorded(known).as_ref().map(Caller::as_str), Some(known));
        }
        for unknown in [
            "",
            "Local",
            "token:",
            "oauth:",
            "oauth:a",
            "oauth:a:",
            "oauth::b",
            "oauth:a:b:c",
            "oauth:a:%",
            "oauth:a:%41",
            "oauth:a:%3a",
            "oauth:a:b c",
            "group:a",
        ] {
            assert_eq!(Caller::recorded(unknown), None, "{unknown}");
        }
    }

    proptest! {
        #[test]
        fn two_identities_are_never_the_same_caller(
            one in ("[a:%/.]{1,6}", "[a:%|\u{e9}]{1,6}"), two in ("[a:%/.]{1,6}", "[a:%|\u{e9}]{1,6}")
        ) {
            let of = |(issuer, subject): &(String, String)| {
                Caller::oauth(&format!("https://{issuer}"), subject).expect("it fits")
            };
            prop_assert_eq!(of(&one) == of(&two), one == two);
            prop_assert!(Caller::recorded(of(&one).as_str()).is_some());
            prop_assert!(!of(&one).as_str().starts_with(TOKEN));
        }
    }
}
