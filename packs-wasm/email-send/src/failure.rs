//! What the provider says when it does not take a message. Resend's errors have a `name` and a `message`.

use std::time::Duration;

use packhost_sdk::Error;
use packhost_sdk::api::Api;
use packhost_sdk::http::Reply;
use packhost_sdk::serde_json::{self, Value};

/// Characters of the provider's words.
const WORDS: usize = 300;

/// How long to wait where the provider does not say.
const WAIT: Duration = Duration::from_secs(10);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(crate) fn explain(reply: &Reply, api: &Api) -> Error {
    let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let (name, words) = (body["name"].as_str().unwrap_or_default(), said(&body));
    let sentence = |ours: &str| match words.is_empty() {
        true => format!("{ours}."),
        false => format!("{ours}: {words}."),
    };
    match (reply.status, name) {
        (401, _) | (403, "invalid_api_key" | "restricted_api_key") => refused(&sentence, api),
        (403 | 422, _) if words.contains("domain") || name == "invalid_from_address" => {
            Error::invalid_input(sentence("The provider does not send from this address"))
                .fix("Use a \"from\" at a domain that the operator has verified with the provider.")
                .pointer("/from")
        }
        (403, _) => Error::auth_failed(sentence("The provider does not permit this")).fix(
            "The operator has to see to the provider's account: what it may send, and from which domain.",
        ),
        (429, "daily_quota_exceeded" | "monthly_quota_exceeded") => {
            Error::rate_limited(sentence("The account has sent all that it may for now"))
                .fix("Try again when the provider's next day or month begins, or ask the operator.")
                .retry_after(reply.retry_after().unwrap_or(DAY))
        }
        (429, _) => Error::rate_limited(sentence("The provider asks to slow down"))
            .fix("Wait before the next call.")
            .retry_after(reply.retry_after().unwrap_or(WAIT)),
        (409, _) => Error::failed(sentence("The same message is being sent by another call"))
            .fix("Wait, and do not send it again.")
            .retry_after(reply.retry_after().unwrap_or(WAIT)),
        (404 | 405, _) => Error::failed(format!("There is no e-mail API at {}.", api.host()))
            .fix("The operator has to correct the config value \"api\" of this pack's manifest entry."),
        (400 | 413 | 422, _) => {
            let error = Error::invalid_input(sentence("The provider did not accept the message"));
            match field(&words) {
                Some(field) => error.fix(format!("Change \"{field}\".")).pointer(format!("/{field}")),
                None => error,
            }
        }
        (500.., _) => {
            Error::failed(format!("The provider has a fault of its own (status {}).", reply.status))
                .fix("Try the same call again later: the message is not sent twice.")
                .retry_after(reply.retry_after().unwrap_or(WAIT))
        }
        (status, _) => Error::failed(sentence(&format!("The provider answered with status {status}"))),
    }
}

fn refused(sentence: &impl Fn(&str) -> String, api: &Api) -> Error {
    let fix = match api.credential() {
        Some(name) => format!("The operator has to set or renew the credential {name} in the vault."),
        None => "The operator has to name a credential in this pack's manifest entry.".into(),
    };
    Error::auth_failed(sentence("The provider did not accept the credential")).fix(fix)
}

/// The provider's words on one line, without the full stop, cut.
fn said(body: &Value) -> String {
    let message = body["message"].as_str().or_else(|| body["error"].as_str()).unwrap_or_default();
    let line: String = message.chars().map(|c| if c.is_control() { ' ' } else { c }).take(WORDS).collect();
    line.trim().trim_end_matches('.').to_owned()
}

/// The input that Resend names in backquotes, as in "Invalid `to` field".
fn field(words: &str) -> Option<&str> {
    let named = words.split('`').nth(1)?;
    ["to", "from", "subject", "text", "html", "cc", "bcc", "reply_to"]
        .into_iter()
        .find(|field| *field == named)
}
