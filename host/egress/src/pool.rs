//! The connections of one pack: how many there may be, and those that are open and idle.
//!
//! An idle connection serves the next request of the same pack and caller to the same origin, if it leads to an address that
//! was found and checked for that request. Nobody else's request ever goes over it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use packhost_core::Caller;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::connection::Connection;
use crate::resolve::SHARE_OF_PACK;
use crate::target::Target;
use crate::transfer::deadline_from;

/// Held for as long as a connection is open.
pub(crate) type Place = OwnedSemaphorePermit;

/// Whose connection it is, and where it leads.
#[derive(Debug)]
pub(crate) struct Key {
    caller: Option<Caller>,
    host: String,
    port: u16,
    tls: bool,
    pub(crate) peer: SocketAddr,
}

impl Key {
    pub(crate) fn of(caller: Option<&Caller>, target: &Target, peer: SocketAddr) -> Self {
        let host = target.host_str().to_owned();
        Self { caller: caller.cloned(), host, port: target.port, tls: target.tls, peer }
    }

    fn fits(&self, caller: Option<&Caller>, target: &Target, addresses: &[SocketAddr]) -> bool {
        self.caller.as_ref() == caller
            && self.host == target.host_str()
            && (self.port, self.tls) == (target.port, target.tls)
            && addresses.contains(&self.peer)
    }
}

pub(crate) struct Pool {
    limit: u32,
    /// How long an idle connection stays open.
    keep: Duration,
    places: Arc<Semaphore>,
    /// For the pack's lookups of names.
    pub(crate) lookups: Arc<Semaphore>,
    /// Told when a connection is put back.
    changed: Notify,
    idle: Mutex<Idle>,
}

/// What a request gets.
pub(crate) enum Obtained {
    Open(Connection),
    Place(Place),
}

#[derive(Default)]
struct Idle {
    /// With the moment since when each is idle.
    connections: Vec<(Connection, Instant)>,
    /// Whether a task closes them when their time has come.
    watched: bool,
}

impl Pool {
    pub(crate) fn new(limit: u32, keep: Duration) -> Arc<Self> {
        let places = Arc::new(Semaphore::new(limit as usize));
        let lookups = Arc::new(Semaphore::new(SHARE_OF_PACK));
        Arc::new(Self { limit, keep, places, lookups, changed: Notify::new(), idle: Mutex::default() })
    }

    pub(crate) fn limit(&self) -> u32 {
        self.limit
    }

    /// Whether connections are kept at all.
    pub(crate) fn keeps(&self) -> bool {
        !self.keep.is_zero()
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An open connection of this caller to one of these addresses, or a place for a new one, as soon as there is either. Where
    /// every place is taken, an idle connection is closed.
    pub(crate) async fn obtain(
        &self,
        caller: Option<&Caller>,
        target: &Target,
        addresses: &[SocketAddr],
    ) -> Obtained {
        self.first(|| self.take(|key| key.fits(caller, target, addresses))).await
    }

    /// A place for a connection that no other request will use.
    pub(crate) async fn place(&self) -> Place {
        loop {
            if let Obtained::Place(place) = self.first(|| None).await {
                return place;
            }
        }
    }

    /// What `take` takes, or a place, as soon as there is either.
    async fn first(&self, take: impl Fn() -> Option<Connection>) -> Obtained {
        let at_once = || {
            let place = || self.places.clone().try_acquire_owned().ok();
            take().map(Obtained::Open).or_else(|| place().map(Obtained::Place))
        };
        if let Some(obtained) = at_once() {
            return obtained;
        }
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // From here on nothing that is put back is missed.
            changed.as_mut().enable();
            if let Some(obtained) = at_once() {
                return obtained;
            }
            self.close_one();
            tokio::select! {
                // Never closed, so that there is a place some time.
                place = self.places.clone().acquire_owned() => if let Ok(place) = place {
                    return Obtained::Place(place);
                },
                () = changed => {}
            }
        }
    }

    fn take(&self, fits: impl Fn(&Key) -> bool) -> Option<Connection> {
        let now = Instant::now();
        let mut idle = self.idle();
        idle.connections.retain(|(connection, _)| connection.is_usable(now));
        // The one that was used last has been idle for the shortest time.
        let at = idle.connections.iter().rposition(|(connection, _)| fits(&connection.key))?;
        let (connection, since) = &mut idle.connections[at];
        match connection.shared() {
            Some(shared) => {
                *since = now;
                Some(shared)
            }
            None => Some(idle.connections.remove(at).0),
        }
    }

    /// Closes the connection that has been idle for the longest time.
    fn close_one(&self) {
        let mut idle = self.idle();
        let unused = idle.connections.iter().enumerate().filter(|(_, (one, _))| !one.is_in_use());
        let oldest = unused.min_by_key(|(_, (_, since))| *since).map(|(at, _)| at);
        if let Some(at) = oldest {
            idle.connections.remove(at);
        }
    }

    /// Keeps a connection for the next request.
    pub(crate) fn put(self: &Arc<Self>, connection: Connection) {
        let now = Instant::now();
        if !self.keeps() || !connection.is_usable(now) {
            return;
        }
        let mut idle = self.idle();
        idle.connections.push((connection, now));
        if !idle.watched {
            idle.watched = true;
            tokio::spawn(watch(Arc::downgrade(self), deadline_from(now, self.keep)));
        }
        drop(idle);
        self.changed.notify_waiters();
    }

    /// Closes what has been idle for too long; when to look again.
    fn expire(&self) -> Option<Instant> {
        let mut idle = self.idle();
        let now = Instant::now();
        idle.connections.retain(|(connection, since)| connection.is_usable(now) && now < *since + self.keep);
        let next = idle.connections.iter().map(|(_, since)| *since + self.keep).min();
        idle.watched = next.is_some();
        next
    }

    /// Whether nobody would miss it.
    pub(crate) fn is_unused(&self) -> bool {
        self.places.available_permits() == self.limit as usize
    }
}

/// Looks at that time, and again for as long as something is idle then; what is put back is mostly taken again long before.
/// Ends with the pool, or when nothing is idle.
async fn watch(pool: Weak<Pool>, first: Instant) {
    let mut next = Some(first);
    while let Some(at) = next {
        tokio::time::sleep_until(at).await;
        next = pool.upgrade().and_then(|pool| pool.expire());
    }
}
