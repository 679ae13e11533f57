//! Which requests are read at all. What two readers could frame or address differently is answered with a refusal, and the
//! stream closed, before anything is decided about it. What cannot be split into fields at all hyper refuses itself.

use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{Method, Request, StatusCode, Version};
use packhost_core::{ErrorCode, Failure};

use super::answer::{self, Answer};

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
    if request.method() == Method::CONNECT {
        let length = headers.get(CONTENT_LENGTH);
        if coding.is_some() || length.is_some_and(|length| length.as_bytes() != b"0") {
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
