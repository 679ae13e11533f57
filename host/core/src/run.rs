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

    /// An id that was written down by this host, spelled as it is displayed.
    pub fn recorded(text: &str) -> Option<Self> {
        let id = Self(Uuid::parse_str(text).ok()?);
        (id.to_string() == text).then_some(id)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
