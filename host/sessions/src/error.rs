//! Why there is no sandbox, in sentences that a person understands.

use serde::{Deserialize, Serialize};

/// Why a backend did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RuntimeError {
    /// The backend cannot be used now.
    #[error("{0}")]
    Unavailable(String),
    /// The image is not there, or is none.
    #[error("{0}")]
    Image(String),
    /// The spec asks for what this backend cannot do.
    #[error("{0}")]
    Unsupported(String),
    /// There is no such sandbox.
    #[error("there is no such sandbox")]
    NotFound,
    /// The sandbox has ended.
    #[error("the sandbox has ended: {0}")]
    Ended(Ended),
    /// The machine has no room for it: memory, disk, processes.
    #[error("{0}")]
    Exhausted(String),
    /// Everything else. For the operator's log.
    #[error("{0}")]
    Failed(String),
}

/// How a sandbox ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// The limit of its memory.
    #[error("it needed more memory than its limit allows")]
    OutOfMemory,
    /// Its supervisor exited by itself.
    #[error("its supervisor exited with code {0}")]
    Exited(i32),
    /// A signal that packhost did not send.
    #[error("signal {0} ended it from outside")]
    Signalled(i32),
    /// Nobody was connected to it for too long.
    #[error("no host was connected to it for too long")]
    Orphaned,
    /// It was destroyed.
    #[error("it was destroyed")]
    Destroyed,
    /// It is gone, and how cannot be known any more.
    #[error("it is gone; how it ended cannot be known any more")]
    Unknown,
}
