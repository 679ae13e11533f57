//! Hashing what goes by, beside the work of writing it.

use object_store::PutPayload;
use packhost_core::Digest;
use sha2::{Digest as _, Sha256};
use tokio::task::JoinHandle;

use crate::error::ArtifactError;

/// The hash of what came so far, or the work on it.
pub(crate) enum Hashing {
    Idle(Box<Sha256>),
    Busy(JoinHandle<Box<Sha256>>),
}

/// Of nothing.
impl Default for Hashing {
    fn default() -> Self {
        Self::Idle(Box::default())
    }
}

impl Hashing {
    /// Begins to hash this, once what came before is done.
    pub(crate) async fn add(&mut self, piece: PutPayload) -> Result<(), ArtifactError> {
        let mut hash = self.idle().await?;
        *self = Self::Busy(tokio::task::spawn_blocking(move || {
            piece.iter().for_each(|bytes| hash.update(bytes));
            hash
        }));
        Ok(())
    }

    async fn idle(&mut self) -> Result<Box<Sha256>, ArtifactError> {
        match self {
            Self::Idle(hash) => Ok(std::mem::take(hash)),
            Self::Busy(work) => Ok(work.await?),
        }
    }

    /// The hash of all that came.
    pub(crate) async fn end(mut self) -> Result<Digest, ArtifactError> {
        let bytes: [u8; 32] = self.idle().await?.finalize().into();
        Ok(bytes.into())
    }
}
