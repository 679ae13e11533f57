//! The server side of an HTTP/1.1 proxy on one byte stream, whose other end is not trusted.
//!
//! Owns: which requests are read at all ([`check`]), requests in absolute form ([`forward`]), tunnels ([`tunnel`], with the
//! ClientHello that has to come first in [`hello`]), tunnels that end here ([`terminate`], with the certificates for it in
//! [`authority`]), and how a refusal is told ([`answer`]). Refuses: deciding anything of its
//! own. What leaves is asked of the same rules, resolved, checked, connected and charged as any other request.
//!
//! No `Via` is added (RFC 9110 section 7.6.3): a request out of a sandbox leaves as every other request of this host does.

mod answer;
mod authority;
mod check;
mod forward;
mod hello;
mod terminate;
mod tunnel;

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::{Method, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_io_timeout::TimeoutStream;

use crate::call::CallEgress;
use crate::error::EgressError;
use crate::send::Egress;
use crate::settings::Settings;
use crate::target::Target;
use answer::Answer;
pub use authority::SessionCa;
#[cfg(fuzzing)]
pub use hello::begins;
use terminate::Terminated;
use tunnel::Tunnel;

/// Header fields in a request; one with more is answered with 431 and the stream closed.
const MAX_FIELDS: usize = 256;
/// What is read ahead of a request's head and body at most, in bytes, unless a head may be larger.
const READ_AHEAD: usize = 64 * 1024;
/// The smallest read buffer that hyper takes, in bytes.
const SMALLEST_BUFFER: usize = 8192;

/// How long the other end of a proxied stream is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProxyWaits {
    /// Until a whole request head is there, from the start of the stream or the end of the last response; between two pieces
    /// of a request's body; and until the other end takes what is written to it. Default 60 s.
    pub idle: Duration,
    /// From the answer to a `CONNECT` until the ClientHello is whole. Default 10 s.
    pub hello: Duration,
}

impl Default for ProxyWaits {
    fn default() -> Self {
        Self { idle: Duration::from_secs(60), hello: Duration::from_secs(10) }
    }
}

/// Why a proxied stream ended before its other end closed it. For the host's log: the other end has been told what it can be
/// told in a response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// Nothing came, or nothing was taken.
    #[error("the client of the proxy sent no whole request, or took no answer, for {} ms", limit.as_millis())]
    Silent {
        /// The limit.
        limit: Duration,
    },
    /// What came is no request, or one that is too large.
    #[error("what the client of the proxy sent is not an HTTP/1.1 request that this host reads")]
    NotHttp,
    /// The stream ended in the middle of a request or a response.
    #[error("the client of the proxy went away in the middle of an exchange")]
    Broken,
    /// TLS did not come about in a tunnel that ends here.
    #[error("no secure connection with the client of the proxy: {0}")]
    Handshake(&'static str),
    /// The call is over, a tunnel was refused or cut off, or a response was cut off in the middle.
    #[error(transparent)]
    Egress(#[from] EgressError),
}

impl Egress {
    /// Serves one stream as an HTTP/1.1 proxy for `call`, one request after the other, until the other end closes it.
    ///
    /// A request in absolute form (RFC 9112 section 3.2.2), `http` or `https`, is sent as [`Egress::send`] does; its URL
    /// counts, its `Host` does not. What does not leave is answered with a status and `application/problem+json`
    /// (RFC 9457) with the members `code`, `retry` and `fix` besides.
    ///
    /// A `CONNECT` (RFC 9110 section 9.3.6) is asked of [`Rules::tunnel`](crate::Rules::tunnel). The name is resolved,
    /// every address checked and the connection made before it is answered; no byte is passed on before there is a TLS
    /// ClientHello whose server name is the host (or, where the host is an address, that has no server name). After that both
    /// ways are charged, and the tunnel ends the stream. Credentials are not put into it, nor looked for in it.
    ///
    /// Where [`Rules::terminates`](crate::Rules::terminates) says so, the tunnel ends here instead: TLS with a certificate of
    /// the call's [`SessionCa`], and in it HTTP/1.1 in origin form, whose requests are sent as those in absolute form are. The
    /// `CONNECT` is charged as a request, so that handshakes are counted as well.
    ///
    /// # Errors
    ///
    /// Any [`ProxyError`]. A request that was refused with a response is none.
    pub async fn serve_proxy<S>(&self, stream: S, call: &CallEgress) -> Result<(), ProxyError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let desk = Desk { egress: self, call, granted: Mutex::default() };
        tokio::select! {
            biased;
            () = call.inner.revoked.cancelled() => Err(EgressError::Revoked.into()),
            () = call.inner.cancelled.cancelled() => Err(EgressError::Cancelled.into()),
            served = desk.serve(stream) => served,
        }
    }
}

