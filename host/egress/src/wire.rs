//! One HTTP/1.1 exchange on a connection of its own.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, Version};
use http_body::Body;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio_util::task::AbortOnDropHandle;
use url::Url;

use crate::body::{Arriving, Outgoing};
use crate::error::{EgressError, Wait};
use crate::headers;
use crate::redact::{self, ResponseBody};
use crate::target;
use crate::transfer::Transfer;

/// Header fields in a response; a server that sends more is cut off.
const MAX_FIELDS: usize = 256;
/// What hyper takes as the smallest read buffer, in bytes.
const SMALLEST_BUFFER: usize = 8192;
/// What is read ahead of a body at most, in bytes, unless a head may be larger.
const READ_AHEAD: usize = 64 * 1024;

/// The request as it goes on the wire, charged. `url` is that of the request, with credentials in it.
pub(crate) fn prepare<B>(
    request: Request<B>,
    url: &Url,
    transfer: &Transfer,
) -> Result<Request<B>, EgressError> {
    let (mut parts, body) = request.into_parts();
    parts.uri = target::origin_form(url)?;
    parts.version = Version::HTTP_11;
    // hyper reads header spelling and upgrades from extensions; nobody else's should steer it.
    parts.extensions.clear();
    headers::prepare(&mut parts.headers, &target::host_header(url))?;
    let line = parts.method.as_str().len() + parts.uri.path_and_query().map_or(0, |p| p.as_str().len());
    transfer.sent(line as u64 + headers::size(&parts.headers))?;
    Ok(Request::from_parts(parts, body))
}

/// What an exchange needs besides the stream and the request.
pub(crate) struct Wire {
    pub(crate) transfer: Arc<Transfer>,
    /// Held for as long as the connection is open.
    pub(crate) slot: OwnedSemaphorePermit,
    pub(crate) max_head: usize,
    pub(crate) max_decoded: u64,
    pub(crate) first_byte: Duration,
    pub(crate) between_bytes: Duration,
}

impl Wire {
    /// Sends the request and waits for the response's head. The connection runs in a task of its own, which ends
    /// with the exchange, when it is interrupted, or when the response's body is dropped.
    pub(crate) async fn exchange<S, B>(
        self,
        stream: S,
        request: Request<B>,
    ) -> Result<Response<ResponseBody>, EgressError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        B: Body<Data = Bytes, Error = EgressError> + Send + 'static,
    {
        let Self { transfer, slot, max_head, max_decoded, first_byte, between_bytes } = self;
        let (parts, body) = request.into_parts();
        let (body, sent) = Outgoing::new(body, transfer.clone());
        let (mut sender, connection) = http1::Builder::new()
            .max_headers(MAX_FIELDS)
            .max_header_size(max_head)
            .max_buf_size(max_head.max(READ_AHEAD).max(SMALLEST_BUFFER))
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| fault(&error, &transfer, max_head))?;
        let ending = transfer.clone();
        let running = AbortOnDropHandle::new(tokio::spawn(async move {
            let _while_open = slot;
            tokio::select! {
                biased;
                _ = ending.interrupted() => {}
                ended = connection => if let Err(error) = ended {
                    tracing::debug!(%error, "an outgoing connection ended with an error");
                }
            }
        }));
        let response = tokio::select! {
            biased;
            response = sender.send_request(Request::from_parts(parts, body)) => {
                response.map_err(|error| fault(&error, &transfer, max_head))?
            }
            () = late(sent, first_byte) => {
                return Err(transfer.fail(EgressError::Timeout { wait: Wait::FirstByte, limit: first_byte }));
            }
        };
        let response = receive(response, running, transfer.clone(), between_bytes)?;
        redact::response(response, &transfer, max_decoded)
    }
}

/// Ends when the server has been silent for too long; its time begins when the request has been sent.
async fn late(sent: oneshot::Receiver<Infallible>, limit: Duration) {
    let _sender_dropped = sent.await;
    tokio::time::sleep(limit).await;
}

fn receive(
    response: Response<Incoming>,
    connection: AbortOnDropHandle<()>,
    transfer: Arc<Transfer>,
    between_bytes: Duration,
) -> Result<Response<Arriving>, EgressError> {
    let (mut parts, body) = response.into_parts();
    if parts.status == StatusCode::SWITCHING_PROTOCOLS {
        return Err(
            transfer.fail(EgressError::Protocol("the server switched to a protocol nobody asked for"))
        );
    }
    parts.extensions.clear();
    transfer.received(headers::size(&parts.headers))?;
    headers::strip_hop(&mut parts.headers);
    Ok(Response::from_parts(parts, Arriving::new(body, transfer, connection, between_bytes)))
}

/// Our own words for what hyper met; hyper's go to the log.
fn fault(error: &hyper::Error, transfer: &Transfer, max_head: usize) -> EgressError {
    tracing::debug!(%error, "an outgoing request failed");
    transfer.fail(if error.is_parse_too_large() {
        EgressError::TooLarge { limit: max_head, fields: MAX_FIELDS }
    } else if error.is_parse() {
        EgressError::Protocol("the server's answer is not HTTP/1.1")
    } else if error.is_user() {
        EgressError::Protocol("the request's body does not fit its headers")
    } else {
        EgressError::Protocol("the server closed the connection before it answered")
    })
}
