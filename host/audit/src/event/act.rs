//! What an operator does.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::cut::{text, texts};

/// An act of an operator. One that takes long, or that may be cut off, is on record twice: when it begins and when it is over.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Act {
    /// Who did it.
    pub actor: String,
    /// What, in words joined by a dot, such as `vault.set`, `tokens.create`, `policy.reload`, `sessions.rm`.
    pub verb: String,
    /// To what: a name, an id, a file.
    pub subject: String,
    /// More about it. No secret.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub details: BTreeMap<String, String>,
    /// What came of it.
    pub outcome: ActOutcome,
}

/// What came of an act. As text `begun`, `done`, or `failed: WHY`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum ActOutcome {
    /// It is about to be done.
    #[default]
    Begun,
    /// It was done.
    Done,
    /// It could not be done, and why.
    Failed(String),
    /// A word of a newer host.
    Other(String),
}

const FAILED: &str = "failed: ";

impl Act {
    /// Its kind in the log.
    pub const KIND: &'static str = "act";

    pub(super) fn shorten(&mut self) {
        /// The most details that stay.
        const DETAILS: usize = 64;
        texts([&mut self.actor, &mut self.verb, &mut self.subject]);
        let details = std::mem::take(&mut self.details).into_iter().take(DETAILS);
        self.details = details
            .map(|(mut key, mut value)| {
                texts([&mut key, &mut value]);
                (key, value)
            })
            .collect();
        if let ActOutcome::Failed(why) | ActOutcome::Other(why) = &mut self.outcome {
            text(why);
        }
    }
}

impl fmt::Display for ActOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Begun => f.write_str("begun"),
            Self::Done => f.write_str("done"),
            Self::Failed(why) => write!(f, "{FAILED}{why}"),
            Self::Other(word) => f.write_str(word),
        }
    }
}

impl From<String> for ActOutcome {
    fn from(word: String) -> Self {
        match word.as_str() {
            "begun" => Self::Begun,
            "done" => Self::Done,
            other => match other.strip_prefix(FAILED) {
                Some(why) => Self::Failed(why.to_owned()),
                None => Self::Other(word),
            },
        }
    }
}

impl From<ActOutcome> for String {
    fn from(outcome: ActOutcome) -> Self {
        outcome.to_string()
    }
}
