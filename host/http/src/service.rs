//! The routes.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{any_service, get};
use packhost_api::Api;
use packhost_callers::{Callers, OAuth};
use packhost_engine::Engine;
use rmcp::ServerHandler;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::gate::{Gate, anybody, gate};
use crate::guard::{Guard, Withheld, guard};
use crate::metrics::{self, Metrics};
use crate::names::Names;
use crate::sessions::Sessions;
use crate::tls::Tls;
use crate::{BindError, Settings};

/// Everything behind the socket.
pub(crate) struct Service {
    pub(crate) routes: Router,
    /// Requests that have not been answered to the end.
    pub(crate) unanswered: TaskTracker,
    /// Ends all sessions and streams.
    pub(crate) stop: CancellationToken,
    /// What secures connections, where it is done here.
    pub(crate) tls: Option<Arc<Tls>>,
}

impl Service {
    /// # Errors
    /// Where an origin in the settings is none, or there is no certificate.
    pub(crate) fn new<H, F>(
        settings: &Settings,
        withheld: Arc<Withheld>,
        handler: F,
    ) -> Result<Self, BindError>
    where
        H: ServerHandler,
        F: Fn() -> H + Send + Sync + 'static,
    {
        let (stop, unanswered) = (CancellationToken::new(), TaskTracker::new());
        let guarded = Guard {
            callers: settings.callers.clone(),
            withheld,
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
        let routes = routes.merge(about_callers(&settings.callers));
        let tls = settings.tls.clone().map(Tls::new).transpose()?.map(Arc::new);
        Ok(Self { routes, unanswered, stop, tls })
    }
}

impl Service {
    /// With the HTTP API and what an operator asks, over this engine, until `closing` is cancelled.
    ///
    /// # Errors
    /// Where an origin in the settings is none.
    pub(crate) fn with_api(
        mut self,
        settings: &Settings,
        withheld: Arc<Withheld>,
        engine: Engine,
        closing: CancellationToken,
    ) -> Result<Self, BindError> {
        let known = Gate {
            callers: settings.callers.clone(),
            withheld,
            names: Names::of(settings)?,
            max_body: settings.max_body,
            body_timeout: settings.body_timeout,
            unanswered: self.unanswered.clone(),
        };
        let metrics = Metrics::of(&engine);
        let known = Arc::new(known);
        let api = Api::new(engine, self.unanswered.clone(), closing.clone())
            .record_at(settings.record.clone())
            .with_desk(settings.desk.clone())
            .letting_in(Arc::clone(&known).still_lets_in());
        let open = api.open_routes().layer(from_fn_with_state(Arc::clone(&known), anybody));
        let gated = api
            .routes()
            .route("/metrics", get(move |identity| metrics::answer(metrics, identity)))
            .layer(from_fn_with_state(known, gate));
        let leaving = settings.leaving.clone();
        let ready = get(async move || match leaving.is_cancelled() || closing.is_cancelled() {
            true => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n"),
            false => (StatusCode::OK, "ready\n"),
        });
        self.routes = self
            .routes
            .merge(gated)
            .merge(open)
            .merge(Api::document())
            .merge(packhost_console::routes())
            .route("/readyz", ready);
        Ok(self)
    }
}

/// What clients read without a token to learn where they get one (RFC 9728): the same document at the two places where they
/// look, where there is an authorization server.
fn about_callers(callers: &Callers) -> Router {
    let Some(oauth) = callers.oauth() else { return Router::new() };
    let own = oauth.metadata_url().path().trim_start_matches(OAuth::WELL_KNOWN).to_owned();
    let document = oauth.metadata().to_string();
    let answer = move || {
        let headers = [
            (CONTENT_TYPE, "application/json"),
            (CACHE_CONTROL, "public, max-age=300"),
            // It is for everybody, also for a client that is a page of somebody else's.
            (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        ];
        (headers, document.clone()).into_response()
    };
    let root = get({
        let answer = answer.clone();
        async move || answer()
    });
    let below = get(async move |Path(path): Path<String>| -> Response {
        let path = format!("/{path}");
        if path == own || path == "/mcp" { answer() } else { StatusCode::NOT_FOUND.into_response() }
    });
    Router::new().route(OAuth::WELL_KNOWN, root).route(&format!("{}/{{*path}}", OAuth::WELL_KNOWN), below)
}
