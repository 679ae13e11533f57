//! `/v1/calls`: the kept calls of this caller, of the packs that its token lets it call.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::header::{HeaderValue, RETRY_AFTER};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use packhost_core::ErrorCode;
use schemars::JsonSchema;
use serde::Serialize;
use tokio::time::timeout;

use crate::api::Api;
use crate::extract::{Named, Vouched};
use crate::job::Job;
use crate::problem::Problem;
use crate::reply::json;

/// The longest that a request waits for a kept call, in seconds.
pub(crate) const LONGEST_WAIT: u64 = 60;

/// The kept calls of a caller.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct CallList {
    /// The newest first.
    calls: Vec<CallState>,
}

/// How a kept call is.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct CallState {
    /// Which call.
    run: String,
    /// The pack, by the name that was called.
    pack: String,
    /// Whether it runs or waits for a place, has an answer, or has failed.
    state: Stage,
    /// When it was accepted, in milliseconds since 1970.
    accepted_ms: u64,
    /// How far it had come when it last said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<ProgressMade>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Stage {
    Running,
    Done,
    Failed,
}

/// How far a call has come.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ProgressMade {
    /// Grows.
    done: f64,
    /// In the same unit as `done`.
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<f64>,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

impl From<packhost_engine::Progress> for ProgressMade {
    fn from(progress: packhost_engine::Progress) -> Self {
        Self { done: progress.done, total: progress.total, message: progress.message }
    }
}

impl CallState {
    pub(crate) fn of(job: &Job) -> Self {
        Self {
            run: job.run.to_string(),
            pack: job.pack.clone(),
            state: match job.reply() {
                None => Stage::Running,
                Some(reply) if reply.is_answer() => Stage::Done,
                Some(_) => Stage::Failed,
            },
            accepted_ms: job.since_ms,
            progress: job.progress().map(ProgressMade::from),
        }
    }
}

pub(crate) async fn list(State(api): State<Api>, Vouched(identity): Vouched) -> Response {
    let calls = api.kept().of(&identity).iter().map(|job| CallState::of(job)).collect();
    json(StatusCode::OK, &CallList { calls })
}

pub(crate) async fn look(
    State(api): State<Api>,
    Vouched(identity): Vouched,
    Named(run): Named,
) -> Result<Response, Problem> {
    let job = api.kept().find(&identity, &run).ok_or_else(unknown)?;
    Ok(json(StatusCode::OK, &CallState::of(&job)))
}

/// What the call would have been answered, had its caller waited for it; or how it is, where it still runs.
pub(crate) async fn result(
    State(api): State<Api>,
    Vouched(identity): Vouched,
    Named(run): Named,
    uri: Uri,
) -> Result<Response, Problem> {
    let wait = wait(uri.query())?;
    let job = api.kept().find(&identity, &run).ok_or_else(unknown)?;
    let reply = match (job.reply(), wait) {
        (Some(reply), _) => Some(reply),
        (None, Duration::ZERO) => None,
        (None, wait) => tokio::select! {
            reply = timeout(wait, job.answered()) => reply.ok(),
            () = api.closing().cancelled() => job.reply(),
        },
    };
    Ok(reply.map_or_else(|| not_yet(&job), |reply| reply.into_response()))
}

pub(crate) async fn end(
    State(api): State<Api>,
    Vouched(identity): Vouched,
    Named(run): Named,
) -> Result<Response, Problem> {
    let job = api.kept().find(&identity, &run).ok_or_else(unknown)?;
    job.stop.cancel();
    api.kept().remove(job.run);
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn not_yet(job: &Arc<Job>) -> Response {
    let mut response = json(StatusCode::ACCEPTED, &CallState::of(job));
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

fn unknown() -> Problem {
    Problem::new(ErrorCode::NotFound, "No such call of this caller is kept.")
        .fix("An answer is kept for an hour, until newer ones need its room, or the host ends. Make the call again.")
}

/// What `?wait=SECONDS` says.
fn wait(query: Option<&str>) -> Result<Duration, Problem> {
    let Some(query) = query.filter(|query| !query.is_empty()) else { return Ok(Duration::ZERO) };
    let seconds = query.strip_prefix("wait=").and_then(|seconds| {
        seconds.bytes().all(|b| b.is_ascii_digit()).then(|| seconds.parse::<u64>().ok()).flatten()
    });
    let seconds = seconds.filter(|seconds| *seconds <= LONGEST_WAIT);
    seconds.map(Duration::from_secs).ok_or_else(|| {
        Problem::new(ErrorCode::InvalidInput, "The query says something that is not known.")
            .fix(format!("Send ?wait= with 0 to {LONGEST_WAIT} seconds, or no query."))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_bounded() {
        for (query, seconds) in [(None, 0), (Some(""), 0), (Some("wait=0"), 0), (Some("wait=60"), 60)] {
            assert_eq!(wait(query).expect("a wait"), Duration::from_secs(seconds), "{query:?}");
        }
        for wrong in [
            "wait=61",
            "wait=-1",
            "wait=+1",
            "wait=",
            "wait=1.5",
            "wait=99999999999999999999",
            "w=1",
            "wait=1&wait=2",
        ] {
            assert!(wait(Some(wrong)).is_err(), "{wrong}");
        }
    }
}
