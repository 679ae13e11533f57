//! The right to a place in the store, for as long as something is written there.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::artifacts::Inner;
use crate::id::Place;

/// The uploads of this process, which need no lease.
#[derive(Debug, Default)]
pub(crate) struct Alive(Mutex<HashSet<Place>>);

impl Alive {
    pub(crate) fn lock(&self) -> MutexGuard<'_, HashSet<Place>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to one place in the store. Dropped, it gives the place up.
pub(crate) struct Claim {
    pub(crate) inner: Arc<Inner>,
    pub(crate) place: Place,
    /// Whether there is nothing to give up any more.
    pub(crate) is_settled: bool,
}

impl Claim {
    pub(crate) fn new(inner: &Arc<Inner>, place: Place) -> Self {
        inner.alive.lock().insert(place.clone());
        Self { inner: Arc::clone(inner), place, is_settled: false }
    }

    /// Gives the place up, and all that was reserved with it.
    pub(crate) async fn give_up(&mut self) {
        discard(Arc::clone(&self.inner), self.place.clone()).await;
        self.is_settled = true;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.inner.alive.lock().remove(&self.place);
        if self.is_settled {
            return;
        }
        // Without a runtime it is left to a sweeper.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(discard(Arc::clone(&self.inner), self.place.clone()));
        }
    }
}

async fn discard(inner: Arc<Inner>, place: Place) {
    if let Err(error) = inner.discard(place).await {
        tracing::warn!(%error, "an upload that was given up is left to the sweeper");
    }
}
