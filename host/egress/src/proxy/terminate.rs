//! Tunnels that end here: the host is the TLS server, and sends each request that it reads as any other of the call.

use std::convert::Infallible;
use std::io::Cursor;
use std::sync::Arc;

use http::uri::{PathAndQuery, Scheme, Uri};
use http::{Request, uri};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncReadExt;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::answer::Answer;
use super::{ProxyError, authority::SessionCa, check, fault, forward, http1, tunnel};
use crate::call::CallEgress;
use crate::contact::Decision;
use crate::error::{EgressError, Wait};
use crate::send::Egress;
use crate::target::Target;

/// A tunnel that was granted, and in which nothing has been said.
pub(super) struct Terminated {
    client: OnUpgrade,
    target: Target,
    authority: Arc<SessionCa>,
}

impl Terminated {
    /// Nothing is resolved or connected: each request does that for itself. The `CONNECT` has been charged.
    ///
    /// # Errors
    ///
    /// The call has no authority.
    pub(super) fn open(
        call: &CallEgress,
        target: Target,
        request: &mut Request<Incoming>,
    ) -> Result<Self, EgressError> {
        let Some(authority) = call.authority.clone() else {
            call.inner.log.begin(target.host_str(), target.port).decided(Decision::DeniedByRule);
            return Err(EgressError::Denied {
                message: format!(
                    "the host has to read what goes through a tunnel to {}, and has no certificate for it here",
                    target.host_str()
                ),
                fix: "Send requests in absolute form instead of CONNECT.".to_owned(),
            });
        };
        Ok(Self { client: hyper::upgrade::on(request), target, authority })
    }

    /// Reads the ClientHello, which has to name the host, ends TLS, and serves the requests in it.
    pub(super) async fn run(self, egress: &Egress, call: &CallEgress) -> Result<(), ProxyError> {
        let Self { client, target, authority } = self;
        let settings = &egress.shared.settings;
        let limit = settings.proxy.hello;
        let mut client = TokioIo::new(client.await.map_err(|error| fault(&error, settings.proxy.idle))?);
        let hello = tunnel::greeting(&mut client, &target, limit).await;
        if let Err(EgressError::Denied { .. }) = hello {
            call.inner.log.begin(target.host_str(), target.port).decided(Decision::DeniedByRule);
        }
        let Some(hello) = hello? else { return Ok(()) };
        let config = authority.server(&target.host).map_err(|error| {
            tracing::warn!(%error, "no certificate could be made for a tunnel");
            ProxyError::Handshake("the host could not make a certificate for it")
        })?;
        let (from_client, to_client) = tokio::io::split(client);
        let stream = tokio::io::join(Cursor::new(hello.bytes).chain(from_client), to_client);
        let accepting = timeout(limit, TlsAcceptor::from(config).accept(stream)).await;
        let accepted = accepting.map_err(|_| EgressError::Timeout { wait: Wait::Hello, limit })?;
        let stream = accepted.map_err(|error| {
            tracing::debug!(%error, host = target.host_str(), "no TLS in a tunnel that ends here");
            ProxyError::Handshake(why(&error))
        })?;
        let answer = |request| answer(egress, call, &target, request);
        let served = http1(settings).serve_connection(TokioIo::new(stream), service_fn(answer)).await;
        served.map_err(|error| fault(&error, settings.proxy.idle))
    }
}

/// Sends one request to the origin of the tunnel.
async fn answer(
    egress: &Egress,
    call: &CallEgress,
    origin: &Target,
    mut request: Request<Incoming>,
) -> Result<Answer, Infallible> {
    if let Err(malformed) = check::check_within(&request, origin) {
        return Ok(malformed.answer());
    }
    *request.uri_mut() = match absolute(origin, request.uri()) {
        Ok(uri) => uri,
        Err(error) => {
            tracing::debug!(%error, "a target that has no absolute form");
            return Ok(super::answer::refusal(EgressError::Url("its path cannot be written in a request")));
        }
    };
    Ok(forward::forward(egress, call, request).await)
}

/// The URL that a path of this origin means.
fn absolute(origin: &Target, path: &Uri) -> Result<Uri, http::Error> {
    let mut parts = uri::Parts::default();
    parts.scheme = Some(Scheme::HTTPS);
    parts.authority = Some(format!("{}:{}", origin.host_str(), origin.port).parse()?);
    parts.path_and_query =
        Some(path.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/")));
    Ok(Uri::from_parts(parts)?)
}

/// Our own words: what the client has sent is its own choice.
fn why(error: &std::io::Error) -> &'static str {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        Some(rustls::Error::AlertReceived(_)) => {
            "it refused the certificate; it has to trust the certificate authority of its session"
        }
        Some(rustls::Error::NoApplicationProtocol) => "it does not speak HTTP/1.1",
        Some(rustls::Error::PeerIncompatible(_)) => "it does not speak TLS 1.2 or 1.3 as this host does",
        Some(_) => "the handshake failed",
        None => "it ended during the handshake",
    }
}
