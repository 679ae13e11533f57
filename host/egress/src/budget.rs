//! What one call may spend on outgoing requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Semaphore;

use crate::error::{EgressError, Resource};
use crate::resolve::SHARE;

/// The limits of one call, over all of its requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Requests in all, the denied ones too.
    pub requests: u64,
    /// Bytes in all, both directions: heads as they are in memory (method, path, header names and values) and
    /// bodies with their trailers. TLS and chunk framing are not counted.
    pub bytes: u64,
    /// Requests open at the same time, from 1; more wait for their turn, within the connect timeout.
    pub open: usize,
}

impl Default for Allowance {
    /// 100 requests, 100 MiB, 16 at a time.
    fn default() -> Self {
        Self { requests: 100, bytes: 100 << 20, open: 16 }
    }
}

/// What a call has spent so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    /// Requests, the denied ones too.
    pub requests: u64,
    /// Bytes sent and received, counted as [`Allowance::bytes`] says.
    pub bytes: u64,
}

#[derive(Debug)]
pub(crate) struct Budget {
    allowance: Allowance,
    requests: AtomicU64,
    bytes: AtomicU64,
    pub(crate) open: Arc<Semaphore>,
    pub(crate) lookups: Arc<Semaphore>,
}

impl Budget {
    pub(crate) fn new(allowance: Allowance) -> Self {
        let open = allowance.open.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            allowance,
            requests: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            open: Arc::new(Semaphore::new(open)),
            lookups: Arc::new(Semaphore::new(SHARE)),
        }
    }

    pub(crate) fn charge_request(&self) -> Result<(), EgressError> {
        charge(&self.requests, 1, self.allowance.requests)
            .map_err(|limit| EgressError::Budget { resource: Resource::Requests, limit })
    }

    pub(crate) fn charge_bytes(&self, bytes: u64) -> Result<(), EgressError> {
        charge(&self.bytes, bytes, self.allowance.bytes)
            .map_err(|limit| EgressError::Budget { resource: Resource::Bytes, limit })
    }

    pub(crate) fn spent(&self) -> Spent {
        Spent { requests: self.requests.load(Ordering::Relaxed), bytes: self.bytes.load(Ordering::Relaxed) }
    }
}

/// Adds `amount` where that stays within `limit`; otherwise adds nothing and returns the limit.
fn charge(counter: &AtomicU64, amount: u64, limit: u64) -> Result<(), u64> {
    counter
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |spent| {
            spent.checked_add(amount).filter(|sum| *sum <= limit)
        })
        .map(drop)
        .map_err(|_| limit)
}
