//! What all handlers have in common, and the routes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use packhost_core::{Caller, ErrorCode};
use packhost_engine::Engine;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::desk::Desk;
use crate::kept::{Bounds, Kept};
use crate::problem::Problem;
use crate::{openapi, operations};

/// Where the OpenAPI document is.
pub const DOCUMENT: &str = "/v1/openapi.json";

/// Who reads the record at once, queries and verifications; more wait.
const READING: usize = 2;

/// The API. Cheap to clone.
#[derive(Clone)]
pub struct Api(Arc<Shared>);

struct Shared {
    engine: Engine,
    kept: Kept,
    tasks: TaskTracker,
    closing: CancellationToken,
    record: Option<PathBuf>,
    reading: Arc<Semaphore>,
    still: Option<Arc<StillLetsIn>>,
    desk: Option<Arc<dyn Desk>>,
}

/// Whether a caller may still come in; why not.
pub type StillLetsIn = dyn Fn(&Caller) -> Result<(), Problem> + Send + Sync;

impl Api {
    /// An API over this engine. Calls run on tasks that `tasks` counts. Once `closing` is cancelled, nobody waits for a kept
    /// call any more.
    pub fn new(engine: Engine, tasks: TaskTracker, closing: CancellationToken) -> Self {
        let (kept, reading) = (Kept::new(Bounds::DEFAULT), Arc::new(Semaphore::new(READING)));
        Self(Arc::new(Shared {
            engine,
            kept,
            tasks,
            closing,
            record: None,
            reading,
            still: None,
            desk: None,
        }))
    }

    /// With the directory of the record, for those who may read it.
    #[must_use]
    pub fn record_at(mut self, dir: Option<PathBuf>) -> Self {
        if let Some(shared) = Arc::get_mut(&mut self.0) {
            shared.record = dir;
        }
        self
    }

    /// The routes below `/v1` but [`DOCUMENT`]. Whoever mounts them bounds the body and puts an
    /// [`Identity`](packhost_core::Identity) into the extensions of each request; one without is refused.
    pub fn routes(&self) -> Router {
        let parameters = openapi::parameters();
        let routes = operations::ALL.iter().fold(Router::new(), |routes, operation| {
            let takes_query = operation.parameters.iter().any(|name| parameters[*name]["in"] == "query");
            let handler = (operation.handler)();
            let handler = if takes_query { handler } else { handler.route_layer(from_fn(no_query)) };
            routes.route(operation.path, handler)
        });
        let nothing = async || Problem::new(ErrorCode::NotFound, "There is nothing at this path.");
        routes
            .route("/v1", any(nothing))
            .route("/v1/", any(nothing))
            .route("/v1/{*path}", any(nothing))
            .method_not_allowed_fallback(no_method)
            .layer(DefaultBodyLimit::disable())
            .with_state(self.clone())
    }

    /// The routes that need no token: what they are asked for says who asks. Whoever mounts them looks at the names in a request.
    pub fn open_routes(&self) -> Router {
        Router::new()
            .route(operations::FOLLOW.path, (operations::FOLLOW.handler)())
            .method_not_allowed_fallback(no_method)
            .with_state(self.clone())
    }

    /// With a way to ask whether a caller, of whom it was proved earlier who it is, may still come in. Without one nobody may.
    #[must_use]
    pub fn letting_in(mut self, still: Arc<StillLetsIn>) -> Self {
        if let Some(shared) = Arc::get_mut(&mut self.0) {
            shared.still = Some(still);
        }
        self
    }

    /// With what an operator looks at.
    #[must_use]
    pub fn with_desk(mut self, desk: Option<Arc<dyn Desk>>) -> Self {
        if let Some(shared) = Arc::get_mut(&mut self.0) {
            shared.desk = desk;
        }
        self
    }

    pub(crate) fn desk(&self) -> Option<&Arc<dyn Desk>> {
        self.0.desk.as_ref()
    }

    pub(crate) fn still_lets_in(&self, caller: &Caller) -> Result<(), Problem> {
        let gone = || Problem::new(ErrorCode::NotFound, "There is no such artifact of this caller.");
        self.0.still.as_ref().ok_or_else(gone)?(caller)
    }

    /// The OpenAPI document at its place. It is the same for everybody, and names no pack.
    pub fn document() -> Router {
        let document = openapi::document().to_string();
        let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "public, max-age=300")];
        Router::new().route(DOCUMENT, get(async move || (headers, document.clone()).into_response()))
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.0.engine
    }

    pub(crate) fn kept(&self) -> &Kept {
        &self.0.kept
    }

    pub(crate) fn record(&self) -> Option<&Path> {
        self.0.record.as_deref()
    }

    /// A turn at reading the record. Whoever reads holds it until it has read: a thread goes on when its request is given up.
    pub(crate) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        // It is never closed.
        Arc::clone(&self.0.reading).acquire_owned().await.ok()
    }

    pub(crate) fn tasks(&self) -> &TaskTracker {
        &self.0.tasks
    }

    pub(crate) fn closing(&self) -> &CancellationToken {
        &self.0.closing
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.0.closing.is_cancelled()
    }
}

/// What is not known in a query is refused and never passed over, also where nothing is.
async fn no_query(request: Request, next: Next) -> Result<Response, Problem> {
    if request.uri().query().is_none_or(str::is_empty) {
        return Ok(next.run(request).await);
    }
    Err(Problem::new(ErrorCode::InvalidInput, "This path takes no query.")
        .fix("Send the request without the question mark and what follows it."))
}

async fn no_method() -> Problem {
    Problem::new(ErrorCode::InvalidInput, "This path does not have this method.")
        .status(StatusCode::METHOD_NOT_ALLOWED)
        .fix("Use a method that the header Allow names.")
}
