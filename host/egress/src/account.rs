//! What all calls of one pack on behalf of one caller share: their connections, and how many requests a minute they may send.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, RateLimiter};
use packhost_core::{Caller, PackName};

use crate::error::EgressError;
use crate::pool::Pool;

/// From this many accounts on, those that are not used are forgotten.
const MANY: usize = 1024;

/// What a pack may use over all of its calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Requests in a minute on behalf of one caller, the denied ones too. All of them may come at once; from then on one more is
    /// allowed each time that a minute's share of time has passed. 0: none.
    pub requests_per_minute: u32,
    /// Connections open at the same time, for all callers together, from 1.
    pub connections: u32,
}

/// The account of one pack and caller. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct Account {
    pub(crate) caller: Option<Caller>,
    pub(crate) pool: Arc<Pool>,
    rate: Option<Arc<Rate>>,
}

struct Rate {
    per_minute: u32,
    /// `None` where nothing is allowed.
    limiter: Option<DefaultDirectRateLimiter>,
}

impl Rate {
    fn new(per_minute: u32) -> Self {
        let quota = NonZeroU32::new(per_minute).map(governor::Quota::per_minute);
        Self { per_minute, limiter: quota.map(RateLimiter::direct) }
    }

    /// Whether a whole minute's requests could be sent now, which is where a new one begins. If so, they count as sent.
    fn is_full(&self) -> bool {
        let all = self.limiter.as_ref().zip(NonZeroU32::new(self.per_minute));
        all.is_none_or(|(limiter, all)| matches!(limiter.check_n(all), Ok(Ok(()))))
    }
}

impl Account {
    /// Nobody's, or the host's own: its connections, as many as this and idle for as long as this, serve the calls that are
    /// given it and no others, and the requests in a minute are not counted.
    pub fn apart(connections: u32, keep: Duration) -> Self {
        Self { caller: None, pool: Pool::new(connections, keep), rate: None }
    }

    /// Counts one request.
    pub(crate) fn charge(&self) -> Result<(), EgressError> {
        let Some(rate) = &self.rate else { return Ok(()) };
        let limit = rate.per_minute;
        let Some(limiter) = &rate.limiter else {
            return Err(EgressError::Rate { limit, retry_after: None });
        };
        limiter.check().map_err(|until| EgressError::Rate {
            limit,
            retry_after: Some(until.wait_time_from(DefaultClock::default().now())),
        })
    }
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").field("caller", &self.caller).finish_non_exhaustive()
    }
}

/// The accounts of a host.
#[derive(Default)]
pub(crate) struct Accounts {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    pools: HashMap<PackName, Arc<Pool>>,
    rates: HashMap<(PackName, Caller), Arc<Rate>>,
}

impl Accounts {
    /// The account of this pack and caller. Where a limit is another than before, what was counted under the old one is
    /// forgotten, and connections that are open then end with their exchange.
    pub(crate) fn of(&self, pack: &PackName, caller: &Caller, quota: Quota, keep: Duration) -> Account {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.rates.len() >= MANY {
            known.forget();
        }
        let connections = quota.connections.max(1);
        let pool = match known.pools.get(pack).filter(|pool| pool.limit() == connections) {
            Some(pool) => Arc::clone(pool),
            None => {
                let pool = Pool::new(connections, keep);
                known.pools.insert(pack.clone(), Arc::clone(&pool));
                pool
            }
        };
        let owner = (pack.clone(), caller.clone());
        let limit = quota.requests_per_minute;
        let rate = match known.rates.get(&owner).filter(|rate| rate.per_minute == limit) {
            Some(rate) => Arc::clone(rate),
            None => {
                let rate = Arc::new(Rate::new(limit));
                known.rates.insert(owner, Arc::clone(&rate));
                rate
            }
        };
        Account { caller: Some(caller.clone()), pool, rate: Some(rate) }
    }
}

impl Known {
    /// Drops what no call holds and what says nothing: pools without a connection, and rates that are full again.
    fn forget(&mut self) {
        self.pools.retain(|_, pool| Arc::strong_count(pool) > 1 || !pool.is_unused());
        self.rates.retain(|_, rate| Arc::strong_count(rate) > 1 || !rate.is_full());
    }
}
