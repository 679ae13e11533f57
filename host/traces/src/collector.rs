//! The collector: where it is, and how spans get there.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use ipnet::IpNet;
use opentelemetry::KeyValue;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchSpanProcessor, SpanProcessor};
use packhost_audit::Call;
use packhost_egress::{Account, Allowance, CallEgress, Egress, Rules, Verdict, Waits};
use tokio::runtime::Handle;
use url::{Host, Url};

use crate::spans::spans;

/// The most that a collector's answer may have, in bytes. It says what it did not take.
const ANSWER: usize = 64 << 10;
/// The most that one batch may move, both ways.
const BATCH: u64 = 64 << 20;

/// Where a collector is.
pub struct Collector {
    endpoint: Url,
    egress: Egress,
    rules: Arc<ToTheCollector>,
}

/// Why a collector cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CollectorError {
    /// It is no place for traces.
    #[error(
        "this is not the URL of a collector, such as https://otel.example.com:4318, without a user, query or fragment"
    )]
    Url,
    /// Somebody on the way could read what is sent.
    #[error(
        "{0} is not https: who called what would be sent in the clear. It can be on this machine, or in a network that is named"
    )]
    InTheClear(Url),
    /// The exporter refuses its settings, some of which come from `OTEL_…` variables.
    #[error("traces cannot be sent: {0}")]
    Setup(String),
}

impl Collector {
    /// The collector that takes OTLP over HTTP at this URL, to which `/v1/traces` is added. It may be at a public address, on this
    /// machine where its URL says so, and in these networks, where it may be without TLS.
    ///
    /// # Errors
    /// [`CollectorError::Url`] and [`CollectorError::InTheClear`].
    pub fn new(base: &Url, networks: &[IpNet], egress: Egress) -> Result<Self, CollectorError> {
        let odd = base.query().is_some() || base.fragment().is_some() || base.cannot_be_a_base();
        if odd || !base.username().is_empty() || base.password().is_some() {
            return Err(CollectorError::Url);
        }
        let own = on_this_machine(base);
        match base.scheme() {
            "https" => {}
            "http" if !own.is_empty() || !networks.is_empty() => {}
            "http" => return Err(CollectorError::InTheClear(base.clone())),
            _ => return Err(CollectorError::Url),
        }
        let mut endpoint = base.clone();
        endpoint.set_path(&format!("{}/v1/traces", base.path().trim_end_matches('/')));
        let networks = networks.iter().copied().chain(own).collect();
        let in_the_clear = base.scheme() == "http";
        let rules = Arc::new(ToTheCollector { endpoint: endpoint.clone(), networks, in_the_clear });
        Ok(Self { endpoint, egress, rules })
    }

    /// Starts sending. It has a thread: the walls must be up. What the `OTEL_…` variables say of batches, headers and the
    /// resource is heeded.
    ///
    /// # Errors
    /// [`CollectorError::Setup`].
    pub fn start(self, runtime: Handle) -> Result<Traces, CollectorError> {
        let client = ThroughEgress { egress: self.egress, rules: self.rules, runtime };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(self.endpoint.as_str())
            .build()
            .map_err(|error| CollectorError::Setup(error.to_string()))?;
        let resource = Resource::builder()
            .with_service_name(std::env::var("OTEL_SERVICE_NAME").unwrap_or_else(|_| "packhost".into()))
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let mut processor = BatchSpanProcessor::builder(exporter).build();
        processor.set_resource(&resource);
        Ok(Traces(processor))
    }
}

/// Networks of this machine that a URL names.
fn on_this_machine(url: &Url) -> Vec<IpNet> {
    let loopback = |text: &str| text.parse().into_iter().collect::<Vec<IpNet>>();
    match url.host() {
        Some(Host::Ipv4(ip)) if ip.is_loopback() => loopback("127.0.0.0/8"),
        Some(Host::Ipv6(ip)) if ip.is_loopback() => loopback("::1/128"),
        Some(Host::Domain("localhost")) => [loopback("127.0.0.0/8"), loopback("::1/128")].concat(),
        _ => Vec::new(),
    }
}

/// What goes to the collector, in batches.
#[derive(Debug)]
pub struct Traces(BatchSpanProcessor);

impl Traces {
    /// Hands over the spans of a call. Never waits: where too many are waiting already, they are dropped, and the log says so.
    pub fn add(&self, call: &Call) {
        spans(call).into_iter().for_each(|span| self.0.on_end(span));
    }

    /// Sends what is left, for at most so long. It waits: not for a thread of the runtime.
    pub fn end(&self, within: Duration) {
        if let Err(error) = self.0.shutdown_with_timeout(within) {
            tracing::warn!(target: "packhost", %error, "not every trace was sent");
        }
    }
}

/// `POST` to the collector, and nothing else.
struct ToTheCollector {
    endpoint: Url,
    networks: Vec<IpNet>,
    /// Without TLS, so that it does not leave these networks, whatever its name stands for.
    in_the_clear: bool,
}

impl Rules for ToTheCollector {
    fn within(&self) -> Option<&[IpNet]> {
        self.in_the_clear.then_some(self.networks.as_slice())
    }

    fn decide(&self, method: &Method, url: &Url) -> Verdict {
        if method == Method::POST && *url == self.endpoint {
            return Verdict::Allowed { addresses: self.networks.clone(), credentials: Vec::new() };
        }
        Verdict::Denied {
            message: format!("{method} {url} sends no traces"),
            fix: "Name the collector with --otlp-endpoint.".to_owned(),
        }
    }
}

/// The exporter's client. It is used on the exporter's thread, and its requests run where all others do.
struct ThroughEgress {
    egress: Egress,
    rules: Arc<ToTheCollector>,
    runtime: Handle,
}

impl fmt::Debug for ThroughEgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ThroughEgress")
    }
}

#[async_trait]
impl HttpClient for ThroughEgress {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (egress, rules) = (self.egress.clone(), Arc::clone(&self.rules));
        let sending = self.runtime.spawn(async move {
            let allowance = Allowance { requests: 1, bytes: BATCH, open: 1 };
            let call = CallEgress::own(Account::apart(1, Duration::ZERO), rules as Arc<dyn Rules>, allowance);
            let answer = egress.send(request.map(Full::new), &call, Waits::default()).await?;
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, ANSWER).collect().await?;
            Ok::<_, HttpError>(Response::from_parts(head, body.to_bytes()))
        });
        let answered = sending.await?;
        if let Err(error) = &answered {
            tracing::warn!(target: "packhost", %error, "traces did not reach the collector");
        }
        answered
    }
}

#[cfg(test)]
mod tests {
    use packhost_egress::Settings;

    use super::*;

    #[test]
    fn without_tls_it_leaves_no_network_that_was_not_named() {
        let egress = Egress::new(Settings::default()).expect("the platform's roots");
        let network: IpNet = "10.1.0.0/16".parse().expect("a network");
        let within = |url: &str| {
            let url = url.parse().expect("a URL");
            let collector = Collector::new(&url, &[network], egress.clone()).expect("a place for traces");
            collector.rules.within().map(<[IpNet]>::to_vec)
        };
        assert_eq!(within("https://otel.example.com"), None);
        assert_eq!(within("http://otel.example.com:4318"), Some(vec![network]));
        let loopback = "127.0.0.0/8".parse().expect("a network");
        assert_eq!(within("http://127.0.0.1:4318"), Some(vec![network, loopback]));
    }
}
