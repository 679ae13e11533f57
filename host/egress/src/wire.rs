//! One exchange on a connection.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, StatusCode, Version};
use http_body::Body;
use hyper::body::Incoming;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep_until};
use url::Url;

use crate::body::{Arriving, Outgoing};
use crate::connection::{Connection, MAX_FIELDS};
use crate::error::{EgressError, Wait};
use crate::headers;
use crate::redact::{self, ResponseBody};
use crate::target;
use crate::transfer::{Interruption, Transfer, deadline_from};

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
    let keeps = transfer.call.account.pool.keeps();
    headers::prepare(&mut parts.headers, target::host_header(url), keeps)?;
    let line = parts.method.as_str().len() + parts.uri.path_and_query().map_or(0, |p| p.as_str().len());
    transfer.sent(line as u64 + headers::size(&parts.headers))?;
    Ok(Request::from_parts(parts, body))
}

/// A connection while one exchange uses it.
pub(crate) struct Lease {
    connection: Connection,
    transfer: Arc<Transfer>,
}

impl Lease {
    /// The exchange has come to its end: the connection may serve another one.
    pub(crate) fn give_back(self) {
        // An HTTP/2 connection is in the pool already. A server may answer before it has read all of the request.
        if self.connection.is_exclusive() && self.transfer.sent_at().is_some() {
            self.transfer.call.account.pool.put(self.connection);
        }
    }
}

/// What an exchange needs besides the connection and the request.
pub(crate) struct Wire {
    pub(crate) transfer: Arc<Transfer>,
    /// Held for as long as the exchange lasts.
    pub(crate) slot: OwnedSemaphorePermit,
    pub(crate) max_head: usize,
    pub(crate) max_decoded: u64,
    pub(crate) first_byte: Duration,
    pub(crate) between_bytes: Duration,
}

/// What became of a request.
pub(crate) enum Sent {
    Answered(Response<Incoming>),
    /// The connection had been closed before any of it was sent.
    Not(Request<Outgoing>),
    /// Nothing came back.
    Lost(hyper::Error),
}

impl Wire {
    /// Sends the request and waits for the response's head.
    pub(crate) async fn exchange(
        &self,
        connection: &mut Connection,
        request: Request<Outgoing>,
        url: &Url,
    ) -> Result<Sent, EgressError> {
        let transfer = &self.transfer;
        tokio::select! {
            biased;
            response = connection.send(request, url) => match response {
                Ok(response) => Ok(Sent::Answered(response)),
                Err(mut failed) => match failed.take_message() {
                    Some(request) => Ok(Sent::Not(request)),
                    None if failed.error().is_parse() || failed.error().is_user() => {
                        Err(self.fault(failed.error()))
                    }
                    None => Ok(Sent::Lost(failed.into_error())),
                },
            },
            () = late(transfer, self.first_byte) => {
                let limit = self.first_byte;
                Err(transfer.fail(EgressError::Timeout { wait: Wait::FirstByte, limit }))
            }
        }
    }

    /// The same request once more, for where an idle connection turns out to have been closed while it was being sent: only if
    /// nothing is lost by sending it twice (RFC 9110 section 9.2.2), and it has no body.
    pub(crate) fn spare(&self, request: &Request<Outgoing>) -> Option<Request<Outgoing>> {
        if !request.method().is_safe() || !request.body().is_end_stream() {
            return None;
        }
        let mut spare = Request::new(Outgoing::empty(self.transfer.clone()));
        *spare.method_mut() = request.method().clone();
        *spare.uri_mut() = request.uri().clone();
        *spare.headers_mut() = request.headers().clone();
        Some(spare)
    }

    /// Our own words for what hyper met; hyper's go to the log.
    pub(crate) fn fault(&self, error: &hyper::Error) -> EgressError {
        tracing::debug!(%error, "an outgoing request failed");
        self.transfer.fail(if error.is_parse_too_large() {
            EgressError::TooLarge { limit: self.max_head, fields: MAX_FIELDS }
        } else if error.is_parse() {
            EgressError::Protocol("the server's answer is not HTTP/1.1")
        } else if error.is_user() {
            EgressError::Protocol("the request's body does not fit its headers")
        } else {
            EgressError::CLOSED
        })
    }

    /// The response as the call may have it. Its body streams, and holds the connection until it has ended.
    pub(crate) fn receive(
        self,
        response: Response<Incoming>,
        connection: Connection,
        interruption: Interruption,
    ) -> Result<Response<ResponseBody>, EgressError> {
        let Self { transfer, slot, max_decoded, between_bytes, .. } = self;
        let (mut parts, body) = response.into_parts();
        if parts.status == StatusCode::SWITCHING_PROTOCOLS {
            let error = EgressError::Protocol("the server switched to a protocol nobody asked for");
            return Err(transfer.fail(error));
        }
        parts.extensions.clear();
        transfer.received(headers::size(&parts.headers))?;
        headers::strip_hop(&mut parts.headers);
        let lease = Lease { connection, transfer: transfer.clone() };
        let arriving = Arriving::new(body, transfer.clone(), (lease, slot), interruption, between_bytes);
        redact::response(Response::from_parts(parts, arriving), &transfer, max_decoded)
    }
}

/// Ends when the server has been silent for too long; its time begins when the request has been sent, and no earlier than now.
async fn late(transfer: &Transfer, limit: Duration) {
    let mut since = Instant::now();
    loop {
        sleep_until(deadline_from(since, limit)).await;
        // Nobody wakes this when the request has been sent; what was too early is waited for once more.
        match transfer.sent_at() {
            Some(sent) if sent <= since => return,
            Some(sent) => since = sent,
            None => since = Instant::now(),
        }
    }
}
