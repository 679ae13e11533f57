//! How far the thread that makes records last has come, and what it is wanted to do.

use std::time::Instant;

/// What those who append want of the thread, and what they wait for.
#[derive(Default)]
pub(super) struct State {
    /// When the first record was appended that may not be on the disk.
    pub(super) since: Option<Instant>,
    /// When the first record was appended that no checkpoint covers.
    pub(super) uncovered: Option<Instant>,
    /// What is on the disk.
    pub(super) disk: Way,
    /// What is noted beside the log, in `head` and `synced`.
    pub(super) notes: Way,
    /// The checkpoint that is in `head`, or an earlier one.
    pub(super) head: u64,
    /// When it is tried again to remove what is too much, after so many failures.
    pub(super) retain: Option<Instant>,
    pub(super) refused: u32,
    /// It is to end, and it has.
    pub(super) stop: bool,
    pub(super) ended: bool,
}

/// How far something has come.
#[derive(Default)]
pub(super) struct Way {
    /// The last record that somebody waits for.
    pub(super) wanted: u64,
    /// The last record that it has come to.
    pub(super) come: u64,
    /// How often it has failed, whether it did the last time, and why.
    pub(super) failures: u64,
    pub(super) failing: bool,
    pub(super) why: String,
}

impl Way {
    /// Somebody waits, and there is no reason to let them.
    pub(super) fn is_urgent(&self) -> bool {
        self.wanted > self.come && !self.failing
    }

    pub(super) fn came(&mut self, n: u64) {
        self.come = self.come.max(n);
        self.failing = false;
    }

    pub(super) fn failed(&mut self, why: String) {
        self.failures += 1;
        self.failing = true;
        self.why = why;
    }
}
