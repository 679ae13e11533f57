//! Where in a request a credential stands.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A place in a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Placement {
    /// The value of a header.
    Header {
        /// The header, lower case.
        name: String,
        /// What stands in front, such as `Bearer` (RFC 9110 section 11.4); `None` where the value is all there is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scheme: Option<String>,
    },
    /// The value of a parameter of the query.
    Query {
        /// The parameter.
        name: String,
    },
    /// A segment of the path, or a part of one.
    Path,
    /// The body.
    Body,
}

impl Placement {
    /// Whether a value that stands here stands where `bound` says. Schemes are compared without regard to case (RFC 9110
    /// section 11.1).
    pub fn is_at(&self, bound: &Self) -> bool {
        match (self, bound) {
            (Self::Header { name: a, scheme: Some(b) }, Self::Header { name: c, scheme: Some(d) }) => {
                a == c && b.eq_ignore_ascii_case(d)
            }
            (own, bound) => own == bound,
        }
    }
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header { name, scheme: None } => write!(f, "header {name}"),
            Self::Header { name, scheme: Some(scheme) } => write!(f, "header {name} after {scheme}"),
            Self::Query { name } => write!(f, "query parameter {name}"),
            Self::Path => f.write_str("path"),
            Self::Body => f.write_str("body"),
        }
    }
}
