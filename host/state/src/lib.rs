//! The state database: one SQLite file for every room that has to remember something.
//!
//! Owns: where the file is and who may read it, how durable a write is, and the order of schema changes. Refuses: knowing
//! what is in it. A room brings its own tables, in SQL that PostgreSQL takes as well (`TEXT`, `BIGINT`, `BYTEA` by another
//! name), and its own statements.

mod migrate;

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

/// How long a write waits for another process that writes.
const PATIENCE: Duration = Duration::from_secs(5);

/// The state database. Another process of the same host may have it open at the same time.
pub struct Database {
    connection: Mutex<Connection>,
}

/// Why the state cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file cannot be made or opened.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody else may read or write it.
    #[error("{} is open to other users (mode {mode:o}, owner {owner}); it has to be yours alone, mode 600", path.display())]
    Exposed {
        /// Which.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// Its owner's user id.
        owner: u32,
    },
    /// A newer version of this host wrote it.
    #[error(
        "the {room} part of the state is of version {found}; this host knows {known}: use the newer host"
    )]
    Newer {
        /// Whose tables.
        room: &'static str,
        /// The version in the file.
        found: usize,
        /// The newest version that this host knows.
        known: usize,
    },
    /// SQLite says no.
    #[error("the state database: {0}")]
    Sqlite(#[from] rusqlite::Error),
}

impl Database {
    /// Opens `DIR/state.db`, and makes it, readable by this user alone, where it is missing. The directory must be there.
    ///
    /// A write that was acknowledged survives a crash and a power cut (write-ahead log, full synchronization). What is
    /// deleted is overwritten.
    ///
    /// # Errors
    /// When the file cannot be made or opened, or is open to other users.
    pub fn open(dir: &Path) -> Result<Self, StateError> {
        let path = dir.join("state.db");
        let file = private(&path).map_err(|source| StateError::File { path: path.clone(), source })?;
        let about = file.metadata().map_err(|source| StateError::File { path: path.clone(), source })?;
        let (mode, owner) = (about.permissions().mode() & 0o777, about.uid());
        if mode & 0o077 != 0 || owner != rustix::process::geteuid().as_raw() {
            return Err(StateError::Exposed { path, mode, owner });
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let connection = Connection::open_with_flags(&path, flags)?;
        connection.busy_timeout(PATIENCE)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "secure_delete", true)?;
        connection.pragma_update(None, "trusted_schema", false)?;
        Ok(Self { connection: Mutex::new(connection) })
    }

    /// Brings the tables of a room to the newest of these versions: `steps[n]` leads from version n to n + 1. What was
    /// released is never edited.
    ///
    /// # Errors
    /// When a newer host has written the tables, or a step fails; then nothing of it happened.
    pub fn migrate(&self, room: &'static str, steps: &[&str]) -> Result<(), StateError> {
        self.write(|transaction| migrate::migrate(transaction, room, steps))
    }

    /// Runs this in a transaction that sees one state of the database. What it writes is thrown away.
    ///
    /// # Errors
    /// Those of the closure, and SQLite's.
    pub fn read<T, E: From<StateError>>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = connection.transaction().map_err(StateError::from)?;
        work(&transaction)
    }

    /// Runs this in a transaction that nobody else writes beside, and commits it when it succeeds. It blocks: on the disk,
    /// and on another process that writes.
    ///
    /// # Errors
    /// Those of the closure, and SQLite's; then nothing of it happened.
    pub fn write<T, E: From<StateError>>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = connection.transaction_with_behavior(TransactionBehavior::Immediate);
        let transaction = begun.map_err(StateError::from)?;
        let done = work(&transaction)?;
        transaction.commit().map_err(StateError::from)?;
        Ok(done)
    }
}

/// The file, private from its first moment on. A link in its place is not followed.
fn private(path: &Path) -> io::Result<File> {
    let no_link = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    OpenOptions::new().read(true).write(true).create(true).mode(0o600).custom_flags(no_link).open(path)
}
