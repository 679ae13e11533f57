//! What a request for a call says: the input, and how its answer is wanted.

use axum::http::header::{ACCEPT, CONTENT_TYPE, HeaderName};
use axum::http::{HeaderMap, StatusCode};
use packhost_core::ErrorCode;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::key::Key;
use crate::problem::Problem;

const PREFER: HeaderName = HeaderName::from_static("prefer");

/// The body of a request for a call.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CallRequest {
    /// The input, as the pack's input schema describes it.
    // Never written; the document takes it for a word that may be left out.
    #[serde(default = "nothing", skip_serializing_if = "Value::is_null")]
    pub(crate) input: Value,
}

fn nothing() -> Value {
    Value::Object(serde_json::Map::new())
}

/// How the answer is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// As the response.
    Whole,
    /// As the last of a stream of events (`Accept: text/event-stream`).
    Events,
    /// Not now (`Prefer: respond-async`, RFC 7240 section 4.1).
    Later,
}

/// A request for a call.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) input: Value,
    pub(crate) wanted: Wanted,
    pub(crate) key: Option<Key>,
}

impl Asked {
    /// # Errors
    /// Where the body or a header is not what it should be.
    pub(crate) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Self, Problem> {
        let is_json =
            headers.get(CONTENT_TYPE).is_some_and(|kind| essence(kind.as_bytes()) == b"application/json");
        if !is_json {
            return Err(Problem::new(ErrorCode::InvalidInput, "The body is not said to be JSON.")
                .status(StatusCode::UNSUPPORTED_MEDIA_TYPE)
                .fix("Send it with Content-Type: application/json."));
        }
        // An object first: serde takes a list for the fields in their order.
        let request = serde_json::from_slice(body).map(Value::Object).and_then(serde_json::from_value);
        let request: CallRequest = request.map_err(|error| {
            Problem::new(ErrorCode::InvalidInput, format!("The body is not a call: {error}."))
                .fix("Send a JSON object with the pack's input: {\"input\": {}}.")
        })?;
        Ok(Self { input: request.input, wanted: Wanted::of(headers), key: Key::of(headers)? })
    }
}

impl Wanted {
    fn of(headers: &HeaderMap) -> Self {
        if listed(headers, &PREFER).any(|item| essence(item) == b"respond-async") {
            return Self::Later;
        }
        let accepts = |kind: &[u8]| listed(headers, &ACCEPT).any(|item| essence(item) == kind);
        // Who takes both gets what is easier to read.
        if accepts(b"text/event-stream") && !accepts(b"application/json") {
            Self::Events
        } else {
            Self::Whole
        }
    }
}

/// The items of a header that is a list, over all of its lines.
fn listed<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    headers.get_all(name).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
}

/// An item without its parameters, in lower case.
fn essence(item: &[u8]) -> Vec<u8> {
    let bare = item.split(|byte| *byte == b';').next().unwrap_or_default();
    bare.trim_ascii().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use serde_json::json;

    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let lines = lines.iter().map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v)));
        lines.collect()
    }

    #[test]
    fn how_the_answer_is_wanted_stands_in_the_headers() {
        let cases: [(&[(&'static str, &'static str)], Wanted); 7] = [
            (&[], Wanted::Whole),
            (&[("accept", "*/*")], Wanted::Whole),
            (&[("accept", "application/json, text/event-stream")], Wanted::Whole),
            (&[("accept", "Text/Event-Stream;q=1")], Wanted::Events),
            (&[("prefer", "wait=5, Respond-Async")], Wanted::Later),
            (&[("prefer", "respond-asynchronously")], Wanted::Whole),
            (&[("prefer", "respond-async"), ("accept", "text/event-stream")], Wanted::Later),
        ];
        for (lines, wanted) in cases {
            assert_eq!(Wanted::of(&headers(lines)), wanted, "{lines:?}");
        }
    }

    #[test]
    fn a_body_is_a_call_or_is_refused() {
        let json = headers(&[("content-type", "application/json; charset=utf-8")]);
        let read = |body: &str| Asked::read(&json, body.as_bytes()).map(|asked| asked.input);
        assert_eq!(read(r#"{"input": {"a": 1}}"#).expect("a call"), json!({"a": 1}));
        assert_eq!(read("{}").expect("a call"), json!({}));
        let deep = format!("{{\"input\": {}", "[".repeat(100_000));
        for wrong in ["", "7", "[]", "nonsense", r#"{"input": {}, "more": 1}"#, r#"{"input": {}} x"#, &deep] {
            assert_eq!(read(wrong).expect_err("no call").code(), StatusCode::BAD_REQUEST, "{:.50}", wrong);
        }
        for kind in [&[][..], &[("content-type", "text/plain")], &[("content-type", "application/jsonx")]] {
            let refused = Asked::read(&headers(kind), b"{}").expect_err("not JSON");
            assert_eq!(refused.code(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
        }
    }
}
