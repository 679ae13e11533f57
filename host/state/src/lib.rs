//! The state database: one SQLite file for every room that has to remember something.
//!
//! Owns: where the file is and who may read it, how durable a write is, and the order of schema changes. Refuses: knowing
//! what is in it. A room brings its own tables, in SQL that PostgreSQL takes as well (`TEXT`, `BIGINT`, `BYTEA` by another
//! name), and its own statements.

mod migrate;
mod stamp;

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use rustix::fs::{Access, AtFlags, CWD, FlockOperation};

pub use stamp::Stamp;

/// How long a write waits for another process that writes, at least.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it waits between two tries. SQLite knows no queue: who tries seldom, as its own handler does after a while, finds
/// the database taken each time where others write all the time.
const PAUSE: Duration = Duration::from_millis(1);

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
    /// It is another user's.
    #[error("{} is user {owner}'s, and this is user {own}: run it as that user, for example with `runuser -u`", path.display())]
    Foreign {
        /// Which.
        path: PathBuf,
        /// Its owner's user id.
        owner: u32,
        /// That of this process.
        own: u32,
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

/// The file in the directory.
const FILE: &str = "state.db";

impl Database {
    /// Whether there is one in this directory.
    pub fn is_there(dir: &Path) -> bool {
        dir.join(FILE).exists()
    }

    /// Opens `DIR/state.db`, and makes it, readable by this user alone, where it is missing. The directory must be there.
    ///
    /// A write that was acknowledged survives a crash and a power cut (write-ahead log, full synchronization). What is
    /// deleted is overwritten in the database; [`scrub`](Self::scrub) takes it out of the log as well.
    ///
    /// # Errors
    /// When the file cannot be made or opened, or is open to other users.
    pub fn open(dir: &Path) -> Result<Self, StateError> {
        let path = dir.join(FILE);
        let failed = |source| StateError::File { path: path.clone(), source };
        let _turn = turn(dir).map_err(failed)?;
        let about = made(&path).map_err(failed)?;
        let (mode, owner) = (about.permissions().mode() & 0o777, about.uid());
        let own = rustix::process::geteuid().as_raw();
        if owner != own {
            return Err(StateError::Foreign { path, owner, own });
        }
        if mode & 0o077 != 0 {
            return Err(StateError::Exposed { path, mode, owner });
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let mut connection = Connection::open_with_flags(&path, flags)?;
        connection.busy_handler(Some(try_again))?;
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

    /// Runs one statement that reads, without a transaction around it: what it sees is one state of the database all the
    /// same, and it takes half the time.
    ///
    /// # Errors
    /// Those of the closure.
    pub fn glance<T, E>(&self, work: impl FnOnce(&Connection) -> Result<T, E>) -> Result<T, E> {
        work(&self.connection.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Which state of the database is the newest: what was read since another one was asked for, and found the same, need not be
    /// read again. It costs no system call. Absent where nothing can be said.
    pub fn stamp(&self) -> Option<Stamp> {
        Stamp::of(&self.connection.lock().unwrap_or_else(PoisonError::into_inner))
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

    /// Empties the write-ahead log, which holds what was overwritten or deleted until then. It blocks, as
    /// [`write`](Self::write) does, and on readers.
    ///
    /// # Errors
    /// SQLite's. Where others are still at it after ten seconds, the log is left as it is, and that is no error.
    pub fn scrub(&self) -> Result<(), StateError> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok(())
    }
}

/// Whether somebody who found the database taken so many times tries once more, after a pause.
fn try_again(tries: i32) -> bool {
    std::thread::sleep(PAUSE);
    u128::try_from(tries).is_ok_and(|tries| tries < PATIENCE.as_millis() / PAUSE.as_millis())
}

/// Whoever opens the database waits here, until the other one has it open. SQLite refuses one of two that switch the
/// write-ahead log on at once, and does not let it wait.
fn turn(dir: &Path) -> io::Result<File> {
    let dir = File::open(dir)?;
    rustix::fs::flock(&dir, FlockOperation::LockExclusive)?;
    Ok(dir)
}

/// The file, private from its first moment on, and made where it is missing. A link in its place is not followed.
///
/// One that is there is not opened: with any file that it closes, a process loses all POSIX locks that it has on it, and
/// SQLite counts on its own (<https://www.sqlite.org/howtocorrupt.html>, section 2.2).
fn made(path: &Path) -> io::Result<Metadata> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let about = path.symlink_metadata()?;
    if !about.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    // SQLite would open it for reading, and fail at the first write.
    rustix::fs::accessat(CWD, path, Access::READ_OK | Access::WRITE_OK, AtFlags::EACCESS)?;
    Ok(about)
}
