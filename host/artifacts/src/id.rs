//! The names under which artifacts are asked for, and those under which their bytes are kept.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

const PREFIX: &str = "art-";
/// Letters of five bits each.
const LENGTH: usize = 26;
/// Crockford's base 32, in lower case: no letters that look like digits.
const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// `art-` and 26 lower-case letters and digits, 130 random bits: nobody guesses one. To know it is not enough to read the
/// artifact.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ArtifactId(String);

/// A text that names no artifact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the id of an artifact: {PREFIX} and {LENGTH} lower-case letters and digits")]
pub struct InvalidId;

impl ArtifactId {
    pub(crate) fn fresh() -> Self {
        Self(format!("{PREFIX}{}", random()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where the bytes of one upload are in the store. No place is ever used a second time: what was once to be removed there can
/// be removed at any later time.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Place(String);

impl Place {
    pub(crate) fn fresh() -> Self {
        Self(random())
    }

    /// A name in the store, if it is one of ours.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        is_random(text).then(|| Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// As much of it as keeps two from being the same.
pub(crate) fn random() -> String {
    let mut random = [0; LENGTH];
    // A kernel without randomness leaves nothing to be safe with.
    #[allow(clippy::expect_used)]
    getrandom::fill(&mut random).expect("the kernel gives random bytes");
    random.iter().map(|byte| char::from(LETTERS[usize::from(byte & 31)])).collect()
}

fn is_random(text: &str) -> bool {
    text.len() == LENGTH && text.bytes().all(|byte| LETTERS.contains(&byte))
}

impl FromStr for ArtifactId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let letters = text.strip_prefix(PREFIX).ok_or(InvalidId)?;
        if is_random(letters) { Ok(Self(text.to_owned())) } else { Err(InvalidId) }
    }
}

impl TryFrom<String> for ArtifactId {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<ArtifactId> for String {
    fn from(id: ArtifactId) -> Self {
        id.0
    }
}

impl fmt::Display for ArtifactId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
