//! The requests of packs that were denied, each once, with how often and when.

mod table;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use packhost_core::PackName;
use packhost_manifest::DeniedRequest;
use packhost_state::{Database, StateError};
use serde::Serialize;

/// Denied requests in the state database. Its methods block: on the disk, and on another process that writes.
pub struct Denials {
    database: Arc<Database>,
    bounds: Bounds,
}

/// How many requests are kept. Beyond that, those that were not denied for the longest time go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// For each pack.
    pub pack: u32,
    /// For all packs together.
    pub all: u32,
}

/// 1,000 for each pack, and 20,000 for all.
impl Default for Bounds {
    fn default() -> Self {
        Self { pack: 1_000, all: 20_000 }
    }
}

/// A request that was denied, or would have been.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Denied {
    /// The request. It counts as let through where the last one was.
    #[serde(flatten)]
    pub request: DeniedRequest,
    /// How often, since it was first noted.
    pub count: u64,
    /// When it was first denied, in milliseconds since 1970.
    pub first: u64,
    /// When it was last denied, in milliseconds since 1970.
    pub last: u64,
}

impl Denials {
    /// The denials in this database, within the default bounds.
    ///
    /// # Errors
    /// When the tables are those of a newer host, or cannot be made.
    pub fn open(database: Arc<Database>) -> Result<Self, StateError> {
        Self::within(database, Bounds::default())
    }

    /// The same within other bounds.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn within(database: Arc<Database>, bounds: Bounds) -> Result<Self, StateError> {
        database.migrate("denials", table::STEPS)?;
        Ok(Self { database, bounds })
    }

    /// Notes what was denied to a pack at this time, as a whole or not at all. A request that is known is counted; the
    /// ones that go for it are the oldest of the pack, and then of all.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn note(&self, pack: &PackName, denied: &[DeniedRequest], at: SystemTime) -> Result<(), StateError> {
        if denied.is_empty() {
            return Ok(());
        }
        let at = milliseconds(at);
        self.database.write(|sql| {
            denied.iter().try_for_each(|request| table::put(sql, pack, request, at))?;
            table::keep(sql, Some(pack), self.bounds.pack)?;
            table::keep(sql, None, self.bounds.all)
        })
    }

    /// What was denied to a pack, the latest first.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn of(&self, pack: &PackName) -> Result<Vec<Denied>, StateError> {
        self.database.read(|sql| table::of(sql, pack))
    }

    /// The packs that were denied something, sorted.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn packs(&self) -> Result<Vec<PackName>, StateError> {
        self.database.read(table::packs)
    }

    /// Forgets what was denied to a pack, and says how many requests that was.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn clear(&self, pack: &PackName) -> Result<usize, StateError> {
        self.database.write(|sql| table::clear(sql, pack))
    }
}

/// Since 1970; 0 for what was before.
fn milliseconds(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    // The database holds signed numbers.
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX).min(i64::MAX.unsigned_abs())
}
