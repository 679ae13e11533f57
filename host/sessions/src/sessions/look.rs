//! Sessions as an operator sees them, from any process of the host.

use std::sync::Arc;

use packhost_audit::SessionEvent;
use packhost_core::Caller;
use packhost_state::StateError;
use serde::Serialize;

use super::journal::Happened;
use super::table::{self, Stored};
use super::{SessionError, Sessions};
use crate::error::RuntimeError;
use crate::id::SandboxId;
use crate::link::{Link, LinkSettings};
use crate::runtime::{SandboxState, SessionRuntime};
use crate::spec::Backend;

/// A session of this host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Its sandbox.
    pub id: SandboxId,
    /// Where it runs.
    pub backend: Backend,
    /// On whose behalf; none for one that stands ready.
    pub owner: Option<String>,
    /// For which pack.
    pub pack: String,
    /// Its workspace, where it has one.
    pub workspace: Option<String>,
    /// What it is made of.
    pub image: String,
    /// When it was made, in milliseconds since 1970.
    pub created: u64,
    /// When it ends at the latest, in milliseconds since 1970.
    pub ends: u64,
    /// What its sandbox does; none where the backend does not know it or does not answer.
    pub state: Option<SandboxState>,
}

/// How many sandboxes a process has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// That a call has, those that are being made included.
    pub held: usize,
    /// That wait for the next call of the same caller.
    pub idle: usize,
    /// That stand ready for anybody's first call.
    pub ready: usize,
}

impl Sessions {
    /// How many sandboxes this process has.
    pub fn counts(&self) -> Counts {
        Counts { held: self.0.held().len(), idle: self.0.idle().len(), ready: self.0.ready().len() }
    }

    /// Every session of this host, the oldest first.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn list(&self) -> Result<Vec<Listed>, SessionError> {
        let rows = self.rows().await?;
        let mut listed = Vec::with_capacity(rows.len());
        for row in rows {
            let state = match self.0.runtime(row.backend) {
                Some(runtime) => runtime.get(&row.id).await.ok().map(|status| status.state),
                None => None,
            };
            listed.push(Listed {
                id: row.id,
                backend: row.backend,
                owner: Some(row.owner).filter(|owner| owner != Caller::nobody().as_str()),
                pack: row.pack,
                workspace: row.workspace,
                image: row.image,
                created: row.created,
                ends: row.ends,
                state,
            });
        }
        Ok(listed)
    }

    /// A connection to a session of this host beside the one that its owner's call may have. What leaves is not served on it.
    ///
    /// # Errors
    /// [`SessionError::NotFound`], and what keeps it from being opened.
    pub async fn look_into(&self, id: &SandboxId) -> Result<Link, SessionError> {
        let runtime = self.backend_of(id).await?;
        let settings = LinkSettings { orphaned_after: None, ..self.0.settings.link };
        Ok(Link::connect(runtime, id.clone(), None, settings).await?)
    }

    /// Whether programs in it run as another user than its supervisor.
    ///
    /// # Errors
    /// [`SessionError::NotFound`].
    pub async fn two_users(&self, id: &SandboxId) -> Result<bool, SessionError> {
        Ok(self.backend_of(id).await?.capabilities().two_users)
    }

    /// What was written about a sandbox, the end of it, at most this many bytes.
    ///
    /// # Errors
    /// [`SessionError::NotFound`], and the backend's.
    pub async fn logs(&self, id: &SandboxId, most: usize) -> Result<Vec<u8>, SessionError> {
        Ok(self.backend_of(id).await?.logs(id, most).await?)
    }

    /// Ends a session of this host, whoever has it.
    ///
    /// # Errors
    /// [`SessionError::NotFound`], and what could not be removed.
    pub async fn remove(&self, id: &SandboxId) -> Result<(), SessionError> {
        let runtime = self.backend_of(id).await?;
        self.0.idle().remove(id);
        if self.0.ready().remove(id).is_some() {
            self.0.left.notify_one();
        }
        runtime.destroy(id).await?;
        let row = id.clone();
        let removed = self.0.database(move |s| s.database.write(|sql| table::remove(sql, &row))).await?;
        // Where the row is gone already, the call that had it has said so.
        let Some(owner) = removed else { return Ok(()) };
        let (event, reason, owner) = (SessionEvent::Ended, "removed by hand", owner.as_str());
        let backend = runtime.backend();
        self.0.settings.journal.note(Happened { id, backend, owner, run: None, event, reason });
        Ok(())
    }

    async fn rows(&self) -> Result<Vec<Stored>, StateError> {
        self.0.database(|shared| shared.database.read(table::all)).await
    }

    async fn backend_of(&self, id: &SandboxId) -> Result<Arc<dyn SessionRuntime>, SessionError> {
        let rows = self.rows().await?;
        let row =
            rows.into_iter().find(|row| row.id == *id).ok_or_else(|| SessionError::NotFound(id.clone()))?;
        let runtime = self.0.runtime(row.backend).map(Arc::clone);
        Ok(runtime.ok_or_else(|| {
            RuntimeError::Unavailable(format!("this host is not set up for {}", row.backend))
        })?)
    }
}
