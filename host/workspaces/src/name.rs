//! The names of workspaces.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

const PREFIX: &str = "ws-";
const LENGTH: usize = 16;
/// Crockford's base 32, in lower case: no letters that look like digits.
const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// `ws-` and 16 lower-case letters and digits, 80 random bits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WorkspaceName(String);

/// A text that names no workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a workspace: {PREFIX} and {LENGTH} lower-case letters and digits")]
pub struct InvalidName;

impl WorkspaceName {
    /// A new one, never handed out before.
    ///
    /// # Panics
    ///
    /// On a kernel that gives no random bytes.
    pub fn fresh() -> Self {
        let mut random = [0; LENGTH];
        // A kernel without randomness leaves nothing to be safe with.
        getrandom::fill(&mut random).expect("the kernel gives random bytes");
        let letters = random.iter().map(|byte| char::from(LETTERS[usize::from(byte & 31)]));
        Self(PREFIX.chars().chain(letters).collect())
    }

    /// The name as text. Safe as a file name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for WorkspaceName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let letters = text.strip_prefix(PREFIX).ok_or(InvalidName)?;
        if letters.len() == LENGTH && letters.bytes().all(|byte| LETTERS.contains(&byte)) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidName)
        }
    }
}

impl TryFrom<String> for WorkspaceName {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<WorkspaceName> for String {
    fn from(name: WorkspaceName) -> Self {
        name.0
    }
}

impl fmt::Display for WorkspaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
