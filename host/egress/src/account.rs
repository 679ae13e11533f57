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
    rate: Option<Charge>,
}

/// What a request is counted by: the limit of its call, and all others that the same caller has with the same pack.
#[derive(Clone)]
struct Charge {
    own: Arc<Rate>,
    all: Arc<Rates>,
}

/// The limits that one caller has had with one pack: one, but where a manifest was edited, or where a manifest narrows a group and
/// the caller shows now one proof and now another.
#[derive(Default)]
struct Rates(Mutex<Vec<Arc<Rate>>>);

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
        self.spend_all().unwrap_or(true)
    }

    /// Takes a whole minute's requests, if nothing of it was sent; whether that was so.
    fn spend_all(&self) -> Option<bool> {
        let (limiter, all) = self.limiter.as_ref().zip(NonZeroU32::new(self.per_minute))?;
        Some(matches!(limiter.check_n(all), Ok(Ok(()))))
    }

    fn count(&self) -> Result<(), EgressError> {
        let limit = self.per_minute;
        let Some(limiter) = &self.limiter else {
            return Err(EgressError::Rate { limit, retry_after: None });
        };
        limiter.check().map_err(|until| EgressError::Rate {
            limit,
            retry_after: Some(until.wait_time_from(DefaultClock::default().now())),
        })
    }
}

impl Rates {
    /// The one with this limit. A new one beside others that were used begins with nothing: what the caller has sent in this minute
    /// under another limit, no limit gives it again.
    fn of(&self, per_minute: u32) -> Arc<Rate> {
        let mut rates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rate) = rates.iter().find(|rate| rate.per_minute == per_minute) {
            return Arc::clone(rate);
        }
        forget(&mut rates);
        let rate = Arc::new(Rate::new(per_minute));
        if !rates.is_empty() {
            rate.spend_all();
        }
        rates.push(Arc::clone(&rate));
        rate
    }

    /// Whether they say nothing.
    fn are_unused(&self) -> bool {
        let mut rates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        forget(&mut rates);
        rates.is_empty()
    }
}

/// Drops those that no call holds and of which nothing was sent.
fn forget(rates: &mut Vec<Arc<Rate>>) {
    rates.retain(|rate| Arc::strong_count(rate) > 1 || !rate.is_full());
}

impl Charge {
    fn count(&self) -> Result<(), EgressError> {
        self.own.count()?;
        let others = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        for other in others.iter().filter(|other| !Arc::ptr_eq(other, &self.own)) {
            // One that is used up lets nobody through, and needs no more of it.
            let _ = other.count();
        }
        Ok(())
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
        self.rate.as_ref().map_or(Ok(()), Charge::count)
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
    rates: HashMap<(PackName, Caller), Arc<Rates>>,
}

impl Accounts {
    /// The account of this pack and caller. A request counts under every limit that the caller has with the pack, whichever is that
    /// of its call. Where that of connections is another than before, those that are open end with their exchange.
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
        let all = Arc::clone(known.rates.entry((pack.clone(), caller.clone())).or_default());
        let rate = Charge { own: all.of(quota.requests_per_minute), all };
        Account { caller: Some(caller.clone()), pool, rate: Some(rate) }
    }
}

impl Known {
    /// Drops what no call holds and what says nothing: pools without a connection, and rates that are full again.
    fn forget(&mut self) {
        self.pools.retain(|_, pool| Arc::strong_count(pool) > 1 || !pool.is_unused());
        self.rates.retain(|_, rates| Arc::strong_count(rates) > 1 || !rates.are_unused());
    }
}
