//! Bearer tokens (RFC 6750): who calls.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use packhost_core::{Caller, Digest};
use subtle::ConstantTimeEq;

/// A token that a caller may hold. The token itself is not kept, only its digest.
#[derive(Debug, Clone)]
pub struct Token {
    pub(crate) name: String,
    digest: Digest,
}

/// Why a request is nobody's (RFC 6750 section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stranger {
    /// It has no token.
    NoToken,
    /// It has one that is not known.
    UnknownToken,
}

/// Why something is not a [`Token`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The name is not one.
    #[error("\"{0}\" is not a name for a token: 1 to 64 letters, digits, dots, - and _")]
    Name(String),
    /// The secret can be guessed, or cannot be sent.
    #[error(
        "the token of \"{0}\" is not a good secret: at least 16 printable characters without spaces; `openssl rand -hex 32` makes one"
    )]
    Secret(String),
}

impl Token {
    /// A token. `name` is what the records call its holder; `secret` is the token, or `sha256:` and the 64 hex digits
    /// of its digest, so that the token need not stand in a file.
    ///
    /// # Errors
    /// Where the name would be unclear in a record, or the secret is short or cannot go into a header.
    pub fn new(name: &str, secret: &str) -> Result<Self, TokenError> {
        let clear = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if name.is_empty() || name.len() > 64 || !name.chars().all(clear) {
            return Err(TokenError::Name(name.chars().take(80).collect()));
        }
        let digest = match secret.parse::<Digest>() {
            Ok(digest) => digest,
            Err(_) if secret.len() >= 16 && secret.bytes().all(|b| b.is_ascii_graphic()) => {
                Digest::of(secret.as_bytes())
            }
            Err(_) => return Err(TokenError::Secret(name.to_owned())),
        };
        Ok(Self { name: name.to_owned(), digest })
    }
}

/// Who sends a request with these headers. Without tokens it is the local user.
pub(crate) fn caller(tokens: &[Token], headers: &HeaderMap) -> Result<Caller, Stranger> {
    if tokens.is_empty() {
        return Ok(Caller::local());
    }
    let shown = Digest::of(bearer(headers).ok_or(Stranger::NoToken)?).hex();
    // Every token is compared, whichever fits.
    let fits = |token: &&Token| bool::from(token.digest.hex().as_bytes().ct_eq(shown.as_bytes()));
    let fitting: Vec<_> = tokens.iter().filter(fits).collect();
    fitting.first().map(|token| Caller::token(&token.name)).ok_or(Stranger::UnknownToken)
}

/// The token of the one `Authorization: Bearer` header; two headers are none.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next()?.as_bytes();
    let (scheme, token) = value.split_at_checked(7)?;
    let alone = values.next().is_none();
    (alone && scheme.eq_ignore_ascii_case(b"bearer "))
        .then(|| token.trim_ascii())
        .filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (AUTHORIZATION, HeaderValue::from_static(value))).collect()
    }

    const ALICE: &str = "secret-of-alice-1";
    const BOB: &str = "secret-of-bob-234";

    fn tokens() -> Vec<Token> {
        let digest = Digest::of(BOB.as_bytes()).to_string();
        [("alice", ALICE), ("bob", &digest)]
            .map(|(name, secret)| Token::new(name, secret).expect("good"))
            .into()
    }

    #[test]
    fn a_token_says_who_calls() {
        let of = |value| caller(&tokens(), &headers(&[value]));
        assert_eq!(of("Bearer secret-of-alice-1"), Ok(Caller::token("alice")));
        assert_eq!(of("bearer  secret-of-bob-234 "), Ok(Caller::token("bob")));
        for unknown in
            ["Bearer secret-of-alice-", "Bearer secret-of-alice-11", "Bearer alice", "Bearer sha256:"]
        {
            assert_eq!(of(unknown), Err(Stranger::UnknownToken), "{unknown}");
        }
    }

    #[test]
    fn a_digest_is_not_the_token() {
        let digest = Digest::of(BOB.as_bytes()).to_string();
        let shown = HeaderValue::from_str(&format!("Bearer {digest}")).expect("text");
        let headers = [(AUTHORIZATION, shown)].into_iter().collect();
        assert_eq!(caller(&tokens(), &headers), Err(Stranger::UnknownToken));
    }

    #[test]
    fn a_bad_token_is_refused_before_it_is_used() {
        for name in ["", "a b", "a\n", "é", &"x".repeat(65)] {
            assert!(matches!(Token::new(name, ALICE), Err(TokenError::Name(_))), "{name:?}");
        }
        for secret in ["", "short", "with a space in it", "with\ta tab in it", "schlüssel-mit-umlaut"] {
            let refused = Token::new("a", secret).expect_err(secret);
            assert!(secret.is_empty() || !refused.to_string().contains(secret), "the secret is not told");
        }
    }

    #[test]
    fn what_is_no_bearer_token_is_none() {
        for values in [&[][..], &[""], &["Bearer"], &["Bearer "], &["Basic secret-a"], &["secret-a"]] {
            assert_eq!(caller(&tokens(), &headers(values)), Err(Stranger::NoToken), "{values:?}");
        }
        let two = headers(&["Bearer secret-of-alice-1", "Bearer secret-of-bob-234"]);
        assert_eq!(caller(&tokens(), &two), Err(Stranger::NoToken));
    }

    #[test]
    fn without_tokens_it_is_the_local_user() {
        assert_eq!(caller(&[], &headers(&[])), Ok(Caller::local()));
        assert_eq!(caller(&[], &headers(&["Bearer x"])), Ok(Caller::local()));
    }
}
