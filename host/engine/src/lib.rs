//! The dispatch pipeline, the catalog of packs, and wasmtime.
//!
//! Owns: [`Engine::dispatch`], the only way to run a pack whatever the door; which packs there are and what each
//! may do; fresh instances with limits and deadlines on threads of their own; the cache of compiled components.
//! Refuses: protocols (doors are above), the meaning of manifest keys (the manifest is below), opening connections
//! (egress is below), keeping credentials.

mod call;
mod capabilities;
mod catalog;
mod credentials;
mod denials;
mod dispatch;
mod engine;
mod observer;
mod peer;
mod runtime;
mod session;
mod settings;
mod vitals;
mod warm;
mod wit_json;

pub use call::{
    ARTIFACTS, Answer, Asked, Block, Call, Client, Door, Ended, Level, LogLine, Nobody, Outcome, Progress,
    Question, Reply, ResourceBody, Usage,
};
pub use catalog::{Annotations, Catalog, Pack, PackSource, Refused, Tool};
pub use credentials::CredentialStore;
pub use denials::DenialLog;
pub use dispatch::LiveCall;
pub use engine::{Engine, StartError};
pub use observer::Observer;
pub use packhost_package::Wants;
pub use packhost_sessions::Counts as SandboxCounts;
pub use peer::{ClientAddress, Peer, TraceParent};
pub use session::SessionUse;
pub use settings::Settings;
pub use vitals::Vitals;
