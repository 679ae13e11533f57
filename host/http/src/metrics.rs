//! `GET /metrics`: what calls do, counted for Prometheus, in the text format of OpenMetrics 1.0.
//!
//! Every label has few values: packs that are served, and the closed set of errors. Nothing that a caller sends becomes one.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use axum::Extension;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use packhost_api::Problem;
use packhost_core::{ErrorCode, Identity, Scope};
use packhost_engine::{Ended, Engine, Observer, Outcome};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::vitals::Asked;

const FORMAT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// From a call that only computes to one that is stopped by its limit, in seconds.
const SECONDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0, 60.0, 600.0];
/// From one page of linear memory to the most that a call may have, in bytes.
const BYTES: [f64; 9] = [
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
    268_435_456.0,
    1_073_741_824.0,
    4_294_967_296.0,
];

/// Everything that is counted.
pub(crate) struct Metrics {
    registry: Registry,
    counts: Arc<Counts>,
    resident: Gauge<i64, AtomicI64>,
    descriptors: Gauge<i64, AtomicI64>,
}

/// What the engine's calls are counted in.
struct Counts {
    calls: Family<PackAndOutcome, Counter>,
    denials: Family<PackAndOutcome, Counter>,
    took: Family<OfPack, Histogram, fn() -> Histogram>,
    queued: Histogram,
    memory: Family<OfPack, Histogram, fn() -> Histogram>,
    in_flight: Gauge,
    requests: Family<OfPack, Counter>,
}

/// A pack of the catalog; empty where the caller may call none by the name that it sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfPack {
    pack: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PackAndOutcome {
    pack: String,
    /// `ok`, `asks`, or one of the closed set of errors.
    outcome: &'static str,
}

impl Metrics {
    /// Counts the calls of this engine from now on.
    pub(crate) fn of(engine: &Engine) -> Arc<Self> {
        let mut metrics = Self::new();
        metrics.registry.register_collector(Box::new(Asked(engine.clone())));
        if !engine.observe(Arc::clone(&metrics.counts) as Arc<dyn Observer>) {
            tracing::warn!("the calls of this engine are counted by another listener");
        }
        Arc::new(metrics)
    }

    fn new() -> Self {
        let counts = Arc::new(Counts {
            calls: Family::default(),
            denials: Family::default(),
            took: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            queued: Histogram::new(SECONDS),
            memory: Family::new_with_constructor(|| Histogram::new(BYTES)),
            in_flight: Gauge::default(),
            requests: Family::default(),
        });
        let mut all = Registry::default();
        let (resident, descriptors) = (Gauge::default(), Gauge::default());
        let own = all.sub_registry_with_prefix("packhost");
        let Counts { calls, denials, took, queued, memory, in_flight, requests } = &*counts;
        own.register("calls", "Calls that have ended", calls.clone());
        own.register("denials", "Calls that ended because something was not granted", denials.clone());
        own.register_with_unit(
            "call",
            "Time from the coming in of a call to its end",
            Unit::Seconds,
            took.clone(),
        );
        own.register_with_unit("queued", "Time that calls waited for a place", Unit::Seconds, queued.clone());
        own.register_with_unit(
            "call_memory",
            "The most linear memory that a call used",
            Unit::Bytes,
            memory.clone(),
        );
        own.register("calls_in_flight", "Calls that run or wait for a place", in_flight.clone());
        own.register("outgoing_requests", "Requests that calls made", requests.clone());
        let process = all.sub_registry_with_prefix("process");
        process.register_with_unit(
            "resident_memory",
            "Memory of the host in RAM",
            Unit::Bytes,
            resident.clone(),
        );
        process.register("open_fds", "Open file descriptors of the host", descriptors.clone());
        Self { registry: all, counts, resident, descriptors }
    }

