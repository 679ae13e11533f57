//! What a status other than 2xx means, in words and with what to change.

use std::time::{Duration, SystemTime};

use packhost_sdk::Error;
use packhost_sdk::http::{Reply, Request};
use serde_json::Value;

use crate::client::Subject;

/// What GitHub asks to wait where it limits a client and does not say how long.
const MINUTE: Duration = Duration::from_secs(60);

/// The longest that one of GitHub's limits lasts.
const HOUR: Duration = Duration::from_secs(60 * 60);

/// How long to wait after a fault of the server's.
const FAULT: Duration = Duration::from_secs(10);

/// Characters of the other side's words, and how many of its errors are told.
const WORDS: usize = 300;
const ERRORS: usize = 5;

/// The error for an answer that is none.
pub(crate) fn explain(
    reply: &Reply,
    request: &Request,
    subject: &Subject<'_>,
    credential: Option<&str>,
) -> Error {
    let said = Said::read(reply);
    match reply.status {
        401 => refused(&said, credential),
        403 | 429 if let Some(wait) = limited(reply, &said) => slow_down(wait, &said, credential),
        403 if said.message.to_ascii_lowercase().contains("archived") => {
            Error::invalid_input(said.sentence("GitHub did not do it")).pointer("/repo")
        }
        403 => not_permitted(reply, &said, credential),
        404 => Error::not_found(format!(
            "GitHub knows nothing of {}, or this credential may not see it: a private repository looks the same.",
            subject.words
        ))
        .fix(match credential {
            Some(name) => format!("Check the spelling. For a private repository, the operator has to give the credential {name} access to it."),
            None => "Check the spelling. Without a credential, only public repositories are seen.".into(),
        }),
        301 | 302 | 307 | 308 => Error::not_found(format!("GitHub has moved {}.", subject.words))
            .fix("The repository was renamed or given to another owner: look for its present name and use that.")
            .pointer("/repo"),
        409 => Error::invalid_input(said.sentence("The state of the repository does not allow that"))
            .fix("Look at its present state before another try."),
        400 | 410 | 413 | 422 => invalid(&said, subject),
        500.. => fault(reply, request),
        status => Error::failed(said.sentence(&format!("GitHub answered with status {status}"))),
    }
}

/// What GitHub says of an error.
struct Said {
    message: String,
    errors: Vec<Value>,
}

impl Said {
    fn read(reply: &Reply) -> Self {
        let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let errors = match &body["errors"] {
            Value::Array(errors) => errors.iter().take(ERRORS).cloned().collect(),
            text @ Value::String(_) => vec![text.clone()],
            _ => Vec::new(),
        };
        Self { message: plain(body["message"].as_str().unwrap_or_default()), errors }
    }

    /// A sentence of ours and GitHub's words behind it.
    fn sentence(&self, ours: &str) -> String {
        match self.message.is_empty() {
            true => format!("{ours}."),
            false => format!("{ours}: {}.", self.message),
        }
    }
}

/// The other side's words on one line, without the full stop, cut.
fn plain(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(WORDS).collect();
    line.trim().trim_end_matches('.').to_owned()
}

fn refused(said: &Said, credential: Option<&str>) -> Error {
    let fix = match credential {
        Some(name) => format!("The operator has to set or renew the credential {name} in the vault."),
        None => "The operator has to name a credential in this pack's manifest entry.".into(),
    };
    Error::auth_failed(said.sentence("GitHub did not accept the credential")).fix(fix)
}

/// How long to wait, if this is one of GitHub's limits: the hourly one, or a secondary one for too much at once.
fn limited(reply: &Reply, said: &Said) -> Option<Duration> {
    if let Some(wait) = reply.retry_after() {
        return Some(wait.max(Duration::from_secs(1)));
    }
    if reply.header("x-ratelimit-remaining").is_some_and(|left| left.trim() == "0") {
        let reset = reply.header("x-ratelimit-reset").and_then(|at| at.trim().parse().ok());
        let reset = reset.and_then(|at| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(at)));
        let wait = reset.and_then(|at| reply.until(at)).unwrap_or(MINUTE);
        return Some(wait.clamp(Duration::from_secs(1), HOUR));
    }
    let named = said.message.to_ascii_lowercase().contains("rate limit");
    (reply.status == 429 || named).then_some(MINUTE)
}

