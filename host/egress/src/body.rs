//! Bodies on their way out and in: each piece is charged, and the next one fails once the exchange may not go on.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Sleep, sleep_until};

use crate::error::{EgressError, Wait};
use crate::headers;
use crate::transfer::{Interruption, Transfer, deadline};
use crate::wire::Lease;

fn weight(frame: &Frame<Bytes>) -> u64 {
    let data = frame.data_ref().map_or(0, |data| data.len() as u64);
    data + frame.trailers_ref().map_or(0, headers::size)
}

/// A request's body. Dropped by hyper when it has been sent, which is when the wait for the first byte begins.
pub(crate) struct Outgoing {
    /// `None` where there is nothing to send but the head.
    inner: Option<UnsyncBoxBody<Bytes, EgressError>>,
    transfer: Arc<Transfer>,
}

impl Outgoing {
    pub(crate) fn new<B>(inner: B, transfer: Arc<Transfer>) -> Self
    where
        B: Body<Data = Bytes, Error = EgressError> + Send + 'static,
    {
        let inner = (!inner.is_end_stream()).then(|| UnsyncBoxBody::new(inner));
        Self { inner, transfer }
    }

    pub(crate) fn empty(transfer: Arc<Transfer>) -> Self {
        Self { inner: None, transfer }
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.transfer.ended_sending();
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = EgressError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, EgressError>>> {
        let Some(inner) = &mut self.inner else { return Poll::Ready(None) };
        let frame = match std::task::ready!(Pin::new(inner).poll_frame(cx)) {
            None => return Poll::Ready(None),
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return Poll::Ready(Some(Err(self.transfer.fail(error)))),
        };
        Poll::Ready(Some(self.transfer.sent(weight(&frame)).map(|()| frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or(SizeHint::with_exact(0), Body::size_hint)
    }
}

/// A response's body, as it arrives.
pub(crate) struct Arriving {
    /// Gone after the end or the first error.
    incoming: Option<Incoming>,
    transfer: Arc<Transfer>,
    /// The connection, and the call's slot for open requests.
    held: Option<Box<(Lease, OwnedSemaphorePermit)>>,
    /// What ends the wait while nothing arrives; gone with `incoming`.
    interruption: Option<Interruption>,
    silence: Silence,
}

/// How long nothing has arrived.
struct Silence {
    limit: Duration,
    /// There once it was waited for, and kept: to put it off is cheaper than to begin anew.
    timer: Option<Pin<Box<Sleep>>>,
    /// Whether something has arrived since the timer was set.
    is_over: bool,
}

impl Silence {
    fn poll_too_long(&mut self, cx: &mut Context<'_>) -> Poll<EgressError> {
        let limit = self.limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline(limit))));
        if std::mem::take(&mut self.is_over) {
            timer.as_mut().reset(deadline(limit));
        }
        timer.as_mut().poll(cx).map(|()| EgressError::Timeout { wait: Wait::BetweenBytes, limit })
    }
}

impl Arriving {
    pub(crate) fn new(
        incoming: Incoming,
        transfer: Arc<Transfer>,
        held: (Lease, OwnedSemaphorePermit),
        interruption: Interruption,
        between: Duration,
    ) -> Self {
        let silence = Silence { limit: between, timer: None, is_over: false };
        let (incoming, interruption, held) = (Some(incoming), Some(interruption), Some(Box::new(held)));
        let mut arriving = Self { incoming, transfer, held, interruption, silence };
        arriving.look_for_the_end();
        arriving
    }

    fn end(&mut self, error: EgressError) -> Poll<Option<Result<Frame<Bytes>, EgressError>>> {
        self.incoming = None;
        self.held = None;
        self.stop_waiting();
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

    fn stop_waiting(&mut self) {
        self.interruption = None;
        self.silence.timer = None;
    }

    /// Until something ends the exchange early, or nothing has arrived for too long.
    fn poll_waiting(&mut self, cx: &mut Context<'_>) -> Poll<EgressError> {
        let interrupted = self.interruption.as_mut().map_or(Poll::Pending, |early| early.as_mut().poll(cx));
        if interrupted.is_ready() { interrupted } else { self.silence.poll_too_long(cx) }
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
                this.silence.is_over = true;
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
                    this.stop_waiting();
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
