//! Secrets of well-known formats, by the prefixes that their issuers gave them to be found by.

use http::{HeaderMap, HeaderName};
use url::Url;

use super::Misplaced;

/// A prefix, how many characters of a token follow it at least, and what it is.
struct Format {
    prefix: &'static str,
    rest: usize,
    kind: &'static str,
}

const fn format(prefix: &'static str, rest: usize, kind: &'static str) -> Format {
    Format { prefix, rest, kind }
}

/// Long-lived keys that a person was given. Not here: what a server hands out in a call (session cookies, access tokens
/// of OAuth, JWTs), which a pack may well carry from one request to the next.
const FORMATS: [Format; 22] = [
    format("ghp_", 36, "a personal access token of GitHub"),
    format("github_pat_", 22, "a personal access token of GitHub"),
    format("glpat-", 20, "a personal access token of GitLab"),
    format("sk-ant-", 24, "an API key of Anthropic"),
    format("sk-proj-", 24, "an API key of OpenAI"),
    format("sk_live_", 16, "a secret key of Stripe"),
    format("rk_live_", 16, "a restricted key of Stripe"),
    format("AKIA", 16, "an access key of AWS"),
    format("AIza", 35, "an API key of Google"),
    format("xoxb-", 20, "a bot token of Slack"),
    format("xoxp-", 20, "a user token of Slack"),
    format("xapp-", 20, "an app token of Slack"),
    format("npm_", 36, "an access token of npm"),
    format("pypi-AgEI", 50, "an API token of PyPI"),
    format("dckr_pat_", 20, "an access token of Docker"),
    format("SG.", 60, "an API key of SendGrid"),
    format("re_", 30, "an API key of Resend"),
    format("hf_", 30, "an access token of Hugging Face"),
    format("dop_v1_", 40, "an access token of DigitalOcean"),
    format("shpat_", 32, "an access token of Shopify"),
    format("sntrys_", 40, "an access token of Sentry"),
    format("lin_api_", 32, "an API key of Linear"),
];

/// Headers in which clients put credentials.
const CARRIERS: [&str; 9] = [
    "authorization",
    "cookie",
    "x-api-key",
    "api-key",
    "apikey",
    "x-auth-token",
    "x-access-token",
    "private-token",
    "x-goog-api-key",
];

/// Looks for such a secret in what the pack itself wrote: headers that carry credentials, the path and the query.
pub(super) fn check(headers: &HeaderMap, url: &Url) -> Result<(), (String, Misplaced)> {
    for name in CARRIERS {
        for value in headers.get_all(HeaderName::from_static(name)) {
            let bytes = super::head::basic(value).unwrap_or_else(|| value.as_bytes().to_vec());
            found(&String::from_utf8_lossy(&bytes))
                .map_err(|kind| (format!("the request's header {name}"), Misplaced::Literal(kind)))?;
        }
    }
    let written = format!("{}?{}", url.path(), url.query().unwrap_or_default());
    let written = percent_encoding::percent_decode_str(&written).decode_utf8_lossy();
    found(&written).map_err(|kind| ("the request's URL".to_owned(), Misplaced::Literal(kind)))
}

fn found(text: &str) -> Result<(), &'static str> {
    let part_of_token = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    for format in &FORMATS {
        for (at, _) in text.match_indices(format.prefix) {
            let begins = at == 0 || !part_of_token(text.as_bytes()[at - 1]);
            let rest = &text.as_bytes()[at + format.prefix.len()..];
            let dots = format.prefix.ends_with('.');
            let length =
                rest.iter().take_while(|byte| part_of_token(**byte) || (dots && **byte == b'.')).count();
            if begins && length >= format.rest {
                return Err(format.kind);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_from_words() {
        let token = format!("ghp_{}", "a1B2".repeat(9));
        for text in
            [token.clone(), format!("Bearer {token}"), format!("a={token}; b=c"), format!("user:{token}")]
        {
            assert_eq!(found(&text), Err("a personal access token of GitHub"), "{text}");
        }
        let key = format!("SG.{}.{}", "a".repeat(22), "b".repeat(43));
        assert!(found(&key).is_err());
        for text in [
            "ghp_short",
            "xghp_",
            "AKIA",
            "risk_live_",
            "/re_act/",
            "Bearer eyJhbGciOiJIUzI1NiJ9.e30.abc",
            "",
        ] {
            assert_eq!(found(text), Ok(()), "{text}");
        }
        assert_eq!(found(&format!("x{token}")), Ok(()), "a part of another word");
    }

    #[test]
    fn the_headers_and_the_url_are_looked_at() {
        let token = format!("ghp_{}", "a1B2".repeat(9));
        let url = Url::parse(&format!("https://a.test/?key={token}")).expect("a URL");
        let (place, _) = check(&HeaderMap::new(), &url).expect_err("a key in the query");
        assert_eq!(place, "the request's URL");
        let url = Url::parse("https://a.test/").expect("a URL");
        let mut headers = HeaderMap::new();
        headers.insert("x-note", token.parse().expect("a value"));
        assert!(check(&headers, &url).is_ok(), "not a header that carries credentials");
        headers.insert("cookie", format!("s={token}").parse().expect("a value"));
        assert!(check(&headers, &url).is_err());
    }
}