/// Answers the requests of one stream.
struct Desk<'a> {
    egress: &'a Egress,
    call: &'a CallEgress,
    /// What the last request asked for, once it was answered with yes.
    granted: Mutex<Option<Granted>>,
}

/// A `CONNECT` that was answered with yes.
enum Granted {
    /// Bytes go through.
    Tunnel(Tunnel),
    /// Requests are read.
    Terminated(Terminated),
}

impl Desk<'_> {
    async fn serve<S>(&self, stream: S) -> Result<(), ProxyError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let settings = &self.egress.shared.settings;
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(settings.proxy.idle));
        let served = http1(settings)
            .serve_connection(TokioIo::new(Box::pin(stream)), service_fn(|request| self.answer(request)))
            .with_upgrades()
            .await;
        served.map_err(|error| fault(&error, settings.proxy.idle))?;
        let granted = self.granted.lock().unwrap_or_else(PoisonError::into_inner).take();
        match granted {
            Some(Granted::Tunnel(tunnel)) => {
                Ok(tunnel.run(settings.proxy.hello, settings.between_bytes).await?)
            }
            Some(Granted::Terminated(terminated)) => terminated.run(self.egress, self.call).await,
            None => Ok(()),
        }
    }

    async fn answer(&self, mut request: Request<Incoming>) -> Result<Answer, Infallible> {
        if let Err(malformed) = check::check(&request) {
            return Ok(malformed.answer());
        }
        if request.method() != Method::CONNECT {
            return Ok(forward::forward(self.egress, self.call, request).await);
        }
        Ok(match self.connect(&mut request).await {
            Ok(granted) => {
                *self.granted.lock().unwrap_or_else(PoisonError::into_inner) = Some(granted);
                answer::connected()
            }
            // Whoever did not wait for the answer has sent more, which is nothing that may be read as a request.
            Err(error) => answer::closing(answer::refusal(error)),
        })
    }

    async fn connect(&self, request: &mut Request<Incoming>) -> Result<Granted, EgressError> {
        self.call.inner.budget.charge_request()?;
        self.call.inner.account.charge()?;
        let target = Target::of_tunnel(request.uri())?;
        if self.call.inner.rules.terminates(&target.url) {
            return Ok(Granted::Terminated(Terminated::open(self.call, target, request)?));
        }
        Ok(Granted::Tunnel(Tunnel::open(self.egress, self.call, target, request).await?))
    }
}

/// How requests are read, from the stream and out of a tunnel.
fn http1(settings: &Settings) -> http1::Builder {
    let mut http1 = http1::Builder::new();
    http1
        .timer(TokioTimer::new())
        .header_read_timeout(settings.proxy.idle)
        .max_headers(MAX_FIELDS)
        .max_header_size(settings.max_head)
        .max_buf_size(settings.max_head.max(READ_AHEAD).max(SMALLEST_BUFFER));
    http1
}

fn fault(error: &hyper::Error, idle: Duration) -> ProxyError {
    tracing::debug!(%error, "a proxied stream ended with an error");
    let cause = error.source();
    if let Some(error) = cause.and_then(|cause| cause.downcast_ref::<EgressError>()) {
        return ProxyError::Egress(error.clone());
    }
    let late = cause.and_then(|cause| cause.downcast_ref::<io::Error>());
    if error.is_timeout() || late.is_some_and(|error| error.kind() == io::ErrorKind::TimedOut) {
        ProxyError::Silent { limit: idle }
    } else if error.is_parse() {
        ProxyError::NotHttp
    } else {
        ProxyError::Broken
    }
}
