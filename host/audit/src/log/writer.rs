//! The one that writes: goes on from the end of the chain, wherever another process has left it.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use packhost_keyring::Keyring;
use rustix::fs::{fstat, ftruncate};
use rustix::io::Errno;
use serde::Serialize;

use super::checkpoint::{Checkpoint, CheckpointBody};
use super::directory::Directory;
use super::ends::{Head, Mark};
use super::line::{Envelope, LARGEST};
use super::lock::{Held, Lock};
use super::tail::{SegmentBody, Tail};
use super::{Position, Settings, torn};
use crate::error::{AuditError, failed};
use crate::moment::Moment;

/// The largest line of a checkpoint, in bytes: a segment leaves room for the one that closes it.
const CLOSING: u64 = 640;
/// A clock that is so far behind the time of an earlier record, in microseconds, is noted in the record.
const BEHIND: u64 = 1_000_000;

/// The end of the log as this process knows it. Everything that reads on or writes needs the lock: see [`Lock`].
pub(super) struct Writer {
    pub(super) directory: Directory,
    lock: Lock,
    pub(super) keyring: Arc<Keyring>,
    pub(super) settings: Settings,
    pub(super) tail: Tail,
    pub(super) file: Arc<File>,
    /// The line that is being written, kept for its memory.
    line: Vec<u8>,
    /// Bytes behind the end that a failed write of this process left there, and that could not be taken back.
    rest: u64,
    /// Why the disk did not confirm what was written. Nothing is written until it does.
    pub(super) unsynced: Option<String>,
    /// This process has written records that no checkpoint covers.
    pub(super) uncovered: bool,
    /// A segment was closed since this was last looked at.
    pub(super) rolled: bool,
    pub(super) closed: bool,
}

impl Writer {
    pub(super) fn new(
        directory: Directory,
        lock: Lock,
        keyring: Arc<Keyring>,
        settings: Settings,
        (tail, file): (Tail, File),
    ) -> Self {
        Self {
            directory,
            lock,
            keyring,
            settings,
            tail,
            file: Arc::new(file),
            line: Vec::new(),
            rest: 0,
            unsynced: None,
            uncovered: false,
            rolled: false,
            closed: false,
        }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.directory.segment(self.tail.segment)
    }

    pub(super) fn try_hold(&self) -> Result<Option<Held>, AuditError> {
        self.lock.try_hold()
    }

    /// Appends a record behind whatever other processes have appended, and a checkpoint where one is due.
    pub(super) fn append(&mut self, held: &Held, kind: &str, body: &str) -> Result<Position, AuditError> {
        if let Some(why) = &self.unsynced {
            return Err(AuditError::Unsynced { path: self.path(), why: why.clone() });
        }
        self.catch_up(held)?;
        if self.is_full(body.len()) {
            self.roll(held)?;
        }
        let position = self.put(kind, body)?;
        self.uncovered = true;
        if self.tail.uncovered() >= self.settings.checkpoint_records.max(1)
            && let Err(error) = self.checkpoint(held)
        {
            // The record is in the log. The next append tries again.
            tracing::error!(target: "packhost::audit", %error, "no checkpoint was written");
        }
        Ok(position)
    }

    /// Reads on to where the log ends now.
    pub(super) fn catch_up(&mut self, _held: &Held) -> Result<(), AuditError> {
        self.directory.in_place()?;
        loop {
            let about = fstat(&*self.file).map_err(|error| failed(&self.path())(error.into()))?;
            let (size, gone) = (about.st_size.cast_unsigned(), about.st_nlink == 0);
            if size < self.tail.end || size == self.tail.end && gone && !self.tail.closed {
                return Err(AuditError::Truncated { path: self.path(), n: self.tail.last.n });
            }
            if size > self.tail.end {
                self.read_on(size)?;
            } else if gone {
                // Retention has removed it, and perhaps the ones after it.
                (self.tail, self.file) = super::open::end(&self.directory, &self.keyring, None)
                    .map(|(tail, file)| (tail, Arc::new(file)))?;
            } else if self.tail.closed {
                self.next_segment()?;
            } else if self.tail.end == 0 {
                self.begin_segment()?;
            } else {
                return Ok(());
            }
        }
    }

    /// Takes in what other processes have written, or cuts off what one has left that died while it wrote.
    fn read_on(&mut self, size: u64) -> Result<(), AuditError> {
        let path = self.path();
        let broken = self.tail.read_on(&self.file, size, |_| ()).map_err(failed(&path))?;
        let rest = std::mem::take(&mut self.rest);
        match broken {
            None => Ok(()),
            Some(broken) if broken.torn && rest > 0 && size == self.tail.end + rest => {
                self.rest = rest;
                self.take_back()
            }
            Some(broken) if broken.torn => self.cut(size),
            Some(broken) => Err(AuditError::Damaged { path, byte: broken.byte, why: broken.why }),
        }
    }

    /// Cuts off what stands behind the last record, where there is something: what a machine left that lost its power.
    pub(super) fn recover(&mut self, _held: &Held) -> Result<(), AuditError> {
        let size = self.file.metadata().map_err(failed(&self.path()))?.len();
        if size > self.tail.end { self.cut(size) } else { Ok(()) }
    }

    /// Puts what stands behind the last record into a file of its own, and a record of that in its place.
    fn cut(&mut self, size: u64) -> Result<(), AuditError> {
        let body = torn::cut(&self.directory, &self.file, self.tail.segment, self.tail.end, size)?;
        if self.tail.closed {
            self.next_segment()?;
        }
        if self.tail.end == 0 {
            self.begin_segment()?;
        }
        self.put(torn::Recovered::KIND, &json(&body)?)?;
        Ok(())
    }

