//! The one way out of a call's sandbox: into egress, under the session's own rules.

use async_trait::async_trait;
use packhost_egress::{CallEgress, Egress};
use packhost_session_protocol::Stream;
use packhost_sessions::link::Leaves;

/// Serves what leaves the sandbox.
pub(crate) struct Way {
    egress: Egress,
    call: CallEgress,
}

impl Way {
    pub(crate) fn new(egress: Egress, call: CallEgress) -> Self {
        Self { egress, call }
    }

    /// What was contacted, for the record.
    pub(crate) fn call(&self) -> &CallEgress {
        &self.call
    }
}

#[async_trait]
impl Leaves for Way {
    async fn leave(&self, stream: Stream) {
        if let Err(error) = self.egress.serve_proxy(stream, &self.call).await {
            tracing::debug!(%error, "a connection out of a sandbox ended");
        }
    }
}
