//! Which requests are read at all. What two readers could frame or address differently is answered with a refusal, and the
//! stream closed, before anything is decided about it. What cannot be split into fields at all hyper refuses itself.

use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING, UPGRADE};
use http::uri::Authority;
use http::{Method, Request, StatusCode, Version};
use packhost_core::{ErrorCode, Failure};

use super::answer::{self, Answer};
use crate::target::Target;

/// Why a request is not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed {
    status: StatusCode,
    message: &'static str,
    fix: &'static str,
}

impl Malformed {
    fn bad(message: &'static str, fix: &'static str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message, fix }
    }

    /// The answer, after which the stream is closed: nobody knows where the next request begins.
    pub(super) fn answer(self) -> Answer {
        let failure = Failure::new(ErrorCode::InvalidInput, self.message).fix(self.fix);
        answer::closing(answer::problem(self.status, answer::MALFORMED, &failure))
    }
}

/// Checks the form of the target, `Host` (RFC 9112 section 3.2) and the framing (RFC 9112 section 6.3).
pub(super) fn check<B>(request: &Request<B>) -> Result<(), Malformed> {
    let is_chunked = framing(request)?;
    if request.method() == Method::CONNECT {
        let length = request.headers().get(CONTENT_LENGTH);
        if is_chunked || length.is_some_and(|length| length.as_bytes() != b"0") {
            return Err(Malformed::bad(
                "A CONNECT request has no body.",
                "Wait for the answer, then send what belongs into the tunnel.",
            ));
        }
        return Ok(());
    }
    if request.uri().scheme().is_none() {
        return Err(Malformed::bad(
            "This is a proxy: a request names the whole URL, and not its path alone.",
            "Send the request in absolute form, such as GET http://example.com/path HTTP/1.1.",
        ));
    }
    Ok(())
}

/// Checks a request that came through a tunnel to this origin: as above, but the target is a path (RFC 9112 section 3.2.1)
/// and `Host` is the origin that the tunnel was asked for.
pub(super) fn check_within<B>(request: &Request<B>, origin: &Target) -> Result<(), Malformed> {
    framing(request)?;
    let uri = request.uri();
    let has_path = uri.path_and_query().is_some_and(|path| path.as_str().starts_with('/'));
    if request.method() == Method::CONNECT || uri.authority().is_some() || !has_path {
        return Err(Malformed::bad(
            "A request in a tunnel names a path of its server, and nothing else.",
            "Send the request in origin form, such as GET /path HTTP/1.1.",
        ));
    }
    if request.headers().contains_key(UPGRADE) {
        return Err(Malformed {
            status: StatusCode::NOT_IMPLEMENTED,
            message: "This host reads what goes through the tunnel, and nothing but HTTP/1.1.",
            fix: "Do without the Upgrade field; WebSocket needs a tunnel that the host does not look into.",
        });
    }
    if !names(request, origin) {
        return Err(Malformed {
            status: StatusCode::MISDIRECTED_REQUEST,
            message: "The Host of the request is not the host that the tunnel was opened to.",
            fix: "Open a tunnel to that host, and send the request there.",
        });
    }
    Ok(())
}

/// Whether `Host` is this origin, its port included unless it is that of https.
fn names<B>(request: &Request<B>, origin: &Target) -> bool {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let Some(host) = host.and_then(|host| host.parse::<Authority>().ok()) else { return false };
    let port = host.as_str().strip_prefix(host.host());
    let port = match port {
        Some("") => Some(443),
        Some(port) => port.strip_prefix(':').and_then(|port| port.parse().ok()),
        // A user name.
        None => None,
    };
    port == Some(origin.port) && host.host().eq_ignore_ascii_case(origin.host_str())
}

/// One `Host`, and one way to tell where the body ends; whether that is chunked.
fn framing<B>(request: &Request<B>) -> Result<bool, Malformed> {
    let headers = request.headers();
    let hosts = headers.get_all(HOST).iter().count();
    if hosts > 1 || (hosts == 0 && request.version() == Version::HTTP_11) {
        return Err(Malformed::bad(
            "A request has exactly one Host field.",
            "Send the Host of the URL, once; the URL is what counts.",
        ));
    }
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let coding = codings.next();
    let chunked = coding.is_none_or(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked"));
    if !chunked || codings.next().is_some() {
        return Err(Malformed {
            status: StatusCode::NOT_IMPLEMENTED,
            message: "This proxy reads the transfer coding chunked and no other.",
            fix: "Send the body chunked or with a Content-Length.",
        });
    }
    Ok(coding.is_some())
}
