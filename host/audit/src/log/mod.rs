//! The log: records in segments, each with the hash of all before it.

mod begin;
mod checkpoint;
mod directory;
mod ends;
mod known;
mod line;
mod lock;
mod open;
mod reader;
mod retention;
mod sealed;
mod settings;
mod state;
mod sync;
mod tail;
mod torn;
mod writer;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use packhost_keyring::Keyring;
use serde::{Deserialize, Serialize};

use crate::error::AuditError;
use crate::event::{Event, Recorder};
use line::is_kind;
use lock::{Held, Lock};
use sync::Shared;
use writer::{Writer, json};

pub use checkpoint::Checkpoint;
pub(crate) use checkpoint::CheckpointBody;
pub(crate) use directory::{Directory, LOCK, TORN};
pub(crate) use ends::{HEAD, Head, SYNCED, read_synced};
pub(crate) use known::{LAST, remembered};
pub(crate) use line::Line;
pub use line::{Hash, HashError, LARGEST};
pub(crate) use reader::{Found, Lines};
pub(crate) use retention::Removed;
pub use sealed::Sealed;
pub(crate) use sealed::{Ledger, MOST as LARGEST_SEALED, SEALED};
pub use settings::{Durability, PATIENCE, Retention, Settings};
pub(crate) use tail::SegmentBody;
pub(crate) use torn::{Recovered, digest};

/// A record's place in the chain, and the hash that stands for it and all before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Its number, from 1.
    pub n: u64,
    /// Its hash.
    pub hash: Hash,
}

/// What came of an append that does not wait for another process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It is on record, here.
    At(Position),
    /// Another process writes just now. Nothing was written; try again where waiting is allowed.
    Busy,
}

/// The kinds of records that the log writes itself.
pub(crate) const OWN_KINDS: [&str; 5] =
    [SegmentBody::KIND, CheckpointBody::KIND, Recovered::KIND, Removed::KIND, sync::UNSYNCED];

/// The log of a host. Several processes may have the same one open; their records are one chain.
///
/// It has a thread, so it is opened after the host's walls are up. Dropping the last handle does what
/// [`close`](Self::close) does.
pub struct Log {
    path: PathBuf,
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<Result<(), AuditError>>>>,
}

impl Log {
    /// Opens the log in this directory, and makes it, for this user alone, where it is missing; the directory's parent has to
    /// be there. What a process or the machine left at the end that died while it wrote is cut off and kept beside it. Blocks:
    /// on the disk, and up to [`PATIENCE`] on another process that writes.
    ///
    /// # Errors
    /// When the directory cannot be made, read or written, is open to others, or the log ends before what is known to have
    /// been written to the disk, or before what the ring of keys knows of, or something else stands there. Such a log is not
    /// written to. [`AuditError::Lost`] when there is none, and there was one.
    pub fn open(
        path: impl Into<PathBuf>,
        keyring: Arc<Keyring>,
        settings: Settings,
    ) -> Result<Self, AuditError> {
        let path = path.into();
        match Self::lost(&path, keyring.dir())? {
            Some(last) => Err(AuditError::Lost { path, last }),
            None => Self::made(path, keyring, settings),
        }
    }

    /// The last record that is known of a log that was in this directory and is gone; the ring in the other one knows of it.
    /// Its number is 0 where no checkpoint of it is known. None where the log is there, or never was.
    ///
    /// # Errors
    /// When that cannot be read.
    pub fn lost(path: &Path, ring: &Path) -> Result<Option<Position>, AuditError> {
        // In this order: a log is there before the ring knows of it.
        match known::known(ring)? {
            Some(last) if open::is_missing(&Directory::at(path))? => Ok(Some(last)),
            _ => Ok(None),
        }
    }

    /// The ring in this directory, for the log in the other one; made where there is neither. A log without its keys cannot go
    /// on, and with others it would be another's.
    ///
    /// # Errors
    /// [`AuditError::Keyless`] where there is a log and no ring; when the ring cannot be opened.
    pub fn keyring(path: &Path, ring: PathBuf) -> Result<Keyring, AuditError> {
        let directory = Directory::at(path);
        // In this order: the keys are there before the log.
        if !open::is_missing(&directory)? && !Keyring::is_there(&ring) {
            let signer = Head::read(&directory)?.map(|head| head.checkpoint.signature.key_id);
            return Err(AuditError::Keyless { log: path.to_owned(), keys: ring, signer });
        }
        Ok(Keyring::open(ring)?)
    }

    /// Begins another log in place of one that is lost, and opens it. Its first record is this one, which says so: the log is
    /// there with it, and on the disk, or not at all.
    ///
    /// # Errors
    /// As [`open`](Self::open), and when something stands in its place.
    pub fn begin(
        path: impl Into<PathBuf>,
        keyring: Arc<Keyring>,
        settings: Settings,
        first: &Event,
    ) -> Result<Self, AuditError> {
        let path = path.into();
        begin::beside(&path, &keyring, &settings, first)?;
        Self::made(path, keyring, settings)
    }

    fn made(path: PathBuf, keyring: Arc<Keyring>, settings: Settings) -> Result<Self, AuditError> {
        let directory = Directory::made(&path)?;
        let lock = Lock::of(&directory)?;
        let held = lock.hold()?;
        open::made(&directory)?;
        // Whoever notes something there has written it here before.
        let end = open::end(&directory, &keyring, known::known(keyring.dir())?)?;
        known::remember_first(&keyring, end.0.mark)?;
        let mut writer = Writer::new(directory, lock, keyring, settings, end);
        writer.recover(&held)?;
        writer.catch_up(&held)?;
        drop(held);
        let shared = Arc::new(Shared::new(writer));
        let run = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("audit".into()).spawn(move || run.to_the_end());
        let thread = Mutex::new(Some(thread.map_err(AuditError::Start)?));
        Ok(Self { path, shared, thread })
    }

