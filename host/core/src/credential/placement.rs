//! Where in a request a credential stands.

use serde::{Deserialize, Serialize};

/// A place in a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
