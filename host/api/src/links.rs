//! Links to artifacts that are good without a token, for a while: for a browser, and for programs that have none.

use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use packhost_artifacts::Artifacts;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::Api;
use crate::artifacts::{named, reader, refused, send, store};
use crate::extract::{Asked, Named, Vouched};
use crate::problem::Problem;
use crate::reply::json;
use packhost_core::ErrorCode;

/// How long a link is good unless something else is said, in seconds.
const USUAL: u64 = 3600;
/// How long it may be good, in seconds.
pub(crate) const LONGEST: u64 = Artifacts::LINK.as_secs();

/// A link.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ArtifactLink {
    /// Where the bytes are, without a token. Relative to where this API is.
    url: String,
    /// When it is over, in milliseconds since 1970.
    expires: u64,
}

/// For how long.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lasts {
    seconds: Option<u64>,
}

pub(crate) async fn make(
    State(api): State<Api>,
    Vouched(identity): Vouched,
    Named(id): Named,
    Asked(Lasts { seconds }): Asked<Lasts>,
) -> Result<Response, Problem> {
    let artifacts = reader(&api, &identity)?;
    let seconds = seconds.unwrap_or(USUAL);
    if !(1..=LONGEST).contains(&seconds) {
        return Err(Problem::new(ErrorCode::InvalidInput, "\"seconds\" is out of range.")
            .fix(format!("Send 1 to {LONGEST}.")));
    }
    let made = artifacts.link(&identity.caller, &named(&id)?, Duration::from_secs(seconds)).await;
    let (link, expires) = made.map_err(refused)?;
    Ok(json(StatusCode::CREATED, &ArtifactLink { url: format!("/v1/links/{link}"), expires }))
}

/// The bytes, as those that the caller of the link would get, if that one may still come in.
pub(crate) async fn follow(
    State(api): State<Api>,
    Named(link): Named,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let artifacts = store(&api)?;
    let linked = artifacts.linked(&link).await.map_err(refused)?;
    api.still_lets_in(&linked.caller)?;
    send(artifacts, Some(&linked.caller), &linked.id, &headers).await
}