    /// The directory of the log.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a record. When this returns, it outlives this process; how soon it outlives the machine is the log's
    /// [`Durability`]. It may wait, up to [`PATIENCE`], for another process that writes.
    ///
    /// # Errors
    /// When it is not on record: it is larger than [`LARGEST`], its kind is no word or one of the log's own, its body is no JSON
    /// object, or it cannot be written. With [`AuditError::Unsynced`] it may be in the log, and may be lost with the machine.
    pub fn append(&self, kind: &str, body: &impl Serialize) -> Result<Position, AuditError> {
        match self.put(kind, &json(body)?, true)? {
            Written::At(position) => Ok(position),
            Written::Busy => Err(AuditError::Locked { path: self.path.join(LOCK) }),
        }
    }

    /// The same without waiting for another process.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub fn try_append(&self, kind: &str, body: &impl Serialize) -> Result<Written, AuditError> {
        self.put(kind, &json(body)?, false)
    }

    fn put(&self, kind: &str, body: &str, wait: bool) -> Result<Written, AuditError> {
        if !is_kind(kind) || OWN_KINDS.contains(&kind) {
            return Err(AuditError::Kind(kind.to_owned()));
        }
        if !body.starts_with('{') {
            return Err(AuditError::Body(body.chars().take(40).collect()));
        }
        let appended = self.shared.held(wait, |writer, held| {
            if writer.closed { Err(AuditError::Closed) } else { writer.append(held, kind, body) }
        });
        let appended = appended.inspect_err(|error| {
            if matches!(error, AuditError::Unsynced { .. }) {
                self.shared.retry();
            }
        });
        let Some(position) = appended? else { return Ok(Written::Busy) };
        self.shared.appended(position)?;
        Ok(Written::At(position))
    }

    fn event(&self, event: &Event, wait: bool) -> Result<Written, AuditError> {
        let put = |event: &Event| self.put(event.kind(), &json(event)?, wait);
        let is_too_large =
            |done: &Result<Written, AuditError>| matches!(done, Err(AuditError::TooLarge { .. }));
        let mut done = put(event);
        // An input that is large takes nothing with it of what its call has done.
        if is_too_large(&done)
            && let Some(less) = event.without_input()
        {
            done = put(&less);
        }
        if is_too_large(&done) {
            done = put(&event.shortened());
        }
        done
    }

    /// Waits until everything that this process has appended is on the disk.
    ///
    /// # Errors
    /// When the disk does not confirm it.
    pub fn sync(&self) -> Result<(), AuditError> {
        let last = self.shared.writer().tail.last;
        self.shared.noted(last.n)
    }

    /// Signs a checkpoint of all that is in the log now, to keep elsewhere: whoever has it can tell later whether anything up
    /// to it was changed.
    ///
    /// # Errors
    /// When it cannot be signed or written.
    pub fn checkpoint(&self) -> Result<Checkpoint, AuditError> {
        let signed = self.held(|writer, held| {
            writer.catch_up(held)?;
            let mark = writer.checkpoint(held)?;
            Ok(Checkpoint::sign(&writer.keyring, mark.position)?)
        })?;
        self.sync()?;
        Ok(signed)
    }

    /// Removes the oldest closed segments that are beyond what is kept, and says which. What they were stays in `sealed`.
    /// Blocks those who append meanwhile, for a few milliseconds per segment.
    ///
    /// # Errors
    /// When a segment is not what this host wrote, or a file cannot be written or removed.
    pub fn retain(&self, keep: Retention) -> Result<Vec<Sealed>, AuditError> {
        self.held(|writer, held| retention::retain(writer, held, keep))
    }

    /// Closes the segment and begins the next one, whatever its size.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn roll(&self) -> Result<(), AuditError> {
        self.held(|writer, held| {
            writer.catch_up(held)?;
            if writer.tail.used { writer.roll(held) } else { Ok(()) }
        })?;
        self.sync()
    }

    /// Does something at the end of the log while no other process is there.
    fn held<T>(
        &self,
        work: impl FnOnce(&mut Writer, &Held) -> Result<T, AuditError>,
    ) -> Result<T, AuditError> {
        let done = self.shared.held(true, |writer, held| {
            if writer.closed { Err(AuditError::Closed) } else { work(writer, held) }
        })?;
        done.ok_or_else(|| AuditError::Locked { path: self.path.join(LOCK) })
    }

    /// Signs a checkpoint of what this process has appended, and waits until all of it is on the disk. Nothing can be appended
    /// afterwards. The second time it does nothing.
    ///
    /// # Errors
    /// When the last checkpoint cannot be written, or the disk does not confirm it.
    pub fn close(&self) -> Result<(), AuditError> {
        self.shared.stop();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        // A thread that has panicked has written nothing.
        thread.map_or(Ok(()), |thread| thread.join().unwrap_or(Err(AuditError::Closed)))
    }
}

impl Recorder for Log {
    fn record(&self, event: &Event) -> Result<(), AuditError> {
        match self.event(event, true)? {
            Written::At(_) => Ok(()),
            Written::Busy => Err(AuditError::Locked { path: self.path.join(LOCK) }),
        }
    }

    fn try_record(&self, event: &Event) -> Result<Written, AuditError> {
        self.event(event, false)
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::error!(target: "packhost::audit", %error, "the audit log was not closed in good order");
        }
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("path", &self.path).finish_non_exhaustive()
    }
}
