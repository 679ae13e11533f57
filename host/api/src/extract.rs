//! What handlers take from a request.

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use packhost_core::{ErrorCode, Identity, Scope};
use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// Who calls, as the listener vouches for it.
pub(crate) struct Vouched(pub(crate) Identity);

impl<S: Send + Sync> FromRequestParts<S> for Vouched {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let identity = parts.extensions.get::<Identity>().cloned();
        // A request that nobody vouches for is nobody's.
        identity
            .map(Self)
            .ok_or_else(|| Problem::new(ErrorCode::Internal, "The listener did not say who calls."))
    }
}

/// The name in a path: of a pack, a call, or something that one has made.
pub(crate) struct Named(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        path.map(|Path(name)| Self(name))
            .map_err(|_: PathRejection| Problem::new(ErrorCode::NotFound, "The name in the path is no text."))
    }
}

/// What the query says. Something that is not known there is refused, and never passed over.
pub(crate) struct Asked<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Query::<T>::try_from_uri(&parts.uri).map(|Query(asked)| Self(asked)).map_err(|error| {
            // What axum says names the parameter and what is wrong with it.
            Problem::new(
                ErrorCode::InvalidInput,
                format!("The query is not understood: {}.", error.body_text()),
            )
            .fix("GET /v1/openapi.json says what each path takes.")
        })
    }
}

/// A parameter that is written in a form of its own.
///
/// # Errors
/// Where it is not.
pub(crate) fn parsed<T>(
    text: Option<String>,
    name: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, Problem> {
    let Some(text) = text else { return Ok(None) };
    parse(&text).map(Some).ok_or_else(|| {
        Problem::new(ErrorCode::InvalidInput, format!("\"{name}\" is not written as it should be."))
            .fix("GET /v1/openapi.json says how.")
    })
}

/// # Errors
/// Where the caller's proof does not let it do this.
pub(crate) fn allowed(identity: &Identity, scope: &Scope) -> Result<(), Problem> {
    if identity.scopes.allow(scope) {
        return Ok(());
    }
    Err(Problem::new(ErrorCode::CapabilityDenied, "The token of this caller does not let it do this.")
        .fix(format!("Ask for a token with the scope \"{scope}\".")))
}
