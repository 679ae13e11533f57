//! One request under way: what it charges, and what ends it early.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::Instant;

use crate::call::Call;
use crate::contact::Entry;
use crate::error::{EgressError, Wait};

/// The moment that is this far from now, or some thirty years from now if there is no such moment.
pub(crate) fn deadline(after: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(after).unwrap_or(now + Duration::from_secs(1 << 30))
}

/// Shared by the request's body, its connection and the response's body, which run in different tasks.
pub(crate) struct Transfer {
    pub(crate) call: Arc<Call>,
    pub(crate) contact: Arc<Entry>,
    total: Duration,
    until: Instant,
    fault: OnceLock<EgressError>,
}

impl Transfer {
    pub(crate) fn new(call: Arc<Call>, contact: Arc<Entry>, total: Duration) -> Self {
        Self { call, contact, total, until: deadline(total), fault: OnceLock::new() }
    }

    pub(crate) fn sent(&self, bytes: u64) -> Result<(), EgressError> {
        self.charge(&self.contact.sent, bytes)
    }

    pub(crate) fn received(&self, bytes: u64) -> Result<(), EgressError> {
        self.charge(&self.contact.received, bytes)
    }

    fn charge(&self, counter: &AtomicU64, bytes: u64) -> Result<(), EgressError> {
        self.check()?;
        self.call.budget.charge_bytes(bytes).map_err(|error| self.fail(error))?;
        counter.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }

    /// Whether the exchange may go on.
    pub(crate) fn check(&self) -> Result<(), EgressError> {
        if let Some(fault) = self.fault.get() {
            return Err(fault.clone());
        }
        if self.call.revoked.is_cancelled() {
            return Err(self.fail(EgressError::Revoked));
        }
        if self.call.cancelled.is_cancelled() {
            return Err(self.fail(EgressError::Cancelled));
        }
        if Instant::now() >= self.until {
            return Err(self.fail(self.out_of_time()));
        }
        Ok(())
    }

    /// Remembers the first fault and returns it: what fails afterwards is a consequence.
    pub(crate) fn fail(&self, error: EgressError) -> EgressError {
        self.fault.get_or_init(|| error).clone()
    }

    /// What went wrong so far.
    pub(crate) fn fault(&self) -> Option<EgressError> {
        self.fault.get().cloned()
    }

    /// Waits until something ends the exchange early.
    pub(crate) async fn interrupted(&self) -> EgressError {
        let error = tokio::select! {
            biased;
            () = self.call.revoked.cancelled() => EgressError::Revoked,
            () = self.call.cancelled.cancelled() => EgressError::Cancelled,
            () = tokio::time::sleep_until(self.until) => self.out_of_time(),
        };
        self.fail(error)
    }

    fn out_of_time(&self) -> EgressError {
        EgressError::Timeout { wait: Wait::Total, limit: self.total }
    }
}
