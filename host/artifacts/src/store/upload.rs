//! An object that is being written, piece by piece.

use std::sync::Arc;

use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{MultipartUpload, PutPayload};
use tokio::task::JoinSet;

use crate::error::ArtifactError;

/// Pieces that are written at the same time: in a file one after the other.
const IN_A_FILE: usize = 1;
const OVER_THE_NETWORK: usize = 3;

/// An object that is being written. Dropped before it is complete, it leaves what a sweeper removes.
pub(crate) struct Upload {
    to: To,
    begun: usize,
    running: JoinSet<Result<Option<(usize, PartId)>, object_store::Error>>,
    parts: Vec<(usize, PartId)>,
}

enum To {
    /// The store keeps account of the parts.
    Parts(Box<dyn MultipartUpload>),
    /// We do: the upload has a name, by which another process can end it should this one die.
    Named { uploads: Arc<dyn MultipartStore>, path: Path, name: String },
}

impl Upload {
    pub(super) fn of_parts(upload: Box<dyn MultipartUpload>) -> Self {
        Self::to(To::Parts(upload))
    }

    pub(super) async fn named(uploads: Arc<dyn MultipartStore>, path: Path) -> Result<Self, ArtifactError> {
        let name = uploads.create_multipart(&path).await?;
        Ok(Self::to(To::Named { uploads, path, name }))
    }

    fn to(to: To) -> Self {
        Self { to, begun: 0, running: JoinSet::new(), parts: Vec::new() }
    }

    /// By what name the store knows it.
    pub(crate) fn name(&self) -> Option<&str> {
        match &self.to {
            To::Parts(_) => None,
            To::Named { name, .. } => Some(name),
        }
    }

    /// Writes a piece, and returns when another one may come: it need not be written by then.
    pub(crate) async fn write(&mut self, piece: PutPayload) -> Result<(), ArtifactError> {
        let most = match self.to {
            To::Parts(_) => IN_A_FILE,
            To::Named { .. } => OVER_THE_NETWORK,
        };
        while self.running.len() >= most {
            self.one().await?;
        }
        let number = self.begun;
        self.begun += 1;
        match &mut self.to {
            To::Parts(upload) => {
                let part = upload.put_part(piece);
                self.running.spawn(async move { part.await.map(|()| None) });
            }
            To::Named { uploads, path, name } => {
                let (uploads, path, name) = (uploads.clone(), path.clone(), name.clone());
                self.running.spawn(async move {
                    let part = uploads.put_part(&path, &name, number, piece).await?;
                    Ok(Some((number, part)))
                });
            }
        }
        Ok(())
    }

    /// Waits for a piece.
    async fn one(&mut self) -> Result<(), ArtifactError> {
        if let Some(written) = self.running.join_next().await {
            self.parts.extend(written??);
        }
        Ok(())
    }

    /// Makes an object of the pieces: all of it is there from now on, and on the disk.
    pub(crate) async fn complete(mut self) -> Result<(), ArtifactError> {
        while !self.running.is_empty() {
            self.one().await?;
        }
        match &mut self.to {
            To::Parts(upload) => {
                upload.complete().await?;
            }
            To::Named { uploads, path, name } => {
                self.parts.sort_by_key(|(number, _)| *number);
                let parts = self.parts.drain(..).map(|(_, part)| part).collect();
                uploads.complete_multipart(path, name, parts).await?;
            }
        }
        Ok(())
    }
}
