//! How durable a record is, how often there is a checkpoint, how large a segment gets and how long it is kept.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How long an append waits for another process that writes.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// When a record outlives a power cut. It outlives the end of the process in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// At most so long after it was appended; appending does not wait for it. 200 ms by default.
    Within(Duration),
    /// When appending it returns. All that wait at once share one wait for the disk.
    Each,
}

impl Default for Durability {
    fn default() -> Self {
        Self::Within(Duration::from_millis(200))
    }
}

/// What of the log is kept. What does not say anything keeps everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    /// Whole segments go whose last record is older, and was so at the beginning of a segment that is an hour old: a clock
    /// that is wrong for a moment removes nothing.
    pub age: Option<Duration>,
    /// Whole segments go, the oldest first, while all of them together are larger, in bytes.
    pub bytes: Option<u64>,
}

/// How a log is kept.
#[derive(Clone)]
pub struct Settings {
    /// When a record outlives a power cut.
    pub durability: Durability,
    /// A checkpoint is signed after so many records; 1,000 by default, at least 1.
    pub checkpoint_records: u64,
    /// A checkpoint is signed so long after the first record that none covers; 60 s by default.
    pub checkpoint_age: Duration,
    /// A segment takes no more than so many bytes, unless its only record has more; 64 MiB by default.
    pub segment_bytes: u64,
    /// A segment is closed when its first record is older, or as far ahead of the clock; never for that reason by default.
    pub segment_age: Option<Duration>,
    /// What is removed whenever a segment is closed; nothing by default.
    pub retention: Retention,
    /// The clock of the records.
    pub clock: Arc<dyn Fn() -> SystemTime + Send + Sync>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            durability: Durability::default(),
            checkpoint_records: 1_000,
            checkpoint_age: Duration::from_secs(60),
            segment_bytes: 64 << 20,
            segment_age: None,
            retention: Retention::default(),
            clock: Arc::new(SystemTime::now),
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("durability", &self.durability)
            .field("checkpoint_records", &self.checkpoint_records)
            .field("checkpoint_age", &self.checkpoint_age)
            .field("segment_bytes", &self.segment_bytes)
            .field("segment_age", &self.segment_age)
            .field("retention", &self.retention)
            .finish_non_exhaustive()
    }
}
