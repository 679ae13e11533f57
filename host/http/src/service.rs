//! The routes.

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{any_service, get};
use rmcp::ServerHandler;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::guard::{Guard, guard};
use crate::sessions::Sessions;
use crate::{BindError, Settings};

/// Everything behind the socket.
pub(crate) struct Service {
    pub(crate) routes: Router,
    /// Requests that have not been answered to the end.
    pub(crate) unanswered: TaskTracker,
    /// Ends all sessions and streams.
    pub(crate) stop: CancellationToken,
}

impl Service {
    /// # Errors
    /// Where an origin in the settings is none.
    pub(crate) fn new<H, F>(settings: &Settings, handler: F) -> Result<Self, BindError>
    where
        H: ServerHandler,
        F: Fn() -> H + Send + Sync + 'static,
    {
        let (stop, unanswered) = (CancellationToken::new(), TaskTracker::new());
        let guarded = Guard {
            tokens: settings.tokens.clone(),
            sessions: Sessions::new(settings),
            max_body: settings.max_body,
            body_timeout: settings.body_timeout,
            unanswered: unanswered.clone(),
        };
        // One JSON body is a third faster than a stream of one event; rmcp streams where a call says something
        // before its answer.
        let config = StreamableHttpServerConfig::default()
            .with_json_response(true)
            .with_allowed_hosts(settings.hosts())
            .with_allowed_origins(settings.origins()?)
            .enforce_origin_validation()
            .with_max_request_body_bytes(settings.max_body)
            .with_cancellation_token(stop.clone());
        let mcp = StreamableHttpService::new(move || Ok(handler()), guarded.sessions.held(), config);
        let mcp = any_service(mcp).layer(from_fn_with_state(Arc::new(guarded), guard));
        let routes = Router::new().route("/mcp", mcp).route("/healthz", get(async || "ok\n"));
        Ok(Self { routes, unanswered, stop })
    }
}
