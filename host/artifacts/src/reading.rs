//! Bytes of an artifact, as they are read.

use std::fmt;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures::stream::{BoxStream, Stream, StreamExt as _};

use crate::artifact::Artifact;
use crate::artifacts::Inner;
use crate::error::ArtifactError;
use crate::range::ByteRange;
use crate::table::references::Kept;

/// The bytes that were asked for, as a stream of pieces. At most two pieces are in memory (of 2 MiB, or of 8 MiB from S3). The
/// stream gives all of the range or ends with an error.
pub struct Reading {
    /// What they are of.
    pub artifact: Artifact,
    /// Which bytes they are.
    pub range: Range<u64>,
    pieces: BoxStream<'static, Result<Bytes, ArtifactError>>,
}

impl Reading {
    pub(crate) async fn open(inner: &Arc<Inner>, of: Kept, range: ByteRange) -> Result<Self, ArtifactError> {
        let Kept { artifact, place } = of;
        let range = range.of(artifact.size)?;
        let source = match inner.store.open(&place).await {
            // It may have been removed since.
            Err(ArtifactError::Store(object_store::Error::NotFound { .. })) => {
                let still = inner.find(None, &artifact.id).await;
                return Err(still.map_or_else(|error| error, |_| ArtifactError::Damaged("they are missing")));
            }
            opened => opened?,
        };
        if source.size != artifact.size {
            return Err(ArtifactError::Damaged("there are more or fewer of them"));
        }
        let pieces = source.stream(range.clone(), inner.store.piece());
        Ok(Self { artifact, range, pieces })
    }

    /// All of it at once: as much memory as the range is long.
    ///
    /// # Errors
    /// As the stream.
    pub async fn bytes(mut self) -> Result<Bytes, ArtifactError> {
        let mut all = BytesMut::new();
        while let Some(piece) = self.pieces.next().await {
            let piece = piece?;
            if all.is_empty() && piece.len() as u64 == self.range.end - self.range.start {
                return Ok(piece);
            }
            all.extend_from_slice(&piece);
        }
        Ok(all.freeze())
    }
}

impl Stream for Reading {
    type Item = Result<Bytes, ArtifactError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.pieces.poll_next_unpin(cx)
    }
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reading({} {:?})", self.artifact.id, self.range)
    }
}
