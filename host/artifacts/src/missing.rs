//! Taking away what the store has lost.

use std::sync::Arc;

use crate::artifact::{Artifact, Filter, Page};
use crate::artifacts::{Inner, blocking};
use crate::belonging::belong_together;
use crate::error::ArtifactError;
use crate::id::ArtifactId;
use crate::table::known;

impl Inner {
    /// Removes the artifacts whose bytes are not in the store, and gives them. A store that was emptied is the one that the
    /// database knows from then on.
    pub(crate) async fn remove_missing(self: &Arc<Self>) -> Result<Vec<Artifact>, ArtifactError> {
        let (mut removed, mut page) = (Vec::new(), Page { after: None, most: Page::MOST });
        loop {
            let listing = self.list(None, Filter::default(), page).await?;
            for artifact in listing.artifacts {
                if !self.is_missing(&artifact.id).await? {
                    continue;
                }
                match self.remove(None, &artifact.id).await {
                    // Somebody else was faster.
                    Err(ArtifactError::NotFound) => {}
                    done => {
                        done?;
                        removed.push(artifact);
                    }
                }
            }
            let Some(next) = listing.next else { break };
            page = Page { after: Some(next), most: Page::MOST };
        }
        self.take_up().await?;
        Ok(removed)
    }

    /// Whether the store says that it has no bytes of it. One that cannot say is an error.
    async fn is_missing(self: &Arc<Self>, id: &ArtifactId) -> Result<bool, ArtifactError> {
        let kept = match self.find(None, id).await {
            Err(ArtifactError::NotFound) => return Ok(false),
            found => found?,
        };
        match self.store.open(&kept.place).await {
            Err(ArtifactError::Store(object_store::Error::NotFound { .. })) => Ok(true),
            opened => opened.map(|_| false),
        }
    }

    /// Writes into a store that says of nobody that it is his that it is this database's.
    async fn take_up(self: &Arc<Self>) -> Result<(), ArtifactError> {
        let of = Arc::clone(self);
        let known = blocking(move || of.database.read(known::store)).await?;
        if let (Some(known), None) = (known, self.store.mark().await?) {
            self.store.set_mark(&known.id).await?;
        }
        belong_together(&self.store, &self.database).await
    }
}
