//! Telling whoever counts calls that one begins and that it has ended.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::call::Outcome;

/// Who counts calls. Both methods are called on guest threads and must not block.
pub trait Observer: Send + Sync {
    /// A call came in; it may have to wait for a place.
    fn begins(&self);

    /// A call has ended, this long after it came in. Without an outcome where the host itself broke.
    fn ended(&self, outcome: Option<&Outcome>, took: Duration);
}

/// A call that is counted: once when it begins and once when it ends, however that is.
pub(crate) struct Observed {
    by: Arc<dyn Observer>,
    since: Instant,
    ended: bool,
}

impl Observed {
    pub(crate) fn begin(by: Arc<dyn Observer>) -> Self {
        by.begins();
        Self { by, since: Instant::now(), ended: false }
    }

    pub(crate) fn end(mut self, outcome: &Outcome) {
        self.ended = true;
        self.by.ended(Some(outcome), self.since.elapsed());
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        if !self.ended {
            self.by.ended(None, self.since.elapsed());
        }
    }
}
