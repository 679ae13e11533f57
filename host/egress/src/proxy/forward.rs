//! Requests in absolute form: each is sent as any other request of the call is.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::EXPECT;
use http::{Request, StatusCode, Version};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Either;
use hyper::body::Incoming;
use tokio::time::Sleep;

use super::answer::{self, Answer};
use crate::call::CallEgress;
use crate::send::Egress;
use crate::settings::Waits;

/// Sends the request and returns what came of it.
pub(super) async fn forward(egress: &Egress, call: &CallEgress, request: Request<Incoming>) -> Answer {
    let cut_off = Arc::new(AtomicBool::new(false));
    let (mut parts, body) = request.into_parts();
    // Has been answered here as soon as the body is read (RFC 9110 section 10.1.1).
    parts.headers.remove(EXPECT);
    let body = Upload::new(body, egress.shared.settings.proxy.idle, cut_off.clone());
    match egress.send(Request::from_parts(parts, body), call, Waits::default()).await {
        Ok(mut response) => {
            *response.version_mut() = Version::HTTP_11;
            response.map(Either::Left)
        }
        // The body that did not come is not the server's fault, whatever has failed because of it.
        Err(error) if cut_off.load(Ordering::Relaxed) => {
            let status = StatusCode::BAD_REQUEST;
            answer::closing(answer::problem(status, answer::MALFORMED, &error.into()))
        }
        Err(error) => answer::refusal(error),
    }
}

/// A request's body on its way in, which ends with an error when nothing comes for too long.
struct Upload {
    incoming: Incoming,
    limit: Duration,
    /// Runs while nothing arrives.
    idle: Option<Pin<Box<Sleep>>>,
    /// Set once the body has ended too early.
    cut_off: Arc<AtomicBool>,
}

impl Upload {
    fn new(incoming: Incoming, limit: Duration, cut_off: Arc<AtomicBool>) -> Self {
        Self { incoming, limit, idle: None, cut_off }
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        let error = match Pin::new(&mut this.incoming).poll_frame(cx) {
            Poll::Ready(Some(Err(error))) => error.into(),
            Poll::Ready(frame) => {
                this.idle = None;
                return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
            }
            Poll::Pending => {
                let limit = this.limit;
                let idle = this.idle.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
                std::task::ready!(idle.as_mut().poll(cx));
                "the client of the proxy stopped in the middle of the body".into()
            }
        };
        this.cut_off.store(true, Ordering::Relaxed);
        Poll::Ready(Some(Err(error)))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
