//! A response that can be given more than once: what a call came to, as it goes over the wire.

use axum::body::Bytes;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use packhost_core::{ErrorCode, Failure, RunId};
use packhost_engine::{Ended, Outcome};
use serde::Serialize;

use crate::answer::CallResult;
use crate::problem::{PROBLEM, Problem};

/// The response to a call.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
    retry_after: Option<u64>,
    /// Whether the pack was started. What came of a call that never ran is no answer to another attempt.
    pub(crate) ran: bool,
}

impl Reply {
    pub(crate) fn of(outcome: Outcome) -> Self {
        let Outcome { run, result, mends, revision, session, artifacts, usage, .. } = outcome;
        let ran = !usage.ran.is_zero();
        match result {
            Ok(answer) => {
                let result =
                    CallResult::new(run, answer, &mends, revision, usage, session.as_ref(), artifacts);
                Self { status: StatusCode::OK, body: text(&result), retry_after: None, ran }
            }
            Err(Ended::Failed(failure)) => Self::problem(&Problem::of_call(failure, run, &mends), ran),
            // The client said that it cannot be asked.
            Err(Ended::Asks(_)) => {
                let failure = Failure::new(ErrorCode::Internal, "A question was not put to anybody.");
                Self::problem(&Problem::of_call(failure, run, &mends), ran)
            }
        }
    }

    /// That of a call which its caller took back.
    pub(crate) fn cancelled(run: RunId) -> Self {
        let failure = Failure::new(ErrorCode::Cancelled, "The call was cancelled.");
        Self::problem(&Problem::of_call(failure, run, &[]), true)
    }

    /// That of a call whose answer cannot be kept.
    pub(crate) fn too_large(run: RunId, size: usize, most: usize) -> Self {
        let message = format!("The answer has {size} bytes; of one that is kept there may be {most}.");
        let failure = Failure::new(ErrorCode::ResourceExhausted, message)
            .fix("Wait for the answer: call without Prefer and without Idempotency-Key.");
        Self::problem(&Problem::of_call(failure, run, &[]), true)
    }

    fn problem(problem: &Problem, ran: bool) -> Self {
        Self { status: problem.code(), body: text(problem), retry_after: problem.seconds(), ran }
    }

    /// An answer of so many bytes.
    #[cfg(test)]
    pub(crate) fn sized(size: usize) -> Self {
        Self { status: StatusCode::OK, body: vec![b' '; size].into(), retry_after: None, ran: true }
    }

    pub(crate) fn is_answer(&self) -> bool {
        self.status == StatusCode::OK
    }
}

impl IntoResponse for &Reply {
    fn into_response(self) -> Response {
        let kind = if self.is_answer() { "application/json" } else { PROBLEM };
        let mut response = (self.status, [(CONTENT_TYPE, kind)], self.body.clone()).into_response();
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// A response of JSON.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
    (status, headers, text(body)).into_response()
}

/// The types of this crate have nothing that is not JSON: no keys but texts, and what can fail fails in the engine.
pub(crate) fn text(body: &impl Serialize) -> Bytes {
    serde_json::to_vec(body).unwrap_or_default().into()
}
