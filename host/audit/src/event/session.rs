//! The life of a sandbox.

use serde::{Deserialize, Serialize};

use super::cut::{text, texts};

/// Something that happened to a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Session {
    /// Its id, for the operator.
    pub id: String,
    /// Whose it is.
    pub owner: String,
    /// Its backend.
    pub backend: String,
    /// The run that it happened for, where it was for one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub run: String,
    /// What happened.
    pub event: SessionEvent,
    /// Why, where there is more to say.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// What happened to a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum SessionEvent {
    /// It was started.
    #[default]
    Started,
    /// A call was given it for the first time.
    Given,
    /// Another call of the same owner was given it.
    UsedAgain,
    /// It ended.
    Ended,
    /// A word of a newer host.
    Other(String),
}

impl Session {
    /// Its kind in the log.
    pub const KIND: &'static str = "session";

    pub(super) fn shorten(&mut self) {
        texts([&mut self.id, &mut self.owner, &mut self.backend, &mut self.run, &mut self.reason]);
        if let SessionEvent::Other(word) = &mut self.event {
            text(word);
        }
    }
}

impl SessionEvent {
    /// The word: `started`, `given`, `used again`, `ended`.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Started => "started",
            Self::Given => "given",
            Self::UsedAgain => "used again",
            Self::Ended => "ended",
            Self::Other(word) => word,
        }
    }
}

impl From<String> for SessionEvent {
    fn from(word: String) -> Self {
        match word.as_str() {
            "started" => Self::Started,
            "given" => Self::Given,
            "used again" => Self::UsedAgain,
            "ended" => Self::Ended,
            _ => Self::Other(word),
        }
    }
}

impl From<SessionEvent> for String {
    fn from(event: SessionEvent) -> Self {
        event.as_str().to_owned()
    }
}
