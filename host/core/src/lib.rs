//! The few types that every room shares: names, callers and what they may do, credentials' names and places,
//! run ids, digests, and the closed set of errors.
//!
//! Owns: what these words mean and how they are spelled. Refuses: I/O, async, policy, anything that only one
//! room needs.

mod caller;
mod credential;
mod digest;
mod failure;
mod identity;
mod name;
mod run;
mod scope;

pub use caller::Caller;
pub use credential::{CredentialName, CredentialNameError, Placement};
pub use digest::{Digest, DigestError};
pub use failure::{Advice, ErrorCode, Failure, Retry};
pub use identity::{Group, GroupError, Groups, Identity};
pub use name::{NameError, PackName, ToolName};
pub use run::RunId;
pub use scope::{PackPattern, Scope, ScopeError, Scopes};
