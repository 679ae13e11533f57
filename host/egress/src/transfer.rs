//! One request under way: what it charges, and what ends it early.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::Instant;

use crate::call::Call;
use crate::contact::Entry;
use crate::error::{EgressError, Wait};

/// The moment that is this far from now, or some thirty years from now if there is no such moment.
pub(crate) fn deadline(after: Duration) -> Instant {
    deadline_from(Instant::now(), after)
}

/// The same from another moment than now.
pub(crate) fn deadline_from(start: Instant, after: Duration) -> Instant {
    start.checked_add(after).unwrap_or(start + Duration::from_secs(1 << 30))
}

/// Shared by the request's body, its connection and the response's body, which run in different tasks.
pub(crate) struct Transfer {
    pub(crate) call: Arc<Call>,
    pub(crate) contact: Arc<Entry>,
    total: Duration,
    until: Instant,
    sent: OnceLock<Instant>,
    fault: OnceLock<EgressError>,
}

/// Ends when something ends the exchange early.
pub(crate) type Interruption = Pin<Box<dyn Future<Output = EgressError> + Send>>;

impl Transfer {
    pub(crate) fn new(call: Arc<Call>, contact: Arc<Entry>, total: Duration) -> Self {
        Self { call, contact, total, until: deadline(total), sent: OnceLock::new(), fault: OnceLock::new() }
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
        self.contact.moves();
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

    /// From here on nothing more of the request is to be sent.
    pub(crate) fn ended_sending(&self) {
        let _first_counts = self.sent.set(Instant::now());
    }

    /// When the request had been sent as a whole.
    pub(crate) fn sent_at(&self) -> Option<Instant> {
        self.sent.get().copied()
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

    /// The same, for whoever hands it on. One serves a whole exchange: what it waits for is registered once.
    pub(crate) fn interruption(self: &Arc<Self>) -> Interruption {
        let transfer = Arc::clone(self);
        Box::pin(async move { transfer.interrupted().await })
    }

    fn out_of_time(&self) -> EgressError {
        EgressError::Timeout { wait: Wait::Total, limit: self.total }
    }
}
