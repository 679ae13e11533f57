//! The identity of one call.

use std::fmt;

use serde::Serialize;
use uuid::Uuid;

/// One call of one pack, from admission to answer. Sorts by time (UUID version 7, RFC 9562 section 5.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct RunId(Uuid);

impl RunId {
    /// A new id, never handed out before.
    pub fn fresh() -> Self {
        Self(Uuid::now_v7())
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
