//! Responses without the credentials that their call has used.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Response;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use http_body::{Body, Frame, SizeHint};
use packhost_redact::{Redactor, Stream};

use crate::body::Arriving;
use crate::credential::Used;
use crate::decode::{Decoded, codings, is_too_large};
use crate::error::EgressError;
use crate::transfer::Transfer;

/// The response as the call may have it.
///
/// # Errors
/// When the body is in a coding in which a value could not be found.
pub(crate) fn response(
    response: Response<Arriving>,
    transfer: &Arc<Transfer>,
    max_decoded: u64,
) -> Result<Response<ResponseBody>, EgressError> {
    let (mut parts, body) = response.into_parts();
    let used = &transfer.call.used;
    let looking = used.beyond(0).map(|(known, redactor)| Looking::new(known, redactor));
    if let Some(looking) = &looking {
        headers(&mut parts.headers, &looking.redactor, used);
    }
    // Nothing follows the head of an answer to HEAD; its headers speak of what would have. What is encoded stays so while
    // there is nothing to look for.
    if body.is_end_stream() || (looking.is_none() && parts.headers.contains_key(CONTENT_ENCODING)) {
        return Ok(Response::from_parts(parts, ResponseBody(Inner::Plain(body))));
    }
    let source = if looking.is_none() {
        Source::Plain(body)
    } else {
        source(body, &mut parts.headers, max_decoded).map_err(|error| transfer.fail(error))?
    };
    let redacted = Redacted { source, looking, transfer: transfer.clone(), trailers: None, ended: false };
    Ok(Response::from_parts(parts, ResponseBody(Inner::Redacted(Box::new(redacted)))))
}

/// The body with its codings undone, and without the fields that speak of how it was sent.
fn source(body: Arriving, headers: &mut HeaderMap, limit: u64) -> Result<Source, EgressError> {
    let codings = codings(headers)?;
    headers.remove(CONTENT_LENGTH);
    if codings.is_empty() {
        return Ok(Source::Plain(body));
    }
    headers.remove(CONTENT_ENCODING);
    Ok(Source::Decoded { decoded: Decoded::new(body, &codings, limit), left: limit, limit })
}

/// Takes the values out of a head's fields. A name that holds one goes with its field.
fn headers(headers: &mut HeaderMap, redactor: &Redactor, used: &Used) {
    let named: Vec<HeaderName> = headers
        .keys()
        .filter(|name| used.is_in_name(name.as_str()) || redactor.finds(name.as_str().as_bytes()))
        .cloned()
        .collect();
    for name in named {
        headers.remove(name);
    }
    for value in headers.values_mut() {
        let clean = redactor.bytes(value.as_bytes());
        if *clean != *value.as_bytes() {
            *value =
                HeaderValue::from_bytes(&clean).unwrap_or_else(|_| HeaderValue::from_static("[redacted]"));
        }
    }
}

/// A response's body, as the call may have it. Dropping it before its end closes the connection, or its stream of
/// one that several share; a request body that is still being sent ends with it.
pub struct ResponseBody(Inner);

enum Inner {
    Plain(Arriving),
    Redacted(Box<Redacted>),
}

struct Redacted {
    source: Source,
    /// None as long as the call has used no value.
    looking: Option<Looking>,
    transfer: Arc<Transfer>,
    trailers: Option<HeaderMap>,
    ended: bool,
}

/// A search for all that was used up to some moment.
struct Looking {
    known: usize,
    redactor: Redactor,
    stream: Stream,
}

impl Looking {
    fn new(known: usize, redactor: Redactor) -> Self {
        Self { known, stream: redactor.stream(), redactor }
    }
}

enum Source {
    Plain(Arriving),
    Decoded { decoded: Decoded, left: u64, limit: u64 },
    Ended,
}

