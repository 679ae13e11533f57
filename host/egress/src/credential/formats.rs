//! Secrets of well-known formats, by the prefixes that their issuers gave them to be found by.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use http::HeaderMap;
use url::{Position, Url};

use super::Misplaced;

/// A prefix, how many characters of a token follow it at least, the signs among them besides letters and digits, and what
/// it is.
struct Format {
    prefix: &'static str,
    rest: usize,
    signs: &'static str,
    kind: &'static str,
}

const fn format(prefix: &'static str, rest: usize, signs: &'static str, kind: &'static str) -> Format {
    Format { prefix, rest, signs, kind }
}

/// Long-lived keys that a person was given. Not here: what a server hands out in a call (session cookies, access tokens
/// of OAuth, JWTs), which a pack may well carry from one request to the next.
const FORMATS: [Format; 22] = [
    format("ghp_", 36, "", "a personal access token of GitHub"),
    format("github_pat_", 22, "_", "a personal access token of GitHub"),
    format("glpat-", 20, "_-.", "a personal access token of GitLab"),
    format("sk-ant-", 24, "_-", "an API key of Anthropic"),
    format("sk-proj-", 24, "_-", "an API key of OpenAI"),
    format("sk_live_", 16, "", "a secret key of Stripe"),
    format("rk_live_", 16, "", "a restricted key of Stripe"),
    format("AKIA", 16, "", "an access key of AWS"),
    format("AIza", 35, "_-", "an API key of Google"),
    format("xoxb-", 20, "-", "a bot token of Slack"),
    format("xoxp-", 20, "-", "a user token of Slack"),
    format("xapp-", 20, "-", "an app token of Slack"),
    format("npm_", 36, "", "an access token of npm"),
    format("pypi-AgEI", 50, "_-", "an API token of PyPI"),
    format("dckr_pat_", 20, "_-", "an access token of Docker"),
    format("SG.", 60, "_-.", "an API key of SendGrid"),
    format("re_", 30, "_", "an API key of Resend"),
    format("hf_", 30, "", "an access token of Hugging Face"),
    format("dop_v1_", 40, "", "an access token of DigitalOcean"),
    format("shpat_", 32, "", "an access token of Shopify"),
    format("sntrys_", 40, "_-", "an access token of Sentry"),
    format("lin_api_", 32, "", "an API key of Linear"),
];

/// Finds where one begins, by its place in [`FORMATS`].
static PREFIXES: LazyLock<AhoCorasick> = LazyLock::new(|| {
    let prefixes = FORMATS.iter().map(|format| format.prefix);
    AhoCorasick::new(prefixes).expect("a few short texts make no large automaton")
});

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
    for (name, value) in headers.iter().filter(|(name, _)| CARRIERS.contains(&name.as_str())) {
        let bytes = super::head::basic(value).unwrap_or_else(|| value.as_bytes().to_vec());
        found(&String::from_utf8_lossy(&bytes))
            .map_err(|kind| (format!("the request's header {name}"), Misplaced::Literal(kind)))?;
    }
    let written = &url[Position::BeforePath..Position::AfterQuery];
    let written = percent_encoding::percent_decode_str(written).decode_utf8_lossy();
    found(&written).map_err(|kind| ("the request's URL".to_owned(), Misplaced::Literal(kind)))
}

fn found(text: &str) -> Result<(), &'static str> {
    let part_of_word = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    for prefix in PREFIXES.find_overlapping_iter(text) {
        let (format, at) = (&FORMATS[prefix.pattern().as_usize()], prefix.start());
        let of_token = |byte: u8| byte.is_ascii_alphanumeric() || format.signs.as_bytes().contains(&byte);
        let begins = at == 0 || !part_of_word(text.as_bytes()[at - 1]);
        let rest = &text.as_bytes()[prefix.end()..];
        let rest = &rest[..rest.iter().take_while(|byte| of_token(**byte)).count()];
        // Words with a sign between them, as a title has in a URL, have none of these.
        let random = rest.iter().any(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
        if begins && random && rest.len() >= format.rest {
            return Err(format.kind);
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
        for key in [
            format!("SG.{}.{}", "aB".repeat(11), "b".repeat(43)),
            format!("re_{}_{}", "a1B2".repeat(2), "Cd34".repeat(6)),
            format!("AKIA{}", "A2".repeat(8)),
            format!("hf_{}", "aB".repeat(17)),
            format!("xoxb-{}-{}", "12".repeat(6), "aB3".repeat(8)),
            format!("github_pat_{}_{}", "A1b".repeat(7), "c2D".repeat(19)),
        ] {
            assert!(found(&key).is_err(), "{key}");
        }
        for text in [
            "ghp_short",
            "xghp_",
            "AKIA",
            "risk_live_",
            "/re_act/",
            "/re_opening_of_the_museum_after_the_restoration",
            "/re_-Opening-of-the-museum-after-the-restoration",
            "AKIA-is-how-they-begin-and-not-only-they",
            "npm_and_yarn_and_what_else_there_is_for_packages",
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
