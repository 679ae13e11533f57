//! How a running call is told to stop.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;
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
    deadline: Mutex<Option<Instant>>,
    /// The deadline is another one.
    moved: Notify,
}

impl Stop {
    /// Sets when the call has to be over.
    pub(crate) fn arm(&self, deadline: Instant) {
        *self.deadline.lock().unwrap_or_else(PoisonError::into_inner) = Some(deadline);
        self.moved.notify_one();
    }

    /// Stops the clock while somebody else has the word; it goes on, by as much later, when the result is dropped.
    pub(crate) fn pause(&self) -> Paused<'_> {
        let deadline = self.deadline.lock().unwrap_or_else(PoisonError::into_inner).take();
        Paused { stop: self, deadline, since: Instant::now() }
    }

    /// Ready once the deadline has passed, wherever it was moved meanwhile; the call is stopped then.
    pub(crate) async fn deadline(&self) {
        loop {
            let moved = self.moved.notified();
            let deadline = *self.deadline.lock().unwrap_or_else(PoisonError::into_inner);
            match deadline {
                Some(deadline) => tokio::select! {
                    () = moved => {}
                    () = tokio::time::sleep_until(deadline.into()) => {}
                },
                None => moved.await,
            }
            if self.check().is_some() {
                return;
            }
        }
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
        let deadline = *self.deadline.lock().unwrap_or_else(PoisonError::into_inner);
        if self.reason().is_none() && deadline.is_some_and(|deadline| Instant::now() >= deadline) {
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

/// While this lives, the call has no deadline.
pub(crate) struct Paused<'a> {
    stop: &'a Stop,
    deadline: Option<Instant>,
    since: Instant,
}

impl Drop for Paused<'_> {
    fn drop(&mut self) {
        if let Some(deadline) = self.deadline {
            self.stop.arm(deadline + self.since.elapsed());
        }
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

    #[tokio::test]
    async fn a_deadline_waits_while_it_is_paused() {
        let stop = Stop::default();
        stop.arm(Instant::now());
        let paused = stop.pause();
        assert_eq!(stop.check(), None);
        let over = stop.deadline();
        tokio::pin!(over);
        assert!(futures::FutureExt::now_or_never(over.as_mut()).is_none());
        drop(paused);
        over.await;
        assert_eq!(stop.reason(), Some(StopReason::Deadline));
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