impl Source {
    /// The next piece of data, the trailers, or `None` at the end.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        transfer: &Transfer,
    ) -> Poll<Option<Result<Frame<Bytes>, EgressError>>> {
        let (decoded, left, limit) = match self {
            Self::Ended => return Poll::Ready(None),
            Self::Plain(body) => return Pin::new(body).poll_frame(cx),
            Self::Decoded { decoded, left, limit } => (decoded, left, limit),
        };
        match ready!(decoded.poll_piece(cx)) {
            Ok(piece) if piece.is_empty() => {
                let trailers = decoded.trailers();
                *self = Self::Ended;
                Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))))
            }
            Ok(piece) => {
                let Some(rest) = left.checked_sub(piece.len() as u64) else {
                    return Poll::Ready(Some(Err(transfer.fail(EgressError::Decoded { limit: *limit }))));
                };
                *left = rest;
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            Err(error) if is_too_large(&error) => {
                Poll::Ready(Some(Err(transfer.fail(EgressError::Decoded { limit: *limit }))))
            }
            Err(error) => {
                tracing::debug!(%error, "a compressed response could not be read");
                let damaged = EgressError::Protocol("the response's compression is damaged or incomplete");
                // Where the connection failed, that is what went wrong first.
                Poll::Ready(Some(Err(transfer.fail(damaged))))
            }
        }
    }
}

impl Redacted {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, EgressError>>> {
        loop {
            if self.ended {
                return Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))));
            }
            let frame = match ready!(self.source.poll(cx, &self.transfer)).transpose() {
                Ok(frame) => frame,
                Err(error) => {
                    (self.source, self.ended) = (Source::Ended, true);
                    return Poll::Ready(Some(Err(error)));
                }
            };
            let held = self.look_for_more();
            let Some(looking) = &mut self.looking else {
                self.ended = frame.is_none();
                return Poll::Ready(frame.map(Ok));
            };
            let passed = match frame.map(Frame::into_data) {
                None => {
                    self.ended = true;
                    looking.stream.finish()
                }
                Some(Ok(data)) => looking.stream.push(data),
                Some(Err(frame)) => {
                    self.trailers = frame.into_trailers().ok();
                    if let Some(trailers) = &mut self.trailers {
                        headers(trailers, &looking.redactor, &self.transfer.call.used);
                    }
                    Bytes::new()
                }
            };
            let passed = if held.is_empty() { passed } else { [held, passed].concat().into() };
            if !passed.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(passed))));
            }
        }
    }

    /// From here on the values are looked for as well that were used while the response was on its way: what has passed cannot
    /// hold them. Returns what was held back and passes.
    fn look_for_more(&mut self) -> Bytes {
        let known = self.looking.as_ref().map_or(0, |looking| looking.known);
        let Some((known, redactor)) = self.transfer.call.used.beyond(known) else { return Bytes::new() };
        let mut looking = Looking::new(known, redactor);
        // What was held back may still become a value that is looked for all along.
        let held = self.looking.take().map_or_else(Bytes::new, |mut before| before.stream.finish());
        let passed = looking.stream.push(held);
        self.looking = Some(looking);
        passed
    }

    /// The body as it arrives, as long as nothing is done to it.
    fn untouched(&self) -> Option<&Arriving> {
        match &self.source {
            Source::Plain(body) if self.looking.is_none() => Some(body),
            _ => None,
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = EgressError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, EgressError>>> {
        match &mut self.0 {
            Inner::Plain(body) => Pin::new(body).poll_frame(cx),
            Inner::Redacted(body) => body.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Inner::Plain(body) => body.is_end_stream(),
            Inner::Redacted(body) => {
                body.untouched().is_some_and(Body::is_end_stream) || (body.ended && body.trailers.is_none())
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Inner::Plain(body) => body.size_hint(),
            Inner::Redacted(body) => body.untouched().map_or_else(SizeHint::default, Body::size_hint),
        }
    }
}

impl std::fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResponseBody").field("ended", &self.is_end_stream()).finish_non_exhaustive()
    }
}
