//! An open connection to a server, and what is spoken on it.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, Uri, Version, header};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;
use url::Url;

use crate::body::Outgoing;
use crate::pool::{Key, Place};

/// Header fields in a response; a server that sends more is cut off. It is hyper's own bound: for any other one it reads each
/// head into new memory.
pub(crate) const MAX_FIELDS: usize = 100;
/// What hyper takes as the smallest read buffer, in bytes.
const SMALLEST_BUFFER: usize = 8192;
/// What is read ahead of a body at most, in bytes, unless a head may be larger.
const READ_AHEAD: usize = 64 * 1024;
/// The same over HTTP/2: of one response, and of all responses on a connection.
const WINDOW: u32 = 256 * 1024;
const WINDOW_OF_ALL: u32 = 1024 * 1024;
/// A connection that is older than this serves no further request: the certificate was looked at when it was opened.
const OLDEST: Duration = Duration::from_secs(300);

/// A connection, open for as long as somebody holds it. A task of its own moves its bytes.
pub(crate) struct Connection {
    speaks: Speaks,
    pub(crate) key: Arc<Key>,
    opened: Instant,
    running: Arc<AbortOnDropHandle<()>>,
}

enum Speaks {
    /// One exchange after the other (RFC 9112).
    Http1(http1::SendRequest<Outgoing>),
    /// Several at a time (RFC 9113).
    Http2(http2::SendRequest<Outgoing>),
}

impl Connection {
    /// Begins to speak HTTP/1.1 on a stream. The place in the pack's pool is held for as long as the connection is open.
    pub(crate) async fn http1<S>(stream: S, key: Key, place: Place, max_head: usize) -> hyper::Result<Self>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) = http1::Builder::new()
            .max_header_size(max_head)
            .max_buf_size(max_head.max(READ_AHEAD).max(SMALLEST_BUFFER))
            .handshake(TokioIo::new(stream))
            .await?;
        Ok(Self::running(Speaks::Http1(sender), connection, key, place))
    }

    /// The same for HTTP/2. A server pushes nothing: hyper says so to it.
    pub(crate) async fn http2<S>(stream: S, key: Key, place: Place, max_head: usize) -> hyper::Result<Self>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW_OF_ALL)
            .max_header_list_size(u32::try_from(max_head).unwrap_or(u32::MAX))
            .max_send_buf_size(READ_AHEAD)
            .handshake(TokioIo::new(stream))
            .await?;
        Ok(Self::running(Speaks::Http2(sender), connection, key, place))
    }

    fn running(
        speaks: Speaks,
        connection: impl Future<Output = hyper::Result<()>> + Send + 'static,
        key: Key,
        place: Place,
    ) -> Self {
        let running = AbortOnDropHandle::new(tokio::spawn(async move {
            let _while_open = place;
            if let Err(error) = connection.await {
                tracing::debug!(%error, "an outgoing connection ended with an error");
            }
        }));
        Self { speaks, key: Arc::new(key), opened: Instant::now(), running: Arc::new(running) }
    }

    /// Whether another request may be sent on it.
    pub(crate) fn is_usable(&self, now: Instant) -> bool {
        let closed = match &self.speaks {
            Speaks::Http1(sender) => sender.is_closed(),
            Speaks::Http2(sender) => sender.is_closed(),
        };
        !closed && now.saturating_duration_since(self.opened) < OLDEST
    }

    /// The same connection for one more exchange beside those that are under way, where it can carry several.
    pub(crate) fn shared(&self) -> Option<Self> {
        let Speaks::Http2(sender) = &self.speaks else { return None };
        let (key, running) = (self.key.clone(), self.running.clone());
        Some(Self { speaks: Speaks::Http2(sender.clone()), key, running, opened: self.opened })
    }

    /// Whether an exchange is under way on it, of an idle one that several share.
    pub(crate) fn is_in_use(&self) -> bool {
        Arc::strong_count(&self.running) > 1
    }

    /// Whether one exchange has the connection for itself.
    pub(crate) fn is_exclusive(&self) -> bool {
        matches!(self.speaks, Speaks::Http1(_))
    }

    /// Sends a request and waits for the head of its response. A request of which nothing was sent, because the server had
    /// closed the connection already, comes back.
    pub(crate) async fn send(
        &mut self,
        request: Request<Outgoing>,
        url: &Url,
    ) -> Result<Response<Incoming>, TrySendError<Request<Outgoing>>> {
        match &mut self.speaks {
            Speaks::Http1(sender) => {
                if let Err(error) = sender.ready().await {
                    // Nobody has taken the request yet.
                    tracing::debug!(%error, "a connection was closed while nobody used it");
                }
                sender.try_send_request(request).await
            }
            Speaks::Http2(sender) => sender.try_send_request(for_http2(request, url)).await,
        }
    }
}

/// The same request with the whole URL in its line, from which `:scheme` and `:authority` are made (RFC 9113 section 8.3.1).
fn for_http2(request: Request<Outgoing>, url: &Url) -> Request<Outgoing> {
    let (mut parts, body) = request.into_parts();
    let whole = url[..url::Position::AfterQuery].parse::<Uri>();
    // A URL of which the origin form could be written can be written as a whole.
    parts.uri = whole.unwrap_or(parts.uri);
    parts.version = Version::HTTP_2;
    parts.headers.remove(header::HOST);
    parts.headers.remove(header::CONNECTION);
    Request::from_parts(parts, body)
}
