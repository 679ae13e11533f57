//! Traces of calls: wires the traces room to the command line, egress and the record.

use std::sync::Arc;
use std::time::Duration;

use packhost_audit::Recorder;
use packhost_egress::Egress;
use packhost_traces::{Collector, Traced, Traces};
use tokio::runtime::Handle;

use crate::args::Global;
use crate::exit::Error;
use crate::host;

/// How long what is left may take to be sent.
const LAST: Duration = Duration::from_secs(3);

/// The collector, where one is named. Reads the trusted roots: behind the walls they are out of reach.
pub(crate) fn collector(global: &Global) -> Result<Option<Collector>, Error> {
    let Some(base) = &global.otlp_endpoint else { return Ok(None) };
    let egress = Egress::new(host::egress(global)?).map_err(|error| Error::failed(error.to_string()))?;
    let collector = Collector::new(base, &global.otlp_network, egress);
    collector.map(Some).map_err(|error| Error::failed(format!("--otlp-endpoint: {error}")))
}

/// What sends traces while the host runs.
pub(crate) struct Sending(Option<Arc<Traces>>);

/// Starts sending, and traces what goes on record from now on.
pub(crate) fn start(
    collector: Option<Collector>,
    recorder: &mut Option<Arc<dyn Recorder>>,
) -> Result<Sending, Error> {
    let Some(collector) = collector else { return Ok(Sending(None)) };
    let traces = collector.start(Handle::current()).map_err(|error| Error::failed(error.to_string()))?;
    let traces = Arc::new(traces);
    *recorder = recorder.take().map(|own| Arc::new(Traced::new(own, Arc::clone(&traces))) as _);
    Ok(Sending(Some(traces)))
}

impl Sending {
    /// Sends what is left.
    pub(crate) async fn end(self) {
        let Some(traces) = self.0 else { return };
        // It waits for the exporter's thread, whose requests run here.
        let _ = tokio::task::spawn_blocking(move || traces.end(LAST)).await;
    }
}
