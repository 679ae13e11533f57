//! The names of credentials.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The name of a credential, as in `${vault:GITHUB_TOKEN}`.
///
/// Grammar: `[A-Za-z][A-Za-z0-9_.-]*`, at most [`CredentialName::MAX`] bytes, case-sensitive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CredentialName(String);

/// Why a text is not a [`CredentialName`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the name of a credential is a letter and up to {rest} letters, digits, _, . and -, such as GITHUB_TOKEN", rest = CredentialName::MAX - 1)]
pub struct CredentialNameError;

impl CredentialName {
    /// The longest name, in bytes.
    pub const MAX: usize = 64;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CredentialName {
    type Err = CredentialNameError;

    fn from_str(text: &str) -> Result<Self, CredentialNameError> {
        let begins = text.starts_with(|first: char| first.is_ascii_alphabetic());
        let goes_on = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
        if begins && goes_on && text.len() <= Self::MAX {
            Ok(Self(text.to_owned()))
        } else {
            Err(CredentialNameError)
        }
    }
}

impl TryFrom<String> for CredentialName {
    type Error = CredentialNameError;

    fn try_from(text: String) -> Result<Self, CredentialNameError> {
        text.parse()
    }
}

impl From<CredentialName> for String {
    fn from(name: CredentialName) -> Self {
        name.0
    }
}

impl fmt::Display for CredentialName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_a_placeholder_can_hold() {
        let long = "a".repeat(64);
        for good in ["A", "GITHUB_TOKEN", "smtp.password-2", long.as_str()] {
            assert_eq!(good.parse::<CredentialName>().map(String::from), Ok(good.to_owned()));
        }
        let longer = "a".repeat(65);
        for bad in ["", "1A", "_A", "A B", "A}", "A$", "Ä", "A\n", longer.as_str()] {
            assert_eq!(bad.parse::<CredentialName>(), Err(CredentialNameError), "{bad:?}");
        }
    }
}
