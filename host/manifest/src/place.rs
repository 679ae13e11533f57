//! Where in a file something is said.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

/// A line of a manifest file, shown as `policies/web.yaml:12`.
///
/// A place says where a rule was read, not what it says: two manifests that differ in places alone are the same manifest.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The file as it was named in its [`Source`](crate::Source).
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}
