//! How a running call is told to stop.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Instant;

use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};

/// Why a call is stopped from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum StopReason {
    /// The caller cancelled, or went away.
    Cancelled = 1,
    /// The deadline passed.
    Deadline = 2,
    /// An edit of the manifest took away what the call runs with.
    Revoked = 3,
    /// The host shuts down.
    Shutdown = 4,
}

/// Tells a call to stop. The first reason stays. A guest on the CPU sees it at its next epoch check, a guest that
/// waits in a host call is dropped where it stands.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    reason: AtomicU8,
    token: CancellationToken,
    revoked: CancellationToken,
    deadline: OnceLock<Instant>,
}

impl Stop {
    /// Sets when the call has to be over, once.
    pub(crate) fn arm(&self, deadline: Instant) {
        self.deadline.get_or_init(|| deadline);
    }

    pub(crate) fn stop(&self, reason: StopReason) {
        let first = self.reason.compare_exchange(0, reason as u8, Ordering::AcqRel, Ordering::Acquire);
        if first.is_ok() {
            if reason == StopReason::Revoked {
                self.revoked.cancel();
            }
            self.token.cancel();
        }
    }

    /// Why the call has to stop, if it has to.
    pub(crate) fn reason(&self) -> Option<StopReason> {
        match self.reason.load(Ordering::Acquire) {
            1 => Some(StopReason::Cancelled),
            2 => Some(StopReason::Deadline),
            3 => Some(StopReason::Revoked),
            4 => Some(StopReason::Shutdown),
            _ => None,
        }
    }

    /// The same, after a look at the clock.
    pub(crate) fn check(&self) -> Option<StopReason> {
        if self.reason().is_none() && self.deadline.get().is_some_and(|deadline| Instant::now() >= *deadline)
        {
            self.stop(StopReason::Deadline);
        }
        self.reason()
    }

    /// Ready once the call has to stop. The deadline counts from when somebody saw that it passed.
    pub(crate) fn stopped(&self) -> WaitForCancellationFuture<'_> {
        self.token.cancelled()
    }

    /// Fires when the manifest took away what the call runs with.
    pub(crate) fn revoked(&self) -> &CancellationToken {
        &self.revoked
    }

    /// Fires when the call has to stop, for host calls that do their work elsewhere.
    pub(crate) fn token(&self) -> &CancellationToken {
        &self.token
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_first_reason_stays() {
        let stop = Stop::default();
        stop.arm(Instant::now() + Duration::from_secs(60));
        assert_eq!(stop.check(), None);
        stop.stop(StopReason::Revoked);
        stop.stop(StopReason::Cancelled);
        assert_eq!(stop.check(), Some(StopReason::Revoked));
    }

    #[test]
    fn a_passed_deadline_is_seen() {
        let stop = Stop::default();
        assert_eq!(stop.check(), None);
        stop.arm(Instant::now());
        assert_eq!(stop.check(), Some(StopReason::Deadline));
        assert!(stop.token().is_cancelled());
    }
}
