//! A record as it was read.

use serde::de::DeserializeOwned;

use crate::event::{Act, Call, CredentialUse, Event, Session};
use crate::log::{Line, Position};
use crate::moment::Moment;

/// A record as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    position: Position,
    time: Moment,
    kind: String,
    json: String,
    /// Where the body begins in that.
    body: usize,
}

impl Entry {
    pub(crate) fn of(line: &Line<'_>) -> Self {
        let envelope = line.envelope;
        Self {
            position: Position { n: envelope.n, hash: line.own },
            time: envelope.time,
            kind: envelope.kind.to_owned(),
            // The body is the end of the JSON but for one brace.
            body: line.json.len() - 1 - envelope.body.len(),
            json: line.json.to_owned(),
        }
    }

    /// Its place in the chain, as it says itself.
    pub fn position(&self) -> Position {
        self.position
    }

    /// When it was appended.
    pub fn time(&self) -> Moment {
        self.time
    }

    /// Its kind, such as `call`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// All of it, as the JSON that stands in the log.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// Its body, as the JSON that stands in the log.
    pub fn body_json(&self) -> &str {
        &self.json[self.body..self.json.len() - 1]
    }

    /// Its body. Keys that the type does not know are passed over.
    ///
    /// # Errors
    /// When it is another type's.
    pub fn body<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.body_json())
    }

    /// The event; `None` where it is a record of the log itself, of a kind that this host does not know, or is none.
    pub fn event(&self) -> Option<Event> {
        match self.kind.as_str() {
            Call::KIND => self.body().ok().map(|call| Event::Call(Box::new(call))),
            CredentialUse::KIND => self.body().ok().map(Event::Credential),
            Act::KIND => self.body().ok().map(Event::Act),
            Session::KIND => self.body().ok().map(Event::Session),
            _ => None,
        }
    }
}
