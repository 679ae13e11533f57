//! Placeholders in a body.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::HeaderValue;
use http_body::{Body, Frame, SizeHint};
use packhost_core::Placement;
use packhost_redact::Stream;

use super::head::{self, Values};
use super::placeholder::{self, Piece};
use super::{Misplaced, placeholder::marker};
use crate::error::EgressError;

type BoxError = Box<dyn Error + Send + Sync>;

/// The largest body in which placeholders are replaced, in bytes: it is held as a whole until it is sent.
const LARGEST: usize = 1 << 20;

/// A body in which placeholders can stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Json,
    Form,
    Text,
}

impl Kind {
    /// By its media type (RFC 9110 section 8.3.1), where it says one in which they can.
    pub(super) fn of(content_type: Option<&HeaderValue>) -> Option<Self> {
        let text = content_type?.to_str().ok()?.to_ascii_lowercase();
        let media = text.split(';').next().unwrap_or_default().trim();
        match media {
            "application/x-www-form-urlencoded" => Some(Self::Form),
            "application/json" => Some(Self::Json),
            _ if media.ends_with("+json") => Some(Self::Json),
            "application/xml" | "application/graphql" => Some(Self::Text),
            _ => media.starts_with("text/").then_some(Self::Text),
        }
    }

    /// The text with its placeholders replaced.
    pub(super) fn fill<V: Values>(self, text: &str, values: &mut V) -> Result<String, V::Error> {
        const WHAT: &str = "the request's body";
        if self == Self::Form {
            return head::pairs(text, WHAT, |_| Placement::Body, values);
        }
        let mut filled = String::with_capacity(text.len());
        for piece in placeholder::pieces(text).map_err(|why| (WHAT.to_owned(), why))? {
            match piece {
                Piece::Text(text) => filled.push_str(text),
                Piece::Credential(name) => {
                    let value = values.value(&name, Placement::Body)?;
                    filled.push_str(&if self == Self::Json { escaped(&value) } else { value });
                }
            }
        }
        Ok(filled)
    }
}

/// As it stands in a JSON string (RFC 8259 section 7).
fn escaped(value: &str) -> Cow<'_, str> {
    let quoted = serde_json::Value::from(value).to_string();
    Cow::Owned(quoted[1..quoted.len() - 1].to_owned())
}

/// The body that is sent: what was held of it, and the rest, in which no placeholder may begin.
pub(crate) struct Filled<B> {
    held: VecDeque<Frame<Bytes>>,
    rest: Option<Pin<Box<B>>>,
    /// `None` where what is sent was put together here, or is not read.
    scan: Option<Stream>,
}

impl<B> Filled<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    /// As it is, if there is no placeholder in it.
    pub(super) fn scanning(body: B) -> Self {
        let ended = body.is_end_stream();
        let (rest, scan) = if ended { (None, None) } else { (Some(Box::pin(body)), Some(marker().stream())) };
        Self { held: VecDeque::new(), rest, scan }
    }

    /// As it is, whatever is in it.
    pub(super) fn unread(body: B) -> Self {
        Self { held: VecDeque::new(), rest: Some(Box::pin(body)), scan: None }
    }

    pub(super) fn whole(text: String) -> Self {
        let held = VecDeque::from([Frame::data(Bytes::from(text))]);
        Self { held, rest: None, scan: None }
    }

    /// Reads the body up to [`LARGEST`]. Its text is there if that was all, and a placeholder begins in it.
    pub(super) async fn gathering(body: B) -> Result<(Self, Option<String>), EgressError> {
        let mut filled = Self::scanning(body);
        let bytes = filled.hold().await?.filter(|bytes| placeholder::is_in(bytes));
        let Some(bytes) = bytes else { return Ok((filled, None)) };
        let text = String::from_utf8(bytes.to_vec());
        let text = text.map_err(|_| EgressError::from(("the request's body".to_owned(), Misplaced::Body)))?;
        Ok((filled, Some(text)))
    }

    /// Reads up to [`LARGEST`], and keeps it. The bytes, if that was all and there are no trailers.
    pub(super) async fn hold(&mut self) -> Result<Option<Bytes>, EgressError> {
        let mut bytes = BytesMut::new();
        let mut trailers = None;
        for frame in self.held.drain(..) {
            match frame.into_data() {
                Ok(data) => bytes.extend_from_slice(&data),
                Err(frame) => trailers = Some(frame),
            }
        }
        while let Some(rest) = self.rest.as_mut().filter(|_| bytes.len() <= LARGEST) {
            let frame = std::future::poll_fn(|cx| rest.as_mut().poll_frame(cx)).await;
            match frame.transpose().map_err(|error| broken(error.into()))?.map(Frame::into_data) {
                None => self.rest = None,
                Some(Ok(data)) => bytes.extend_from_slice(&data),
                Some(Err(frame)) => trailers = Some(frame),
            }
        }
        let bytes = bytes.freeze();
        if !bytes.is_empty() {
            self.held.push_back(Frame::data(bytes.clone()));
        }
        let complete = self.rest.is_none() && trailers.is_none() && bytes.len() <= LARGEST;
        self.held.extend(trailers);
        Ok(complete.then_some(bytes))
    }

    fn next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, EgressError>>> {
        if let Some(frame) = self.held.pop_front() {
            return Poll::Ready(Some(Ok(frame)));
        }
        let Some(rest) = self.rest.as_mut() else { return Poll::Ready(None) };
        match ready!(rest.as_mut().poll_frame(cx)) {
            Some(Ok(frame)) => Poll::Ready(Some(Ok(frame))),
            Some(Err(error)) => Poll::Ready(Some(Err(broken(error.into())))),
            None => {
                self.rest = None;
                Poll::Ready(None)
            }
        }
    }
}

fn broken(error: BoxError) -> EgressError {
    tracing::debug!(%error, "a request body failed");
    EgressError::Protocol("the request's body ended with an error before it was complete")
}

impl<B> Body for Filled<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = EgressError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, EgressError>>> {
        let this = &mut *self;
        let next = ready!(this.next(cx)).transpose()?;
        let Some(scan) = this.scan.as_mut() else { return Poll::Ready(next.map(Ok)) };
        let Some(frame) = next else {
            scan.finish();
            return Poll::Ready(met(this.scan.take()).then(|| Err(misplaced())));
        };
        if let Some(data) = frame.data_ref() {
            scan.push(data.clone());
        }
        if scan.has_met() || carries(&frame) {
            return Poll::Ready(Some(Err(misplaced())));
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_empty() && self.rest.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let held: usize = self.held.iter().filter_map(Frame::data_ref).map(Bytes::len).sum();
        let held = held as u64;
        let rest = self.rest.as_ref().map_or_else(|| SizeHint::with_exact(0), |rest| rest.size_hint());
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(held));
        if let Some(upper) = rest.upper().and_then(|upper| upper.checked_add(held)) {
            hint.set_upper(upper);
        }
        hint
    }
}

fn met(scan: Option<Stream>) -> bool {
    scan.is_some_and(|scan| scan.has_met())
}

/// Whether a placeholder begins in a trailer.
fn carries(frame: &Frame<Bytes>) -> bool {
    let fields = frame.trailers_ref().into_iter().flatten();
    fields.into_iter().any(|(_, value)| placeholder::is_anywhere_in(value))
}

fn misplaced() -> EgressError {
    ("the request's body".to_owned(), Misplaced::Body).into()
}
