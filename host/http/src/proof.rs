//! The header in which a client proves who it is, and what it is told where the proof is none (RFC 6750).

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use packhost_callers::{Callers, OAuth, Refused, Unproved};
use packhost_core::{Identity, PackName};

/// How long to wait before asking again who calls, in seconds.
const LATER: u64 = 10;

/// The token of the one `Authorization: Bearer` header; two headers are none.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next()?.as_bytes();
    let (scheme, token) = value.split_at_checked(7)?;
    let alone = values.next().is_none();
    (alone && scheme.eq_ignore_ascii_case(b"bearer "))
        .then(|| token.trim_ascii())
        .filter(|token| !token.is_empty())
}

/// What a client is told that has not proved who it is. Why a token proves nothing is told as far as its holder can do
/// something about it; the rest is for the log.
pub(crate) fn refusal(refused: &Refused, callers: &Callers) -> Response<String> {
    tracing::debug!(target: "packhost::callers", "a request is refused: {refused}");
    let oauth = callers.oauth();
    let first = oauth.map(OAuth::first_scope);
    match refused {
        Refused::NoToken => {
            let said = "a bearer token is needed: Authorization: Bearer TOKEN\n";
            challenge(StatusCode::UNAUTHORIZED, oauth, None, first, said)
        }
        Refused::Unproved(Unproved::NoKeys) | Refused::Unavailable => {
            later(StatusCode::SERVICE_UNAVAILABLE, LATER, format!("{refused}\n"))
        }
        Refused::Token(fault) => {
            let invalid = Some(("invalid_token", fault.to_string()));
            challenge(StatusCode::UNAUTHORIZED, oauth, invalid, first, format!("{fault}\n"))
        }
        Refused::Unproved(why) => {
            let why = match why {
                Unproved::Expired | Unproved::Audience | Unproved::Issuer | Unproved::Type => why.to_string(),
                _ => "the token is not good here".to_owned(),
            };
            let said = format!("{why}\n");
            challenge(StatusCode::UNAUTHORIZED, oauth, Some(("invalid_token", why)), first, said)
        }
        Refused::NoScope(_) => {
            let why = "the token has no scope of this host".to_owned();
            let said = format!("{why}\n");
            challenge(StatusCode::FORBIDDEN, oauth, Some(("insufficient_scope", why)), first, said)
        }
        Refused::TooMany(too_many) => {
            later(StatusCode::TOO_MANY_REQUESTS, too_many.wait.as_secs() + 1, format!("{too_many}\n"))
        }
    }
}

/// What a client is told whose user may call this pack, and whose token may not: to ask for one that may (MCP specification
/// 2025-11-25, "Step-Up Authorization Flow").
pub(crate) fn step_up(oauth: &OAuth, identity: &Identity, pack: &PackName) -> Response<String> {
    let scope = oauth.scope_to_call(&identity.scopes, pack);
    let why = format!("the token does not allow calls of {pack}");
    let said = format!("{why}; it needs the scope: {scope}\n");
    let insufficient = Some(("insufficient_scope", why));
    challenge(StatusCode::FORBIDDEN, Some(oauth), insufficient, Some(scope), said)
}

fn plain(status: StatusCode, said: String) -> Response<String> {
    let mut response = Response::new(said);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

fn later(status: StatusCode, seconds: u64, said: String) -> Response<String> {
    let mut response = plain(status, said);
    response.headers_mut().insert(RETRY_AFTER, seconds.into());
    response
}

fn challenge(
    status: StatusCode,
    oauth: Option<&OAuth>,
    error: Option<(&str, String)>,
    scope: Option<String>,
    said: impl Into<String>,
) -> Response<String> {
    let mut words = vec![("realm", "packhost".to_owned())];
    if let Some((code, why)) = error {
        words.extend([("error", code.to_owned()), ("error_description", why)]);
    }
    if let Some(oauth) = oauth {
        words.push(("resource_metadata", oauth.metadata_url().into()));
        words.extend(scope.map(|scope| ("scope", scope)));
    }
    let words: Vec<_> = words.iter().map(|(name, value)| format!("{name}=\"{}\"", quoted(value))).collect();
    let mut response = plain(status, said.into());
    // What is quoted is printable, so it is a header.
    if let Ok(value) = HeaderValue::from_str(&format!("Bearer {}", words.join(", "))) {
        response.headers_mut().insert(WWW_AUTHENTICATE, value);
    }
    response
}

/// What may stand in a description and in a scope (RFC 6750 section 3).
fn quoted(value: &str) -> String {
    value.chars().filter(|c| matches!(c, ' '..='~') && !matches!(c, '"' | '\\')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (AUTHORIZATION, HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_bearer_token_is_what_stands_behind_the_scheme() {
        for (value, token) in [("Bearer abc", "abc"), ("bearer  a.b~+/= ", "a.b~+/="), ("BEARER x", "x")] {
            assert_eq!(bearer(&headers(&[value])), Some(token.as_bytes()));
        }
    }

    #[test]
    fn what_is_no_bearer_token_is_none() {
        for values in [&[][..], &[""], &["Bearer"], &["Bearer "], &["Basic secret-a"], &["secret-a"]] {
            assert_eq!(bearer(&headers(values)), None, "{values:?}");
        }
        assert_eq!(bearer(&headers(&["Bearer one", "Bearer two"])), None);
    }

    #[test]
    fn nothing_breaks_out_of_a_quoted_word() {
        assert_eq!(quoted("a\"b\\c\r\nd\u{e9}e f"), "abcde f");
    }
}
