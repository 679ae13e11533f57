//! How many requests a minute one caller may make.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use packhost_core::Caller;

/// So many callers are counted apart; beyond that, those whose whole minute is free again are forgotten.
const MANY: usize = 4096;

/// Counts the requests of each caller. A whole minute's may come at once; from then on one more is allowed each time that a
/// minute's share of time has passed.
pub struct Rates {
    per_minute: NonZeroU32,
    known: Mutex<HashMap<Caller, Arc<DefaultDirectRateLimiter>>>,
    /// Of all who come while so many others are counted.
    crowd: DefaultDirectRateLimiter,
    most: usize,
}

/// This caller has to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more than {per_minute} requests in a minute; the next one may come in {} s", wait.as_secs() + 1)]
pub struct TooMany {
    /// The limit.
    pub per_minute: u32,
    /// Until a request is allowed again.
    pub wait: Duration,
}

impl Rates {
    /// So many requests a minute for each caller.
    pub fn new(per_minute: NonZeroU32) -> Self {
        Self::tracking(per_minute, MANY)
    }

    fn tracking(per_minute: NonZeroU32, most: usize) -> Self {
        let crowd = RateLimiter::direct(Quota::per_minute(per_minute));
        Self { per_minute, known: Mutex::default(), crowd, most }
    }

    /// Counts one request.
    ///
    /// # Errors
    /// When it is one too many; it was not counted then.
    pub fn count(&self, caller: &Caller) -> Result<(), TooMany> {
        let limiter = self.limiter(caller);
        limiter.as_deref().unwrap_or(&self.crowd).check().map_err(|until| TooMany {
            per_minute: self.per_minute.get(),
            wait: until.wait_time_from(DefaultClock::default().now()),
        })
    }

    /// The caller's own, or `None` where there are too many others.
    fn limiter(&self, caller: &Caller) -> Option<Arc<DefaultDirectRateLimiter>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(limiter) = known.get(caller) {
            return Some(Arc::clone(limiter));
        }
        if known.len() >= self.most {
            known.retain(|_, limiter| Arc::strong_count(limiter) > 1 || !self.is_full(limiter));
        }
        (known.len() < self.most).then(|| {
            let limiter = Arc::new(RateLimiter::direct(Quota::per_minute(self.per_minute)));
            known.insert(caller.clone(), Arc::clone(&limiter));
            limiter
        })
    }

    /// Whether a whole minute's requests could be made now, which is where a new one begins. If so, they count as made.
    fn is_full(&self, limiter: &DefaultDirectRateLimiter) -> bool {
        matches!(limiter.check_n(self.per_minute), Ok(Ok(())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(per_minute: u32, most: usize) -> Rates {
        Rates::tracking(NonZeroU32::new(per_minute).expect("not zero"), most)
    }

    #[test]
    fn each_caller_has_a_minute_of_its_own() {
        let rates = rates(2, 10);
        let (a, b) = (Caller::token("a"), Caller::token("b"));
        for caller in [&a, &a, &b] {
            assert_eq!(rates.count(caller), Ok(()));
        }
        let refused = rates.count(&a).expect_err("one too many");
        assert_eq!(refused.per_minute, 2);
        assert!(refused.wait <= Duration::from_secs(30) && !refused.wait.is_zero(), "{refused:?}");
        assert_eq!(rates.count(&b), Ok(()));
    }

    #[test]
    fn so_many_callers_are_counted_and_the_others_share_one_minute() {
        let rates = rates(1, 2);
        for n in 0..2 {
            assert_eq!(rates.count(&Caller::token(&n.to_string())), Ok(()));
        }
        assert_eq!(rates.count(&Caller::token("first of the crowd")), Ok(()));
        assert!(rates.count(&Caller::token("second of the crowd")).is_err());
        assert_eq!(rates.known.lock().expect("not poisoned").len(), 2);
    }

    #[test]
    fn who_has_not_called_for_a_minute_makes_room() {
        // A share of time that has passed before the next caller comes.
        let rates = rates(u32::MAX, 1);
        for n in 0..100 {
            assert_eq!(rates.count(&Caller::token(&n.to_string())), Ok(()));
        }
        assert_eq!(rates.known.lock().expect("not poisoned").len(), 1);
    }
}
