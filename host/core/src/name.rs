//! The names of packs and of the tools that MCP clients see.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The name of a pack: one or more lower-case words joined by dots, such as `http.fetch` or `github.create_issue`.
///
/// Grammar: `segment ("." segment)*`, `segment = [a-z][a-z0-9_-]*`, at most [`PackName::MAX`] bytes. What is not
/// a name cannot be held in this type. Clones share the text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PackName(Arc<str>);

/// Why a text is not a [`PackName`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Longer than [`PackName::MAX`] bytes.
    #[error("a pack name is at most {max} bytes; this one has {0}", max = PackName::MAX)]
    TooLong(usize),
    /// A segment that does not match `[a-z][a-z0-9_-]*`.
    #[error(
        "\"{0}\" is not a pack name: dot-separated words of a-z, 0-9, _ and -, each starting with a letter"
    )]
    Grammar(String),
}

impl PackName {
    /// The longest pack name, in bytes. With dots as underscores it still fits the 64 characters that every MCP
    /// client accepts as a tool name.
    pub const MAX: usize = 64;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The words before the last dot, such as `http` in `http.fetch`; the whole name where there is no dot.
    pub fn family(&self) -> &str {
        self.0.split('.').next().unwrap_or(&self.0)
    }

    /// The name under which MCP clients see this pack.
    pub fn tool(&self) -> ToolName {
        ToolName(self.0.replace('.', "_"))
    }
}

impl FromStr for PackName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.len() > Self::MAX {
            return Err(NameError::TooLong(text.len()));
        }
        let word = |w: &str| {
            w.starts_with(|c: char| c.is_ascii_lowercase())
                && w.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
        };
        if text.split('.').all(word) { Ok(Self(text.into())) } else { Err(NameError::Grammar(text.into())) }
    }
}

impl TryFrom<String> for PackName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<PackName> for String {
    fn from(name: PackName) -> Self {
        name.0.as_ref().to_owned()
    }
}

impl fmt::Display for PackName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A tool name as MCP clients take it: `[a-zA-Z0-9_-]{1,64}`, made from a [`PackName`] by turning dots into
/// underscores. Two packs may collide here; the catalog refuses that at load.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ToolName(String);

impl ToolName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ToolName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_grammar() {
        for good in ["a", "http.fetch", "github.create_issue", "word-cloud", "a1.b2.c3"] {
            assert_eq!(good.parse::<PackName>().map(String::from).as_deref(), Ok(good));
        }
        for bad in ["", ".", "a.", ".a", "A", "1a", "a b", "a/b", "a..b", "é", "a\n", "a.-b"] {
            assert!(bad.parse::<PackName>().is_err(), "{bad:?} was taken for a name");
        }
        assert_eq!("x".repeat(65).parse::<PackName>(), Err(NameError::TooLong(65)));
    }

    #[test]
    fn a_tool_name_has_no_dots() {
        let name: PackName = "github.create_issue".parse().expect("a name");
        assert_eq!(name.tool().as_str(), "github_create_issue");
        assert_eq!(name.family(), "github");
    }
}
