//! Ending a sandbox: by one at a time, and said once.

use std::sync::Arc;

use packhost_audit::SessionEvent;
use packhost_state::StateError;

use super::journal::Happened;
use super::{Shared, table};
use crate::error::RuntimeError;
use crate::id::SandboxId;
use crate::spec::Backend;

/// A sandbox that is being ended. As long as this lives, nobody else of this process ends it.
pub(super) struct Ending {
    shared: Arc<Shared>,
    id: SandboxId,
    backend: Backend,
}

impl Ending {
    /// None where it is being ended already; should that fail, the next sweep finds it.
    pub(super) fn begin(shared: &Arc<Shared>, id: SandboxId, backend: Backend) -> Option<Self> {
        let first = shared.ending().insert(id.clone());
        first.then(|| Self { shared: Arc::clone(shared), id, backend })
    }

    /// Ends it. Its row goes when it is gone, and whoever takes the row away says that it ended: a sandbox may be ended again
    /// by a call that had it when its time was over. A stray has no row, and is said to have ended all the same.
    pub(super) async fn end(self, stray: bool) {
        let Self { shared, id, backend } = &self;
        let destroyed = match shared.runtime(*backend) {
            Some(runtime) => runtime.destroy(id).await,
            None => Err(RuntimeError::Unavailable(format!("{backend} is not configured"))),
        };
        shared.held().remove(id);
        if let Err(error) = destroyed {
            // Its row stays: the next sweep tries again.
            tracing::warn!(target: "packhost::session", %id, %backend, %error, "a sandbox could not be ended");
            return;
        }
        let row = id.clone();
        let removed: Result<_, StateError> =
            shared.database(move |s| s.database.write(|sql| table::remove(sql, &row))).await;
        let owner = match removed {
            Ok(Some(owner)) => owner,
            Ok(None) if stray => String::new(),
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(target: "packhost::session", %id, %error, "an ended session is still written down");
                return;
            }
        };
        let (owner, event) = (owner.as_str(), SessionEvent::Ended);
        shared.settings.journal.note(Happened { id, backend: *backend, owner, run: None, event, reason: "" });
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.shared.ending().remove(&self.id);
    }
}
