//! How a call ended.

use std::fmt;

use packhost_core::ErrorCode;
use serde::{Deserialize, Serialize};

/// How a call ended, in one word: `ok`, `asks`, or the code of its failure.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Outcome {
    /// It answered.
    #[default]
    Ok,
    /// It ended with a question to the client, and is run again with the answer.
    Asks,
    /// It failed.
    Failed(ErrorCode),
    /// A word of a newer host.
    Other(String),
}

impl Outcome {
    /// The word.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Ok => "ok",
            Self::Asks => "asks",
            Self::Failed(code) => code.as_str(),
            Self::Other(word) => word,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<ErrorCode> for Outcome {
    fn from(code: ErrorCode) -> Self {
        Self::Failed(code)
    }
}

impl From<String> for Outcome {
    fn from(word: String) -> Self {
        match word.as_str() {
            "ok" => Self::Ok,
            "asks" => Self::Asks,
            code => match ErrorCode::ALL.iter().find(|known| known.as_str() == code) {
                Some(code) => Self::Failed(*code),
                None => Self::Other(word),
            },
        }
    }
}

impl From<Outcome> for String {
    fn from(outcome: Outcome) -> Self {
        outcome.as_str().to_owned()
    }
}
