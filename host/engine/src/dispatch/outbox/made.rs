//! What a call has kept so far. It is the caller's when the call has succeeded and is on record, and nobody's where it is not.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use packhost_artifacts::{Artifact, Artifacts, Operator};

/// What a call has kept so far. Clones are of the same call; when the last of them goes and nobody has taken what is in it, it is
/// removed again.
#[derive(Clone)]
pub(crate) struct Made(Arc<Inner>);

struct Inner {
    store: Option<Artifacts>,
    list: Mutex<Vec<Artifact>>,
}

impl Made {
    /// Nothing yet, to be kept here.
    pub(crate) fn none(store: Option<Artifacts>) -> Self {
        Self(Arc::new(Inner { store, list: Mutex::default() }))
    }

    /// Where it is kept, if anywhere.
    pub(crate) fn store(&self) -> Option<&Artifacts> {
        self.0.store.as_ref()
    }

    pub(crate) fn add(&self, artifact: Artifact) {
        self.0.list().push(artifact);
    }

    pub(crate) fn count(&self) -> usize {
        self.0.list().len()
    }

    /// What there is until now.
    pub(crate) fn list(&self) -> Vec<Artifact> {
        self.0.list().clone()
    }

    /// Takes it: it stays.
    pub(crate) fn take(&self) -> Vec<Artifact> {
        std::mem::take(&mut *self.0.list())
    }

    /// Removes it: nobody is going to be told of it.
    pub(crate) async fn discard(&self) {
        remove(self.store().cloned(), self.take()).await;
    }
}

impl Inner {
    fn list(&self) -> MutexGuard<'_, Vec<Artifact>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let list = std::mem::take(&mut *self.list());
        if list.is_empty() {
            return;
        }
        // Without a runtime the process ends. They stay until they expire.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(remove(self.store.clone(), list));
        }
    }
}

async fn remove(store: Option<Artifacts>, list: Vec<Artifact>) {
    let Some(store) = store else { return };
    // The host takes back what it has kept; no caller removes a manifest.
    let store = Operator::of(&store);
    for artifact in list {
        if let Err(error) = store.remove(&artifact.id).await {
            tracing::warn!(target: "packhost", %error, "an artifact of a call that failed is left until it expires");
        }
    }
}
