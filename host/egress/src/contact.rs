//! What a call tried to reach, for the record that is made of it.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// One request of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// The host as the URL names it.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The address that was connected to, or the one that was refused; none if it did not come to that.
    pub address: Option<IpAddr>,
    /// What became of the request.
    pub decision: Decision,
    /// Bytes sent, counted as [`Allowance::bytes`](crate::Allowance) says.
    pub sent: u64,
    /// Bytes received, counted the same way.
    pub received: u64,
    /// When it began.
    pub began: Instant,
    /// From then to its last byte.
    pub took: Duration,
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// No decision yet, or the request ended before there was one.
    Pending,
    /// The rules and the addresses were in order; a connection was tried.
    Allowed,
    /// No rule grants it.
    DeniedByRule,
    /// A rule grants it, but not the address that it has.
    DeniedByAddress,
}

/// The contacts of a call, in the order in which they began.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Contacts {
    /// The first ones, up to 256. Where there are more, those that were denied make room for others.
    pub list: Vec<Contact>,
    /// How many more there were.
    pub more: u64,
}

impl Contacts {
    /// Adds those of another way out of the same call.
    pub fn extend(&mut self, other: Self) {
        self.list.extend(other.list);
        self.more += other.more;
    }
}

/// How many contacts of a call are kept.
const KEPT: usize = 256;

#[derive(Debug, Default)]
pub(crate) struct ContactLog {
    entries: Mutex<(Vec<Arc<Entry>>, u64)>,
}

/// A contact while it is under way.
#[derive(Debug)]
pub(crate) struct Entry {
    host: String,
    port: u16,
    address: OnceLock<IpAddr>,
    decision: OnceLock<Decision>,
    began: Instant,
    /// Microseconds from its beginning to the last thing that happened.
    last: AtomicU64,
    pub(crate) sent: AtomicU64,
    pub(crate) received: AtomicU64,
}

impl Entry {
    pub(crate) fn decided(&self, decision: Decision) {
        let _first_counts = self.decision.set(decision);
        self.moves();
    }

    pub(crate) fn at(&self, address: IpAddr) {
        let _first_counts = self.address.set(address);
    }

    /// Something moves now.
    pub(crate) fn moves(&self) {
        let since = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.last.fetch_max(since, Ordering::Relaxed);
    }

    fn is_denied(&self) -> bool {
        matches!(self.decision.get(), Some(Decision::DeniedByRule | Decision::DeniedByAddress))
    }

    fn snapshot(&self) -> Contact {
        Contact {
            host: self.host.clone(),
            port: self.port,
            address: self.address.get().copied(),
            decision: self.decision.get().copied().unwrap_or(Decision::Pending),
            sent: self.sent.load(Ordering::Relaxed),
            received: self.received.load(Ordering::Relaxed),
            began: self.began,
            took: Duration::from_micros(self.last.load(Ordering::Relaxed)),
        }
    }
}

impl ContactLog {
    pub(crate) fn begin(&self, host: &str, port: u16) -> Arc<Entry> {
        let entry = Arc::new(Entry {
            host: host.to_owned(),
            port,
            address: OnceLock::new(),
            decision: OnceLock::new(),
            began: Instant::now(),
            last: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
        });
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let (list, more) = &mut *entries;
        if list.len() == KEPT {
            *more += 1;
            // Nobody hides what leaves behind what was refused.
            let Some(at) = list.iter().rposition(|kept| kept.is_denied()) else { return entry };
            list.remove(at);
        }
        list.push(entry.clone());
        entry
    }

    pub(crate) fn snapshot(&self) -> Contacts {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        Contacts { list: entries.0.iter().map(|entry| entry.snapshot()).collect(), more: entries.1 }
    }
}
