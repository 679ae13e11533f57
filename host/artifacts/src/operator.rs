//! Everybody's artifacts, for the operator.

use std::fmt;
use std::sync::Arc;

use packhost_core::{Caller, RunId};
use packhost_keyring::PublicKeys;

use crate::artifact::{Artifact, Filter, Listing, Page};
use crate::artifacts::{Artifacts, Inner, blocking};
use crate::error::ArtifactError;
use crate::id::ArtifactId;
use crate::range::ByteRange;
use crate::reading::Reading;
use crate::sweep::Swept;
use crate::verify::Report;

/// Everybody's artifacts. A type of its own, so that nothing that serves an agent comes to call it by mistake: a door makes
/// one only for a caller with the scope `admin`.
#[derive(Clone)]
pub struct Operator {
    inner: Arc<Inner>,
}

impl Operator {
    /// The operator of these artifacts.
    pub fn of(artifacts: &Artifacts) -> Self {
        Self { inner: Arc::clone(&artifacts.inner) }
    }

    /// The public keys of this host.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn keys(&self) -> Result<PublicKeys, ArtifactError> {
        let inner = Arc::clone(&self.inner);
        blocking(move || Ok(inner.keyring.public()?)).await
    }

    /// As [`Artifacts::get`], whoever owns it.
    ///
    /// # Errors
    /// As there.
    pub async fn get(&self, id: &ArtifactId) -> Result<Artifact, ArtifactError> {
        Ok(self.inner.find(None, id).await?.artifact)
    }

    /// As [`Artifacts::read`], whoever owns it.
    ///
    /// # Errors
    /// As there.
    pub async fn read(&self, id: &ArtifactId, range: ByteRange) -> Result<Reading, ArtifactError> {
        Reading::open(&self.inner, self.inner.find(None, id).await?, range).await
    }

    /// As [`Artifacts::list`], of one caller or of all.
    ///
    /// # Errors
    /// As there.
    pub async fn list(
        &self,
        owner: Option<&Caller>,
        filter: Filter,
        page: Page,
    ) -> Result<Listing, ArtifactError> {
        self.inner.list(owner, filter, page).await
    }

    /// As [`Artifacts::remove`], whoever owns it, and manifests as well.
    ///
    /// # Errors
    /// As there.
    pub async fn remove(&self, id: &ArtifactId) -> Result<(), ArtifactError> {
        self.inner.remove(None, id).await
    }

    /// As [`Artifacts::verify`], whoever owns it.
    ///
    /// # Errors
    /// As there.
    pub async fn verify(&self, id: &ArtifactId, keys: &PublicKeys) -> Result<Report, ArtifactError> {
        self.inner.verify(None, id, keys).await
    }

    /// As [`Artifacts::verify_run`], whoever owns it.
    ///
    /// # Errors
    /// As there.
    pub async fn verify_run(&self, run: RunId, keys: &PublicKeys) -> Result<Report, ArtifactError> {
        self.inner.verify_run(None, run, keys).await
    }

    /// Removes the artifacts whose bytes the store does not have, and gives them. Of a store that was emptied these are all, and
    /// from then on it is opened as any other.
    ///
    /// # Errors
    /// When the state or the store cannot be read or written; then some may be removed, and it may be asked again.
    pub async fn remove_missing(&self) -> Result<Vec<Artifact>, ArtifactError> {
        self.inner.remove_missing().await
    }

    /// Removes what has expired, what nobody refers to, and what was begun by writers that are gone. To be called every few
    /// minutes; several may be at it at once, in several processes. Nothing that somebody may still be given is touched.
    ///
    /// # Errors
    /// When the state cannot be read or written, or the store is not the one it was. What cannot be removed from the store is
    /// counted, said in the log, and tried again by the next sweep.
    pub async fn sweep(&self) -> Result<Swept, ArtifactError> {
        self.inner.sweep().await
    }
}

impl fmt::Debug for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Operator({:?})", self.inner.store)
    }
}
