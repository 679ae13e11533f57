//! What every request for `/mcp` passes before the protocol sees it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use packhost_callers::Callers;
use packhost_core::{Caller, Identity, PackName};
use rmcp::ErrorData;
use rmcp::model::{CallToolRequestMethod, ConstString, JsonRpcError, ProtocolVersion};
use serde::Deserialize;
use serde::de::IgnoredAny;
use tokio_util::task::TaskTracker;

use crate::body::whole;
use crate::held::Held;
use crate::proof;
use crate::sessions::Sessions;

const SESSION: &str = "mcp-session-id";
const VERSION: &str = "mcp-protocol-version";

/// The pack behind a tool that this caller may see as far as the manifest goes, and may not call with the scopes that it has.
pub(crate) type Withheld = dyn Fn(&str, &Identity) -> Option<PackName> + Send + Sync;

/// What the guard knows.
pub(crate) struct Guard {
    pub(crate) callers: Callers,
    pub(crate) withheld: Arc<Withheld>,
    pub(crate) sessions: Sessions,
    pub(crate) max_body: usize,
    pub(crate) body_timeout: Duration,
    /// Requests that have not been answered to the end.
    pub(crate) unanswered: TaskTracker,
}

/// Lets a request through to the protocol as its caller's, with its whole body; or says why not.
pub(crate) async fn guard(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let identity = match guard.callers.identify(proof::bearer(&parts.headers)).await {
        Ok(identity) => identity,
        Err(refused) => return proof::refusal(&refused, &guard.callers).into_response(),
    };
    // Nothing behind this point needs the token.
    parts.headers.remove(AUTHORIZATION);
    let caller = identity.caller.clone();
    if let Err(refused) = guard.session(&parts, &caller).await {
        return refused;
    }
    parts.extensions.insert(identity.clone());
    if parts.method != Method::POST {
        return next.run(Request::from_parts(parts, Body::empty())).await;
    }
    let unanswered = guard.unanswered.token();
    let body = match guard.body(body).await {
        Ok(body) => body,
        Err(refused) => return refused,
    };
    if let Some(refused) = guard.step_up(&identity, &body) {
        return refused;
    }
    let is_json = is_json(&parts.headers);
    let response = next.run(Request::from_parts(parts, Body::from(body.clone()))).await;
    if response.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE && is_json {
        return no_message(&body);
    }
    if let Some(id) = response.headers().get(SESSION).and_then(|id| id.to_str().ok()) {
        guard.sessions.own(id, &caller).await;
    }
    response.map(|body| Held::until_read(body, unanswered))
}

impl Guard {
    async fn session(&self, parts: &Parts, caller: &Caller) -> Result<(), Response> {
        let id = parts.headers.get(SESSION).map(|id| String::from_utf8_lossy(id.as_bytes()));
        match id {
            Some(id) if self.sessions.open_to(&id, caller).await => Ok(()),
            Some(_) => Err((StatusCode::NOT_FOUND, "there is no such session\n").into_response()),
            None if opens_session(parts) && !self.sessions.room().await => {
                let later = [(RETRY_AFTER, "60")];
                Err((StatusCode::SERVICE_UNAVAILABLE, later, "too many sessions are open\n").into_response())
            }
            None => Ok(()),
        }
    }

    /// The answer to a call for which another token of the same holder would be good. Tokens of this host are as they are: their
    /// holders are told by the protocol that there is no such tool.
    fn step_up(&self, identity: &Identity, body: &[u8]) -> Option<Response> {
        let oauth = self.callers.oauth().filter(|_| identity.caller.is_oauth())?;
        let tool = called(body)?;
        let pack = (self.withheld)(&tool, identity)?;
        Some(proof::step_up(oauth, identity, &pack).into_response())
    }

    async fn body(&self, body: Body) -> Result<Bytes, Response> {
        whole(body, self.max_body, self.body_timeout)
            .await
            .map_err(|unread| (unread.status(), format!("{unread}\n")).into_response())
    }
}

/// Whether rmcp would start a session for this request: `initialize` comes without an id, and only from clients of
/// the protocol versions that have sessions.
fn opens_session(parts: &Parts) -> bool {
    let version = parts.headers.get(VERSION).map(|version| version.as_bytes());
    parts.method == Method::POST
        && version.is_none_or(|version| version < ProtocolVersion::NO_INITIALIZE.as_str().as_bytes())
}

/// The tool that a message wants to call, if that is what it wants. What is no message is for the protocol to say.
fn called(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Message {
        method: String,
        params: Params,
    }
    #[derive(Deserialize)]
    struct Params {
        name: String,
    }
    let message: Message = serde_json::from_slice(body).ok()?;
    (message.method == CallToolRequestMethod::VALUE).then_some(message.params.name)
}

fn is_json(headers: &HeaderMap) -> bool {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    media_type
        .split(';')
        .next()
        .is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

/// JSON-RPC's own words for a body that is no message (JSON-RPC 2.0 section 5.1).
fn no_message(body: &[u8]) -> Response {
    let error = match serde_json::from_slice::<IgnoredAny>(body) {
        Ok(_) => ErrorData::invalid_request("the body is not a message of the protocol", None),
        Err(error) => ErrorData::parse_error(format!("the body is not JSON: {error}"), None),
    };
    let error = serde_json::to_vec(&JsonRpcError::new(None, error)).unwrap_or_default();
    (StatusCode::BAD_REQUEST, [(CONTENT_TYPE, "application/json")], error).into_response()
}
