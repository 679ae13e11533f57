//! The body of a response that holds something until the last of it is read.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use http_body::{Frame, SizeHint};

/// A body, and what is let go with it.
pub(crate) struct Held<T> {
    body: Body,
    _until_read: T,
}

impl<T: Send + Unpin + 'static> Held<T> {
    pub(crate) fn until_read(body: Body, held: T) -> Body {
        Body::new(Self { body, _until_read: held })
    }
}

impl<T: Unpin> http_body::Body for Held<T> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    // Without it a body of known length would go out in chunks.
    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
