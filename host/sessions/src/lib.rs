//! Sandboxes outside the process, for packs that need more than a component can do.
//!
//! Owns: what a sandbox is made from ([`SandboxSpec`]), the one interface of everything that makes them
//! ([`SessionRuntime`]), and the host's side of the session protocol. Refuses: which pack may have one, and where its
//! bytes may go; a backend starts a sandbox, opens a byte stream into it, lists and destroys, and does nothing else.

pub mod docker;
mod error;
mod id;
pub mod link;
mod process;
mod runtime;
mod sessions;
mod spec;

pub use error::{Ended, RuntimeError};
pub use id::{HostId, InvalidId, SandboxId};
pub use process::ProcessRuntime;
pub use runtime::{ByteStream, Capabilities, Health, SandboxState, SandboxStatus, SessionRuntime};
pub use sessions::{
    Chosen, Counts, Held, Journal, Listed, NamedImage, Need, Passed, SessionError, Sessions,
    SessionsSettings, Swept, host_id,
};
pub use spec::{Access, Backend, Image, Mount, SANDBOX_USER, SandboxLimits, SandboxSpec, UnknownBackend};