fn slow_down(wait: Duration, said: &Said, credential: Option<&str>) -> Error {
    let error = Error::rate_limited(said.sentence("GitHub asks to slow down")).retry_after(wait);
    match credential {
        Some(_) => error.fix(format!("Wait {} seconds before the next call.", wait.as_secs())),
        None => error.fix("Wait. Without a credential GitHub allows few requests; the operator can set one."),
    }
}

/// 403 for a credential that is known and may not do this. What it would need is in the headers where GitHub says so.
fn not_permitted(reply: &Reply, said: &Said, credential: Option<&str>) -> Error {
    let header = |name| reply.header(name).map(plain).filter(|value| !value.is_empty());
    let who = match credential {
        Some(name) => format!("The operator has to give the credential {name}"),
        None => "The operator has to name a credential in this pack's manifest entry, with".into(),
    };
    let fix = if header("x-github-sso").is_some() {
        format!("{who} access through the organisation's single sign-on.")
    } else if let Some(needed) = header("x-accepted-github-permissions") {
        format!("{who} the permission {needed}.")
    } else if let Some(scopes) = header("x-accepted-oauth-scopes") {
        format!("{who} one of the scopes {scopes}.")
    } else {
        format!("{who} the permission for this.")
    };
    Error::auth_failed(said.sentence("GitHub does not permit this")).fix(fix)
}

fn invalid(said: &Said, subject: &Subject<'_>) -> Error {
    let mut what: Vec<String> = said.errors.iter().map(|error| one(error, subject)).collect();
    if what.is_empty() && !said.message.is_empty() {
        what.push(said.message.clone());
    }
    let message = match what.is_empty() {
        true => "GitHub did not accept the input.".to_owned(),
        false => format!("GitHub did not accept the input: {}.", what.join("; ")),
    };
    let at = said.errors.iter().find_map(|error| input(error["field"].as_str()?, subject));
    let error = Error::invalid_input(message);
    match at {
        Some(pointer) => error.fix(format!("Change \"{}\".", &pointer[1..])).pointer(pointer),
        None => error,
    }
}

/// One of GitHub's `errors`: a text, or an object with a field and a code.
fn one(error: &Value, subject: &Subject<'_>) -> String {
    if let Some(text) = error.as_str().or_else(|| error["message"].as_str()).filter(|text| !text.is_empty()) {
        return plain(text);
    }
    let text = |key: &str| plain(error[key].as_str().unwrap_or_default());
    let (field, code, resource) = (text("field"), text("code"), text("resource"));
    let field = input(&field, subject).map_or(field.as_str(), |pointer| &pointer[1..]);
    match code.as_str() {
        "missing_field" => format!("\"{field}\" is missing"),
        "missing" => format!("what \"{field}\" names does not exist"),
        "invalid" => format!("\"{field}\" is not valid"),
        "already_exists" => format!("there is already a {resource} with this \"{field}\""),
        "unprocessable" => format!("\"{field}\" cannot be used"),
        _ => format!("{resource} \"{field}\": {code}"),
    }
}

/// The pointer to the input that a field of GitHub's comes from.
fn input(field: &str, subject: &Subject<'_>) -> Option<&'static str> {
    subject.inputs.iter().find(|(known, _)| *known == field).map(|(_, pointer)| *pointer)
}

/// A fault of the server's. What reads may simply be tried again; what writes may have been done all the same, so no wait
/// is named after which it could be.
fn fault(reply: &Reply, request: &Request) -> Error {
    let error = Error::failed(format!("GitHub has a fault of its own (status {}).", reply.status));
    match request.method.as_str() {
        "GET" => error.fix("Try again later.").retry_after(reply.retry_after().unwrap_or(FAULT)),
        _ => error.fix("It may have been done all the same: look before you try again."),
    }
}
