//! What of a log is verified: its files as they are at one moment.

use std::fs;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

use crate::error::{AuditError, failed};
use crate::log::{
    Checkpoint, Directory, Head, LARGEST_SEALED, LOCK, PATIENCE, Position, SEALED, read_synced, remembered,
};

/// The files at one moment.
pub(super) struct Snapshot {
    pub(super) directory: Directory,
    /// The segments and how much of each is looked at.
    pub(super) segments: Vec<(u64, u64)>,
    /// `head` and `synced`, or why they are none.
    pub(super) head: Result<Option<Head>, String>,
    pub(super) synced: Result<Option<Position>, String>,
    pub(super) sealed: Vec<u8>,
    /// What the ring of keys remembers, where that is looked at.
    pub(super) last: Option<Checkpoint>,
}

impl Snapshot {
    /// Reads them in the order that keeps them true together: what the ring remembers was in the log before; what `synced` says was
    /// in the log and, if it is a checkpoint, in `head` before it said so; nobody appends while the sizes are read.
    pub(super) fn take(dir: &Path, ring: Option<&Path>) -> Result<Self, AuditError> {
        let last = ring.map_or(Ok(None), remembered)?;
        let directory = Directory::at(dir);
        // A copy on a medium that cannot be written has no lock, and nobody who appends.
        let lock = directory.read_from(&directory.file(LOCK)).ok();
        if let Some(lock) = &lock {
            share(lock, &directory)?;
        }
        let read = |error: AuditError| match error {
            AuditError::Damaged { why, .. } => Ok(why),
            error => Err(error),
        };
        let synced = match read_synced(&directory) {
            Ok(synced) => Ok(synced),
            Err(error) => Err(read(error)?),
        };
        let head = match Head::read(&directory) {
            Ok(head) => Ok(head),
            Err(error) => Err(read(error)?),
        };
        let sealed = directory.read(SEALED, LARGEST_SEALED)?.unwrap_or_default();
        let mut segments = Vec::new();
        for number in directory.segments()? {
            let path = directory.segment(number);
            segments.push((number, fs::metadata(&path).map_err(failed(&path))?.len()));
        }
        Ok(Self { directory, segments, head, synced, sealed, last })
    }
}

/// Takes a share of the lock, which ends with the file.
fn share(lock: &fs::File, directory: &Directory) -> Result<(), AuditError> {
    let since = Instant::now();
    while flock(lock.as_fd(), FlockOperation::NonBlockingLockShared).is_err() {
        if since.elapsed() > PATIENCE {
            return Err(AuditError::Locked { path: directory.file(LOCK) });
        }
        // Whoever appends has it for microseconds.
        std::thread::sleep(Duration::from_micros(200));
    }
    Ok(())
}
