//! The one way out of a call's sandbox: into egress, under the session's own rules.

use std::sync::Arc;

use async_trait::async_trait;
use packhost_egress::{CallEgress, Egress, SessionCa};
use packhost_session_protocol::Stream;
use packhost_sessions::link::Leaves;

/// Serves what leaves the sandbox.
pub(crate) struct Way {
    egress: Egress,
    call: CallEgress,
    authority: Option<Arc<SessionCa>>,
}

impl Way {
    pub(crate) fn new(egress: Egress, call: CallEgress) -> Self {
        Self { egress, call, authority: None }
    }

    /// The same, where some tunnels end at the host.
    pub(crate) fn terminating(mut self, authority: SessionCa) -> Self {
        let authority = Arc::new(authority);
        self.call = self.call.terminating(Arc::clone(&authority));
        self.authority = Some(authority);
        self
    }

    /// What the sandbox has to trust besides its own roots.
    pub(super) fn root(&self) -> Option<&str> {
        self.authority.as_deref().map(SessionCa::certificate_pem)
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