    fn text(&self) -> String {
        if let Some(bytes) = resident() {
            self.resident.set(bytes);
        }
        if let Ok(open) = fs::read_dir("/proc/self/fd") {
            self.descriptors.set(i64::try_from(open.count()).unwrap_or(i64::MAX));
        }
        let mut text = String::new();
        // Writing to a text does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

/// The process's resident set in bytes (proc_pid_status(5), `VmRSS`).
fn resident() -> Option<i64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: i64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

impl Observer for Counts {
    fn begins(&self) {
        self.in_flight.inc();
    }

    fn ended(&self, outcome: Option<&Outcome>, took: Duration) {
        self.in_flight.dec();
        let pack =
            outcome.and_then(|outcome| outcome.pack.as_ref()).map(ToString::to_string).unwrap_or_default();
        let said = match outcome.map(|outcome| &outcome.result) {
            Some(Ok(_)) => "ok",
            Some(Err(Ended::Asks(_))) => "asks",
            Some(Err(Ended::Failed(failure))) => failure.code.as_str(),
            None => ErrorCode::Internal.as_str(),
        };
        let labels = PackAndOutcome { pack: pack.clone(), outcome: said };
        self.calls.get_or_create(&labels).inc();
        let denied = [ErrorCode::CapabilityDenied, ErrorCode::EgressDenied, ErrorCode::CredentialDenied];
        if denied.iter().any(|code| code.as_str() == said) {
            self.denials.get_or_create(&labels).inc();
        }
        let of = OfPack { pack };
        self.took.get_or_create(&of).observe(took.as_secs_f64());
        let Some(usage) = outcome.map(|outcome| outcome.usage).filter(|usage| !usage.ran.is_zero()) else {
            return;
        };
        self.queued.observe(usage.queued.as_secs_f64());
        self.memory.get_or_create(&of).observe(usage.memory as f64);
        self.requests.get_or_create(&of).inc_by(usage.requests);
    }
}

/// What is counted, for whoever may read what everybody's calls did.
pub(crate) async fn answer(metrics: Arc<Metrics>, Extension(identity): Extension<Identity>) -> Response {
    if !identity.scopes.allow(&Scope::ReadAudit) {
        return Problem::new(
            ErrorCode::CapabilityDenied,
            "The token of this caller does not let it read metrics.",
        )
        .fix(format!("Ask for a token with the scope \"{}\".", Scope::ReadAudit))
        .into_response();
    }
    // Files of /proc are made while they are read.
    let text = tokio::task::spawn_blocking(move || metrics.text()).await.unwrap_or_default();
    (StatusCode::OK, [(CONTENT_TYPE, FORMAT), (CACHE_CONTROL, "no-store")], text).into_response()
}

#[cfg(test)]
mod tests {
    use packhost_core::{Failure, RunId};
    use packhost_engine::{Answer, Usage};

    use super::*;

    fn outcome(pack: Option<&str>, result: Result<Answer, Ended>) -> Outcome {
        Outcome {
            run: RunId::fresh(),
            pack: pack.map(|pack| pack.parse().expect("a name")),
            result,
            mends: Vec::new(),
            artifacts: Vec::new(),
            revision: String::new(),
            session: None,
            usage: Usage { ran: Duration::from_millis(3), memory: 1 << 20, requests: 2, ..Usage::default() },
        }
    }

    #[test]
    fn calls_are_counted_by_pack_and_outcome() {
        let metrics = Metrics::new();
        let counts = &metrics.counts;
        let denied = Failure::new(ErrorCode::EgressDenied, "No.");
        for outcome in [
            Some(outcome(Some("http.fetch"), Ok(Answer::default()))),
            Some(outcome(Some("http.fetch"), Err(denied.into()))),
            Some(outcome(None, Err(Failure::new(ErrorCode::NotFound, "No such.").into()))),
            None,
        ] {
            counts.begins();
            counts.ended(outcome.as_ref(), Duration::from_millis(4));
        }
        counts.begins();
        let text = metrics.text();
        for line in [
            "packhost_calls_total{pack=\"http.fetch\",outcome=\"ok\"} 1",
            "packhost_calls_total{pack=\"http.fetch\",outcome=\"egress_denied\"} 1",
            "packhost_calls_total{pack=\"\",outcome=\"not_found\"} 1",
            "packhost_calls_total{pack=\"\",outcome=\"internal\"} 1",
            "packhost_denials_total{pack=\"http.fetch\",outcome=\"egress_denied\"} 1",
            "packhost_call_seconds_bucket{le=\"0.005\",pack=\"http.fetch\"} 2",
            "packhost_call_memory_bytes_count{pack=\"http.fetch\"} 2",
            "packhost_outgoing_requests_total{pack=\"http.fetch\"} 4",
            "packhost_calls_in_flight 1",
            "# EOF",
        ] {
            assert!(text.lines().any(|own| own == line), "{line} in\n{text}");
        }
        assert!(text.contains("process_resident_memory_bytes "), "{text}");
    }
}
