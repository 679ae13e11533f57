//! The one interface of everything that makes sandboxes.

use std::time::SystemTime;

use async_trait::async_trait;
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::error::{Ended, RuntimeError};
use crate::id::SandboxId;
use crate::spec::{Backend, SandboxSpec};

/// A byte stream to the supervisor in a sandbox.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for S {}

/// Makes sandboxes. A backend belongs to one [`HostId`](crate::HostId), and sees, lists and touches sandboxes of that host
/// alone. Every method may be called at any time from any task; dropping a future never leaves a sandbox that
/// [`list`](Self::list) does not know.
#[async_trait]
pub trait SessionRuntime: Send + Sync {
    /// Which backend this is.
    fn backend(&self) -> Backend;

    /// What it can do here.
    fn capabilities(&self) -> Capabilities;

    /// Whether it can be used now. Takes no longer than a few seconds.
    async fn health(&self) -> Health;

    /// Starts a sandbox. When this returns, [`open`](Self::open) works.
    ///
    /// # Errors
    ///
    /// Why there is none; nothing is left of it then.
    async fn create(&self, spec: &SandboxSpec) -> Result<(), RuntimeError>;

    /// Opens a new byte stream to the supervisor. May be called again when one broke, and for a second one beside it.
    ///
    /// # Errors
    ///
    /// [`RuntimeError::Ended`] with the reason where the sandbox is no more.
    async fn open(&self, id: &SandboxId) -> Result<Box<dyn ByteStream>, RuntimeError>;

    /// What is known of a sandbox.
    ///
    /// # Errors
    ///
    /// [`RuntimeError::NotFound`] once it was destroyed, or where there never was one.
    async fn get(&self, id: &SandboxId) -> Result<SandboxStatus, RuntimeError>;

    /// Every sandbox of this host, ended ones included until they are destroyed.
    ///
    /// # Errors
    ///
    /// [`RuntimeError::Unavailable`].
    async fn list(&self) -> Result<Vec<SandboxStatus>, RuntimeError>;

    /// Tells the backend that the sandbox is wanted until then, where it has an end of its own. Others do nothing.
    ///
    /// # Errors
    ///
    /// [`RuntimeError::NotFound`].
    async fn extend(&self, id: &SandboxId, until: SystemTime) -> Result<(), RuntimeError> {
        let _ = until;
        self.get(id).await.map(drop)
    }

    /// What the supervisor and the backend wrote about the sandbox, the end of it, at most this many bytes.
    ///
    /// # Errors
    ///
    /// [`RuntimeError::NotFound`].
    async fn logs(&self, id: &SandboxId, most: usize) -> Result<Vec<u8>, RuntimeError>;

    /// Ends a sandbox and removes everything of it. One that is not there is a success.
    ///
    /// # Errors
    ///
    /// What is left could not be removed; it may be asked again.
    async fn destroy(&self, id: &SandboxId) -> Result<(), RuntimeError>;
}

/// Whether a backend can be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// It can; with what it says of itself, such as a version.
    Healthy(String),
    /// It cannot; a sentence that says what to do.
    Unhealthy(String),
}

/// What a backend can do here.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Capabilities {
    /// Whether it can make a sandbox from the machine's own files.
    pub host_files: bool,
    /// Whether it can make one from an image.
    pub images: bool,
    /// Whether directories of this host can be mounted; otherwise files are copied in and out.
    pub mounts: bool,
    /// Whether the supervisor and what it starts are different users.
    pub two_users: bool,
    /// What it cannot hold: limits for the sandbox as a whole, rights that its kernel does not know. Each a sentence.
    pub lacking: Vec<String>,
}

/// What is known of a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SandboxStatus {
    /// Which.
    pub id: SandboxId,
    /// On whose behalf it was made, as in [`packhost_core::Caller`].
    pub owner: String,
    /// What it does.
    pub state: SandboxState,
    /// When it was made.
    pub created: SystemTime,
}

/// What a sandbox does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SandboxState {
    /// It is being made; [`SessionRuntime::open`] does not work yet.
    Starting,
    /// It runs.
    Running,
    /// It does not run any more.
    Ended(Ended),
}
