//! What the host keeps on record of what packs and operators did.
//!
//! Owns: the log, a chain of hashes in files with signed checkpoints, of which any change is found; the types of what is on
//! it; how it is checked, searched and exported. Also the requests that were denied, or would have been, so that an operator
//! can see which rules a pack is missing. Refuses: deciding anything, and knowing how what it records came about. No secret is on
//! it and, unless the operator wants that, no input.

mod denials;
mod error;
mod event;
mod export;
#[cfg(fuzzing)]
pub mod fuzzing;
mod log;
mod moment;
mod query;
mod verify;

pub use denials::{Bounds, Denials, Denied};
pub use error::AuditError;
pub use event::{
    Act, ActOutcome, Artifact, Call, Client, Contact, CredentialUse, CredentialUsed, Denial, Event, Mend,
    Outcome, Recorder, Session, SessionEvent, SessionUsed,
};
pub use export::{Format, OCSF_VERSION, Product, export};
pub use log::{
    Checkpoint, Durability, Hash, HashError, LARGEST, Log, PATIENCE, Position, Retention, Sealed, Settings,
    Written,
};
pub use moment::{Moment, MomentError};
pub use query::{Entry, Filter, Follow, Queried, When, WhenError, query};
pub use verify::{Finding, Proven, Report, What, verify, verify_with_ring};
