//! How much may be kept, and for how long.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How much may be kept. What a writer has reserved counts as if it were written. Every artifact counts for at least
/// [`Limits::FLOOR`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one artifact. Default 1 GiB.
    pub artifact: u64,
    /// Artifacts of one run. Default 1,000.
    pub run_artifacts: u32,
    /// Bytes of one run. Default 2 GiB.
    pub run: u64,
    /// Bytes of one caller; what it has twice counts twice. Default 8 GiB.
    pub caller: u64,
    /// Bytes in the store; what is there once counts once. Default 32 GiB.
    pub all: u64,
    /// Bytes that stay free on the disk of a local store. Default 256 MiB.
    pub keep_free: u64,
}

impl Limits {
    /// What an artifact counts for at least, in bytes: about what a file and its row take.
    pub const FLOOR: u64 = 4096;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            artifact: 1 << 30,
            run_artifacts: 1_000,
            run: 2 << 30,
            caller: 8 << 30,
            all: 32 << 30,
            keep_free: 256 << 20,
        }
    }
}

/// What the operator may set.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How much.
    pub limits: Limits,
    /// For how long, where the draft does not say. Default 7 days.
    pub keep: Duration,
    /// The longest that a draft may say; a longer one is cut. Default 90 days.
    pub keep_at_most: Duration,
    /// How long an upload of which nothing is heard is taken for alive: one whose process died is removed after that. Writers
    /// say that they are alive each time that they write a piece; those of this process need not. Default 1 h.
    pub lease: Duration,
    /// How long something must have been expired before it is removed. Nobody is given it in that time; it is for readers that
    /// are under way, and for a clock that was wrong for a moment. Default 10 min.
    pub grace: Duration,
    /// How long an object is left alone that the database does not know, from when it is first seen: the database may be of an
    /// earlier time than the store, and the right one may yet be restored. Default 7 days.
    pub strays: Duration,
    /// What time it is.
    pub clock: Clock,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            keep: Duration::from_secs(7 * 24 * 3600),
            keep_at_most: Duration::from_secs(90 * 24 * 3600),
            lease: Duration::from_secs(3600),
            grace: Duration::from_secs(600),
            strays: Duration::from_secs(7 * 24 * 3600),
            clock: Clock::default(),
        }
    }
}

/// Where the time comes from.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> SystemTime + Send + Sync>);

impl Clock {
    /// A clock of one's own, for tests.
    pub fn of(now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// In milliseconds since 1970; 0 for what was before.
    pub(crate) fn now(&self) -> u64 {
        milliseconds((self.0)().duration_since(UNIX_EPOCH).unwrap_or_default())
    }
}

/// As many as the database holds, at most.
pub(crate) fn milliseconds(of: Duration) -> u64 {
    u64::try_from(of.as_millis()).unwrap_or(u64::MAX).min(i64::MAX.unsigned_abs())
}

/// The system's.
impl Default for Clock {
    fn default() -> Self {
        Self::of(SystemTime::now)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}
