//! What happens that goes on record: calls, uses of credentials, acts of the operator, sandboxes.
//!
//! The types are read as they are written. A newer host may have written keys that are not here, and codes that are not in
//! [`ErrorCode`](packhost_core::ErrorCode): both are read all the same. No text here is a secret, an input (unless the operator
//! wants that) or what a guest has said, but for what a guest asked for: hosts, and the path of a request that no rule allows.

mod act;
mod call;
mod credential;
mod cut;
mod outcome;
mod session;

use serde::Serialize;

pub use act::{Act, ActOutcome};
pub use call::{Artifact, Call, Client, Contact, CredentialUsed, Denial, Mend, SessionUsed};
pub use credential::CredentialUse;
pub use outcome::Outcome;
pub use session::{Session, SessionEvent};

use crate::error::AuditError;
use crate::log::Written;

/// Something that goes on record.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A call, at its end.
    Call(Box<Call>),
    /// A credential is about to leave with a request.
    Credential(CredentialUse),
    /// The operator did something.
    Act(Act),
    /// A sandbox was started, given, or ended.
    Session(Session),
}

impl Event {
    /// Its kind in the log: `call`, `credential`, `act` or `session`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Call(_) => Call::KIND,
            Self::Credential(_) => CredentialUse::KIND,
            Self::Act(_) => Act::KIND,
            Self::Session(_) => Session::KIND,
        }
    }

    /// The event without the input, which is there only because the operator wants it. `None` where there is none.
    pub(crate) fn without_input(&self) -> Option<Self> {
        let Self::Call(call) = self else { return None };
        call.input.as_ref()?;
        Some(Self::Call(Box::new(Call { input: None, cut: true, ..Call::clone(call) })))
    }

    /// The event with what does not fit into a record left out or cut off, and `cut` set where it has that.
    #[must_use]
    pub fn shortened(&self) -> Self {
        let mut event = self.clone();
        match &mut event {
            Self::Call(call) => call.shorten(),
            Self::Credential(usage) => usage.shorten(),
            Self::Act(act) => act.shorten(),
            Self::Session(session) => session.shorten(),
        }
        event
    }
}

impl Serialize for Event {
    /// The body alone; the kind stands beside it in a record.
    fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Call(call) => call.serialize(out),
            Self::Credential(usage) => usage.serialize(out),
            Self::Act(act) => act.serialize(out),
            Self::Session(session) => session.serialize(out),
        }
    }
}

/// Where events go on record: the log, or a stand-in in tests.
pub trait Recorder: Send + Sync {
    /// Puts an event on record. When this returns, the record outlives this process; how soon it outlives the machine is the
    /// log's [`Durability`](crate::Durability). An event that is too large is shortened.
    ///
    /// It may wait: a few milliseconds for another thread that rotates, and for another process that writes up to
    /// [`PATIENCE`](crate::PATIENCE). Who may not wait calls [`try_record`](Self::try_record) first.
    ///
    /// # Errors
    /// When it cannot be written. Then whatever it stands for must not go on.
    fn record(&self, event: &Event) -> Result<(), AuditError>;

    /// The same without waiting for another process: [`Written::Busy`] where one writes just now, and nothing was written. With
    /// [`Durability::Each`](crate::Durability::Each) it waits for the disk all the same.
    ///
    /// # Errors
    /// As [`record`](Self::record).
    fn try_record(&self, event: &Event) -> Result<Written, AuditError>;
}
