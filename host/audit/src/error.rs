//! What can go wrong with the log.

use std::io;
use std::path::{Path, PathBuf};

use packhost_keyring::{KeyId, KeyringError};

use crate::log::Position;

/// Why something is not on record, or the log cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// A file or the directory cannot be made, read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody else may read or write the directory.
    #[error("{} is open to other users (mode {mode:o}, owner {owner}); it has to be yours alone: chmod go= it", path.display())]
    Exposed {
        /// The directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// Its owner's user id.
        owner: u32,
    },
    /// Another process has had the lock for [`PATIENCE`](crate::PATIENCE).
    #[error("another process has held {} for {} s; look for one that hangs", path.display(), crate::PATIENCE.as_secs())]
    Locked {
        /// The lock's file.
        path: PathBuf,
    },
    /// The record would be larger than a line may be.
    #[error("the record has {size} bytes; a record has {max} at most")]
    TooLarge {
        /// Its size.
        size: usize,
        /// [`LARGEST`](crate::LARGEST).
        max: usize,
    },
    /// The body is no JSON object.
    #[error("the body of a record has to be a JSON object: {0}")]
    Body(String),
    /// A kind that is no word, or that the log writes itself.
    #[error("{0:?} is no kind of record that may be appended")]
    Kind(String),
    /// The record could not be written as a whole. Nothing of it is in the log.
    #[error("the record was not written to {}: {source}", path.display())]
    Write {
        /// The segment.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A part of a record is in the log, and cannot be taken out. No record is written until it can.
    #[error("{} ends with a part of a record, which cannot be removed: {source}", path.display())]
    Stuck {
        /// The segment.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The disk did not take what was written. No record is written until it does.
    #[error("the disk did not confirm the records in {}: {why}", path.display())]
    Unsynced {
        /// The segment.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// Records that were there are gone: somebody, or a disk, has cut the log off.
    #[error("{} ends before record {n}, which was in it: run `packhost audit verify`; to begin a new log, move {} away and keep it, and run `packhost audit begin`", path.display(), directory(path))]
    Truncated {
        /// Where they should be.
        path: PathBuf,
        /// The last record that is known to have been there.
        n: u64,
    },
    /// The directory was moved or removed while the log was open; what is in its place is not this log.
    #[error("{} is not the directory any more that this process has its record in: it was moved or removed. Nothing is put on record until the process is started again", path.display())]
    Moved {
        /// Where it was.
        path: PathBuf,
    },
    /// There was a log, and it is gone.
    #[error("{} has no record, and there was one{}: restore it from a backup; or, where it is lost, run `packhost audit begin`, which begins another one that says so", path.display(), how_far(last))]
    Lost {
        /// The directory.
        path: PathBuf,
        /// The last record of it that a checkpoint is known of; 0 where none is.
        last: Position,
    },
    /// There is a log, and the keys that it is signed with are gone.
    #[error("{} has a record, and the keys that it is signed with are missing: {} and {}. Restore them from a backup; or move {} away as well and keep it, and a new record begins with new keys", log.display(), keys.join("public").display(), private(keys, signer.as_ref()).display(), log.display())]
    Keyless {
        /// The directory of the log.
        log: PathBuf,
        /// Where the keys should be.
        keys: PathBuf,
        /// The one that signed last, where that is known.
        signer: Option<KeyId>,
    },
    /// The log is signed with a key that is not among those that are there.
    #[error("{} is signed with {signer}, which is none of the keys that are here: restore the directory of keys that has {signer}.key in it, or move {} away and keep it, and begin a new record with these keys", path.display(), directory(path))]
    Stranger {
        /// The file that is signed.
        path: PathBuf,
        /// The key that signed it.
        signer: KeyId,
    },
    /// Something in the log is not what this host wrote.
    #[error("{}, byte {byte}: {why}: run `packhost audit verify`; to begin a new log, move {} away and keep it, and run `packhost audit begin`", path.display(), directory(path))]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Where in it.
        byte: u64,
        /// What is wrong.
        why: String,
    },
    /// The log was closed.
    #[error("the log is closed")]
    Closed,
    /// A checkpoint cannot be signed.
    #[error(transparent)]
    Key(#[from] KeyringError),
    /// No thread, or no random bytes.
    #[error("the log cannot be started: {0}")]
    Start(io::Error),
}

fn directory(path: &Path) -> String {
    path.parent().unwrap_or(path).display().to_string()
}

/// The file of a private key, whichever that is.
fn private(keys: &Path, id: Option<&KeyId>) -> PathBuf {
    keys.join(id.map_or_else(|| "*.key".into(), |id| format!("{id}.key")))
}

fn how_far(last: &Position) -> String {
    match last.n {
        0 => String::new(),
        n => format!(", up to record {n} at least"),
    }
}

/// An error with the path that it is about.
pub(crate) fn failed(path: &Path) -> impl FnOnce(io::Error) -> AuditError + '_ {
    |source| AuditError::File { path: path.to_owned(), source }
}
