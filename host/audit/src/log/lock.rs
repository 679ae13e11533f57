//! The lock of those who append, across processes (flock(2)). Who dies has let go of it.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::PATIENCE;
use super::directory::{Directory, LOCK};
use crate::error::{AuditError, failed};

/// The file that is locked, open for this log alone.
#[derive(Clone)]
pub(super) struct Lock {
    file: Arc<File>,
    path: PathBuf,
}

/// The lock, while this log has it. Let go when dropped.
pub(super) struct Held(Arc<File>);

impl Lock {
    /// The lock of this directory, made where it is missing.
    pub(super) fn of(directory: &Directory) -> Result<Self, AuditError> {
        let path = directory.file(LOCK);
        Ok(Self { file: Arc::new(directory.append_to(&path)?), path })
    }

    /// Takes the lock, if no other process has it.
    pub(super) fn try_hold(&self) -> Result<Option<Held>, AuditError> {
        match flock(self.file.as_fd(), FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Held(Arc::clone(&self.file)))),
            Err(Errno::WOULDBLOCK | Errno::INTR) => Ok(None),
            Err(error) => Err(failed(&self.path)(error.into())),
        }
    }

    /// Takes the lock, and waits up to [`PATIENCE`] for it.
    pub(super) fn hold(&self) -> Result<Held, AuditError> {
        let since = Instant::now();
        loop {
            match self.try_hold()? {
                Some(held) => return Ok(held),
                None if since.elapsed() > PATIENCE => {
                    return Err(AuditError::Locked { path: self.path.clone() });
                }
                // flock(2) knows no time limit.
                None => std::thread::sleep(Duration::from_millis(1)),
            }
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _it_is_ours = flock(self.0.as_fd(), FlockOperation::Unlock);
    }
}