    /// Takes back what a failed write has left.
    fn take_back(&mut self) -> Result<(), AuditError> {
        ftruncate(&*self.file, self.tail.end)
            .map_err(|error| AuditError::Stuck { path: self.path(), source: error.into() })?;
        self.rest = 0;
        Ok(())
    }

    fn is_full(&self, body: usize) -> bool {
        let (settings, tail) = (&self.settings, &self.tail);
        // What stands before and behind the body in a line is less than a checkpoint.
        let too_large = tail.end + body as u64 + 2 * CLOSING > settings.segment_bytes;
        // A clock that was ahead when the segment began and is right again is no reason to go on for as long.
        let now = Moment::of((settings.clock)());
        let too_old = |age| now.since(tail.began).max(tail.began.since(now)) > age;
        let too_old = settings.segment_age.is_some_and(too_old);
        tail.used && (too_large || too_old)
    }

    /// Closes the segment and begins the next one.
    pub(super) fn roll(&mut self, held: &Held) -> Result<(), AuditError> {
        if let Err(error) = self.put_checkpoint(true) {
            return match error {
                // Without a signature the segment goes on.
                AuditError::Key(error) => {
                    tracing::error!(target: "packhost::audit", %error, "no segment is closed without a checkpoint");
                    Ok(())
                }
                error => Err(error),
            };
        }
        self.catch_up(held)
    }

    /// The file of the next segment. The closed one has to be on the disk before: what is missing after a power cut is then
    /// at the end of the last one.
    fn next_segment(&mut self) -> Result<(), AuditError> {
        let path = self.path();
        if let Err(source) = self.file.sync_data() {
            self.unsynced = Some(source.to_string());
            return Err(AuditError::Unsynced { path, why: source.to_string() });
        }
        if let Some(mark) = self.tail.mark {
            Head::advance(&self.directory, &self.keyring, mark)?;
        }
        let number = self.tail.segment + 1;
        let file = self.directory.append_to(&self.directory.segment(number))?;
        let mark = self.tail.mark;
        self.tail =
            Tail::before(number, self.tail.last, self.tail.time, std::mem::take(&mut self.tail.chain));
        self.tail.mark = mark;
        self.file = Arc::new(file);
        self.rolled = true;
        Ok(())
    }

    /// The first record of a segment.
    fn begin_segment(&mut self) -> Result<(), AuditError> {
        let body = SegmentBody {
            format: SegmentBody::FORMAT,
            segment: self.tail.segment,
            previous: self.tail.last.hash,
            chain: self.tail.chain.clone(),
        };
        self.put(SegmentBody::KIND, &json(&body)?)?;
        self.tail.began = self.tail.time.min(Moment::of((self.settings.clock)()));
        self.file.sync_data().map_err(failed(&self.path()))?;
        self.directory.sync()
    }

    /// A checkpoint of what is in the log now; returns one of the checkpoint's own record.
    pub(super) fn checkpoint(&mut self, _held: &Held) -> Result<Mark, AuditError> {
        self.put_checkpoint(false)
    }

    fn put_checkpoint(&mut self, closes: bool) -> Result<Mark, AuditError> {
        let checkpoint = Checkpoint::sign(&self.keyring, self.tail.last)?;
        let position = self.put(CheckpointBody::KIND, &json(&CheckpointBody { checkpoint, closes })?)?;
        self.uncovered = false;
        self.tail.closed = closes;
        Ok(Mark { position, segment: self.tail.segment, end: self.tail.end })
    }

    /// Writes one record behind the last one, in one call of write(2).
    pub(super) fn put(&mut self, kind: &str, body: &str) -> Result<Position, AuditError> {
        let now = Moment::of((self.settings.clock)());
        let time = now.max(self.tail.time);
        let clock = (time.micros() - now.micros() > BEHIND).then_some(now);
        let envelope = Envelope { n: self.tail.last.n + 1, time, clock, kind, body };
        self.line.clear();
        let hash = envelope.line(&self.tail.last.hash, &mut self.line);
        if self.line.len() > LARGEST {
            return Err(AuditError::TooLarge { size: self.line.len(), max: LARGEST });
        }
        self.write()?;
        let position = Position { n: envelope.n, hash };
        self.tail.advance(position, time, self.tail.end + self.line.len() as u64, kind);
        Ok(position)
    }

    /// All of the line, or nothing.
    fn write(&mut self) -> Result<(), AuditError> {
        let written = loop {
            match rustix::io::write(&*self.file, &self.line) {
                Err(Errno::INTR) => {}
                written => break written,
            }
        };
        let source = match written {
            Ok(length) if length == self.line.len() => return Ok(()),
            Ok(length) => {
                self.rest = length as u64;
                io::Error::new(io::ErrorKind::StorageFull, "only a part of it could be written")
            }
            Err(error) => {
                // A write that failed may have written all the same.
                let size = self.file.metadata().map_or(self.tail.end, |about| about.len());
                self.rest = size.saturating_sub(self.tail.end);
                error.into()
            }
        };
        if self.rest > 0 {
            self.take_back()?;
        }
        Err(AuditError::Write { path: self.path(), source })
    }
}

pub(super) fn json(body: &impl Serialize) -> Result<String, AuditError> {
    serde_json::to_string(body).map_err(|error| AuditError::Body(error.to_string()))
}
