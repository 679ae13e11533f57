//! `GET /v1/health`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;

use crate::api::Api;
use crate::extract::Vouched;
use crate::reply::json;

/// How the host is.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Health {
    /// `ok`, or `stopping`: calls that run are waited for, and no other is let in.
    status: &'static str,
    /// The version of packhost.
    version: &'static str,
    /// The revision of the manifest in force.
    revision: String,
    /// How many packs this caller may see.
    packs: usize,
}

pub(crate) async fn health(State(api): State<Api>, Vouched(identity): Vouched) -> Response {
    let health = Health {
        status: if api.is_stopping() { "stopping" } else { "ok" },
        version: env!("CARGO_PKG_VERSION"),
        revision: api.engine().manifest().revision().to_owned(),
        packs: api.engine().catalog().visible_to(&identity).count(),
    };
    json(StatusCode::OK, &health)
}
