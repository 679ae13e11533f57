//! What handlers take from a request.

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use packhost_core::{ErrorCode, Identity};

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

/// The name in a path: of a pack, or of a call.
pub(crate) struct Named(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        path.map(|Path(name)| Self(name))
            .map_err(|_: PathRejection| Problem::new(ErrorCode::NotFound, "The name in the path is no text."))
    }
}
