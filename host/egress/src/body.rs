//! Bodies on their way out and in: each piece is charged, and the next one fails once the exchange may not go on.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::error::{EgressError, Wait};
use crate::headers;
use crate::transfer::Transfer;
use crate::wire::Lease;

fn weight(frame: &Frame<Bytes>) -> u64 {
    let data = frame.data_ref().map_or(0, |data| data.len() as u64);
    data + frame.trailers_ref().map_or(0, headers::size)
}

/// A request's body. Dropped by hyper when it has been sent, which is how the wait for the first byte begins.
pub(crate) struct Outgoing {
    inner: UnsyncBoxBody<Bytes, EgressError>,
    transfer: Arc<Transfer>,
    _sending: DropGuard,
}

impl Outgoing {
    /// The body, and what is cancelled when it has been sent.
    pub(crate) fn new<B>(inner: B, transfer: Arc<Transfer>) -> (Self, CancellationToken)
    where
        B: Body<Data = Bytes, Error = EgressError> + Send + 'static,
    {
        let sent = CancellationToken::new();
        let _sending = sent.clone().drop_guard();
        (Self { inner: UnsyncBoxBody::new(inner), transfer, _sending }, sent)
    }

    /// No body, of a request that counts as sent when this is dropped.
    pub(crate) fn empty(transfer: Arc<Transfer>, sent: CancellationToken) -> Self {
        let inner = UnsyncBoxBody::new(Empty::new().map_err(|never| match never {}));
        Self { inner, transfer, _sending: sent.drop_guard() }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = EgressError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, EgressError>>> {
        let frame = match std::task::ready!(Pin::new(&mut self.inner).poll_frame(cx)) {
            None => return Poll::Ready(None),
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return Poll::Ready(Some(Err(self.transfer.fail(error)))),
        };
        Poll::Ready(Some(self.transfer.sent(weight(&frame)).map(|()| frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A response's body, as it arrives.
pub(crate) struct Arriving {
    /// Gone after the end or the first error.
    incoming: Option<Incoming>,
    transfer: Arc<Transfer>,
    /// The connection, and the call's slot for open requests.
    held: Option<Box<(Lease, OwnedSemaphorePermit)>>,
    between: Duration,
    /// What ends the wait while nothing arrives.
    waiting: Option<Waiting>,
}

type Waiting = Pin<Box<dyn Future<Output = EgressError> + Send>>;

/// Until something ends the exchange early, or nothing has arrived for so long.
async fn wait(transfer: Arc<Transfer>, between: Duration) -> EgressError {
    tokio::select! {
        biased;
        error = transfer.interrupted() => error,
        () = tokio::time::sleep(between) => EgressError::Timeout { wait: Wait::BetweenBytes, limit: between },
    }
}

impl Arriving {
    pub(crate) fn new(
        incoming: Incoming,
        transfer: Arc<Transfer>,
        held: (Lease, OwnedSemaphorePermit),
        between: Duration,
    ) -> Self {
        let mut arriving =
            Self { incoming: Some(incoming), transfer, held: Some(Box::new(held)), between, waiting: None };
        arriving.look_for_the_end();
        arriving
    }

    fn end(&mut self, error: EgressError) -> Poll<Option<Result<Frame<Bytes>, EgressError>>> {
        self.incoming = None;
        self.held = None;
        self.waiting = None;
        Poll::Ready(Some(Err(self.transfer.fail(error))))
    }

    /// Where nothing more will come, the connection is free, also if nobody asks for the end.
    fn look_for_the_end(&mut self) {
        if self.incoming.as_ref().is_none_or(Body::is_end_stream)
            && let Some(held) = self.held.take()
        {
            held.0.give_back();
        }
    }

    fn poll_waiting(&mut self, cx: &mut Context<'_>) -> Poll<EgressError> {
        let (transfer, between) = (&self.transfer, self.between);
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(wait(transfer.clone(), between)));
        waiting.as_mut().poll(cx)
    }
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = EgressError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, EgressError>>> {
        let this = &mut *self;
        let Some(incoming) = this.incoming.as_mut() else { return Poll::Ready(None) };
        if let Err(error) = this.transfer.check() {
            return this.end(error);
        }
        match Pin::new(incoming).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                this.waiting = None;
                match this.transfer.received(weight(&frame)) {
                    Ok(()) => {
                        this.look_for_the_end();
                        Poll::Ready(Some(Ok(frame)))
                    }
                    Err(error) => this.end(error),
                }
            }
            Poll::Ready(Some(Err(error))) => {
                tracing::debug!(%error, "a response body failed");
                this.end(EgressError::Protocol("the response ended before it was complete"))
            }
            // A connection that was cut off may look like a body that ended.
            Poll::Ready(None) => match this.transfer.fault() {
                Some(error) => this.end(error),
                None => {
                    this.incoming = None;
                    this.waiting = None;
                    this.look_for_the_end();
                    Poll::Ready(None)
                }
            },
            Poll::Pending => match this.poll_waiting(cx) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(error) => this.end(error),
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map_or(SizeHint::with_exact(0), Body::size_hint)
    }
}
