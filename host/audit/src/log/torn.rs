//! What is cut off the end of a segment: the part of a record that a process or a machine left that died while it was written.
//! It was never acknowledged. It is kept in a file beside the segment, and a record says that.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};

use packhost_core::Digest;
use rustix::fs::ftruncate;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::directory::{Directory, TORN};
use crate::error::{AuditError, failed};

/// How much is copied at once, in bytes.
const CHUNK: usize = 64 << 10;

/// The body of a record of kind `recovered`: what stood in its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Recovered {
    /// The file that holds it now, in the same directory.
    pub(crate) file: String,
    /// Where in the segment it began.
    pub(crate) byte: u64,
    /// How many bytes it has.
    pub(crate) bytes: u64,
    /// The SHA-256 of those.
    pub(crate) sha256: Digest,
}

impl Recovered {
    pub(crate) const KIND: &'static str = "recovered";
}

/// Moves what stands between two places of a segment, of which the second is its end, into a file of its own.
pub(super) fn cut(
    directory: &Directory,
    segment: &File,
    number: u64,
    byte: u64,
    end: u64,
) -> Result<Recovered, AuditError> {
    let name = format!("{number:08}.{byte}{TORN}");
    let path = directory.file(&name);
    let digest = copy(segment, byte, end, &path).map_err(failed(&path))?;
    directory.sync()?;
    let stuck = |source: io::Error| AuditError::Stuck { path: directory.segment(number), source };
    ftruncate(segment, byte).map_err(|error| stuck(error.into()))?;
    segment.sync_data().map_err(stuck)?;
    tracing::warn!(target: "packhost::audit", file = name, bytes = end - byte, "the end of the audit log was cut off");
    Ok(Recovered { file: name, byte, bytes: end - byte, sha256: digest })
}

fn copy(segment: &File, byte: u64, end: u64, to: &std::path::Path) -> io::Result<Digest> {
    // One that is there is of a process that died while it did the same.
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(to)?;
    let (mut at, mut hash, mut chunk) = (byte, Sha256::new(), vec![0; CHUNK]);
    while at < end {
        let most = usize::try_from(end - at).unwrap_or(CHUNK).min(CHUNK);
        let read = segment.read_at(&mut chunk[..most], at)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        hash.update(&chunk[..read]);
        file.write_all(&chunk[..read])?;
        at += read as u64;
    }
    file.sync_all()?;
    digest(hash)
}

/// A digest of what was hashed piece by piece.
pub(crate) fn digest(hash: Sha256) -> io::Result<Digest> {
    let hex: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}").parse().map_err(io::Error::other)
}
