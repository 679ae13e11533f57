//! What went wrong, as problem details (RFC 9457): the closed set of errors in the words that every door has.

use std::time::Duration;

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use packhost_core::{ErrorCode, Failure, Retry, RunId};
use packhost_schema::Mend;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde_json::Value;

use crate::answer::Mended;

/// The media type (RFC 9457 section 6.1).
pub(crate) const PROBLEM: &str = "application/problem+json";

/// Why there is no answer. Boxed: it travels in every `Result` of a handler.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct Problem(Box<Details>);

/// Why there is no answer.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(crate) struct Details {
    /// The kind of problem: `urn:packhost:error:` and the code.
    #[serde(rename = "type")]
    kind: String,
    /// What the code means at this door, in a sentence that is always the same.
    title: &'static str,
    /// The status of the response.
    #[schemars(range(min = 400, max = 599))]
    status: u16,
    /// What went wrong this time.
    detail: String,
    /// Which of the closed set of errors it is.
    #[schemars(schema_with = "codes")]
    code: &'static str,
    /// Whether the same request may succeed later without any change to it.
    retry: bool,
    /// After how many milliseconds it may.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
    /// Where in the input, as a JSON pointer (RFC 6901).
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<String>,
    /// What was expected there.
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<String>,
    /// What was found there.
    #[serde(skip_serializing_if = "Option::is_none")]
    got: Option<String>,
    /// An input that is valid as it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    example: Option<Value>,
    /// What to do, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
    /// The pack's own error as data, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Value>,
    /// The call that failed, where there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<String>,
    /// What was mended in the input of that call before it failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mends: Vec<Mended>,
    #[serde(skip)]
    headers: HeaderMap,
}

fn codes(_: &mut SchemaGenerator) -> Schema {
    let codes: Vec<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    json_schema!({ "type": "string", "enum": codes })
}

impl Problem {
    /// A problem with the code's own status.
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Failure::new(code, detail).into()
    }

    /// With another status, where HTTP has a closer one than the code.
    #[must_use]
    pub fn status(mut self, status: StatusCode) -> Self {
        self.0.status = status.as_u16();
        self
    }

    /// With what to do about it.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.0.fix = Some(fix.into());
        self
    }

    /// With the time after which the same request may succeed.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        (self.0.retry, self.0.retry_after_ms) = (true, Some(millis(wait)));
        self
    }

    /// With these headers besides its own, such as a challenge.
    #[must_use]
    pub fn headers(mut self, headers: HeaderMap) -> Self {
        self.0.headers.extend(headers);
        self
    }

    /// With one more header.
    #[must_use]
    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }

    /// As that of a call.
    pub(crate) fn of_call(failure: Failure, run: RunId, mends: &[Mend]) -> Self {
        let mut problem = Self::from(failure);
        problem.0.run = Some(run.to_string());
        problem.0.mends = mends.iter().map(Mended::from).collect();
        problem
    }

    /// Which of the closed set of errors it is.
    pub(crate) fn word(&self) -> &'static str {
        self.0.code
    }

    pub(crate) fn code(&self) -> StatusCode {
        StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// What `Retry-After` says, in whole seconds (RFC 9110 section 10.2.3).
    pub(crate) fn seconds(&self) -> Option<u64> {
        self.0.retry_after_ms.map(|ms| ms.div_ceil(1000))
    }
}

impl From<Failure> for Problem {
    /// The cause is not in it.
    fn from(failure: Failure) -> Self {
        let advice = *failure.advice;
        Self(Box::new(Details {
            kind: format!("urn:packhost:error:{}", failure.code),
            title: title(failure.code),
            status: failure.code.http_status(),
            detail: failure.message,
            code: failure.code.as_str(),
            retry: failure.retry != Retry::No,
            retry_after_ms: match failure.retry {
                Retry::After(wait) => Some(millis(wait)),
                Retry::No | Retry::Later => None,
            },
            pointer: advice.pointer,
            expected: advice.expected,
            got: advice.got,
            example: advice.example,
            fix: advice.fix,
            details: advice.details,
            run: None,
            mends: Vec::new(),
            headers: HeaderMap::new(),
        }))
    }
}

/// The other doors have an input and nothing around it. A kind of problem has one title (RFC 9457 section 3.1.3), so this one has to
/// be right of a query and of a header as well.
fn title(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::InvalidInput => "The request, or the pack's input in it, is not as it has to be.",
        code => code.meaning(),
    }
}

fn millis(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut headers = self.0.headers.clone();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.seconds() {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        (self.code(), headers, serde_json::to_vec(&self).unwrap_or_default()).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_says_what_the_other_doors_say() {
        for &code in ErrorCode::ALL {
            let failure = Failure::new(code, "It broke.").fix("Mend it.").cause("at /etc/secret");
            let elsewhere = failure.to_json();
            let here = serde_json::to_value(Problem::from(failure)).expect("JSON");
            for (name, value) in elsewhere.as_object().expect("an object") {
                let name = if name == "message" { "detail" } else { name };
                assert_eq!(here.get(name), Some(value), "{code}: {name}");
            }
            assert_eq!(here["status"], code.http_status());
            assert!(here["title"] == code.meaning() || code == ErrorCode::InvalidInput, "{here}");
            assert!(!here.to_string().contains("secret"), "the cause of {code} is told");
        }
    }

    #[test]
    fn a_query_a_header_and_an_input_are_one_kind_of_problem_with_a_title_that_is_right_of_each() {
        let failure = Failure::new(ErrorCode::InvalidInput, "The property \"text\" is missing.");
        let of = |problem: Problem| {
            let json = serde_json::to_value(problem).expect("JSON");
            (json["type"].clone(), json["title"].clone())
        };
        let input = of(Problem::of_call(failure, RunId::fresh(), &[]));
        let query = of(Problem::new(ErrorCode::InvalidInput, "The query is not understood."));
        assert_eq!(input, query);
        let title = query.1.as_str().expect("a sentence");
        assert!(title.contains("request") && title.contains("input") && !title.contains("schema"), "{title}");
    }

    #[test]
    fn a_wait_is_told_in_whole_seconds_and_never_too_short() {
        for (wait, said) in [(0, "0"), (1, "1"), (1000, "1"), (1001, "2")] {
            let problem =
                Problem::new(ErrorCode::RateLimited, "Wait.").retry_after(Duration::from_millis(wait));
            let response = problem.into_response();
            assert_eq!(response.headers()[RETRY_AFTER], said);
            assert_eq!(response.headers()[CONTENT_TYPE], PROBLEM);
        }
    }
}
