//! What every request for the HTTP API passes first. What `/mcp` asks of a request is in [`guard`](crate::guard).

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, RETRY_AFTER};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use packhost_api::{Problem, StillLetsIn};
use packhost_callers::{Callers, Refused};
use packhost_core::{ErrorCode, Identity, Scope};
use tokio_util::task::TaskTracker;

use crate::body::{Unread, whole};
use crate::guard::Withheld;
use crate::held::Held;
use crate::names::{Names, Stranger};
use crate::proof;

/// What the gate knows.
pub(crate) struct Gate {
    pub(crate) callers: Callers,
    pub(crate) withheld: Arc<Withheld>,
    pub(crate) names: Names,
    pub(crate) max_body: usize,
    pub(crate) body_timeout: Duration,
    /// Requests that have not been answered to the end.
    pub(crate) unanswered: TaskTracker,
}

/// Lets a request through as its caller's, with its whole body; or says why not.
pub(crate) async fn gate(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    let unanswered = gate.unanswered.token();
    match gate.admit(request).await {
        Ok(request) => next.run(request).await.map(|body| Held::until_read(body, unanswered)),
        Err(problem) => problem.into_response(),
    }
}

/// Lets a request through whose path says by itself who asks.
pub(crate) async fn anybody(State(gate): State<Arc<Gate>>, mut request: Request, next: Next) -> Response {
    let unanswered = gate.unanswered.token();
    if let Err(known) = gate.names.check(request.uri(), request.headers()) {
        return stranger(known).into_response();
    }
    request.headers_mut().remove(AUTHORIZATION);
    next.run(request).await.map(|body| Held::until_read(body, unanswered))
}

impl Gate {
    /// Whether a caller who has made a link may still read with it.
    pub(crate) fn still_lets_in(self: Arc<Self>) -> Arc<StillLetsIn> {
        Arc::new(move |caller| {
            let refused = self.callers.still_let_in(caller, &Scope::ReadArtifacts);
            refused.map_err(|refused| match refused {
                Refused::TooMany(_) | Refused::Unavailable => {
                    problem(proof::refusal(&refused, &self.callers))
                }
                // Whoever has the link is not told of its caller.
                _ => Problem::new(ErrorCode::NotFound, "There is no such artifact of this caller."),
            })
        })
    }

    async fn admit(&self, request: Request) -> Result<Request, Problem> {
        let (mut parts, body) = request.into_parts();
        self.names.check(&parts.uri, &parts.headers).map_err(stranger)?;
        let shown = self.callers.identify(proof::bearer(&parts.headers)).await;
        let identity = shown.map_err(|refused| problem(proof::refusal(&refused, &self.callers)))?;
        // Nothing behind this point needs the token.
        parts.headers.remove(AUTHORIZATION);
        self.step_up(&parts.method, parts.uri.path(), &identity)?;
        parts.extensions.insert(identity);
        let body = whole(body, self.max_body, self.body_timeout).await.map_err(unread)?;
        Ok(Request::from_parts(parts, Body::from(body)))
    }

    /// A call for which another token of the same holder would be good.
    fn step_up(&self, method: &Method, path: &str, identity: &Identity) -> Result<(), Problem> {
        let oauth = self.callers.oauth().filter(|_| identity.caller.is_oauth() && method == Method::POST);
        let called = path.strip_prefix("/v1/packs/").and_then(|rest| rest.strip_suffix("/calls"));
        let (Some(oauth), Some(called)) = (oauth, called) else { return Ok(()) };
        match (self.withheld)(called, identity) {
            Some(pack) => Err(problem(proof::step_up(oauth, identity, &pack))),
            None => Ok(()),
        }
    }
}

/// A refusal in the words and with the headers that it has for MCP.
fn problem(refusal: axum::http::Response<String>) -> Problem {
    let (mut parts, said) = refusal.into_parts();
    let code = match parts.status {
        StatusCode::UNAUTHORIZED => ErrorCode::AuthFailed,
        StatusCode::FORBIDDEN => ErrorCode::CapabilityDenied,
        StatusCode::TOO_MANY_REQUESTS => ErrorCode::RateLimited,
        _ => ErrorCode::Internal,
    };
    let wait = parts.headers.remove(RETRY_AFTER).and_then(|wait| wait.to_str().ok()?.parse().ok());
    let problem = Problem::new(code, said.trim()).status(parts.status).headers(parts.headers);
    match wait {
        Some(seconds) => problem.retry_after(Duration::from_secs(seconds)),
        None => problem,
    }
}

fn stranger(stranger: Stranger) -> Problem {
    let (code, status) = match stranger {
        Stranger::NoHost => (ErrorCode::InvalidInput, StatusCode::BAD_REQUEST),
        Stranger::Host | Stranger::Origin => (ErrorCode::CapabilityDenied, StatusCode::FORBIDDEN),
    };
    Problem::new(code, stranger.to_string()).status(status)
}

fn unread(unread: Unread) -> Problem {
    let code = match unread {
        Unread::TooLarge(_) | Unread::Broken => ErrorCode::InvalidInput,
        Unread::Slow => ErrorCode::Timeout,
    };
    Problem::new(code, unread.to_string()).status(unread.status())
}
