//! The requests of an S3 store, sent through the host's one way out.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::Method;
use http_body::{Body, Frame, SizeHint};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody,
    HttpService,
};
use packhost_egress::{
    Account, Allowance, CallEgress, Egress, EgressError, ResponseBody, Rules, Verdict, Waits,
};
use url::{Host, Url};

/// Connections that are open to the store at the same time.
const CONNECTIONS: u32 = 16;
/// How long one stays open for the next request.
const IDLE: Duration = Duration::from_secs(30);

/// Sends what an S3 store has to send through the host's egress, to the endpoint and to nothing else.
#[derive(Clone)]
pub struct ThroughEgress {
    egress: Egress,
    account: Account,
    rules: Arc<dyn Rules>,
}

impl ThroughEgress {
    /// Requests to this endpoint. One on this machine's loopback may be connected to; others have to be at public addresses,
    /// or in these networks, written as `10.0.0.0/8`.
    pub fn new(egress: Egress, endpoint: &Url, networks: &[ipnet::IpNet]) -> Self {
        let mut open = networks.to_vec();
        open.extend(match endpoint.host() {
            Some(Host::Ipv4(ip)) if ip.is_loopback() => Some(ipnet::IpNet::from(std::net::IpAddr::V4(ip))),
            Some(Host::Ipv6(ip)) if ip.is_loopback() => Some(ipnet::IpNet::from(std::net::IpAddr::V6(ip))),
            _ => None,
        });
        let rules = Arc::new(Endpoint { origin: endpoint.origin(), open });
        Self { egress, account: Account::apart(CONNECTIONS, IDLE), rules }
    }
}

impl fmt::Debug for ThroughEgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ThroughEgress")
    }
}

/// One origin, and all that is below it.
struct Endpoint {
    origin: url::Origin,
    open: Vec<ipnet::IpNet>,
}

impl Rules for Endpoint {
    fn decide(&self, _: &Method, url: &Url) -> Verdict {
        if url.origin() == self.origin {
            return Verdict::Allowed { addresses: self.open.clone(), credentials: Vec::new() };
        }
        Verdict::Denied {
            message: "the store of artifacts is somewhere else".to_owned(),
            fix: "Set the endpoint of the store.".to_owned(),
        }
    }
}

impl HttpConnector for ThroughEgress {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for ThroughEgress {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        // Each request is a call of its own: what it may send is bounded by the quotas of artifacts, not by an allowance.
        let allowance = Allowance { requests: 1, bytes: u64::MAX, open: 1 };
        let (account, rules) = (self.account.clone(), Arc::clone(&self.rules));
        let call = CallEgress::own(account, rules, allowance);
        let response = self.egress.send(request, &call, Waits::default()).await.map_err(error)?;
        Ok(response.map(|body| HttpResponseBody::new(Received(Mutex::new(body)))))
    }
}

/// Whether it was sent decides whether it may be sent again.
fn error(error: EgressError) -> HttpError {
    let kind = match &error {
        EgressError::Connect { .. } | EgressError::Dns { .. } => HttpErrorKind::Connect,
        EgressError::Timeout { .. } => HttpErrorKind::Timeout,
        EgressError::Protocol(_) => HttpErrorKind::Interrupted,
        _ => HttpErrorKind::Unknown,
    };
    HttpError::new(kind, error)
}

/// A body that may be shared, which `object_store` wants; nobody does.
struct Received(Mutex<ResponseBody>);

impl Body for Received {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let body = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        Pin::new(body).poll_frame(cx).map_err(error)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).size_hint()
    }

    fn is_end_stream(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_end_stream()
    }
}
