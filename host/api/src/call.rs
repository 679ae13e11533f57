//! `POST /v1/packs/{name}/calls`: a call, in whichever of the three ways its answer is wanted.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{HeaderName, HeaderValue, LOCATION, USER_AGENT};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use packhost_core::{Digest, ErrorCode, Identity};
use packhost_engine::{ClientAddress, Peer, TraceParent};
use serde_json::Value;

use crate::api::Api;
use crate::asked::{Asked, Wanted};
use crate::calls::CallState;
use crate::extract::{Named, Vouched};
use crate::job::Job;
use crate::kept::Claim;
use crate::key::REPLAYED;
use crate::problem::Problem;
use crate::reply::json;
use crate::{packs, stream};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

pub(crate) async fn call(
    State(api): State<Api>,
    Vouched(identity): Vouched,
    Named(pack): Named,
    address: Option<Extension<ClientAddress>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let Asked { input, mut wanted, key } = Asked::read(&headers, &body)?;
    // That this caller may not call it, or not know of it, is told at once, by the engine and in its words.
    let callable = packs::callable(&api, &pack, &identity);
    if callable.is_none() {
        wanted = Wanted::Whole;
    }
    let key = key.filter(|_| callable.is_some());
    let peer = peer(address.map(|Extension(address)| address), &headers);
    let job = Job::new(identity.caller.clone(), pack, callable, peer);
    if wanted != Wanted::Later && key.is_none() {
        return Ok(once(&api, &job, identity, input, wanted).await);
    }
    let print = Digest::of(&[job.pack.as_bytes(), b"\0", &body[..]].concat());
    match api.kept().claim(&job, key.map(|key| (key, print)), wanted != Wanted::Later)? {
        Claim::New => Ok(kept(&api, &job, identity, input, wanted).await),
        Claim::Same(earlier) => again(&earlier, wanted),
    }
}

/// Where the program is, what it says of itself (RFC 9110 section 10.1.5) and of the trace that the call is part of.
fn peer(address: Option<ClientAddress>, headers: &HeaderMap) -> Peer {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let product = text(USER_AGENT).and_then(|agent| agent.split(' ').next());
    let client = product.map(|product| product.split_once('/').unwrap_or((product, "")));
    Peer {
        address: address.map(|ClientAddress(address)| address),
        client: client.map(|(name, version)| (name.to_owned(), version.to_owned())),
        protocol: Some("v1".to_owned()),
        trace: text(TRACEPARENT).and_then(TraceParent::parse),
    }
}

/// A call that ends when its caller goes away.
async fn once(api: &Api, job: &Arc<Job>, identity: Identity, input: Value, wanted: Wanted) -> Response {
    let stop = job.stop.clone().drop_guard();
    let said = job.start(api, identity, input);
    match wanted {
        Wanted::Events => stream::events(Arc::clone(job), said, Some(stop)),
        Wanted::Whole | Wanted::Later => {
            drop(said);
            let reply = job.answered().await;
            stop.disarm();
            reply.into_response()
        }
    }
}

/// A call that goes on whether or not anybody waits for it.
async fn kept(api: &Api, job: &Arc<Job>, identity: Identity, input: Value, wanted: Wanted) -> Response {
    let said = job.start(api, identity, input);
    match wanted {
        Wanted::Events => stream::events(Arc::clone(job), said, None),
        Wanted::Whole => job.answered().await.into_response(),
        Wanted::Later => accepted(job),
    }
}

/// The answer to a second attempt at the same call.
fn again(earlier: &Arc<Job>, wanted: Wanted) -> Result<Response, Problem> {
    let mut response = match (wanted, earlier.reply()) {
        (Wanted::Later, _) => accepted(earlier),
        (Wanted::Whole, Some(reply)) => reply.into_response(),
        (Wanted::Events, Some(_)) => stream::ended(Arc::clone(earlier)),
        (_, None) => return Err(still_running(earlier)),
    };
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}

fn accepted(job: &Job) -> Response {
    let mut response = json(StatusCode::ACCEPTED, &CallState::of(job));
    response.headers_mut().insert(PREFERENCE_APPLIED, HeaderValue::from_static("respond-async"));
    if let Ok(place) = place(job) {
        response.headers_mut().insert(LOCATION, place);
    }
    response
}

fn still_running(job: &Job) -> Problem {
    let problem =
        Problem::new(ErrorCode::RateLimited, "The first request with this Idempotency-Key is still running.")
            .status(StatusCode::CONFLICT)
            .retry_after(Duration::from_secs(1))
            .fix("Send the same request again later.");
    match place(job) {
        Ok(place) => problem.header(LOCATION, place),
        Err(_) => problem,
    }
}

/// Where the call can be looked at. An id is letters, digits and dashes.
fn place(job: &Job) -> Result<HeaderValue, axum::http::header::InvalidHeaderValue> {
    HeaderValue::from_str(&format!("/v1/calls/{}", job.run))
}
