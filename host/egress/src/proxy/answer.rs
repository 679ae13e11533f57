//! What the other end is told: a response of a server, or why there is none.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::{Either, Full};
use packhost_core::{Failure, Retry};
use serde_json::Value;

use crate::error::{EgressError, Wait};
use crate::redact::ResponseBody;

pub(super) type Answer = Response<Either<ResponseBody, Full<Bytes>>>;

/// Tells an answer of this host from one of the server (RFC 9209).
const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");

/// The answer to a CONNECT that may go on.
pub(super) fn connected() -> Answer {
    Response::new(Either::Right(Full::default()))
}

/// The same answer, after which the stream is closed.
pub(super) fn closing(mut answer: Answer) -> Answer {
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

/// Why a request did not leave, or why its answer did not come back.
pub(super) fn refusal(error: EgressError) -> Answer {
    let (status, kind) = status(&error);
    problem(status, kind, &error.into())
}

/// Problem details (RFC 9457): `detail` is the message, and `code`, `retry` and `fix` are what a failure has at every door.
pub(super) fn problem(status: StatusCode, kind: &'static str, failure: &Failure) -> Answer {
    let mut body = serde_json::Map::new();
    body.insert("type".into(), "about:blank".into());
    body.insert("title".into(), status.canonical_reason().unwrap_or_default().into());
    body.insert("status".into(), status.as_u16().into());
    body.insert("detail".into(), failure.message.as_str().into());
    if let Value::Object(mut failure) = failure.to_json() {
        failure.remove("message");
        body.extend(failure);
    }
    let mut answer = Response::new(Either::Right(Full::from(Value::Object(body).to_string())));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(PROXY_STATUS, HeaderValue::from_static(kind));
    if let Retry::After(wait) = failure.retry {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    answer
}

/// The status, and the field `Proxy-Status` with the type of error that RFC 9209 section 2.3 has for it.
fn status(error: &EgressError) -> (StatusCode, &'static str) {
    let (denied, bad) = (StatusCode::FORBIDDEN, StatusCode::BAD_GATEWAY);
    let late = StatusCode::GATEWAY_TIMEOUT;
    match error {
        EgressError::Denied { .. }
        | EgressError::Misplaced { .. }
        | EgressError::CredentialNotGranted { .. }
        | EgressError::Credential { .. }
        | EgressError::Unsigned { .. }
        | EgressError::Revoked => (denied, "packhost; error=http_request_denied"),
        EgressError::Address { .. } => (denied, "packhost; error=destination_ip_prohibited"),
        EgressError::Url(_) => (StatusCode::BAD_REQUEST, MALFORMED),
        EgressError::Budget { .. } | EgressError::Rate { .. } => {
            (StatusCode::TOO_MANY_REQUESTS, "packhost; error=connection_limit_reached")
        }
        EgressError::Dns { .. } => (bad, "packhost; error=dns_error"),
        EgressError::Connect { .. } => (bad, "packhost; error=destination_unavailable"),
        EgressError::Tls { certificate: true, .. } => (bad, "packhost; error=tls_certificate_error"),
        EgressError::Tls { .. } => (bad, "packhost; error=tls_protocol_error"),
        EgressError::TooLarge { .. } => (bad, "packhost; error=http_response_header_section_size"),
        EgressError::Decoded { .. } => (bad, "packhost; error=http_response_body_size"),
        EgressError::Opaque(_) => (bad, "packhost; error=http_response_content_coding"),
        EgressError::Protocol(_) => (bad, "packhost; error=http_protocol_error"),
        EgressError::Timeout { wait: Wait::Dns, .. } => (late, "packhost; error=dns_timeout"),
        EgressError::Timeout { wait: Wait::Connect, .. } => (late, "packhost; error=connection_timeout"),
        EgressError::Timeout { .. } => (late, "packhost; error=http_response_timeout"),
        EgressError::Cancelled => (StatusCode::SERVICE_UNAVAILABLE, "packhost; error=connection_terminated"),
    }
}

/// `Proxy-Status` of a request that cannot be sent as it is.
pub(super) const MALFORMED: &str = "packhost; error=http_request_error";
