//! An object that is being written, piece by piece.

use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::sync::Arc;

use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{MultipartUpload, PutPayload};
use tokio::task::{JoinHandle, JoinSet};

use crate::error::ArtifactError;

/// Pieces that are written at the same time: in a file one after the other.
const IN_A_FILE: usize = 1;
const OVER_THE_NETWORK: usize = 3;
/// So many bytes begin to be brought to the disk together, while the next ones are hashed and written.
const FLUSHED: usize = 8 << 20;

/// An object that is being written. Dropped before it is complete, it leaves what a sweeper removes.
pub(crate) struct Upload {
    to: To,
    begun: usize,
    running: JoinSet<Result<Option<(usize, PartId)>, object_store::Error>>,
    parts: Vec<(usize, PartId)>,
}

enum To {
    /// A file, in order.
    File { upload: Box<dyn MultipartUpload>, flush: Flush },
    /// We do: the upload has a name, by which another process can end it should this one die.
    Named { uploads: Arc<dyn MultipartStore>, path: Path, name: String },
}

impl Upload {
    pub(super) fn to_file(upload: Box<dyn MultipartUpload>, file: File) -> Self {
        let flush = Flush { file: Arc::new(file), waiting: 0, running: None };
        Self::to(To::File { upload, flush })
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
            To::File { .. } => None,
            To::Named { name, .. } => Some(name),
        }
    }

    /// Writes a piece, and returns when another one may come: it need not be written by then.
    pub(crate) async fn write(&mut self, piece: PutPayload) -> Result<(), ArtifactError> {
        let most = match self.to {
            To::File { .. } => IN_A_FILE,
            To::Named { .. } => OVER_THE_NETWORK,
        };
        while self.running.len() >= most {
            self.one().await?;
        }
        let number = self.begun;
        self.begun += 1;
        match &mut self.to {
            To::File { upload, flush } => {
                flush.add(piece.content_length());
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
            To::File { upload, .. } => {
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

/// Has the kernel begin to bring to the disk what was written so far, so that little is left to wait for in the end.
struct Flush {
    file: Arc<File>,
    waiting: usize,
    running: Option<JoinHandle<()>>,
}

impl Flush {
    /// So many bytes more were written, or are about to be.
    fn add(&mut self, bytes: usize) {
        self.waiting += bytes;
        let is_busy = self.running.as_ref().is_some_and(|running| !running.is_finished());
        if self.waiting < FLUSHED || is_busy {
            return;
        }
        self.waiting = 0;
        let file = Arc::clone(&self.file);
        // It waits where the disk has more to do than it takes.
        self.running = Some(tokio::task::spawn_blocking(move || begin_to_flush(&file)));
    }
}

/// Promises nothing: the last word is the `fsync` when the upload is complete, which tells of errors as well. An `fdatasync` here
/// would have the journal written each time.
fn begin_to_flush(file: &File) {
    // SAFETY: the descriptor is open for as long as `file` is borrowed; the call takes numbers alone and touches no memory of
    // this process (sync_file_range(2); a length of 0 means to the end).
    unsafe { libc::sync_file_range(file.as_raw_fd(), 0, 0, libc::SYNC_FILE_RANGE_WRITE) };
}
